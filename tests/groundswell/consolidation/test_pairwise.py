from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from groundswell.consolidation.comparisons import Comparisons, Ranking
from groundswell.consolidation.data import Earlier
from groundswell.consolidation.pairwise import bradley_terry, crowd_bradley_terry
from groundswell.errors import AnswerError

METHODS = (bradley_terry, crowd_bradley_terry)
Rows = list[tuple[str, str, str, str | None]]

rows_strategy = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd"), st.sampled_from("abcd"), st.integers(0, 2))
    .filter(lambda row: row[1] != row[2])
    .map(lambda row: (row[0], row[1], row[2], (None, row[1], row[2])[row[3]])),
    max_size=14,
)


def scores(ranking: Ranking) -> dict[str, float]:
    return dict(zip(ranking.item_names, ranking.score.tolist(), strict=True))


def crowd(seed: int, items: int = 12, bad: int = 3) -> tuple[Rows, np.ndarray]:
    """Twelve items, true scores from low to high, nine honest workers and some who turn answers around."""
    rng = np.random.default_rng(seed)
    truth = np.linspace(-3, 3, items)
    rows: Rows = []
    for w in range(9 + bad):
        for i, j in rng.permutation(list(itertools.permutations(range(items), 2)))[:30]:
            i_wins = rng.random() < 1 / (1 + math.exp(truth[j] - truth[i]))
            if w >= 9:
                i_wins = not i_wins
            rows.append((f"w{w:02}", f"i{i:02}", f"i{j:02}", f"i{i:02}" if i_wins else f"i{j:02}"))
    return rows, truth


@given(rows=rows_strategy)
@settings(max_examples=40, deadline=None)
def test_scores_are_the_mode_of_the_posterior(rows: Rows) -> None:
    comparisons = Comparisons.from_rows(rows, items="abcd")
    outcome = comparisons.outcome.astype(float)

    def depth(s: np.ndarray) -> float:
        apart = s[comparisons.left] - s[comparisons.right]
        won = (outcome + 1) / 2
        data = won * np.logaddexp(0, -apart) + (1 - won) * np.logaddexp(0, apart)
        return float(data.sum() + 0.5 * (np.logaddexp(0, -s) + np.logaddexp(0, s)).sum())

    best = minimize(depth, np.zeros(4), tol=1e-12)
    assert bradley_terry(comparisons).score == pytest.approx(best.x, abs=1e-4)


def test_two_items_by_hand() -> None:
    """Three wins to one: 3 - 4 p(d) + 1/2 - p(d/2) = 0 at the mode, with scores d/2 and -d/2."""
    rows: Rows = [("w1", "a", "b", "a"), ("w2", "a", "b", "a"), ("w3", "a", "b", "a"), ("w4", "a", "b", "b")]
    found = bradley_terry(Comparisons.from_rows(rows))
    half = found.score[0]
    assert found.score[1] == pytest.approx(-half)
    logistic = [1 / (1 + math.exp(-x)) for x in (2 * half, half)]
    assert 3 - 4 * logistic[0] + 0.5 - logistic[1] == pytest.approx(0, abs=1e-6)
    # The information by hand: 4 p(1 - p) between the two, q(1 - q) from the prior on each.
    between, prior = (p * (1 - p) * n for p, n in zip(logistic, (4, 1), strict=True))
    inverse = np.linalg.inv([[between + prior, -between], [-between, between + prior]])
    assert found.score_high[0] - half == pytest.approx(
        1.6448536 * math.sqrt((inverse[0, 0] - inverse[0, 1]) / 2)
    )
    assert found.ordered() == (("a",), ("b",))
    assert found.agreement.percent == pytest.approx(0.5)
    assert found.agreement.chance == pytest.approx(0.5)


