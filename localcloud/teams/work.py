"""What the workers of a plan do on one date of their calendars: sessions, and tasks in them.

All is seeded by plan, worker and date, so that a day does not depend on which days are asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import numpy.typing as npt

from localcloud.teams.people import Person, dropping, zone_of
from localcloud.teams.plan import WEEKDAYS, Job, Plan, Team

SUBMITTED, RETURNED, DECLINED, ABANDONED = range(4)
_ABANDON_RATE = 0.002
_LUNCH = timedelta(minutes=45)
_SHORTEST_MS, _GAP_MS = 700, 300
"""Together a second: no worker accepts two tasks in one, which no log of whole seconds could tell apart."""
_THURSDAY = 3
_EARLY_S = 1200.0

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Tasks:
    """The tasks of one date, as columns of equal length.

    ``worker`` and ``job`` are numbers of the plan's people and jobs; times are milliseconds since the
    epoch; ``outcome`` is one of SUBMITTED, RETURNED, DECLINED, ABANDONED (accepted, never ended);
    ``active_ms`` is the time at work, pauses left out.
    """

    day: date
    worker: Ints
    job: Ints
    accepted_ms: Ints
    ended_ms: Ints
    outcome: Ints
    active_ms: Ints

    def __len__(self) -> int:
        return len(self.worker)


def work_of(plan: Plan, people: Sequence[Person], day: date) -> Tasks:
    """Return the tasks of ``people``, who are some of the plan's, on a date of their calendars."""
    numbers = {job.name: number for number, job in enumerate(plan.jobs)}
    dropped = dropping(plan, (day.toordinal() - 1) // 7) if day.weekday() >= _THURSDAY else frozenset()
    sessions = [
        session
        for person in people
        for session in _sessions(plan, person, day, 0.08 if person.number in dropped else 1.0, numbers)
    ]
    columns = [np.concatenate(parts) for parts in zip(*sessions, strict=True)] if sessions else _NOTHING
    return Tasks(day, *columns)


_NOTHING = [np.empty(0, np.int64)] * 6


def span_ms(team: Team, day: date) -> tuple[int, int]:
    """Return between which times the team's work of a date is, in milliseconds since the epoch."""
    zone = zone_of(team)
    start, end = (datetime.combine(day, clock, zone).timestamp() for clock in (team.start, team.end))
    return int((start - _EARLY_S) * 1000), int(end * 1000)


def _sessions(
    plan: Plan, person: Person, day: date, share: float, numbers: dict[str, int]
) -> list[Sequence[Ints]]:
    team = person.team
    rng = np.random.default_rng(
        [plan.seed, 3, zlib.crc32(team.name.encode()), person.number, day.toordinal()]
    )
    on_duty = WEEKDAYS[day.weekday()] in team.days
    if rng.random() >= ((1 - team.absent) if on_duty else team.weekend):
        return []
    minutes = team.labelling * person.stamina * float(rng.lognormal(0, 0.15)) * share
    found: list[Sequence[Ints]] = []
    for start, room in _slots(person, day, int(rng.integers(2, 5)), rng):
        name = team.jobs[int(rng.integers(len(team.jobs)))]
        job = plan.job_of[name]
        columns = _tasks(person, job, start, min(room, minutes / 3), rng)
        count = len(columns[0])
        found.append((np.full(count, person.number), np.full(count, numbers[name]), *columns))
    return found


def _slots(person: Person, day: date, count: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return when sessions start (seconds since the epoch) and how long they may last; none over lunch."""
    team = person.team
    zone = zone_of(team)
    start = datetime.combine(day, team.start, zone).timestamp()
    start += float(np.clip(rng.normal(0, 420), -_EARLY_S, _EARLY_S))
    end = datetime.combine(day, team.end, zone).timestamp()
    noon = (start + end) / 2
    morning = (start, noon - _LUNCH.total_seconds() / 2)
    afternoon = (noon + _LUNCH.total_seconds() / 2, end)
    slots = []
    for (low, high), pieces in ((morning, (count + 1) // 2), (afternoon, count // 2)):
        width = (high - low) / max(pieces, 1)
        for piece in range(pieces):
            begin = low + piece * width + float(rng.uniform(0, 0.4)) * width
            slots.append((begin, low + (piece + 1) * width - begin - 60))
    return slots


def _tasks(
    person: Person, job: Job, start: float, seconds: float, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return accepted_ms, ended_ms, outcome and active_ms of one session."""
    median = job.median * person.speed
    count = int(1.5 * seconds / (median + 1)) + 8
    active: Floats = median * np.exp(rng.normal(0, job.spread * person.evenness, count))
    chance = rng.random(count)
    limits = np.cumsum([job.decline_rate * person.care, job.return_rate * person.care, _ABANDON_RATE])
    outcome = np.select([chance < limit for limit in limits], [DECLINED, RETURNED, ABANDONED], SUBMITTED)
    active *= np.choose(outcome, [1.0, 0.6, 0.25, 0.5])
    active_ms = np.maximum((active * 1000).astype(np.int64), _SHORTEST_MS)
    paused = np.where(rng.random(count) < job.pause_rate, rng.exponential(150_000, count), 0).astype(np.int64)
    gaps = _GAP_MS + rng.exponential(900, count).astype(np.int64)
    ends = int(start * 1000) + np.cumsum(active_ms + paused + gaps)
    accepted_ms = ends - active_ms - paused
    kept = ends <= int((start + seconds) * 1000)
    return accepted_ms[kept], ends[kept], outcome[kept].astype(np.int64), active_ms[kept]
