"""Events of the WorkerActivity log, as Ground Truth writes them, turned into rows.

An event is a JSON object in a line of a log ("Monitor labeling jobs", SageMaker developer guide)::

    {
        "worker_id": "cd449a289e129409",
        "cognito_user_pool_id": "us-east-2_IpicJXXXX",
        "cognito_sub_id": "d6947aeb-0650-447a-ab5d-894db61017fd",
        "task_accepted_time": "Wed Aug 14 16:00:59 UTC 2019",
        "task_submitted_time": "Wed Aug 14 16:01:04 UTC 2019",
        "task_returned_time": "",
        "task_declined_time": "",
        "workteam_arn": "arn:aws:sagemaker:us-east-2:111122223333:workteam/private-crowd/Sample-team",
        "labeling_job_arn": "arn:aws:sagemaker:us-east-2:111122223333:labeling-job/metrics-demo",
        "work_requester_account_id": "111122223333",
        "job_reference_code": "111122223333",
        "job_type": "Private",
        "event_type": "TasksSubmitted",
        "event_timestamp": "1565798464",
    }

Only ``TasksSubmitted`` is documented; the other event types are called as the metrics are. What decides where
an event is counted (its type, the time of that type, the worker, the team, the job) must be there and right:
other events are put aside as a :class:`~groundswell.reports.problems.Problem`. What only adds to it (when the
task was accepted, ``event_timestamp``) is left out of the row and counted as a problem as well.
"""

from __future__ import annotations

import json
import re
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from groundswell.reports import activity_rows
from groundswell.reports.problems import Problem, masked, merged

if TYPE_CHECKING:
    import pandas as pd

SOURCE = activity_rows.SOURCE
FUTURE_LIMIT_S = 3600  # a clock may be a little ahead
TEXT_LIMIT = 256
BLOCK = 50_000

_KNOWN_LIMIT = 200_000

_EVENT_TYPE = re.compile(r"tasks?(accepted|submitted|returned|declined)", re.IGNORECASE)
# Not by strptime, which reads the names of months of the locale that the process happens to have
_TIME = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\w{3}) +(\d{1,2}) "
    r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d) (?:UTC|GMT) (\d{4})",
    re.ASCII,
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TEAM_ARN = re.compile(r"arn:[\w-]+:sagemaker:[\w-]*:[^:/]*:workteam/(?:([\w-]+)/)?([\w.-]+)", re.ASCII)
_PERSONAL_FIELDS = ("worker_id", "cognito_sub_id", "cognito_user_pool_id")
_PERSONAL = re.compile(rf'("(?:{"|".join(_PERSONAL_FIELDS)})"\s*:\s*)(?:"[^"]*"?|[^,}}]*)')
_JOB_ARN = re.compile(r"arn:[\w-]+:sagemaker:[\w-]*:[^:/]*:labeling-job/([\w.-]+)", re.ASCII)

_WHAT_TO_DO = {
    "not JSON": "The line is no JSON object and was not counted; see who else writes to this log group.",
    "missing field": "Events without {field} were not counted; compare with the metrics of that day.",
    "malformed field": "Events whose {field} could not be understood were not counted; compare with the "
    "metrics of that day.",
    "unknown event type": "Events of this type are not counted; if it is a new type of Ground Truth's, tell "
    "the maintainers.",
    "time in another format": "Events whose {field} is not written as `Wed Aug 14 16:00:59 UTC 2019` were "
    "not counted; if Ground Truth has changed the format, tell the maintainers.",
    "time in the future": "Events whose {field} is more than an hour after they came in were not counted; "
    "check the clock of whoever wrote them.",
    "duplicate delivery": "The same event came more than once and was counted once; nothing to do.",
    "submitted before accepted": "The clocks of the two times differ: events are counted, without seconds.",
    "unknown acceptance": "task_accepted_time could not be read: events are counted, without seconds.",
    "times contradict": "event_timestamp is no number, or more than an hour from {field}: the events are "
    "counted by {field}.",
    "too late": "The events came in later than reports wait for them and are in no report; raise late_days "
    "in the settings file and run the days again.",
}


class LogEvent(NamedTuple):
    """A line of a log.

    :param event_id: as CloudWatch Logs calls it
    :param timestamp_ms: its time in the log, milliseconds since 1970 in UTC
    :param message: the line
    :param ingested_ms: when it came in, where that is known
    """

    event_id: str
    timestamp_ms: int
    message: str
    ingested_ms: int | None = None


@dataclass(frozen=True)
class Parsed:
    """What came of some events.

    Attributes:
        rows: ``schema.ACTIVITY``, in the order of the events.
        problems: what could not be counted, or not as it should; each with the day (of the log's time).
        late: rows of days before the window that came in late, by the day (of the log's time) on which they
            did: see :func:`parse_blocks`.
    """

    rows: pd.DataFrame
    problems: list[Problem]
    late: Mapping[date, pd.DataFrame] = field(default_factory=dict)


