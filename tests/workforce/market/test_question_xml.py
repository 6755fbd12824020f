from __future__ import annotations

from typing import Any

import pytest

from workforce.market import RequestError
from workforce.market.question import parse_question

SCHEMAS = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/"
HTML_NS = f"{SCHEMAS}2011-11-11/HTMLQuestion.xsd"
EXTERNAL_NS = f"{SCHEMAS}2006-07-14/ExternalQuestion.xsd"
FORM_NS = f"{SCHEMAS}2017-11-06/QuestionForm.xsd"


def html(content: str, height: str = "450", namespace: str = HTML_NS) -> str:
    return (
        f'<HTMLQuestion xmlns="{namespace}"><HTMLContent>{content}</HTMLContent>'
        f"<FrameHeight>{height}</FrameHeight></HTMLQuestion>"
    )


def external(url: str, height: str = "0") -> str:
    return (
        f'<ExternalQuestion xmlns="{EXTERNAL_NS}"><ExternalURL>{url}</ExternalURL>'
        f"<FrameHeight>{height}</FrameHeight></ExternalQuestion>"
    )


def form(questions: str, namespace: str = FORM_NS) -> str:
    return (
        f'<QuestionForm xmlns="{namespace}"><Overview><Title>T</Title></Overview>{questions}</QuestionForm>'
    )


QUESTION = "<Question><QuestionIdentifier>{}</QuestionIdentifier></Question>"


def test_html_question() -> None:
    found = parse_question('<?xml version="1.0" encoding="ASCII"?>\n' + html("<![CDATA[<p>Größe & so</p>]]>"))
    assert (found.kind, found.content, found.frame_height) == ("html", "<p>Größe & so</p>", 450)


def test_external_question() -> None:
    found = parse_question(external(" https://example.org/task?a=1&amp;b=2\n"))
    assert (found.kind, found.url, found.frame_height) == ("external", "https://example.org/task?a=1&b=2", 0)


@pytest.mark.parametrize(
    "url",
    ["https://a-b.example.org:8443/x", "https://192.0.2.7/", "https://[2001:db8::1]:8443/", "https://h?a@b"],
)
def test_hosts_and_ports_that_external_questions_may_have(url: str) -> None:
    assert parse_question(external(url)).url == url


@pytest.mark.parametrize("namespace", [FORM_NS, f"{SCHEMAS}2005-10-01/QuestionForm.xsd"])
def test_question_form_is_kept_as_it_is(namespace: str) -> None:
    xml = form(QUESTION.format("a") + QUESTION.format("b"), namespace)
    found = parse_question(xml)
    assert (found.kind, found.content) == ("form", xml)


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("not xml", "not well-formed"),
        ("", "not well-formed"),
        ("<HTMLQuestion>", "not well-formed"),
        ("\x01", "not well-formed"),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "not well-formed"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "not well-formed"),
        ("<HTMLQuestion/>", "namespace none"),
        (html("x", namespace=HTML_NS + "x"), "the root element is HTMLQuestion"),
        (html("x", namespace=EXTERNAL_NS), "the root element is HTMLQuestion"),
        (html(""), "HTMLContent is empty"),
        (html("<![CDATA[ \n ]]>"), "HTMLContent is empty"),
        (html("<p>x</p>"), "CDATA"),
        (html("x", "tall"), "FrameHeight"),
        (html("x", ""), "FrameHeight"),
        (html("x", "-1"), "FrameHeight"),
        (html("x", "4.5"), "FrameHeight"),
        (html("x", "9" * 50), "FrameHeight"),
        (f'<HTMLQuestion xmlns="{HTML_NS}"><HTMLContent>x</HTMLContent></HTMLQuestion>', "then FrameHeight"),
        (
            f'<HTMLQuestion xmlns="{HTML_NS}"><FrameHeight>1</FrameHeight><HTMLContent>x</HTMLContent>'
            "</HTMLQuestion>",
            "HTMLContent and then FrameHeight",
        ),
        (external("http://example.org/"), "https"),
        (external("https://"), "https"),
        (external("https://[bad"), "ExternalURL"),
        (external("javascript:alert(1)"), "https"),
        (external("https://example.org/a b"), "https"),
        (external("https://example.org/a\u200bb"), "https"),
        (external("https://example.org:99999/"), "ExternalURL is not a URL"),
        (external("https://example.org:port/"), "ExternalURL is not a URL"),
        (external("https://me:secret@example.org/"), "before the @"),
        (external("https://@example.org/"), "before the @"),
        (external("https://:443/"), "https"),
        (external("https://example.org;script-src/"), "has the host"),
        (external("https://b\u00fccher.example/"), "xn--"),
        (external("https://*/"), "has the host"),
        (external("https://[fe80::1%25eth0]/"), "ExternalURL"),
        (form(""), "no Question"),
        (form("<Question/>"), "QuestionIdentifier"),
        (form(QUESTION.format("a") * 2), "same QuestionIdentifier"),
        (form(QUESTION.format("a") + "<Script/>"), "Script"),
    ],
)
def test_bad_questions_are_named(xml: str, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_question(xml)
    assert caught.value.turk_code == "AWS.MechanicalTurk.XMLParseError"
    assert says in str(caught.value)


def test_a_bomb_does_not_go_off() -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 20))
    with pytest.raises(RequestError, match="not well-formed"):
        parse_question(f'<!DOCTYPE a [<!ENTITY e0 "x">{entities}]><a>&e19;</a>')


def test_a_hit_with_a_bad_question_is_not_made(memory_desk: Any) -> None:
    error = memory_desk.refused(
        "CreateHITWithHITType", HITTypeId=memory_desk.hit_type(), LifetimeInSeconds=60, Question="<a/>"
    )
    assert error.turk_code.endswith("XMLParseError")
    assert memory_desk.call("ListHITs")["NumResults"] == 0


def test_workers_get_what_the_hit_asks(memory_desk: Any) -> None:
    hit = memory_desk.hit(1)
    question = memory_desk.market.workers.question(hit)
    assert (question.kind, question.frame_height) == ("html", 450)
    assert question.content == '<form><input name="label"></form>'
