from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.data import Answers
from groundswell.consolidation.stopping import (
    DEFAULT_CONFIDENCE,
    GIVE_UP,
    Agree,
    Confidence,
    Decision,
    Fixed,
    Lead,
    Standing,
    StoppingRule,
    rule_from,
)
from groundswell.consolidation.stopping.early import EarlyModel
from groundswell.consolidation.stopping.rules import CODES
from groundswell.errors import BatchError

items = st.lists(st.tuples(st.lists(st.sampled_from("abcd"), max_size=9), st.integers(0, 10)), max_size=12)


@st.composite
def count_rules(draw: st.DrawFn) -> StoppingRule:
    most = draw(st.integers(1, 8))
    first, number = draw(st.integers(1, most)), draw(st.integers(1, most))
    return draw(
        st.sampled_from(
            [Agree(number, first, most), Lead(number, first, most), Fixed(first=first, most=most)]
        )
    )


def answers_of(items: Sequence[Sequence[str]]) -> Answers:
    rows = [(str(t), f"w{w}", label) for t, labels in enumerate(items) for w, label in enumerate(labels)]
    return Answers.from_rows(rows, labels=tuple("abcd"), tasks=[str(t) for t in range(len(items))])


@settings(max_examples=50)
@given(count_rules(), items)
def test_many_items_are_judged_as_each_is(rule: StoppingRule, items: list[tuple[list[str], int]]) -> None:
    asked = np.array([seats for _, seats in items], dtype=np.int32)
    codes = rule.judge(Standing(answers_of([labels for labels, _ in items]), asked))
    assert [CODES[code] for code in codes] == [rule.decide(labels, seats) for labels, seats in items]


@given(count_rules(), st.lists(st.sampled_from("abcd"), max_size=9))
def test_agreed_labels_are_those_that_settle(rule: StoppingRule, labels: list[str]) -> None:
    assert rule.agreed(labels) is (rule.decide(labels, len(labels)) is Decision.SETTLED)


@given(count_rules(), st.lists(st.sampled_from("abcd"), max_size=7), st.integers(0, 7))
def test_what_is_hopeless_stays_so_with_fewer_seats(rule: StoppingRule, labels: list[str], more: int) -> None:
    asked = len(labels)
    if rule.decide(labels, asked) is Decision.GIVE_UP:
        assert rule.decide(labels, asked + more) is Decision.GIVE_UP


@given(st.integers(1, 4), st.lists(st.sampled_from("abc"), max_size=6))
def test_one_more_answer_for_the_leader_never_unsettles(number: int, labels: list[str]) -> None:
    for rule in (Agree(number, 1, 8), Lead(number, 1, 8)):
        if rule.decide(labels, len(labels)) is Decision.SETTLED:
            leader = max(sorted(set(labels)), key=labels.count)
            assert rule.decide([*labels, leader], len(labels) + 1) is Decision.SETTLED


@pytest.mark.parametrize(
    ("labels", "asked", "decision"),
    [
        ("", 0, Decision.ASK),
        ("a", 1, Decision.ASK),
        ("aa", 2, Decision.SETTLED),
        ("ab", 2, Decision.ASK),
        ("aab", 3, Decision.ASK),
        ("aaab", 4, Decision.SETTLED),
        ("abc", 4, Decision.GIVE_UP),
        ("aabb", 4, Decision.GIVE_UP),
        ("aabb", 5, Decision.GIVE_UP),
    ],
)
def test_two_ahead(labels: str, asked: int, decision: Decision) -> None:
    assert Lead(lead=2, first=2, most=5).decide(list(labels), asked) is decision


