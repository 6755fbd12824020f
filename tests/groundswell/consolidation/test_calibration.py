"""Calibration: scores become probabilities where labels are known, and never get worse."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.calibration import MINIMUM, apply, calibrated, fit, reliability
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.data import Answers, Consensus

REAL = Path(__file__).parents[4] / "shared/data/crowd"
SETS = ("rte", "dog", "music", "labelme", "leaves", "zc_us")


def drawn(seed: int, size: int, *, sharpness: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores whose logit is ``sharpness`` times that of the true probability, and what came out."""
    r = np.random.default_rng(seed)
    z = r.normal(1.2, 1.2, size)
    right = r.random(size) < 1 / (1 + np.exp(-z))
    return 1 / (1 + np.exp(-sharpness * z)), right


@pytest.mark.parametrize("sharpness", [0.5, 3.0])
def test_overconfident_and_timid_scores_become_probabilities(sharpness: float) -> None:
    score, right = drawn(0, 400, sharpness=sharpness)
    more, outcome = drawn(1, 4000, sharpness=sharpness)
    learnt = fit(score, right)
    assert learnt is not None
    before, after = reliability(more, outcome), reliability(learnt(more), outcome)
    assert after.error < before.error / 2
    assert after.error < 2 * after.by_chance
    assert learnt.error < learnt.error_before


def test_few_known_labels_do_no_harm_on_average() -> None:
    """The least number of labels: where scores are right already, next to nothing is lost on average."""
    more, outcome = drawn(99, 4000, sharpness=1.0)
    raw = reliability(more, outcome).brier
    losses = []
    for seed in range(16):
        learnt = fit(*drawn(seed, MINIMUM, sharpness=1.0))
        assert learnt is not None
        losses.append(reliability(learnt(more), outcome).brier - raw)
    assert np.mean(losses) < 0.004
    sharp, outcome = drawn(99, 4000, sharpness=3.0)
    gains = [
        reliability(learnt(sharp), outcome).brier - reliability(sharp, outcome).brier
        for seed in range(16)
        if (learnt := fit(*drawn(seed, MINIMUM, sharpness=3.0)))
    ]
    assert np.mean(gains) < -0.006


def test_the_order_of_items_stays() -> None:
    learnt = fit(*drawn(3, 200, sharpness=4.0))
    assert learnt is not None
    scores = np.linspace(0.001, 0.999, 50)
    assert (np.diff(learnt(scores)) > 0).all()


def test_too_few_known_labels_teach_nothing() -> None:
    assert fit(*drawn(0, MINIMUM - 1, sharpness=2.0)) is None
    assert fit(*drawn(0, MINIMUM, sharpness=2.0)) is not None


@pytest.mark.parametrize("outcome", [True, False])
def test_labels_that_are_all_right_or_all_wrong_are_no_error(outcome: bool) -> None:
    learnt = fit(np.full(40, 0.999), np.full(40, outcome))
    assert learnt is not None
    [probability] = learnt(np.array([0.999]))
    assert probability > 0.95 if outcome else probability < 0.7


def test_a_score_of_0_is_no_score() -> None:
    """Majority vote gives 0 to items with one answer, which are right more often than contested ones."""
    score, right = np.repeat([0.0, 0.6], 100), np.tile([True, True, True, False], 50)
    learnt = fit(score, right)
    assert learnt is not None
    assert learnt(np.array([0.0]))[0] == pytest.approx(0.75, abs=0.02)


def of(posterior: NDArray[np.float64] | sp.csr_array, label: list[int], confidence: list[float]) -> Consensus:
    size = len(label)
    nothing = np.full(1, np.nan)
    return Consensus(
        label=np.array(label, dtype=np.int32),
        confidence=np.array(confidence),
        posterior=posterior,
        worker_skill=nothing,
        skill_low=nothing,
        skill_high=nothing,
        n_answers=np.full(size, 3, dtype=np.int32),
        tied=np.array([each < 0 for each in label]),
        method="made",
    )


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_the_posterior_goes_with_the_confidence(form: type) -> None:
    learnt = fit(*drawn(0, 400, sharpness=3.0))
    assert learnt is not None
    rows = np.array([[0.9, 0.08, 0.02], [1.0, 0.0, 0.0], [0.4, 0.4, 0.2], [0.0, 0.0, 1.0]])
    gold = np.array([-1, -1, -1, 2], dtype=np.int32)
    made = apply(of(form(rows), [0, 0, -1, 2], [0.9, 1.0, 0.0, 1.0]), learnt, gold=gold)
    posterior = made.posterior.toarray() if sp.issparse(made.posterior) else made.posterior
    assert made.confidence_is == "probability"
    assert made.confidence[:2] == pytest.approx([learnt(np.array([0.9]))[0], learnt(np.array([1.0]))[0]])
    assert posterior[[0, 1], 0] == pytest.approx(made.confidence[:2])
    assert posterior[0, 1] / posterior[0, 2] == pytest.approx(4)
    assert posterior[0].sum() == pytest.approx(1)
    assert made.confidence[2:].tolist() == [0.0, 1.0]
    assert posterior[2:].tolist() == rows[2:].tolist()


