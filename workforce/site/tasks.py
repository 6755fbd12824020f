"""One HIT: look at it, take it, work on it, give it back."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from workforce.market import AssignmentView, HitListing, MarketError
from workforce.market.errors import Refused
from workforce.market.qualifications import Action
from workforce.site.context import Site
from workforce.site.frames import BadQuestionUrl, Frame, frame_for
from workforce.site.headers import SITE_POLICY
from workforce.site.lists import next_of_type
from workforce.site.question_html import PREVIEW_ASSIGNMENT
from workforce.site.sessions import Session

_REFUSED = {
    "no_seat": ("Somebody was faster", "All places of this HIT are taken, or it has expired."),
    "taken": ("You had this HIT already", "Every worker can do a HIT once only."),
    "not_qualified": ("Not for you yet", "This HIT asks for a qualification that you do not have."),
    "unknown": ("This HIT is gone", "The requester has removed it, or it never existed."),
}
_UNSUPPORTED = "Questions in the QuestionForm format are not supported yet by this site."
_GUARDED: tuple[Action, ...] = ("preview", "accept")
_UNSHOWABLE = "The question of this HIT cannot be shown."


def preview(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """A HIT as it looks before it is accepted."""
    hit_id = str(request.path_params["hit_id"])
    listing = _listing(site, hit_id)
    if listing is None:
        return _gone(site, request)
    held = next((turn for turn in site.workers.held(worker_id) if turn.hit_id == hit_id), None)
    if held is not None:
        return RedirectResponse(_work_path(held), status_code=303)
    qualified = {action: _may(site, worker_id, hit_id, action) for action in _GUARDED}
    if not qualified["preview"]:
        return site.problem(request, 403, *_REFUSED["not_qualified"])
    frame = _frame(site, request, hit_id, worker_id, PREVIEW_ASSIGNMENT)
    return site.page(
        request,
        "preview.html",
        session=session,
        policy=frame.policy if isinstance(frame, Frame) else SITE_POLICY,
        listing=listing,
        frame=frame if isinstance(frame, Frame) else None,
        unsupported=frame if isinstance(frame, str) else "",
        open=listing.expiration > site.now() and listing.seats_available > 0,
        qualified=qualified["accept"],
    )


def accept(site: Site, request: Request, session: Session, worker_id: str, form: FormData) -> Response:
    """Take a seat and go to work."""
    hit_id = str(request.path_params["hit_id"])
    try:
        if site.workers.question(hit_id).kind == "form":
            return site.problem(request, 409, "Not possible here yet", _UNSUPPORTED)
        turn = site.workers.accept(worker_id, hit_id)
    except Refused as error:
        title, text = _REFUSED.get(error.reason, ("Not possible", str(error)))
        return site.problem(request, 404 if error.reason == "unknown" else 409, title, text)
    except MarketError:
        return _gone(site, request)
    return RedirectResponse(f"{_work_path(turn)}#task-frame", status_code=303)


def work(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """The page around an accepted HIT, or how it ended."""
    turn = _turn(site, request, worker_id)
    if turn is None:
        return _not_yours(site, request)
    listing = _listing(site, turn.hit_id)
    if listing is None:
        return _gone(site, request)
    if turn.status in ("Submitted", "Approved", "Rejected"):
        following = next_of_type(site, worker_id, listing.hit_type_id)
        return site.page(
            request, "submitted.html", session=session, turn=turn, listing=listing, following=following
        )
    if turn.status == "Returned":
        return site.problem(request, 410, "You returned this HIT", "Its place is free for somebody else.")
    if turn.status == "Abandoned" or turn.deadline <= site.now():
        text = "The time for this HIT is over, so its place is free for somebody else."
        return site.problem(request, 410, "Time is over", text)
    frame = _frame(site, request, turn.hit_id, worker_id, turn.assignment_id)
    return site.page(
        request,
        "work.html",
        session=session,
        policy=frame.policy if isinstance(frame, Frame) else SITE_POLICY,
        listing=listing,
        turn=turn,
        seconds_left=int((turn.deadline - site.now()).total_seconds()),
        frame=frame if isinstance(frame, Frame) else None,
        unsupported=frame if isinstance(frame, str) else "",
    )


def state(site: Site, request: Request, session: Session, worker_id: str) -> Response:
    """The status of an assignment, for the script of the work page."""
    turn = _turn(site, request, worker_id)
    if turn is None:
        return JSONResponse({"status": "Unknown"}, 404)
    return JSONResponse({"status": turn.status})


def give_back(site: Site, request: Request, session: Session, worker_id: str, form: FormData) -> Response:
    """Return an accepted HIT."""
    try:
        site.workers.give_back(worker_id, str(request.path_params["assignment_id"]))
    except Refused as error:
        if error.reason == "unknown":
            return _not_yours(site, request)
        text = "It was submitted, returned or has run out of time before."
        return site.problem(request, 409, "This HIT cannot be returned any more", text)
    except MarketError:
        return _not_yours(site, request)
    return RedirectResponse("/worker/hits?returned=1", status_code=303)


def _listing(site: Site, hit_id: str) -> HitListing | None:
    try:
        return site.workers.listing(hit_id)
    except MarketError:
        return None


def _may(site: Site, worker_id: str, hit_id: str, action: Action) -> bool:
    try:
        return site.workers.may(worker_id, hit_id, action)
    except MarketError:
        return False


def _turn(site: Site, request: Request, worker_id: str) -> AssignmentView | None:
    try:
        return site.workers.assignment(worker_id, str(request.path_params["assignment_id"]))
    except MarketError:
        return None


def _frame(site: Site, request: Request, hit_id: str, worker_id: str, assignment_id: str) -> Frame | str:
    """The frame for a question, or a sentence on why there is none."""
    try:
        question = site.workers.question(hit_id)
    except MarketError:  # removed this very moment, or made when more was allowed
        return _UNSHOWABLE
    if question.kind == "form":
        return _UNSUPPORTED
    try:
        return frame_for(
            question,
            hit_id=hit_id,
            origin=site.origin(request),
            worker_id=worker_id,
            assignment_id=assignment_id,
        )
    except BadQuestionUrl as error:
        return str(error)


def _work_path(turn: AssignmentView) -> str:
    return f"/worker/assignments/{turn.assignment_id}"


def _gone(site: Site, request: Request) -> Response:
    return site.problem(request, 404, *_REFUSED["unknown"])


def _not_yours(site: Site, request: Request) -> Response:
    text = "There is no such assignment, or it belongs to somebody else."
    return site.problem(request, 404, "That is not in your hands", text)
