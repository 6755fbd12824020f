"""Pixels with the same answers are treated once: an image is a table of patterns of answers.

Five workers and two labels have at most 32 patterns, so a million pixels become 32 rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]

_MOST_CODES = 1 << 22


@dataclass(frozen=True, eq=False)
class Patterns:
    """The different answers that pixels of one image have.

    :param labels: ``[patterns, workers]``
    :param count: pixels per pattern
    :param at: ``[pixels]``, the pattern of each
    """

    labels: Ints
    count: NDArray[np.int64]
    at: NDArray[np.int64]

    @property
    def disputed(self) -> NDArray[np.bool_]:
        """Per pattern, whether workers differ."""
        differ: NDArray[np.bool_] = np.any(self.labels != self.labels[:, :1], axis=1)
        return differ


def patterns(maps: Ints) -> Patterns:
    """Return the patterns of ``maps[workers, pixels]``."""
    names, local = np.unique(maps, return_inverse=True)
    local = local.reshape(maps.shape)
    code, size = np.zeros(maps.shape[1], np.int64), 1
    for one in local:
        if size * len(names) > _MOST_CODES:
            code = np.unique(code, return_inverse=True)[1]
            size = int(code.max(initial=0)) + 1
        code = code * len(names) + one
        size *= len(names)
    if size > _MOST_CODES:
        code = np.unique(code, return_inverse=True)[1]
        size = int(code.max(initial=0)) + 1
    count = np.bincount(code, minlength=size)
    present = np.flatnonzero(count)
    number = np.zeros(size, np.int64)
    number[present] = np.arange(len(present))
    example = np.zeros(size, np.int64)
    example[code] = np.arange(len(code))
    return Patterns(maps[:, example[present]].T, count[present], number[code])
