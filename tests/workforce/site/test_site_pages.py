"""The site's own pages through its ASGI app, on a real market."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup

from workforce.clock import ManualClock
from workforce.market import Market
from workforce.site import site_app
from workforce.site.wording import duration, money, until

ACCOUNT = "000000000000"
Publish = Callable[..., str]
GETS = [
    "/worker/hits",
    "/worker/hits?page=2",
    "/worker/work",
    "/worker/messages",
    "/worker/hits/{hit}",
    "/worker/assignments/{turn}",
    "/worker/assignments/{turn}/state",
]
FRAMED = ["/worker/question/preview/{hit}", "/worker/question/{turn}"]
POSTS = ["/worker/sign-out", "/worker/hits/{hit}/accept", "/worker/assignments/{turn}/return"]


@pytest.fixture
def places(publish: Publish, make_worker: Callable[[str], Any]) -> dict[str, str]:
    """A HIT, and an assignment of it in another worker's hands."""
    hit = publish()
    return {"hit": hit, "turn": make_worker("A2OTHER").accept(hit)}


def soup(answer: Any) -> BeautifulSoup:
    return BeautifulSoup(answer.text, "html.parser")


def test_every_route_is_covered_by_the_tests_of_access(market: Market) -> None:
    app = site_app(market, secret="s", public_url=None)
    known = {re.sub(r"\{\w+\}", "{}", path.partition("?")[0]) for path in [*GETS, *FRAMED, *POSTS]}
    found = {re.sub(r"\{\w+\}", "{}", route.path) for route in app.routes}  # type: ignore[attr-defined]
    open_ = {"/worker", "/worker/", "/worker/sign-in", "/worker/static", "/mturk/externalSubmit"}
    assert found - open_ == known
    assert all(path.startswith(("/worker", "/mturk/")) for path in found)


# --- doors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GETS)
def test_a_stranger_is_sent_to_sign_in_and_back(stranger: Any, places: dict[str, str], path: str) -> None:
    answer = stranger.get(path.format(**places))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/worker/sign-in?next=%2Fworker%2F")


@pytest.mark.parametrize("path", FRAMED)
def test_a_stranger_sees_no_question(stranger: Any, places: dict[str, str], path: str) -> None:
    answer = stranger.get(path.format(**places))
    assert answer.status_code == 401
    assert "Which species?" not in answer.text


@pytest.mark.parametrize("path", POSTS)
def test_a_stranger_changes_nothing(stranger: Any, places: dict[str, str], path: str) -> None:
    answer = stranger.client.post(path.format(**places), data={"csrf": "x"})
    assert answer.status_code == 401
    assert "Please sign in" in answer.text


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "x", "\u00e9", "0" * 64])
def test_a_post_without_the_token_is_refused(
    worker: Any, places: dict[str, str], path: str, token: str
) -> None:
    answer = worker.client.post(path.format(**places), data={"csrf": token} if token else {})
    assert answer.status_code == 403
    assert worker.get("/worker/hits").status_code == 200, "still signed in"


def test_another_sessions_token_is_refused(
    worker: Any, make_worker: Callable[[str], Any], publish: Publish
) -> None:
    hit = publish()
    token = make_worker("A2OTHER").token()
    assert worker.client.post(f"/worker/hits/{hit}/accept", data={"csrf": token}).status_code == 403


def test_nobody_reaches_anothers_assignment(worker: Any, places: dict[str, str], market: Market) -> None:
    turn = places["turn"]
    assert worker.get(f"/worker/assignments/{turn}").status_code == 404
    assert worker.get(f"/worker/assignments/{turn}/state").status_code == 404
    assert worker.get(f"/worker/question/{turn}").status_code == 404
    assert worker.post(f"/worker/assignments/{turn}/return").status_code == 404
    assert market.workers.assignment("A2OTHER", turn).status == "Accepted"


