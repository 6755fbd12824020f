from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from groundswell.batches.model import Batch
from groundswell.errors import TemplateError
from groundswell.templates.question import HTML_QUESTION_SCHEMA, MAX_QUESTION_BYTES
from groundswell.templates.render import TaskText, html_question, render_page

INCLUDE = Path(__file__).parents[3] / "include"
PAGE = INCLUDE / "templates" / "image_classification.liquid.html"
TASK = TaskText.of(Batch.load(INCLUDE / "batches" / "iris.yaml").task)

anything = st.text(st.characters(exclude_categories=["Cs"]))
_MARKUP = [
    "<",
    ">",
    '"',
    "'",
    "&",
    "&lt;",
    "&#13;",
    "]]>",
    "<!--",
    "-->",
    "</p>",
    "{{ x }}",
    "{% if",
    "<script>",
]
_OTHERS = ["=", "/", "a", " ", "\n", "\t", "\u2028", "\x80", "\U0001f338"]
breakouts = st.lists(st.sampled_from(_MARKUP + _OTHERS)).map("".join)
sendable = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")), breakouts
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text("<p title=\"{{ item.note }}\" data-item='{{ item_id }}'>{{ item.note }}</p>")
    return path


def parsed(page: str) -> BeautifulSoup:
    # left to itself, BeautifulSoup makes one blank of a text that is only white space
    return BeautifulSoup(page, "html.parser", preserve_whitespace_tags={"p", "h1"})


def as_seen_by_a_worker(xml: str) -> str:
    """The page, as it comes out of the question's XML."""
    root = ElementTree.fromstring(xml)
    content = root.findtext(f"{{{HTML_QUESTION_SCHEMA}}}HTMLContent")
    assert content is not None
    return str(content)


@given(note=sendable, item_id=sendable)
def test_any_text_comes_back_verbatim_and_makes_no_element(page: Path, note: str, item_id: str) -> None:
    html = render_page(page, item={"note": note}, item_id=item_id, task=TASK, image_src=None)
    soup = parsed(as_seen_by_a_worker(html_question(html, 0)))
    (element,) = soup.find_all(True)
    assert (element.name, sorted(element.attrs)) == ("p", ["data-item", "title"])
    assert element.get_text() == element["title"] == note
    assert element["data-item"] == item_id
    assert list(soup.children) == [element]


def test_line_ends_become_line_feeds(page: Path) -> None:
    html = render_page(page, item={"note": "a\r\nb\rc"}, item_id="1", task=TASK, image_src=None)
    assert parsed(html).get_text() == "a\nb\nc"


@pytest.mark.parametrize(
    ("character", "name"),
    [("\x00", "U+0000"), ("\x0b", "U+000B"), ("\x1f", "U+001F"), ("\ud800", "U+D800"), ("\uffff", "U+FFFF")],
)
def test_what_xml_cannot_carry_is_refused_with_item_and_field(page: Path, character: str, name: str) -> None:
    with pytest.raises(
        TemplateError,
        match=rf"page\.html: item 'i-1': field item\.note has the .*{re.escape(name)}.*remove it",
    ):
        render_page(page, item={"note": f"a{character}"}, item_id="i-1", task=TASK, image_src=None)
    with pytest.raises(TemplateError, match=r"field task\.title"):
        render_page(
            page, item={"note": ""}, item_id="i-1", task=replace(TASK, title=character), image_src=None
        )
    with pytest.raises(TemplateError, match=f"the page has the character {re.escape(name)}"):
        html_question(character, 0)


@given(anything)
def test_every_page_is_carried_or_refused(html: str) -> None:
    try:
        xml = html_question(html, 450)
    except TemplateError:
        assert any(ord(character) < 32 or character in "\ufffe\uffff" for character in html)
    else:
        assert as_seen_by_a_worker(xml) == html.replace("\r\n", "\n").replace("\r", "\n")


def test_the_question_has_its_parts_in_the_order_of_the_schema() -> None:
    root = ElementTree.fromstring(html_question("<p>x]]></p>", 450))
    assert [element.tag for element in root] == [
        f"{{{HTML_QUESTION_SCHEMA}}}{name}" for name in ("HTMLContent", "FrameHeight")
    ]
    assert root[1].text == "450"


