"""Seeded inputs of the daily report: what sources hand over for a crowd, healthy or with odd workers in it.

`make()` gives a month of 40 workers in 3 teams: "birds" and "forms" are private (log events and metrics),
"public" works through ledgers. All of it follows from the seed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)

from groundswell.reports import schema

ODD = ("fast", "steady", "same", "careless", "slump", "decline")
"""fast: answers in a tenth of the time. steady: every answer takes as long. same: one answer to everything.
careless: guesses. slump: a sixth of the usual tasks, decline: guesses, each from `odd_from` on."""


@dataclass(frozen=True)
class Job:
    name: str
    team: str
    task_type: str
    seconds: float
    """Median time per task."""


JOBS = (
    Job("birds-boxes-1", "birds", "bounding-box", 38.0),
    Job("birds-species", "birds", "image-classification", 9.0),
    Job("forms-sentiment", "forms", "text-classification", 14.0),
    Job("iris", "public", "classification", 7.0),
    Job("digits", "public", "image-classification", 4.0),
)
LABELS = ("setosa", "versicolor", "virginica")
REWARD_CENTS = 6.0
FEE = 1.2
REDUNDANCY = 3


@dataclass(frozen=True)
class Person:
    raw: str
    team: str
    factor: float
    """Times the job's median seconds."""
    spread: float
    """Sigma of the logarithm of seconds."""
    accuracy: float
    tasks: float
    """On a usual day."""
    night: bool
    odd: str = ""

    @property
    def private(self) -> bool:
        return self.team != "public"


@dataclass(frozen=True)
class Made:
    """Inputs of all days, and what is true about them.

    :param odd: raw ids of odd workers by kind
    :param names: display names by raw id
    """

    zone: str
    days: list[date]
    odd_from: date
    people: list[Person]
    activity: pd.DataFrame
    ledger: pd.DataFrame
    workteam: pd.DataFrame
    jobs: list[dict[str, Any]]
    odd: dict[str, list[str]]
    names: dict[str, str]

    def inputs(self, day: date) -> dict[str, Any]:
        """activity, ledger, workteam and jobs of one day of the report."""
        text = day.isoformat()
        return {
            "activity": self._of(self.activity, day),
            "ledger": self._of(self.ledger, day),
            "workteam": self.workteam[self.workteam["day"] == text].reset_index(drop=True),
            "jobs": [job for job in self.jobs if job["day"] == text],
        }

    def _of(self, rows: pd.DataFrame, day: date) -> pd.DataFrame:
        start, end = start_of(day, self.zone), start_of(day + timedelta(days=1), self.zone)
        return rows[(rows["at"] >= start) & (rows["at"] < end)].reset_index(drop=True)


def make(
    seed: int = 1,
    *,
    first: date = date(2026, 10, 5),
    days: int = 30,
    workers: int = 40,
    zone: str = "Europe/Berlin",
    odd: Mapping[str, int] | None = None,
    odd_from: date | None = None,
    tasks: float = 60.0,
) -> Made:
    """A crowd's work.

    :param odd: how many workers of each kind of ODD there are besides, e.g. {"fast": 1}
    :param odd_from: when slumps and declines begin; by default at three quarters of the days
    :param tasks: tasks of a usual worker on a usual day
    """
    random = np.random.default_rng(seed)
    calendar = [first + timedelta(days=number) for number in range(days)]
    begins = odd_from or calendar[(3 * days) // 4]
    people = [_person(random, number, tasks) for number in range(workers)]
    for kind, count in (odd or {}).items():
        people += [_odd(_person(random, 2, tasks), kind) for _ in range(count)]
    events, answers = [], []
    for day in calendar:
        for person in people:
            rows = _worker_day(random, person, day, zone, begins)
            if rows is not None:
                (events if person.private else answers).append(rows)
    activity = schema.ACTIVITY.conform(_log(random, _joined(events)))
    ledger = schema.ACTIVITY.conform(_ledger(random, _joined(answers), calendar[-1], zone))
    counted = activity.assign(day=activity["at"].dt.tz_convert(zone).dt.date.astype(str))
    return Made(
        zone=zone,
        days=calendar,
        odd_from=begins,
        people=people,
        activity=_shuffled(random, activity),
        ledger=_shuffled(random, ledger),
        workteam=schema.WORKTEAM.conform(_workteam(random, counted)),
        jobs=_jobs(random, counted),
        odd={kind: [person.raw for person in people if person.odd == kind] for kind in odd or {}},
        names={person.raw: f"Person {number}" for number, person in enumerate(people)},
    )


def start_of(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), tzinfo=ZoneInfo(zone))


