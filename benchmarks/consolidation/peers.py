"""Runs other implementations in their own environment, with a limit of time per piece of work."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.consolidation.crowds import Crowd
from benchmarks.origin import CHECKOUT

PYTHON = CHECKOUT / ".venv-peers" / "bin" / "python"
LOCK = CHECKOUT / "requirements-peers.txt"
SIDE = Path(__file__).with_name("peer_side.py")
KEPT = CHECKOUT / ".cache" / "benchmark-peers"
START_SECONDS = 300.0
"""How long the process may take to import what it needs."""
BUSY = 10
"""How many times as long as its CPU time something may take where the machine does other things, too."""


class PeerError(Exception):
    """The other implementation did not answer: a crash, or out of time."""


@dataclass
class Peer:
    """A process in the peers' environment that prints one JSON object per line.

    :param module: run with ``python -m``; it prints a line when it is ready
    """

    module: str
    arguments: Sequence[str]
    _lines: queue.Queue[str | None] = field(default_factory=queue.Queue, init=False)

    def __enter__(self) -> Peer:
        command = [str(PYTHON), "-m", self.module, *self.arguments]
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, env=_variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._said: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_results, daemon=True),
            threading.Thread(target=self._read_complaints, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.result(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def result(self, seconds: float) -> dict[str, Any]:
        """Wait for the next result.

        :raises PeerError: there is none within ``seconds``, or the process has ended
        """
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise PeerError(f"over {seconds:.0f} s") from None
        if line is None:
            said = self._said[-1].strip() if self._said else f"exit {self._process.wait()}"
            raise PeerError(f"ended: {said}")
        found: dict[str, Any] = json.loads(line)
        return found

    def _read_results(self) -> None:
        for line in self._process.stdout or ():
            if line.startswith("{"):
                self._lines.put(line)
        self._lines.put(None)

    def _read_complaints(self) -> None:
        for line in self._process.stderr or ():
            self._said.append(line)
            del self._said[:-5]


@dataclass(frozen=True)
class PeerLabels:
    """What another implementation makes of a set: labels and scores, or why there are none."""

    crowd: Crowd
    seconds: float | None = None
    error: str | None = None
    label: np.ndarray[Any, np.dtype[np.int32]] | None = None
    score: np.ndarray[Any, np.dtype[np.float64]] | None = None


def _variables() -> dict[str, str]:
    """Let the process keep what it compiles: it imports for seconds, and much longer without."""
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**variables, "PYTHONPYCACHEPREFIX": str(CHECKOUT / ".cache" / "python")}


def write(crowd: Crowd, path: Path) -> None:
    """Write the answers for the other side."""
    answers = crowd.answers
    np.savez(path, task=answers.task, worker=answers.worker, label=answers.label)


def kept(crowd: Crowd) -> Path:
    """Return the folder where the others' results for these answers are kept, and write the answers there."""
    digest = hashlib.sha256()
    for file in (LOCK, SIDE):
        digest.update(file.read_bytes())
    for numbers in (crowd.answers.task, crowd.answers.worker, crowd.answers.label):
        digest.update(np.ascontiguousarray(numbers))
    folder = KEPT / f"{crowd.name}-{digest.hexdigest()[:16]}"
    if not (folder / "answers.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(crowd, folder / "answers.npz")
    return folder


def peer_labels(
    method: str, crowds: Sequence[Crowd], limit_seconds: float, *, reuse: bool = False
) -> Iterator[PeerLabels]:
    """Run one method on all sets; after a crash a new process goes on with the next set.

    :param limit_seconds: of CPU time per set
    :param reuse: take what an earlier run found for the same answers, by the same code and versions
    """
    folders = {crowd.name: kept(crowd) for crowd in crowds}
    left = []
    for crowd in crowds:
        before = folders[crowd.name] / f"{method}.json"
        if reuse and before.exists():
            yield _labels(crowd, method, folders[crowd.name], json.loads(before.read_text()))
        else:
            left.append(crowd)
    while left:
        paths = [str(folders[crowd.name]) for crowd in left]
        try:
            with Peer(
                "benchmarks.consolidation.peer_side", ["labels", method, str(limit_seconds), *paths]
            ) as peer:
                while left:
                    found = peer.result(limit_seconds * BUSY)
                    yield _keep(left.pop(0), method, folders, found)
        except PeerError as error:
            yield _keep(left.pop(0), method, folders, {"error": str(error)})


def _keep(crowd: Crowd, method: str, folders: dict[str, Path], found: dict[str, Any]) -> PeerLabels:
    (folders[crowd.name] / f"{method}.json").write_text(json.dumps(found))
    return _labels(crowd, method, folders[crowd.name], found)


def _labels(crowd: Crowd, method: str, folder: Path, found: dict[str, Any]) -> PeerLabels:
    if "error" in found:
        return PeerLabels(crowd, error=found["error"])
    with np.load(folder / f"{method}.npz") as arrays:
        return PeerLabels(crowd, found["seconds"], None, arrays["label"], arrays["score"])
