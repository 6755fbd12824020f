"""The models against the formulas, written as loops, and against enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import betaln, digamma

from groundswell.consolidation.classification.dawid_skene import dawid_skene, fit_rounds
from groundswell.consolidation.classification.layout import Layout
from groundswell.consolidation.classification.one_coin import one_coin
from groundswell.consolidation.classification.subtypes import subtypes
from groundswell.consolidation.data import Answers

Matrix = NDArray[np.float64]


def crowd(seed: int, *, tasks: int = 12, workers: int = 6, labels: int = 3, share: float = 0.6) -> Answers:
    """Workers of unequal skill who each answer a share of the tasks."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, tasks)
    skill = rng.uniform(0.4, 0.95, workers)
    task, worker = np.nonzero(rng.random((tasks, workers)) < share)
    right = rng.random(len(task)) < skill[worker]
    label = np.where(right, truth[task], rng.integers(0, labels, len(task)))
    return Answers(
        task.astype(np.int32),
        worker.astype(np.int32),
        label.astype(np.int32),
        tuple(f"t{t}" for t in range(tasks)),
        tuple(f"w{w}" for w in range(workers)),
        tuple(f"k{k}" for k in range(labels)),
    )


def triples(answers: Answers) -> list[tuple[int, int, int]]:
    return [
        (int(t), int(w), int(k)) for t, w, k in zip(answers.task, answers.worker, answers.label, strict=True)
    ]


def shares(answers: Answers) -> Matrix:
    votes = np.zeros((len(answers.task_names), len(answers.label_names)))
    for t, _, k in triples(answers):
        votes[t, k] += 1
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)


def softmax(scores: Matrix) -> Matrix:
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def e_step(answers: Answers, log_pi: Matrix, log_tau: Matrix) -> Matrix:
    """``log_pi``: workers x class x answer."""
    scores = np.tile(log_tau, (len(answers.task_names), 1))
    for t, w, k in triples(answers):
        scores[t] += log_pi[w, :, k]
    return softmax(scores)


def counted(answers: Answers, q: Matrix) -> Matrix:
    """Workers x class x answer."""
    counts = np.zeros((len(answers.worker_names), q.shape[1], len(answers.label_names)))
    for t, w, k in triples(answers):
        counts[w, :, k] += q[t]
    return counts


def answered(answers: Answers) -> NDArray[np.bool_]:
    return np.bincount(answers.task, minlength=len(answers.task_names)) > 0


def classic(answers: Answers, rounds: int) -> Matrix:
    """crowd-kit's: maximum likelihood, with counts of 1e-10 at least for labels that the worker gave."""
    q, has = shares(answers), answered(answers)
    gave = counted(answers, np.ones((len(answers.task_names), 1)))[:, 0] > 0
    for _ in range(rounds):
        counts = counted(answers, q)
        pi = np.where(gave[:, np.newaxis, :], np.maximum(counts, 1e-10), 0)
        pi /= np.maximum(pi.sum(axis=2, keepdims=True), 1e-300)
        tau = np.maximum(q[has].mean(axis=0), 1e-300)
        with np.errstate(divide="ignore"):
            q = e_step(answers, np.log(pi), np.log(tau))
    return q


def with_dirichlet(answers: Answers, rounds: int) -> Matrix:
    """IBCC by posterior means: 4 on the diagonal, 1 beside it."""
    n_labels, has = len(answers.label_names), answered(answers)
    q = shares(answers)
    for _ in range(rounds):
        pi = counted(answers, q) + np.ones((n_labels, n_labels)) + 3 * np.eye(n_labels)
        pi /= pi.sum(axis=2, keepdims=True)
        tau = (q[has].sum(axis=0) + 1) / (has.sum() + n_labels)
        q = e_step(answers, np.log(pi), np.log(tau))
    return q


