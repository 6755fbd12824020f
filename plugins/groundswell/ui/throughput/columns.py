"""The measures that the page's tables and totals show, what they are called, and how values are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from groundswell.reports.html import formats

Better = Literal["more", "less", ""]


@dataclass(frozen=True)
class Measure:
    """A measure as people read it.

    :param name: its column in the reports
    :param heading: of a column of a table
    :param title: of a total
    :param form: writes a value; no value is a dash
    :param better: whether more or less of it is good news, "" where it is neither
    :param in_points: a difference is said in percentage points, not as a share
    """

    name: str
    heading: str
    title: str
    form: Callable[[Any], str]
    better: Better = ""
    in_points: bool = False


_MEASURES = (
    Measure("submitted", "Submitted", "Tasks submitted", formats.count),
    Measure("accepted", "Accepted", "Tasks accepted", formats.count),
    Measure("returned", "Returned", "Tasks returned", formats.count, "less"),
    Measure("declined", "Declined", "Tasks declined", formats.count, "less"),
    Measure("active_workers", "Workers", "Active workers", formats.count),
    Measure("active_seconds", "Active time", "Active time", formats.duration),
    Measure("seconds_per_task", "Time per\u00a0task", "Time per task", formats.seconds),
    Measure("seconds_median", "Median time", "Median time per task", formats.seconds),
    Measure("seconds_p90", "90th percentile", "90th percentile of time", formats.seconds),
    Measure("tasks_per_hour", "Tasks per\u00a0hour", "Tasks per hour", formats.rate),
    Measure("agreement", "Agreement", "Agreement", formats.share, "more", in_points=True),
    Measure("accuracy", "Accuracy", "Estimated accuracy", formats.share, "more", in_points=True),
    Measure("gold_score", "Gold score", "Gold score", formats.share, "more", in_points=True),
    Measure("earned_cents", "Earned", "Earned by workers", formats.cents),
    Measure("cost_cents", "Cost", "Cost, fees included", formats.cents),
    Measure("hourly_pay", "Pay per\u00a0hour", "Pay per hour", formats.dollars, "more"),
    Measure("settled_labels", "Settled labels", "Settled labels", formats.count),
    Measure("cost_per_label", "Cost per\u00a0label", "Cost per label", formats.dollars, "less"),
    Measure("human_labels", "Labels by people", "Labels by people", formats.count),
    Measure("machine_labels", "Labels by machine", "Labels by machine", formats.count),
    Measure("machine_share", "By machine", "Labels by machine", formats.share, in_points=True),
)

MEASURES: Mapping[str, Measure] = {measure.name: measure for measure in _MEASURES}

#: The totals on top, in order; what each is followed by in small print is in ``totals.py``.
TOTALS = (
    "submitted",
    "active_workers",
    "active_seconds",
    "seconds_per_task",
    "tasks_per_hour",
    "agreement",
    "accuracy",
    "gold_score",
    "hourly_pay",
    "cost_cents",
    "cost_per_label",
    "machine_share",
)

_SHOWN = (
    "submitted",
    "active_seconds",
    "seconds_per_task",
    "seconds_median",
    "seconds_p90",
    "tasks_per_hour",
    "agreement",
    "accuracy",
    "gold_score",
    "hourly_pay",
    "earned_cents",
)
_COST = ("cost_cents", "cost_per_label")
_MACHINE = ("machine_share",)
_GIVEN_UP = ("returned", "declined")


@dataclass(frozen=True)
class Listing:
    """A table of the page: one row per value of a key.

    :param name: in the address
    :param keys: the columns of the reports that make a row
    :param measures: its other columns
    :param order: how it is sorted unless the address says so
    :param title: its caption
    """

    name: str
    title: str
    keys: tuple[str, ...]
    headings: tuple[str, ...]
    measures: tuple[str, ...]
    order: str = "-submitted"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns by which it can be sorted."""
        return (*self.keys, *self.measures)


LISTINGS: Mapping[str, Listing] = {
    listing.name: listing
    for listing in (
        Listing(
            "teams", "Teams", ("team", "source"), ("Team", "Source"), ("active_workers", *_SHOWN, *_COST)
        ),
        Listing(
            "jobs",
            "Jobs",
            ("job", "task_type"),
            ("Job", "Task type"),
            ("active_workers", *_SHOWN, *_COST, *_MACHINE, *_GIVEN_UP),
        ),
        Listing("workers", "Workers", ("worker", "team"), ("Worker", "Team"), (*_SHOWN, *_GIVEN_UP)),
        Listing(
            "days", "Days", ("day",), ("Day",), ("active_workers", *_SHOWN, *_COST, *_GIVEN_UP), order="-day"
        ),
    )
}
#: What the sources of the reports are called, and by what name the address knows them.
SOURCE_WORDS: Mapping[str, tuple[str, str]] = {
    "worker_activity": ("Private team", "private"),
    "ledger": ("Public workforce", "public"),
}
#: Rows of a table that are shown at once.
PAGE_SIZE = 25


def shown(measure: str, value: Any) -> str:
    """Write a value of a measure for people."""
    return MEASURES[measure].form(None if formats.missing(value) else value)
