"""Requester API calls per labelled item: the seed script, polling once a minute, against the pipeline.

    python benchmarks/requester_calls/measure.py
    python benchmarks/requester_calls/measure.py --pipeline-db .groundswell/workforce.db --pipeline-items 150

The seed script runs unchanged against a fresh server with the iris crowd. Everything is faster by
``--speed-up``: the crowd works that many times as fast, and the script sleeps 60 seconds divided by it,
which is a minute to the crowd. Calls are counted by the server, so what is printed does not depend on
the machine, except that a look at all HITs takes real time too: the period that the script kept is
printed, and the longer it is, the fewer calls the script made than it would have. Polling calls grow
with the time that the crowd takes, too: the crowd of the example needs less than ten minutes of its time.

The pipeline is measured from the database of the server that it ran against, for example that of the
local cloud after one run of the iris batch.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
SEED_SCRIPT = Path(__file__).with_name("seed_script.py")
DATASET = CHECKOUT / "include" / "data" / "iris.csv"
CROWD = CHECKOUT / "include" / "crowds" / "iris.yaml"
START_SECONDS = 60
MINUTE = 60.0


@dataclass(frozen=True)
class Measured:
    """Calls per operation that one way of working needed for its labelled items."""

    name: str
    calls: dict[str, int]
    items: int


def measure_seed_script(speed_up: float, crowd: Path, folder: Path) -> tuple[Measured, float]:
    """Run the seed script against a fresh server; returns its calls and the period kept, in crowd seconds."""
    database = f"sqlite:///{folder / 'market.db'}"
    with serving(database, crowd_at(speed_up, folder, crowd)) as url:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_MTURK": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "POLL_SECONDS": str(MINUTE / speed_up),
        }
        sweeps = sweep_times([sys.executable, str(SEED_SCRIPT), str(DATASET), str(folder)], environment)
    period = (sweeps[-1] - sweeps[0]) * speed_up / max(1, len(sweeps) - 1)
    return Measured("seed script, once a minute", counts_in(database), rows_in(folder)), period


def sweep_times(command: list[str], environment: dict[str, str]) -> list[float]:
    """Run the script to its end; returns when it finished each look at all of its HITs."""
    times = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as script:
        for line in script.stdout or ():
            if line.rstrip().endswith("labelled"):
                times.append(time.monotonic())
    if script.returncode or not times:
        raise SystemExit(f"the seed script failed with status {script.returncode}; its error is above")
    return times


def measure_pipeline(database: str, items: int) -> Measured:
    """Read the calls that a run of our pipeline made from the database of the server it ran against."""
    return Measured("pipeline", counts_in(database), items)


def crowd_at(speed_up: float, folder: Path, crowd: Path = CROWD) -> Path:
    """Write the crowd with another speed; its answer key stays where it is."""
    plan = yaml.safe_load(crowd.read_text())
    plan["speed_up"] = speed_up
    plan["answer_key"]["file"] = str(crowd.resolve().parent / plan["answer_key"]["file"])
    path = folder / "crowd.yaml"
    path.write_text(yaml.safe_dump(plan))
    return path


@contextlib.contextmanager
def serving(database: str, crowd: Path) -> Iterator[str]:
    """Run ``python -m workforce serve`` on a free port; yields its URL."""
    command = [sys.executable, "-m", "workforce", "serve", "--port", "0", "--db", database]
    command += ["--crowd", str(crowd)]
    server = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline() if server.stdout else ""
        if " at http" not in line:
            raise SystemExit("the server did not start; its error is above")
        yield line.split(" at ")[1].split()[0]
    finally:
        server.terminate()
        server.wait(START_SECONDS)


def counts_in(database: str) -> dict[str, int]:
    """Ask the server's own command line for the calls per operation."""
    command = [sys.executable, "-m", "workforce", "counts", "--json", "--db", database]
    answer = subprocess.run(command, cwd=CHECKOUT, check=True, stdout=subprocess.PIPE, text=True)
    counts: dict[str, int] = json.loads(answer.stdout)
    return counts


def rows_in(folder: Path) -> int:
    """Count the labelled rows of the two CSV files."""
    rows = 0
    for name in ("iris_training.csv", "iris_test.csv"):
        with (folder / name).open(newline="") as file:
            rows += sum(1 for _ in csv.DictReader(file))
    return rows


def table(measured: list[Measured]) -> str:
    """Return a Markdown table: a line per operation, and for each way calls and calls per item."""
    operations = sorted(
        {name for each in measured for name in each.calls},
        key=lambda name: (-max(each.calls.get(name, 0) for each in measured), name),
    )
    header = ["operation", *(text for each in measured for text in (each.name, "per item"))]
    rows = [[name, *cells(measured, [name])] for name in operations]
    rows.append(["total", *cells(measured, operations)])
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [f"| {' | '.join(text.ljust(width) for text, width in zip(header, widths, strict=True))} |"]
    lines.append(f"| {' | '.join(['-' * widths[0], *('-' * (width - 1) + ':' for width in widths[1:])])} |")
    for first, *numbers in rows:
        padded = (number.rjust(width) for number, width in zip(numbers, widths[1:], strict=True))
        lines.append(f"| {' | '.join([first.ljust(widths[0]), *padded])} |")
    return "\n".join(lines)


def cells(measured: list[Measured], operations: list[str]) -> list[str]:
    """Return calls and calls per item of the given operations together, for each way."""
    out = []
    for each in measured:
        calls = sum(each.calls.get(name, 0) for name in operations)
        out += [str(calls), f"{calls / each.items:.2f}"]
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--speed-up", type=float, default=4.0, help="crowd seconds per second")
    parser.add_argument("--crowd", type=Path, default=CROWD, metavar="FILE", help="another crowd file")
    parser.add_argument(
        "--pipeline-db", metavar="PATH", help="database of the server the pipeline ran against"
    )
    parser.add_argument("--pipeline-items", type=int, default=150, help="items that run labelled")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seed, period = measure_seed_script(options.speed_up, options.crowd, Path(folder))
    measured = [seed]
    if options.pipeline_db:
        url = options.pipeline_db if "://" in options.pipeline_db else f"sqlite:///{options.pipeline_db}"
        measured.append(measure_pipeline(url, options.pipeline_items))
    print(table(measured))
    print(f"\n{seed.items} items labelled; the script looked every {period:.0f} seconds of the crowd's time.")
    if len(measured) == 2 and (ours := sum(measured[1].calls.values())):
        theirs = sum(seed.calls.values()) / seed.items
        ratio = theirs / (ours / measured[1].items)
        print(f"The seed script makes {ratio:.1f} times as many calls per labelled item.")


if __name__ == "__main__":
    main()
