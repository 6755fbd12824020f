from __future__ import annotations

import re
import threading
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from groundswell.reports.html import charts, formats
from groundswell.reports.html.charts import Bar, Mark, Point
from tests.groundswell.reports.html.report_tables import NASTY

DAYS = [date(2026, 10, 5) + timedelta(days=number) for number in range(35)]


def waves(*names: str) -> dict[str, list[float | None]]:
    return {
        name: [None if day.weekday() == 6 else 10 + 3 * place + day.day % 7 for day in DAYS]
        for place, name in enumerate(names)
    }


def every_kind(label: str = "team") -> list[str]:
    rows = [Bar(label, 12, low=10, high=15), Bar("other", 7.5), Bar("none", None)]
    points = [Point(label, 3.0, 0.9, True), Point("b", 4.0, 0.8), Point("c", None, 0.8)]
    return [
        charts.bars(rows, title="Bars", unit="tasks", mark=Mark(5, "fair")),
        charts.ranges(rows, title="Ranges", form=formats.count, top=None),
        charts.columns(
            DAYS, waves(label), title="Columns", usual=Mark(9, "usual"), strong=DAYS[-1], wide=True
        ),
        charts.columns(DAYS, waves(label, "two"), title="Stacked"),
        charts.lines(DAYS, waves(label, "two", "three"), title="Lines", form=formats.seconds, wide=True),
        charts.scatter(points, title="Dots", x_label="seconds", y_label="accuracy"),
    ]


