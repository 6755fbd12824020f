from __future__ import annotations

import math
from datetime import date
from itertools import pairwise

import pytest

from groundswell.reports.html import formats
from groundswell.reports.html.scales import named_days, scale, spread


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (formats.count, 1234567, "1,234,567"),
        (formats.count, 0, "0"),
        (formats.count, 3.25, "3.2"),
        (formats.seconds, 9.78, "9.8 s"),
        (formats.seconds, 0.04, "0.0 s"),
        (formats.seconds, 83, "83 s"),
        (formats.seconds, 137, "2 min 17 s"),
        (formats.seconds, 3900, "1 h 05 min"),
        (formats.duration, 136.8, "2.3 min"),
        (formats.duration, 59.6, "1.0 min"),
        (formats.duration, 3599, "1 h 00 min"),
        (formats.duration, 12345, "3 h 26 min"),
        (formats.duration, 4_334_400, "1,204 h"),
        (formats.rate, 368.1, "368"),
        (formats.rate, 12.34, "12.3"),
        (formats.share, 0.9421, "94.2%"),
        (formats.share, 1, "100%"),
        (formats.share, 0.99999, "99.9%"),
        (formats.share, 0.00001, "0.1%"),
        (formats.share, 0, "0%"),
        (formats.dollars, 1234.5, "$1,234.50"),
        (formats.dollars, 0.048, "$0.048"),
        (formats.dollars, 0.05, "$0.05"),
        (formats.dollars, -3, "\u2212$3.00"),
        (formats.cents, 1234.5, "$12.35"),
    ],
)
def test_numbers_are_written_for_people(form, value, text) -> None:
    assert form(value) == text


@pytest.mark.parametrize(
    "form",
    [
        formats.count,
        formats.seconds,
        formats.duration,
        formats.rate,
        formats.share,
        formats.dollars,
        formats.cents,
    ],
)
def test_no_value_is_a_dash_and_never_zero(form) -> None:
    assert form(None) == form(math.nan) == "\u2013"


def test_text_of_strangers_is_one_printable_line() -> None:
    assert formats.clean("a\x00b\nc\ud800d\u202ee") == "a\ufffdb c\ufffdd\ufffde"
    assert formats.clean("x" * 500) == "x" * 200 + "\u2026"
    assert formats.clean("\u06cc\u200c\u0627") == "\u06cc\u200c\u0627"  # Persian needs its joiners
    formats.clean("\udcff" * 9).encode("utf-8")
    assert formats.escape("<a href='\"'>&") == "&lt;a href=&#x27;&quot;&#x27;&gt;&amp;"


def test_a_label_that_is_too_wide_is_cut_with_an_ellipsis() -> None:
    assert formats.fit("team", 100, 12) == "team"
    cut = formats.fit("a very long name of a labeling job", 100, 12)
    assert cut.endswith("\u2026")
    assert formats.text_width(cut, 12) <= 112


def test_times_and_days_are_named() -> None:
    assert formats.day(date(2026, 11, 6), weekday=True) == "Friday, 6 Nov 2026"
    assert formats.moment("2026-11-07T05:12:00+00:00") == "2026-11-07 05:12 UTC"
    assert formats.moment("<b>") == "<b>"


@pytest.mark.parametrize("values", [[3, 1499], [0.001, 0.0042], [0], [], [1e9], [-5, 20], [7, 7]])
def test_axes_begin_at_zero_end_on_round_ticks_and_hold_all_values(values) -> None:
    axis = scale(values, 0, 100)
    assert 0 in axis.ticks
    assert axis.low <= min(values, default=0)
    assert axis.high >= max(values, default=0)
    assert 2 <= len(axis.ticks) <= 7
    steps = {round(b - a, 9) for a, b in pairwise(axis.ticks)}
    assert len(steps) == 1


def test_shares_that_are_all_whole_have_no_axis_beyond_100_percent() -> None:
    axis = scale([1.0, 1.0], 0, 100, zero=False, top=1.0)
    assert axis.high == 1.0
    assert 0.8 < axis.low < 1.0


@pytest.mark.parametrize("most", [1, 2, 3, 7, 11, 24, 99, 1499])
def test_an_axis_of_counts_has_no_half_of_what_is_counted(most) -> None:
    axis = scale([most], 0, 100, whole=True)
    assert all(tick == int(tick) for tick in axis.ticks)
    assert axis.high >= most


def test_days_under_an_axis_are_mondays_where_not_all_fit() -> None:
    days = [date(2026, 10, 1 + number) for number in range(31)]
    assert [days[index].weekday() for index in named_days(days, 8)] == [0, 0, 0, 0]
    assert len(named_days(days, 100)) == 31
    assert len(named_days(days, 2)) <= 2


def test_labels_at_the_ends_of_lines_keep_apart() -> None:
    placed = spread([50, 51, 52, 10], 14, 0, 100)
    ordered = sorted(placed)
    assert all(b - a >= 14 for a, b in pairwise(ordered))
    assert placed[0] < placed[1] < placed[2]
    assert max(spread([99, 98, 97], 14, 0, 100)) <= 100
