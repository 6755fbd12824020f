"""Findings that all answer types share: items with too few answers, and workers who hardly agree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding

_NAMED = 10
"""How many items or workers a finding names."""

_LOW_ALPHA = 0.2
"""Below this, most of what workers agree on is chance (the "slight" of Landis and Koch 1977)."""

_ENOUGH_ITEMS = 10


def remarks(
    n_answers: NDArray[np.integer], task_names: Sequence[str], agreement: Agreement
) -> tuple[Finding, ...]:
    """Return what is odd about any batch: items without an answer or with one, and little agreement.

    :param n_answers: per task
    :param agreement: of the answers, all together
    """
    found = []
    for kind, count, what, fix in (
        ("no_answer", 0, "no answer, so they have no result", "ask for them again, or leave them out"),
        ("single_answer", 1, "one answer, which nobody has checked", "ask at least two workers per item"),
    ):
        at = np.flatnonzero(n_answers == count)
        if len(at):
            text = f"{len(at)} of {len(n_answers)} items have {what}; {fix}."
            found.append(Finding(kind, text, "note", items=first_names(task_names, at)))
    if agreement.n_items >= _ENOUGH_ITEMS and agreement.alpha < _LOW_ALPHA:
        found.append(
            Finding(
                "low_agreement",
                f"Workers hardly agree more than by chance (alpha {agreement.alpha:.2f} on "
                f"{agreement.n_items} items); the results may be wrong: check the instructions and the "
                "workers.",
                "warning",
            )
        )
    return tuple(found)


def first_names(names: Sequence[str], at: NDArray[np.integer]) -> tuple[str, ...]:
    """Return the first few of the names at the given positions."""
    return tuple(names[int(position)] for position in at[:_NAMED])