class Outline(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


@pytest.mark.parametrize("chart", every_kind(), ids=lambda chart: re.search("<figcaption>(\\w+)", chart)[1])
def test_a_chart_works_under_a_strict_policy_and_follows_the_page(chart) -> None:
    assert not re.search(r"\sstyle=|<style|<script|xlink|href|url\(|http|clip-path|<metadata|DejaVu", chart)
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', chart))
    assert all(colour == "none" or colour.startswith("var(--chart-") for colour in colours), colours
    assert "#0000" not in chart  # no stand-in is left
    assert len(chart) < 40_000


@pytest.mark.parametrize("chart", every_kind(), ids=lambda chart: re.search("<figcaption>(\\w+)", chart)[1])
def test_a_chart_says_what_it_shows_and_has_its_numbers_behind_it(chart) -> None:
    outline = Outline(chart)
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in outline.tags:
        if tag == "svg":
            assert attrs["role"] == "img"
            assert attrs["aria-labelledby"] in ids
            assert attrs["aria-describedby"] in ids
    tags = [tag for tag, _ in outline.tags]
    assert {"figcaption", "title", "desc", "details", "table", "caption", "th"} <= set(tags)
    assert all("scope" in attrs for tag, attrs in outline.tags if tag == "th")


def test_every_variable_has_a_colour_for_light_dark_and_print() -> None:
    used = set(re.findall(r"var\(--chart-(\w+)", "".join(every_kind())))
    light, dark, printed = charts.css().split("@media")[:3]
    for part in (light, dark, printed):
        assert used <= set(re.findall(r"--chart-(\w+):", part))


@pytest.mark.parametrize("label", NASTY)
def test_names_of_strangers_are_text_and_nothing_else(label) -> None:
    harmless = [tag for chart in every_kind() for tag, _ in Outline(chart).tags]
    found = every_kind(label)
    assert [tag for chart in found for tag, _ in Outline(chart).tags] == harmless
    for chart in found:
        chart.encode("utf-8")


def test_equal_arguments_give_equal_bytes_in_any_thread() -> None:
    expected = every_kind()
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(every_kind())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 4


def test_drawing_changes_no_setting_of_the_process() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    every_kind()
    assert dict(matplotlib.rcParams) == before


def test_bars_begin_at_zero_and_are_as_long_as_their_values() -> None:
    chart = charts.bars([Bar("a", 100), Bar("b", 25), Bar("c", 0)], title="t", table=False)
    bars = re.search(r'<path d="([^"]*)" fill="var\(--chart-1,', chart)[1]
    corners = [
        [float(x) for x in re.findall(r"[ML] ?([\d.]+) [\d.]+", part)]
        for part in re.split("(?=M)", bars)
        if part
    ]
    assert [(min(xs), max(xs)) for xs in corners] == [(0, 390), (0, 97.5)]


def rises(chart: str, role: str) -> list[tuple[float, float]]:
    """The upright extent of every line of a role."""
    drawn = re.findall(rf'<path d="([^"]*)" fill="none"[^>]* stroke="var\(--chart-{role},', chart)
    lines = [part for path in drawn for part in re.split("(?=M)", path) if part]
    ends = [[float(y) for y in re.findall(r"[ML] ?[\d.]+ ([\d.]+)", line)] for line in lines]
    return [(min(ys), max(ys)) for ys in ends]


@pytest.mark.parametrize("draw", [charts.bars, charts.ranges])
def test_a_mark_strikes_through_no_name_or_value(draw) -> None:
    rows = [Bar(name, value, low=value - 1, high=value + 1) for name, value in (("a", 4), ("b", 9), ("c", 7))]
    chart = draw(rows, title="t", form=formats.dollars, top=None, mark=Mark(15, "fair pay"), table=False)
    lines = {float(y) for y in re.findall(r'<text [^>]*y="([\d.]+)"', chart)}
    marks = rises(chart, "mark")
    assert len(marks) == 3
    for low, high in marks:
        assert not [line for line in lines if low - 2 < line < high + 8], (
            "a text has its line at y, and rises 9 px"
        )


def test_ticks_of_time_are_where_they_say() -> None:
    points = [Point(str(x), x, 0.5) for x in (2.0, 7.0, 13.0)]
    chart = charts.scatter(points, title="t", x_label="x", y_label="y", table=False)
    assert ">12.5 s<" in chart
    assert ">12 s<" not in chart


def test_a_day_with_one_task_has_no_axis_of_quarters() -> None:
    chart = charts.columns(DAYS[:2], {"a": [1, None]}, title="t", table=False)
    assert re.findall(r'text-anchor="end"[^>]*>([\d.]+)<', chart) == ["0", "1"]


def test_a_name_that_is_not_level_with_its_dot_has_a_line_to_it() -> None:
    points = [Point(f"w-{number}", 5.0, 0.5 + number / 200, True) for number in range(4)]
    chart = charts.scatter(points, title="t", x_label="x", y_label="y", table=False)
    wide = chart.split('class="chart-narrow"')[0]
    heights = {y for low, high in rises(wide, "mark") for y in (low, high)}
    named = re.findall(r'y="([\d.]+)"[^>]*>w-(\d)<', wide)
    assert len(named) > 1
    dots = {low for low, high in rises(wide, "mark") if low == high}
    for y, _ in named:
        assert {float(y) - 4} & (dots | heights), "level with a dot, or at the end of a line"


def test_a_line_is_broken_where_there_is_no_value() -> None:
    chart = charts.lines(DAYS[:6], {"a": [1, 2, None, 4, 5, None]}, title="t")
    drawn = re.search(r'<path d="([^"]*)" fill="none" stroke="var\(--chart-1,[^>]*stroke-width="2.2"', chart)[
        1
    ]
    assert drawn.count("M") == 2
    assert "\u2013" in chart  # and a dash in the table


def test_more_lines_than_can_be_told_apart_are_in_the_table_and_the_caption_says_so() -> None:
    chart = charts.lines(DAYS, waves(*"abcdefgh"), title="t")
    assert "6 of 8 drawn" in chart
    assert chart.count('<th scope="col">') == 9


def test_nothing_to_draw_is_said() -> None:
    for chart in (
        charts.bars([Bar("a", None)], title="t"),
        charts.ranges([], title="t"),
        charts.columns([], {}, title="t"),
        charts.lines(DAYS, {"a": [None] * 35}, title="t"),
        charts.scatter([Point("a", None, 1)], title="t", x_label="x", y_label="y"),
    ):
        assert "There are no values to draw." in chart
        assert "<svg" not in chart
    assert charts.spark([None, None], label="x") == ""


@pytest.mark.parametrize("values", [[0.0], [5], [0, 0, 0], [1, None, 3], [-1, 2]])
def test_a_spark_of_any_values_is_drawn(values) -> None:
    drawn = charts.spark(values, label='a "name"')
    assert drawn.count("<circle") == 1
    assert "nan" not in drawn
    assert "&quot;name&quot;" in drawn


def test_two_thousand_dots_stay_small() -> None:
    points = [Point(f"w-{number}", 5 + number % 37 / 3, number % 101 / 100) for number in range(2000)]
    assert len(charts.scatter(points, title="t", x_label="x", y_label="y", table=False)) < 160_000
