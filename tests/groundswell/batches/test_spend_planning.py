from __future__ import annotations

from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.batches.model import Batch
from groundswell.batches.planning import MonthRoom, SpendPlan, judge_spend, plan_spend
from groundswell.batches.pricing import bonus_fee_cents, fee_cents
from groundswell.batches.sections import Spend
from groundswell.batches.units import dollars, parse_duration, parse_money, to_cents
from groundswell.errors import SpendError

IRIS = Batch.load(Path(__file__).parents[3] / "include" / "batches" / "iris.yaml")
cents = st.integers(min_value=0, max_value=10_000_000)


def spend(budget: int, *, above: int = 10**7, **options: Any) -> Spend:
    amounts = {"budget": dollars(budget)[1:].replace(",", ""), "approve_above": f"{above // 100}"}
    return Spend.model_validate({**amounts, **options})


def judge(items: int, limits: Spend, balance: int = 10**6, **more: Any) -> Any:
    more.setdefault("room", MonthRoom())
    return judge_spend(plan_spend(IRIS, items), limits, balance_cents=balance, **more)


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


@given(items=st.integers(min_value=0, max_value=10**7))
def test_a_plan_is_whole_cents_and_grows_with_the_items(items: int) -> None:
    plan = plan_spend(IRIS, items)
    assert plan.certain_cents == items * 12
    assert plan.worst_cents == items * 30
    assert plan.certain_cents <= plan.worst_cents


def test_fewer_than_no_items_cannot_be_planned() -> None:
    with pytest.raises(ValueError, match="fewer than none"):
        plan_spend(IRIS, -1)


def test_a_plan_that_fits_asks_nobody_and_holds_its_worst_case() -> None:
    verdict = judge(150, spend(4500, above=4500))
    assert (verdict.approval, verdict.hold_cents) == (False, 4500)
    assert (verdict.limit_cents, verdict.over_cents) == (None, 0)


def test_a_plan_above_the_threshold_asks_and_says_why() -> None:
    verdict = judge(150, spend(9000, above=4400))
    assert verdict.reasons == ("the worst case is above spend.approve_above of $44.00",)
    assert (verdict.hold_cents, verdict.limit_cents) == (4500, None)


def test_a_worst_case_above_the_budget_asks_and_holds_the_budget() -> None:
    verdict = judge(150, spend(3000))
    assert "the worst case of $45.00 is above the spend.budget of $30.00" in verdict.reasons[0]
    assert (verdict.hold_cents, verdict.limit_cents) == (3000, None)


def test_a_budget_below_the_first_answers_asks_for_exactly_these() -> None:
    verdict = judge(150, spend(1799))
    [reason] = verdict.reasons
    assert reason.startswith("spend.budget: $17.99 is below the $18.00 that the first answers cost")
    assert (verdict.hold_cents, verdict.limit_cents) == (1800, 1800)


def test_what_was_approved_before_is_not_asked_again() -> None:
    verdict = judge(150, spend(1000), approved_cents=4500)
    assert (verdict.approval, verdict.hold_cents) == (False, 4500)


def test_a_month_without_room_asks_with_the_numbers() -> None:
    room = MonthRoom(6000, 2000, "of the $60.00 of 2026-11, others have $20.00")
    verdict = judge(150, spend(4500), room=room)
    assert verdict.over_cents == 500
    assert verdict.reasons == (
        "spend.monthly_budget: of the $60.00 of 2026-11, others have $20.00; this run needs up to $45.00, "
        "which is $5.00 too much: approving lets the month pass its budget by that",
    )
    assert judge(150, spend(4500), room=MonthRoom(6500, 2000)).approval is False


@pytest.mark.parametrize("room", [MonthRoom(), MonthRoom(1000, 0, "of the $10.00")], ids=["run", "month"])
def test_where_nobody_may_be_asked_too_little_is_a_refusal(room: MonthRoom) -> None:
    budget = 1799 if room.budget_cents is None else 9000
    with pytest.raises(SpendError) as caught:
        judge(150, spend(budget, ask_overrun=False), room=room)
    option = "spend.budget: $17.99" if room.budget_cents is None else "spend.monthly_budget: of the $10.00"
    assert str(caught.value).startswith(option)
    assert "approving" not in str(caught.value)
    assert str(caught.value).endswith("or set spend.ask_overrun: true")


@pytest.mark.parametrize("ask", [False, True])
def test_nobody_can_approve_money_that_is_not_there(ask: bool) -> None:
    with pytest.raises(SpendError) as caught:
        judge(150, spend(4500, ask_overrun=ask), balance=1000)
    for part in ("account balance: $10.00", "$18.00", "deposit $8.00 or more"):
        assert part in str(caught.value)


@given(
    items=st.integers(min_value=0, max_value=1000),
    budget=st.integers(min_value=0, max_value=40_000),
    balance=st.integers(min_value=0, max_value=40_000),
    monthly=st.none() | st.integers(min_value=0, max_value=80_000),
    others=st.integers(min_value=0, max_value=40_000),
)
def test_what_is_held_pays_what_is_certain_and_passes_no_limit_unasked(
    items: int, budget: int, balance: int, monthly: int | None, others: int
) -> None:
    plan = plan_spend(IRIS, items)
    try:
        verdict = judge(items, spend(budget), balance, room=MonthRoom(monthly, others))
    except SpendError:
        assert plan.certain_cents > balance
        return
    assert plan.certain_cents <= min(balance, verdict.hold_cents) <= verdict.hold_cents <= plan.worst_cents
    if verdict.hold_cents > budget or (monthly is not None and others + verdict.hold_cents > monthly):
        assert verdict.approval
        assert verdict.hold_cents <= max(budget, verdict.limit_cents or 0)
        assert monthly is None or verdict.hold_cents + others <= monthly + verdict.over_cents
    if not verdict.approval:
        assert plan.worst_cents <= min(budget, balance)
        assert (verdict.hold_cents, verdict.limit_cents, verdict.over_cents) == (plan.worst_cents, None, 0)


@pytest.mark.parametrize(("bonus", "fee"), [(1, 1), (7, 1), (8, 2), (12, 2), (13, 3), (1000, 200)])
def test_the_fee_on_a_bonus_knows_no_tier(bonus: int, fee: int) -> None:
    assert bonus_fee_cents(bonus) == fee


def test_no_bonus_is_no_bonus() -> None:
    with pytest.raises(ValueError, match="one cent at least"):
        bonus_fee_cents(0)


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