def test_the_size_limit_counts_bytes_of_the_whole_question() -> None:
    room = MAX_QUESTION_BYTES - len(html_question("", 0).encode())
    assert len(html_question("x" * room, 0).encode()) == MAX_QUESTION_BYTES
    assert len(html_question("é" * (room // 2), 0).encode()) <= MAX_QUESTION_BYTES
    for page in ("x" * (room + 1), "é" * (room // 2 + 1), "]]>" * (room // 3)):
        with pytest.raises(TemplateError, match="the limit is 65,535; shorten the template"):
            html_question(page, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a\n{{ item.colour }}",
            "item 'i-1': line 2: item.colour is undefined; a page can use item.note, item_id",
        ),
        ("{{ image }}", "item 'i-1': line 1: 'image' is undefined"),
        ("\n\n{% for %}", "line 3: missing expression"),
        ("{{ item.note | shout }}", "unknown filter 'shout'"),
        ("{% include 'other' %}", "line 1: other"),
        ("{% if x", "line 1"),
    ],
)
def test_what_is_wrong_in_a_template_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.html"
    path.write_text(text)
    with pytest.raises(TemplateError) as caught:
        render_page(path, item={"note": "x"}, item_id="i-1", task=TASK, image_src=None)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_template_that_is_not_there_or_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "t.html"
    with pytest.raises(TemplateError, match=r"t\.html: cannot be read: No such file"):
        render_page(path, item={}, item_id="1", task=TASK, image_src=None)
    path.write_bytes(b"\xff")
    with pytest.raises(TemplateError, match="is not UTF-8"):
        render_page(path, item={}, item_id="1", task=TASK, image_src=None)


def test_a_template_that_is_edited_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.html"
    for text in ("one", "two"):
        path.write_text(text)
        assert render_page(path, item={}, item_id="1", task=TASK, image_src=None) == text


def test_the_image_page_asks_what_the_batch_says() -> None:
    html = render_page(PAGE, item={}, item_id="iris-001", task=TASK, image_src="https://example.com/1.jpg")
    soup = parsed(html)
    form = soup.select_one('form[method="post"][action="https://www.mturk.com/mturk/externalSubmit"]')
    assert form is not None
    assert [field["value"] for field in form.select('input[type="radio"][name="label"]')] == list(TASK.labels)
    assert form.select_one("legend").get_text() == "Which species of iris is this?"  # type: ignore[union-attr]
    assert form.select_one('input[name="item"]')["value"] == "iris-001"  # type: ignore[index]
    assert form.select_one('input[name="assignmentId"]')["value"] == ""  # type: ignore[index]
    assert form.select_one("img")["src"] == "https://example.com/1.jpg"  # type: ignore[index]
    assert soup.select_one("main")["data-item"] == "iris-001"  # type: ignore[index]
    assert soup.select_one("html")["lang"] == "en"  # type: ignore[index]
    assert soup.select_one(".instructions").get_text() == TASK.instructions  # type: ignore[union-attr]


@given(label=sendable, title=sendable)
def test_the_image_page_keeps_every_label_as_it_is(label: str, title: str) -> None:
    task = replace(TASK, labels=(label, "other"), title=title)
    html = render_page(PAGE, item={}, item_id="1", task=task, image_src="https://example.com/1.jpg")
    soup = parsed(as_seen_by_a_worker(html_question(html, 0)))
    assert [field["value"] for field in soup.select('input[name="label"]')] == [label, "other"]
    assert soup.select_one("h1").get_text() == title  # type: ignore[union-attr]


def test_only_nine_labels_have_a_number_key() -> None:
    task = replace(TASK, labels=tuple(f"label_{number}" for number in range(12)))
    html = render_page(PAGE, item={}, item_id="1", task=task, image_src="https://example.com/1.jpg")
    soup = parsed(html)
    assert [key.get_text() for key in soup.select("kbd")] == list("123456789")
    assert [text.get_text() for text in soup.select(".choice span")][11] == "label 11"


def test_no_page_gives_the_answer_away() -> None:
    """The three drawings differ in nothing but the image."""
    pages = {
        render_page(PAGE, item={"image": name}, item_id="1", task=TASK, image_src="https://example.com/x")
        for name in ("flower-a.svg", "flower-b.svg")
    }
    assert len(pages) == 1
