from __future__ import annotations

from typing import Any

from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from workforce.market.answers import NAMESPACE, RESERVED, answer_xml


def read(xml: str) -> list[tuple[str, str]]:
    root = fromstring(xml)
    assert root.tag == f"{{{NAMESPACE}}}QuestionFormAnswers"
    return [tuple(child.text or "" for child in answer) for answer in root]  # type: ignore[misc]


def test_byte_for_byte() -> None:
    fields = [("assignmentId", "3X"), ("practiceResp", ""), ("label", "a < b & \"c\" > 'd'\r\n2"), ("ü", "é")]
    assert answer_xml(fields) == (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'
        '<QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
        '2005-10-01/QuestionFormAnswers.xsd">\n'
        "<Answer>\n<QuestionIdentifier>practiceResp</QuestionIdentifier>\n<FreeText/>\n</Answer>\n"
        "<Answer>\n<QuestionIdentifier>label</QuestionIdentifier>\n"
        "<FreeText>a &lt; b &amp; \"c\" &gt; 'd'&#13;\n2</FreeText>\n</Answer>\n"
        "<Answer>\n<QuestionIdentifier>ü</QuestionIdentifier>\n<FreeText>é</FreeText>\n</Answer>\n"
        "</QuestionFormAnswers>\n"
    )


def test_reserved_names_and_repetitions_are_dropped() -> None:
    fields = [(name, "x") for name in RESERVED] + [("", "x"), ("tick", "first"), ("tick", "second")]
    assert read(answer_xml(fields)) == [("tick", "first")]


def test_nothing_answered_is_a_document_too() -> None:
    assert read(answer_xml([])) == []


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=40), max_size=6))
def test_any_text_comes_back_but_for_what_xml_cannot_carry(fields: dict[str, str]) -> None:
    fields = {name: value for name, value in fields.items() if name not in RESERVED}
    back = read(answer_xml(list(fields.items())))
    assert back == [(_carried(name), _carried(value)) for name, value in fields.items()]


def _carried(text: str) -> str:
    def possible(c: str) -> bool:
        return c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")

    return "".join(c if possible(c) else "\ufffd" for c in text)


def test_hostile_submissions_are_kept(desk: Any) -> None:
    hit = desk.hit(1)
    assignment = desk.accept("AWA", hit)
    fields = [("label", "]]></FreeText>\x00\x0b\ud800\ufffe"), ("\x00", "x"), ("big", "y" * 100_000)]
    desk.market.workers.submit(assignment, fields)
    answer = desk.call("GetAssignment", AssignmentId=assignment)["Assignment"]["Answer"]
    assert read(answer)[0] == ("label", "]]></FreeText>\ufffd\ufffd\ufffd\ufffd")
    assert len(read(answer)[2][1]) == 100_000