def average_rows(counts: Matrix) -> Matrix:
    """Rows of 8 pseudo-answers at the worker's accuracy and the crowd's mistakes."""
    n_workers, n_labels, _ = counts.shape
    alpha = np.zeros_like(counts)
    crowd_counts = counts.sum(axis=0)
    for w in range(n_workers):
        hits = sum(counts[w, k, k] for k in range(n_labels))
        accuracy = (hits + 4) / (counts[w].sum() + 5)
        for k in range(n_labels):
            mistakes = sum(crowd_counts[k, j] for j in range(n_labels) if j != k) + 2
            for j in range(n_labels):
                e = (crowd_counts[k, j] + 2 / (n_labels - 1)) / mistakes if j != k else 0
                alpha[w, k, j] = 8 * (accuracy if j == k else (1 - accuracy) * e)
    return alpha


def pooled(answers: Answers, rounds: int) -> Matrix:
    n_labels, has = len(answers.label_names), answered(answers)
    q = shares(answers)
    for _ in range(rounds):
        counts = counted(answers, q)
        pi = counts + average_rows(counts)
        pi /= pi.sum(axis=2, keepdims=True)
        tau = (q[has].sum(axis=0) + 1) / (has.sum() + n_labels)
        q = e_step(answers, np.log(pi), np.log(tau))
    return q


def one_coin_loops(answers: Answers, rounds: int) -> Matrix:
    n_labels, has = len(answers.label_names), answered(answers)
    q = shares(answers)
    for _ in range(rounds):
        counts = counted(answers, q)
        log_pi = np.zeros_like(counts)
        for w in range(len(counts)):
            right = sum(counts[w, k, k] for k in range(n_labels))
            wrong = counts[w].sum() - right
            log_pi[w] = digamma(1 + wrong) - math.log(n_labels - 1)
            np.fill_diagonal(log_pi[w], digamma(4 + right))
        tau = (q[has].sum(axis=0) + 1) / (has.sum() + n_labels)
        q = e_step(answers, log_pi, np.log(tau))
    return q


def subtypes_loops(answers: Answers, rounds: int) -> Matrix:
    n_labels, has = len(answers.label_names), answered(answers)
    votes = shares(answers)
    ranked = np.sort(votes, axis=1)
    easy = (0.25 + 0.5 * (ranked[:, -1] - ranked[:, -2]))[:, np.newaxis]
    z = np.stack([votes * easy, votes * (1 - easy)], axis=2)  # tasks x class x subtype
    for _ in range(rounds):
        alpha = average_rows(counted(answers, z.sum(axis=2)))
        log_pi = []
        for m in range(2):
            counts = counted(answers, z[:, :, m]) + alpha
            log_pi.append(digamma(counts) - digamma(counts.sum(axis=2, keepdims=True)))
        eta = z[has].sum(axis=0) + 0.05
        tau = z[has].sum(axis=(0, 2)) + 1
        log_tau = digamma(eta) - digamma(eta.sum(axis=1, keepdims=True))
        log_tau += (digamma(tau) - digamma(tau.sum()))[:, np.newaxis]
        latent = e_step(
            answers, np.stack(log_pi, axis=2).reshape(-1, 2 * n_labels, n_labels), log_tau.ravel()
        )
        z = latent.reshape(-1, n_labels, 2)
    return z.sum(axis=2)


@pytest.mark.parametrize("labels", [2, 3, 5])
@pytest.mark.parametrize("rounds", [1, 2, 9])
@pytest.mark.parametrize(
    ("method", "reference", "options", "tolerance"),
    [
        (dawid_skene, classic, {"right": 0.0, "wrong": 0.0, "pooled": 0.0}, 1e-6),
        (dawid_skene, with_dirichlet, {"pooled": 0.0}, 1e-7),
        (dawid_skene, pooled, {}, 1e-7),
        (one_coin, one_coin_loops, {}, 1e-7),
        (subtypes, subtypes_loops, {}, 1e-7),
    ],
)
def test_it_is_the_formula(
    method: Callable[..., object],
    reference: Callable[[Answers, int], Matrix],
    options: dict[str, float],
    tolerance: float,
    labels: int,
    rounds: int,
) -> None:
    for seed in range(3):
        answers = crowd(seed, labels=labels)
        has = answered(answers)
        result = method(answers, rounds=rounds, tolerance=0.0, **options)
        expected = reference(answers, rounds)
        assert np.abs(result.posterior - expected)[has].max() < tolerance  # type: ignore[attr-defined]


