from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workforce.markup import Tag, Unfinished, tags

PIECES = st.sampled_from(
    (
        *(
            "<",
            ">",
            "</",
            "<!",
            "<!--",
            "-->",
            "<![CDATA[",
            "]]>",
            "<?",
            "<a",
            " b",
            "=",
            '"',
            "'",
            "/",
            "x",
            " ",
        ),
        *("<script", "</script", "<textarea>", "<!DOCTYPE", "\n", "\x00", "&#x41;", "\u00e9", "\u017f"),
    )
)


def found(html: str) -> list[str]:
    names: list[str] = []
    try:
        for tag in tags(html):
            names.append(("/" if tag.closing else "") + tag.name)
    except Unfinished:
        names.append("...")
    return names


@given(st.lists(PIECES, max_size=40).map("".join))
def test_every_document_is_read_to_its_end(html: str) -> None:
    at = 0
    try:
        for tag in tags(html):
            assert at <= tag.start < tag.end <= len(html)
            assert html[tag.start] == "<"
            assert html[tag.end - 1] == ">"
            for attribute in tag.attributes:
                assert tag.start < attribute.start < attribute.end < tag.end
                assert html[attribute.start : attribute.end].lower().startswith(attribute.name)
            at = tag.end
    except Unfinished:
        pass


@pytest.mark.parametrize(
    ("html", "names"),
    [
        ("a < b <p>x</p >", ["p", "/p"]),
        ("<!-- <p> --><!--><b><!---><i><!-- --!><u>", ["b", "i", "u"]),
        ("<!doctype html><HTML>", ["!doctype", "html"]),
        ("<![CDATA[ <p> ]]><? <a> ?></ <b>><i>", ["i"]),
        ("<script>'<p>'</scripts></SCRIPT ><p>", ["script", "/script", "p"]),
        ("<textarea><p></textarea/><p>", ["textarea", "/textarea", "p"]),
        ("<title>\u017f</title><p>", ["title", "/title", "p"]),
        ("<script>a</\u017fcript><p>", ["script", "..."]),
        ("<plaintext><p>", ["plaintext"]),
        ("<p", ["..."]),
        ("<p a='>", ["..."]),
        ('<p a= "> <b>', ["..."]),
        ("<!-- <p>", ["..."]),
        ("<i><!x", ["i", "..."]),
        ("<1><>", []),
    ],
)
def test_what_is_a_tag(html: str, names: list[str]) -> None:
    assert found(html) == names


def test_attributes_are_read_as_in_a_browser() -> None:
    html = """<input/ A=1 b = 'x &amp; >' c="y"d e=/f/ =g A=2 h= i>"""
    (tag,) = tags(html)
    assert [(a.name, a.value) for a in tag.attributes] == [
        ("a", "1"),
        ("b", "x & >"),
        ("c", "y"),
        ("d", ""),
        ("e", "/f/"),
        ("=g", ""),
        ("a", "2"),
        ("h", "i"),
    ]
    first, b = tag.get("a"), tag.get("b")
    assert first is not None
    assert first.value == "1"
    assert b is not None
    assert html[b.start : b.end] == "b = 'x &amp; >'"
    assert tag.get("none") is None
    assert tag == Tag("input", False, 0, len(html), tag.attributes)
