"""Sums that do not depend on their order.

Sums of floating-point numbers depend on their order in the last bits. Numbers that were rounded to a coarse
grid first add up exactly, so that neither the order of rows nor that of classes shows, and equal support
stays equal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHARE = 2.0**32
"""Posteriors are multiples of 1 / this: two million of them add up exactly."""

WEIGHT = 2.0**36
"""Log-probabilities are multiples of 1 / this."""


def rounded(numbers: NDArray[np.float64], grid: float) -> NDArray[np.float64]:
    """Round to multiples of 1 / ``grid``."""
    result: NDArray[np.float64] = np.rint(numbers * grid) / grid
    return result


def quantile(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """Return the least value that ``share`` of the weight does not exceed; infinite without any weight."""
    total = weights.sum()
    if total == 0:
        return np.inf
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= share * total
    return float(values[order][reached.argmax()])
