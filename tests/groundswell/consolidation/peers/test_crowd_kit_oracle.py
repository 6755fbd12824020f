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
from groundswell.consolidation.classification.one_coin import one_coin
from groundswell.consolidation.classification.weighted import weighted_majority
from groundswell.consolidation.comparisons import Comparisons
from groundswell.consolidation.data import Answers
from groundswell.consolidation.label_sets import SetAnswers
from groundswell.consolidation.multilabel import multilabel
from groundswell.consolidation.pairwise import bradley_terry, crowd_bradley_terry
from groundswell.consolidation.segmentation import consolidate_masks
from groundswell.consolidation.text import TextAnswers, rover

CHECKOUT = Path(__file__).parents[4]
PYTHON = CHECKOUT / ".venv-peers" / "bin" / "python"
Rows = list[tuple[int, int, int]]


def crowd(seed: int, labels: int, tasks: int, workers: int, most: int, step: int = 1) -> Rows:
    """Up to ``most`` answers per task (1, 1 + step, ...), of workers from hopeless to good."""
    random = np.random.default_rng(seed)
    truth = random.integers(labels, size=tasks)
    rows: Rows = []
    for task in range(tasks):
        seats = int(random.choice(np.arange(1, most + 1, step)))
        for worker in sorted(random.choice(workers, size=seats, replace=False).tolist()):
            right = random.random() < 0.35 + 0.55 * worker / workers
            rows.append((task, worker, int(truth[task] if right else random.integers(labels))))
    return rows


CROWDS = {
    "two labels": crowd(1, labels=2, tasks=80, workers=9, most=6),
    "four labels": crowd(2, labels=4, tasks=90, workers=8, most=7),
    "many answers each": crowd(3, labels=3, tasks=150, workers=6, most=6),
    "no ties": crowd(4, labels=2, tasks=90, workers=8, most=5, step=2),
}


def answers_of(rows: Rows) -> Answers:
    """The same rows in our form; names sort as numbers do."""
    return Answers.from_rows(
        [(f"{task:03}", f"{worker:02}", str(label)) for task, worker, label in rows],
        labels=[str(label) for label in range(1 + max(row[2] for row in rows))],
    )


ITEMS, WORKERS, CAREFUL = "abcdef", 30, 22


def comparisons() -> list[tuple[str, str, str, str]]:
    """Worker, two items and the preferred one; f beats e and so on, mostly. The last workers guess."""
    random = np.random.default_rng(5)
    rows = []
    for _ in range(700):
        left, right = random.choice(len(ITEMS), size=2, replace=False)
        worker = int(random.integers(WORKERS))
        apart = (left - right) if worker < CAREFUL else 0
        better = random.random() < 1 / (1 + np.exp(-0.8 * apart))
        names = ITEMS[left], ITEMS[right]
        rows.append((f"w{worker:02}", *names, names[0] if better else names[1]))
    return sorted(set(rows))  # as in our form, the same row counts once


def with_average(rows: list[tuple[str, str, str, str]]) -> list[tuple[str, str, str, str]]:
    """Our prior as data: half a win and half a loss against an average item, in doubled counts."""
    average = "average"
    prior = [("w", item, average, winner) for item in ITEMS for winner in (item, average)]
    return [*rows, *rows, *prior]


def masks() -> list[list[list[int]]]:
    """A disc as five equally careful workers draw it."""
    random = np.random.default_rng(6)
    y, x = np.mgrid[:24, :30]
    disc = (y - 11) ** 2 + (x - 15) ** 2 < 80
    return [(disc ^ (random.random(disc.shape) < 0.15)).astype(int).tolist() for _ in range(5)]


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
    cases = {
        "crowds": CROWDS,
        "one coin": CROWDS["many answers each"],
        "pairs": comparisons(),
        "pairs with average": with_average(comparisons()),
        "texts": TEXTS,
        "masks": masks(),
        "sets": SETS,
    }
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


def test_one_coin(theirs: dict[str, Any]) -> None:
    # Theirs is maximum likelihood; ours has a prior and integrates the skill out, which matters less the more
    # answers a worker gave
    answers, their = answers_of(CROWDS["many answers each"]), theirs["one coin"]
    ours = one_coin(answers, right=0.01, wrong=0.01)
    shares = np.array(their["posterior"])
    assert np.abs(ours.posterior - shares).mean() < 0.01
    sure = shares.max(axis=1) > 0.6
    assert ours.label[sure].tolist() == shares.argmax(axis=1)[sure].tolist()
    assert ours.worker_skill == pytest.approx(np.array(their["skill"]), abs=0.03)


def test_weighted_majority(theirs: dict[str, Any]) -> None:
    answers, their = answers_of(CROWDS["no ties"]), theirs["crowds"]["no ties"]
    ours = weighted_majority(answers)
    # Their weight is the share of a worker's answers that agree with the vote; ours adds one to each side
    given = np.bincount(answers.worker)
    weight = (np.array(their["wawa_skill"]) * given + 1) / (given + 2)
    shares = np.zeros_like(their["wawa_shares"])
    np.add.at(shares, (answers.task, answers.label), weight[answers.worker])
    shares /= shares.sum(axis=1, keepdims=True)
    assert ours.posterior == pytest.approx(shares, abs=1e-6)
    assert np.mean(ours.label == np.array(their["wawa"])) > 0.97


def test_bradley_terry(theirs: dict[str, Any]) -> None:
    ours = bradley_terry(Comparisons.from_rows(comparisons()))
    strength = theirs["pairs"]["bradley_terry"]
    expected = [np.log(strength[item] / strength["average"]) for item in ours.item_names]
    assert ours.score == pytest.approx(np.array(expected), abs=1e-5)


def test_bradley_terry_with_skill(theirs: dict[str, Any]) -> None:
    # Their model has a bias for one side beside the skill, and a weaker prior: the order is the same
    ours = crowd_bradley_terry(Comparisons.from_rows(comparisons()))
    score = theirs["pairs"]["noisy"]
    assert [item for (item,) in ours.ordered()] == sorted(score, key=lambda item: -score[item])
    assert ours.worker_skill[CAREFUL:].mean() < ours.worker_skill[:CAREFUL].min()


def test_segmentation_vote(theirs: dict[str, Any]) -> None:
    drawn = np.array(masks())
    answers = {"image": {f"w{number}": mask for number, mask in enumerate(drawn)}}
    ours = consolidate_masks(answers, smoothing=0).images["image"].label
    # Ours weighs the workers, by what they look like; where four of five agree that changes nothing
    clear = np.abs(drawn.sum(axis=0) - 2.5) > 1
    assert (ours == theirs["masks"])[clear].all()
    assert np.mean(ours == theirs["masks"]) > 0.97


def test_sets_of_labels(theirs: dict[str, Any]) -> None:
    rows = [(task, str(worker), labels) for task, worker, labels in SETS]
    answers = SetAnswers.from_rows(rows, labels=["x", "y", "z"])
    found = multilabel(answers, method="majority")
    ours = {task: list(found.labels_of(at)) for at, task in enumerate(answers.task_names)}
    assert ours == theirs["sets"]


def test_rover(theirs: dict[str, Any]) -> None:
    # Ours weighs workers and aligns in an order of its own; where the vote on each word is clear they agree
    ours = rover(TextAnswers.from_rows(TEXTS))
    assert dict(zip(TextAnswers.from_rows(TEXTS).task_names, ours.text, strict=True)) == theirs["texts"]