# --- signing in ---------------------------------------------------------------------------------------


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(stranger: Any) -> None:
    fields = {"csrf": stranger.token("/worker/sign-in"), "worker_id": " a2worker ", "next": "/worker/work"}
    answer = stranger.client.post("/worker/sign-in", data=fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/worker/work")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "A2WORKER" in stranger.get("/worker/work").text


def test_over_https_the_cookie_is_bound_to_the_host(market: Market, connect: Any) -> None:
    app = site_app(market, secret="s", public_url="https://crowd.example.org/")
    cookie = connect(app).get("/worker/sign-in").headers["set-cookie"]
    assert cookie.startswith("__Host-workforce_session=")
    assert "Secure" in cookie


@pytest.mark.parametrize("typed", ["", "B2", "A", "A-1", "A" * 65, '"><script>alert(1)</script>', "A2\u00c9"])
def test_what_is_no_worker_id_is_explained_and_escaped(stranger: Any, typed: str) -> None:
    fields = {"csrf": stranger.token("/worker/sign-in"), "worker_id": typed, "next": "/worker/hits"}
    answer = stranger.client.post("/worker/sign-in", data=fields)
    assert answer.status_code == 422
    page = soup(answer)
    field = page.find(id="worker_id")
    assert field["value"] == typed[:80]
    assert field["aria-invalid"] == "true"
    assert (
        page.find(id=field["aria-describedby"].split()[-1]).get_text().startswith("This is not a worker ID")
    )
    assert page.find("script") is None


def test_signing_in_needs_the_forms_token(stranger: Any) -> None:
    assert stranger.client.post("/worker/sign-in", data={"worker_id": "A2WORKER"}).status_code == 403
    stranger.get("/worker/sign-in")
    assert stranger.client.post("/worker/sign-in", data={"worker_id": "A2WORKER"}).status_code == 403


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/worker", "/worker/../x", "/worker\\@evil", "/x", ""],
)
def test_sign_in_leads_nowhere_else(stranger: Any, target: str) -> None:
    fields = {"csrf": stranger.token("/worker/sign-in"), "worker_id": "A2WORKER", "next": target}
    answer = stranger.client.post("/worker/sign-in", data=fields)
    assert answer.headers["location"] == "/worker/hits"


def test_signing_out_ends_the_session(worker: Any) -> None:
    assert worker.post("/worker/sign-out").status_code == 303
    assert worker.get("/worker/hits").status_code == 303


def test_signing_out_ends_copies_of_the_cookie_too(
    worker: Any, stranger: Any, make_worker: Callable[[str], Any]
) -> None:
    other_browser, other_worker = make_worker("A2WORKER"), make_worker("A2OTHER")
    stranger.client.cookies.update(worker.client.cookies)
    assert stranger.get("/worker/hits").status_code == 200
    assert worker.post("/worker/sign-out").status_code == 303
    for browser in (worker, stranger, other_browser):
        assert browser.get("/worker/hits").status_code == 303
        assert browser.client.post("/worker/sign-out", data={"csrf": "x"}).status_code == 401
    assert other_worker.get("/worker/hits").status_code == 200
    assert worker.sign_in().get("/worker/hits").status_code == 200
    assert stranger.get("/worker/hits").status_code == 303


def test_a_session_lasts_twelve_hours(
    stranger: Any, market: Market, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {"csrf": stranger.token("/worker/sign-in"), "worker_id": "A2WORKER", "next": "/worker/hits"}
    answer = stranger.client.post("/worker/sign-in", data=fields)
    assert "max-age=43200" in answer.headers["set-cookie"].lower()
    cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
    later = connect(site_app(market, secret="not a secret", public_url=None))
    signed = time.time()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: signed + 43_100)
    assert later.get("/worker/hits", headers=cookie).status_code == 200
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: signed + 43_300)
    assert later.get("/worker/hits", headers=cookie).status_code == 303


@pytest.mark.parametrize("cookie", ["x", "e30.x.y", ""])
def test_a_forged_cookie_is_nobodys(stranger: Any, cookie: str) -> None:
    answer = stranger.client.get("/worker/hits", headers={"cookie": f"workforce_session={cookie}"})
    assert answer.status_code == 303


