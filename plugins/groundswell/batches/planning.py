"""What a run of a batch will cost, before a cent of it is spent."""

from __future__ import annotations

from dataclasses import dataclass

from groundswell.batches.model import Batch
from groundswell.batches.pricing import fee_cents
from groundswell.batches.sections import Spend
from groundswell.batches.units import dollars
from groundswell.errors import SpendError


@dataclass(frozen=True)
class SpendPlan:
    """The cost of labelling ``items`` items; all amounts in whole cents.

    Attributes:
        items: how many items are to be labelled.
        first: answers that are asked for each item at once.
        most: answers that an item may get at the very most.
        reward_cents: what a worker gets per answer.
        fee_cents: what the marketplace takes on top, per answer.
        certain_cents: cost if the first answers settle every item.
        worst_cents: cost if every item needs the most answers.
    """

    items: int
    first: int
    most: int
    reward_cents: int
    fee_cents: int
    certain_cents: int
    worst_cents: int

    @property
    def answer_cents(self) -> int:
        """Reward and fee of one answer."""
        return self.reward_cents + self.fee_cents

    def describe(self) -> str:
        """One line for logs and for the person who approves the spend."""
        return (
            f"{self.items} items x {self.first} answers x ({dollars(self.reward_cents)} + "
            f"{dollars(self.fee_cents)} fee) = {dollars(self.certain_cents)} for certain, "
            f"{dollars(self.worst_cents)} at worst ({self.most} answers each)"
        )


def plan_spend(batch: Batch, n_items: int) -> SpendPlan:
    """Plan the cost of labelling ``n_items`` items of ``batch``.

    Raises:
        ValueError: if ``n_items`` is negative.
    """
    if n_items < 0:
        raise ValueError(f"{n_items} items; a plan cannot have fewer than none")
    first, most = batch.redundancy.first, batch.redundancy.most
    reward = batch.task.reward_cents
    # by `first`, because the tier is fixed when the HIT is created; the batch file may not cross it later
    fee = fee_cents(reward, first)
    return SpendPlan(
        items=n_items,
        first=first,
        most=most,
        reward_cents=reward,
        fee_cents=fee,
        certain_cents=n_items * first * (reward + fee),
        worst_cents=n_items * most * (reward + fee),
    )


def check_balance(plan: SpendPlan, balance_cents: int) -> None:
    """Make sure that the account can pay the first answers about every item: nobody can approve that.

    Raises:
        SpendError: if the balance is below what the plan costs for certain.
    """
    if plan.certain_cents > balance_cents:
        raise SpendError(
            f"account balance: {dollars(balance_cents)} is below the plan: {plan.describe()}; "
            f"deposit {dollars(plan.certain_cents - balance_cents)} or more, "
            "or lower redundancy.first, task.reward or the number of items"
        )


def spend_warning(plan: SpendPlan, *, budget_cents: int, balance_cents: int) -> str | None:
    """Say what happens if the worst case does not fit, or None where it fits.

    Items for which the money ends are given up and reported; nothing is spent beyond the budget.
    """
    limit, name = min((budget_cents, "spend.budget"), (balance_cents, "account balance"))
    if plan.worst_cents <= limit:
        return None
    return (
        f"the worst case of {dollars(plan.worst_cents)} is above the {name} of {dollars(limit)}: "
        "items on which workers disagree may be given up for want of money"
    )


@dataclass(frozen=True)
class MonthRoom:
    """What the month leaves for a run, in whole cents.

    Attributes:
        budget_cents: ``spend.monthly_budget``; None: no limit.
        others_cents: what other runs of the month hold, spent or not.
        text: who holds it, for people.
    """

    budget_cents: int | None = None
    others_cents: int = 0
    text: str = ""

    def over_cents(self, cents: int) -> int:
        """By how much the month's budget is passed if this run holds so much."""
        return 0 if self.budget_cents is None else max(0, self.others_cents + cents - self.budget_cents)


@dataclass(frozen=True)
class SpendVerdict:
    """What to reserve for a run, and whether a person has to approve it; amounts in whole cents.

    Attributes:
        hold_cents: what the run can spend at most; reserve so much.
        limit_cents: the run's limit if a person approves; None: it stays what it is.
        over_cents: by how much an approval lets the month pass its budget.
        reasons: why a person is asked, with the numbers; empty where nobody is.
    """

    hold_cents: int
    limit_cents: int | None
    over_cents: int
    reasons: tuple[str, ...]

    @property
    def approval(self) -> bool:
        """Whether a person has to approve."""
        return bool(self.reasons)


def judge_spend(
    plan: SpendPlan, spend: Spend, *, balance_cents: int, room: MonthRoom, approved_cents: int = 0
) -> SpendVerdict:
    """Hold a plan against the run's limit, the account's balance and what the month leaves.

    Args:
        plan: what the run costs.
        spend: the batch's limits.
        balance_cents: what the account can spend.
        room: what the month leaves.
        approved_cents: the limit that a person approved for the run before.

    Raises:
        SpendError: if the account cannot pay what is certain, or a limit is too low and nobody may be asked.
    """
    check_balance(plan, balance_cents)
    limit = max(spend.budget_cents, approved_cents)
    granted = None if plan.certain_cents <= limit else plan.certain_cents
    hold = min(plan.worst_cents, granted or limit)
    over = room.over_cents(hold)
    reasons = [_over_budget(plan, limit)] if granted else []
    if not granted:
        warning = spend_warning(plan, budget_cents=limit, balance_cents=balance_cents)
        if warning is not None:
            reasons.append(warning)
        elif plan.worst_cents > spend.approve_above_cents:
            reasons.append(
                f"the worst case is above spend.approve_above of {dollars(spend.approve_above_cents)}"
            )
    if over:
        reasons.append(_over_month(room, hold, over))
    if (granted or over) and not spend.ask_overrun:
        raise SpendError(
            f"{reasons[0 if granted else -1].partition(': approving')[0]}; raise it, or lower "
            "redundancy.first, task.reward or the number of items, or set spend.ask_overrun: true"
        )
    return SpendVerdict(hold, granted, over, tuple(reasons))


def _over_budget(plan: SpendPlan, limit_cents: int) -> str:
    certain = dollars(plan.certain_cents)
    return (
        f"spend.budget: {dollars(limit_cents)} is below the {certain} that the first answers cost: approving "
        f"lets this run spend {certain} and no more, so items on which workers disagree are given up unless "
        "more is approved then"
    )


def _over_month(room: MonthRoom, hold_cents: int, over_cents: int) -> str:
    return (
        f"spend.monthly_budget: {room.text}; this run needs up to {dollars(hold_cents)}, which is "
        f"{dollars(over_cents)} too much: approving lets the month pass its budget by that"
    )
