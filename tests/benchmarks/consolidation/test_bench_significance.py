from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import binomtest

from benchmarks.consolidation.significance import compare, credit, credit_of_labels, mcnemar
from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.data import Answers, Consensus

CHANCES = st.sampled_from([-1.0, -0.5, -1 / 3, 0.0, 0.25, 0.5, 2 / 3, 1.0])


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (0, 6), (6, 0), (3, 9), (7, 7), (40, 71)])
def test_the_exact_test_is_the_two_sided_binomial_test(won: int, lost: int) -> None:
    expected = binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=40)
@given(st.lists(CHANCES, min_size=1, max_size=6))
def test_ties_are_broken_in_every_way_and_each_way_counts_as_often_as_it_comes(gains: list[float]) -> None:
    right = np.array([max(gain, 0.0) for gain in gains])
    other = np.array([max(-gain, 0.0) for gain in gains])
    p = harm = 0.0
    for ways in product((False, True), repeat=len(gains)):
        weight = np.prod([abs(g) if way else 1 - abs(g) for g, way in zip(gains, ways, strict=True)])
        won = sum(way and gain > 0 for gain, way in zip(gains, ways, strict=True))
        lost = sum(way and gain < 0 for gain, way in zip(gains, ways, strict=True))
        chance = binomtest(won, won + lost).pvalue if won + lost else 1.0
        p += weight * chance
        harm += weight * (chance < 0.05 and lost > won)
    compared = compare(right, other)
    assert compared.p == pytest.approx(p, abs=1e-9)
    assert compared.harm == pytest.approx(harm, abs=1e-9)
    assert compared.difference == pytest.approx(np.mean(right) - np.mean(other))


def test_a_method_is_below_only_where_chance_is_no_excuse() -> None:
    right = np.zeros(100)
    other = right.copy()
    other[:5] = 1
    assert not compare(right, other).below  # 0 : 5 has p = .0625
    other[:6] = 1
    assert compare(right, other).below  # 0 : 6 has p = .03125
    assert compare(other, right).above
    assert not compare(other, right).below
    assert compare(right, right).p == 1


def test_two_methods_with_the_same_tie_do_not_differ() -> None:
    same = np.array([0.5, 1.0, 0.0, 0.5])
    compared = compare(same, same)
    assert (compared.won, compared.lost, compared.p) == (0, 0, 1)


def test_a_tied_vote_gets_its_share_if_the_truth_is_in_the_tie() -> None:
    rows = [
        ("a", "w", "x"),
        ("a", "v", "y"),
        ("b", "w", "z"),
        ("c", "w", "x"),
        ("c", "v", "y"),
        ("d", "w", "x"),
    ]
    answers = Answers.from_rows(rows, labels=["x", "y", "z"])
    truth = np.array([1, 2, 2, -1], dtype=np.int32)  # c: z is not in its tie; d: not known
    assert credit(answers, majority(answers), truth).tolist() == [0.5, 1.0, 0.0]


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_an_undecided_posterior_shares_between_its_best_labels(form: type) -> None:
    answers = Answers.from_rows([("a", "w", "x"), ("b", "w", "x")], labels=["x", "y", "z"])
    plain = majority(answers)
    posterior = form(np.array([[0.1, 0.45, 0.45], [0.8, 0.1, 0.1]]))
    undecided = Consensus(
        **{
            **{name: getattr(plain, name) for name in plain.__dataclass_fields__},
            "label": np.array([-1, 0], dtype=np.int32),
            "posterior": posterior,
        }
    )
    assert credit(answers, undecided, np.array([2, 0], dtype=np.int32)).tolist() == [0.5, 1.0]


def test_a_label_that_is_missing_counts_as_a_guess() -> None:
    label = np.array([0, -1, 2], dtype=np.int32)
    truth = np.array([0, 1, 1], dtype=np.int32)
    assert credit_of_labels(label, truth, 4).tolist() == [1.0, 0.25, 0.0]
