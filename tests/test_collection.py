"""A group of tests leaves out files unread; no test may get lost by that."""

from __future__ import annotations

import re

import pytest

from tests.conftest import CHECKOUT, MARKERS, may_have

GROUPS = re.findall(r"-m '(.+?)'", (CHECKOUT / "Makefile").read_text())
FAST, SERVERS, BROWSER = GROUPS[0], GROUPS[1], GROUPS[2]


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("def test_x(): ...", {FAST}),
        ("@pytest.mark.skip", {FAST}),
        ("pytestmark = pytest.mark.contract", {FAST, SERVERS}),
        ("@pytest.mark.dag", {FAST, SERVERS}),
        ("@pytest.mark.browser", {FAST, BROWSER}),
        ("pytestmark = [pytest.mark.contract, pytest.mark.browser]", {FAST, SERVERS, BROWSER}),
        ("from pytest import mark\n@mark.airflow", {FAST, SERVERS}),
    ],
)
def test_what_a_file_may_have(text: str, selected: set[str]) -> None:
    assert {wanted for wanted in (FAST, SERVERS, BROWSER) if may_have(text, wanted)} == selected


@pytest.mark.parametrize("wanted", ["asyncio", "not asyncio", "browser and asyncio", "not (browser)"])
def test_what_cannot_be_told_is_read(wanted: str) -> None:
    assert may_have("def test_x(): ...", wanted)


def test_every_test_is_in_exactly_one_group() -> None:
    """A file without a marker, and one for each set of them, taken as marks of one test."""
    from _pytest.mark.expression import Expression

    for number in range(2 ** len(MARKERS)):
        marks = {name for place, name in enumerate(sorted(MARKERS)) if number >> place & 1}
        chosen = [
            wanted
            for wanted in (FAST, SERVERS, BROWSER)
            if Expression.compile(wanted).evaluate(lambda name, marks=marks, **_: name in marks)
        ]
        assert len(chosen) == 1, marks


def test_a_files_marks_are_in_the_file() -> None:
    """Not in a conftest or a helper: a file is looked at alone."""
    marks = re.compile(rf"\bmark\.({'|'.join(MARKERS)})\b")
    elsewhere = [
        path
        for path in sorted((CHECKOUT / "tests").rglob("*.py"))
        if not path.name.startswith("test_") and marks.search(path.read_text())
    ]
    assert elsewhere == []
