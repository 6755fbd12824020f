"""Where a run stands."""

from __future__ import annotations

from dataclasses import dataclass

from groundswell.ledger import Outcome, RunState


@dataclass
class Progress:
    """Where a run stands, for logs, the progress document and the summary. Money in cents."""

    items: int
    settled: int
    answers: int
    quarantined: int
    extended: int
    given_up: int
    open: int
    rejected: int
    withheld: int
    spent_cents: int

    @classmethod
    def of(cls, state: RunState) -> Progress:
        """Return the progress that a folded ledger shows."""
        settled = state.count(Outcome.SETTLED)
        first = {item: row["seats"] for item, row in state.hits.items()}
        return cls(
            items=len(state.hits),
            settled=settled,
            answers=len(state.answers),
            quarantined=sum(1 for row in state.answers.values() if row["label"] is None),
            extended=sum(1 for item, seats in state.seats.items() if seats > first[item]),
            given_up=len(state.outcomes) - settled,
            open=len(state.open_items),
            rejected=sum(1 for each in state.rejections if state.is_rejected(each)),
            withheld=len(state.withheld.keys() - state.payments.keys() - state.rejections.keys()),
            spent_cents=state.spent_cents,
        )

    def line(self, budget_cents: int) -> str:
        """Return one line for the task's log."""
        return (
            f"settled {self.settled}/{self.items} items, {self.open} open, {self.given_up} given up, "
            f"{self.answers} answers ({self.quarantined} unreadable{self._reviewed()}), "
            f"spent ${self.spent_cents / 100:.2f} of ${budget_cents / 100:.2f}"
        )

    def _reviewed(self) -> str:
        counts = {"rejected": self.rejected, "waiting for a review": self.withheld}
        return "".join(f", {count} {what}" for what, count in counts.items() if count)
