from __future__ import annotations

from datetime import UTC, datetime

import pytest

from groundswell.ui import formats


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (None, 0, "\u2013"),
        (0.0, 1, "0%"),
        (0.934, 0, "93%"),
        (1.0, 0, "100%"),
        (0.9999, 0, "99.9%"),
        (0.0001, 0, "<1%"),
        (0.0001, 1, "<0.1%"),
    ],
)
def test_a_share_is_never_rounded_to_all_or_nothing(value: float | None, digits: int, text: str) -> None:
    assert formats.percent(value, digits) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"),
        (0, "0 s"),
        (4.25, "4.2 s"),
        (59, "59 s"),
        (95, "1 min 35 s"),
        (7200, "2 h"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_length_of_time_has_two_units_at_most(value: float | None, text: str) -> None:
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("cents", "text"), [(None, "\u2013"), (0, "$0.00"), (123456, "$1,234.56"), (-5, "-$0.05")]
)
def test_money(cents: int | None, text: str) -> None:
    assert formats.money(cents) == text


@pytest.mark.parametrize("value", [None, "", "yesterday", "<b>", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_time_is_a_dash(value: str | None) -> None:
    assert formats.when(value) == formats.ago(value) == "\u2013"


def test_times_are_utc_and_say_so() -> None:
    shown = formats.when("2026-11-22T07:05:09+02:00")
    assert '<time datetime="2026-11-22T05:05:09+00:00"' in shown
    assert ">2026-11-22 05:05 UTC</time>" in shown
    assert formats.when("2026-11-22T07:05:09") == formats.when("2026-11-22T07:05:09+00:00")


@pytest.mark.parametrize(
    ("at", "text"),
    [("11:59:58", "just now"), ("11:59:00", "1 min ago"), ("09:00:00", "3 h ago"), ("13:20:00", "in 80 min")],
)
def test_how_long_ago(at: str, text: str) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert f">{text}</time>" in formats.ago(f"2026-11-22T{at}+00:00", now)


@pytest.mark.parametrize(("at", "text"), [("11:52:00", "any moment"), ("13:20:00", "in 80 min")])
def test_what_is_expected_is_never_over(at: str, text: str) -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert text in formats.ahead(f"2026-11-22T{at}+00:00", now)
