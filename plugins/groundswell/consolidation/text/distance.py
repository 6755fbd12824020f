"""How far texts are from each other, at a cost that stays bounded however long they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Unit = Literal["characters", "words"]

_MOST = 20_000
"""Characters (or words) of all different texts of an item up to which every pair is compared in full."""


def edits(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return the Levenshtein distance: the fewest insertions, deletions and substitutions.

    Bit-parallel (Myers 1999 in the form of Hyyro 2003), with one bit per symbol of ``one`` in a Python
    integer: about len(other) steps of len(one) / 64 machine words each.
    """
    begin = 0
    while begin < min(len(one), len(other)) and one[begin] == other[begin]:
        begin += 1
    end = 0
    while end < min(len(one), len(other)) - begin and one[-1 - end] == other[-1 - end]:
        end += 1
    one, other = one[begin : len(one) - end], other[begin : len(other) - end]
    if not one or not other:
        return len(one) + len(other)
    where: dict[Hashable, int] = {}
    for at, symbol in enumerate(one):
        where[symbol] = where.get(symbol, 0) | (1 << at)
    full, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, distance = full, 0, len(one)
    for symbol in other:
        equal = where.get(symbol, 0)
        diagonal = (((equal & up) + up) ^ up) | equal | down
        right, left = down | (full & ~(diagonal | up)), diagonal & up
        distance += bool(right & last) - bool(left & last)
        right = ((right << 1) | 1) & full
        up, down = ((left << 1) & full) | (full & ~(diagonal | right)), right & diagonal
    return distance


def distances(texts: Sequence[str], unit: Unit = "characters") -> NDArray[np.float64]:
    """Return the distances of an item's different texts from each other, symmetric, from 0 to 1.

    The Levenshtein distance in characters (code points of the normal form) or words, divided by the length of
    the longer text; 0 between two empty texts. Where all texts together have more than 20,000 characters,
    words are compared; where more than 20,000 words, what is counted is how many words differ, whatever
    their order (which is never more than the Levenshtein distance): the cost is then linear.
    """
    symbols: list[Sequence[Hashable]] = [*texts]
    if unit == "words" or sum(map(len, texts)) > _MOST:
        symbols = [text.split() for text in texts]
    distance = _unordered if sum(map(len, symbols)) > _MOST else edits
    found = np.zeros((len(texts), len(texts)))
    for i, one in enumerate(symbols):
        for j in range(i):
            longer = max(len(one), len(symbols[j]), 1)
            found[i, j] = found[j, i] = distance(one, symbols[j]) / longer
    return found


def _unordered(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many symbols differ, whatever their order: a lower bound of :func:`edits`."""
    here, there = Counter(one), Counter(other)
    return max((here - there).total(), (there - here).total())
