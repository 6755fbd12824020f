"""The log lines that Ground Truth writes about the work of one date, with what goes wrong with them.

Group, stream and fields are those of "Track Private Worker Performance" (Amazon SageMaker developer
guide). Its sample shows ``TasksSubmitted``; the names of the other event types follow the metrics'.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np

from localcloud.teams.people import Person
from localcloud.teams.plan import Plan
from localcloud.teams.work import ABANDONED, Bools, Ints, Tasks

LOG_GROUP = "/aws/sagemaker/groundtruth/WorkerActivity"
ACCEPTED, SUBMITTED, RETURNED, DECLINED, UNKNOWN = range(5)
KINDS = ("accepted", "submitted", "returned", "declined", "unknown")
EVENT_TYPES = ("TasksAccepted", "TasksSubmitted", "TasksReturned", "TasksDeclined", "TasksSkipped")
DAY_MS = 86_400_000
_CHUNK = 20_000
AHEAD_S = 365 * 86_400
"""How far ahead a clock is that is ahead: no report may take such a line for work of its day."""

NONE, SKEWED, AHEAD, MALFORMED = range(4)
FAULTS = ("", "clock_skew", "clock_ahead", "malformed")
MALFORMATIONS = (
    "truncated",
    "not JSON",
    "no event_type",
    "time in ISO 8601",
    "no labeling_job_arn",
    "an array",
)


class Event(NamedTuple):
    """One log event as it was delivered.

    ``timestamp_ms`` is CloudWatch's, ``message`` the text of the line. The rest is what the simulation
    knows about it: ``kind`` of `KINDS`; ``at`` and ``accepted_at`` in epoch seconds, as they truly were;
    ``fault`` of `FAULTS`; ``copy`` marks the second delivery of the same line.
    """

    timestamp_ms: int
    message: str
    kind: str
    at: int
    accepted_at: int
    worker: str
    team: str
    job: str
    task_type: str
    fault: str
    copy: bool


_WHOLE = ("tasks", "team")


@dataclass(frozen=True)
class Lines:
    """The lines about a team's work of one date, as columns, in the order of delivery.

    ``task`` is the row of the task; ``kind`` of `KINDS`; ``at`` epoch seconds; ``logged_ms`` when the
    line is delivered; ``fault`` of `FAULTS`; ``copy`` 1 for second deliveries; ``shift`` seconds that the
    worker's clock is wrong by; ``missed`` 1 where no count reaches the metrics, ``untimed`` 1 where the
    time spent does not.
    """

    tasks: Tasks
    team: str
    task: Ints
    kind: Ints
    at: Ints
    logged_ms: Ints
    fault: Ints
    copy: Ints
    shift: Ints
    missed: Ints
    untimed: Ints

    def __len__(self) -> int:
        return len(self.task)

    def where(self, chosen: Bools | Ints) -> Lines:
        """Return some of the lines."""
        columns = {name: value[chosen] for name, value in vars(self).items() if name not in _WHOLE}
        return Lines(self.tasks, self.team, **columns)


def lines_of(plan: Plan, people: Sequence[Person], tasks: Tasks) -> Lines:
    """Return the lines about the tasks of one date, which are those of ``people``."""
    odd = plan.oddities
    rng = np.random.default_rng([plan.seed, 4, people[0].number, tasks.day.toordinal()])
    ended = np.flatnonzero(tasks.outcome != ABANDONED)
    task = np.concatenate([np.arange(len(tasks)), ended])
    kind = np.concatenate([np.zeros(len(tasks), np.int64), tasks.outcome[ended] + 1])
    skipped = np.flatnonzero(rng.random(len(tasks)) < odd.unknown_type)
    task, kind = np.concatenate([task, skipped]), np.concatenate([kind, np.full(len(skipped), UNKNOWN)])
    ended_at = (kind != ACCEPTED) & (kind != UNKNOWN)
    at = np.where(ended_at, tasks.ended_ms[task], tasks.accepted_ms[task]) // 1000
    count = len(task)
    delay = 200 + rng.exponential(1500, count).astype(np.int64)
    late = rng.random(count) < odd.late
    delay[late] += rng.integers(DAY_MS // 4, odd.late_days * DAY_MS, int(late.sum()))
    fault, shift = _faults(plan, people, tasks, task, kind, rng)
    lines = Lines(
        tasks,
        people[0].team.name,
        task,
        kind,
        at,
        at * 1000 + delay,
        fault,
        np.zeros(count, np.int64),
        shift,
        (rng.random(count) < odd.missed_metrics).astype(np.int64),
        (rng.random(count) < odd.missed_metrics).astype(np.int64),
    )
    return _with_copies(lines, odd.duplicates, rng)


def _faults(
    plan: Plan, people: Sequence[Person], tasks: Tasks, task: Ints, kind: Ints, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    skewed = np.isin(tasks.worker[task], [p.number for p in people if "clock_skew" in p.oddities])
    chance = rng.random(len(task))
    fault = np.where(skewed & (kind == SUBMITTED) & (chance < 0.3), SKEWED, NONE)
    chance = rng.random(len(task))
    limits = np.cumsum([plan.oddities.malformed, plan.oddities.clock_ahead])
    fault = np.where(chance < limits[0], MALFORMED, np.where(chance < limits[1], AHEAD, fault))
    fault[kind == UNKNOWN] = NONE
    # a skewed clock puts the acceptance after the submission, by up to five minutes
    shift = rng.integers(30, 300, len(task)) * (fault == SKEWED) + AHEAD_S * (fault == AHEAD)
    return fault.astype(np.int64), shift


def _with_copies(lines: Lines, rate: float, rng: np.random.Generator) -> Lines:
    copied = np.flatnonzero(rng.random(len(lines)) < rate)
    order = np.concatenate([np.arange(len(lines)), copied])
    both = lines.where(order)
    both.copy[len(lines) :] = 1
    both.logged_ms[len(lines) :] += rng.integers(1_000, 3_600_000, len(copied))
    return both.where(np.lexsort((both.copy, both.at, both.task, both.logged_ms)))


Fixed = tuple[str, str, str, str, str, str]
"""Message up to the times, message after them, and the sub, team, job and task type of the event."""


class Writer:
    """Writes lines as Ground Truth does."""

    def __init__(self, plan: Plan, people: Sequence[Person], account: str, region: str, pool_id: str) -> None:
        self._plan = plan
        self._people = people
        self._arn = f"arn:aws:sagemaker:{region}:{account}"
        self._account = account
        self._pool_id = pool_id

    def events(self, lines: Lines) -> Iterator[Event]:
        """Return the events of one date, in the order of the lines."""
        fixed = self._fixed_parts(lines.tasks.day)
        for start in range(0, len(lines), _CHUNK):  # columns become lists of objects, which are large
            yield from self._events(lines.where(np.arange(start, min(start + _CHUNK, len(lines)))), fixed)

    def _events(self, lines: Lines, fixed: Callable[[int, int], Fixed]) -> Iterator[Event]:
        tasks = lines.tasks
        columns = zip(
            tasks.worker[lines.task].tolist(),
            tasks.job[lines.task].tolist(),
            lines.kind.tolist(),
            lines.at.tolist(),
            (tasks.accepted_ms[lines.task] // 1000).tolist(),
            lines.logged_ms.tolist(),
            lines.fault.tolist(),
            lines.copy.tolist(),
            lines.shift.tolist(),
            strict=True,
        )
        for worker, job, kind, at, accepted, logged, fault, copy, shift in columns:
            known = fixed(worker, job)
            message = self._message(known, kind, at, accepted, fault, shift)
            yield Event(logged, message, KINDS[kind], at, accepted, *known[2:], FAULTS[fault], copy == 1)

    def _fixed_parts(self, day: date) -> Callable[[int, int], Fixed]:
        """Return the parts of messages and events that do not change within a date."""
        names = [job.name_on(day) for job in self._plan.jobs]

        @cache
        def fixed(worker: int, job: int) -> Fixed:
            person = self._people[worker]
            before, after = self._fixed(person, names[job])
            kind = self._plan.jobs[job].task_type
            return before, after, person.sub, person.team.name, names[job], kind

        return fixed

    def _fixed(self, person: Person, job: str) -> tuple[str, str]:
        """Return the parts before and after the times; no value here needs escaping in JSON."""
        return (
            f'{{"worker_id":"{person.worker_id}","cognito_user_pool_id":"{self._pool_id}",'
            f'"cognito_sub_id":"{person.sub}",',
            f'"workteam_arn":"{self._arn}:workteam/private-crowd/{person.team.name}",'
            f'"labeling_job_arn":"{self._arn}:labeling-job/{job}",'
            f'"work_requester_account_id":"{self._account}","job_reference_code":"{_code(job)}",'
            '"job_type":"Private",',
        )

    def _message(self, fixed: Fixed, kind: int, at: int, accepted: int, fault: int, shift: int) -> str:
        ended = at
        if fault == SKEWED:
            accepted = at + shift
        elif fault == AHEAD:
            accepted, ended = accepted + shift, at + shift
        text = self._text
        message = (
            f'{fixed[0]}"task_accepted_time":"{text(accepted)}",'
            f'"task_submitted_time":"{text(ended) if kind == SUBMITTED else ""}",'
            f'"task_returned_time":"{text(ended) if kind == RETURNED else ""}",'
            f'"task_declined_time":"{text(ended) if kind == DECLINED else ""}",'
            f'{fixed[1]}"event_type":"{EVENT_TYPES[kind]}","event_timestamp":"{ended}"}}'
        )
        return _spoilt(message, at, (text(accepted), text(ended))) if fault == MALFORMED else message

    def _text(self, second: int) -> str:
        """Return a time such as ``Wed Aug 14 16:00:59 UTC 2019``, as the developer guide shows it."""
        minute, rest = divmod(second, 60)
        return f"{_minute_text(minute)}{rest:02d} UTC {_year(minute // 1440)}"


@lru_cache(maxsize=20_000)
def _minute_text(minute: int) -> str:
    moment = datetime.fromtimestamp(minute * 60, UTC)
    # not strftime, which writes the names of the locale
    return f"{_WEEKDAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment:%d %H:%M}:"


@lru_cache(maxsize=1000)
def _year(day: int) -> int:
    return datetime.fromtimestamp(day * 86_400, UTC).year


_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _code(job: str) -> str:
    """Return a job reference code: digits, the same for the same job."""
    return str(int.from_bytes(job.encode()[-8:].rjust(8, b"0"), "big") % 10**12).zfill(12)


def _spoilt(message: str, at: int, times: tuple[str, str]) -> str:
    """Return the line as it must not be, in one of six ways."""
    way = MALFORMATIONS[at % len(MALFORMATIONS)]
    worker = message[14:30]
    iso = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    spoilt: Mapping[str, str] = {
        "truncated": message[: len(message) * 2 // 3],
        "not JSON": f"delivery of an event of {worker} at {at} failed, giving up",
        "no event_type": message.replace('"event_type"', '"type"'),
        "time in ISO 8601": message.replace(times[0], iso).replace(times[1], iso),
        "no labeling_job_arn": message.replace('"labeling_job_arn"', '"job"'),
        "an array": f"[{message}]",
    }
    return spoilt[way]


def stream_of(plan: Plan, day: date, account: str, region: str) -> str:
    """Return the log stream of a day, as ``[requester-AWS-Id]-[region]/[timestamp]``."""
    return f"{stream_prefix(account, region)}{day:%Y%m%d}T{_start_second(plan):06d}Z"


def stream_prefix(account: str, region: str) -> str:
    """Return what the names of all streams begin with."""
    return f"aws/sagemaker/groundtruth/worker-activity/{account}-{region}/"


def _start_second(plan: Plan) -> int:
    """Return a time of day (HHMMSS) that tells plans of different names apart."""
    second = sum(ord(letter) * (place + 1) for place, letter in enumerate(plan.name)) % 3600
    return second // 60 * 100 + second % 60