class _Place(NamedTuple):
    """Where an event is counted, all but its time; ``field`` is the one that holds this."""

    field: str
    kind: str
    worker: str
    pool: str
    team: str
    job: str


_PLACE_FIELDS = (
    "event_type",
    "cognito_sub_id",
    "cognito_user_pool_id",
    "worker_id",
    "workteam_arn",
    "labeling_job_arn",
)


class _Bad(Exception):
    """An event that cannot be counted: ``args`` are kind of problem, field, example."""


def parse(lines: Iterable[LogEvent], *, zone: tzinfo = UTC) -> Parsed:
    """Turn events into rows, all at once; :func:`parse_blocks` for many.

    :param lines: the events, in any order
    :param zone: of the days of the problems
    """
    parser = Parser(zone=zone)
    return parser.parse(lines)


def parse_blocks(
    lines: Iterable[LogEvent],
    *,
    zone: tzinfo = UTC,
    window: tuple[datetime, datetime] | None = None,
    days: tuple[date, date] | None = None,
    late_days: int | None = None,
    block: int = BLOCK,
) -> Iterator[Parsed]:
    """Turn events into rows, block by block: memory holds one block, and 100 bytes per event before.

    :param lines: the events, in any order
    :param zone: of the days of the problems
    :param window: rows outside of it (start included, end not) are left out
    :param days: the first and last day whose problems are wanted
    :param late_days: rows before the window that came in on one of the days, and more than so many days after
        their own, are told apart: they may be in no report. None for none
    :param block: events per block
    """
    parser = Parser(zone=zone, window=window, days=days, late_days=late_days)
    remaining = iter(lines)
    while some := list(islice(remaining, block)):
        yield parser.parse(some)


def too_late(count: int, example: str, day: date) -> Problem:
    """Return the problem that so many events came in on a day when nothing waited for them any more."""
    return Problem("too late", count, example, _WHAT_TO_DO["too late"], SOURCE, day)


