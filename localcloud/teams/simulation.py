"""A plan as events: what a private workforce leaves in CloudWatch, without any network.

``simulate(plan)`` gives, in the order of delivery, exactly the log events that a play of the plan puts
into an empty account; `truth_of` in `localcloud.teams.truth` says what they must add up to. Memory is
bounded by a few days of work, however many days there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from heapq import merge

import numpy as np

from localcloud.teams.lines import DAY_MS, SUBMITTED, Event, Lines, Writer, lines_of
from localcloud.teams.people import Person, people_of
from localcloud.teams.plan import Plan, Team
from localcloud.teams.work import Ints, span_ms, work_of

_NEVER = np.empty(0, np.int64)
ACCOUNT, REGION, POOL = "000000000000", "us-east-1", "us-east-1_EXAMPLE01"


@dataclass(frozen=True)
class Account:
    """Where a plan is played: what only the account can say. ``subs`` are Cognito's ids by user name."""

    account: str = ACCOUNT
    region: str = REGION
    pool_id: str = POOL
    subs: Mapping[str, str] | None = None


class Simulation:
    """A plan in an account. A day is a date in UTC; what happens on one never depends on the others."""

    def __init__(self, plan: Plan, account: Account | None = None) -> None:
        self.plan = plan
        self.account = account or Account()
        self._lines: dict[tuple[date, str], Lines] = {}
        self._submitted: dict[tuple[date, str], dict[int, Ints]] = {}

    @cached_property
    def people(self) -> tuple[Person, ...]:
        """The workers."""
        return people_of(self.plan, dict(self.account.subs or {}))

    @cached_property
    def writer(self) -> Writer:
        """What writes the messages."""
        account = self.account
        return Writer(self.plan, self.people, account.account, account.region, account.pool_id)

    def work(self, day: date, team: Team) -> Lines:
        """Return the lines about a team's work of one date of its calendar."""
        if (day, team.name) not in self._lines:
            keep = self.plan.oddities.late_days + 3
            for old in [key for key in self._lines if abs((key[0] - day).days) > keep]:
                del self._lines[old]
            members = [person for person in self.people if person.team == team]
            tasks = work_of(self.plan, members, day)
            self._lines[day, team.name] = lines_of(self.plan, members, tasks)
        return self._lines[day, team.name]

    def person(self, number: int) -> Person:
        """Return a worker by number."""
        return self.people[number]

    def submissions(self, day: date, team: Team, job: int) -> Ints:
        """Return when the team submitted tasks of a job on one date of its calendar, in epoch seconds."""
        key = (day, team.name)
        if key not in self._submitted:
            lines = self.work(day, team)
            chosen = lines.where((lines.kind == SUBMITTED) & (lines.copy == 0))
            jobs = lines.tasks.job[chosen.task]
            self._submitted[key] = {int(n): chosen.at[jobs == n] for n in np.unique(jobs)}
        return self._submitted[key].get(job, _NEVER)

    def touching(self, first: date, last: date) -> Iterator[Lines]:
        """Return the lines of all dates whose work may be on the days from ``first`` to ``last``."""
        begin, end = start_ms(first), start_ms(last) + DAY_MS
        for team in self.plan.teams:
            for number in range(-1, (last - first).days + 2):
                day = first + timedelta(days=number)
                low, high = span_ms(team, day)
                if low < end and high >= begin:
                    yield self.work(day, team)

    def delivered(self, day: date, since: date, until_ms: int | None = None) -> Iterator[Event]:
        """Return the events that are delivered on a day, in order.

        Late ones are among them when they are about ``since`` or later. ``until_ms`` cuts the day off.
        """
        start = start_ms(day)
        end = start + DAY_MS if until_ms is None else min(start + DAY_MS, until_ms)
        chosen = []
        for lines in self.touching(max(since, day - timedelta(days=self.plan.oddities.late_days)), day):
            logged = lines.logged_ms
            here = (logged >= start) & (logged < end) & (lines.at * 1000 >= start_ms(since))
            if here.any():
                chosen.append(self.writer.events(lines.where(here)))
        return merge(*chosen, key=lambda event: event.timestamp_ms)


def simulate(plan: Plan, account: Account | None = None) -> Iterator[Event]:
    """Return the log events of a plan's days, in the order of delivery.

    Raises PlanError when the plan does not say until when.
    """
    simulation = Simulation(plan, account)
    for day in days_of(plan):
        yield from simulation.delivered(day, plan.first)


def days_of(plan: Plan) -> list[date]:
    """Return the days of a plan."""
    return [plan.first + timedelta(days=n) for n in range(plan.days)]


def start_ms(day: date) -> int:
    """Return when a day begins in UTC, in milliseconds since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
