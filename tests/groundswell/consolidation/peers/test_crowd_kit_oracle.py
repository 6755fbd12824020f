"""The methods that crowd-kit has, too, give what it gives, or differ from it as their documentation says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundswell.consolidation.agreement import agreement
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.data import Answers

CHECKOUT = Path(__file__).parents[4]
PYTHON = CHECKOUT / ".venv-peers" / "bin" / "python"
Rows = list[tuple[int, int, int]]


def crowd(seed: int, labels: int, tasks: int, workers: int, most: int) -> Rows:
    """Up to ``most`` answers per task, of workers from hopeless to good."""
    random = np.random.default_rng(seed)
    truth = random.integers(labels, size=tasks)
    rows: Rows = []
    for task in range(tasks):
        seats = int(random.integers(1, most + 1))
        for worker in sorted(random.choice(workers, size=seats, replace=False).tolist()):
            right = random.random() < 0.35 + 0.55 * worker / workers
            rows.append((task, worker, int(truth[task] if right else random.integers(labels))))
    return rows


CROWDS = {
    "two labels": crowd(1, labels=2, tasks=80, workers=9, most=6),
    "four labels": crowd(2, labels=4, tasks=90, workers=8, most=7),
    "many answers each": crowd(3, labels=3, tasks=150, workers=6, most=6),
}


def answers_of(rows: Rows) -> Answers:
    """The same rows in our form; names sort as numbers do."""
    return Answers.from_rows(
        [(f"{task:03}", f"{worker:02}", str(label)) for task, worker, label in rows],
        labels=[str(label) for label in range(1 + max(row[2] for row in rows))],
    )


def comparisons() -> list[tuple[int, str, str, str]]:
    """Worker, two items and the preferred one; f beats e and so on, mostly."""
    random = np.random.default_rng(5)
    rows = []
    for _ in range(400):
        left, right = random.choice(6, size=2, replace=False)
        better = random.random() < 1 / (1 + np.exp(0.8 * (right - left)))
        names = "abcdef"[left], "abcdef"[right]
        rows.append((int(random.integers(4)), *names, names[0] if better else names[1]))
    return rows


def masks() -> list[list[list[int]]]:
    random = np.random.default_rng(6)
    return random.integers(2, size=(4, 9, 7)).tolist()


TEXTS = [
    ("clear", "1", "the cat sat on the mat"),
    ("clear", "2", "the cat sat on a mat"),
    ("clear", "3", "the bat sat on the mat"),
    ("inserted", "1", "one two three four"),
    ("inserted", "2", "one two and three four"),
    ("inserted", "3", "one two and three four"),
    ("left out", "1", "it was a dark and stormy night"),
    ("left out", "2", "it was dark and stormy night"),
    ("left out", "3", "it was dark and a stormy night"),
]
SETS = [
    ("a", 1, ["x", "y"]),
    ("a", 2, ["x"]),
    ("a", 3, ["x", "y", "z"]),
    ("b", 1, ["z"]),
    ("b", 2, ["y", "z"]),
    ("b", 3, ["x"]),
]


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.skip("crowd-kit is not installed; `make setup-peers` makes its environment")
    cases = {"crowds": CROWDS, "pairs": comparisons(), "texts": TEXTS, "masks": masks(), "sets": SETS}
    ended = subprocess.run(
        [str(PYTHON), str(Path(__file__).with_name("crowd_kit_answers.py"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


@pytest.mark.parametrize("name", CROWDS)
def test_majority_vote(theirs: dict[str, Any], name: str) -> None:
    answers, their = answers_of(CROWDS[name]), theirs["crowds"][name]
    ours = majority(answers)
    shares = np.array(their["shares"])
    assert (ours.tied == (np.isclose(shares, shares.max(axis=1, keepdims=True)).sum(axis=1) > 1)).all()
    # They decide a tie by the order of the labels, we say that it is one
    assert ours.label[~ours.tied].tolist() == np.array(their["majority"])[~ours.tied].tolist()
    scored = ~ours.tied & (ours.n_answers > 1)  # one answer has no score here, as in Ground Truth's manifests
    assert ours.confidence[scored] == pytest.approx(shares.max(axis=1)[scored])


@pytest.mark.parametrize("rounds", [1, 3, 30])
@pytest.mark.parametrize("name", CROWDS)
def test_classic_dawid_skene(theirs: dict[str, Any], name: str, rounds: int) -> None:
    ours = dawid_skene(answers_of(CROWDS[name]), right=0, wrong=0, pooled=0, rounds=rounds, tolerance=-1.0)
    assert ours.posterior is not None
    assert np.abs(ours.posterior - theirs["crowds"][name][f"dawid_skene_{rounds}"]).max() < 1e-6


@pytest.mark.parametrize("name", CROWDS)
def test_krippendorffs_alpha(theirs: dict[str, Any], name: str) -> None:
    assert agreement(answers_of(CROWDS[name])).alpha == pytest.approx(
        theirs["crowds"][name]["alpha"], abs=1e-12
    )