def test_a_true_order_is_found_and_workers_who_turn_it_around_are_known() -> None:
    for seed in range(2):
        rows, truth = crowd(seed, bad=6)
        comparisons = Comparisons.from_rows(rows)
        plain, by_skill = bradley_terry(comparisons), crowd_bradley_terry(comparisons)
        fit = [np.corrcoef(found.score, truth)[0, 1] for found in (plain, by_skill)]
        assert fit[1] > max(0.97, fit[0])
        assert by_skill.worker_skill[:9].min() > 0.6 > 0.4 > by_skill.worker_skill[9:].max()
        inside = (by_skill.score_low < truth) & (truth < by_skill.score_high)
        assert inside.mean() > 0.5


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    inside = []
    for seed in range(12):
        rows, truth = crowd(seed, bad=0)
        found = bradley_terry(Comparisons.from_rows(rows))
        inside.append((found.score_low < truth) & (truth < found.score_high))
    assert 0.80 < np.mean(inside) < 0.98


@pytest.mark.parametrize("method", METHODS)
def test_undefeated_and_disconnected_items_are_finite_and_reported(method: Any) -> None:
    rows: Rows = [("w", "a", "b", "a"), ("v", "a", "b", "a"), ("w", "c", "d", "c"), ("v", "d", "c", "c")]
    found = method(Comparisons.from_rows(rows, items="abcde"))
    assert np.isfinite(found.score).all()
    assert found.score[0] == pytest.approx(found.score[2])
    assert found.ordered() == (("a", "c"), ("b", "d"))
    assert found.rank.tolist() == [1, 3, 1, 3, -1]
    assert found.tied.tolist() == [True] * 4 + [False]
    assert found.score[4] == 0
    assert found.confidence[4] == 0
    kinds = {finding.kind: finding.text for finding in found.findings}
    assert "2 groups" in kinds["disconnected"]
    assert "no_answer" in kinds


def test_ties_are_half_a_win_each_and_no_news_of_the_worker() -> None:
    found = bradley_terry(Comparisons.from_rows([("w", "a", "b", None)]))
    assert found.ordered() == (("a", "b"),)
    assert found.confidence == pytest.approx([0.5, 0.5])
    assert np.isnan(found.worker_skill).all()
    half = bradley_terry(
        Comparisons.from_rows([("w", "a", "b", "a"), ("v", "a", "b", None), ("u", "b", "a", "a")])
    )
    assert half.score[0] > 0
    assert half.agreement.percent == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [[], [("w", "a", "b", "a")], [("w", "a", "b", None)]])
def test_little_input_is_defined(rows: Rows, method: Any) -> None:
    found = method(Comparisons.from_rows(rows, items="abc"))
    assert found.n_answers.tolist() == ([1, 1, 0] if rows else [0, 0, 0])
    assert np.isfinite(found.score).all()
    assert (found.score_low < found.score).all()
    assert (found.score < found.score_high).all()
    assert math.isnan(found.agreement.alpha)
    nothing = method(Comparisons.from_rows([]))
    assert nothing.ordered() == ()


