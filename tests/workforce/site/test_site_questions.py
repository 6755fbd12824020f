"""What is framed, how it is confined, and how its form comes home."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import update

from workforce.clock import ManualClock
from workforce.market import Market, Question
from workforce.markup import Tag, tags
from workforce.site.frames import BadQuestionUrl, frame_for
from workforce.site.question_html import prepare_question
from workforce.store.tables import questions

ACCOUNT = "000000000000"
ORIGIN = "http://localhost:8070"
Publish = Callable[..., str]
XMLNS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas"


def prepared(html: str) -> BeautifulSoup:
    return BeautifulSoup(prepare_question(html, origin=ORIGIN, assignment_id="3TURN"), "html.parser")


def external(url: str, height: int = 0) -> str:
    content = f"<ExternalURL>{url}</ExternalURL><FrameHeight>{height}</FrameHeight>"
    return f'<ExternalQuestion xmlns="{XMLNS}/2006-07-14/ExternalQuestion.xsd">{content}</ExternalQuestion>'


def recorded(market: Market, hit: str) -> list[str]:
    found = market.requester.call("ListAssignmentsForHIT", ACCOUNT, {"HITId": hit})
    return [turn["Answer"] for turn in found["Assignments"]]


# --- the document -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "https://www.mturk.com/mturk/externalSubmit",
        "https://workersandbox.mturk.com/mturk/externalSubmit",
        "http://www.mturk.com/mturk/externalSubmit",
        "//www.mturk.com/mturk/externalSubmit",
        " HTTPS://WWW.MTURK.COM/mturk/externalSubmit",
    ],
)
def test_hard_coded_actions_come_home(action: str) -> None:
    form = prepared(
        f'<form action="{action}" method=post><button formaction="{action}">x</button></form>'
    ).form
    assert form["action"] == form.button["formaction"] == f"{ORIGIN}/mturk/externalSubmit"
    assert form["method"] == "post"
    assert form.find("input", {"name": "assignmentId"})["value"] == "3TURN"


@pytest.mark.parametrize(
    "action",
    [
        "https://example.org/mturk/externalSubmitted",
        "https://evil.example/?https://www.mturk.com/mturk/externalSubmit",
        "https://www.mturk.com.evil.example/mturk/externalSubmit",
        "https://www.mturk.com/other",
        "/search",
    ],
)
def test_other_actions_are_left_alone(action: str) -> None:
    assert prepared(f"<form action='{action}'></form>").form["action"] == action


def test_the_query_of_an_action_is_kept() -> None:
    html = '<form action="https://www.mturk.com/mturk/externalSubmit?a=1&amp;b=2">'
    assert prepared(html).form["action"] == f"{ORIGIN}/mturk/externalSubmit?a=1&b=2"


def test_an_assignment_field_is_filled_in_place_and_only_once() -> None:
    form = prepared(
        '<form action="https://www.mturk.com/mturk/externalSubmit">'
        '<INPUT type="hidden" id="assignmentId" NAME=assignmentId value="" data-x="a &amp; b"/></form>'
    ).form
    (field,) = form.find_all("input")
    assert dict(field.attrs) == {
        "type": "hidden",
        "id": "assignmentId",
        "name": "assignmentId",
        "data-x": "a & b",
        "value": "3TURN",
    }


def test_each_of_two_forms_gets_the_field() -> None:
    target = "https://www.mturk.com/mturk/externalSubmit"
    page = prepared(f"<form action={target}></form><form><input name=q></form><form action={target}><p>")
    fields = [[i.get("name") for i in form.find_all("input")] for form in page.find_all("form")]
    assert fields == [["assignmentId"], ["q"], ["assignmentId"]]


def test_nothing_else_of_the_document_changes() -> None:
    odd = (
        "<!doctype html>\r\n<HTML lang=en><Head>\n<title>a &amp b < c</title></head>\n<body class=x>"
        "<script>if (a<b) document.write('<form action=\"https://www.mturk.com/mturk/externalSubmit\">')</script>"
        "<p>one<p>two \u00e9\U0001f33c <b><i>over</b>lap</i> &nbsp;&copy &#x41;<br/>"
        "<!-- <form> --><textarea>\n x</textarea><a href='?a=1&b=2'>l</a>"
        "<svg viewBox='0 0 1 1'/>\n</body></html>trailing <"
    )
    made = prepare_question(odd, origin=ORIGIN, assignment_id="3TURN")
    start, end = made.index("<script data-origin"), made.index("</script>") + len("</script>")
    assert made[:start] + made[end:] == odd
    assert made[:start].endswith("<Head>")


@pytest.mark.parametrize(
    ("html", "before"),
    [
        ("<!DOCTYPE html><p>x", "<!DOCTYPE html>"),
        ("<!DOCTYPE html>\n<html><body>", "<!DOCTYPE html>\n<html>"),
        ("<p>x</p>", ""),
        ("", ""),
    ],
)
def test_the_script_comes_as_early_as_it_may(html: str, before: str) -> None:
    assert prepare_question(html, origin=ORIGIN, assignment_id="a").startswith(f"{before}<script data-origin")


def test_values_cannot_break_out_of_the_document() -> None:
    made = prepare_question(
        "<form action=https://www.mturk.com/mturk/externalSubmit></form>",
        origin='http://x"><b>',
        assignment_id='"><i>',
    )
    page = BeautifulSoup(made, "html.parser")
    assert page.find(["b", "i"]) is None
    assert page.script["data-assignment"] == '"><i>'


@pytest.mark.parametrize(
    "html",
    [
        "<a x" * 16_000,
        "<a x='" * 10_000,
        "</a" * 20_000,
        "<!--" * 16_000,
        "<![foo[x]]>" * 6_000,
        "<script>" + "</scrip" * 9_000,
        "<a" + " " * 64_000,
        "<form " + "x= " * 20_000,
        "<form action='&#" + "9" * 60_000 + ";'>",
        "<form action='&#" + "9" * 3_000 + ";'>",
        "<form>" * 10_000,
        "<" * 64_000,
    ],
)
def test_hostile_pages_are_served_as_they_are_and_at_once(html: str) -> None:
    began = time.process_time()
    made = prepare_question(html, origin=ORIGIN, assignment_id="3TURN")
    assert time.process_time() - began < 2
    end = made.index("</script>") + len("</script>")
    assert made[end:] == html


def test_a_page_with_odd_declarations_is_shown(worker: Any, publish: Publish) -> None:
    content = "<![CDATA[<![foo[x <form></form>]]>"
    question = (
        f'<HTMLQuestion xmlns="{XMLNS}/2011-11-11/HTMLQuestion.xsd"><HTMLContent>{content}</HTMLContent>'
        "<FrameHeight>0</FrameHeight></HTMLQuestion>"
    )
    answer = worker.get(f"/worker/question/preview/{publish(question)}")
    assert answer.status_code == 200
    assert answer.text.endswith("<![foo[x <form></form>")


def test_a_page_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def counted(html: str) -> Iterator[Tag]:
        looked.append(html)
        return tags(html)

    monkeypatch.setattr("workforce.site.question_html.tags", counted)
    html = "<p>only here</p><form action=https://www.mturk.com/mturk/externalSubmit>"
    first, second = (prepare_question(html, origin=ORIGIN, assignment_id=turn) for turn in ("3A", "3B"))
    assert looked == [html]
    assert ("3A" in first, "3B" in second, "3A" in second) == (True, True, False)


# --- the frame ----------------------------------------------------------------------------------------


def test_an_html_question_is_confined_twice(worker: Any, publish: Publish) -> None:
    turn = worker.accept(publish())
    answer = worker.get(f"/worker/assignments/{turn}")
    frame = BeautifulSoup(answer.text, "html.parser").iframe
    assert "allow-same-origin" not in frame["sandbox"]
    assert {"allow-scripts", "allow-forms"} <= set(frame["sandbox"])
    assert "frame-src 'self'" in answer.headers["content-security-policy"]

    question = worker.get(frame["src"])
    policy = question.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "allow-top-navigation" not in policy
    assert "frame-ancestors 'self'" in policy
    assert question.headers["referrer-policy"] == "no-referrer"
    assert "set-cookie" not in question.headers


def test_the_parameters_of_the_frame_are_those_of_the_real_site(worker: Any, publish: Publish) -> None:
    hit = publish()
    turn = worker.accept(hit)
    frame = BeautifulSoup(worker.get(f"/worker/assignments/{turn}").text, "html.parser").iframe
    assert parse_qsl(urlsplit(frame["src"]).query) == [
        ("assignmentId", turn),
        ("hitId", hit),
        ("workerId", "A2WORKER"),
        ("turkSubmitTo", "http://localhost"),
    ]


def test_a_preview_does_not_tell_the_requester_who_looks(worker: Any, publish: Publish) -> None:
    for question in ("", external("https://tasks.example.org/do")):
        frame = BeautifulSoup(worker.get(f"/worker/hits/{publish(question)}").text, "html.parser").iframe
        names = [name for name, _ in parse_qsl(urlsplit(frame["src"]).query)]
        assert names == ["assignmentId", "hitId", "turkSubmitTo"]
        assert "A2WORKER" not in frame["src"]


def test_frame_height(worker: Any, publish: Publish) -> None:
    content = "<HTMLContent><![CDATA[<p>x]]></HTMLContent><FrameHeight>450</FrameHeight>"
    fixed = f'<HTMLQuestion xmlns="{XMLNS}/2011-11-11/HTMLQuestion.xsd">{content}</HTMLQuestion>'
    page = BeautifulSoup(worker.get(f"/worker/hits/{publish(fixed)}").text, "html.parser")
    assert page.iframe["height"] == "450"
    assert "fill" not in page.body["class"]
    page = BeautifulSoup(worker.get(f"/worker/hits/{publish()}").text, "html.parser")
    assert page.iframe.get("height") is None
    assert "fill" in page.body["class"]


def test_an_external_question_keeps_its_query(worker: Any, publish: Publish) -> None:
    hit = publish(external("https://tasks.example.org/do?x=1&amp;y=%20z#part"))
    turn = worker.accept(hit)
    answer = worker.get(f"/worker/assignments/{turn}")
    frame = BeautifulSoup(answer.text, "html.parser").iframe
    assert frame["src"] == (
        f"https://tasks.example.org/do?x=1&y=%20z&assignmentId={turn}&hitId={hit}"
        "&workerId=A2WORKER&turkSubmitTo=http%3A%2F%2Flocalhost#part"
    )
    assert "frame-src 'self' https:" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("url", "own_origin"),
    [
        ("https://tasks.example.org/do", True),
        ("http://localhost:5000/do", True),
        ("http://127.0.0.1:8070/worker/x", True),
        ("http://localhost:8070/worker/question/x", False),
        ("HTTP://LOCALHOST:8070/", False),
    ],
)
def test_an_external_page_never_gets_our_origin(url: str, own_origin: bool) -> None:
    question = Question(kind="external", content="", url=url, frame_height=0)
    frame = frame_for(question, hit_id="h", origin=ORIGIN, worker_id="A1", assignment_id="a")
    assert ("allow-same-origin" in frame.sandbox) == own_origin


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("http://localhost:5000/do", "http://localhost:5000"),
        ("http://u:p@LOCALHOST/do", "http://localhost:80"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_the_policy_is_made_of_host_and_port_alone(url: str, source: str) -> None:
    question = Question(kind="external", content="", url=url, frame_height=0)
    frame = frame_for(question, hit_id="h", origin=ORIGIN, worker_id="A1", assignment_id="a")
    assert frame.policy.endswith(f"frame-src 'self' https: {source}")


def test_a_question_of_an_older_database_that_is_refused_now_is_no_fault(
    worker: Any, publish: Publish, market: Market
) -> None:
    hit = publish(external("https://tasks.example.org/do"))
    with market.store.write() as connection:
        connection.execute(update(questions).values(body=external("https://tasks.example.org:99999/do")))
    page = worker.get(f"/worker/hits/{hit}")
    assert page.status_code == 200
    assert "cannot be shown" in page.text
    assert "<iframe" not in page.text


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://tasks.example.org/",
            "javascript:alert(1)",
            "data:text/html,x",
            "//x.example",
            "",
            "https://",
        ),
        *(
            "https://x.example:99999/",
            "https://[bad",
            "https://x.example;script-src/",
            "https://b\u00fccher.example",
        ),
    ],
)
def test_other_addresses_are_not_framed(url: str) -> None:
    question = Question(kind="external", content="", url=url, frame_height=0)
    with pytest.raises(BadQuestionUrl):
        frame_for(question, hit_id="h", origin=ORIGIN, worker_id="A1", assignment_id="a")


def test_default_ports_are_the_same_origin() -> None:
    question = Question(kind="external", content="", url="https://crowd.example.org:443/x", frame_height=0)
    frame = frame_for(
        question, hit_id="h", origin="https://crowd.example.org", worker_id="A1", assignment_id="a"
    )
    assert "allow-same-origin" not in frame.sandbox


def test_a_question_form_is_not_supported_yet(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish(
        f'<QuestionForm xmlns="{XMLNS}/2017-11-06/QuestionForm.xsd"><Question><QuestionIdentifier>q'
        "</QuestionIdentifier><QuestionContent><Text>Why?</Text></QuestionContent><AnswerSpecification>"
        "<FreeTextAnswer/></AnswerSpecification></Question></QuestionForm>"
    )
    page = worker.get(f"/worker/hits/{hit}")
    assert page.status_code == 200
    assert "not supported yet" in page.text
    assert "<iframe" not in page.text
    assert worker.post(f"/worker/hits/{hit}/accept").status_code == 409
    assert market.workers.listing(hit).seats_available == 2


# --- the submission -----------------------------------------------------------------------------------


def submit(browser: Any, **fields: str) -> Any:
    return browser.client.post("/mturk/externalSubmit", data=fields)


def test_a_submission_needs_no_cookie_and_is_recorded(
    worker: Any, stranger: Any, publish: Publish, market: Market, make_worker: Callable[[str], Any]
) -> None:
    hit, other = publish(), publish()
    turn = make_worker("A2OTHER").accept(hit)
    stranger.client.cookies.clear()
    answer = submit(stranger, assignmentId=turn, label="a <b> & ]]>", empty="")
    assert answer.status_code == 200
    assert "Thank you" in answer.text
    following = BeautifulSoup(answer.text, "html.parser").find("a", href=f"/worker/hits/{other}#accept")
    assert following["target"] == "_top"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    (xml,) = recorded(market, hit)
    assert "<QuestionIdentifier>label</QuestionIdentifier>" in xml
    assert "a <b> & ]]>" in unescape(xml)
    assert "assignmentId" not in xml


def test_only_hits_of_the_same_type_come_next(worker: Any, publish: Publish) -> None:
    hit = publish()
    publish(Title="Something else")
    answer = submit(worker, assignmentId=worker.accept(hit), label="setosa")
    assert "no more HITs of this kind" in answer.text


def test_a_multipart_form_counts_too(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish()
    files = {
        "assignmentId": (None, worker.accept(hit)),
        "label": (None, "setosa"),
        "photo": ("me.png", b"\x00\x01", "image/png"),
    }
    assert worker.client.post("/mturk/externalSubmit", files=files).status_code == 200
    (xml,) = recorded(market, hit)
    assert "<FreeText>setosa</FreeText>" in xml
    assert "<FreeText>me.png</FreeText>" in xml


def test_the_assignment_may_be_named_in_the_address(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish()
    path = f"/mturk/externalSubmit?assignmentId={worker.accept(hit)}"
    assert worker.client.post(path, data={"label": "setosa"}).status_code == 200
    assert len(recorded(market, hit)) == 1


def test_a_preview_records_nothing(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish()
    answer = submit(worker, assignmentId="ASSIGNMENT_ID_NOT_AVAILABLE", label="setosa")
    assert answer.status_code == 400
    assert "Accept the HIT first" in answer.text
    assert recorded(market, hit) == []


def test_a_second_submission_changes_nothing(worker: Any, publish: Publish, market: Market) -> None:
    hit = publish()
    turn = worker.accept(hit)
    submit(worker, assignmentId=turn, label="setosa")
    again = submit(worker, assignmentId=turn, label="virginica")
    market.requester.call("ApproveAssignment", ACCOUNT, {"AssignmentId": turn})
    after_approval = submit(worker, assignmentId=turn, label="virginica")
    for answer in (again, after_approval):
        assert answer.status_code == 409
        assert "Already submitted" in answer.text
    (xml,) = recorded(market, hit)
    assert "setosa" in xml


def test_the_cookie_must_match_when_there_is_one(
    worker: Any, publish: Publish, make_worker: Callable[[str], Any], market: Market
) -> None:
    hit = publish()
    turn = make_worker("A2OTHER").accept(hit)
    assert submit(worker, assignmentId=turn, label="setosa").status_code == 404
    assert recorded(market, hit) == []


def test_too_late_is_said(worker: Any, publish: Publish, clock: ManualClock) -> None:
    turn = worker.accept(publish())
    clock.advance(300)
    answer = submit(worker, assignmentId=turn, label="setosa")
    assert answer.status_code == 409
    assert "time is over" in answer.text


def test_what_is_no_submission_is_refused(worker: Any, publish: Publish, market: Market) -> None:
    turn = worker.accept(publish())
    client, path = worker.client, "/mturk/externalSubmit"
    assert submit(worker, label="setosa").status_code == 400
    assert submit(worker, assignmentId="3NONE").status_code == 404
    assert client.get(path, params={"assignmentId": turn}).status_code == 405
    assert client.post(path, json={"assignmentId": turn}).status_code == 415
    assert submit(worker, assignmentId=turn, label="x" * 4_300_000).status_code == 413
    too_long = "x" * market.settings.max_answer_bytes
    assert submit(worker, assignmentId=turn, label=too_long).status_code == 400
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post(path, content=b"--b\r\nnonsense", headers=headers).status_code == 400
    assert submit(worker, assignmentId=turn, label="setosa").status_code == 200


def test_after_submitting_the_work_page_offers_the_next(worker: Any, publish: Publish) -> None:
    hit, other = publish(), publish()
    turn = worker.accept(hit)
    submit(worker, assignmentId=turn, label="setosa")
    page = worker.get(f"/worker/assignments/{turn}")
    assert page.status_code == 200
    assert f'action="/worker/hits/{other}/accept"' in page.text
    assert worker.get(f"/worker/assignments/{turn}/state").json() == {"status": "Submitted"}
