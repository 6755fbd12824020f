"""What each stopping rule buys: answers, money, accuracy and minutes, on both examples.

    python -m benchmarks.rules
    python -m benchmarks.rules --batches digits --runs 3

Runs the operators of the labelling DAG on each batch with each rule, against a workforce server of their own
with the example's simulated crowd, prints the tables and writes them to benchmarks/results/rules.md. Takes
about 15 minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from benchmarks.origin import CHECKOUT, commit, machine
from benchmarks.requester_calls.books import Books, read_books
from benchmarks.requester_calls.measure import MINUTE, crowd_at, markdown
from benchmarks.requester_calls.sides import pipeline_lines
from tools.demo.documents import accuracy, read_answer_key

RESULTS = CHECKOUT / "benchmarks" / "results" / "rules.md"
INCLUDE = CHECKOUT / "include"
MOST = {"iris": 5, "digits": 6}
BUDGET = "500.00"
AT_ONCE = 2


@dataclass(frozen=True)
class Run:
    """One batch that was labelled with one rule."""

    books: Books
    labels: dict[str, str]
    items: int
    right: int
    minutes: float


def rules(most: int) -> dict[str, dict[str, Any]]:
    """The rules that are compared, by what a reader calls them."""
    return {
        "fixed: 3": {"rule": "fixed", "first": 3, "most": 4},
        f"agree: 2, most {most}": {"rule": "agree", "agree": 2, "first": 2, "most": most},
        f"lead: 2, most {most}": {"rule": "lead", "lead": 2, "first": 2, "most": most},
        f"confidence: 0.96, most {most}": {"rule": "confidence", "confidence": 0.96, "most": most},
    }


def measure(batch: str, rule: Mapping[str, Any], speed_up: float, folder: Path) -> Run:
    """Label a batch with a rule; returns what its server and its labels say."""
    folder.mkdir(parents=True)
    crowd = crowd_at(speed_up, folder, INCLUDE / "crowds" / f"{batch}.yaml")
    options = ["--speed-up", str(speed_up), "--crowd", str(crowd), "--folder", str(folder)]
    options += [
        "--batch",
        str(INCLUDE / "batches" / f"{batch}.yaml"),
        "--set",
        f"redundancy={json.dumps(rule)}",
    ]
    options += ["--set", f"spend={json.dumps({'budget': BUDGET, 'approve_above': BUDGET})}"]
    labels: dict[str, str] = {}
    for step in _steps(options, folder):
        labels = step.get("labels", labels)
    books = read_books(folder / "cloud" / "workforce.db")
    truth = read_answer_key(INCLUDE / "crowds" / f"{batch}_answers.csv")
    right, _ = accuracy(labels, truth)
    return Run(books, labels, len(truth), right, books.seconds * speed_up / MINUTE)


def _steps(options: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    for line in pipeline_lines(options, folder):
        if line.startswith('{"step"'):
            yield json.loads(line)


def row(name: str, runs: Sequence[Run]) -> list[str]:
    """A line of the table: means over the runs."""
    items = runs[0].items
    spread = [100 * run.right / items for run in runs]
    return [
        name,
        f"{mean(run.books.approved for run in runs):.0f}",
        f"{mean(run.books.approved for run in runs) / items:.2f}",
        f"${mean(run.books.cents for run in runs) / 100:.2f}",
        f"{mean(len(run.labels) for run in runs):.0f}",
        f"{100 * mean(run.right / max(1, len(run.labels)) for run in runs):.1f} %",
        f"{mean(spread):.1f} %" + (f" ({min(spread):.1f} to {max(spread):.1f})" if len(runs) > 1 else ""),
        f"{mean(run.minutes for run in runs):.1f}",
    ]


HEADER = [
    "rule",
    "answers",
    "per item",
    "spend",
    "labelled",
    "right of these",
    "right of all items",
    "minutes",
]


METHOD = """
- Each line is {times} of the DAG's operators from load_dataset to the deletion of the HITs, on the example's
  batch file with another `redundancy`, against a local cloud of its own with the example's simulated crowd.
  Labels come from `method: default` and are held against the file that the crowd is simulated from.
- Answers and spend (rewards and fees) are what the server's database says was approved. Minutes are from the
  first HIT to the last approval by the crowd's clock, which runs {speed_up:g} times as fast as life. What the
  machine does is not sped up, and two runs share it, so that minutes are rather too many.
- Items that are tied have no label, nor have those that `agree` or `lead` gave up; what `confidence` gave up
  has its best one (`unsettled: label`). *Right of all items* counts items without a label as wrong.
- Who meets which item depends on the moment. From run to run the accuracy differs by about one percent of the
  items, so differences of that size say nothing; the answers differ by a few percent.
- The simulated workers err independently of one another, item by item. Real ones err together on hard items,
  which makes every rule less accurate than here, and `confidence` surer than it should be.
"""


def document(tables: Mapping[str, str], runs: int, speed_up: float, took: float, command: str) -> str:
    """The result as a Markdown document."""
    parts = [
        "# What each stopping rule buys",
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC at commit {commit()} with `{command}`, in "
        f"{took / 60:.0f} minutes; {machine()}. Written by the benchmark: run it again rather than edit it.",
    ]
    for batch, table in tables.items():
        parts += [f"## {batch}", table]
    times = "one run" if runs == 1 else f"the mean of {runs} runs"
    parts += ["## How it was measured", METHOD.format(times=times, speed_up=speed_up).strip()]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.rules",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--batches", nargs="+", choices=tuple(MOST), default=list(MOST))
    parser.add_argument("--runs", type=int, default=1, help="of each rule (default: %(default)s)")
    parser.add_argument("--speed-up", type=float, default=15.0, choices=(1.0, 3.0, 5.0, 7.5, 15.0))
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="groundswell-rules-") as home,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        started: dict[tuple[str, str], list[Future[Run]]] = {}
        for batch in options.batches:
            for place, (name, rule) in enumerate(rules(MOST[batch]).items()):
                folders = [Path(home) / batch / f"{place}-{number}" for number in range(options.runs)]
                runs = [pool.submit(measure, batch, rule, options.speed_up, each) for each in folders]
                started[batch, name] = runs
        lines: dict[str, list[list[str]]] = {}
        for (batch, name), runs in started.items():
            line = row(name, [each.result() for each in runs])
            lines.setdefault(batch, []).append(line)
            print(f"[{time.monotonic() - began:4.0f} s] {batch}: {', '.join(line)}", flush=True)
        tables = {batch: markdown(HEADER, each) for batch, each in lines.items()}
    command = " ".join(["python -m benchmarks.rules", *sys.argv[1:]])
    options.output.write_text(
        document(tables, options.runs, options.speed_up, time.monotonic() - began, command)
    )
    print(f"\nWritten to {options.output}")


if __name__ == "__main__":
    main()
