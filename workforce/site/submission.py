"""Where the form of a question goes: POST /mturk/externalSubmit.

The post comes from a frame on an opaque origin, so no cookie comes with it: the assignment id is the
capability, as on Mechanical Turk.
"""

from __future__ import annotations

import re

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive

from workforce.market import AssignmentView, MarketError
from workforce.market.errors import Refused
from workforce.site.access import AsyncEndpoint
from workforce.site.context import Site
from workforce.site.headers import MESSAGE_POLICY
from workforce.site.lists import next_of_type
from workforce.site.question_html import PREVIEW_ASSIGNMENT

_ENCODED = 4  # a form's encoding may take that many bytes for one of the answer's
_MAX_FIELDS = 2000
_SUBMITTED_BEFORE = re.compile(r"\b(submitted|approved|rejected)\b")
Fields = list[tuple[str, str]]


def external_submit(site: Site) -> AsyncEndpoint:
    """Records the fields of a form as the answers of an assignment."""

    async def endpoint(request: Request) -> Response:
        if request.method != "POST":
            text = "The form of this HIT must be sent with method POST; the requester has to correct it."
            return _message(site, request, 405, "Not recorded", text)
        try:
            fields = await _fields(request, _ENCODED * site.market.settings.max_answer_bytes)
        except HTTPException as error:
            return _message(site, request, error.status_code, "Not recorded", error.detail)
        return await run_in_threadpool(_record, site, request, fields)

    return endpoint


async def _fields(request: Request, most: int) -> Fields:
    """The fields in document order; of an uploaded file only the name counts, as in a plain form."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise HTTPException(413, "The answers are too large.")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        raise HTTPException(415, "Answers must come from an HTML form.")
    replay = Request(request.scope, _replayed(bytes(body)))
    async with replay.form(max_files=20, max_fields=_MAX_FIELDS, max_part_size=most) as form:
        return [
            (name, value if isinstance(value, str) else value.filename or "")
            for name, value in form.multi_items()
        ]


def _replayed(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _record(site: Site, request: Request, fields: Fields) -> Response:
    given = (value for name, value in fields if name == "assignmentId" and value)
    assignment_id = next(given, None) or request.query_params.get("assignmentId", "")
    if assignment_id == PREVIEW_ASSIGNMENT:
        text = "This was only a preview, so nothing was recorded. Accept the HIT first, then submit."
        return _message(site, request, 400, "Please accept the HIT first", text)
    if not assignment_id:
        text = "The form has no assignmentId, so nobody knows which HIT it answers."
        return _message(site, request, 400, "Not recorded", text)
    session = site.sessions.read(request)
    try:
        turn = site.workers.submit(assignment_id, fields, worker_id=session.worker_id if session else None)
    except MarketError as error:
        return _refused(site, request, error)
    return _thanks(site, request, turn)


def _refused(site: Site, request: Request, error: MarketError) -> Response:
    reason = error.reason if isinstance(error, Refused) else "invalid"
    if reason == "unknown":
        text = "There is no such assignment in your hands. If you signed in again, accept the HIT again."
        return _message(site, request, 404, "Not recorded", text)
    if reason == "closed":
        before = _SUBMITTED_BEFORE.search(str(error)) is not None
        title = "Already submitted" if before else "This HIT is closed"
        text = "Your first answer counts." if before else "Nothing was recorded."
        return _message(site, request, 409, title, text, detail=str(error))
    return _message(site, request, 400, "Not recorded", "The answers could not be used.", detail=str(error))


def _thanks(site: Site, request: Request, turn: AssignmentView) -> Response:
    try:
        following = next_of_type(site, turn.worker_id, site.workers.listing(turn.hit_id).hit_type_id)
    except MarketError:  # deleted this very moment; the answer is recorded all the same
        following = None
    return site.page(
        request,
        "thanks.html",
        session=None,
        policy=MESSAGE_POLICY,
        following=following,
    )


def _message(
    site: Site, request: Request, status: int, title: str, text: str, *, detail: str = ""
) -> Response:
    return site.problem(request, status, title, text, detail=detail, policy=MESSAGE_POLICY, framed=True)
