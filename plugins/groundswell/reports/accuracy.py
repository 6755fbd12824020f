"""How many answers are probably right, and how sure that is.

The consolidated row of an item gives each label a posterior probability; that of the label which a worker
gave is the probability that this answer is right. Their sum over judged answers is the expected number of
right ones. It is as good as the consolidation and no measured truth: a mistake that most workers make looks
right, and the worker's own answer has a part in the posterior. Known labels (gold) measure; compare both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9
"""How much of the posterior the interval covers."""


def jeffreys(
    right: NDArray[np.float64], of: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lower and upper end of the Jeffreys interval of a share; NaN where nothing was judged.

    The quantiles of Beta(right + 1/2, of - right + 1/2), the posterior of a share under Jeffreys' prior, with
    0 as lower end where nothing is right and 1 as upper end where everything is (Brown, Cai and DasGupta
    2001, "Interval Estimation for a Binomial Proportion").

    :param right: how many are right, whole or expected, 0 <= right <= of
    :param of: how many were judged
    """
    from scipy.special import betaincinv

    some = of > 0
    total = np.where(some, of, 1.0)
    good = np.clip(np.where(some, right, 0.5), 0.0, total)
    tail = (1 - level) / 2
    low: Any = betaincinv(good + 0.5, total - good + 0.5, tail)
    high: Any = betaincinv(good + 0.5, total - good + 0.5, 1 - tail)
    low = np.where(good <= 0, 0.0, low)
    high = np.where(good >= total, 1.0, high)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)
