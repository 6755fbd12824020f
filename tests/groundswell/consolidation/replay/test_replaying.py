from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.data import Answers
from groundswell.consolidation.replay import Recorded, compare, replay, same_spend, table
from groundswell.consolidation.replay.accuracy import accuracy
from groundswell.consolidation.replay.recorded import read_recorded
from groundswell.consolidation.replay.rules import as_data, describe, grid, usual, with_most
from groundswell.consolidation.replay.simulation import drawn_order, recorded_order
from groundswell.consolidation.stopping import (
    ASK,
    GIVE_UP,
    SETTLED,
    Agree,
    Confidence,
    Fixed,
    Lead,
    StoppingRule,
    rule_from,
)
from groundswell.consolidation.stopping.early import MANY_CLASSES, EarlyModel

CROWD = Path(__file__).parents[5] / "shared" / "data" / "crowd"


def recorded(seed: int = 1, *, tasks: int = 80, per_task: int = 7, classes: int = 3) -> Recorded:
    g = np.random.default_rng(seed)
    truth = g.integers(0, classes, tasks)
    skill = g.uniform(0.5, 0.95, 15)
    task = np.repeat(np.arange(tasks), per_task)
    worker = np.concatenate([g.choice(15, per_task, replace=False) for _ in range(tasks)])
    wrong = (truth[task] + g.integers(1, classes, len(task))) % classes
    label = np.where(g.random(len(task)) < skill[worker], truth[task], wrong)
    names = [f"t{t}" for t in range(tasks)], [f"w{w}" for w in range(15)], [f"l{k}" for k in range(classes)]
    answers = Answers(task.astype(np.int32), worker.astype(np.int32), label.astype(np.int32), *names)
    return Recorded(answers, truth.astype(np.int32))


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_fixed_number_is_what_is_bought(count: int) -> None:
    given = recorded()
    bought = replay(given.answers, Fixed(first=count, most=count), drawn_order(given.answers, 0))
    assert np.bincount(bought.answers.task).tolist() == [count] * 80
    assert (bought.code == SETTLED).all()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from([Agree(2, 2, 5), Agree(3, 1, 6), Lead(2, 2, 7), Fixed(first=2, most=4)]),
    st.integers(0, 10**6),
)
def test_every_answer_that_is_bought_was_asked_for(rule: StoppingRule, seed: int) -> None:
    """Item by item, one answer after another, with the rule's other way of deciding."""
    given = recorded(tasks=12)
    turn = drawn_order(given.answers, seed)
    bought = replay(given.answers, rule, turn)
    for task in range(12):
        mine = given.answers.task == task
        labels = [f"{label}" for label in given.answers.label[mine][np.argsort(turn[mine])]]
        taken = rule.first
        while rule.decide(labels[:taken], taken).value == "ask":
            taken += 1
        assert (bought.answers.task == task).sum() == taken
        expected = {"settled": SETTLED, "give_up": GIVE_UP}[rule.decide(labels[:taken], taken).value]
        assert bought.code[task] == expected


def test_items_whose_record_ends_are_told_apart() -> None:
    given = recorded(per_task=2)
    bought = replay(given.answers, Agree(2, 2, 5), drawn_order(given.answers, 0))
    assert set(np.bincount(bought.answers.task).tolist()) == {2}
    assert (bought.code == ASK).any()
    assert not (bought.code == GIVE_UP).any()
    row = compare(given, [Agree(2, 2, 5)], orders=2)[0]
    assert row.ran_out == pytest.approx(80 - row.settled)


def test_items_with_fewer_answers_than_would_be_asked_at_first_are_counted() -> None:
    answers = Answers.from_rows(
        [("a", "1", "x"), ("a", "2", "x"), ("b", "1", "x"), ("b", "2", "x"), ("b", "3", "x")],
        labels=["x", "y"],
    )
    row = compare(Recorded(answers, np.array([-1, -1], dtype=np.int32)), [Agree(2, 3, 4)], orders=1)[0]
    # Both are settled by what there is, and three answers to the first item would have been paid
    assert (row.answers, row.settled, row.ran_out) == (5, 2, 1)


def test_labels_of_the_early_model_need_no_table_of_items_and_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody answers twice, so two who disagree are equal
    g = np.random.default_rng(2)
    rows = [(f"{t:02}", f"w{2 * t + w}", f"l{g.integers(0, 3)}") for t in range(60) for w in range(2)]
    labels = [f"l{k}" for k in range(MANY_CLASSES + 4)]
    given = Recorded(Answers.from_rows(rows, labels=labels), g.integers(0, 3, 60).astype(np.int32))
    model = EarlyModel.fit(given.answers)
    q = model.posterior(given.answers)
    best = q >= q.max(axis=1, keepdims=True) * (1 - 1e-9)
    expected = (best[np.arange(60), given.truth] / best.sum(axis=1)).mean()
    assert (best.sum(axis=1) > 1).any()
    monkeypatch.setattr("groundswell.consolidation.replay.accuracy.CELLS", 7 * (MANY_CLASSES + 4))
    code = np.full(60, SETTLED, dtype=np.int8)
    found = accuracy(given.answers, code, given.truth, "early")
    assert found.everything == pytest.approx(expected)


