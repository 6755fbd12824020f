from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.agreement import Level, agreement, similarity_agreement
from groundswell.consolidation.data import Answers
from groundswell.errors import AnswerError

LEVELS: tuple[Level, ...] = ("nominal", "ordinal", "interval")
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section E: four observers, twelve units.
KRIPPENDORFF = (
    "123321412...",
    "123322412 5.3".replace(" ", ""),
    ".333234225 1.".replace(" ", ""),
    "1233244125 1.".replace(" ", ""),
)
# Fleiss 1971 in the form of its best-known worked example: ten subjects, fourteen raters, five categories.
FLEISS = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip


def answers_of(rows: list[tuple[int, int, int]], n_labels: int = 6) -> Answers:
    return Answers.from_rows(
        [(f"t{t:03}", f"w{w:03}", str(v)) for t, w, v in rows], labels=[str(k) for k in range(n_labels)]
    )


def observers() -> Answers:
    return answers_of(
        [
            (unit, observer, int(value))
            for observer, line in enumerate(KRIPPENDORFF)
            for unit, value in enumerate(line)
            if value != "."
        ]
    )


def brute_force(rows: set[tuple[int, int, int]], level: Level) -> float:
    """Alpha from its definition: all pairs of values, the ordinal difference from its own formula."""
    units: dict[int, list[int]] = {}
    for unit, _, value in sorted(rows):
        units.setdefault(unit, []).append(value)
    units = {unit: values for unit, values in units.items() if len(values) > 1}
    pool = [value for values in units.values() for value in values]
    count = Counter(pool)

    def apart(c: int, k: int) -> float:
        if level == "nominal":
            return float(c != k)
        if level == "interval":
            return float((c - k) ** 2)
        low, high = min(c, k), max(c, k)
        between = sum(count[g] for g in range(low, high + 1))
        return 0.0 if c == k else (between - (count[c] + count[k]) / 2) ** 2

    n = len(pool)
    if n < 2:
        return math.nan
    observed = (
        sum(
            sum(apart(c, k) for c, k in itertools.permutations(values, 2)) / (len(values) - 1)
            for values in units.values()
        )
        / n
    )
    expected = sum(apart(c, k) for c, k in itertools.permutations(pool, 2)) / (n * (n - 1))
    return 1 - observed / expected if expected else math.nan


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_the_published_example_of_krippendorff(level: Level, alpha: float) -> None:
    found = agreement(observers(), level=level)
    assert found.alpha == pytest.approx(alpha, abs=5e-4)
    assert (found.n_items, found.n_answers, found.reason) == (11, 40, "")


def test_the_published_example_of_fleiss() -> None:
    rows = [
        (subject, rater, category)
        for subject, counts in enumerate(FLEISS)
        for rater, category in enumerate(k for k, times in enumerate(counts) for _ in range(times))
    ]
    found = agreement(answers_of(rows))
    assert found.percent == pytest.approx(0.378, abs=5e-4)
    assert found.chance == pytest.approx(0.213, abs=5e-4)
    assert found.kappa == pytest.approx(0.210, abs=5e-4)


tables = st.sets(st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 4)), max_size=24)


@given(rows=tables, level=st.sampled_from(LEVELS))
@settings(max_examples=150, deadline=None)
def test_alpha_is_that_of_its_definition(rows: set[tuple[int, int, int]], level: Level) -> None:
    found = agreement(answers_of(list(rows)), level=level).alpha
    assert found == pytest.approx(brute_force(rows, level), abs=1e-9, nan_ok=True)


