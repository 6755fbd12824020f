"""The plan of a play: teams, labeling jobs, and how much goes wrong. All of it has defaults.

Durations are "90s", "5m", "2h" or a bare number of seconds; shares are numbers from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from workforce.crowd.explain import explain
from workforce.crowd.plan import PositiveDuration, Rate

MAX_DAYS = 400


class PlanError(Exception):
    """A plan cannot be used; the message names the file, the field and the fix."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone; write an IANA name such as Europe/Berlin") from error
    return name


def _clock(value: Any) -> Any:
    """YAML reads 09:00 as a number of minutes; take text only, so that nobody wonders."""
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f'{value!r} is no time of day; write it in quotes, such as "09:00"') from error


Zone = Annotated[str, AfterValidator(_zone)]
ClockTime = Annotated[time, BeforeValidator(_clock)]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,49}$")]
TaskType = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Spread = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
Some = Annotated[int, Field(ge=0, le=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Job(_Part):
    """A recurring labeling job; each week or month has one of its own, such as ``reviews-2026-11``.

    ``median`` seconds a task take, log-normally with ``spread`` as sigma. Every object is labelled by
    ``annotators`` people; of the objects ``machine_share`` are labelled by a model.
    """

    name: Name
    task_type: TaskType
    median: PositiveDuration
    spread: Spread = 0.45
    objects: Annotated[int, Field(ge=1, le=100_000)] = 20_000
    annotators: Annotated[int, Field(ge=1, le=9)] = 1
    machine_share: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    decline_rate: Rate = 0.008
    return_rate: Rate = 0.015
    pause_rate: Rate = 0.01
    renewed: Literal["weekly", "monthly"] = "monthly"

    def first_day(self, day: date) -> date:
        """Return the first day of the job that ``day`` belongs to."""
        if self.renewed == "weekly":
            return day - timedelta(days=day.weekday())
        return day.replace(day=1)

    def name_on(self, day: date) -> str:
        """Return the name of the labeling job on a day."""
        if self.renewed == "weekly":
            year, week, _ = day.isocalendar()
            return f"{self.name}-{year}-w{week:02d}"
        return f"{self.name}-{day:%Y-%m}"


class Team(_Part):
    """A private work team: people of one place, who label for about ``labelling`` within a working day.

    Of its members ``absent`` are away on a working day, and ``weekend`` come on a day off.
    """

    name: Name
    workers: Annotated[int, Field(ge=1, le=20_000)]
    jobs: Annotated[tuple[Name, ...], Field(min_length=1)]
    time_zone: Zone = "UTC"
    start: ClockTime = time(9)
    end: ClockTime = time(17, 30)
    labelling: PositiveDuration = 3600.0
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = WEEKDAYS[:5]
    absent: Rate = 0.06
    weekend: Rate = 0.04

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if (self.end.hour, self.end.minute) < (self.start.hour + 2, self.start.minute):
            raise ValueError("end must be two hours after start or later, on the same day; correct the times")
        return self


class Oddities(_Part):
    """How much goes wrong. The first five are shares of log lines, the next four numbers of workers.

    ``missed_metrics`` is the share of events that never reach a metric, since AWS delivers those "best
    effort". ``sudden_drop`` workers of each week stop almost entirely from its Thursday on.
    """

    duplicates: Rate = 0.002
    late: Rate = 0.003
    malformed: Rate = 0.0005
    unknown_type: Rate = 0.0004
    clock_ahead: Rate = 0.0001
    clock_skew: Some = 1
    deleted: Some = 1
    too_fast: Some = 1
    too_uniform: Some = 1
    sudden_drop: Some = 1
    late_days: Annotated[int, Field(ge=1, le=10)] = 3
    missed_metrics: Rate = 0.003

    @property
    def fixed_workers(self) -> int:
        """How many workers are odd for good."""
        return self.clock_skew + self.deleted + self.too_fast + self.too_uniform


class Plan(_Part):
    """Who labels what, from when to when; the same plan always gives the same events.

    Days are dates in UTC: a play of two windows one after the other is the play of both at once.
    """

    name: Name = "teams"
    seed: Annotated[int, Field(ge=0)] = 7
    pool: Annotated[str, Field(pattern=r"^[\w .@=+-]{1,128}$")] = "groundswell-labelers"
    workforce: Name = "groundswell"
    metric_minutes: Literal[1, 5, 15] = 5
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)] = 7
    until: date | None = None
    teams: Annotated[tuple[Team, ...], Field(min_length=1, max_length=25)]
    jobs: Annotated[tuple[Job, ...], Field(min_length=1)]
    oddities: Oddities = Oddities()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _distinct("team", [team.name for team in self.teams])
        _distinct("job", [job.name for job in self.jobs])
        known = {job.name for job in self.jobs}
        for team in self.teams:
            if unknown := [name for name in team.jobs if name not in known]:
                raise ValueError(
                    f"team {team.name!r} has the unknown job {unknown[0]!r}; "
                    f"use one of {', '.join(sorted(known))}"
                )
        if self.oddities.fixed_workers > self.workers:
            raise ValueError(
                f"oddities want {self.oddities.fixed_workers} odd workers, but the teams have "
                f"{self.workers}; lower clock_skew, deleted, too_fast or too_uniform"
            )
        return self

    @property
    def workers(self) -> int:
        """How many workers all teams have."""
        return sum(team.workers for team in self.teams)

    @property
    def last(self) -> date:
        """The last day. Raises PlanError when the plan does not say."""
        if self.until is None:
            raise PlanError("the plan does not say until when; give it `until`, a date such as 2026-11-20")
        return self.until

    @property
    def first(self) -> date:
        """The first day."""
        return self.last - timedelta(days=self.days - 1)

    @cached_property
    def job_of(self) -> dict[str, Job]:
        """The jobs by name."""
        return {job.name: job for job in self.jobs}

    def replace(self, **values: Any) -> Plan:
        """Return a plan with other values, checked anew. Raises PlanError."""
        return make_plan({**dict(self), **values})


