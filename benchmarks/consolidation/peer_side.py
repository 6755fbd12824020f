"""crowd-kit's side of the comparison; runs in the peers' environment and prints one JSON object per line.

    python -m benchmarks.consolidation.peer_side labels METHOD CPU_SECONDS FOLDER ...
    python -m benchmarks.consolidation.peer_side speed METHOD FOLDER RUNS

A folder holds a set: answers.npz with the arrays task, worker and label. ``labels`` writes METHOD.npz beside
it: label and score per task. Nothing of Groundswell is imported: that environment has not what it needs.
"""

from __future__ import annotations

import json
import math
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253
from crowdkit.aggregation import (
    GLAD,
    KOS,
    MACE,
    MMSR,
    DawidSkene,
    MajorityVote,
    OneCoinDawidSkene,
    Wawa,
    ZeroBasedSkill,
)

from benchmarks.consolidation.measuring import measure

METHODS: dict[str, Callable[[], Any]] = {
    "MV": MajorityVote,
    "DS": DawidSkene,
    # Never done before the tenth round
    "DS, 10 rounds": lambda: DawidSkene(n_iter=10, tol=-math.inf),
    "OneCoinDS": OneCoinDawidSkene,
    "Wawa": Wawa,
    "ZBS": ZeroBasedSkill,
    "GLAD": lambda: GLAD(silent=True),
    "MACE": lambda: MACE(random_state=0),
    "MMSR": lambda: MMSR(random_state=0),
    "KOS": lambda: KOS(random_state=0),
}
MEMORY_LIMIT = 12 << 30


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    warnings.simplefilter("ignore")
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    what, method, *rest = arguments
    print(json.dumps({"ready": method}), flush=True)
    if what == "speed":
        folder, runs = rest
        print(json.dumps(_speed(method, Path(folder), int(runs))), flush=True)
        return
    limit, *folders = rest
    signal.signal(signal.SIGPROF, _out_of_time)
    for folder in folders:
        # CPU time, so that a busy machine is no excuse
        signal.setitimer(signal.ITIMER_PROF, float(limit))
        print(json.dumps(_labels(method, Path(folder))), flush=True)


def _out_of_time(*_: object) -> None:
    raise TimeoutError("out of time")


def _labels(method: str, folder: Path) -> dict[str, Any]:
    table, n_tasks = _load(folder / "answers.npz")
    began = process_time()
    try:
        model = METHODS[method]()
        labels = model.fit_predict(table)
    except Exception as error:  # whatever breaks is a result
        signal.setitimer(signal.ITIMER_PROF, 0)
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    signal.setitimer(signal.ITIMER_PROF, 0)
    seconds = process_time() - began
    label = np.full(n_tasks, -1, dtype=np.int32)
    label[labels.index.to_numpy()] = labels.to_numpy()
    score = np.full(n_tasks, np.nan)
    if getattr(model, "probas_", None) is not None:
        score[model.probas_.index.to_numpy()] = model.probas_.max(axis=1).to_numpy()
    np.savez(folder / f"{method}.npz", label=label, score=score)
    return {"seconds": seconds}


def _speed(method: str, folder: Path, runs: int) -> dict[str, Any]:
    warm, _ = _load(folder / "warm.npz")
    METHODS[method]().fit(warm)
    table, n_tasks = _load(folder / "answers.npz")
    model, cost = measure(lambda: METHODS[method]().fit(table), runs)
    label = np.full(n_tasks, -1, dtype=np.int32)
    label[model.labels_.index.to_numpy()] = model.labels_.to_numpy()
    right = float(np.mean(label == np.load(folder / "truth.npy")))
    rounds = len(getattr(model, "loss_history_", []) or [])
    return {**cost.as_json(), "accuracy": right, "rounds": rounds}


def _load(path: Path) -> tuple[pd.DataFrame, int]:
    with np.load(path) as arrays:
        table = pd.DataFrame({name: arrays[name] for name in ("task", "worker", "label")})
    return table, int(table["task"].max()) + 1


if __name__ == "__main__":
    main(sys.argv[1:])
