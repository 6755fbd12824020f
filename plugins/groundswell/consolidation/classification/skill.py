"""How good a worker is, with how sure that is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

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
    low[known] = betaincinv(a, b, (1 - LEVEL) / 2)
    high[known] = betaincinv(a, b, (1 + LEVEL) / 2)
    return Skill(mean, low, high)
