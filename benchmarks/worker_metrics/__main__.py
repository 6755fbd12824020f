"""Time and memory of one day's tables, by how many events the day has.

    python -m benchmarks.worker_metrics
    python -m benchmarks.worker_metrics --events 1000000 --runs 5

Makes a day of a crowd of 4,000 workers, computes its tables, writes them as Parquet and CSV, and reads the
measures of a month of such days; each size in a process of its own, whose peak memory is told. Prints the
table and writes it to benchmarks/results/worker_metrics.md. Takes about two minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.origin import CHECKOUT, commit, machine

RESULTS = CHECKOUT / "benchmarks" / "results" / "worker_metrics.md"
SIZES = (10_000, 100_000, 1_000_000)
RUNS = 3
DAYS = 30
_MEGABYTE = 1024  # of the kilobytes that Linux tells

HEADINGS = {
    "events": "events",
    "rows": "rows of workers",
    "inputs_mb": "inputs, MB",
    "compute_s": "tables, s",
    "files_s": "Parquet and CSV, s",
    "files_mb": "files, MB",
    "month_s": "month of such days, s",
    "before_mb": "memory before, MB",
    "peak_mb": "peak, MB",
}

NOTES = f"""
## How it was measured

- *Tables* is `groundswell.reports.day.compute` on inputs in memory: log events and ledger rows (four to one),
  metrics of every worker and job, eight levels, exact medians, both counts of every worker and job, and what
  stands out. Median of the runs.
- *Files* are the five tables, each as Parquet and as CSV.
- *Month* is what the pages do: {DAYS} such days as a `Period`, all measures by team, and a trend by day.
- *Memory before* is that of the process with inputs and libraries; *peak* is the most it had until the end
  of the files, so the difference is what the computation takes.
- Reading the inputs from the sources and rendering the HTML report are not in these numbers.
"""


def measure(events: int, runs: int) -> dict[str, Any]:
    """Measure one size in this process."""
    from benchmarks.worker_metrics.events import day
    from groundswell.reports import schema
    from groundswell.reports.day import compute
    from groundswell.reports.period import Period
    from groundswell.reports.tables import to_csv, to_parquet

    # Libraries are loaded once before, as in a worker that has made a report already
    compute(day(1000))
    inputs = day(events)
    held = inputs.activity.memory_usage(deep=True).sum() + inputs.ledger.memory_usage(deep=True).sum()
    before = _resident_mb()
    times: dict[str, list[float]] = {"compute": [], "files": []}
    for _ in range(runs):
        began = time.perf_counter()
        tables = compute(inputs)
        times["compute"].append(time.perf_counter() - began)
        began = time.perf_counter()
        frames = tables.frames()
        files = [
            write(frames[table.name], table) for table in schema.TABLES for write in (to_parquet, to_csv)
        ]
        times["files"].append(time.perf_counter() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE
    first = inputs.day
    month = [tables.workers.assign(day=str(first + timedelta(days=number))) for number in range(DAYS)]
    began = time.perf_counter()
    period = Period(month)
    period.by("team")
    period.trend("team", "seconds_median")
    return {
        "events": events,
        "rows": len(tables.workers),
        "inputs_mb": held / 1e6,
        "compute_s": median(times["compute"]),
        "files_s": median(times["files"]),
        "files_mb": sum(map(len, files)) / 1e6,
        "month_s": time.perf_counter() - began,
        "before_mb": before,
        "peak_mb": peak,
    }


def document(results: list[dict[str, Any]], runs: int) -> str:
    """The results as Markdown."""
    lines = ["| " + " | ".join(HEADINGS.values()) + " |", "| " + " | ".join(["---:"] * len(HEADINGS)) + " |"]
    for result in results:
        cells = (
            f"{result[name]:,}" if name in {"events", "rows"} else _say(result[name]) for name in HEADINGS
        )
        lines.append("| " + " | ".join(cells) + " |")
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = (
        f"# A day of worker metrics\n\nMeasured {at} at commit {commit()} with `python -m "
        f"benchmarks.worker_metrics`, {runs} runs each; {machine()}. Written by the benchmark: run it again "
        "rather than edit it.\n\n"
    )
    return head + "\n".join(lines) + "\n" + NOTES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker_metrics", description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=SIZES, help="events of a day")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each size")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.runs)))
        return
    results = []
    for events in options.events:
        print(f"a day of {events:,} events ...", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "benchmarks.worker_metrics", "--one", str(events)]
        done = subprocess.run(
            [*command, "--runs", str(options.runs)],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        results.append(json.loads(done.stdout))
    text = document(results, options.runs)
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def _say(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


if __name__ == "__main__":
    sys.path.insert(0, str(CHECKOUT / "plugins"))
    main()