def test_the_e_step_is_bayes_rule_by_enumeration() -> None:
    """Sum the joint probability over every assignment of classes to the tasks."""
    rng = np.random.default_rng(5)
    answers = crowd(1, tasks=4, workers=3, labels=3, share=0.8)
    pi = rng.dirichlet(np.ones(3), (3, 3))  # workers x class x answer
    tau = rng.dirichlet(np.ones(3))
    marginal = np.zeros((4, 3))
    for truth in itertools.product(range(3), repeat=4):
        joint = math.prod(tau[k] for k in truth)
        joint *= math.prod(pi[w, truth[t], k] for t, w, k in triples(answers))
        for t, k in enumerate(truth):
            marginal[t, k] += joint
    marginal /= marginal.sum(axis=1, keepdims=True)
    log_weights = np.log(pi.transpose(0, 2, 1)).reshape(-1, 3)
    got = Layout.of(answers).posterior(log_weights, np.log(tau))
    assert np.abs(got - marginal).max() < 1e-8


def exact_one_coin(answers: Answers) -> Matrix:
    """The posterior with every worker's skill ~ Beta(4, 1) and the classes' shares integrated out exactly."""
    n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
    marginal = np.zeros((n_tasks, n_labels))
    for truth in itertools.product(range(n_labels), repeat=n_tasks):
        sizes = np.bincount(truth, minlength=n_labels)
        log_joint = sum(math.lgamma(s + 1) for s in sizes)  # Dirichlet(1, ..., 1), up to a constant
        for w in range(len(answers.worker_names)):
            mine = [(t, k) for t, v, k in triples(answers) if v == w]
            right = sum(truth[t] == k for t, k in mine)
            wrong = len(mine) - right
            log_joint += betaln(4 + right, 1 + wrong) - betaln(4, 1) - wrong * math.log(max(n_labels - 1, 1))
        for t, k in enumerate(truth):
            marginal[t, k] += math.exp(log_joint)
    return marginal / marginal.sum(axis=1, keepdims=True)


def test_one_coin_is_near_the_exact_posterior() -> None:
    far = []
    for seed in range(12):
        answers = crowd(seed, tasks=7, workers=5, labels=2, share=0.8)
        exact = exact_one_coin(answers)
        result = one_coin(answers)
        sure = exact.max(axis=1) > 0.8
        assert (result.label[sure] == exact.argmax(axis=1)[sure]).all()
        far.append(np.abs(result.posterior - exact)[answered(answers)].mean())
    # It integrates approximately; a wrong prior or a forgotten term would be off by much more
    assert np.mean(far) < 0.05


def test_a_fitted_model_scores_other_tasks_of_the_same_workers() -> None:
    answers = crowd(2, tasks=30)
    fitted = fit_rounds(answers, rounds=3)
    assert np.allclose(fitted.posterior(answers), with_dirichlet(answers, 3), atol=1e-7)
    first = answers.task < 10
    some = Answers(
        answers.task[first],
        answers.worker[first],
        answers.label[first],
        answers.task_names[:12],
        answers.worker_names,
        answers.label_names,
    )
    assert np.allclose(fitted.posterior(some)[:10], fitted.posterior(answers)[:10], atol=1e-9)
    # A task without answers has the prior
    assert np.allclose(fitted.posterior(some)[11], np.exp(fitted.log_prior), atol=1e-9)
