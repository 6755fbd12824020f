from __future__ import annotations

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.answers.question_form import ANSWERS_SCHEMA, MAX_ANSWER_BYTES, parse_answer
from groundswell.errors import AnswerError

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n'


def document(body: str, head: str = HEAD) -> str:
    return f'{head}<QuestionFormAnswers xmlns="{ANSWERS_SCHEMA}">\n{body}\n</QuestionFormAnswers>\n'


def answer(name: str, body: str) -> str:
    return f"<Answer>\n<QuestionIdentifier>{name}</QuestionIdentifier>\n{body}\n</Answer>\n"


def test_a_form_answer_as_it_was_recorded() -> None:
    xml = document(answer("label", "<FreeText>setosa</FreeText>") + answer("practiceResp", "<FreeText/>"))
    assert parse_answer(xml) == {"label": "setosa", "practiceResp": ""}


def test_every_kind_of_answer() -> None:
    xml = document(
        answer("none", "")
        + answer("one", "<SelectionIdentifier>a</SelectionIdentifier>")
        + answer(
            "many", "<SelectionIdentifier>a</SelectionIdentifier><SelectionIdentifier>b</SelectionIdentifier>"
        )
        + answer(
            "other", "<SelectionIdentifier>a</SelectionIdentifier><OtherSelectionText>z</OtherSelectionText>"
        )
        + answer(
            "file",
            "<UploadedFileSizeInBytes>3</UploadedFileSizeInBytes><UploadedFileKey>k/1</UploadedFileKey>",
        )
    )
    assert parse_answer(xml) == {
        "none": None,
        "one": ["a"],
        "many": ["a", "b"],
        "other": ["a", "z"],
        "file": "k/1",
    }


def test_no_answers_and_an_encoding_that_is_not_true() -> None:
    assert parse_answer(document("")) == {}
    assert parse_answer(f'<QuestionFormAnswers xmlns="{ANSWERS_SCHEMA}"/>') == {}
    head = '<?xml version="1.0" encoding="ASCII"?>\n'
    assert parse_answer(document(answer("label", "<FreeText>é</FreeText>"), head)) == {"label": "é"}


def test_a_prefix_is_as_good_as_a_default_namespace() -> None:
    xml = (
        f'<q:QuestionFormAnswers xmlns:q="{ANSWERS_SCHEMA}"><q:Answer><q:QuestionIdentifier>x'
        "</q:QuestionIdentifier><q:FreeText>1</q:FreeText></q:Answer></q:QuestionFormAnswers>"
    )
    assert parse_answer(xml) == {"x": "1"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")))
def test_text_comes_back_as_it_was_entered(text: str) -> None:
    assert parse_answer(document(answer("label", f"<FreeText>{escape(text)}</FreeText>"))) == {"label": text}


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("", "not well-formed"),
        ("setosa", "not well-formed"),
        (document("<Answer>"), "not well-formed"),
        (document("\x00"), "not well-formed"),
        (document("\ud800"), "not Unicode"),
        ("<QuestionFormAnswers/>", "not a QuestionFormAnswers document"),
        ('<QuestionFormAnswers xmlns="http://example.com/"/>', "not a QuestionFormAnswers document"),
        (document("text"), "text where fields belong"),
        (document("<Answer/>"), "without a QuestionIdentifier"),
        (document("<Answer>text</Answer>"), "text where fields belong"),
        (document(answer(" ", "<FreeText/>")), "without a QuestionIdentifier"),
        (document(answer("a", "<FreeText>1</FreeText>") * 2), "the field 'a' twice"),
        (
            document(answer("a", "<FreeText>1</FreeText><FreeText>2</FreeText>")),
            "more than one value for 'a'",
        ),
        (document(answer("a", "<FreeText>1<b>2</b></FreeText>")), "elements inside FreeText"),
        ("<a>" * 50_000, "not well-formed"),
        (" " * (MAX_ANSWER_BYTES + 1), "4,000,001 bytes"),
    ],
)
def test_what_cannot_be_read_is_told_briefly(xml: str, message: str) -> None:
    with pytest.raises(AnswerError) as caught:
        parse_answer(xml)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 160


@pytest.mark.parametrize(
    "dtd",
    [
        "<!DOCTYPE QuestionFormAnswers>",
        '<!DOCTYPE q SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE q [<!ENTITY x "y">]>',
        '<!DOCTYPE q [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE q [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
        '<!DOCTYPE q [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_a_document_type_is_refused_whatever_it_declares(dtd: str) -> None:
    with pytest.raises(AnswerError, match="document type declaration"):
        parse_answer(document(answer("a", "<FreeText>1</FreeText>"), HEAD + dtd))


_TAGS = ("Answer", "QuestionIdentifier", "FreeText", "SelectionIdentifier", "x:y")
_PIECES = st.sampled_from(
    [shape.format(tag) for tag in _TAGS for shape in ("<{}>", "</{}>", "<{}/>")]
    + ["a", "&x;", "]]>", "<!--", "-->", "<![CDATA[", "\x00", "\ud800"]
)


@given(
    st.one_of(
        st.text(), st.lists(_PIECES).map("".join), st.lists(_PIECES).map(lambda p: document("".join(p)))
    )
)
def test_nothing_but_answer_errors_ever_comes_out(xml: str) -> None:
    try:
        names = list(parse_answer(xml))
    except AnswerError as error:
        names = [str(error)]
        assert names[0].isprintable()
    assert all(0 < len(name) < 160 for name in names)