class Parser:
    """Turns events into rows, and knows duplicates of what it has seen.

    :param zone: of the days of the problems
    :param window: see :func:`parse_blocks`
    :param days: see :func:`parse_blocks`
    :param late_days: see :func:`parse_blocks`
    """

    def __init__(
        self,
        *,
        zone: tzinfo = UTC,
        window: tuple[datetime, datetime] | None = None,
        days: tuple[date, date] | None = None,
        late_days: int | None = None,
    ) -> None:
        self._days = days or (date.min, date.max)
        self._late_days = late_days
        self._late: dict[date, list[tuple[Any, ...]]] = {}
        self._day_of = lru_cache(10_000)(lambda quarter: datetime.fromtimestamp(quarter * 900, zone).date())
        self._seen: set[bytes] = set()
        self._places: dict[tuple[Any, ...], _Place] = {}
        self._from, self._until = float("-inf"), float("inf")
        if window:
            self._from, self._until = (moment.timestamp() for moment in window)
        self._problems: dict[tuple[date, str, str], tuple[int, str]] = {}

    def parse(self, lines: Iterable[LogEvent]) -> Parsed:
        """Turn events into rows; an event that an earlier call has seen is a duplicate."""
        rows = []
        for event in lines:
            try:
                row = self._row(event)
            except _Bad as bad:
                self._note(event, *bad.args)
            else:
                if row is not None:
                    rows.append(row)
        problems = [
            Problem(kind, count, example, _WHAT_TO_DO[kind].format(field=field), SOURCE, day)
            for (day, kind, field), (count, example) in self._problems.items()
        ]
        late = {day: activity_rows.frame(some) for day, some in self._late.items()}
        self._problems.clear()
        self._late.clear()
        return Parsed(activity_rows.frame(rows), merged(problems), late)

    def _row(self, event: LogEvent) -> tuple[Any, ...] | None:
        """Return the row of an event, None where it is outside of the window."""
        digest = blake2b(event.message.encode(errors="surrogatepass"), digest_size=16).digest()
        if digest in self._seen:
            raise _Bad("duplicate delivery", "", _shown(event.message))
        self._seen.add(digest)
        record = _record(event.message)
        place = self._place(record)
        field = place.field
        at = _time(record, field)
        came_in = (event.timestamp_ms if event.ingested_ms is None else event.ingested_ms) / 1000
        if at > came_in + FUTURE_LIMIT_S:
            raise _Bad("time in the future", field, str(record[field]))
        if not self._from <= at < self._until:
            self._keep_late(event, record, place, at)
            return None
        self._check_timestamp(event, record.get("event_timestamp"), at, field)
        return (at, self._accepted(event, record, place.kind, at), *place)

    def _keep_late(self, event: LogEvent, record: dict[str, Any], place: _Place, at: int) -> None:
        if self._late_days is None or at >= self._from:
            return
        came = self._day_of(event.timestamp_ms // 900_000)
        if self._days[0] <= came <= self._days[1] and (
            (came - self._day_of(at // 900)).days > self._late_days
        ):
            accepted_at = self._accepted(event, record, place.kind, at)
            self._late.setdefault(came, []).append((at, accepted_at, *place))

    def _place(self, record: dict[str, Any]) -> _Place:
        """Return where the event is counted: there are few places for many events."""
        key = tuple(map(record.get, _PLACE_FIELDS))
        try:
            place = self._places.get(key)
        except TypeError:  # a list or an object
            return _place(record)
        if place is None:
            place = _place(record)
            if len(self._places) < _KNOWN_LIMIT:
                self._places[key] = place
        return place

    def _accepted(self, event: LogEvent, record: dict[str, Any], kind: str, at: int) -> int | None:
        if not record.get("task_accepted_time"):
            return None
        try:
            accepted_at = _time(record, "task_accepted_time")
        except _Bad as bad:
            self._note(event, "unknown acceptance", "", bad.args[2])
            return None
        if accepted_at > at and kind != "accepted":
            example = f"accepted {record['task_accepted_time']}, {kind} {record[f'task_{kind}_time']}"
            self._note(event, "submitted before accepted", "", example)
        return accepted_at

    def _check_timestamp(self, event: LogEvent, value: object, at: int, field: str) -> None:
        if value == str(at):
            return
        text = value if isinstance(value, str) else str(value)
        if text.isdecimal() and len(text) <= 12 and abs(int(text) - at) <= FUTURE_LIMIT_S:
            return
        self._note(event, "times contradict", field, masked(f"event_timestamp {text[:TEXT_LIMIT]!r}"))

    def _note(self, event: LogEvent, kind: str, field: str, example: str) -> None:
        day = self._day_of(event.timestamp_ms // 900_000)
        if not self._days[0] <= day <= self._days[1]:
            return  # it is counted when its own day is read
        key = (day, kind, field)
        count, known = self._problems.get(key, (0, example))
        self._problems[key] = (count + 1, min(known, example))


def _record(message: str) -> dict[str, Any]:
    try:
        record = json.loads(message)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise _Bad("not JSON", "", _shown(message))
    return record


def _text(record: dict[str, Any], field: str) -> str:
    """Return a field's text; "" is as good as missing."""
    value = record.get(field)
    if value is None or value == "":
        raise _Bad("missing field", field, field)
    if not isinstance(value, str) or len(value) > TEXT_LIMIT or not value.isprintable():
        # what is not printable are line ends, control characters and halves of surrogate pairs
        raise _Bad("malformed field", field, _shown_value(field, value))
    return value


def _shown(message: str) -> str:
    """Return a line as it may be shown; ids of people may look like anything, so they go by their fields."""
    return masked(_PERSONAL.sub(r'\1"<id>"', message[:2000]))


def _shown_value(field: str, value: object) -> str:
    if field in _PERSONAL_FIELDS:
        return f"{field}: {type(value).__name__} of length {len(str(value))}"
    return masked(f"{field} {value!r}")


def _place(record: dict[str, Any]) -> _Place:
    kind = _kind(record)
    worker, pool = _worker(record)
    team = _name(record, "workteam_arn", _team)
    job = _name(record, "labeling_job_arn", _job)
    return _Place(f"task_{kind}_time", kind, worker, pool, team, job)


def _kind(record: dict[str, Any]) -> str:
    text = _text(record, "event_type")
    match = _EVENT_TYPE.fullmatch(text)
    if match is None:
        raise _Bad("unknown event type", "", masked(text))
    return match[1].lower()


def _time(record: dict[str, Any], field: str) -> int:
    """Return seconds since 1970."""
    value = record.get(field)
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        month, day, hours, minutes, seconds, year = match.groups()
        midnight = _midnight(year, month, day)
        if midnight is not None:
            return midnight + int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    raise _Bad("time in another format", field, masked(_text(record, field)))


@lru_cache(1000)
def _midnight(year: str, month: str, day: str) -> int | None:
    try:
        return timegm(date(int(year), _MONTHS.index(month) + 1, int(day)).timetuple())
    except ValueError:
        return None


def _worker(record: dict[str, Any]) -> tuple[str, str]:
    """Return worker and pool; teams with an identity provider of their own have no pool, and no sub."""
    if not record.get("cognito_user_pool_id") and not record.get("cognito_sub_id"):
        try:
            return _text(record, "worker_id"), ""
        except _Bad as bad:
            if bad.args[0] != "missing field":
                raise
    return _text(record, "cognito_sub_id"), _text(record, "cognito_user_pool_id")


def _name(record: dict[str, Any], field: str, name_in: Callable[[str], str | None]) -> str:
    text = _text(record, field)
    name = name_in(text)
    if name is None:
        raise _Bad("malformed field", field, _shown_value(field, text))
    return name


def _team(arn: str) -> str | None:
    match = _TEAM_ARN.fullmatch(arn)
    if match is None:
        return None
    return "public" if match[1] == "public-crowd" else match[2]


def _job(arn: str) -> str | None:
    match = _JOB_ARN.fullmatch(arn)
    return match[1] if match else None
