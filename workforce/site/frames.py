"""The frame in which a worker sees the question, and what it may do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from workforce.market import Question
from workforce.site.headers import framing_policy
from workforce.site.question_html import PREVIEW_ASSIGNMENT

_SANDBOX = (
    "allow-scripts allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox"
    " allow-top-navigation-by-user-activation"
)
_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Frame:
    """Everything that the page around the frame needs; `height` 0 fills the window."""

    src: str
    sandbox: str
    policy: str
    height: int


class BadQuestionUrl(Exception):
    """An external question that cannot be framed; the message says why."""


def frame_for(question: Question, *, hit_id: str, origin: str, worker_id: str, assignment_id: str) -> Frame:
    """The frame of an html or external question; `assignment_id` may be the preview's.

    Raises BadQuestionUrl when the address of an external question is neither https nor on loopback.
    """
    preview = assignment_id == PREVIEW_ASSIGNMENT
    parameters = {"assignmentId": assignment_id, "hitId": hit_id}
    if not preview:  # whoever only looks need not be known to the requester
        parameters["workerId"] = worker_id
    parameters["turkSubmitTo"] = origin
    if question.kind == "external":
        return _external(question, parameters, origin)
    path = f"/worker/question/preview/{hit_id}" if preview else f"/worker/question/{assignment_id}"
    src = f"{path}?{urlencode(parameters)}"
    return Frame(src, _SANDBOX, framing_policy("'self'"), question.frame_height)


def _external(question: Question, parameters: dict[str, str], origin: str) -> Frame:
    url = question.url.strip()
    scheme, host, port = place = _place(url)
    loopback = host in _LOOPBACK
    if not _HOST.fullmatch(host) or not (scheme == "https" or (scheme == "http" and loopback)):
        raise BadQuestionUrl("An external question must have an https address.")
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, urlencode(parameters)) if part)
    # A page of another origin keeps that origin, since it may need its own cookies and storage. It must
    # never be ours.
    sandbox = _SANDBOX if place == _place(origin) else f"{_SANDBOX} allow-same-origin"
    shown = f"[{host}]" if ":" in host else host
    sources = f"'self' https: {scheme}://{shown}:{port}" if loopback else "'self' https:"
    return Frame(
        urlunsplit(parts._replace(query=query)), sandbox, framing_policy(sources), question.frame_height
    )


def _place(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError as error:
        raise BadQuestionUrl(f"The address of this external question is no URL: {error}.") from error
