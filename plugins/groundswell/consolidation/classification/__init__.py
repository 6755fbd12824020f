"""One label per item from several workers' choices among given classes.

Every method takes ``(answers, *, gold=None, earlier=None)`` and returns a
:class:`~groundswell.consolidation.data.Consensus`; :data:`METHODS` finds it by the name in a batch file.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.default import default
from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.classification.one_coin import one_coin
from groundswell.consolidation.classification.subtypes import subtypes
from groundswell.consolidation.classification.weighted import weighted_majority
from groundswell.consolidation.data import Answers, Consensus, Earlier


class Method(Protocol):
    """A way to one label per item."""

    def __call__(
        self, answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Earlier | None = None
    ) -> Consensus:
        """
        Consolidate.

        :param gold: per task the position of its known label, or -1
        :param earlier: what earlier batches say about the workers
        :raises AnswerError: gold or earlier skill do not fit the answers
        """


METHODS: dict[str, Method] = {
    "default": default,
    "majority": majority,
    "weighted_majority": weighted_majority,
    "one_coin": one_coin,
    "dawid_skene": dawid_skene,
    "subtypes": subtypes,
}
"""The methods by the name that batch files use."""