def test_every_rule_is_data() -> None:
    assert rule_from({"rule": "lead", "lead": 2, "first": 2, "most": 7}) == Lead(lead=2, first=2, most=7)
    assert rule_from({"rule": "confidence", "most": 7}) == Confidence(
        most=7, first=2, confidence=DEFAULT_CONFIDENCE
    )
    assert rule_from({"rule": "confidence", "confidence": 0.9, "first": 3, "most": 7, "experts": True}) == (
        Confidence(most=7, first=3, confidence=0.9, experts=True)
    )
    assert rule_from({"rule": "agree", "agree": 2, "first": 2, "most": 5, "experts": True}).experts


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"rule": "lead", "lead": 3, "first": 2, "most": 2}, r"redundancy: lead: 3 is above most \(2\)"),
        ({"rule": "lead", "first": 2, "most": 2}, "redundancy: lead: is missing"),
        (
            {"rule": "confidence", "confidence": 1, "most": 5},
            "confidence: 1 is not a number from 0.5 to below 1",
        ),
        ({"rule": "confidence", "confidence": 0.3, "most": 5}, "confidence: 0.3 is not a number"),
        ({"rule": "confidence", "confidence": "0.9", "most": 5}, "confidence: '0.9' is not a number"),
        ({"rule": "confidence", "confidence": float("nan"), "most": 5}, "confidence: nan is not a number"),
        ({"rule": "confidence", "confidence": True, "most": 5}, "confidence: True is not a number"),
        ({"rule": "confidence"}, "redundancy: most: is missing"),
        ({"rule": "confidence", "first": 9, "most": 5}, "first: 9 is above most"),
        ({"rule": "confidence", "agree": 2, "most": 5}, "agree: the rule 'confidence' has no such option"),
        ({"rule": "fixed", "first": 3, "experts": "yes"}, "experts: 'yes' is neither true nor false"),
    ],
)
def test_bad_options_are_refused(config: dict[str, object], says: str) -> None:
    with pytest.raises(BatchError, match=says):
        rule_from(config)


def test_confidence_needs_to_know_who_answered() -> None:
    rule = Confidence(most=5)
    assert rule.needs_model
    with pytest.raises(TypeError, match="use judge"):
        rule.decide(["a", "a"], 2)
    with pytest.raises(ValueError, match="needs a model"):
        rule.judge(Standing(answers_of(["aa"]), np.array([2], dtype=np.int32)))


@pytest.mark.parametrize(("labels", "agreed"), [("", False), ("a", False), ("aa", True), ("aabb", False)])
def test_confidence_holds_nothing_against_a_worker_without_two_others(labels: str, agreed: bool) -> None:
    assert Confidence(most=5).agreed(list(labels)) is agreed


@pytest.mark.parametrize("rule", [Agree(2, 2, 10**9), Lead(2, 2, 10**9), Fixed(2, 10**9), Confidence(10**9)])
def test_large_limits_do_not_overflow(rule: StoppingRule) -> None:
    standing = Standing(answers_of(["a"]), np.array([2**31 - 1], dtype=np.int32))
    model = EarlyModel.fit(standing.answers)
    assert rule.judge(Standing(standing.answers, standing.asked, model)).tolist() == [GIVE_UP]


def test_seats_have_to_fit_the_tasks() -> None:
    with pytest.raises(ValueError, match="asked has 2 entries, and there are 1 tasks"):
        Standing(answers_of(["a"]), np.array([1, 1], dtype=np.int32))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=5), min_size=1, max_size=8))
def test_a_higher_confidence_settles_no_more(items: list[list[str]]) -> None:
    answers = answers_of(items)
    asked = np.array([len(labels) for labels in items], dtype=np.int32)
    standing = Standing(answers, asked, EarlyModel.fit(answers))
    settled = [Confidence(most=9, confidence=c).judge(standing) == 0 for c in (0.5, 0.8, 0.95, 0.999)]
    for cheap, careful in pairwise(settled):
        assert not (careful & ~cheap).any()
    # Nobody's skill is known, so nothing is settled by one answer
    assert not settled[0][asked < 2].any()


def test_the_section_of_a_batch_file_can_be_given_as_it_is() -> None:
    section = {"rule": "confidence", "most": 5, "unsettled": "label", "experts": True}
    assert rule_from(section) == Confidence(most=5, experts=True)