def test_an_order_is_drawn_for_answers_and_not_for_rows() -> None:
    given = recorded()
    shuffled = np.random.default_rng(9).permutation(len(given.answers))
    other = Answers(
        given.answers.task[shuffled],
        given.answers.worker[shuffled],
        given.answers.label[shuffled],
        given.answers.task_names,
        given.answers.worker_names,
        given.answers.label_names,
    )
    np.testing.assert_array_equal(drawn_order(other, 4), drawn_order(given.answers, 4)[shuffled])
    assert (drawn_order(given.answers, 4) != drawn_order(given.answers, 5)).any()
    rule = Confidence(most=7)
    first, second = (
        compare(Recorded(answers, given.truth), [rule], orders=2)[0] for answers in (given.answers, other)
    )
    assert first == second


def test_turns_count_from_nought_within_each_task() -> None:
    given = recorded()
    turn = drawn_order(given.answers, 0)
    for task in range(80):
        assert sorted(turn[given.answers.task == task]) == list(range(7))
    times = np.arange(len(given.answers), 0, -1).astype(float)
    assert recorded_order(given.answers, times)[:7].tolist() == [6, 5, 4, 3, 2, 1, 0]


def test_more_confidence_costs_more_answers() -> None:
    given = recorded(tasks=150)
    rules = [Confidence(most=7, confidence=c) for c in (0.5, 0.8, 0.95, 0.999)]
    rows = compare(given, rules, orders=2)
    spent = [row.answers for row in rows]
    assert spent == sorted(spent)
    assert spent[0] < spent[-1]
    assert all(150 * 2 <= answers <= 150 * 7 for answers in spent)


def test_costs_hold_the_fee_of_the_tier_that_the_first_answers_set() -> None:
    given = recorded(per_task=12)
    few, many = compare(given, [Fixed(first=9, most=9), Fixed(first=10, most=10)], orders=1, reward_cents=100)
    assert few.cents == 80 * 9 * 120
    assert many.cents == 80 * 10 * 140
    assert few.cents_per_item == 9 * 120


def test_a_tie_is_a_guess_among_the_labels_that_are_equal() -> None:
    answers = Answers.from_rows(
        [("a", "1", "x"), ("a", "2", "y"), ("b", "1", "x"), ("b", "2", "x")], labels=["x", "y", "z"]
    )
    code = np.array([GIVE_UP, SETTLED], dtype=np.int8)
    found = accuracy(answers, code, np.array([0, 0], dtype=np.int32), "majority")
    assert (found.settled, found.everything) == (1.0, 0.75)
    found = accuracy(answers, code, np.array([2, -1], dtype=np.int32), "majority")
    assert np.isnan(found.settled)
    assert found.everything == 0


def test_rules_turn_into_data_and_back() -> None:
    for rule in [*grid(9), *grid(1), *usual(9), Fixed(first=2, most=4), Agree(2, 2, 5, experts=True)]:
        assert rule_from(as_data(rule)) == rule
    assert len({describe(rule) for rule in grid(9)}) == len(grid(9))
    assert with_most({"rule": "agree", "agree": 3, "first": 2}, 2) == Agree(2, 2, 2)
    assert describe(Confidence(most=3, confidence=0.99999999)) == "confidence 0.99999999, first 2, most 3"


def test_rows_of_a_family_are_read_between() -> None:
    given = recorded()
    rows = compare(given, [Fixed(first=n, most=n) for n in (2, 4)], orders=1, label_by=("majority",))
    low, high = (row.accuracy["majority"].everything for row in rows)
    assert same_spend(rows, 3, "majority") == pytest.approx((low + high) / 2)
    assert same_spend(rows, 5, "majority") is None
    assert same_spend([], 5, "majority") is None


def test_sets_are_compared_with_as_many_answers_as_they_have() -> None:
    sets = {"few": recorded(per_task=3), "more": recorded(per_task=6)}
    few, more = table(sets, orders=1, label_by=("majority",))
    assert (few.name, few.most, more.most) == ("few", 3, 6)
    assert more.everything.per_item == 6
    assert [describe(row.rule) for row in few.rows] == [describe(rule) for rule in usual(3)]
    assert all(isinstance(row.rule, Confidence) for row in more.sweep)


def test_without_truth_there_is_no_accuracy() -> None:
    given = recorded()
    row = compare(Recorded(given.answers, np.full(80, -1, dtype=np.int32)), [Agree(2, 2, 7)], orders=1)[0]
    assert row.accuracy == {}
    assert row.settled > 0


@pytest.mark.skipif(not CROWD.is_dir(), reason="the public sets of crowd answers are not there")
@pytest.mark.parametrize("name", ["rte", "dog"])
def test_the_default_saves_answers_and_loses_nothing_on_real_crowds(name: str) -> None:
    given = read_recorded(CROWD / name / "answers.csv", CROWD / name / "truth.csv")
    everything, ours = compare(
        given, [Fixed(first=10, most=10), Confidence(most=10)], orders=1, label_by=("majority", "early")
    )
    assert ours.answers < 0.65 * everything.answers
    assert ours.accuracy["early"].everything > everything.accuracy["majority"].everything - 0.01
