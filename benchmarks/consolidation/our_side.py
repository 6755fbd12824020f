"""One of our methods on one set of answers, in a process of its own: prints its cost as JSON.

python -m benchmarks.consolidation.our_side METHOD FOLDER RUNS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.consolidation.crowds import LABELS, Numbered
from benchmarks.consolidation.measuring import measure
from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.data import Answers, Consensus

VARIANTS: dict[str, Callable[[Answers], Consensus]] = {
    "dawid_skene, 10 rounds": lambda answers: dawid_skene(answers, rounds=10, tolerance=-1.0)
}


def main(method: str, folder: Path, runs: int) -> None:
    """Measure and print."""
    consolidate = VARIANTS.get(method) or METHODS[method]
    consolidate(_load(folder / "warm.npz"))
    answers = _load(folder / "answers.npz")
    consensus, cost = measure(lambda: consolidate(answers), runs)
    right = float(np.mean(consensus.label == np.load(folder / "truth.npy")))
    print(json.dumps({**cost.as_json(), "accuracy": right}))


def _load(path: Path) -> Answers:
    with np.load(path) as arrays:
        task, worker, label = (arrays[name] for name in ("task", "worker", "label"))
    tasks, workers = (Numbered(int(part.max()) + 1) for part in (task, worker))
    return Answers(task, worker, label, tasks, workers, Numbered(LABELS))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
