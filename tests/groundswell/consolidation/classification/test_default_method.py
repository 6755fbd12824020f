"""The default method: what it averages, what it leaves out, and real crowds against the vote."""

from __future__ import annotations

import csv
import importlib
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import binomtest

from groundswell.consolidation.classification import METHODS
from groundswell.consolidation.data import Answers, Consensus, Earlier

CROWDS = Path(__file__).parents[5] / "shared/data/crowd"
module = importlib.import_module("groundswell.consolidation.classification.default")
default = METHODS["default"]
MODELS = ("dawid_skene", "subtypes", "one_coin")


def answers_of(table: NDArray[np.int64], n_labels: int) -> Answers:
    """Make answers from a table of items x workers, -1 for none."""
    task, worker = np.nonzero(table >= 0)
    return Answers(
        task.astype(np.int32),
        worker.astype(np.int32),
        table[task, worker].astype(np.int32),
        [f"t{at}" for at in range(table.shape[0])],
        [f"w{at}" for at in range(table.shape[1])],
        [f"k{at}" for at in range(n_labels)],
    )


def crowd(
    seed: int, *, items: int = 120, workers: int = 9, labels: int = 3
) -> tuple[Answers, NDArray[np.int64]]:
    """Workers of different skill, of whom some did not answer."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(labels, size=items)
    right = rng.random((items, workers)) < rng.uniform(0.4, 0.95, workers)
    table = np.where(right, truth[:, np.newaxis], rng.integers(labels, size=(items, workers)))
    table[rng.random(table.shape) < 0.4] = -1
    return answers_of(table, labels), truth


def eager(truth: NDArray[np.int64], seed: int) -> Answers:
    """Two labels, and most workers too ready to say the second.

    With one number per worker, these are the good ones and the others bad ones, and the first label vanishes.
    """
    rng = np.random.default_rng(seed)
    table = np.zeros((len(truth), 30), dtype=np.int64)
    for worker in range(30):
        says = rng.random(len(truth))
        misses, invents = (0.3, 0.02) if worker < 12 else (0.1, 0.6)
        table[:, worker] = np.where(truth == 1, says > misses, says < invents)
    table[rng.random(table.shape) < 0.85] = -1
    return answers_of(table, 2)


def shares(answers: Answers) -> NDArray[np.float64]:
    votes = np.zeros((len(answers.task_names), len(answers.label_names)))
    np.add.at(votes, (answers.task, answers.label), 1)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def collapsing(name: str):  # type: ignore[no-untyped-def]
    """Return a model whose result is the first label, whatever was answered."""

    def model(answers: Answers, **options: object) -> Consensus:
        result = METHODS[name](answers)
        result.posterior[:] = np.eye(len(answers.label_names))[0]
        return result

    return model


@pytest.mark.parametrize("seed", range(3))
def test_posterior_is_the_formula(seed: int) -> None:
    answers, _ = crowd(seed)
    result = default(answers)
    assert result.findings == ()
    models = np.mean([model(answers).posterior for model in module._MODELS], axis=0)
    votes = (1 - module.TIES) * shares(answers) + module.TIES * METHODS["weighted_majority"](
        answers
    ).posterior
    has = result.n_answers > 0
    expected = (models + module.VOTE * votes) / (1 + module.VOTE)
    assert np.allclose(result.posterior[has], expected[has], atol=1e-12)
    assert np.array_equal(result.label[has], expected[has].argmax(axis=1))
    assert np.array_equal(result.confidence[has], result.posterior[has].max(axis=1))


def test_skill_is_the_pooled_models() -> None:
    answers, _ = crowd(1)
    result, pooled = default(answers), METHODS["dawid_skene"](answers)
    assert np.array_equal(result.worker_skill, pooled.worker_skill)
    assert np.array_equal(result.skill_low, pooled.skill_low)
    assert np.array_equal(result.skill_high, pooled.skill_high)


def test_a_model_that_lost_a_class_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = crowd(2)
    models = [METHODS[name] for name in MODELS[:2]]
    monkeypatch.setattr(module, "_MODELS", tuple(models))
    without = default(answers)
    monkeypatch.setattr(module, "_MODELS", (*models, collapsing("one_coin")))
    result = default(answers)
    assert np.array_equal(result.posterior, without.posterior)
    assert [finding.kind for finding in result.findings] == ["class_collapse"] * 2
    assert all("one_coin" in finding.text and finding.items for finding in result.findings)


def test_one_coin_collapses_and_the_default_does_not() -> None:
    truth = np.repeat([0, 1], 200)
    answers = eager(truth, 1)
    lost, voted, result = (METHODS[name](answers) for name in ("one_coin", "majority", "default"))
    assert (lost.label == 0).sum() < 20
    assert [finding.kind for finding in result.findings] == ["class_collapse"]
    right = [(each.label == truth).mean() for each in (result, voted, lost)]
    assert right == sorted(right, reverse=True)
    assert right[0] > right[1] + 0.03


def test_where_every_model_collapses_the_vote_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, _ = crowd(3)
    monkeypatch.setattr(module, "_MODELS", tuple(collapsing(name) for name in MODELS))
    result, voted = default(answers), METHODS["majority"](answers)
    decided = voted.label >= 0
    assert np.array_equal(result.label[decided], voted.label[decided])
    weighted = METHODS["weighted_majority"](answers)
    assert np.array_equal(result.worker_skill, weighted.worker_skill)
    tied = voted.tied & ~weighted.tied
    assert tied.any()
    assert (result.label[tied] >= 0).all()


def test_a_tie_falls_to_the_better_worker_and_a_real_tie_stays() -> None:
    table = np.full((42, 3), -1)
    table[:40] = (np.arange(40) % 2)[:, np.newaxis]
    table[:40:4, 1] = 1 - table[:40:4, 1]  # the second worker is often alone with an answer
    table[40, :2] = (0, 1)
    table[41] = -1
    result = default(answers_of(table, 2))
    assert METHODS["majority"](answers_of(table, 2)).tied[40]
    assert result.label[40] == 0
    assert (result.label[41], result.confidence[41], result.tied[41]) == (-1, 0.0, False)
    alone = default(answers_of(np.array([[0, 1]]), 2))
    assert alone.tied[0]
    assert alone.label[0] == -1


def test_known_labels_stand_and_teach() -> None:
    rng = np.random.default_rng(4)
    truth = rng.integers(2, size=60)
    table = np.repeat(1 - truth[:, np.newaxis], 5, axis=1)  # three are always wrong
    table[:, :2] = truth[:, np.newaxis]
    answers = answers_of(table, 2)
    gold = np.where(np.arange(60) < 40, truth, -1).astype(np.int32)
    assert (default(answers).label != truth).all()
    result = default(answers, gold=gold)
    assert np.array_equal(result.label, truth)
    assert (result.posterior[np.arange(40), truth[:40]] == 1).all()
    assert (result.worker_skill[:2] > 0.9).all()
    assert (result.worker_skill[2:] < 0.1).all()


def test_earlier_skill_decides_a_tie() -> None:
    answers = answers_of(np.array([[0, 1]]), 2)
    earlier = Earlier(np.array([1.0, 40.0]), np.array([9.0, 2.0]))
    assert default(answers, earlier=earlier).label[0] == 1


def test_many_labels_are_averaged_as_few_are() -> None:
    answers, truth = crowd(6, items=400, workers=12, labels=4)
    wide = Answers(
        answers.task,
        answers.worker,
        answers.label * 250,
        answers.task_names,
        answers.worker_names,
        [f"k{at}" for at in range(1_000)],
    )
    result = default(wide)
    assert sp.issparse(result.posterior)
    has = result.n_answers > 0
    assert (result.label[has] == truth[has] * 250).mean() > 0.85
    assert result.confidence.max() <= 1
    rows = np.flatnonzero(result.label >= 0)
    assert np.allclose(result.posterior[rows, result.label[rows]], result.confidence[rows])


def test_much_disagreement_of_the_methods_is_told() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(4, size=(80, 5))
    kinds = {finding.kind: finding for finding in default(answers_of(noise, 4)).findings}
    finding = kinds["methods_disagree"]
    assert finding.severity == "warning"
    assert "of 80 items" in finding.text
    assert 0 < len(finding.items) <= 20
    assert default(crowd(7)[0]).findings == ()


SETS = ("rte", "dog", "product", "sp", "weather_cf", "music", "labelme", "leaves", "zc_us", "trec")


@pytest.mark.skipif(not CROWDS.is_dir(), reason=f"the real crowds are not at {CROWDS}")
@pytest.mark.parametrize("name", SETS)
def test_no_real_crowd_loses_to_its_vote(name: str) -> None:
    with (CROWDS / name / "answers.csv").open() as file:
        rows = [(row["task"], row["worker"], row["label"]) for row in csv.DictReader(file)]
    with (CROWDS / name / "truth.csv").open() as file:
        truth = {row["task"]: row["label"] for row in csv.DictReader(file)}
    labels = sorted({row[2] for row in rows} | set(truth.values()))
    answers = Answers.from_rows(rows, labels=labels)
    at = [position for position, task in enumerate(answers.task_names) if task in truth]
    right = np.array([labels.index(truth[answers.task_names[position]]) for position in at])
    # a tie of the vote counts as chance would have it
    votes = shares(answers)[at]
    is_best = votes == votes.max(axis=1, keepdims=True)
    voted = (is_best / is_best.sum(axis=1, keepdims=True))[np.arange(len(at)), right]
    ours = (default(answers).label[at] == right).astype(np.float64)
    won, lost = np.maximum(ours - voted, 0).sum(), np.maximum(voted - ours, 0).sum()
    assert ours.mean() > voted.mean() - 0.01
    assert won >= lost or binomtest(round(won), round(won) + round(lost), 0.5).pvalue >= 0.05
