"""The two ways of working, each run to its end against a fresh server of its own."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.requester_calls.books import Books, read_books
from benchmarks.requester_calls.measure import (
    CHECKOUT,
    CROWD,
    DATASET,
    MINUTE,
    SEED_SCRIPT,
    crowd_at,
    serving,
)

UNLABELLED = "unknown"
Progress = Callable[[int, int], None]
_running: list[subprocess.Popen[str]] = []


@dataclass(frozen=True)
class Scenario:
    """
    How long the crowd takes, and how fast the benchmark's clock runs.

    :param slower: everything that workers do takes this many times as long as the crowd file says.
    :param speed_up: seconds of the benchmark's clock per second; all polling times are divided by it.
    """

    slower: float
    speed_up: float


@dataclass(frozen=True)
class Outcome:
    """What one side did in one scenario."""

    scenario: Scenario
    books: Books
    labels: dict[str, str]
    """Item -> label; items without one are absent."""
    period: float | None = None
    """Seconds of the benchmark's clock between two looks of the script at all its HITs."""

    @property
    def minutes(self) -> float:
        """From the first HIT to the last approval, by the benchmark's clock."""
        return self.books.seconds * self.scenario.speed_up / MINUTE

    @property
    def unpaid_minutes(self) -> float:
        """From submission to approval on average, by the benchmark's clock."""
        return self.books.unpaid_seconds * self.scenario.speed_up / MINUTE

    def calls(self, *operations: str) -> int:
        """Calls of these operations; of all, where none is named."""
        counts = self.books.calls
        return sum(counts.get(name, 0) for name in operations or counts)

    def per_item(self, *operations: str) -> float:
        """Calls of these operations per labelled item."""
        return self.calls(*operations) / len(self.labels)

    def right(self, key: Mapping[str, str]) -> int:
        """How many labels the answer key has as well."""
        return sum(key[item] == label for item, label in self.labels.items())


def run_script(scenario: Scenario, folder: Path, progress: Progress) -> Outcome:
    """Run the polling script, unchanged, with a minute that is as short as the scenario says."""
    crowd = _crowd(scenario, folder)
    database = folder / "workforce.db"
    looks = []
    with serving(f"sqlite:///{database}", crowd, folder / "server.log") as url:
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL_MTURK": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "POLL_SECONDS": str(MINUTE / scenario.speed_up),
        }
        for line in _lines([str(SEED_SCRIPT), str(DATASET), str(folder)], environment, folder):
            words = line.split()
            if words[-1:] == ["labelled"]:
                looks.append(time.monotonic())
                progress(int(words[0]), int(words[2]))
    period = (looks[-1] - looks[0]) * scenario.speed_up / max(1, len(looks) - 1)
    return Outcome(scenario, read_books(database), script_labels(folder), period)


def run_pipeline(scenario: Scenario, folder: Path, progress: Progress) -> Outcome:
    """Run our pipeline's operators in a process of their own, which starts its cloud when it is ready."""
    crowd = _crowd(scenario, folder)
    options = ["--speed-up", str(scenario.speed_up), "--crowd", str(crowd), "--folder", str(folder)]
    labels: dict[str, str] = {}
    for line in pipeline_lines(options, folder):
        if not line.startswith('{"step"'):
            continue  # Airflow logs to standard output, too
        step = json.loads(line)
        if step["step"] == "collect_and_extend":
            progress(step["labelled"], step["items"])
        labels = step.get("labels", labels)
    return Outcome(scenario, read_books(folder / "cloud" / "workforce.db"), labels)


def pipeline_lines(options: list[str], folder: Path) -> Iterator[str]:
    """Run ``benchmarks.requester_calls.pipeline``; yields its lines, keeps them in the folder."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "plugins")}
    yield from _lines(["-m", "benchmarks.requester_calls.pipeline", *options], environment, folder)


def interrupt() -> None:
    """End the sides that run; each stops its server."""
    for process in list(_running):
        process.terminate()


def script_labels(folder: Path) -> dict[str, str]:
    """Return item -> label from the two files of the script, which are in the order of its dataset."""
    species = [
        row["species"] for name in ("iris_training.csv", "iris_test.csv") for row in _rows(folder / name)
    ]
    items = [row["id"] for row in _rows(DATASET)]
    return {item: label for item, label in zip(items, species, strict=True) if label != UNLABELLED}


def answer_key() -> dict[str, str]:
    """Return item -> true label: what the crowd is simulated from, and neither side sees."""
    return {row["item"]: row["label"] for row in _rows(CROWD.with_name("iris_answers.csv"))}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def _crowd(scenario: Scenario, folder: Path) -> Path:
    folder.mkdir(parents=True)
    return crowd_at(scenario.speed_up / scenario.slower, folder)


def _lines(arguments: list[str], environment: dict[str, str], folder: Path) -> Iterator[str]:
    """Run a Python process; yields its lines and keeps them in ``output.log``; fails where it fails."""
    log = folder / "output.log"
    command = [sys.executable, *arguments]
    with (
        log.open("w") as kept,
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        _running.append(process)
        for line in process.stdout or ():
            kept.write(line)
            yield line.rstrip("\n")
    _running.remove(process)
    if process.returncode:
        tail = "".join(log.read_text().splitlines(keepends=True)[-20:])
        raise SystemExit(f"{' '.join(command)} failed with status {process.returncode}:\n{tail}")
