from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.consolidation.stopping import Agree, Decision, Fixed, rule_from
from groundswell.errors import BatchError

TUTORIAL = Agree(agree=2, first=2, most=5)


@pytest.mark.parametrize(
    ("labels", "asked", "decision"),
    [
        ("", 0, Decision.ASK),
        ("a", 1, Decision.ASK),
        ("aa", 2, Decision.SETTLED),
        ("ab", 2, Decision.ASK),
        ("abc", 3, Decision.ASK),
        ("abca", 4, Decision.SETTLED),
        ("abcd", 4, Decision.ASK),
        ("abcde", 5, Decision.GIVE_UP),
        ("abcda", 5, Decision.SETTLED),
        # answers that came in at once can tie at two each
        ("aabb", 4, Decision.ASK),
        ("aabbc", 5, Decision.GIVE_UP),
        ("aabbb", 5, Decision.SETTLED),
        # an unusable answer was paid for and does not count
        ("a", 2, Decision.ASK),
        ("ab", 5, Decision.GIVE_UP),
        # one seat left and no label: it could not settle anything
        ("", 4, Decision.GIVE_UP),
        ("aa", 9, Decision.SETTLED),
    ],
)
def test_two_must_agree(labels: str, asked: int, decision: Decision) -> None:
    assert TUTORIAL.decide(list(labels), asked) is decision


def test_agree_buys_nothing_that_cannot_settle() -> None:
    rule = Agree(agree=3, first=3, most=5)
    assert rule.decide(list("abc"), 3) is Decision.ASK
    assert rule.decide(list("abcd"), 4) is Decision.GIVE_UP
    assert rule.decide(list("abca"), 4) is Decision.ASK


@given(
    st.integers(1, 4), st.integers(1, 9), st.lists(st.sampled_from("abcd"), max_size=12), st.integers(0, 14)
)
def test_agree_keeps_its_promises(agree: int, most: int, labels: list[str], asked: int) -> None:
    if agree > most:
        return
    rule = Agree(agree=agree, first=1, most=most)
    decision = rule.decide(labels, asked)
    assert decision is rule.decide(labels[::-1], asked)
    if decision is Decision.ASK:
        assert asked < most
    if decision is Decision.SETTLED:
        counts = sorted((labels.count(label) for label in set(labels)), reverse=True)
        assert counts[0] >= agree
        assert counts[1:2] < counts[:1]


@pytest.mark.parametrize(
    ("labels", "asked", "decision"),
    [
        ("", 0, Decision.ASK),
        ("ab", 2, Decision.ASK),
        ("abc", 3, Decision.SETTLED),
        ("ab", 3, Decision.ASK),
        ("ab", 4, Decision.GIVE_UP),
        ("a", 3, Decision.GIVE_UP),
    ],
)
def test_fixed_counts_usable_answers(labels: str, asked: int, decision: Decision) -> None:
    assert Fixed(first=3, most=4).decide(list(labels), asked) is decision


def test_rules_are_data() -> None:
    assert rule_from({"rule": "agree", "agree": 2, "first": 2, "most": 5}) == TUTORIAL
    assert rule_from({"rule": "fixed", "first": 3}) == Fixed(first=3, most=3)
    assert rule_from({"rule": "fixed", "first": 3, "most": 4}) == Fixed(first=3, most=4)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, r"redundancy: rule: None is not a rule; use one of: agree, confidence, fixed, lead"),
        ({"rule": "luck"}, r"redundancy: rule: 'luck' is not a rule"),
        ({"rule": ["agree"]}, r"redundancy: rule: \['agree'\] is not a rule"),
        ({"rule": "agree", "agree": 2, "first": 2}, r"redundancy: most: is missing"),
        (
            {"rule": "agree", "agree": 2, "first": 2, "most": 5, "max": 6},
            r"redundancy: max: .* no such option",
        ),
        ({"rule": "agree", "agree": 6, "first": 2, "most": 5}, r"redundancy: agree: 6 is above most \(5\)"),
        ({"rule": "agree", "agree": 2, "first": 6, "most": 5}, r"redundancy: first: 6 is above most"),
        (
            {"rule": "agree", "agree": "2", "first": 2, "most": 5},
            r"redundancy: agree: '2' is not a whole number",
        ),
        ({"rule": "agree", "agree": True, "first": 2, "most": 5}, r"redundancy: agree: True is not a whole"),
        ({"rule": "fixed", "first": 0}, r"redundancy: first: 0 is not a whole number from 1"),
        ({"rule": "fixed", "first": 3, "most": 2}, r"redundancy: first: 3 is above most"),
        # More than this is not asked of a marketplace, nor counted in 32 bits
        (
            {"rule": "lead", "lead": 2, "first": 2, "most": 10**9 + 1},
            r"most: 1000000001 is above 1,000,000,000",
        ),
    ],
)
def test_bad_rules_say_what_and_how(config: dict[str, Any], says: str) -> None:
    with pytest.raises(BatchError, match=says):
        rule_from(config)


def test_a_decision_reads_as_its_value() -> None:
    assert f"{Decision.GIVE_UP}" == "give_up"
