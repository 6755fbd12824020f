"""How far workers agree beyond chance: Krippendorff's alpha, percent agreement and Fleiss' kappa.

Nothing here needs the table of items x workers: time is n log n in the number of answers, and memory is in
proportion to it. Missing answers are no trouble; an item with fewer than two answers says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers
from groundswell.errors import AnswerError

Level = Literal["nominal", "ordinal", "interval"]

_Ints = NDArray[np.int64]
_Floats = NDArray[np.float64]

NO_PAIR = "no item has two answers"
NO_CHANCE = "all answers are the same, so that chance alone would agree as well"


@dataclass(frozen=True)
class Agreement:
    """How far the answers to the same item agree.

    :param alpha: 1 - observed / expected disagreement: 1 is full agreement, 0 is what chance gives, and below
        0 workers contradict each other; NaN where it is not defined
    :param reason: why ``alpha`` or ``kappa`` is NaN; empty where both are defined
    :param level: how two answers are compared: a :data:`Level`, or the name of a similarity
    :param percent: how often (or how far) two answers to the same item agree, averaged over the items
    :param chance: how often two answers agree by chance
    :param kappa: (percent - chance) / (1 - chance); NaN where it is not defined
    :param n_items: items with two answers or more, which alone count
    :param n_answers: their answers
    """

    alpha: float
    reason: str
    level: str
    percent: float
    chance: float
    kappa: float
    n_items: int
    n_answers: int


def agreement(
    answers: Answers, *, level: Level = "nominal", values: Sequence[float] | None = None
) -> Agreement:
    """Return Krippendorff's alpha, percent agreement, and Fleiss' chance and kappa.

    Alpha is 1 - D_o / D_e (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"), with the
    observed disagreement D_o = 1/n sum_u 1/(m_u - 1) sum_{i != j in u} d(v_i, v_j) over the items u with
    m_u >= 2 answers, n answers in all, and the expected one D_e = 1/(n (n - 1)) sum_{i != j} d(v_i, v_j). The
    difference d is 0 or 1 (nominal), or the square of the difference of the values (interval) or of their
    ranks (ordinal). Krippendorff's ordinal difference (sum_{g=c..k} n_g - (n_c + n_k) / 2)^2 is that of the
    mean ranks of the labels among all n answers, so no table of labels x labels is needed.

    ``percent``, ``chance`` and ``kappa`` compare labels as equal or not at every level: percent is the mean
    over items of the share of equal pairs, and chance the sum of p_k^2 over the shares p_k of the labels
    (Fleiss 1971, "Measuring nominal scale agreement among many raters"), where items may have any number
    of answers.

    The same (task, worker, label) twice counts once. A worker who gave a task two different labels counts
    with both.

    :param level: ``ordinal`` takes the order of the label names; ``interval`` their numeric values
    :param values: the number that each label stands for, with ``interval``; otherwise the names are read as
        numbers
    :raises AnswerError: an unknown level, values that do not fit the labels, are not finite or not numbers
    """
    if level not in ("nominal", "ordinal", "interval"):
        raise AnswerError(f"agreement: {level!r} is not a level; use nominal, ordinal or interval")
    numbers = _label_values(answers, values) if level == "interval" else None
    task, label = _pairable(answers)
    if len(task) == 0:
        return _undefined(level, NO_PAIR)
    first = np.flatnonzero(np.diff(task, prepend=-1))
    size = np.diff(first, append=len(task))
    equal = _equal_pairs(task, label, first)
    count = np.bincount(label, minlength=len(answers.label_names)).astype(np.float64)
    total = float(len(task))
    percent = float(np.mean(equal / (size * (size - 1))))
    chance = float(np.sum((count / total) ** 2))
    if level == "nominal":
        observed = float(np.sum(size - equal / (size - 1))) / total
        expected = float(total**2 - np.sum(count**2)) / (total * (total - 1))
    else:
        scale = _mean_ranks(count) if numbers is None else numbers
        observed, expected = _squared_differences(scale[label], first, size)
    return _measured(level, observed, expected, percent, chance, len(first), len(task))


def similarity_agreement(
    item: NDArray[np.integer],
    similarity: Callable[[int, int], float],
    *,
    name: str,
    most_pairs: int = 2000,
) -> Agreement:
    """Return the agreement of answers that are compared by a similarity from 0 to 1, such as texts or sets.

    ``percent`` is the mean similarity of two answers to the same item, each item weighing as much as it has
    answers; ``chance`` that of any two answers; alpha and kappa are both 1 - (1 - percent) / (1 - chance),
    which is Krippendorff's alpha with 1 - similarity as the difference.

    Up to ``most_pairs`` pairs of each kind are compared. Where there are more, evenly spaced ones stand for
    all of them, always the same, and the result is an estimate.

    :param item: per answer its item, in ascending order; within an item, the order of the answers must not
        depend on the order of the rows
    :param similarity: of the answers at two positions; symmetric
    :param name: of the similarity
    """
    first = np.flatnonzero(np.diff(item, prepend=-1))
    size = np.diff(first, append=len(item))
    kept = np.repeat(size > 1, size)
    at = np.flatnonzero(kept)
    first, size = np.cumsum(size[size > 1]) - size[size > 1], size[size > 1]
    if len(at) == 0:
        return _undefined(name, NO_PAIR)
    percent = _mean_within(at, first, size, similarity, most_pairs)
    n = len(at)
    pairs = n * (n - 1) // 2
    chosen = np.arange(pairs) if pairs <= most_pairs else _spread(pairs, most_pairs)
    one, other = _pair_at(chosen)
    chance = float(np.mean([similarity(int(at[i]), int(at[j])) for i, j in zip(one, other, strict=True)]))
    return _measured(name, 1 - percent, 1 - chance, percent, chance, len(first), n)


def _measured(
    level: str, observed: float, expected: float, percent: float, chance: float, n_items: int, n_answers: int
) -> Agreement:
    alpha = 1 - observed / expected if expected > 0 else float("nan")
    kappa = (percent - chance) / (1 - chance) if chance < 1 else float("nan")
    reason = "" if expected > 0 and chance < 1 else NO_CHANCE
    return Agreement(alpha, reason, level, percent, chance, kappa, n_items, n_answers)


def _undefined(level: str, reason: str) -> Agreement:
    nan = float("nan")
    return Agreement(nan, reason, level, nan, nan, nan, 0, 0)


def _label_values(answers: Answers, values: Sequence[float] | None) -> _Floats:
    names = answers.label_names
    if values is None:
        try:
            found = np.array([float(name) for name in names], dtype=np.float64)
        except ValueError:
            raise AnswerError(
                f"agreement: the labels {', '.join(map(repr, list(names)[:5]))} are not all numbers; "
                "give the value of each label, or use the level ordinal or nominal"
            ) from None
    else:
        found = np.asarray(values, dtype=np.float64)
    if found.shape != (len(names),):
        raise AnswerError(f"agreement: {len(found)} values for {len(names)} labels; give one value per label")
    if not np.isfinite(found).all():
        raise AnswerError("agreement: a label's value is not finite; give a number to each label")
    return found


def _pairable(answers: Answers) -> tuple[_Ints, NDArray[np.int32]]:
    """Return task and label of the answers to tasks with at least two, sorted by both, each answer once."""
    order = np.lexsort((answers.worker, answers.label, answers.task))
    task, label, worker = answers.task[order], answers.label[order], answers.worker[order]
    new = np.ones(len(task), np.bool_)
    new[1:] = (task[1:] != task[:-1]) | (label[1:] != label[:-1]) | (worker[1:] != worker[:-1])
    item, label = task[new].astype(np.int64), label[new]
    several = np.bincount(item, minlength=1)[item] > 1
    return item[several], label[several]


def _equal_pairs(task: _Ints, label: NDArray[np.int32], first: _Ints) -> _Floats:
    """Return per item how many ordered pairs of its answers are equal; rows are sorted by task and label."""
    run = np.flatnonzero((np.diff(task, prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0))
    votes = np.diff(run, append=len(task)).astype(np.float64)
    return np.add.reduceat(votes * (votes - 1), np.searchsorted(run, first))


def _mean_ranks(count: _Floats) -> _Floats:
    return np.cumsum(count) - count / 2


def _squared_differences(value: _Floats, first: _Ints, size: _Ints) -> tuple[float, float]:
    """Return observed and expected disagreement, both up to the same factor."""
    value = value - value.mean()
    largest = float(np.abs(value).max())
    if largest == 0.0 or float(value.min()) == float(value.max()):
        return 0.0, 0.0
    value = value / largest  # keeps the squares of huge and of tiny values within the range of floats
    # From each item's first value: answers that are all equal then differ by exactly nothing.
    apart = value - np.repeat(value[first], size)
    apart -= np.repeat(np.add.reduceat(apart, first) / size, size)
    within = np.add.reduceat(apart**2, first)
    total = len(value)
    observed = float(np.sum(2 * size * within / (size - 1))) / total
    return observed, 2 * float(np.sum((value - value.mean()) ** 2)) / (total - 1)


def _mean_within(
    at: _Ints, first: _Ints, size: _Ints, similarity: Callable[[int, int], float], most: int
) -> float:
    """Return the mean similarity within items; an item of m answers weighs m, spread over its pairs."""
    pairs = size * (size - 1) // 2
    ends = np.cumsum(pairs)
    total = int(ends[-1])
    chosen = np.arange(total) if total <= most else _spread(total, most)
    item = np.searchsorted(ends, chosen, side="right")
    one, other = _pair_at(chosen - (ends[item] - pairs[item]))
    weight = size[item] / pairs[item]
    found = [
        similarity(int(at[first[u] + i]), int(at[first[u] + j]))
        for u, i, j in zip(item, one, other, strict=True)
    ]
    return float(np.average(found, weights=weight))


def _spread(total: int, most: int) -> _Ints:
    """Return ``most`` of the numbers below ``total``, evenly spaced, from the middles of equal parts."""
    return ((2 * np.arange(most, dtype=np.int64) + 1) * (total / (2 * most))).astype(np.int64)


def _pair_at(number: _Ints) -> tuple[_Ints, _Ints]:
    """Return the pair (i, j), j < i, at each number of the order (1,0), (2,0), (2,1), (3,0) ..."""
    one = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) / 2).astype(np.int64)
    # The square root may be off by one where numbers are large.
    one += (one * (one + 1) // 2 <= number).astype(np.int64)
    one -= (one * (one - 1) // 2 > number).astype(np.int64)
    return one, number - one * (one - 1) // 2
