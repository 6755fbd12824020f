"""Names of items, workers and labels, and their positions, for the data contracts of all answer types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from groundswell.errors import AnswerError

_SHOWN = 20
"""How many names an error message lists before it says how many more there are."""


def positions(names: Sequence[str]) -> dict[str, int]:
    """Return the position of each name."""
    return {name: position for position, name in enumerate(names)}


def unique_names(what: str, names: Iterable[str]) -> tuple[str, ...]:
    """
    Return the names as a tuple.

    :param what: what the names are, for the message
    :raises AnswerError: a name that is no text or is empty, or that is there twice
    """
    seen: dict[str, None] = {}
    for name in names:
        if not isinstance(name, str) or not name:
            raise AnswerError(f"answers: {what} holds {name!r}; give a name that is not empty")
        if name in seen:
            raise AnswerError(f"answers: {name!r} is twice in {what}; name each once")
        seen[name] = None
    return tuple(seen)


def check_row_names(item: object, worker: object) -> None:
    """
    Refuse a row whose item or worker has no name.

    :raises AnswerError: one that is no text (such as the NaN of an empty cell) or is empty
    """
    for what, name in (("item", item), ("worker", worker)):
        if not isinstance(name, str) or not name:
            raise AnswerError(
                f"item {item!r}: worker {worker!r} gave an answer, where the {what} is "
                f"{'empty' if name == '' else 'no text'}; leave this answer out"
            )


def check_known_item(item: str, worker: str, known: Iterable[str]) -> None:
    """
    Refuse an answer to an item that is not in the list.

    :raises AnswerError: see above
    """
    if item not in known:
        raise AnswerError(
            f"item {item!r}: worker {worker!r} answered an item that is not in the list of items; "
            "leave this answer out, or add the item"
        )


def check_known_label(item: str, worker: str, label: object, known: Iterable[str]) -> None:
    """
    Refuse a label that is not allowed.

    :raises AnswerError: see above
    """
    if not isinstance(label, str) or label not in known:
        raise AnswerError(
            f"item {item!r}: worker {worker!r} gave the label {label!r}, "
            f"which is not one of {listing(known)}; leave this answer out, or allow the label"
        )


def check_positions(what: str, values: NDArray[np.integer], size: int, count: int) -> None:
    """
    Refuse positions that are not ``count`` integers from 0 to ``size`` - 1.

    :raises AnswerError: see above
    """
    if np.shape(values) != (count,):
        raise AnswerError(f"answers: {what} has the shape {np.shape(values)}; give {count} positions")
    if not np.issubdtype(values.dtype, np.integer):
        raise AnswerError(f"answers: {what} has the type {values.dtype}; give integer positions")
    if count == 0:
        return
    least, most = int(np.min(values)), int(np.max(values))
    if least < 0 or most >= size:
        raise AnswerError(
            f"answers: {what} holds the position {least if least < 0 else most}, "
            f"and there are {size} names; positions run from 0 to {size - 1}"
        )


def listing(names: Iterable[str]) -> str:
    """Return the names for a message: the first few, and how many more there are."""
    shown = list(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(repr(name) for name in shown[:_SHOWN]) + more