def test_a_cookie_of_another_secret_is_nobodys(worker: Any, market: Market, connect: Any) -> None:
    other = connect(site_app(market, secret="another", public_url=None))
    other.cookies.update(worker.client.cookies)
    assert other.get("/worker/hits").status_code == 303


# --- lists --------------------------------------------------------------------------------------------


def test_hits_of_one_type_are_one_row(worker: Any, publish: Publish) -> None:
    for _ in range(3):
        publish()
    publish(Title="Another", Reward="1.20", AssignmentDurationInSeconds=5400)
    cards = soup(worker.get("/worker/hits")).select("li.hit")
    facts = [{dt.text: dt.find_next("dd").text for dt in card.find_all("dt")} for card in cards]
    assert [card.h2.text for card in cards] == ["Classify images of flowers", "Another"]
    assert facts == [
        {"Reward": "$0.05", "Time allotted": "5 min", "Available": "3", "Expires": "in 4 h"},
        {"Reward": "$1.20", "Time allotted": "1 h 30 min", "Available": "1", "Expires": "in 4 h"},
    ]
    assert "by Iris Lab" in cards[0].text


def test_what_requesters_write_is_shown_as_text(worker: Any, publish: Publish) -> None:
    hostile = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{ 7*7 }}"
    hit = publish(Title=hostile, Description=hostile)
    for path in ("/worker/hits", f"/worker/hits/{hit}"):
        page = soup(worker.get(path))
        assert page.find(class_=["hit", "bar"]).find(["h1", "h2"]).text.endswith(hostile)
        assert not page.find_all(onerror=True)
        assert not [script for script in page.find_all("script") if script.string]
    turn = worker.accept(hit)
    page = soup(worker.get(f"/worker/assignments/{turn}"))
    assert page.iframe["title"] == f"Task: {hostile}"
    assert not page.find_all(onerror=True)


def test_many_types_are_paged(worker: Any, publish: Publish) -> None:
    for number in range(23):
        publish(Title=f"Type {number}")
    first, second = (soup(worker.get(f"/worker/hits?page={page}")) for page in (1, 2))
    assert len(first.select("li.hit")) == 20
    assert [card.h2.text for card in second.select("li.hit")] == ["Type 20", "Type 21", "Type 22"]
    assert first.find("a", rel="next")["href"] == "/worker/hits?page=2"
    assert second.find("a", rel="next") is None
    for odd in ("0", "-1", "99", "x", "9" * 30, "\u0663"):
        assert worker.get("/worker/hits", params={"page": odd}).status_code == 200


def test_an_empty_list_says_so(worker: Any) -> None:
    assert "No HITs for you right now" in worker.get("/worker/hits").text


def test_my_work_shows_what_is_held_submitted_and_paid(worker: Any, publish: Publish, market: Market) -> None:
    done, held = publish(), publish(Title="In hand")
    turn = worker.accept(done)
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    kept = worker.accept(held)
    page = soup(worker.get("/worker/work"))
    assert page.find("a", href=f"/worker/assignments/{kept}").text == "In hand"
    figures = {dt.text: dt.find_next("dd").text for dt in page.select(".figures dt")}
    assert figures == {
        "Submitted": "1",
        "Approved": "0",
        "Rejected": "0",
        "Waiting for approval": "$0.05",
        "Paid": "$0.00",
    }
    market.requester.call("ApproveAssignment", ACCOUNT, {"AssignmentId": turn})
    figures = {
        dt.text: dt.find_next("dd").text for dt in soup(worker.get("/worker/work")).select(".figures dt")
    }
    assert (figures["Approved"], figures["Waiting for approval"], figures["Paid"]) == ("1", "$0.00", "$0.05")


