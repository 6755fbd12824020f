"""What a run of a batch will cost, before a cent of it is spent."""

from __future__ import annotations

from dataclasses import dataclass

from groundswell.batches.model import Batch
from groundswell.batches.pricing import fee_cents
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


def check_spend(plan: SpendPlan, *, budget_cents: int, balance_cents: int) -> None:
    """Make sure that the first answers about every item can be paid.

    Raises:
        SpendError: if the budget or the balance is below what the plan costs for certain.
    """
    if plan.certain_cents > budget_cents:
        raise SpendError(
            f"spend.budget: {dollars(budget_cents)} is below the plan: {plan.describe()}; "
            f"set spend.budget to {dollars(plan.certain_cents)[1:].replace(',', '')} or more, "
            "or lower redundancy.first, task.reward or the number of items"
        )
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
