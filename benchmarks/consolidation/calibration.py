"""How far a method's score can be believed: expected calibration error, raw and calibrated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.consolidation.accuracy import DEFAULT, GROUND_TRUTH, MAJORITY, Accuracies, Outcome
from benchmarks.consolidation.crowds import Crowd
from benchmarks.consolidation.document import bullets, flow, table
from benchmarks.consolidation.progress import Say
from benchmarks.consolidation.significance import credit
from groundswell.consolidation.calibration import calibrated
from groundswell.consolidation.classification import METHODS

BINS = 10
SURE = 0.99
KNOWN = 100
DRAWS = 3
FEWEST = 20
"""Of fewer items a share says too little to be shown."""
SHOWN = (MAJORITY, "dawid_skene", DEFAULT, GROUND_TRUTH, "crowd-kit DS")


def calibration_error(score: NDArray[np.float64], right: NDArray[np.float64], bins: int = BINS) -> float:
    """Expected calibration error: mean of |share right - mean score| over equal bins of the score.

    Each bin counts by its items (M. P. Naeini, G. Cooper, M. Hauskrecht, "Obtaining Well Calibrated
    Probabilities Using Bayesian Binning", AAAI 2015).
    """
    place = np.minimum((score * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=right - score, minlength=bins)
    return float(np.abs(gap).sum() / max(len(score), 1))


def calibration_sections(found: Accuracies, say: Say) -> list[str]:
    """Return what the document says about scores."""
    methods = [method for method in SHOWN if method in found.methods]
    rows = []
    for crowd in found.crowds:
        rows.append([crowd.name, *(_error(found.outcomes.get((method, crowd.name))) for method in methods)])
    rows.append(["mean", *(_mean(found, method) for method in methods)])
    sure = [
        [crowd.name, *(_when_sure(found.outcomes.get((method, crowd.name))) for method in methods)]
        for crowd in found.crowds
    ]
    method = DEFAULT if DEFAULT in found.methods else "dawid_skene"
    return [
        "## How far scores can be believed",
        flow(f"""
            Expected calibration error in points: by how much a score differs from the share of right labels
            with such scores, averaged over {BINS} equal bins of the score. 0 is a probability that can be
            taken literally."""),
        table(["set", *methods], rows),
        flow(f"""
            Percent right of the items whose score is at least {SURE}, and in brackets how many of 100 items
            they are; only where there are at least {FEWEST}."""),
        table(["set", *methods], sure),
        bullets(
            [
                """
            Scores of models are too sure: they take answers to be independent. They are called scores, not
            probabilities, unless they were calibrated on known labels.""",
                """
            The majority vote gives the score 0 to a tie and to an item with a single answer, as Ground Truth
            does; that counts as error here.""",
            ]
        ),
        *_calibrated(found.crowds, method, say),
    ]


def _calibrated(crowds: Sequence[Crowd], method: str, say: Say) -> list[str]:
    rows, errors = [], []
    for crowd in crowds:
        draws = [_with_known(crowd, method, seed) for seed in range(DRAWS)]
        if draws[0] is not None:
            mean = np.mean([draw for draw in draws if draw is not None], axis=0)
            errors.append(mean)
            rows.append([crowd.name, *(f"{100 * error:.1f}" for error in mean)])
            say(f"accuracy: calibration error on {crowd.name}: {mean[0]:.1%}, calibrated {mean[1]:.1%}")
    if not errors:
        return []
    rows.append(["mean", *(f"{100 * error:.1f}" for error in np.mean(errors, axis=0))])
    return [
        "## Calibrated on known labels",
        flow(f"""
            Expected calibration error in points of the method `{method}` on the items whose truth it was not
            told: of its score as it is, and of the probability that calibration makes of it, with {KNOWN}
            known labels drawn at random (means of {DRAWS} draws)."""),
        table(["set", "score", "calibrated"], rows),
    ]


def _with_known(crowd: Crowd, method: str, seed: int) -> tuple[float, float] | None:
    """Errors of score and probability on the other items; ``None`` where too few are left."""
    known = np.flatnonzero(crowd.truth >= 0)
    if len(known) < 2 * KNOWN:
        return None
    told = np.random.default_rng(seed).choice(known, size=KNOWN, replace=False)
    gold = np.full(len(crowd.truth), -1, dtype=np.int32)
    gold[told] = crowd.truth[told]
    truth = crowd.truth.copy()
    truth[told] = -1
    rest = truth >= 0
    raw = METHODS[method](crowd.answers, gold=gold)
    sure = calibrated(METHODS[method], crowd.answers, gold=gold)
    return (
        calibration_error(raw.confidence[rest], credit(crowd.answers, raw, truth)),
        calibration_error(sure.confidence[rest], credit(crowd.answers, sure, truth)),
    )


def _usable(outcome: Outcome | None) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    if outcome is None or outcome.right is None or outcome.score is None or np.isnan(outcome.score).any():
        return None
    return outcome.score, outcome.right


def _error(outcome: Outcome | None) -> str:
    usable = _usable(outcome)
    return "" if usable is None else f"{100 * calibration_error(*usable):.1f}"


def _mean(found: Accuracies, method: str) -> str:
    pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]] | None] = [
        _usable(outcome) for outcome in found.of(method)
    ]
    errors = [calibration_error(*pair) for pair in pairs if pair is not None]
    return f"{100 * float(np.mean(errors)):.1f}" if errors else ""


def _when_sure(outcome: Outcome | None) -> str:
    usable = _usable(outcome)
    if usable is None:
        return ""
    score, right = usable
    sure = score >= SURE
    if sure.sum() < FEWEST:
        return ""
    return f"{100 * right[sure].mean():.1f} ({100 * sure.mean():.0f})"
