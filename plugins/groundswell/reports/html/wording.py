"""What measures, sources and findings are called in reports, and how their values are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from groundswell.reports import schema
from groundswell.reports.html import formats

Form = Callable[[float | None], str]


@dataclass(frozen=True)
class Measure:
    """How a measure is shown.

    :param label: in headings of columns and tiles.
    :param group: the heading over its column.
    :param form: writes a value as it is in the tables.
    """

    label: str
    group: str
    form: Form


_SHOWN = {
    "submitted": Measure("Submitted", "Tasks", formats.count),
    "accepted": Measure("Accepted", "Tasks", formats.count),
    "returned": Measure("Returned", "Tasks", formats.count),
    "declined": Measure("Declined", "Tasks", formats.count),
    "active_seconds": Measure("Active time", "Time", formats.duration),
    "active_tasks": Measure("Tasks in active time", "Time", formats.count),
    "active_by_events": Measure("Active time by events", "Time", formats.duration),
    "seconds_total": Measure("Time from accept to submit", "Time", formats.duration),
    "seconds_median": Measure("Median per task", "Time", formats.seconds),
    "seconds_p90": Measure("90% within", "Time", formats.seconds),
    "seconds_per_task": Measure("Active per task", "Time", formats.seconds),
    "tasks_per_hour": Measure("Tasks per hour", "Time", formats.rate),
    "judged": Measure("Judged", "Quality", formats.count),
    "agreed": Measure("Agreed", "Quality", formats.count),
    "agreement": Measure("Agreement", "Quality", formats.share),
    "right_expected": Measure("Expected right", "Quality", formats.count),
    "accuracy": Measure("Accuracy (est.)", "Quality", formats.share),
    "gold_seen": Measure("Known items seen", "Quality", formats.count),
    "gold_right": Measure("Known items right", "Quality", formats.count),
    "gold_score": Measure("Gold score", "Quality", formats.share),
    "rejected": Measure("Rejected", "Quality", formats.count),
    "unreadable": Measure("Unreadable", "Quality", formats.count),
    "earned_cents": Measure("Earned", "Money", formats.cents),
    "hourly_pay": Measure("Pay per hour", "Money", formats.dollars),
    "pay_seconds": Measure("Time paid for", "Money", formats.duration),
    "pay_cents": Measure("Earned in that time", "Money", formats.cents),
    "cost_cents": Measure("Cost", "Money", formats.cents),
    "cost_per_label": Measure("Cost per label", "Money", formats.dollars),
    "settled_labels": Measure("Settled labels", "Labels", formats.count),
    "human_labels": Measure("By people", "Labels", formats.count),
    "machine_labels": Measure("By machine", "Labels", formats.count),
    "machine_share": Measure("Machine share", "Labels", formats.share),
    "workers": Measure("Workers", "Tasks", formats.count),
}

SOURCES = {
    "worker_activity": "Private teams (activity log)",
    "ledger": "Own runs (ledgers)",
    "workteam": "Metrics of work teams",
    "labeling_jobs": "Labeling jobs",
    "cognito": "Directory of workers",
}

KINDS = {
    "too_fast": "Too fast",
    "too_uniform": "Too uniform",
    "same_answers": "Same answers",
    "sudden_drop": "Sudden drop",
    "agreement_drop": "Agreement fell",
    "low_agreement": "Low agreement",
    "low_pay": "Low pay",
}

SEVERITIES = ("error", "high", "warning", "medium", "notice", "low", "info")
"""From what to look at first to what can wait."""


def measure(name: str) -> Measure:
    """Return how a measure is shown; one that is not known here is a plain number under its own name."""
    return _SHOWN.get(name) or Measure(name.replace("_", " ").capitalize(), "More", formats.count)


def shown(name: str, row: Mapping[str, Any]) -> str:
    """Write the value of a measure in a row of a table."""
    return measure(name).form(value(name, row))


def interval(name: str, row: Mapping[str, Any]) -> str:
    """Write the interval of a measure that has one, such as ``93 to 95%``."""
    low, high = value(f"{name}_low", row), value(f"{name}_high", row)
    return "" if low is None or high is None else f"{100 * low:.0f} to {100 * high:.0f}%"


def value(name: str, row: Mapping[str, Any]) -> float | None:
    """Return the value of a measure in a row as it is in the tables, or None."""
    found = row.get(name)
    return None if formats.missing(found) or isinstance(found, str) or found is None else float(found)


def source(name: str) -> str:
    """Return what a source is called."""
    return SOURCES.get(name, formats.clean(name.replace("_", " "))) or "Source not named"


def kind(name: str) -> str:
    """Return what a finding is called."""
    return KINDS.get(name, formats.clean(name.replace("_", " ")).capitalize())


def urgency(severity: str) -> int:
    """Return the place of a severity: 0 is first."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def many(number: float, one: str, several: str = "") -> str:
    """``1 worker``, ``40 workers``."""
    return f"{formats.count(number)} {one if number == 1 else several or one + 's'}"


def listed(names: list[str], most: int = 6) -> str:
    """``a, b and c``; the rest is counted."""
    names = [formats.clean(name, 60) for name in names]
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def definitions() -> list[dict[str, str]]:
    """Return every measure with its meaning, formula and unit, in the order of the tables."""
    return [
        {
            "label": measure(column.name).label,
            "name": column.name,
            "meaning": column.meaning,
            "formula": column.formula,
            "unit": {"s": "seconds"}.get(column.unit, column.unit),
        }
        for column in schema.MEASURES
        if not column.parquet_only
    ]
