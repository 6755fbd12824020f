"""The totals at the top: each with what it is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from groundswell.reports.html import charts, formats, frames, wording
from groundswell.reports.html.scope import Scope, Usual

_MEASURES = (
    "submitted",
    "workers",
    "active_seconds",
    "tasks_per_hour",
    "seconds_median",
    "agreement",
    "accuracy",
    "gold_score",
    "settled_labels",
    "cost_cents",
    "cost_per_label",
    "hourly_pay",
    "machine_share",
)
_MANY_TIMES = 9.0
"""A growth from which on nobody thinks in percent."""
_SHARES = {"agreement", "accuracy", "gold_score", "machine_share"}


@dataclass(frozen=True)
class Tile:
    """A total.

    :param beside: what belongs to the value, such as its interval.
    :param change: how it compares with the usual, such as ``+12%``.
    :param usual: what the usual is, in words; ``range`` the lowest and highest of it.
    :param outside: said where the value is far from all it is compared with.
    :param spark: its course, safe HTML.
    """

    label: str
    value: str
    beside: str = ""
    change: str = ""
    usual: str = ""
    range: str = ""
    outside: str = ""
    spark: str = ""


def tiles(scope: Scope) -> list[Tile]:
    """Return the totals that have a value, most important first."""
    total = {**scope.total, "workers": len(scope.active) or None}
    found = [(name, wording.value(name, total)) for name in _MEASURES]
    return [
        _tile(scope, name, value)
        for name, value in found
        if value is not None and (value or name != "machine_share")
    ]


def without(scope: Scope) -> list[str]:
    """Return the names of totals that have no value."""
    total = {**scope.total, "workers": len(scope.active)}
    return [wording.measure(name).label for name in _MEASURES if wording.value(name, total) is None]


def summary(scope: Scope, findings: int) -> str:
    """Say in one or two sentences what happened."""
    done = frames.number(scope.total, "submitted")
    if scope.idle:
        return "No work was recorded."
    teams = [row for row in scope.rows_by("team") if frames.text(row, "team")]
    text = (
        f"{wording.many(len(scope.active), 'worker')} in {wording.many(len(teams), 'team')} submitted "
        f"{wording.many(done, 'task')}"
    )
    active = wording.value("active_seconds", scope.total)
    text += "" if active is None else f" in {formats.duration(active)} of active time"
    usual = scope.usual("submitted")
    if usual and usual.value:
        text += f", {_more(done / usual.value - 1)} ({usual.words})"
    found = f"{wording.many(findings, 'thing')} to look at." if findings else "Nothing stands out."
    return f"{text}. {found}"


def _more(change: float) -> str:
    if abs(change) < 0.005:
        return "as much as usual"
    if change >= _MANY_TIMES:
        return f"{change + 1:,.0f} times as much as usual"
    return f"{abs(change):.0%} {'more' if change > 0 else 'less'} than usual"


def _tile(scope: Scope, name: str, value: float) -> Tile:
    how = wording.measure(name)
    usual = scope.usual(name)
    course = scope.over_days(name) if len(scope.days) > 2 else []
    label = f"{how.label}, {len(course)} days"
    return Tile(
        label=how.label,
        value=how.form(value),
        beside=_beside(scope, name),
        change=_change(name, value, usual),
        usual=f"usual {how.form(_whole(name, usual.value))}" if usual else "",
        range=_range(name, usual),
        outside=_outside(value, usual),
        spark=charts.spark(course, label=label, low=_low(name, course), width=132, height=28)
        if course
        else "",
    )


def _beside(scope: Scope, name: str) -> str:
    total = scope.total
    if name == "accuracy":
        low, high = wording.value("accuracy_low", total), wording.value("accuracy_high", total)
        if low is not None and high is not None:
            return f"90% interval {100 * low:.1f} to {100 * high:.1f}%"
    if name == "seconds_median":
        return f"90% within {formats.seconds(wording.value('seconds_p90', total))}"
    if name == "hourly_pay":
        return f"fair pay {formats.dollars(scope.fair_pay)}"
    if name == "agreement":
        return f"of {wording.many(frames.number(total, 'judged'), 'judged answer')}"
    if name == "submitted":
        return f"of {formats.count(frames.number(total, 'accepted'))} accepted"
    if name == "cost_cents":
        return f"earned by workers {formats.cents(wording.value('earned_cents', total))}"
    return ""


def _change(name: str, value: float, usual: Usual | None) -> str:
    if usual is None:
        return ""
    if name in _SHARES:
        points = round(100 * (value - usual.value), 1)
        return f"{formats.signed(points, f'{abs(points):.1f}')} points" if points else "as usual"
    if not usual.value:
        return ""
    change = value / usual.value - 1
    if change >= _MANY_TIMES:
        return f"{change + 1:,.0f}\u00d7"
    return formats.signed(change, f"{abs(change):.0%}") if abs(change) >= 0.005 else "as usual"


def _range(name: str, usual: Usual | None) -> str:
    if usual is None:
        return ""
    low, high = wording.measure(name).form(usual.low), wording.measure(name).form(usual.high)
    return f"range {low} to {high}" if low != high else ""


def _whole(name: str, value: float) -> float:
    """Round the median of counts: half a task says no more."""
    return float(round(value)) if wording.measure(name).form is formats.count else value


def _low(name: str, course: Sequence[float | None]) -> float:
    """Return where a course begins: shares move within a few points, the rest is drawn from zero."""
    known = [value for value in course if value is not None]
    if name not in _SHARES or not known:
        return 0.0
    return min(min(known), max(known) - 0.1) - 0.01


def _outside(value: float, usual: Usual | None) -> str:
    """Say that a value is far from all it is compared with.

    Just beyond the range says nothing: of five like days one is the highest, and one the lowest.
    """
    if usual is None:
        return ""
    width = usual.high - usual.low
    if usual.low - width <= value <= usual.high + width:
        return ""
    return f"far {'above' if value > usual.high else 'below'} all of {usual.words}"
