"""Histograms of seconds that can be added up, so that medians of any period follow from those of its days.

Bin 0 is below 0.01 s; bin k >= 1 holds 0.01 s x 1.02^(k-1) <= seconds < 0.01 s x 1.02^k. A value is told by
the geometric middle of its bin, so that it is off by at most sqrt(1.02) - 1 < 1 %, and so is a quantile
between two of them; what is below 0.01 s counts as 0. As text: ``bin:count`` pairs with spaces, bins rising.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST = 0.01
WIDTH = 1.02
ERROR = WIDTH**0.5 - 1
"""The relative error of a quantile, at most."""

# 15 digits: both numbers stay below 2^63; possessive, so that no text takes long
_TEXT = re.compile(r"[0-9]{1,15}:[0-9]{1,15}(?: [0-9]{1,15}:[0-9]{1,15})*+")

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Counts of several groups at once, in rising order of group and bin, no pair twice.

    :param group: int64[n], 0 <= group
    :param bin: int64[n]
    :param count: int64[n], above 0
    """

    group: _Ints
    bin: _Ints
    count: _Ints

    def regrouped(self, to: _Ints) -> Bins:
        """Add up groups: group g becomes ``to[g]``."""
        return _added(to[self.group], self.bin, self.count)

    def quantile(self, q: float, groups: int) -> _Floats:
        """Return the q-quantile of seconds of each group, NaN where a group has none.

        Linear between the two nearest values (type 7 of Hyndman and Fan 1996), each told by its bin's middle.
        """
        sizes = np.bincount(self.group, self.count, groups).astype(np.int64)
        ends = np.cumsum(self.count)
        middles = middle(self.bin)

        def value(place: _Ints) -> _Floats:
            found: _Floats = middles[np.searchsorted(ends, place, side="right")]
            return found

        return between(sizes, q, value)

    def texts(self, groups: int) -> list[str]:
        """Return the text of each group, "" where it has no values."""
        pairs = [
            f"{bin_}:{count}" for bin_, count in zip(self.bin.tolist(), self.count.tolist(), strict=True)
        ]
        ends = np.searchsorted(self.group, np.arange(groups + 1)).tolist()
        return [" ".join(pairs[ends[group] : ends[group + 1]]) for group in range(groups)]


def of(seconds: _Floats, group: _Ints) -> Bins:
    """Return the histograms of values.

    :param seconds: float64[n], at least 0
    :param group: int64[n], the group of each value
    """
    return _added(group, index(seconds), np.ones(len(group), np.int64))


def parse(texts: Iterable[str]) -> Bins:
    """Return the histograms that these texts hold, one group each; texts of another form hold nothing."""
    good = [text if text and _TEXT.fullmatch(text) else "" for text in texts]
    sizes = np.array([text.count(":") for text in good], np.int64)
    numbers = " ".join(filter(None, good)).replace(":", " ")
    values = np.fromstring(numbers, np.int64, sep=" ") if numbers else np.zeros(0, np.int64)
    return _added(np.repeat(np.arange(len(good)), sizes), values[::2], values[1::2])


def index(seconds: _Floats) -> _Ints:
    """Return the bin of each value (float64[n], at least 0)."""
    steps = np.floor(np.log(np.maximum(seconds, SMALLEST) / SMALLEST) / np.log(WIDTH))
    return np.where(seconds < SMALLEST, 0, steps.astype(np.int64) + 1)


def middle(bins: _Ints) -> _Floats:
    """Return the value that stands for each bin: the geometric middle, 0 for bin 0."""
    return np.where(bins == 0, 0.0, SMALLEST * WIDTH ** (bins - 0.5))


def exact(seconds: _Floats, group: _Ints, q: float, groups: int) -> _Floats:
    """Return the exact q-quantile of each group: :meth:`Bins.quantile` without bins.

    :param seconds: float64[n], in rising order within each group
    :param group: int64[n], in rising order
    """
    return between(np.bincount(group, minlength=groups), q, lambda place: seconds[place])


def between(sizes: _Ints, q: float, value: Callable[[_Ints], _Floats]) -> _Floats:
    """Return the q-quantile of groups of ``sizes`` values that stand behind each other in rising order.

    :param value: the values at these places
    """
    answer = np.full(len(sizes), np.nan)
    some = sizes > 0
    if not some.any():
        return answer
    starts = (np.cumsum(sizes) - sizes)[some]
    last = sizes[some] - 1
    place = last * q
    below = np.floor(place).astype(np.int64)
    low = value(starts + below)
    high = value(starts + np.minimum(below + 1, last))
    answer[some] = low + (place - below) * (high - low)
    return answer


def _added(group: _Ints, bin_: _Ints, count: _Ints) -> Bins:
    if not len(group):
        nothing = np.zeros(0, np.int64)
        return Bins(nothing, nothing, nothing)
    span = int(bin_.max()) + 1
    pairs, inverse = np.unique(group * span + bin_, return_inverse=True)
    counts = np.zeros(len(pairs), np.int64)
    np.add.at(counts, inverse, count)
    return Bins(pairs // span, pairs % span, counts)
