from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.batches.model import Batch
from groundswell.batches.planning import SpendPlan, check_spend, plan_spend, spend_warning
from groundswell.batches.pricing import fee_cents
from groundswell.batches.units import dollars, parse_duration, parse_money, to_cents
from groundswell.errors import SpendError

IRIS = Batch.load(Path(__file__).parents[3] / "include" / "batches" / "iris.yaml")
cents = st.integers(min_value=0, max_value=10_000_000)


@pytest.mark.parametrize(
    ("reward", "assignments", "fee"),
    [
        (5, 2, 1),
        (1, 1, 1),
        (7, 1, 1),
        (8, 1, 2),
        (12, 1, 2),
        (13, 1, 3),
        (5, 9, 1),
        (5, 10, 2),
        (100, 10, 40),
    ],
)
def test_fees_from_the_price_list(reward: int, assignments: int, fee: int) -> None:
    assert fee_cents(reward, assignments) == fee


@given(reward=cents, assignments=st.integers(min_value=1, max_value=1000))
def test_a_fee_is_the_percentage_rounded_half_up_and_never_below_a_cent(
    reward: int, assignments: int
) -> None:
    rate = Decimal("0.4") if assignments >= 10 else Decimal("0.2")
    exact = (Decimal(reward) * rate).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    assert fee_cents(reward, assignments) == max(1, int(exact))


@pytest.mark.parametrize(("reward", "assignments"), [(-1, 1), (5, 0)])
def test_nonsense_has_no_fee(reward: int, assignments: int) -> None:
    with pytest.raises(ValueError, match=r"negative|at least one"):
        fee_cents(reward, assignments)


def test_the_iris_plan() -> None:
    plan = plan_spend(IRIS, 150)
    assert plan == SpendPlan(
        items=150, first=2, most=5, reward_cents=5, fee_cents=1, certain_cents=1800, worst_cents=4500
    )
    assert plan.answer_cents == 6
    assert "= $18.00 for certain, $45.00 at worst" in plan.describe()
    check_spend(plan, budget_cents=1800, balance_cents=1800)


@given(items=st.integers(min_value=0, max_value=10**7))
def test_a_plan_is_whole_cents_and_grows_with_the_items(items: int) -> None:
    plan = plan_spend(IRIS, items)
    assert plan.certain_cents == items * 12
    assert plan.worst_cents == items * 30
    assert plan.certain_cents <= plan.worst_cents


def test_fewer_than_no_items_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="fewer than none"):
        plan_spend(IRIS, -1)


def test_a_budget_below_the_plan_is_told_with_both_amounts_and_the_fix() -> None:
    with pytest.raises(SpendError) as caught:
        check_spend(plan_spend(IRIS, 150), budget_cents=1799, balance_cents=10**6)
    for part in ("spend.budget: $17.99", "$18.00", "$45.00", "set spend.budget to 18.00 or more"):
        assert part in str(caught.value)


def test_a_balance_below_the_plan_is_told_with_both_amounts_and_the_fix() -> None:
    with pytest.raises(SpendError) as caught:
        check_spend(plan_spend(IRIS, 150), budget_cents=4500, balance_cents=1000)
    for part in ("account balance: $10.00", "$18.00", "deposit $8.00 or more"):
        assert part in str(caught.value)


@given(
    items=st.integers(min_value=0, max_value=1000),
    budget=st.integers(min_value=0, max_value=40_000),
    balance=st.integers(min_value=0, max_value=40_000),
)
def test_a_run_starts_exactly_if_its_first_answers_can_be_paid(items: int, budget: int, balance: int) -> None:
    plan = plan_spend(IRIS, items)
    try:
        check_spend(plan, budget_cents=budget, balance_cents=balance)
        started = True
    except SpendError:
        started = False
    assert started == (plan.certain_cents <= min(budget, balance))
    fits = spend_warning(plan, budget_cents=budget, balance_cents=balance) is None
    assert fits == (plan.worst_cents <= min(budget, balance))


@given(cents)
def test_money_written_is_money_read(amount: int) -> None:
    assert to_cents(parse_money(dollars(amount)[1:].replace(",", ""))) == amount


@pytest.mark.parametrize(
    "value", ["", "1.", ".5", "1.234", "1e3", "+1", "01", "1,000", " 1", None, True, "NaN"]
)
def test_what_is_not_money(value: object) -> None:
    with pytest.raises(ValueError, match="write it in quotes"):
        parse_money(value)


@pytest.mark.parametrize("value", [5, 0.05, float("nan"), float("inf"), -0.1])
def test_a_number_is_not_money(value: object) -> None:
    with pytest.raises(ValueError, match="is a number"):
        parse_money(value)


@given(
    count=st.integers(min_value=0, max_value=10_000),
    unit=st.sampled_from([("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]),
)
def test_durations(count: int, unit: tuple[str, int]) -> None:
    assert parse_duration(f"{count}{unit[0]}") == timedelta(seconds=count * unit[1])


@pytest.mark.parametrize(
    "value", ["", "4", "4 h", "h", "-4h", "1.5h", "4h30m", 4, None, "4H", "9999999999d", "٣d"]
)
def test_what_is_not_a_duration(value: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(value)


def test_dollars() -> None:
    assert [dollars(amount) for amount in (0, 5, 1800, -27, 123456789)] == [
        "$0.00",
        "$0.05",
        "$18.00",
        "-$0.27",
        "$1,234,567.89",
    ]