def test_my_work_shows_feedback_and_bonuses_as_text(worker: Any, publish: Publish, market: Market) -> None:
    turn = worker.accept(publish(Title="Name the <i>flower</i>"))
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    before = soup(worker.get("/worker/work"))
    assert before.find(id="rejected") is None
    assert before.find(id="bonuses") is None
    feedback = "The petals <b>are</b> & were longer.\nSee the guide."
    market.requester.call("RejectAssignment", ACCOUNT, {"AssignmentId": turn, "RequesterFeedback": feedback})
    bonus = {"AssignmentId": turn, "WorkerId": "A2WORKER", "BonusAmount": "1.20", "Reason": "For <your> time"}
    market.requester.call("SendBonus", ACCOUNT, bonus)
    page = soup(worker.get("/worker/work"))
    rejected = page.find(id="rejected").find_parent("section")
    assert rejected.blockquote.text == feedback
    assert rejected.a.text == "Name the <i>flower</i>"
    assert "$0.05 not paid" in rejected.text
    assert "Iris Lab, 5 January 2026" in rejected.text
    given = page.find(id="bonuses").find_parent("section")
    assert (given.blockquote.text, given.select_one(".sum").text) == ("For <your> time", "$1.20")
    figures = {dt.text: dt.find_next("dd").text for dt in page.select(".figures dt")}
    assert (figures["Rejected"], figures["Paid"], figures["Paid in bonuses"]) == ("1", "$1.20", "$1.20")
    assert soup(worker.get(f"/worker/assignments/{turn}")).blockquote.text == feedback
    market.requester.call("ApproveAssignment", ACCOUNT, {"AssignmentId": turn, "OverrideRejection": True})
    assert soup(worker.get("/worker/work")).find(id="rejected") is None


def test_my_work_leads_nowhere_where_the_hit_is_deleted(
    worker: Any, publish: Publish, market: Market
) -> None:
    hit = publish()
    turn = worker.accept(hit)
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    market.requester.call("RejectAssignment", ACCOUNT, {"AssignmentId": turn, "RequesterFeedback": "No."})
    bonus = {"AssignmentId": turn, "WorkerId": "A2WORKER", "BonusAmount": "1.20", "Reason": "Sorry"}
    market.requester.call("SendBonus", ACCOUNT, bonus)
    assert len(soup(worker.get("/worker/work")).select(".entries a")) == 2
    past = datetime(2015, 1, 1, tzinfo=UTC)
    market.requester.call("UpdateExpirationForHIT", ACCOUNT, {"HITId": hit, "ExpireAt": past})
    market.requester.call("DeleteHIT", ACCOUNT, {"HITId": hit})
    page = soup(worker.get("/worker/work"))
    assert [each.text for each in page.select("blockquote")] == ["Sorry", "No."]
    for link in page.select(".entries a"):
        assert worker.get(link["href"]).status_code == 200


def test_many_bonuses_are_paged(worker: Any, publish: Publish, market: Market) -> None:
    turn = worker.accept(publish())
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    common = {"AssignmentId": turn, "WorkerId": "A2WORKER", "BonusAmount": "0.01"}
    for number in range(21):
        market.requester.call("SendBonus", ACCOUNT, {**common, "Reason": f"No. {number}"})
    page = soup(worker.get("/worker/work"))
    assert [each.text for each in page.select("blockquote")] == [f"No. {n}" for n in range(20, 0, -1)]
    assert page.find("a", rel="next")["href"] == "/worker/work?bonuses=2#bonuses"
    last = soup(worker.get("/worker/work?bonuses=2"))
    assert [each.text for each in last.select("blockquote")] == ["No. 0"]


def test_messages_are_shown_as_text_and_counted_until_read(
    worker: Any, publish: Publish, market: Market
) -> None:
    assert "No messages" in worker.get("/worker/messages").text
    turn = worker.accept(publish())
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    market.requester.call("ApproveAssignment", ACCOUNT, {"AssignmentId": turn})
    message = {"WorkerIds": ["A2WORKER"], "Subject": "<img src=x> & you", "MessageText": "a < b\n<script>"}
    market.requester.call("NotifyWorkers", ACCOUNT, message)
    assert soup(worker.get("/worker/work")).select_one("nav .count").text == "1 unread"
    page = soup(worker.get("/worker/messages"))
    assert page.select_one(".message h2").text == "New <img src=x> & you"
    assert page.select_one(".message .text").text == "a < b\n<script>"
    assert page.select_one(".message .soft").text == "Iris Lab, 5 January 2026"
    assert page.select("main img, main script") == []
    assert page.select_one("nav .count") is None
    again = soup(worker.get("/worker/messages"))
    assert again.select_one(".message h2").text == "<img src=x> & you"


