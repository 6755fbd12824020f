"""Reading a rendered page as a browser would."""

from __future__ import annotations

import time

import pytest

from workforce.crowd.errors import UnreadableTask
from workforce.crowd.forms import read_task


def test_the_item_and_all_successful_controls_are_read_in_order() -> None:
    task = read_task(
        """<body><p data-item=" a&amp;b ">x</p><form action="/other"><input name="no" value="1"></form>
        <form action="https://www.mturk.com/mturk/externalSubmit">
        <input type="hidden" name="h" value="&quot;1&quot;"><input name="t" value="text">
        <input type="radio" name="label" value="x"><input type="radio" name="label" value="y" checked>
        <input type="checkbox" name="c" value="1"><input type="checkbox" name="d" checked>
        <input name="off" value="1" disabled><input type="submit" name="go" value="Go">
        <select name="s"><option>one<option value="2" selected>two</select>
        <textarea name="a">kept
line</textarea><input value="nameless"><button name="b" value="1">Go</button></form></body>""",
        "data-item",
    )
    assert task.item == "a&b"
    assert task.filled({}) == [
        ("h", '"1"'),
        ("t", "text"),
        ("label", "y"),
        ("d", "on"),
        ("s", "2"),
        ("a", "kept\nline"),
    ]
    assert task.choices("label") == ["x", "y"]
    assert task.choices("s") == ["one", "2"]
    assert task.choices("t") == []


def test_an_answer_replaces_and_none_leaves_out() -> None:
    task = read_task("<form><input name=label value=x><input name=other value=y></form>", "data-item")
    assert task.item is None
    assert task.filled({"label": "z"}) == [("label", "z"), ("other", "y")]
    assert task.filled({"label": None}) == [("other", "y")]


def test_another_attribute_can_carry_the_item() -> None:
    assert read_task('<p data-key="7"></p><form></form>', "data-key").item == "7"


def test_a_page_without_a_form_is_unreadable() -> None:
    with pytest.raises(UnreadableTask, match="no form"):
        read_task("<p data-item=1>hello</p>", "data-item")


def test_a_missing_answer_field_is_named_with_those_that_are_there() -> None:
    task = read_task("<form><input name=species></form>", "data-item")
    with pytest.raises(UnreadableTask, match=r"no field 'label' \(it has: species\)"):
        task.choices("label")


@pytest.mark.parametrize(
    "html",
    [
        "<![foo[x <form></form>",
        "<![foo[x]]><form></form>",
        "<form></form><!-- <input name=label>",
        "<form></form>" + "<a x" * 16_000,
        "<form></form>" + "</a" * 16_000,
        "<form>" + "<![" * 16_000 + "</form>",
    ],
)
def test_what_no_parser_can_read_is_unreadable_at_once(html: str) -> None:
    began = time.process_time()
    with pytest.raises(UnreadableTask):
        read_task(html, "data-item")
    assert time.process_time() - began < 5
