from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from groundswell.consolidation.classification import METHODS, candidates
from groundswell.consolidation.classification.candidates import Candidates, too_many_labels
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.one_coin import one_coin
from groundswell.consolidation.classification.sparse import sparse_dawid_skene, sparse_one_coin
from groundswell.consolidation.data import Answers


def crowd(
    n_tasks: int, labels: int, *, workers: int = 30, size: int = 4, near: int = 0, seed: int = 0
) -> tuple[Answers, np.ndarray]:
    """Each task with ``size`` answers; with ``near``, mistakes go to the next labels, otherwise anywhere."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, n_tasks)
    task = np.repeat(np.arange(n_tasks), size)
    worker = np.concatenate([rng.choice(workers, size, replace=False) for _ in range(n_tasks)])
    skill = rng.uniform(0.4, 0.9, workers)
    away = rng.integers(1, near + 1 if near else labels, len(task))
    label = np.where(rng.random(len(task)) < skill[worker], truth[task], (truth[task] + away) % labels)
    names = [tuple(map(str, range(n))) for n in (n_tasks, workers, labels)]
    return Answers(task.astype(np.int32), worker.astype(np.int32), label.astype(np.int32), *names), truth


def accuracy(label: np.ndarray, truth: np.ndarray) -> float:
    return float((label == truth).mean())


@pytest.mark.parametrize("labels", [3, 10])
@pytest.mark.parametrize("rounds", [1, 4])
def test_one_coin_is_the_same_over_candidates(labels: int, rounds: int) -> None:
    answers, _ = crowd(60, labels, workers=8)
    gold = np.full(60, -1, dtype=np.int32)
    gold[:5] = labels - 1
    dense = one_coin(answers, gold=gold, rounds=rounds, tolerance=0.0)
    sparse = sparse_one_coin(answers, gold, None, 4.0, 1.0, rounds, 0.0)
    given = sparse.posterior.toarray()
    named = given > 0
    assert np.abs(given - dense.posterior)[named].max() < 1e-6
    assert dense.label.tolist() == sparse.label.tolist()


def test_dawid_skene_is_nearly_the_same_over_candidates() -> None:
    answers, _ = crowd(400, 8, workers=10, size=5, near=2)
    dense = dawid_skene(answers)
    sparse = sparse_dawid_skene(answers, None, None, 4.0, 1.0, 8.0, 100, 1e-4)
    assert accuracy(dense.label, sparse.label) > 0.98
    assert np.abs(dense.worker_skill - sparse.worker_skill).max() < 0.02


@pytest.mark.parametrize("near", [0, 3])
def test_a_thousand_labels(near: int) -> None:
    answers, truth = crowd(3_000, 1_000, near=near)
    assert too_many_labels(answers)
    found = {name: method(answers) for name, method in METHODS.items()}
    vote = accuracy(found["majority"].label, truth)
    for name in ("one_coin", "dawid_skene", "subtypes", "default"):
        result = found[name]
        assert accuracy(result.label, truth) > vote
        assert sp.issparse(result.posterior)
        # Candidates only: no table of tasks by labels
        assert result.posterior.nnz <= len(answers)
        assert result.posterior.shape == (3_000, 1_000)
    assert [finding.kind for finding in found["subtypes"].findings] == ["no_subtypes"]


def test_mistakes_that_the_crowd_shares_are_learnt() -> None:
    answers, truth = crowd(6_000, 200, workers=60, size=3, near=1)
    assert too_many_labels(answers)
    vote = accuracy(METHODS["majority"](answers).label, truth)
    plain = accuracy(one_coin(answers).label, truth)
    learnt = accuracy(dawid_skene(answers).label, truth)
    assert learnt > max(vote, plain) + 0.05


def test_which_answers_are_too_many_labels() -> None:
    def sized(n: int, tasks: int, workers: int, labels: int) -> bool:
        zeros = np.zeros(n, dtype=np.int32)
        return too_many_labels(Answers(zeros, zeros, zeros, range(tasks), range(workers), range(labels)))  # type: ignore[arg-type]

    assert not sized(10_000, 2_000, 100, 10)
    assert not sized(10**6, 200_000, 5_000, 4)
    assert sized(10**6, 200_000, 5_000, 100)
    assert sized(10**6, 200_000, 10, 1_000)


def test_a_task_with_very_many_labels_keeps_the_common_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_MOST", 3)
    # Votes 3, 2, 1, 1, 1: the three rarest are equal, so all of them join the rest
    votes = [5, 5, 5, 9, 9, 1, 2, 3]
    n = len(votes)
    answers = Answers(
        np.zeros(n, dtype=np.int32),
        np.arange(n, dtype=np.int32),
        np.array(votes, dtype=np.int32),
        ("t",),
        tuple(map(str, range(n))),
        tuple(map(str, range(10))),
    )
    found = Candidates.of(answers)
    assert found.label.tolist() == [5, 9]
    assert found.votes.tolist() == [3.0, 2.0]
    assert sparse_one_coin(answers, None, None, 4.0, 1.0, 10, 0.0).label.tolist() == [5]
    # All equal: no candidate is left, and nobody wins
    level = Answers(
        np.zeros(5, dtype=np.int32),
        np.arange(5, dtype=np.int32),
        np.arange(5, dtype=np.int32),
        ("t",),
        answers.worker_names,
        answers.label_names,
    )
    for result in (
        sparse_one_coin(level, None, None, 4.0, 1.0, 10, 0.0),
        sparse_dawid_skene(level, None, None, 4.0, 1.0, 8.0, 10, 0.0),
    ):
        assert result.label.tolist() == [-1]
        assert result.tied.tolist() == [True]