def test_messages_are_ones_own(
    worker: Any, make_worker: Callable[[str], Any], publish: Publish, market: Market
) -> None:
    turn = worker.accept(publish())
    worker.client.post("/mturk/externalSubmit", data={"assignmentId": turn, "label": "setosa"})
    market.requester.call("ApproveAssignment", ACCOUNT, {"AssignmentId": turn})
    notice = {"WorkerIds": ["A2WORKER"], "Subject": "Private", "MessageText": "Only yours"}
    market.requester.call("NotifyWorkers", ACCOUNT, notice)
    assert "Only yours" not in make_worker("A2OTHER").get("/worker/messages").text
    assert market.inbox.unread("A2WORKER") == 1


# --- one HIT ------------------------------------------------------------------------------------------


def test_a_preview_frames_the_question_without_an_assignment(worker: Any, publish: Publish) -> None:
    hit = publish()
    page = soup(worker.get(f"/worker/hits/{hit}"))
    assert "assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE" in page.iframe["src"]
    assert page.find("form", action=f"/worker/hits/{hit}/accept") is not None
    assert worker.get(page.iframe["src"]).status_code == 200


@pytest.mark.parametrize(
    ("guard", "listed", "previewed"),
    [
        ("Accept", True, 200),
        ("PreviewAndAccept", True, 403),
        ("DiscoverPreviewAndAccept", False, 403),
    ],
)
def test_qualifications_guard_what_they_say(
    worker: Any, publish: Publish, guard: str, listed: bool, previewed: int
) -> None:
    requirement = {
        "QualificationTypeId": "00000000000000000040",
        "Comparator": "GreaterThan",
        "IntegerValues": [9],
        "ActionsGuarded": guard,
    }
    hit = publish(QualificationRequirements=[requirement])
    accept = f"/worker/hits/{hit}/accept"
    page = soup(worker.get("/worker/hits"))
    assert (page.find("a", href=f"/worker/hits/{hit}") is not None) is listed
    assert page.find("form", action=accept) is None
    answer = worker.get(f"/worker/hits/{hit}")
    assert answer.status_code == previewed
    assert soup(answer).find("form", action=accept) is None
    assert "qualification that you do not have" in answer.text
    framed = worker.get(f"/worker/question/preview/{hit}")
    assert framed.status_code == previewed
    assert ("Which species?" in framed.text) is (previewed == 200)
    assert worker.post(accept).status_code == 409


def test_the_preview_of_a_held_hit_leads_to_the_work(worker: Any, publish: Publish) -> None:
    hit = publish()
    turn = worker.accept(hit)
    assert worker.get(f"/worker/hits/{hit}").headers["location"] == f"/worker/assignments/{turn}"


def test_the_work_page_shows_reward_and_time_left(worker: Any, publish: Publish, clock: ManualClock) -> None:
    turn = worker.accept(publish())
    clock.advance(100)
    page = soup(worker.get(f"/worker/assignments/{turn}"))
    assert page.find(id="bar")["data-seconds"] == "200"
    assert page.find(id="clock").text == "3 min 20 s"
    assert page.find(attrs={"aria-live": "polite"}) is not None
    assert worker.get(page.find(id="bar")["data-state"]).json() == {"status": "Accepted"}


