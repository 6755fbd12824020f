"""AWS's own example of worker metrics: 14 submitted tasks, 2.28 minutes in total, 9.78 seconds per task."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import numpy as np

from localcloud.teams.lines import Lines, lines_of
from localcloud.teams.plan import Job, Oddities, Plan, Team
from localcloud.teams.simulation import Simulation
from localcloud.teams.work import SUBMITTED, Tasks

SECONDS = (7.31, 12.04, 8.56, 9.92, 6.47, 14.83, 10.20, 8.11, 9.35, 11.76, 7.88, 10.64, 8.95, 10.90)
"""136.92 in all. Rounded as whole seconds in the log they are 137."""
_STARTS = time(16, 0, 59)
_BREAK_MS = 3000


class _ExampleJob(Job):
    def name_on(self, day: date) -> str:
        return self.name

    def first_day(self, day: date) -> date:
        return day - timedelta(days=1)


class Example(Simulation):
    """The example as a simulation: nothing goes wrong, and the last day alone has work."""

    def work(self, day: date, team: Team) -> Lines:
        """Return the example's lines on the last day, none on others."""
        count = len(SECONDS) if day == self.plan.last else 0
        active = np.array([round(second * 1000) for second in SECONDS[:count]], np.int64)
        # half a second past, so that whole seconds are rounded ones
        start = int(datetime.combine(day, _STARTS, UTC).timestamp()) * 1000 + 500
        accepted = (
            start + (np.cumsum(-(-active // 1000)) - -(-active // 1000)) * 1000 + np.arange(count) * _BREAK_MS
        )
        zeros = np.zeros(count, np.int64)
        tasks = Tasks(day, zeros, zeros, accepted, accepted + active, zeros + SUBMITTED, active)
        return lines_of(self.plan, self.people, tasks)


def example_plan(until: date) -> Plan:
    """Return the plan of the example, on one day."""
    nothing = Oddities(
        duplicates=0,
        late=0,
        malformed=0,
        unknown_type=0,
        clock_ahead=0,
        clock_skew=0,
        deleted=0,
        too_fast=0,
        too_uniform=0,
        sudden_drop=0,
        missed_metrics=0,
    )
    return Plan(
        name="example",
        seed=14,
        days=1,
        until=until,
        teams=(Team(name="Sample-labeling-team", workers=1, jobs=("metrics-demo",)),),
        jobs=(_ExampleJob(name="metrics-demo", task_type="image-classification", median=9.78),),
        oddities=nothing,
    )
