"""What a run may spend: its own limit, and its share of the month."""

from __future__ import annotations

import logging

from groundswell.aws.runs import LabelingRun
from groundswell.batches.planning import plan_spend
from groundswell.errors import MonthFull, SpendError
from groundswell.ledger import RunState, months
from groundswell.ledger.commitments import committed_cents, possible_cents

log = logging.getLogger(__name__)

#: A run under way gives back no less than this part of what it holds: each time is an entry of the book.
WORTH = 20


class RunLimit:
    """
    The limit on a run's spending, fees included, in cents.

    It is ``spend.budget`` as the batch file has it now, or what a person approved where that is more, and
    never more than the month's budget leaves. What may be spent is held in the month's book first.

    :param run: the run.
    :param state: the folded ledger; kept up to date by the caller.
    """

    def __init__(self, run: LabelingRun, state: RunState) -> None:
        self.run = run
        self.state = state
        self.answer_cents = plan_spend(run.batch, 1).answer_cents

    @property
    def own_cents(self) -> int:
        """The run's own limit, whatever the month leaves."""
        return max(self.run.batch.spend.budget_cents, self.state.approved_cents)

    @property
    def cents(self) -> int:
        """The most that the run may spend now."""
        month, limit = self.state.month, self.month_limit_cents
        if month is None or limit is None:
            return self.own_cents
        book = months.read(self.run.store, self.run.live.name, month)
        free = max(limit - book.others_cents(self.run.run_id), book.held_by(self.run.run_id) or 0)
        return min(self.own_cents, free)

    @property
    def month_limit_cents(self) -> int | None:
        """The most that all runs of the month may hold when this one wants more; None: no limit."""
        monthly = self.run.batch.spend.monthly_cents
        if monthly is None:
            return None
        return monthly + max((int(row.get("over_cents", 0)) for row in self.state.approvals), default=0)

    def committed_cents(self) -> int:
        """Return what the run has spent and may still have to pay for the seats that it opened."""
        return committed_cents(self.state, self.answer_cents)

    def possible_cents(self) -> int:
        """Return what the run has spent and may still come to spend by itself."""
        possible = possible_cents(self.state, self.answer_cents, self.run.batch.redundancy.most)
        return max(self.committed_cents(), min(possible, self.own_cents))

    def ensure(self, cents: int) -> bool:
        """
        Let the run hold so much of its month before it spends it; return whether it may.

        What gives money back at the same moment must look again at what the run needs: where the month has a
        budget, an entry is written in any case.

        :raises SpendError: where the run has no plan.
        """
        month = self.state.month
        if month is None:
            raise SpendError(f"run {self.run.run_id!r} has reserved nothing; clear plan_spend")
        try:
            months.change(
                self.run.store,
                self.run.live.name,
                month,
                self.run.run_id,
                lambda book: (max(cents, book.held_by(self.run.run_id) or 0), self.state.spent_cents),
                limit_cents=self.month_limit_cents,
                confirm=self.run.batch.spend.monthly_cents is not None,
            )
        except MonthFull as error:
            log.warning("no more is spent: %s", error)
            return False
        return True


def give_back(run: LabelingRun, *, end: bool) -> months.MonthBook | None:
    """
    Give back to the month what the run can no longer spend; return the book, None where the run has no plan.

    :param end: nobody collects for the run any more: it keeps what is spent, and what open seats may cost.
        Otherwise it also keeps what asking more workers about its open items may cost.
    """
    month = run.ledger.fold("spend", "approvals").month
    if month is None:
        return None

    def wanted(book: months.MonthBook) -> tuple[int, int]:
        # Read after the book: a seat that is reserved later writes an entry, and this one fails
        limit = RunLimit(run, run.ledger.fold())
        keep = limit.committed_cents() if end else limit.possible_cents()
        held = book.held_by(run.run_id)
        if not end and held is not None:
            keep = max(limit.committed_cents(), min(keep, held))
        return keep, limit.state.spent_cents

    return months.change(run.store, run.live.name, month, run.run_id, wanted)


def trim(run: LabelingRun, state: RunState) -> None:
    """
    Give back what a collecting run no longer needs, where the month has a budget and it is worth an entry.

    :param state: the folded ledger.
    """
    month = state.month
    if month is None or run.batch.spend.monthly_cents is None:
        return
    held = months.read(run.store, run.live.name, month).held_by(run.run_id) or 0
    limit = RunLimit(run, state)
    needed = limit.possible_cents() if state.open_items else limit.committed_cents()
    if held - needed >= max(limit.answer_cents, held // WORTH):
        give_back(run, end=not state.open_items)