def test_refusals_are_pages_with_the_right_status(
    worker: Any, publish: Publish, make_worker: Callable[[str], Any], clock: ManualClock
) -> None:
    assert worker.get("/worker/hits/3NONE").status_code == 404
    assert worker.post("/worker/hits/3NONE/accept").status_code == 404
    assert worker.get("/worker/assignments/3NONE").status_code == 404
    assert worker.get("/worker/none").status_code == 404
    assert worker.get("/worker/sign-out").status_code == 405

    full = publish(MaxAssignments=1)
    make_worker("A2OTHER").accept(full)
    answer = worker.post(f"/worker/hits/{full}/accept")
    assert (answer.status_code, "Somebody was faster" in answer.text) == (409, True)
    assert "No places left" in worker.get(f"/worker/hits/{full}").text

    mine = publish()
    turn = worker.accept(mine)
    answer = worker.post(f"/worker/hits/{mine}/accept")
    assert (answer.status_code, "You had this HIT already" in answer.text) == (409, True)

    clock.advance(301)
    answer = worker.get(f"/worker/assignments/{turn}")
    assert (answer.status_code, "Time is over" in answer.text) == (410, True)
    assert worker.get(f"/worker/question/{turn}").status_code == 410
    assert worker.post(f"/worker/assignments/{turn}/return").status_code == 409


def test_returning_frees_the_seat(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish()
    turn = worker.accept(hit)
    assert market.workers.listing(hit).seats_available == 1
    answer = worker.post(f"/worker/assignments/{turn}/return")
    assert (answer.status_code, answer.headers["location"]) == (303, "/worker/hits?returned=1")
    assert "You returned the HIT" in worker.get(answer.headers["location"]).text
    assert market.workers.listing(hit).seats_available == 2
    assert worker.get(f"/worker/assignments/{turn}").status_code == 410


def test_a_fault_is_a_page_too(worker: Any, market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(market.workers, "discover", broken)
    answer = worker.get("/worker/hits")
    assert answer.status_code == 500
    assert "Something broke" in answer.text
    assert "secret detail" not in answer.text


def test_a_fault_that_keeps_the_session_from_being_read_is_a_page_too(
    worker: Any, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(market.sessions, "current", broken)
    answer = worker.get("/worker/hits")
    assert (answer.status_code, "Something broke" in answer.text) == (500, True)


@pytest.mark.parametrize(
    "path", ["/worker/hits", "/worker/work", "/worker/sign-in", "/worker/none", "/worker/static/site.css"]
)
def test_every_response_carries_the_security_headers(worker: Any, path: str) -> None:
    answer = worker.get(path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "'unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-frame-options"] == "DENY"


def test_pages_need_nothing_from_elsewhere(worker: Any, publish: Publish) -> None:
    turn = worker.accept(publish())
    for path in ("/worker/hits", "/worker/work", f"/worker/assignments/{turn}"):
        page = soup(worker.get(path))
        for tag in page.find_all(["script", "link", "img", "iframe"]):
            address = tag.get("src") or tag.get("href")
            assert address.startswith("/worker/")
            assert worker.get(address).status_code == 200
        assert not page.find_all(style=True)
        assert page.html["lang"] == "en"
        assert page.main
        assert page.header
        assert len(page.find_all("h1")) == 1


@pytest.mark.parametrize("url", ["crowd.example.org", "ftp://x", "https://x/path", "https://"])
def test_a_public_url_must_be_an_origin(market: Market, url: str) -> None:
    with pytest.raises(ValueError, match="public_url"):
        site_app(market, secret="s", public_url=url)


def test_a_secret_is_needed(market: Market) -> None:
    with pytest.raises(ValueError, match="secret"):
        site_app(market, secret="", public_url=None)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (300, "5 min"),
        (14280, "3 h 58 min"),
        (86400, "1 day"),
        (180000, "2 days 2 h"),
        (86460, "1 day"),
    ],
)
def test_durations_in_words(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_money_and_moments_in_words() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert [money(cents) for cents in (0, 5, 120, 123456)] == ["$0.00", "$0.05", "$1.20", "$1,234.56"]
    assert until(now + timedelta(minutes=2), now) == "in 2 min"
    assert until(now, now) == "over"
