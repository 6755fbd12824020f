"""Time and added memory at growing numbers of answers, each method in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.consolidation import charts
from benchmarks.consolidation.crowds import LABELS, PER_WORKER, PRIOR, REDUNDANCY, Crowd, synthetic
from benchmarks.consolidation.document import Part, bullets, flow, image, table
from benchmarks.consolidation.peers import Peer, PeerError, write
from benchmarks.consolidation.progress import Say
from benchmarks.origin import CHECKOUT

CHART = "consolidation_speed.svg"
SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
RUNS = {10_000: 7, 100_000: 5, 1_000_000: 3, 10_000_000: 1}
WARM = 2_000
LIMIT_SECONDS = 3600.0
OURS, PEER, DEFAULT, MAJORITY = "dawid_skene", "crowd-kit DS", "default", "majority"
TEN = ", 10 rounds"
CROWD_KIT = "crowd-kit "


@dataclass(frozen=True)
class Speed:
    """What one method took for one number of answers; see :class:`benchmarks...measuring.Cost`."""

    method: str
    answers: int
    seconds: float = float("nan")
    cpu_seconds: float = float("nan")
    runs: int = 0
    before_mib: float = float("nan")
    added_mib: float = float("nan")
    accuracy: float = float("nan")
    rounds: int = 0
    error: str = ""


def measure_speeds(*, quick: bool, say: Say) -> list[Speed]:
    """Measure all methods at all sizes, one process at a time."""
    found: list[Speed] = []
    for size in SIZES[:2] if quick else SIZES:
        say(f"speed: making {size:,} answers")
        with tempfile.TemporaryDirectory(prefix="groundswell-benchmark-") as name:
            folder = Path(name)
            _write(synthetic(size), folder, "answers")
            _write(synthetic(WARM), folder, "warm")
            for method in _methods():
                found.append(_measure(method, size, folder))
                say(f"speed: {method}, {size:,} answers: {_told(found[-1])}")
    return found


def _methods() -> list[str]:
    from groundswell.consolidation.classification import METHODS

    ours = [method for method in (MAJORITY, OURS, DEFAULT) if method in METHODS]
    return [*ours, OURS + TEN, PEER, PEER + TEN]


def _write(crowd: Crowd, folder: Path, name: str) -> None:
    write(crowd, folder / f"{name}.npz")
    if name == "answers":
        np.save(folder / "truth.npy", crowd.truth)


def _measure(method: str, size: int, folder: Path) -> Speed:
    if not method.startswith(CROWD_KIT):
        command = [sys.executable, "-m", "benchmarks.consolidation.our_side", method, str(folder)]
        return Speed(method, size, **_run([*command, str(RUNS[size])]))
    arguments = ["speed", method.removeprefix(CROWD_KIT), str(folder), str(RUNS[size])]
    try:
        with Peer("benchmarks.consolidation.peer_side", arguments) as peer:
            return Speed(method, size, **peer.result(LIMIT_SECONDS))
    except PeerError as error:
        return Speed(method, size, error=str(error))


def _run(command: Sequence[str]) -> dict[str, Any]:
    variables = {**os.environ, "PYTHONPATH": "plugins"}
    ended = subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False)
    if ended.returncode:
        return {"error": (ended.stderr.strip().splitlines() or ["no reason given"])[-1]}
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def _told(speed: Speed) -> str:
    if speed.error:
        return speed.error
    return f"{speed.seconds:.3f} s, +{speed.added_mib:.0f} MiB, {speed.accuracy:.2%} right"


def speed_part(found: Sequence[Speed]) -> Part:
    """Return the document."""
    sections = [
        "## Dawid-Skene against crowd-kit's",
        _ratios(found),
        image(CHART, "Seconds and added memory over the number of answers"),
        "## All figures",
        _all(found),
        "## How it was measured",
        bullets(_method()),
    ]
    return Part("Consolidation: speed and memory", sections, {CHART: _chart(found)})


def _ratios(found: Sequence[Speed]) -> str:
    at = {(each.method, each.answers): each for each in found if not each.error}
    rows = []
    for size in sorted({each.answers for each in found}):
        if (OURS, size) not in at or (PEER, size) not in at:
            continue
        ours, theirs = at[OURS, size], at[PEER, size]
        rows.append(
            [
                f"{size:,}",
                f"{ours.seconds:.3f}",
                f"{theirs.seconds:.3f}",
                f"{theirs.seconds / ours.seconds:.0f}",
                f"{theirs.cpu_seconds / ours.cpu_seconds:.0f}",
                _ten_rounds(at.get((OURS + TEN, size)), at.get((PEER + TEN, size))),
                f"{ours.added_mib:.0f}",
                f"{theirs.added_mib:.0f}",
                _fraction(ours.added_mib, theirs.added_mib),
                f"{100 * ours.accuracy:.2f}",
                f"{100 * theirs.accuracy:.2f}",
            ]
        )
    if not rows:
        return flow("Not both have run.")
    headers = [
        "answers",
        "ours, s",
        "crowd-kit, s",
        "times as fast",
        "by CPU time",
        "in 10 rounds",
    ]
    headers += ["ours, + MiB", "crowd-kit, + MiB", "memory", "ours right, %", "crowd-kit right, %"]
    return table(headers, rows)


def _ten_rounds(ours: Speed | None, theirs: Speed | None) -> str:
    return f"{theirs.seconds / ours.seconds:.0f}" if ours and theirs else ""


def _fraction(ours: float, theirs: float) -> str:
    return f"1/{theirs / ours:.0f}" if ours > 0 else "0"


def _all(found: Sequence[Speed]) -> str:
    rows = []
    for each in found:
        if each.error:
            rows.append([f"{each.method}, {each.answers:,}", each.error, *[""] * 6])
            continue
        rows.append(
            [
                f"{each.method}, {each.answers:,}",
                f"{each.seconds:.3f}",
                f"{each.cpu_seconds:.3f}",
                f"{each.before_mib:.0f}",
                f"{each.added_mib:.0f}",
                f"{100 * each.accuracy:.2f}",
                str(each.rounds or ""),
                str(each.runs),
            ]
        )
    headers = ["method, answers", "seconds", "CPU s", "MiB before", "+ MiB", "right, %", "rounds", "runs"]
    return table(headers, rows)


def _chart(found: Sequence[Speed]) -> bytes:
    colours = {OURS: charts.OURS, DEFAULT: "#58a618", PEER: charts.THEIRS, MAJORITY: charts.QUIET}
    worked = [each for each in found if not each.error]
    names = [name for name in colours if any(each.method == name for each in worked)]
    seconds = {
        name: [(float(each.answers), each.seconds) for each in worked if each.method == name]
        for name in names
    }
    memory = {
        name: [(float(each.answers), max(each.added_mib, 0.1)) for each in worked if each.method == name]
        for name in names
    }
    return charts.against_size([("seconds", seconds), ("added memory, MiB", memory)], colours)


def _method() -> list[str]:
    prior = ", ".join(f"{share:g}" for share in PRIOR)
    return [
        f"""
        Synthetic answers, seeded: {LABELS} labels (shares {prior}), {REDUNDANCY} different workers per item,
        {PER_WORKER} answers per worker; a worker is right with a probability drawn from 0.4 to 0.95, errors
        go where a flat Dirichlet distribution sends them. Both sides get the same file, rows in random
        order.""",
        f"""
        Each line is a process of its own, nothing else of the benchmark running. Imports, reading the file,
        the form that each wants (arrays; a pandas table of integers) and a run on {WARM:,} answers come
        before the clock. Seconds are wall time, the best of all runs, as many on both sides; CPU seconds
        count all threads.""",
        """
        Added memory is the peak of resident memory (VmHWM, reset before) during the first run less what was
        resident when it began, after free memory was given back to the system. The result counts, the
        answers themselves do not.""",
        """
        crowd-kit's DawidSkene runs with its defaults (at most 100 rounds, tolerance 1e-5), ours with its own:
        each stops when it finds itself converged, and the share of right labels shows whether that is too
        early. "10 rounds" is exactly ten on both sides, which leaves the question of when to stop out.
        `majority` and `default` are there for comparison; crowd-kit has nothing like `default`.""",
    ]
