"""What a model of the workers says about tasks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Leaders(NamedTuple):
    """What leads each task.

    :param label: the likeliest label; -1 where there is no answer, or where it is no likelier than another
    :param confidence: how likely it is; 0 where there is no answer
    :param answers_to_flip: how many answers it would take to make another label the likeliest
    """

    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    answers_to_flip: NDArray[np.float64]

    @classmethod
    def nobody(cls, n_tasks: int) -> Leaders:
        """Return that nothing leads."""
        return cls(np.full(n_tasks, -1, dtype=np.int32), np.zeros(n_tasks), np.zeros(n_tasks))