@pytest.mark.parametrize("method", METHODS)
@given(rows=rows_strategy, seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_neither_order_nor_names_nor_sides_show(rows: Rows, seed: int, method: Any) -> None:
    rng = np.random.default_rng(seed)
    one = method(Comparisons.from_rows(rows))
    again = method(Comparisons.from_rows([rows[i] for i in rng.permutation(len(rows))] + rows[:2]))
    assert again.score.tolist() == one.score.tolist()
    new = dict(zip("abcdxyz", rng.permutation(list("ABCD")).tolist() + list("ZYX"), strict=True))
    renamed = method(Comparisons.from_rows([(new[w], new[i], new[j], k and new[k]) for w, i, j, k in rows]))
    named = scores(renamed)
    assert {new[item]: score for item, score in scores(one).items()} == pytest.approx(named, abs=1e-6)
    if len({(w, frozenset((i, j))) for w, i, j, _ in rows}) == len(rows):
        swapped = method(Comparisons.from_rows([(w, j, i, k) for w, i, j, k in rows]))
        assert scores(swapped) == pytest.approx(scores(one), abs=1e-6)


@given(rows=rows_strategy)
@settings(max_examples=25, deadline=None)
def test_worse_for_better_turns_the_ranking_around(rows: Rows) -> None:
    other = [(w, i, j, k and (j if k == i else i)) for w, i, j, k in rows]
    one, two = (bradley_terry(Comparisons.from_rows(r, items="abcd")) for r in (rows, other))
    assert one.score == pytest.approx(-two.score, abs=1e-6)


def test_a_perfect_worker_never_hurts() -> None:
    rows, truth = crowd(3, bad=4)
    perfect = [
        ("perfect", f"i{i:02}", f"i{j:02}", f"i{max(i, j):02}")
        for i, j in itertools.permutations(range(12), 2)
    ]
    fit = [
        np.corrcoef(np.argsort(np.argsort(crowd_bradley_terry(Comparisons.from_rows(r)).score)), truth)[0, 1]
        for r in (rows, rows + perfect)
    ]
    assert fit[1] >= fit[0]


def test_earlier_skill_decides_between_two_workers() -> None:
    rows: Rows = [("w", "a", "b", "a"), ("v", "a", "b", "b")]
    comparisons = Comparisons.from_rows(rows)
    v_is_good = Earlier(np.array([50.0, 5.0]), np.array([1.0, 50.0]))
    assert crowd_bradley_terry(comparisons).ordered() == (("a", "b"),)
    assert crowd_bradley_terry(comparisons, earlier=v_is_good).ordered() == (("b",), ("a",))
    with pytest.raises(AnswerError, match="is for 3 workers"):
        crowd_bradley_terry(comparisons, earlier=Earlier(np.zeros(3), np.zeros(3)))


def test_sides_that_decide_are_reported() -> None:
    rows: Rows = [(f"w{n:02}", f"i{n % 5}", f"i{(n + 1 + n // 20) % 5}", f"i{n % 5}") for n in range(40)]
    found = bradley_terry(Comparisons.from_rows(rows))
    assert any("left item won 40 of 40" in finding.text for finding in found.findings)


def test_many_items_take_no_square_of_memory() -> None:
    rng = np.random.default_rng(0)
    size = 2200
    left = np.concatenate([np.arange(size - 1), rng.integers(0, size, 12000)]).astype(np.int32)
    right = np.concatenate([np.arange(1, size), rng.integers(0, size, 12000)]).astype(np.int32)
    apart = left != right
    left, right = left[apart], right[apart]
    outcome = np.where(left > right, 1, -1).astype(np.int8)
    names = [str(i) for i in range(size)]
    worker = np.zeros(len(left), np.int32)
    found = bradley_terry(Comparisons(left, right, worker, outcome, names, ["w"]))
    assert np.corrcoef(found.score, np.arange(size))[0, 1] > 0.8
    assert (found.score_high > found.score).all()


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("w", "a", "b", "c"), "items 'a' and 'b': worker 'w' chose 'c', which is neither"),
        (("w", "a", "b", math.nan), "which is neither"),
        (("w", "a", "a", "a"), "item 'a': worker 'w' compared it with itself"),
        (("w", "a", "z", "a"), "item 'z': worker 'w' compared an item that is not in the list"),
        (("", "a", "b", "a"), "the worker is empty"),
        (("w", math.nan, "b", "b"), "the item is no text"),
    ],
)
def test_bad_rows_are_refused_by_name(row: Any, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        Comparisons.from_rows([row], items="abc")


def test_arrays_that_contradict_are_refused() -> None:
    zero, one = np.zeros(1, np.int32), np.ones(1, np.int32)
    win = np.ones(1, np.int8)
    for arrays in (
        (zero, zero, zero, win),
        (zero, one, zero, win * 2),
        (zero, one + 1, zero, win),
        (zero, one, one, win),
    ):
        with pytest.raises(AnswerError):
            Comparisons(*arrays, ("a", "b"), ("w",))
