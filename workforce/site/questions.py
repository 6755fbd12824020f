"""The documents inside the frame: a requester's HTML, sandboxed by its own headers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from workforce.market import MarketError
from workforce.site.context import Site
from workforce.site.headers import MESSAGE_POLICY, QUESTION_POLICY
from workforce.site.question_html import PREVIEW_ASSIGNMENT, prepare_question
from workforce.site.sessions import Session


def previewed(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """The question of a HIT that has not been accepted."""
    hit_id = str(request.path_params["hit_id"])
    try:
        allowed = site.workers.may(worker_id, hit_id, "preview")
    except MarketError:
        return _missing(site, request)
    if not allowed:
        text = "This HIT asks for a qualification that you do not have."
        return site.problem(request, 403, "Not for you yet", text, policy=MESSAGE_POLICY, framed=True)
    return _document(site, request, hit_id, PREVIEW_ASSIGNMENT)


def accepted(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """The question of an assignment in the worker's hands."""
    assignment_id = str(request.path_params["assignment_id"])
    try:
        turn = site.workers.assignment(worker_id, assignment_id)
    except MarketError:
        return _missing(site, request)
    if turn.status != "Accepted":
        text = "It was submitted, returned, or has run out of time."
        return site.problem(
            request, 410, "This HIT is no longer open", text, policy=MESSAGE_POLICY, framed=True
        )
    return _document(site, request, turn.hit_id, assignment_id)


def _document(site: Site, request: Request, hit_id: str, assignment_id: str) -> Response:
    try:
        question = site.workers.question(hit_id)
    except MarketError:
        return _missing(site, request)
    if question.kind != "html":
        return _missing(site, request)
    html = prepare_question(question.content, origin=site.origin(request), assignment_id=assignment_id)
    # No referrer: the address holds the assignment id, which is all that a submission needs
    headers = {"Content-Security-Policy": QUESTION_POLICY, "Referrer-Policy": "no-referrer"}
    return HTMLResponse(html, headers=headers)


def _missing(site: Site, request: Request) -> Response:
    text = "The requester has removed it, or it never existed."
    return site.problem(request, 404, "There is no such question", text, policy=MESSAGE_POLICY, framed=True)