def _person(random: np.random.Generator, number: int, tasks: float) -> Person:
    team = ("birds", "forms", "public")[number % 3]
    return Person(
        raw=str(uuid.UUID(bytes=random.bytes(16)))
        if team != "public"
        else f"A{random.integers(10**12):013d}",
        team=team,
        factor=float(np.exp(random.normal(0, 0.3))),
        spread=float(random.uniform(0.3, 0.6)),
        accuracy=max(float(random.beta(18, 2)), 0.75),
        tasks=tasks * float(np.exp(random.normal(0, 0.3))),
        night=number % 20 == 7,
    )


def _odd(person: Person, kind: str) -> Person:
    changed = {**vars(person), "odd": kind, "factor": 1.0, "night": False, "tasks": max(person.tasks, 60.0)}
    return Person(**changed)


def _worker_day(
    random: np.random.Generator, person: Person, day: date, zone: str, begins: date
) -> dict[str, Any] | None:
    """One row per task that the worker took: seconds, job, right by skill, and how it ended."""
    if random.random() > (0.85 if day.weekday() < 5 else 0.2):
        return None
    after = day >= begins
    count = max(1, round(person.tasks * float(np.exp(random.normal(0, 0.3)))))
    if person.odd == "slump" and after:
        count = max(1, count // 8)
    jobs = [job for job in JOBS if job.team == person.team]
    turns = np.sort(random.integers(len(jobs), size=count))
    seconds = np.array([jobs[turn].seconds for turn in turns]) * person.factor
    seconds = seconds * np.exp(random.normal(0, 0.12) + random.normal(0, person.spread, size=count))
    idle = random.random(count) < 0.01
    seconds = np.where(idle, random.uniform(600, 2400, size=count), seconds)
    if person.odd == "fast":
        seconds = seconds * 0.1
    if person.odd == "steady":
        seconds = np.array([jobs[turn].seconds for turn in turns]) + 1.0
    seconds = np.maximum(np.rint(seconds), 1.0)
    pauses = np.rint(random.exponential(3.0, size=count))
    begin = start_of(day, zone) + timedelta(hours=22.0 if person.night else random.uniform(7.5, 11))
    ends = np.cumsum(seconds + pauses)
    guesses = person.odd in {"careless", "same"} or (person.odd == "decline" and after)
    begun = np.datetime64(begin.astimezone(UTC).replace(tzinfo=None), "s")
    return {
        "person": person,
        "turn": turns,
        "jobs": jobs,
        "seconds": seconds,
        "end": begun + ends.astype("timedelta64[s]"),
        "skill": 1 / len(LABELS) if guesses else person.accuracy,
        "ended": random.choice(["submitted", "returned", "declined"], p=[0.92, 0.04, 0.04], size=count),
    }


def _joined(parts: list[dict[str, Any]]) -> pd.DataFrame:
    """The tasks of all days, one row each."""
    counts = [len(part["turn"]) for part in parts]

    def each(values: list[Any]) -> Any:
        return np.repeat(np.array(values, dtype=object), counts)

    return pd.DataFrame(
        {
            "worker": each([part["person"].raw for part in parts]),
            "team": each([part["person"].team for part in parts]),
            "job": [part["jobs"][turn].name for part in parts for turn in part["turn"]],
            "task_type": [part["jobs"][turn].task_type for part in parts for turn in part["turn"]],
            "seconds": np.concatenate([part["seconds"] for part in parts]),
            "end": pd.to_datetime(np.concatenate([part["end"] for part in parts]), utc=True),
            "skill": np.repeat([part["skill"] for part in parts], counts),
            "odd": each([part["person"].odd for part in parts]),
            "ended": np.concatenate([part["ended"] for part in parts]),
        }
    )


def _log(random: np.random.Generator, tasks: pd.DataFrame) -> pd.DataFrame:
    tasks = tasks.assign(
        source="worker_activity",
        pool="us-east-1_crowd",
        accepted_at=tasks["end"] - pd.to_timedelta(tasks["seconds"], unit="s"),
    )
    accepted = tasks.assign(kind="accepted", at=tasks["accepted_at"], seconds=np.nan)
    ended = tasks.assign(kind=tasks["ended"], at=tasks["end"])
    ended["seconds"] = ended["seconds"].where(ended["kind"] == "submitted")
    return pd.concat([accepted[tasks["ended"] != "declined"], ended], ignore_index=True)


def _ledger(random: np.random.Generator, tasks: pd.DataFrame, last: date, zone: str) -> pd.DataFrame:
    rows = tasks.reset_index(drop=True)
    rows["source"] = "ledger"
    rows["task"] = [f"3{number:029X}" for number in range(len(rows))]
    rows["accepted_at"] = rows["end"] - pd.to_timedelta(rows["seconds"], unit="s")
    rows["day"] = rows["end"].dt.tz_convert(zone).dt.date
    rows["item"] = _items(random, rows)
    _answer(random, rows)
    rows["readable"] = random.random(len(rows)) > 0.003
    rows["rejected"] = ~rows["readable"] & (random.random(len(rows)) < 0.5)
    rows["paid"] = ~rows["rejected"] & ((rows["day"] != last) | (random.random(len(rows)) < 0.5))
    bonus = np.where(random.random(len(rows)) < 0.02, 2.5, 0.0)
    rows["reward_cents"] = np.where(rows["paid"], REWARD_CENTS + bonus, 0.0)
    rows["cost_cents"] = rows["reward_cents"] * FEE
    for column in ("agreed", "right", "answer"):
        rows[column] = rows[column].where(rows["readable"], "" if column == "answer" else None)
    submitted = rows.assign(kind="submitted", at=rows["end"], run="scheduled__1")
    keep = ["source", "worker", "team", "job", "task_type", "task", "item", "accepted_at"]
    accepted = rows[keep].assign(kind="accepted", at=rows["accepted_at"], run="scheduled__1")
    return pd.concat([accepted, submitted], ignore_index=True)


def _items(random: np.random.Generator, rows: pd.DataFrame) -> pd.Series:
    """Three answers each, of different places in the day and mostly of different workers."""
    shuffled = rows.iloc[random.permutation(len(rows))]
    number = shuffled.groupby(["day", "job"]).cumcount() // REDUNDANCY
    names = shuffled["job"] + "-" + shuffled["day"].astype(str) + "-" + number.astype(str)
    return names.reindex(rows.index)


def _answer(random: np.random.Generator, rows: pd.DataFrame) -> None:
    """Answers by skill, the item's label by most votes, and what follows from both."""
    codes = pd.factorize(rows["item"])[0]
    n_items, size = codes.max() + 1, len(LABELS)
    truth = random.integers(size, size=n_items)
    wrong = (truth[codes] + random.integers(1, size, size=len(rows))) % size
    given = np.where(random.random(len(rows)) < rows["skill"], truth[codes], wrong)
    given = np.where(rows["odd"] == "same", 0, given)
    votes = np.zeros((n_items, size))
    np.add.at(votes, (codes, given), 1)
    label = votes.argmax(axis=1)
    rows["answer"] = np.array(LABELS, dtype=object)[given]
    rows["agreed"] = pd.array(given == label[codes], dtype="boolean")
    likely = 9.0**votes
    rows["right"] = (likely / likely.sum(axis=1, keepdims=True))[codes, given].round(6)
    known = random.random(n_items) < 0.05
    rows["gold_right"] = pd.array(given == truth[codes], dtype="boolean")
    rows["gold_right"] = rows["gold_right"].where(known[codes], pd.NA)
    last = rows.sort_values(["end", "task"]).drop_duplicates("item", keep="last").index
    rows["settles"] = rows.index.isin(last)


def _workteam(random: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """Per worker for jobs of birds, only per team for forms; best effort, and without pauses."""
    rows = rows.assign(who=rows["worker"].where(rows["team"] == "birds", ""))
    keys = ["day", "job", "team", "who"]
    parts = []
    for kind in ("accepted", "submitted", "returned", "declined"):
        counts = rows[rows["kind"] == kind].groupby(keys).size().astype(float).reset_index(name="value")
        lost = (random.random(len(counts)) < 0.05) & (counts["value"] > 1)
        parts.append(counts.assign(value=counts["value"] - lost, measure=kind))
    spent = rows[rows["kind"] == "submitted"].groupby(keys)["seconds"].sum().reset_index(name="value")
    parts.append(spent.assign(value=np.rint(spent["value"] * 0.9), measure="active_seconds"))
    found = pd.concat(parts, ignore_index=True).rename(columns={"who": "worker"})
    named = found["worker"] != ""
    found["team"] = found["team"].where(~named, "")  # as sets that name the worker name no team
    found["dimensions"] = np.where(named, "CognitoUserPool, LabelingJob, WorkerId", "LabelingJob, Workteam")
    return found


def _jobs(random: np.random.Generator, rows: pd.DataFrame) -> list[dict[str, Any]]:
    done = rows[rows["kind"] == "submitted"].groupby(["day", "job", "team", "task_type"]).size()
    return [
        {
            "day": day,
            "job": job,
            "team": team,
            "task_type": task_type,
            "status": "InProgress",
            "human_labels": int(count) // REDUNDANCY,
            "machine_labels": int(random.integers(0, 1 + int(count) // 4)),
        }
        for (day, job, team, task_type), count in done.items()
    ]


def _shuffled(random: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    return rows.iloc[random.permutation(len(rows))].reset_index(drop=True)
