"""What the events of a plan must add up to, so that reports can be checked against it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from localcloud.teams.lines import (
    ACCEPTED,
    AHEAD,
    DAY_MS,
    DECLINED,
    MALFORMED,
    NONE,
    RETURNED,
    SKEWED,
    SUBMITTED,
    UNKNOWN,
    Lines,
)
from localcloud.teams.plan import Plan
from localcloud.teams.simulation import Account, Simulation, start_ms
from localcloud.teams.work import Bools, Floats, Ints

_QUARTER = 900  # seconds; every time zone of today is off UTC by a multiple


@dataclass
class Row:
    """What one worker did in one job on one day of the time zone.

    ``accepted`` to ``declined`` count distinct readable log lines; ``seconds`` adds up submission minus
    acceptance, in whole seconds, of the ``timed`` submissions for which this is known (a skewed clock
    leaves it unknown). ``active_seconds`` is the time at work, without pauses, of the submissions that
    were counted. What starts with ``metric_`` is what reached CloudWatch's metrics.
    """

    accepted: int = 0
    submitted: int = 0
    returned: int = 0
    declined: int = 0
    timed: int = 0
    seconds: int = 0
    active_seconds: float = 0.0
    metric_accepted: int = 0
    metric_submitted: int = 0
    metric_returned: int = 0
    metric_declined: int = 0
    metric_seconds: float = 0.0

    def add(self, other: Row) -> None:
        """Add another row."""
        for name in (f.name for f in fields(Row)):
            setattr(self, name, getattr(self, name) + getattr(other, name))


Key = tuple[date, str, str, str, str]
"""Day, team, labeling job, task type, sub of the worker."""


@dataclass
class Truth:
    """The rows, how many lines were delivered, and how many of them were odd and how.

    ``problems`` counts lines by kind: duplicates, late, malformed, unknown_type, clock_ahead, clock_skew.
    A duplicate is counted as such only.
    """

    rows: dict[Key, Row] = field(default_factory=lambda: defaultdict(Row))
    lines: int = 0
    problems: Counter[str] = field(default_factory=Counter)

    def totals(self, *, by: Callable[[Key], object] = lambda _key: "all") -> dict[object, Row]:
        """Return the rows added up by what ``by`` makes of their keys."""
        totals: dict[object, Row] = defaultdict(Row)
        for key, row in self.rows.items():
            totals[by(key)].add(row)
        return dict(totals)


def truth_of(plan: Plan, zone: str = "UTC", account: Account | None = None) -> Truth:
    """Return what `simulate` of the same plan and account adds up to; days are those of ``zone``."""
    simulation = Simulation(plan, account)
    truth = Truth()
    begin, end = start_ms(plan.first), start_ms(plan.last) + DAY_MS
    for lines in simulation.touching(plan.first, plan.last):
        here = (lines.at * 1000 >= begin) & (lines.at * 1000 < end)
        delivered = here & (lines.logged_ms < end)
        _count_problems(truth, lines.where(delivered))
        for key, row in _rows(simulation, lines, here, delivered, ZoneInfo(zone)):
            truth.rows[key].add(row)
    truth.rows = dict(sorted(truth.rows.items()))
    return truth


def _count_problems(truth: Truth, lines: Lines) -> None:
    truth.lines += len(lines)
    first = lines.copy == 0
    found = {
        "duplicates": ~first,
        "malformed": first & (lines.fault == MALFORMED),
        "unknown_type": first & (lines.kind == UNKNOWN),
        "clock_ahead": first & (lines.fault == AHEAD),
        "clock_skew": first & (lines.fault == SKEWED),
        "late": first & (lines.logged_ms - lines.at * 1000 > DAY_MS // 8),
    }
    truth.problems.update({kind: int(chosen.sum()) for kind, chosen in found.items()})


def _rows(
    simulation: Simulation, lines: Lines, here: Bools, delivered: Bools, zone: ZoneInfo
) -> Iterator[tuple[Key, Row]]:
    tasks = lines.tasks
    real = (lines.copy == 0) & (lines.kind != UNKNOWN)
    chosen = lines.where(here & real)
    if not len(chosen):
        return
    readable = (delivered & np.isin(lines.fault, [NONE, SKEWED]))[here & real]
    keys = np.stack([_days(chosen.at, zone), tasks.worker[chosen.task], tasks.job[chosen.task]])
    groups, member = np.unique(keys, axis=1, return_inverse=True)
    add = partial(_added, member.reshape(-1), groups.shape[1])
    submitted = chosen.kind == SUBMITTED
    timed = readable & submitted & (chosen.fault == NONE)
    seconds = chosen.at - tasks.accepted_ms[chosen.task] // 1000
    spent = tasks.active_ms[chosen.task] / 1000
    columns = {
        "timed": add(timed),
        "seconds": add(timed, seconds),
        "active_seconds": add(readable & submitted, spent),
        "metric_seconds": add((chosen.untimed == 0) & submitted, spent),
    }
    for kind, name in (
        (ACCEPTED, "accepted"),
        (SUBMITTED, "submitted"),
        (RETURNED, "returned"),
        (DECLINED, "declined"),
    ):
        columns[name] = add(readable & (chosen.kind == kind))
        columns[f"metric_{name}"] = add((chosen.missed == 0) & (chosen.kind == kind))
    for place, (ordinal, worker, job) in enumerate(groups.T.tolist()):
        values: dict[str, Any] = {
            name: round(float(column[place]), 3) if name.endswith("_seconds") else int(column[place])
            for name, column in columns.items()
        }
        plan_job = simulation.plan.jobs[job]
        key = (
            date.fromordinal(ordinal),
            lines.team,
            plan_job.name_on(tasks.day),
            plan_job.task_type,
            simulation.person(worker).sub,
        )
        yield key, Row(**values)


def _added(member: Ints, size: int, chosen: Bools, values: Ints | Floats | None = None) -> Floats:
    weights = chosen.astype(np.float64) if values is None else np.where(chosen, values, 0.0)
    return np.bincount(member, weights=weights, minlength=size).astype(np.float64)


def _days(at: Ints, zone: ZoneInfo) -> Ints:
    """Return the dates of ``zone`` (days since year 1) of epoch seconds."""
    quarters, member = np.unique(at // _QUARTER, return_inverse=True)
    ordinals = [
        datetime.fromtimestamp(quarter * _QUARTER, UTC).astimezone(zone).date().toordinal()
        for quarter in quarters.tolist()
    ]
    return np.array(ordinals, np.int64)[member.reshape(-1)]
