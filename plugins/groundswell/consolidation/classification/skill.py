"""How good a worker is, with how sure that is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

LEVEL = 0.90
"""The share of the probability that lies between the low and the high end of an interval."""


class Skill(NamedTuple):
    """Per worker the probability that an answer is right; NaN where nothing is known."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def skill_of(right: NDArray[np.float64], wrong: NDArray[np.float64]) -> Skill:
    """
    Return each worker's skill from (expected) numbers of right and wrong answers.

    The posterior is Beta(right + 1/2, wrong + 1/2), with the prior of Jeffreys (1946): its mean and its
    central 90 % interval. A worker with 2 of 2 right is not perfect: 0.83, between 0.43 and 1.00.

    :param right: number of right answers per worker; it may be fractional
    :param wrong: number of wrong ones
    """
    mean = np.full(len(right), np.nan)
    low, high = mean.copy(), mean.copy()
    known = np.flatnonzero(right + wrong > 0)
    a, b = right[known] + 0.5, wrong[known] + 0.5
    mean[known] = a / (a + b)
    low[known] = _quantile(a, b, (1 - LEVEL) / 2)
    high[known] = _quantile(a, b, (1 + LEVEL) / 2)
    return Skill(mean, low, high)


_LARGE = 10.0


def _quantile(a: NDArray[np.float64], b: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Return quantiles of Beta distributions.

    With many answers by the approximation 26.5.22 of M. Abramowitz and I. Stegun, "Handbook of Mathematical
    Functions" (1964), which is within 0.0002 here and takes a hundredth of the time.
    """
    quantile = np.empty_like(a)
    large = np.minimum(a, b) >= _LARGE
    quantile[~large] = betaincinv(a[~large], b[~large], level)
    a, b = a[large], b[large]
    z = -ndtri(level)
    excess = (z * z - 3) / 6
    over_a, over_b = 1 / (2 * a - 1), 1 / (2 * b - 1)
    h = 2 / (over_a + over_b)
    w = z * np.sqrt(h + excess) / h - (over_b - over_a) * (excess + 5 / 6 - 2 / (3 * h))
    quantile[large] = a / (a + b * np.exp(2 * w))
    return quantile