def _distinct(what: str, names: Sequence[str]) -> None:
    folded = [name.lower() for name in names]
    for name in names:
        if folded.count(name.lower()) > 1:
            raise ValueError(f"there are two {what}s called {name!r}; rename one of them")


_PLACES = (
    ("berlin-vision", "Europe/Berlin", ("street-scenes", "tissue-slices", "shop-photos")),
    ("bengaluru-text", "Asia/Kolkata", ("reviews-tone", "support-names", "shop-photos")),
    ("denver-mixed", "America/Denver", ("shop-photos", "street-scenes", "reviews-tone")),
    ("manila-photos", "Asia/Manila", ("shop-photos", "street-scenes")),
    ("accra-language", "Africa/Accra", ("support-names", "reviews-tone")),
)
_JOBS = (
    Job(
        name="street-scenes", task_type="bounding-box", median=48, spread=0.5, annotators=3, return_rate=0.02
    ),
    Job(name="shop-photos", task_type="image-classification", median=12, annotators=3, machine_share=0.3),
    Job(name="reviews-tone", task_type="text-classification", median=20, spread=0.4, annotators=3),
    Job(name="support-names", task_type="named-entity-recognition", median=40, annotators=2),
    Job(name="tissue-slices", task_type="semantic-segmentation", median=170, spread=0.55, decline_rate=0.02),
)


def default_plan(workers: int = 40, teams: int = 3, **values: Any) -> Plan:
    """Return the plan that needs no file: teams of several continents on five kinds of tasks.

    Raises PlanError when the numbers do not fit.
    """
    if not 1 <= teams <= 25:
        raise PlanError(f"--teams {teams}: SageMaker has 1 to 25 work teams; correct the number")
    if workers < teams:
        raise PlanError(f"--workers {workers}: every one of {teams} teams needs a worker; raise the number")
    made = []
    for number in range(teams):
        name, zone, jobs = _PLACES[number % len(_PLACES)]
        again = f"-{number // len(_PLACES) + 1}" if number >= len(_PLACES) else ""
        size = workers // teams + (number < workers % teams)
        made.append(Team(name=name + again, workers=size, time_zone=zone, jobs=jobs))
    used = {job for team in made for job in team.jobs}
    few = {"clock_skew": 0, "deleted": 0, "too_fast": 0, "too_uniform": 0} if workers < 8 else {}
    return make_plan(
        {
            "teams": made,
            "jobs": [job for job in _JOBS if job.name in used],
            "oddities": Oddities(**few),
            **values,
        }
    )


def make_plan(values: dict[str, Any], source: str = "plan") -> Plan:
    """Check the values of a plan. Raises PlanError naming ``source``, the field and the fix."""
    try:
        return Plan.model_validate(values)
    except ValidationError as error:
        raise PlanError(f"{source}: {explain(error, Plan)}") from error


def load_plan(path: Path) -> Plan:
    """Read a plan file (YAML). Raises PlanError."""
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: cannot be read: {error.strerror}; check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: is not valid YAML: {error}; correct it") from error
    if not isinstance(values, dict):
        raise PlanError(f"{path}: must hold a mapping with `teams` and `jobs`; see docs/localcloud.md")
    return make_plan(values, str(path))
