"""Confidence that means what it says: probabilities from scores, where some right labels are known.

The scores of every method are too sure of themselves, since workers err together and methods take them to err
independently. With enough items whose right label is known (gold items, experts' answers), a score becomes
a probability by Platt's scaling (1999), logit p = a + b logit(score), with priors that hold it to the score.
How firmly they hold, and whether to scale at all, is chosen by cross-validation of the squared error, so that
a few gold items change little. The order of the items stays as it was.

Gold items that a method took over are no test of it. :func:`calibrated` therefore hides them in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers, Consensus, Earlier
from groundswell.consolidation.findings import Finding

_Floats = NDArray[np.float64]
_Ints = NDArray[np.int64]

MINIMUM = 30
"""Gold items with a score that calibration needs; with fewer, confidence stays a score."""
PRIORS = ((0.3, 0.25), (1.0, 0.5))
"""Standard deviations of a around 0 and of b around 1; the score as it is comes before these."""
FOLDS = 10
_LEAST_SLOPE = 0.02
_SURE = 1e-6
_STEPS = 50
_MANY = 200_000
_DRAWS = 200

Method = Callable[..., Consensus]


@dataclass(frozen=True)
class Calibration:
    """From a score to the probability of being right: logit p = intercept + slope * logit(score).

    :param unscored: probability where the score is 0, by which methods say that they have none
    :param gold: items it was learnt from
    :param error: mean squared error of the probability on items it was not learnt from (cross-validation)
    :param error_before: the same of the score
    """

    intercept: float
    slope: float
    unscored: float
    gold: int
    error: float
    error_before: float

    def __call__(self, score: _Floats) -> _Floats:
        """Turn scores from 0 to 1 into probabilities."""
        scaled = _sigmoid(self.intercept + self.slope * _logit(score))
        return np.where(score > 0, scaled, self.unscored)


@dataclass(frozen=True)
class Bin:
    """Items with about the same confidence.

    :param count: how many
    :param confidence: their mean confidence
    :param accuracy: the share of them that is right
    :param low: lower end of the 90 % interval of ``accuracy`` (Wilson 1927)
    :param high: upper end of it
    """

    count: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """How far confidence and accuracy agree.

    :param error: expected calibration error: |accuracy - confidence| averaged over bins of equal size
    :param by_chance: what it would be on average if confidence were exactly right
    :param brier: mean squared difference between confidence and being right
    :param bins: the table behind it, least sure items first
    """

    error: float
    by_chance: float
    brier: float
    bins: tuple[Bin, ...]

    def table(self) -> str:
        """The bins as a Markdown table."""
        head = "| items | confidence | right | 90 % interval |\n| ---: | ---: | ---: | ---: |"
        rows = (
            f"| {row.count} | {row.confidence:.3f} | {row.accuracy:.3f} | {row.low:.3f} - {row.high:.3f} |"
            for row in self.bins
        )
        return "\n".join([head, *rows])


def calibrated(
    method: Method, answers: Answers, *, gold: NDArray[np.int32], earlier: Earlier | None = None
) -> Consensus:
    """Run a method and turn its confidence into probabilities, as far as the gold items allow.

    The method runs once with all gold items, and once more for each of five parts of them (two, with many
    answers) with that part hidden, from which it is learnt how often which score is right. Known items that
    the method took over stay as they are. With too little gold, confidence stays a score, as a finding says.

    :param gold: per task the position of its known label, or -1
    """
    result = method(answers, gold=gold, earlier=earlier)
    known = np.flatnonzero((gold >= 0) & (result.n_answers > 0))
    if len(known) < MINIMUM:
        return replace(result, findings=(*result.findings, *_too_little(len(known))))
    score = np.zeros(len(known))
    label = np.full(len(known), -1, dtype=np.int64)
    for part in _parts(len(known), 5 if len(answers) <= _MANY else 2):
        hidden = gold.copy()
        hidden[known[part]] = -1
        blind = method(answers, gold=hidden, earlier=earlier)
        score[part], label[part] = blind.confidence[known[part]], blind.label[known[part]]
    scored = label >= 0
    fitted = fit(score[scored], label[scored] == gold[known][scored])
    if fitted is None:
        return replace(result, findings=(*result.findings, *_too_little(int(scored.sum()))))
    return apply(result, fitted, gold=gold)


def fit(score: _Floats, right: NDArray[np.bool_], *, minimum: int = MINIMUM) -> Calibration | None:
    """Learn what scores mean from items of which it is known whether they are right.

    :returns: None with fewer than ``minimum`` items
    """
    if len(score) < minimum:
        return None
    y = right.astype(np.float64)
    share = (y.sum() + 1) / (len(y) + 2)
    unscored = float((y[score <= 0].sum() + 2 * share) / ((score <= 0).sum() + 2))
    known = score > 0
    x, y, given = _logit(score[known]), y[known], score[known]
    choices: list[tuple[float, tuple[float, float]]] = [(float(((given - y) ** 2).sum()), (0.0, 1.0))]
    for prior in PRIORS if len(x) >= FOLDS else ():
        loss = 0.0
        for part in _stripes(x):
            rest = np.ones(len(x), dtype=np.bool_)
            rest[part] = False
            a, b = _scale(x[rest], y[rest], prior)
            loss += float(((_sigmoid(a + b * x[part]) - y[part]) ** 2).sum())
        choices.append((loss, _scale(x, y, prior)))
    best, (intercept, slope) = min(choices, key=lambda choice: choice[0])
    size = max(1, len(x))
    return Calibration(intercept, slope, unscored, len(score), best / size, choices[0][0] / size)


def apply(
    consensus: Consensus, calibration: Calibration, *, gold: NDArray[np.int32] | None = None
) -> Consensus:
    """Return the result with probabilities for scores; the labels stay.

    A probability is at least that of a blind guess. In the posterior the label gets its probability, and the
    other labels share the rest as before.

    :param gold: per task the label that is known, or -1; a task that has it with confidence 1 stays as it is
    """
    changes = consensus.label >= 0
    if gold is not None:
        changes &= (gold != consensus.label) | (consensus.confidence < 1)
    rows = np.flatnonzero(changes)
    confidence = consensus.confidence.copy()
    posterior = consensus.posterior
    least = 0.0 if posterior is None or posterior.shape[1] == 0 else 1 / posterior.shape[1]
    confidence[rows] = np.maximum(calibration(confidence[rows]), least)
    if posterior is not None:
        posterior = _rescaled(posterior, rows, consensus.label[rows], confidence[rows])
    return replace(consensus, confidence=confidence, posterior=posterior, confidence_is="probability")


def reliability(confidence: _Floats, right: NDArray[np.bool_], *, bins: int = 15) -> Reliability:
    """Hold confidence against what turned out to be right.

    :param bins: how many of about equal size; items with the same confidence are never parted
    """
    if not len(confidence):
        return Reliability(float("nan"), float("nan"), float("nan"), ())
    y = right.astype(np.float64)
    edges = np.unique(np.quantile(confidence, np.arange(1, bins) / bins))
    found, place = np.unique(np.searchsorted(edges, confidence), return_inverse=True)
    count = np.bincount(place, minlength=len(found)).astype(np.float64)
    mean = np.bincount(place, weights=confidence, minlength=len(found)) / count
    accuracy = np.bincount(place, weights=y, minlength=len(found)) / count
    low, high = _wilson(accuracy, count)
    share = count / count.sum()
    chance = np.random.default_rng(0)
    draws = chance.binomial(count.astype(np.int64), np.clip(mean, 0, 1), (_DRAWS, len(count)))
    return Reliability(
        error=float((share * np.abs(accuracy - mean)).sum()),
        by_chance=float((share * np.abs(draws / count - mean)).sum(axis=1).mean()),
        brier=float(((confidence - y) ** 2).mean()),
        bins=tuple(
            Bin(int(n), *map(float, numbers))
            for n, *numbers in zip(count, mean, accuracy, low, high, strict=True)
        ),
    )


def _too_little(gold: int) -> tuple[Finding, ...]:
    text = (
        f"Confidence is a score and not a probability: {gold} items with a known label are too few to "
        f"calibrate it; give at least {MINIMUM} (consolidation: gold)."
    )
    return (Finding("uncalibrated", text, "note"),)


def _parts(size: int, parts: int) -> Iterator[_Ints]:
    """Split by chance, always alike; by turns would hide a whole class of items whose order has a period."""
    order = np.random.default_rng(0).permutation(size)
    for start in range(parts):
        yield order[start::parts]


def _stripes(x: _Floats) -> Iterator[_Ints]:
    """Parts that are alike in their scores."""
    order = np.argsort(x, kind="stable")
    for start in range(FOLDS):
        yield order[start::FOLDS]


def _scale(x: _Floats, y: _Floats, prior: tuple[float, float]) -> tuple[float, float]:
    """Most probable intercept and slope by Newton's method; the problem is convex."""
    at, weight = np.array([0.0, 1.0]), 1 / np.square(prior)
    columns = np.stack([np.ones(len(x)), x])
    for _ in range(_STEPS):
        p = _sigmoid(at @ columns)
        slope = columns @ (p - y) + weight * (at - [0.0, 1.0])
        bend = (columns * (p * (1 - p))) @ columns.T + np.diag(weight)
        step = np.linalg.solve(bend, slope)
        # The log-loss is flat far out, where a full step would run away
        step *= min(1.0, 1.0 / max(1e-12, float(np.abs(step).max())))
        at = at - step
        at[1] = max(at[1], _LEAST_SLOPE)
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(at[0]), float(at[1])


