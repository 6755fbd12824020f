"""Answers aligned word by word, and the vote on each word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_NOTHING = 3
"""Cost of a word against nothing, as in the scoring of speech recognition (sclite: 3 and 4)."""

_OTHER = 4
"""Cost of a word against another word."""

_EQUAL = 1e-9

Slots = list[list[str | None]]
"""Per slot, what each answer has there; ``None`` for nothing."""


class Vote(NamedTuple):
    """Per slot the word that won and its share of the weight; whether two words of equal weight met."""

    words: tuple[str | None, ...]
    shares: NDArray[np.float64]
    tied: bool


def align(texts: Sequence[Sequence[str]], times: Sequence[int]) -> Slots:
    """Align texts, one after the other, with all before them.

    The cost of a word at a slot is the mean over the answers there, and the alignment is one with the least
    sum of costs; of several, the one that pairs words as far to the end as it can.

    :param texts: the words of each text
    :param times: how many answers are this text
    """
    slots: Slots = [[word] for word in texts[0]]
    answers = times[0]
    for at in range(1, len(texts)):
        slots = _merged(slots, list(times[:at]), texts[at], answers)
        answers += times[at]
    return slots


def vote(slots: Slots, weights: NDArray[np.float64]) -> Vote:
    """Let the texts vote on each slot; of words with equal weight, the one of the earliest text wins.

    :param weights: of each text
    """
    words: list[str | None] = []
    shares = np.zeros(len(slots))
    tied = False
    total = float(weights.sum())
    for at, slot in enumerate(slots):
        weight: dict[str | None, float] = {}
        for word, its in zip(slot, weights.tolist(), strict=True):
            weight[word] = weight.get(word, 0.0) + its
        most = max(weight.values())
        best = [word for word, its in weight.items() if its >= most - _EQUAL * total]
        tied |= len(best) > 1
        words.append(best[0])
        shares[at] = most / total
    return Vote(tuple(words), shares, tied)


def _merged(slots: Slots, times: list[int], words: Sequence[str], answers: int) -> Slots:
    """Return the slots with one more text in them."""
    steps = _steps(slots, times, words, answers)
    i, j = len(slots), len(words)
    merged: Slots = []
    nothing: list[str | None] = [None] * len(times)
    while i or j:
        step = steps[i, j]
        if step == 0:
            i, j = i - 1, j - 1
            merged.append([*slots[i], words[j]])
        elif step == 1:
            i -= 1
            merged.append([*slots[i], None])
        else:
            j -= 1
            merged.append([*nothing, words[j]])
    return merged[::-1]


def _steps(slots: Slots, times: list[int], words: Sequence[str], answers: int) -> NDArray[np.int8]:
    """Return at each cell the last step of a cheapest alignment: 0 both, 1 only the slot, 2 only the word.

    Costs are summed over the answers instead of averaged, so that they are whole numbers and equal costs are
    equal. A row at a time: what a row takes from itself is a running minimum.
    """
    n_words = len(words)
    places: dict[str, list[int]] = {}
    for j, word in enumerate(words):
        places.setdefault(word, []).append(j)
    new = _NOTHING * answers
    ramp = new * np.arange(n_words + 1, dtype=np.int64)
    row = ramp.copy()
    steps = np.full((len(slots) + 1, n_words + 1), 2, dtype=np.int8)
    for i, slot in enumerate(slots, start=1):
        match, absent = _costs(slot, times, places, n_words)
        skip = row + _NOTHING * (answers - absent)
        both = row[:-1] + match
        best = skip.copy()
        best[1:] = np.minimum(both, skip[1:])
        here = np.minimum.accumulate(best - ramp) + ramp
        steps[i][here == skip] = 1
        steps[i, 1:][here[1:] == both] = 0
        row = here
    return steps


def _costs(
    slot: list[str | None], times: list[int], places: dict[str, list[int]], n_words: int
) -> tuple[NDArray[np.int64], int]:
    """Return the summed cost of each word at a slot, and how many answers have nothing there."""
    count: dict[str | None, int] = {}
    for word, often in zip(slot, times, strict=True):
        count[word] = count.get(word, 0) + often
    absent = count.pop(None, 0)
    cost = np.full(n_words, _OTHER * sum(count.values()) + _NOTHING * absent, dtype=np.int64)
    for word, often in count.items():
        if word is not None and word in places:
            cost[places[word]] -= _OTHER * often
    return cost, absent
