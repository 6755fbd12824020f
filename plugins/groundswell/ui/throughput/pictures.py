"""The page's charts, drawn as those of the reports: each with words for what it shows, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from groundswell.reports import trends
from groundswell.reports.html import charts, formats
from groundswell.ui.throughput.queries import Rows

Row = Mapping[str, Any]
Series = dict[str, list[float | None]]
Form = Callable[[float | None], str]

#: Ranges that are longer are drawn by week.
MOST_DAYS = 62
#: Teams that are drawn apart; the others are drawn as one.
MOST_TEAMS = 5
_OTHERS = "other teams"


@dataclass(frozen=True)
class Chart:
    """A chart as HTML, and whether it takes the whole width."""

    html: str
    wide: bool = False


@dataclass(frozen=True)
class _Course:
    """Measures over time: a row per day or week of the range; None where nothing was reported.

    :param buckets: the first day of each day or week, by its name
    :param teams: rows by team as well
    """

    every: trends.Every
    buckets: Mapping[str, date]
    rows: Sequence[Row | None]
    teams: Sequence[Row]

    @property
    def dates(self) -> list[date]:
        """The first day of each."""
        return list(self.buckets.values())

    def values(self, measure: str, scale: float = 1.0) -> list[float | None]:
        return [None if row is None else _number(row[measure], scale) for row in self.rows]


def draw(rows: Rows, fair_pay: float) -> list[Chart]:
    """Return the charts of these rows; a measure that no day has gets none.

    :param fair_pay: dollars per paid hour, drawn as a line
    """
    course = _course(rows)
    drawn = [
        _tasks(course),
        *(make(course, fair_pay) for make in (_time, _accuracy, _agreement, _pay, _cost, _labels)),
    ]
    return [chart for chart in drawn if chart is not None]


def _course(rows: Rows) -> _Course:
    span = rows.days.span
    every: trends.Every = "day" if span.days <= MOST_DAYS else "week"
    buckets = dict(trends.buckets(span.first, span.last, every))
    total = {row[every]: row for row in rows.by(every)}
    return _Course(every, buckets, [total.get(name) for name in buckets], rows.by(every, "team"))


def _tasks(course: _Course) -> Chart | None:
    amounts: dict[str, float] = {}
    for row in course.teams:
        amounts[row["team"]] = amounts.get(row["team"], 0.0) + (_number(row["submitted"]) or 0.0)
    if not any(amounts.values()):
        return None
    teams = sorted((team for team in amounts if amounts[team]), key=lambda team: (-amounts[team], team))
    apart = teams if len(teams) <= MOST_TEAMS + 1 else teams[:MOST_TEAMS]
    places = {name: place for place, name in enumerate(course.buckets)}
    series: Series = {formats.clean(team, 40) or formats.NONE: [None] * len(places) for team in apart}
    if len(apart) < len(teams):
        series[_OTHERS] = [None] * len(places)
    for row in course.teams:
        place, number = places.get(row[course.every]), _number(row["submitted"])
        if place is None or not number:
            continue
        name = formats.clean(row["team"], 40) or formats.NONE
        values = series[name if row["team"] in apart else _OTHERS]
        values[place] = (values[place] or 0.0) + number
    html = charts.columns(
        course.dates, series, title=f"Tasks submitted per {course.every}", unit="by team", wide=True
    )
    return Chart(html, wide=True)


def _time(course: _Course, fair_pay: float) -> Chart | None:
    series = {
        "9 in 10": course.values("seconds_p90"),
        "mean active": course.values("seconds_per_task"),
        "median": course.values("seconds_median"),
    }
    return _lines(course, series, "Time per task", formats.seconds)


def _accuracy(course: _Course, fair_pay: float) -> Chart | None:
    series = {
        "estimate": course.values("accuracy"),
        "low end": course.values("accuracy_low"),
        "high end": course.values("accuracy_high"),
    }
    title = "Estimated accuracy"
    return _lines(course, series, title, formats.share, unit="90% interval", zero=False, top=1.0)


def _agreement(course: _Course, fair_pay: float) -> Chart | None:
    series = {"consensus": course.values("agreement"), "known labels": course.values("gold_score")}
    return _lines(course, series, "Agreement", formats.share, zero=False, top=1.0)


def _pay(course: _Course, fair_pay: float) -> Chart | None:
    mark = charts.Mark(fair_pay, f"fair pay {formats.dollars(fair_pay)}")
    return _lines(course, {"pay": course.values("hourly_pay")}, "Pay per hour", formats.dollars, mark=mark)


def _cost(course: _Course, fair_pay: float) -> Chart | None:
    earned, cost = course.values("earned_cents", 0.01), course.values("cost_cents", 0.01)
    if not any(cost):
        return None
    fees = [
        None if all_ is None else max(0.0, all_ - (part or 0.0))
        for part, all_ in zip(earned, cost, strict=True)
    ]
    title = f"Cost per {course.every}"
    return Chart(
        charts.columns(course.dates, {"to workers": earned, "fees": fees}, title=title, form=formats.dollars)
    )


def _labels(course: _Course, fair_pay: float) -> Chart | None:
    series = {"people": course.values("human_labels"), "machine": course.values("machine_labels")}
    if not any(value for values in series.values() for value in values):
        return None
    return Chart(
        charts.columns(course.dates, series, title=f"Labels per {course.every}, by people and machine")
    )


def _lines(course: _Course, series: Series, title: str, form: Form, **how: Any) -> Chart | None:
    known = {name: values for name, values in series.items() if any(value is not None for value in values)}
    if not known:
        return None
    return Chart(charts.lines(course.dates, known, title=f"{title}, by {course.every}", form=form, **how))


def _number(value: Any, scale: float = 1.0) -> float | None:
    return None if formats.missing(value) else float(value) * scale
