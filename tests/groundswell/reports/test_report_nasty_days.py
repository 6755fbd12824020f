"""Nasty days recomputed from raw rows by loops: odd zones, gaps in all sources, workers in two teams."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import quantiles
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pytest

from groundswell.reports import schema
from groundswell.reports.bins import ERROR
from groundswell.reports.day import DayInputs, DayTables, compute
from groundswell.reports.period import Period

Row = dict[str, Any]
#: The middle one of three days: of 25, 23, 24.5, 23.5 and 24 hours; without midnight, with two, and in none.
DAYS = [
    ("Europe/Berlin", date(2026, 10, 25)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Asia/Kolkata", date(2026, 12, 31)),
    ("Africa/Cairo", date(2026, 4, 24)),
    ("America/Havana", date(2026, 11, 1)),
    ("Asia/Kathmandu", date(2027, 1, 3)),
]
#: Jobs and how metrics tell their time: by worker, of some workers, as a whole, not at all, by other ids.
JOBS = {"named": "all", "partly": "some", "whole": "job", "dark": "none", "strange": "others"}
TEAMS, TYPES, WORKERS = ("birds", "cats"), ("boxes", "texts"), ("ann", "bo", "cy", "")


@dataclass(frozen=True)
class World:
    zone: ZoneInfo
    days: list[date]
    log: list[Row]
    ledger: list[Row]
    metrics: list[Row]
    labels: list[Row]


def world(seed: int, zone: str, middle: date) -> World:
    rng = random.Random(seed)
    days = [middle + timedelta(days=number) for number in (-1, 0, 1)]
    begin = datetime.combine(days[0], datetime.min.time(), tzinfo=UTC) - timedelta(hours=14)

    def moment() -> datetime:
        near = rng.random() < 0.3  # around the midnights, to the second
        zoned = datetime.combine(rng.choice(days), datetime.min.time(), tzinfo=ZoneInfo(zone))
        edge = zoned.astimezone(UTC) + timedelta(seconds=rng.randint(-2, 2))
        return edge if near else begin + timedelta(seconds=rng.randrange(4 * 86_400))

    def seconds() -> float | None:
        return rng.choice([None, 0.0, -7.0, 1e9, float(rng.randint(1, 9)), round(rng.expovariate(0.01), 6)])

    log = [
        {
            "kind": rng.choice(["accepted", "submitted", "submitted", "submitted", "returned", "declined"]),
            "worker": rng.choice(WORKERS),
            "team": rng.choice(TEAMS),
            "job": rng.choice(list(JOBS)),
            "task_type": rng.choice(TYPES),
            "at": moment(),
            "seconds": seconds(),
        }
        for _ in range(rng.choice([0, 5, 120, 400]))
    ]
    ledger = [
        {
            "kind": rng.choice(["accepted", "submitted", "submitted"]),
            "worker": rng.choice(["W1", "W2"]),
            "team": "public",
            "job": rng.choice(["iris", "digits"]),
            "run": rng.choice(["scheduled__1", "manual__2"]),
            "task_type": rng.choice(TYPES),
            "at": moment(),
            "seconds": seconds(),
            "paid": rng.choice([True, True, False, None]),
            "rejected": rng.choice([True, False, False, None]),
            "reward_cents": rng.choice([0.0, 5.0, 7.5, None, -1.0]),
            "cost_cents": rng.choice([0.0, 6.0, 9.0, None]),
            "readable": rng.choice([True, True, True, False]),
            "agreed": rng.choice([True, False, None]),
            "right": rng.choice([None, 0.0, 1.0, 0.25, 1.5]),
            "gold_right": rng.choice([None, None, None, True, False]),
            "settles": rng.choice([True, False, None]),
        }
        for _ in range(rng.choice([0, 5, 150, 300]))
    ]
    metrics, labels = [], []
    for day in days:
        for job, how in JOBS.items():
            of = {
                "all": ("ann", "bo", "cy", "new"),
                "some": ("bo", "new"),
                "job": ("",),
                "others": ("x", "y"),
            }
            for worker in of.get(how, ()):
                said = {"day": day.isoformat(), "job": job, "team": "", "worker": worker, "dimensions": "d"}
                for measure, most in (("active_seconds", 4000), ("submitted", 30), ("accepted", 30)):
                    if rng.random() < 0.8:
                        metrics.append({**said, "measure": measure, "value": float(rng.randrange(most))})
            counts = {"human_labels": rng.randrange(9), "machine_labels": rng.randrange(9)}
            labels.append(
                {"day": day.isoformat(), "job": job, "team": "birds", "task_type": "boxes", **counts}
            )
    return World(ZoneInfo(zone), days, log, ledger, metrics, labels)


def frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in (rows or [{}])[0]}
    )


def tables_of(made: World) -> list[DayTables]:
    activity = frame(made.log).assign(source="worker_activity") if made.log else schema.ACTIVITY.empty()
    ledger = frame(made.ledger).assign(source="ledger") if made.ledger else schema.ACTIVITY.empty()
    inputs = {"zone": made.zone, "pseudonym": lambda worker: f"w-{worker}", "activity": activity}
    workteam = schema.WORKTEAM.conform(frame(made.metrics))
    return [
        compute(DayInputs(day=day, ledger=ledger, workteam=workteam, jobs=made.labels, **inputs))
        for day in made.days
    ]


# The loops -------------------------------------------------------------------------------------------


def good(value: float | None, most: float) -> float | None:
    return value if value is not None and 0 <= value <= most else None


@dataclass
class Found:
    """Measures of a group, and what they were computed from."""

    numbers: dict[str, float | None]
    seconds: list[float]


class Loops:
    """The raw rows of some days."""

    def __init__(self, made: World, days: Iterable[date]) -> None:
        wanted = set(days)

        def here(rows: list[Row], source: str) -> list[Row]:
            found = [{**row, "day": row["at"].astimezone(made.zone).date(), "source": source} for row in rows]
            return [row for row in found if row["day"] in wanted]

        self.log, self.ledger = here(made.log, "worker_activity"), here(made.ledger, "ledger")
        texts = {day.isoformat() for day in wanted}
        self.metrics = [row for row in made.metrics if row["day"] in texts]
        self.labels = [row for row in made.labels if row["day"] in texts]

    def work(self, level: str) -> dict[str, list[float]]:
        """Seconds and tasks of time at work, by the job, or by the worker as far as a worker has it."""
        spent: dict[tuple[Any, ...], dict[str, float]] = defaultdict(dict)
        for row in self.metrics:
            spent[row["day"], row["job"]].setdefault(row["worker"] + "/" + row["measure"], row["value"])
        days = defaultdict(list)
        for row in self.log:
            days[row["day"].isoformat(), row["job"]].append(row)
        answer: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])

        def add(job: str, worker: str, seconds: float, tasks: float, of_events: float) -> None:
            key = {"job": job, "worker": f"w-{worker}" if worker else "", "all": ""}[level]
            answer[key][0] += seconds
            answer[key][1] += tasks
            answer[key][2] += of_events

        for job in {*spent, *days}:
            rows, said = days.get(job, []), spent.get(job, {})
            by: dict[str, list[Row]] = defaultdict(list)
            for row in rows:
                by[row["worker"]].append(row)
            times = {
                name.split("/")[0]: value for name, value in said.items() if name.endswith("active_seconds")
            }
            counted = {
                name.split("/")[0]: value for name, value in said.items() if name.endswith("submitted")
            }
            if rows and times and not times.keys() & by.keys() - {""} and "" not in times:
                done = [row for row in rows if row["kind"] == "submitted"]
                times, counted = {"": sum(times.values())}, {"": max(sum(counted.values()), len(done))}
            whole = [0.0, 0.0, 0.0]
            for worker in {*by, *times} - {""} | ({""} & by.keys()):
                done = [row for row in by.get(worker, ()) if row["kind"] == "submitted"]
                known = [each for row in done if (each := good(row["seconds"], 366 * 86_400)) is not None]
                seconds, tasks, of_events = sum(known), len(known), sum(known)
                if worker and worker in times:
                    seconds, tasks, of_events = times[worker], counted.get(worker) or len(done), 0.0
                whole = [whole[0] + seconds, whole[1] + tasks, whole[2] + of_events]
                add(job[1], worker, seconds, tasks, of_events)
            if "" in times:
                done = [row for row in rows if row["kind"] == "submitted"]
                tasks = counted.get("") or len(done)
                add(job[1], "", times[""] - whole[0], tasks - whole[1], -whole[2])
        return answer

    def groups(self, level: str) -> dict[str, Found]:
        """All measures by job, by worker, or of everything."""

        def key(row: Row) -> str:
            return {
                "job": row["job"],
                "worker": f"w-{row['worker']}" if row.get("worker") else "",
                "all": "",
            }[level]

        rows: dict[str, list[Row]] = defaultdict(list)
        for row in [*self.log, *self.ledger]:
            rows[key(row)].append(row)
        labels = Counter[str](), Counter[str]()
        for row in self.labels:
            labels[0][key(row)] += row["human_labels"]
            labels[1][key(row)] += row["machine_labels"]
        work = self.work(level)
        return {
            name: self._found(rows.get(name, []), work.get(name), labels[0][name], labels[1][name])
            for name in {*rows, *work, *labels[0]}
        }

    def _found(self, rows: list[Row], work: list[float] | None, human: int, machine: int) -> Found:
        done = [row for row in rows if row["kind"] == "submitted"]
        own = [row for row in done if row["source"] == "ledger"]
        seconds = [each for row in done if (each := good(row["seconds"], 366 * 86_400)) is not None]
        own_timed = [row for row in own if good(row["seconds"], 366 * 86_400) is not None]
        active = (work or [0.0])[0] + sum(row["seconds"] for row in own_timed)
        tasks = (work or [0.0, 0.0])[1] + len(own_timed)
        of_events = (work or [0.0, 0.0, 0.0])[2] + sum(row["seconds"] for row in own_timed)
        judged = [row for row in own if row["agreed"] is not None]
        rights = [
            float(row["agreed"]) if (share := good(row["right"], 1.0)) is None else share for row in judged
        ]
        gold = [row["gold_right"] for row in own if row["gold_right"] is not None]
        pays = [
            row
            for row in own_timed
            if (row["paid"] or row["rejected"]) and good(row["reward_cents"], 1e8) is not None
        ]
        settled = sum(row["settles"] is True for row in own)
        cost = sum(good(row["cost_cents"], 1e8) or 0.0 for row in own)
        earned = sum(good(row["reward_cents"], 1e8) or 0.0 for row in own)
        paid, paid_for = sum(row["reward_cents"] for row in pays), sum(row["seconds"] for row in pays)
        agreed = sum(row["agreed"] for row in judged)
        numbers: dict[str, float | None] = {
            kind: sum(row["kind"] == kind for row in rows)
            for kind in ("accepted", "submitted", "returned", "declined")
        }
        numbers |= {
            "active_seconds": active,
            "active_tasks": tasks,
            "seconds_total": sum(seconds),
            "active_by_events": of_events,
            "seconds_per_task": active / tasks if active > 0 and tasks > 0 and of_events >= 0 else None,
            "tasks_per_hour": 3600 * tasks / active if active > 0 <= tasks and of_events >= 0 else None,
            "judged": len(judged),
            "agreed": agreed,
            "agreement": agreed / len(judged) if judged else None,
            "right_expected": sum(rights),
            "accuracy": sum(rights) / len(judged) if judged else None,
            "gold_seen": len(gold),
            "gold_right": sum(gold),
            "gold_score": sum(gold) / len(gold) if gold else None,
            "earned_cents": earned,
            "pay_seconds": paid_for,
            "pay_cents": paid,
            "hourly_pay": 36 * paid / paid_for if paid_for else None,
            "cost_cents": cost,
            "settled_labels": settled,
            "cost_per_label": cost / 100 / settled
            if settled and any(row["cost_cents"] is not None for row in own)
            else None,
            "human_labels": settled + human,
            "machine_labels": machine,
            "machine_share": machine / (settled + human + machine) if settled + human + machine else None,
            "rejected": sum(row["rejected"] is True for row in own),
            "unreadable": sum(row["readable"] is False for row in own),
            "seconds_median": quantile(seconds, 0.5),
            "seconds_p90": quantile(seconds, 0.9),
        }
        return Found(numbers, seconds)


def quantile(values: Sequence[float], q: float) -> float | None:
    if len(values) < 2:
        return values[0] if values else None
    return quantiles(values, n=10, method="inclusive")[round(10 * q) - 1]


def assert_same(table: pd.DataFrame, found: dict[str, Found], level: str, apart: float) -> None:
    rows = {(row[level] if level != "all" else ""): row for row in table.to_dict("records")}
    silent = {name for name, each in found.items() if not any(each.numbers.values())}
    assert rows.keys() - silent == found.keys() - silent
    ratios = {"seconds_per_task", "tasks_per_hour", "agreement", "accuracy", "gold_score", "hourly_pay"}
    ratios |= {"cost_per_label", "machine_share", "seconds_median", "seconds_p90"}
    for name in rows.keys() & found.keys():
        for measure, wanted in found[name].numbers.items():
            mine = rows[name][measure]
            told = None if pd.isna(mine) else float(mine)
            if measure not in ratios or measure in {"machine_share", "tasks_per_hour"}:
                told, wanted = told or 0.0, wanted or 0.0  # nothing known of it, or none
            if told is None or wanted is None:
                assert told is wanted is None, (level, name, measure, told, wanted)
                continue
            off = apart if measure in {"seconds_median", "seconds_p90"} else 1e-9
            assert math.isclose(told, wanted, rel_tol=off, abs_tol=2e-6), (level, name, measure, told, wanted)


@pytest.mark.parametrize(("zone", "middle"), DAYS)
def test_nasty_days_and_their_period(zone: str, middle: date) -> None:
    made = world(DAYS.index((zone, middle)), zone, middle)
    tables = tables_of(made)
    for day, found in zip(made.days, tables, strict=True):
        loops = Loops(made, [day])
        for level in ("job", "worker", "all"):
            table = found.summary[found.summary["level"] == level]
            assert_same(table, loops.groups(level), level, 1e-9)
    loops, period = Loops(made, made.days), Period([found.workers for found in tables])
    by: dict[str, Callable[[], pd.DataFrame]] = {
        "job": lambda: period.by("job"),
        "worker": lambda: period.by("worker"),
        "all": period.by,
    }
    for level, ask in by.items():
        assert_same(ask(), loops.groups(level), level, ERROR * 1.001)
    weeks = period.by("week").set_index("week", drop=False)
    for week in {f"{day:%G-W%V}" for day in made.days}:
        days = [day for day in made.days if f"{day:%G-W%V}" == week]
        if wanted := Loops(made, days).groups("all"):
            assert_same(weeks.loc[[week]], wanted, "all", ERROR * 1.001)
