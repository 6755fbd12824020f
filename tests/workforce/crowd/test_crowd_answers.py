"""What simulated workers answer: reproducible, and as good or bad as their file says."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from workforce.crowd import CrowdPlan
from workforce.crowd.behaviour import GARBAGE, Member, answer, form_answers, intent, members
from workforce.crowd.forms import read_task

LABELS = ["setosa", "versicolor", "virginica"]
ITEMS = [f"item-{number}" for number in range(300)]
PACE: dict[str, Any] = {"speed": {"median": 5}, "arrival": {"every": 600, "session": 300}}
PlanMaker = Callable[..., CrowdPlan]


def all_answers(plan: CrowdPlan, item_order: list[str] = ITEMS) -> dict[tuple[str, str], str | None]:
    return {
        (member.worker_id, item): answer(plan, member, item, LABELS)
        for member in members(plan)
        for item in item_order
    }


def correct(plan: CrowdPlan, member: Member) -> int:
    return sum(answer(plan, member, item, LABELS) == plan.key[item] for item in ITEMS)


def assert_share(hits: int, draws: int, expected: float) -> None:
    """Within four standard deviations: with the fixed seed this is a fact, not a chance."""
    assert abs(hits - draws * expected) <= 4 * math.sqrt(draws * expected * (1 - expected)) + 1e-9


def test_answers_depend_on_seed_worker_and_item_only(make_plan: PlanMaker) -> None:
    group = {"name": "g", "count": 4, "skill": {"accuracy": 0.7}, **PACE}
    other = {"name": "other", "count": 2, "behaviour": "random_spammer", **PACE}
    alone = all_answers(make_plan(group))
    beside = all_answers(make_plan(other, group, speed_up=50), list(reversed(ITEMS)))
    assert alone == {key: value for key, value in beside.items() if key in alone}
    assert alone != all_answers(make_plan(group, seed=8))


def test_the_order_of_the_choices_does_not_matter(make_plan: PlanMaker) -> None:
    plan = make_plan({"name": "g", "count": 1, "skill": {"accuracy": 0.5}, **PACE})
    (member,) = members(plan)
    for item in ITEMS:
        assert answer(plan, member, item, LABELS) == answer(plan, member, item, LABELS[::-1])


@pytest.mark.parametrize("accuracy", [0.0, 0.6, 0.9, 1.0])
def test_accuracy_is_the_share_of_right_answers(make_plan: PlanMaker, accuracy: float) -> None:
    plan = make_plan({"name": "g", "count": 5, "skill": {"accuracy": accuracy}, **PACE})
    total = sum(correct(plan, member) for member in members(plan))
    assert_share(total, 5 * len(ITEMS), accuracy)


def test_a_range_gives_each_worker_an_own_accuracy(make_plan: PlanMaker) -> None:
    plan = make_plan({"name": "g", "count": 20, "skill": {"accuracy": [0.6, 0.95]}, **PACE})
    crowd = members(plan)
    drawn = [member.accuracy for member in crowd if member.accuracy is not None]
    assert len(set(drawn)) == 20
    assert 0.6 <= min(drawn) < 0.7
    assert 0.85 < max(drawn) <= 0.95
    for member in crowd:
        assert_share(correct(plan, member), len(ITEMS), member.accuracy or 0)


def test_a_confusion_table_is_followed_row_by_row(make_plan: PlanMaker) -> None:
    rows = {
        "setosa": {"setosa": 1.0},
        "versicolor": {"versicolor": 0.8, "virginica": 0.2},
        "virginica": {"setosa": 0.1, "versicolor": 0.3, "virginica": 0.6},
    }
    plan = make_plan({"name": "g", "count": 10, "skill": {"confusion": rows}, **PACE})
    seen = {truth: Counter[str | None]() for truth in LABELS}
    for (_, item), given in all_answers(plan).items():
        seen[plan.key[item]][given] += 1
    for truth, row in rows.items():
        for label in LABELS:
            assert_share(seen[truth][label], 1000, row.get(label, 0.0))


def test_spammers_ignore_the_item(make_plan: PlanMaker) -> None:
    plan = make_plan(
        {"name": "dice", "count": 4, "behaviour": "random_spammer", **PACE},
        {"name": "same", "count": 1, "behaviour": "constant_spammer", "answer": "virginica", **PACE},
    )
    *dice, same = members(plan)
    assert {answer(plan, same, item, LABELS) for item in ITEMS} == {"virginica"}
    for truth in LABELS:
        of_truth = [item for item in ITEMS if plan.key[item] == truth]
        hits = sum(answer(plan, member, item, LABELS) == truth for member in dice for item in of_truth)
        assert_share(hits, 4 * len(of_truth), 1 / 3)
    assert answer(plan, same, "item-0", ["setosa", "versicolor"]) in {"setosa", "versicolor"}


def test_a_sloppy_worker_now_and_then_sends_no_choice(make_plan: PlanMaker) -> None:
    plan = make_plan(
        {
            "name": "s",
            "count": 5,
            "behaviour": "sloppy_form",
            "skill": {"accuracy": 1},
            "sloppy_rate": 0.2,
            **PACE,
        }
    )
    given = list(all_answers(plan).values())
    slips = [value for value in given if value not in LABELS]
    assert_share(len(slips), len(given), 0.2)
    assert {None, ""} < set(slips) <= {None, "", *GARBAGE}
    assert not set(GARBAGE) & set(LABELS)


def test_an_item_that_the_key_does_not_know_is_guessed(make_plan: PlanMaker) -> None:
    plan = make_plan({"name": "g", "count": 1, "skill": {"accuracy": 1}, **PACE})
    (member,) = members(plan)
    guesses = Counter(answer(plan, member, f"new-{number}", ["a", "b"]) for number in range(400))
    assert_share(guesses["a"], 400, 0.5)
    assert set(guesses) == {"a", "b"}


def test_returning_and_abandoning_follow_their_rates(make_plan: PlanMaker) -> None:
    plan = make_plan(
        {"name": "g", "count": 5, "skill": {"accuracy": 1}, "return_rate": 0.1, "abandon_rate": 0.05, **PACE}
    )
    seen = Counter(intent(plan, member, item) for member in members(plan) for item in ITEMS)
    assert_share(seen["return"], 1500, 0.1)
    assert_share(seen["abandon"], 1500, 0.05)


def test_required_fields_beside_the_answer_are_filled(make_plan: PlanMaker) -> None:
    plan = make_plan({"name": "g", "count": 1, "skill": {"accuracy": 1}, **PACE})
    task = read_task(
        '<main data-item="item-1"><form><input type=hidden name=batch value=7>'
        '<select name=label><option value="">Choose</option><option>setosa</option>'
        "<option>versicolor</option></select>"
        "<textarea name=why required></textarea><textarea name=comment></textarea>"
        "<input type=radio name=sure value=yes required><input type=radio name=sure value=no></form></main>",
        "data-item",
    )
    fields = dict(task.filled(form_answers(plan, members(plan)[0], task, "item-1")))
    assert fields.pop("sure") in {"yes", "no"}
    assert fields == {"batch": "7", "label": "versicolor", "why": "ok", "comment": ""}