@given(rows=tables, level=st.sampled_from(LEVELS), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_neither_the_order_of_rows_nor_the_names_of_workers_show(
    rows: set[tuple[int, int, int]], level: Level, seed: int
) -> None:
    plain = answers_of(sorted(rows))
    mixed = np.random.default_rng(seed).permutation(len(plain))
    other = Answers(
        plain.task[mixed],
        (len(plain.worker_names) - 1 - plain.worker[mixed]).astype(np.int32),
        plain.label[mixed],
        plain.task_names,
        plain.worker_names,
        plain.label_names,
    )
    one, two = agreement(plain, level=level), agreement(other, level=level)
    assert (one.alpha, one.percent) == pytest.approx((two.alpha, two.percent), nan_ok=True)


def test_renaming_the_labels_changes_nothing_at_the_nominal_level() -> None:
    plain = observers()
    renamed = Answers(
        plain.task,
        plain.worker,
        (5 - plain.label).astype(np.int32),
        plain.task_names,
        plain.worker_names,
        plain.label_names,
    )
    assert agreement(plain).alpha == pytest.approx(agreement(renamed).alpha)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "no item has two answers"),
        ([(0, 0, 1)], "no item has two answers"),
        ([(0, 0, 1), (1, 1, 1)], "no item has two answers"),
        ([(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)], "all answers are the same"),
    ],
)
def test_what_is_not_defined_is_nan_and_says_why(
    rows: list[tuple[int, int, int]], reason: str, level: Level
) -> None:
    found = agreement(answers_of(rows), level=level)
    assert math.isnan(found.alpha)
    assert math.isnan(found.kappa)
    assert reason in found.reason


@pytest.mark.parametrize("level", LEVELS)
def test_full_agreement_is_exactly_one(level: Level) -> None:
    rows = [(t, w, t % 3) for t in range(7) for w in range(5)]
    assert agreement(answers_of(rows), level=level).alpha == 1.0


def test_the_interval_level_knows_neither_unit_nor_origin() -> None:
    plain = agreement(observers(), level="interval").alpha
    for scale, shift in ((1e-160, 0.0), (1e160, 0.0), (-3.0, 1e6)):
        values = [scale * k + shift for k in range(6)]
        assert agreement(observers(), level="interval", values=values).alpha == pytest.approx(plain, abs=1e-6)


def test_an_answer_that_was_recorded_twice_counts_once() -> None:
    plain = observers()
    twice = Answers(
        np.tile(plain.task, 2),
        np.tile(plain.worker, 2),
        np.tile(plain.label, 2),
        plain.task_names,
        plain.worker_names,
        plain.label_names,
    )
    assert agreement(twice) == agreement(plain)


@pytest.mark.parametrize(
    ("values", "says"),
    [([1.0], "one value per label"), ([math.nan] * 6, "not finite"), ([math.inf] * 6, "not finite")],
)
def test_values_that_do_not_fit_are_refused(values: list[float], says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        agreement(observers(), level="interval", values=values)


def test_labels_that_are_no_numbers_need_values() -> None:
    answers = Answers.from_rows([("t", "w", "cat"), ("t", "v", "dog")], labels=("cat", "dog"))
    with pytest.raises(AnswerError, match="give the value of each label"):
        agreement(answers, level="interval")
    with pytest.raises(AnswerError, match="is not a level"):
        agreement(answers, level="ratio")  # type: ignore[arg-type]


def test_a_similarity_of_equal_or_not_gives_the_nominal_alpha() -> None:
    answers = observers()
    order = np.lexsort((answers.label, answers.task))
    task, label = answers.task[order], answers.label[order]
    found = similarity_agreement(task, lambda i, j: float(label[i] == label[j]), name="equal")
    assert found.alpha == pytest.approx(agreement(answers).alpha)
    assert (found.n_items, found.n_answers, found.level) == (11, 40, "equal")


def test_a_sample_of_the_pairs_estimates_the_same() -> None:
    rng = np.random.default_rng(5)
    task = np.repeat(np.arange(4000), 5)
    label = np.where(
        rng.random(20000) < 0.7, np.repeat(rng.integers(0, 3, 4000), 5), rng.integers(0, 3, 20000)
    )
    calls: list[int] = []

    def equal(i: int, j: int) -> float:
        calls.append(i)
        return float(label[i] == label[j])

    found = similarity_agreement(task, equal, name="equal", most_pairs=2000)
    names = [str(k) for k in range(20000)]
    exact = agreement(
        Answers(
            task.astype(np.int32),
            np.arange(20000, dtype=np.int32),
            label.astype(np.int32),
            names,
            names,
            names,
        )
    )
    assert len(calls) == 4000
    assert found.alpha == pytest.approx(exact.alpha, abs=0.06)
