"""Time and memory of every task of the reports' DAG, for a day of many events that come over AWS's API.

    python -m benchmarks.worker_metrics.whole
    python -m benchmarks.worker_metrics.whole --events 100000 --print

Starts a local cloud, plays a working day of private teams into its CloudWatch, Logs and Cognito, and runs the
tasks one after another, each in a process of its own as an executor does: the first time, and once more
when nothing is new. Writes benchmarks/results/worker_metrics_whole.md. Takes about ten minutes with a million
events, and 6 GB of memory, most of it the emulator's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.origin import CHECKOUT, commit, machine
from localcloud.teams.plan import Plan, default_plan
from localcloud.teams.player import clients_of, play
from tests.support.cloud_process import CloudProcess

RESULTS = CHECKOUT / "benchmarks" / "results" / "worker_metrics_whole.md"
EVENTS = 1_000_000
TEAMS = 10
LABELLING_S = 5 * 3600.0
EVENTS_PER_WORKER = 1145  # of a day of this plan
BUCKET = "groundswell-reports"
TASKS = (
    "window",
    "collect_activity",
    "collect_workteam",
    "collect_jobs",
    "collect_names",
    "report_day",
    "publish",
)


class Task(NamedTuple):
    """What a task took: seconds on the clock, seconds of processor, and the most memory in MB."""

    name: str
    wall: float
    processor: float
    memory: float


class Day(NamedTuple):
    """What was measured."""

    lines: int
    points: int
    workers: int
    play_s: float
    first: list[Task]
    again: list[Task]
    totals: dict[str, Any]
    submitted: int


def plan_of(events: int, day: date) -> Plan:
    """Return a plan with about so many events on one working day."""
    plan = default_plan(workers=max(TEAMS, events // EVENTS_PER_WORKER), teams=TEAMS, until=day, days=1)
    return plan.replace(teams=[team.model_copy(update={"labelling": LABELLING_S}) for team in plan.teams])


def working_day(now: datetime) -> date:
    """Return the last day from Monday to Friday that is over."""
    day = now.date() - timedelta(days=1)
    return day - timedelta(days=max(0, day.weekday() - 4))


def measure(events: int, folder: Path, *, ask: bool) -> Day:
    """Play the day, and run the tasks on it, after Enter where that is asked for."""
    day = working_day(datetime.now(UTC))
    cloud = CloudProcess(folder / "cloud")
    cloud.start()
    try:
        cloud.client("s3").create_bucket(Bucket=BUCKET)
        began = time.perf_counter()
        plan = plan_of(events, day)
        played = play(plan, clients_of(cloud.endpoint_url))
        play_s = time.perf_counter() - began
        settings = _settings(folder, day)
        if ask:
            input("the day is played; Enter when nothing else runs: ")
        first, report = _run(settings, day, cloud)
        again, _ = _run(settings, day, cloud)
    finally:
        cloud.stop()
    lines = sum(delivered.lines for delivered in played.days)
    points = sum(delivered.points for delivered in played.days)
    totals = report["totals"]
    return Day(lines, points, plan.workers, play_s, first, again, totals, totals["submitted"])


def _settings(folder: Path, day: date) -> Path:
    text = (CHECKOUT / "include" / "reports" / "worker_metrics.yaml").read_text(encoding="utf-8")
    text = text.replace("late_days: 3 ", "late_days: 0 ").replace("batches: ../batches ", "batches: null ")
    text = text.replace("start: 2026-11-01", f"start: {day}")
    path = folder / "worker_metrics.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _run(settings: Path, day: date, cloud: CloudProcess) -> tuple[list[Task], Any]:
    tasks: list[Task] = []
    results: dict[str, Any] = {}
    for name in TASKS:
        given = {"window": str(day), "publish": results.get("report_day")}
        task, results[name] = _task(settings, name, given.get(name, results.get("window")), cloud)
        tasks.append(task)
    [written] = results["window"]
    assert written["day"] == str(day), "the settings say which day"
    return tasks, results["report_day"]


def _task(settings: Path, name: str, given: Any, cloud: CloudProcess) -> tuple[Task, Any]:
    print(f"{name} ...", file=sys.stderr, flush=True)
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {"endpoint_url": cloud.endpoint_url, "region_name": "us-east-1"},
    }
    environment = {
        **os.environ,
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW_HOME": str(settings.parent / "airflow"),
        "PYTHONPATH": f"{CHECKOUT / 'plugins'}:{CHECKOUT}",
        # Container images like to switch compiled modules off; an installed Airflow has them
        "PYTHONPYCACHEPREFIX": str(CHECKOUT / ".cache" / "python"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    output = settings.parent / "output"
    command = [sys.executable, "-m", "benchmarks.worker_metrics.steps", str(settings), name]
    began = time.perf_counter()
    with output.open("wb") as file:
        streams = [(os.POSIX_SPAWN_DUP2, file.fileno(), 1), (os.POSIX_SPAWN_DUP2, file.fileno(), 2)]
        child = os.posix_spawn(
            sys.executable, [*command, json.dumps(given)], environment, file_actions=streams
        )
        _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - began
    text = output.read_text(encoding="utf-8")
    if status:
        raise RuntimeError(f"{name} ended with {os.waitstatus_to_exitcode(status)}:\n{text[-3000:]}")
    result, peak = json.loads(text.splitlines()[-1])
    return Task(name, wall, used.ru_utime + used.ru_stime, peak), result


def document(found: Day) -> str:
    """The results as Markdown."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        "# A day of worker metrics, every task of the DAG",
        "",
        f"Measured {at} at commit {commit()} with `python -m benchmarks.worker_metrics.whole`; {machine()}. "
        "Written by the benchmark: run it again rather than edit it.",
        "",
        f"{found.lines:,} events of {found.workers:,} workers in {TEAMS} teams, and {found.points:,} data "
        f"points of metrics; the report counts {found.submitted:,} submitted tasks.",
        "",
        "| task | s | s of processor | peak, MB | s, nothing new | peak, MB, nothing new |",
        "| :--- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for task, again in zip(found.first, found.again, strict=True):
        lines.append(
            f"| {task.name} | {task.wall:.1f} | {task.processor:.1f} | {task.memory:,.0f} "
            f"| {again.wall:.1f} | {again.memory:,.0f} |"
        )
    whole = [sum(column) for column in zip(*(task[1:3] for task in found.first), strict=True)]
    peak, peak_again = (max(task.memory for task in tasks) for tasks in (found.first, found.again))
    again_s = sum(task.wall for task in found.again)
    lines.append(
        f"| **all** | {whole[0]:.1f} | {whole[1]:.1f} | {peak:,.0f} | {again_s:.1f} | {peak_again:,.0f} |"
    )
    return "\n".join(lines) + "\n" + NOTES.format(play=found.play_s)


NOTES = """
## How it was measured

- Each task is a process of its own, one after another; in Airflow those that collect run side by side.
  `window` reads hardly anything: its row is what the start of Python and of Airflow's libraries takes.
- The events come page by page from the local cloud's emulator (FilterLogEvents, GetMetricData, ListUsers),
  which works on the same cores: the difference of the first two columns is mostly its time.
- Putting the day into the emulator took {play:.0f} s before; that is not in the table.
- *Nothing new* is the same tasks again: events that are known are read and found to be known, no file is
  written.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker_metrics.whole",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--events", type=int, default=EVENTS, help="events of the day, about")
    parser.add_argument("--ask", action="store_true", help="wait for Enter before the tasks are timed")
    parser.add_argument("--print", action="store_true", help="print the result only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="worker-metrics-") as folder:
        text = document(measure(options.events, Path(folder), ask=options.ask))
    if not options.print:
        RESULTS.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
