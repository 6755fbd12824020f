"""The numbers on top of the page: a range of days against the one before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from groundswell.reports import schema
from groundswell.reports.html import formats
from groundswell.ui.throughput.columns import MEASURES, TOTALS, Measure, shown

#: Differences below this share are said to be none.
_SAME = 0.0005
#: A growth from which on nobody thinks in percent.
_MANY_TIMES = 9.0
#: Totals that are larger the more days there are.
_GROWING = frozenset({*schema.ADDITIVE, "active_workers"})

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Total:
    """One number of a range, and how it compares.

    :param note: what else is worth knowing about it, such as an interval; may be ""
    :param change: the difference to the range before, such as ``+12.4%``; "" where there is none to tell
    :param before: the value of the range before, "" where there is none
    :param mood: whether the change is good news; "" where it is neither
    :param warning: why the number itself needs a look; may be ""
    """

    measure: Measure
    value: str
    note: str
    change: str
    before: str
    mood: Literal["good", "bad", ""]
    warning: str = ""


def totals(now: Row, before: Row | None, fair_pay: float, *, whole: bool = True) -> list[Total]:
    """Return the totals of a range.

    :param now: measures of the range by name; what it does not name has no value
    :param before: those of the range before, or None where no day of it has a report
    :param fair_pay: dollars per paid hour below which there is a warning
    :param whole: whether both ranges have every day; otherwise only shares and rates are compared, as a count
        of fewer days is smaller by itself
    """
    return [
        _total(MEASURES[name], now, before if whole or name not in _GROWING else None, fair_pay)
        for name in TOTALS
    ]


def _total(measure: Measure, now: Row, before: Row | None, fair_pay: float) -> Total:
    value, earlier = _value(now, measure.name), _value(before or {}, measure.name)
    change, mood = _change(measure, value, earlier)
    low_pay = measure.name == "hourly_pay" and value is not None and value < fair_pay
    return Total(
        measure,
        value=shown(measure.name, value),
        note=_note(measure.name, now),
        change=change,
        before="" if earlier is None else shown(measure.name, earlier),
        mood=mood,
        warning=f"below the fair pay of {formats.dollars(fair_pay)}" if low_pay else "",
    )


def _value(row: Row, name: str) -> float | None:
    value = row.get(name)
    return None if formats.missing(value) else float(value)  # type: ignore[arg-type]


def _change(
    measure: Measure, value: float | None, before: float | None
) -> tuple[str, Literal["good", "bad", ""]]:
    if value is None or before is None:
        return "", ""
    difference = value - before
    if not measure.in_points and before == 0:
        return ("no change", "") if difference == 0 else ("", "")
    size = difference if measure.in_points else difference / before
    if abs(size) < _SAME:
        return "no change", ""
    text = f"{abs(size) * 100:,.1f}" + (" points" if measure.in_points else "%")
    if not measure.in_points and size >= _MANY_TIMES:
        text = f"{size + 1:,.0f}\u00d7"
    if not measure.better:
        return formats.signed(difference, text), ""
    return formats.signed(difference, text), "good" if (difference > 0) == (
        measure.better == "more"
    ) else "bad"


def _note(name: str, row: Row) -> str:
    parts = {
        "submitted": (("returned", "{} returned"), ("declined", "{} declined")),
        "seconds_per_task": (("seconds_median", "median {}"), ("seconds_p90", "90th percentile {}")),
        "agreement": (("judged", "of {} judged"),),
        "gold_score": (("gold_seen", "of {} with a known answer"),),
        "hourly_pay": (("earned_cents", "{} earned"),),
        "cost_per_label": (("settled_labels", "{} settled"),),
        "machine_share": (("machine_labels", "{} by machine"), ("human_labels", "{} by people")),
    }
    if name == "accuracy":
        return interval(row)
    said = [
        text.format(_small(measure, row))
        for measure, text in parts.get(name, ())
        if _value(row, measure) is not None
    ]
    return ", ".join(said)


def _small(measure: str, row: Row) -> str:
    value = _value(row, measure)
    return shown(measure, value) if measure in MEASURES else formats.count(value)


def interval(row: Row) -> str:
    """Return the 90 % interval of the accuracy in words, "" where there is none."""
    low, high = _value(row, "accuracy_low"), _value(row, "accuracy_high")
    if low is None or high is None:
        return ""
    return f"90% sure: {formats.share(low)} to {formats.share(high)}"
