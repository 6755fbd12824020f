"""Seeded tables of reports: a month of three teams, and days on which things are wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253 (no DAG imports this)

from groundswell.reports import bins, measures, schema
from groundswell.reports.period import Period
from groundswell.reports.settings import ReportSettings

KEYS = ("day", "source", "team", "job", "task_type", "worker", "name")


def settings(**more: Any) -> ReportSettings:
    return ReportSettings.model_validate(
        {
            "name": "worker-metrics",
            "description": "Who labelled how much, how fast, how well, and what it cost",
            "time_zone": "Europe/Berlin",
            "start": date(2026, 10, 1),
            "uri": "file:///srv/reports",
            "sources": {"batches": None},
            **more,
        },
        context={"folder": None},
    )


@dataclass
class Tables:
    workers: pd.DataFrame
    summary: pd.DataFrame
    sources: pd.DataFrame = field(default_factory=schema.SOURCES.empty)
    anomalies: pd.DataFrame = field(default_factory=schema.ANOMALIES.empty)
    problems: pd.DataFrame = field(default_factory=schema.PROBLEMS.empty)
    totals: dict[str, Any] = field(default_factory=dict)


def summed(workers: pd.DataFrame, day: date) -> pd.DataFrame:
    parts = []
    for level, keys in schema.LEVELS.items():
        part = Period([workers]).by(*keys)
        parts.append(part.assign(level=level, day=str(day)))
    return schema.SUMMARY.conform(pd.concat(parts, ignore_index=True))


def workers_of(
    day: date, crew: Sequence[tuple[str, str, str, str, str]], seed: int = 0, busy: float = 1.0
) -> pd.DataFrame:
    """Make the workers table of a day.

    :param crew: (source, team, job, task type, worker)
    """
    rng = np.random.default_rng([seed, day.toordinal()])
    count = len(crew)
    skill = np.array([0.97 - 0.3 * (hash_of(each[4]) % 100) ** 2 / 1e4 for each in crew])
    pace = np.array([6 + hash_of(each[4] + "p") % 30 for each in crew])
    pace = np.where([hash_of(each[4]) % 17 == 3 for each in crew], 1.6, pace)
    submitted = rng.poisson(busy * 900 / pace)
    seconds = [rng.lognormal(np.log(pace[i]), 0.35, submitted[i]) for i in range(count)]
    flat = np.concatenate([*seconds, np.zeros(0)])
    row = np.repeat(np.arange(count), submitted)
    hist = bins.of(flat, row)
    own = np.array([each[0] == "ledger" for each in crew])
    total = np.array([values.sum() for values in seconds])
    right = submitted * np.clip(skill + rng.normal(0, 0.02, count), 0.3, 1)
    gold = rng.binomial(submitted, 0.06)
    given = {
        "accepted": submitted + rng.poisson(1.5, count),
        "submitted": submitted,
        "returned": rng.poisson(1.0, count),
        "declined": rng.poisson(0.4, count),
        "active_seconds": measures.micro(total * 0.93),
        "active_tasks": submitted,
        "active_by_events": measures.micro(total * 0.93),
        "seconds_total": measures.micro(total),
        "judged": submitted,
        "agreed": rng.binomial(submitted, np.clip(skill - 0.02, 0, 1)),
        "right_expected": measures.micro(right),
        "gold_seen": gold,
        "gold_right": rng.binomial(gold, skill),
        "earned_cents": measures.micro(submitted * 5.0),
        "pay_seconds": measures.micro(total),
        "pay_cents": measures.micro(submitted * 5.0),
        "cost_cents": measures.micro(submitted * 6.0),
        "settled_labels": submitted // 3,
        "human_labels": submitted // 3,
        "machine_labels": np.where(own, 0, submitted // 5),
        "rejected": rng.poisson(0.2, count),
        "unreadable": rng.poisson(0.1, count),
    }
    some, known = submitted > 0, {}
    for name in given:
        known[name] = np.ones(count, bool)
    for name in (
        "judged",
        "agreed",
        "right_expected",
        "gold_seen",
        "gold_right",
        "rejected",
        "unreadable",
        "earned_cents",
        "pay_seconds",
        "pay_cents",
        "cost_cents",
        "settled_labels",
    ):
        known[name] = own & some
    for name in ("returned", "declined"):
        known[name] = ~own
    found = measures.sums(given, count, known, np.full(count, 1, np.int8))
    quantiles = {
        name: bins.exact(np.sort(flat)[np.argsort(np.argsort(flat))], row, q, count)
        if False
        else np.array([np.quantile(v, q) if len(v) else np.nan for v in seconds])
        for name, q in measures.QUANTILES.items()
    }
    columns = found.columns(quantiles, hist.texts(count))
    keys = {name: [each[place] for each in crew] for place, name in enumerate(KEYS[1:6])}
    return schema.WORKERS.frame({"day": [str(day)] * count, **keys, "name": [""] * count, **columns})


def hash_of(text: str) -> int:
    return sum((place + 1) * 131 * ord(letter) for place, letter in enumerate(text)) % 7919


def crew(workers: int = 40) -> list[tuple[str, str, str, str, str]]:
    """Three teams: two private ones and the public workforce."""
    teams = (
        ("worker_activity", "cats-and-dogs", "pets-2026-11", "image-classification"),
        ("worker_activity", "street-scenes", "street-boxes-chain-17", "bounding-box"),
        ("ledger", "public", "iris", "image-classification"),
    )
    found = []
    for number in range(workers):
        source, team, job, task_type = teams[number % 3]
        found.append((source, team, job, task_type, f"w-{(number * 2654435761) % 16**10:010x}"))
        if number % 5 == 0 and source == "ledger":
            found.append((source, team, "digits", "image-classification", found[-1][4]))
    return found


def month(
    first: date = date(2026, 10, 5), days: int = 33, workers: int = 40
) -> list[tuple[date, pd.DataFrame]]:
    """The workers tables of days; at weekends few work."""
    people = crew(workers)
    made = []
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        weekend = day.weekday() > 4
        at_work = [each for n, each in enumerate(people) if (n + ahead) % 9 and (not weekend or n % 6 == 0)]
        made.append((day, workers_of(day, at_work, busy=1.0 + 0.2 * np.sin(ahead / 5))))
    return made


def anomalies(day: date, workers: pd.DataFrame) -> pd.DataFrame:
    found = workers[workers["worker"] != ""].head(60)
    kinds = [
        ("too_fast", "Median 1.6 s per task; the others of this job take 14 s. 562 tasks.", "warning"),
        ("low_agreement", "Agreed with the consensus in 52% of 410 answers; below 60%.", "warning"),
        ("sudden_drop", "12 tasks; on the 9 days before 84 were usual.", "notice"),
        ("low_pay", "Earned $9.20 an hour; fair pay is $15.00.", "notice"),
    ]
    rows = [
        {
            "day": str(day),
            "worker": row.worker,
            "team": row.team,
            "job": row.job,
            "kind": kind,
            "reason": reason,
            "severity": severity,
        }
        for row, (kind, reason, severity) in zip(found.iloc[::7].itertuples(), kinds, strict=False)
    ]
    return schema.ANOMALIES.conform(pd.DataFrame(rows))


def sources(day: date, workers: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for place, row in enumerate(workers[workers["source"] == "worker_activity"].itertuples()):
        metric = row.submitted - (3 if place == 2 else 0)
        for worker in (row.worker,):
            rows.append(
                {
                    "day": str(day),
                    "team": row.team,
                    "job": row.job,
                    "worker": worker,
                    "measure": "submitted",
                    "by_events": row.submitted,
                    "by_metric": None if place == 5 else metric,
                    "difference": None if place == 5 else row.submitted - metric,
                }
            )
    return schema.SOURCES.conform(pd.DataFrame(rows, columns=schema.SOURCES.names))


PROBLEMS = [
    ("worker_activity", "duplicate event", 14, '{"worker_id":"<id>"}', "Nothing; each counts once."),
    (
        "worker_activity",
        "missing field",
        3,
        '{"event_type":"TasksSubmitted"}',
        "Look at the log group; AWS may have changed the format.",
    ),
    ("cognito", "worker without a user", 1, "<id>", "The worker was deleted from Cognito; nothing to do."),
]


def problems(day: date) -> pd.DataFrame:
    return schema.PROBLEMS.frame(
        {
            "day": [str(day)] * 3,
            **{n: [p[i] for p in PROBLEMS] for i, n in enumerate(schema.PROBLEMS.names[1:])},
        }
    )


def record(day: date, **more: Any) -> dict[str, Any]:
    return {
        "day": str(day),
        "revision": 1,
        "provisional": False,
        "revised": False,
        "kind": "first",
        "written": f"{day + timedelta(days=1)}T05:12:00+00:00",
        "history": [],
        **more,
    }


def revised(day: date) -> dict[str, Any]:
    history = [
        {
            "revision": 1,
            "written": f"{day + timedelta(days=1)}T05:12:00+00:00",
            "kind": "first",
            "why": "",
            "changes": [],
        },
        {
            "revision": 2,
            "written": f"{day + timedelta(days=2)}T05:11:00+00:00",
            "kind": "revised",
            "why": "31 late events",
            "changes": [
                {"measure": "submitted", "before": 1490, "after": 1521},
                {"measure": "active_seconds", "before": 51000.5, "after": 52200.0},
                {"measure": "agreement", "before": None, "after": 0.931},
            ],
        },
        {
            "revision": 3,
            "written": f"{day + timedelta(days=3)}T05:11:00+00:00",
            "kind": "revised",
            "why": "2 late events",
            "changes": [{"measure": "submitted", "before": 1521, "after": 1523}],
        },
    ]
    return record(day, revision=3, revised=True, kind="revised", why="2 late events", history=history)


def usual_day(workers: int = 40) -> tuple[Tables, dict[str, Any], Period]:
    """A Friday after four and a half weeks, revised twice."""
    days = month(workers=workers)
    day, frame = days[-1]
    day, frame = next((d, f) for d, f in reversed(days) if d.weekday() == 4)
    tables = Tables(frame, summed(frame, day), sources(day, frame), anomalies(day, frame), problems(day))
    return tables, revised(day), Period([f for d, f in days if d <= day])


def nothing() -> tuple[Tables, dict[str, Any], None]:
    """A day without any event; every source is silent."""
    day = date(2026, 11, 8)
    empty = schema.WORKERS.empty()
    rows = {n: [] for n in schema.PROBLEMS.names}
    for source in ("worker_activity", "workteam", "labeling_jobs", "cognito", "ledger"):
        for name, value in zip(
            schema.PROBLEMS.names,
            (
                str(day),
                source,
                "source is absent",
                1,
                "",
                "Look at the connection and at the permissions of its role.",
            ),
            strict=True,
        ):
            rows[name].append(value)
    return Tables(empty, schema.SUMMARY.empty(), problems=schema.PROBLEMS.frame(rows)), record(day), None


NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202etxt.exe",
    "a\ud800b",
    "$\\frac{1}{2}$",
    '=HYPERLINK("http://x")',
    "\u5de5\u4f5c" * 30,
    "x" * 500,
    "{{ 7*7 }}",
    "</style><b>",
    "\x00\x07 bell",
    "@@0@@",
)


def nasty_day() -> tuple[Tables, dict[str, Any], Period]:
    """Markup and worse in every name."""
    day = date(2026, 11, 6)
    people = [("ledger", text, text, text, text) for text in NASTY]
    frames = [workers_of(day - timedelta(days=ago), people) for ago in range(5)]
    frame = frames[0]
    tables = Tables(frame, summed(frame, day), sources(day, frame), anomalies(day, frame), problems(day))
    tables.anomalies["reason"] = NASTY[0]
    tables.problems["example"] = NASTY[1]
    tables.problems["what_to_do"] = NASTY[9]
    history = [
        {
            "revision": 1,
            "written": NASTY[0],
            "why": NASTY[1],
            "changes": [{"measure": NASTY[0], "before": 1, "after": 2}],
        }
    ]
    return tables, record(day, why=NASTY[0], revised=True, history=history), Period(frames)


def many_workers(count: int = 2000) -> tuple[Tables, dict[str, Any], Period]:
    day = date(2026, 11, 6)
    people = crew(count)
    frames = [workers_of(day - timedelta(days=ago), people, busy=0.5) for ago in range(2)]
    frame = frames[0]
    tables = Tables(frame, summed(frame, day), sources(day, frame), anomalies(day, frame), problems(day))
    return tables, record(day, provisional=True, kind="provisional"), Period(frames)


def one_worker() -> tuple[Tables, dict[str, Any], Period]:
    day = date(2026, 11, 6)
    frame = workers_of(day, crew(1))
    return Tables(frame, summed(frame, day)), record(day), Period([frame])
