from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.classification import layout as layout_module
from groundswell.consolidation.classification import streaming
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.layout import Layout
from groundswell.consolidation.data import Answers


class Names:
    """As many names as needed, made when they are asked for."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, at: int) -> str:  # type: ignore[override]
        if not 0 <= at < self.n:
            raise IndexError(at)
        return f"n{at}"


def crowd(sizes: np.ndarray, *, workers: int = 9, labels: int = 4, seed: int = 0) -> Answers:
    """Tasks with these numbers of answers, in no order."""
    rng = np.random.default_rng(seed)
    task = rng.permutation(np.repeat(np.arange(len(sizes)), sizes)).astype(np.int32)
    truth = rng.integers(0, labels, len(sizes))
    right = (
        rng.random(len(task)) < rng.uniform(0.4, 0.9, workers)[worker := rng.integers(0, workers, len(task))]
    )
    label = np.where(right, truth[task], rng.integers(0, labels, len(task)))
    names = [Names(n) for n in (len(sizes), workers, labels)]
    return Answers(task, worker.astype(np.int32), label.astype(np.int32), *names)


def by_hand(answers: Answers, log_weights: np.ndarray, log_prior: np.ndarray) -> np.ndarray:
    scores = np.tile(log_prior, (len(answers.task_names), 1))
    np.add.at(scores, answers.task, log_weights[answers.worker * len(answers.label_names) + answers.label])
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


SIZES = {
    "equal": np.full(300, 5),
    "equal, some empty": np.where(np.arange(400) % 7 == 0, 0, 3),
    "two common sizes": np.repeat([2, 6], 200),
    "all kinds": np.concatenate([np.full(300, 3), np.arange(60), [500]]),
    "one": np.array([1]),
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("labels", [2, 3, 4, 9])
@pytest.mark.parametrize("width", [1, 2])
def test_posterior_and_counts(sizes: np.ndarray, labels: int, width: int) -> None:
    answers = crowd(sizes, labels=labels)
    rng = np.random.default_rng(1)
    log_weights = np.log(rng.dirichlet(np.ones(labels * width), 9 * labels))
    log_prior = np.log(rng.dirichlet(np.ones(labels * width)))
    laid = Layout.of(answers)
    q = laid.posterior(log_weights, log_prior)
    assert np.abs(q - by_hand(answers, log_weights, log_prior)).max() < 1e-8
    counts = np.zeros((9, labels, labels * width))
    np.add.at(counts, (answers.worker, answers.label), q[answers.task])
    assert np.abs(laid.counts(q) - counts).max() < 1e-7 * len(answers)
    streamed = laid.expect(log_weights, log_prior, subtypes=width)
    assert np.abs(streamed.counts - counts).max() < 1e-7 * len(answers)
    assert np.abs(streamed.totals - q[sizes > 0].sum(axis=0)).max() < 1e-6
    assert laid.n_answers.tolist() == sizes.tolist()


@pytest.mark.parametrize("labels", [2, 4])
def test_threads_and_blocks_do_not_show(labels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = crowd(SIZES["all kinds"], labels=labels)
    alone = dawid_skene(answers)
    monkeypatch.setattr(layout_module, "_MANY", 1)
    monkeypatch.setattr(layout_module, "BLOCK", 64)
    monkeypatch.setattr(layout_module, "_UNCOMMON", 16)
    assert len(Layout.of(answers).blocks) > 3
    split = dawid_skene(answers)
    assert np.array_equal(alone.posterior, split.posterior)
    assert np.array_equal(alone.worker_skill, split.worker_skill)


@pytest.mark.parametrize("labels", [2, 4])
def test_single_precision_says_the_same(labels: int) -> None:
    answers = crowd(np.full(2_000, 5), labels=labels, workers=40)
    laid = Layout.of(answers)
    log_weights = np.log(np.random.default_rng(2).dirichlet(np.full(labels, 0.3), 40 * labels) + 1e-3)
    log_prior = np.log(np.full(labels, 1 / labels))
    exact = laid.expect(log_weights, log_prior, precision="exact")
    single = laid.expect(log_weights, log_prior, precision="single")
    assert laid._grid(labels, "single").dtype is np.float32
    assert np.abs(exact.counts - single.counts).max() < 1e-2
    assert np.abs(exact.totals - single.totals).max() < 1e-1


@given(st.permutations(range(40)))
@settings(max_examples=5, deadline=None)
def test_single_precision_does_not_see_the_order_of_classes_or_rows(order: list[int]) -> None:
    answers = crowd(np.full(40, 5), labels=4, workers=6)
    swap = np.array([2, 0, 3, 1])
    rows = np.argsort(np.array(order)[answers.task], kind="stable")
    other = Answers(
        np.array(order, dtype=np.int32)[answers.task][rows],
        answers.worker[rows],
        swap[answers.label][rows].astype(np.int32),
        answers.task_names,
        answers.worker_names,
        answers.label_names,
    )
    weights = np.log(np.random.default_rng(3).dirichlet(np.ones(4), (6, 4)))  # worker, label, class
    swapped = np.empty_like(weights)
    swapped[:, swap[:, np.newaxis], swap] = weights
    prior = np.log(np.array([0.1, 0.2, 0.3, 0.4]))
    swapped_prior = np.empty(4)
    swapped_prior[swap] = prior
    one = Layout.of(answers).expect(weights.reshape(-1, 4), prior, precision="single")
    two = Layout.of(other).expect(swapped.reshape(-1, 4), swapped_prior, precision="single")
    assert np.array_equal(one.counts, two.counts[:, swap][:, :, swap])
    assert np.array_equal(one.totals, two.totals[swap])


def test_memory_is_in_proportion_to_the_answers() -> None:
    # A task more makes no table larger than its answers
    sizes = np.full(streaming.BLOCK * 3 + 7, 2)
    laid = Layout.of(crowd(sizes))
    assert laid.codes.nbytes == 4 * len(laid)
    assert sum(len(block) for block in laid.blocks) == len(sizes)
    assert max(block.last - block.first for block in laid.blocks) <= 2 * streaming.BLOCK
