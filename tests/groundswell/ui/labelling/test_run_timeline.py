from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from groundswell.ui.labelling import timeline
from groundswell.views.overview import Point

START = datetime(2026, 11, 22, 5, 58, tzinfo=UTC)


def points(*answers: int, seconds: float = 600) -> list[Point]:
    return [
        Point((START + timedelta(seconds=at * seconds)).isoformat(), count, count // 2, 6 * count)
        for at, count in enumerate(answers)
    ]


def coordinates(svg: str) -> list[tuple[float, float]]:
    [line] = re.findall(r'<polyline class="line" points="([^"]*)"', svg)
    pairs = (pair.split(",") for pair in line.split())
    return [(float(x), float(y)) for x, y in pairs]


def test_a_line_rises_with_its_values_from_left_to_right() -> None:
    found = coordinates(timeline.chart(points(0, 10, 40, 40), timeline.ANSWERS))
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    heights = [-y for _, y in found]
    assert heights == sorted(heights)
    assert heights[2] == heights[3]
    assert heights[2] - heights[0] == pytest.approx(4 * (heights[1] - heights[0]), abs=0.5)


def test_a_chart_is_told_in_words() -> None:
    svg = timeline.chart(points(0, 1234), timeline.SPENT)
    assert "Spent over time: from $0.00 at 2026-11-22 05:58 UTC to $74.04 at 2026-11-22 06:08 UTC" in svg


def test_a_limit_is_drawn_where_it_is_near() -> None:
    near = timeline.chart(points(0, 100), timeline.SPENT, limit=900, limit_name="budget", limit_kind="limit")
    assert 'class="limit"' in near
    assert "budget $9.00" in near
    far = timeline.chart(points(0, 100), timeline.SPENT, limit=90_000, limit_name="budget")
    assert "budget" not in far


@pytest.mark.parametrize("seconds", [1, 60, 600, 86_400, 30 * 86_400])
@pytest.mark.parametrize("top", [0, 1, 7, 1_000_000])
def test_axes_have_a_few_round_labels_inside_the_picture(seconds: float, top: int) -> None:
    svg = timeline.chart(points(0, top, top, seconds=seconds), timeline.ANSWERS)
    places = [(float(x), float(y)) for x, y in re.findall(r'<text x="([\d.]+)" y="([\d.]+)"', svg)]
    assert 2 <= len(places) <= 14
    assert all(0 <= x <= 420 and 0 <= y <= 196 for x, y in places)
    assert all(0 <= x <= 420 and 0 <= y <= 196 for x, y in coordinates(svg))


def test_points_of_one_moment_are_no_division_by_zero() -> None:
    assert len(coordinates(timeline.chart(points(3, 3, seconds=0), timeline.SETTLED))) == 2