def test_no_probability_is_below_a_blind_guess() -> None:
    learnt = fit(np.full(40, 0.6), np.arange(40) < 4)
    assert learnt is not None
    made = apply(of(np.array([[0.6, 0.4]]), [0], [0.6]), learnt)
    assert made.confidence.tolist() == [0.5]


def test_reliability_of_a_small_table_by_hand() -> None:
    seen = reliability(np.array([0.6, 0.6, 0.6, 0.9]), np.array([True, False, False, True]), bins=2)
    assert [each.count for each in seen.bins] == [3, 1]
    assert seen.error == pytest.approx(0.75 * (0.6 - 1 / 3) + 0.25 * 0.1)
    assert seen.brier == pytest.approx((0.16 + 0.36 + 0.36 + 0.01) / 4)
    assert seen.table().splitlines()[2].startswith("| 3 | 0.600 | 0.333 |")
    assert reliability(np.zeros(0), np.zeros(0, dtype=np.bool_)).bins == ()


def crowd(seed: int) -> tuple[Answers, NDArray[np.int32]]:
    """Three labels; half of the items are hard for everybody, which no method expects."""
    r = np.random.default_rng(seed)
    truth, hard = r.integers(0, 3, 600), r.random(600) < 0.5
    task, worker = np.repeat(np.arange(600), 5), r.integers(0, 30, 3000)
    right = r.random(3000) < np.where(hard[task], 0.5, 0.9)
    label = np.where(right, truth[task], (truth[task] + 1) % 3)
    names = [tuple(f"{what}{at}" for at in range(size)) for what, size in (("t", 600), ("w", 30), ("k", 3))]
    return Answers(*(each.astype(np.int32) for each in (task, worker, label)), *names), truth.astype(np.int32)


def test_known_items_are_hidden_while_their_scores_are_learnt_from() -> None:
    """A method that takes gold over is always right there; learning from that would make everything sure."""
    answers, truth = crowd(1)
    gold = np.where(np.arange(600) % 3 == 0, truth, -1).astype(np.int32)
    made = calibrated(dawid_skene, answers, gold=gold)
    rest = (gold < 0) & (made.label >= 0)
    right = made.label[rest] == truth[rest]
    raw = dawid_skene(answers, gold=gold)
    assert made.confidence_is == "probability"
    assert np.array_equal(made.label, raw.label)
    off, before = (each.confidence[rest].mean() - right.mean() for each in (made, raw))
    assert abs(off) < before / 2
    assert made.confidence[gold >= 0].tolist() == raw.confidence[gold >= 0].tolist()


def test_with_little_gold_confidence_stays_a_score_and_that_is_told() -> None:
    answers, truth = crowd(2)
    gold = np.where(np.arange(600) < MINIMUM - 1, truth, -1).astype(np.int32)
    made = calibrated(majority, answers, gold=gold)
    assert made.confidence_is == "score"
    assert [each.kind for each in made.findings] == ["uncalibrated"]
    assert np.array_equal(made.confidence, majority(answers, gold=gold).confidence)


def test_the_order_of_the_answers_does_not_matter() -> None:
    answers, truth = crowd(3)
    gold = np.where(np.arange(600) % 5 == 0, truth, -1).astype(np.int32)
    order = np.random.default_rng(0).permutation(len(answers))
    mixed = replace(answers, **{each: getattr(answers, each)[order] for each in ("task", "worker", "label")})
    one, two = (calibrated(dawid_skene, each, gold=gold).confidence for each in (answers, mixed))
    assert np.allclose(one, two, atol=1e-4)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real crowd answers in {REAL}")
def test_a_tenth_of_the_truth_makes_real_confidence_honest_on_the_rest() -> None:
    errors = []
    for name in SETS:
        rows = np.loadtxt(REAL / name / "answers.csv", delimiter=",", skiprows=1, dtype=str)
        known = dict(np.loadtxt(REAL / name / "truth.csv", delimiter=",", skiprows=1, dtype=str))
        labels = sorted({*rows[:, 2], *known.values()})
        answers = Answers.from_rows(map(tuple, rows), labels=labels)
        truth = np.array([labels.index(known[each]) if each in known else -1 for each in answers.task_names])
        chosen = np.random.default_rng(7).permutation(len(truth))[: max(MINIMUM, len(truth) // 10)]
        gold = np.full(len(truth), -1, dtype=np.int32)
        gold[chosen] = truth[chosen]
        raw, made = (each(answers, gold=gold) for each in (dawid_skene, partial(calibrated, dawid_skene)))
        rest = (truth >= 0) & (gold < 0) & (made.label >= 0)
        right = made.label[rest] == truth[rest]
        errors.append([reliability(each.confidence[rest], right).error for each in (raw, made)])
    before, after = np.array(errors).T
    assert (after <= before).sum() >= len(SETS) - 1
    assert np.median(after) < np.median(before) / 1.5