def _rescaled(posterior: Any, rows: _Ints, label: NDArray[np.int32], probability: _Floats) -> Any:
    if isinstance(posterior, np.ndarray):
        changed = posterior.astype(np.float64)
        before = changed[rows, label]
        rest = changed[rows].sum(axis=1) - before
        factor = np.divide(1 - probability, rest, out=np.zeros(len(rows)), where=rest > 0)
        changed[rows] *= factor[:, None]
        # A row that was all on one label has nothing to share the rest by: evenly
        others = max(1, changed.shape[1] - 1)
        changed[rows[rest <= 0]] = ((1 - probability[rest <= 0]) / others)[:, None]
        changed[rows, label] = probability
        return changed
    changed = posterior.tocsr().astype(np.float64)
    target = np.full(changed.shape[0], -1, dtype=np.int64)
    target[rows] = label
    to = np.zeros(changed.shape[0])
    to[rows] = probability
    of = np.repeat(np.arange(changed.shape[0]), np.diff(changed.indptr))
    is_label = changed.indices == target[of]
    held: _Floats = np.bincount(of[is_label], changed.data[is_label], changed.shape[0]).astype(np.float64)
    factor = np.where(target >= 0, (1 - to) / np.maximum(1 - held, _SURE), 1.0)
    changed.data = np.where(is_label, to[of], changed.data * factor[of])
    return changed


def _wilson(share: _Floats, count: _Floats, z: float = 1.6449) -> tuple[_Floats, _Floats]:
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2)) / (1 + z * z / count)
    return middle - half, middle + half


def _logit(score: _Floats) -> _Floats:
    p = np.clip(score, _SURE, 1 - _SURE)
    logit: _Floats = np.log(p / (1 - p))
    return logit


def _sigmoid(z: _Floats) -> _Floats:
    p: _Floats = 0.5 * (1 + np.tanh(0.5 * z))
    return p
