"""What a run has paid or may still have to pay, by its record. Amounts in whole cents.

Paid, reserved and possible are told apart: ``spent <= committed <= possible``. Reading is pure; who spends
holds the sums against the run's limit and the month's book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from groundswell.ledger.state import Outcome, RunState


def committed_cents(state: RunState, answer_cents: int) -> int:
    """Return what was spent, and what the seats that were opened or reserved may still cost.

    Args:
        state: the run.
        answer_cents: reward and fee of one answer.
    """
    return state.spent_cents + answer_cents * sum(owed for _, owed, _ in _open_answers(state))


def possible_cents(state: RunState, answer_cents: int, most: int) -> int:
    """Return what the run may cost if every item that is asked about needs the most answers.

    Args:
        state: the run.
        answer_cents: reward and fee of one answer.
        most: seats that an item may get; one whose answer was rejected does not count.
    """
    more = 0
    for item, _, seats in _open_answers(state):
        if item not in state.outcomes:
            more += max(0, most + state.rejected_of(item) - seats)
    return committed_cents(state, answer_cents) + answer_cents * more


def unmet_answers(state: RunState, most: int) -> dict[str, int]:
    """Return how many more answers the items may need at most that were given up for want of money.

    Args:
        state: the run.
        most: seats that an item may get; one whose answer was rejected does not count.
    """
    found = {}
    for item in state.out_of_money:
        seats = max(state.seats[item], state.answered(item))
        found[item] = max(1, most + state.rejected_of(item) - seats)
    return found


def _open_answers(state: RunState) -> Iterator[tuple[str, int, int]]:
    """Yield (item, answers that may still have to be paid, seats) of every published item."""
    paid = Counter(row["item"] for row in state.payments.values())
    reserved: dict[str, int] = {}
    for row in state.reserved.values():
        reserved[row["item"]] = max(row["seats"], reserved.get(row["item"], 0))
    replacing = Counter(
        row["item"]
        for row in state.replacements.values()
        if row["seats"] > state.seats.get(row["item"], 0)  # reserved and, as far as is known, not opened yet
    )
    for item in state.hits:
        got = state.answered(item)
        seats = max(state.seats[item], got, reserved.get(item, 0))
        outcome = state.outcomes.get(item)
        if item in state.deleted or outcome is Outcome.LOST:
            payable = 0  # a HIT is deleted once every answer is reviewed, and one that is gone pays nobody
        elif outcome is None:
            payable = seats - state.rejected_of(item)
        else:
            # A seat of a closed item that nobody took can no longer cost anything
            payable = got + replacing[item] - state.rejected_of(item)
        yield item, max(0, payable - paid[item]), seats
