"""Where a run stands, and the document that tells it while the run goes on."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import datetime

from groundswell.aws.limits import RunLimit
from groundswell.aws.runs import LabelingRun
from groundswell.errors import LedgerError
from groundswell.ledger import Outcome, RunState
from groundswell.ledger.shards import read_index
from groundswell.views.overview import PROGRESS, read_document
from groundswell.views.standing import Point, prolonged, standing

log = logging.getLogger(__name__)


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


def keep_progress(run: LabelingRun, state: RunState) -> Progress:
    """
    Replace ``progress.json`` beside the run's ledger by where the run stands now; return its counts.

    Besides the counts it has ``planned_items``, ``budget_cents``, ``worst_cents`` (what the run has spent and
    may still come to spend by itself), ``timeline``, and what :func:`groundswell.views.standing.standing`
    says; :class:`groundswell.views.overview.RunOverview` reads it.
    Twins of a task may both write it: each tells what is on record, and the last one stands.

    :param run: the run.
    :param state: its folded ledger, with all kinds of parts.
    """
    progress, limit, context = Progress.of(state), RunLimit(run, state), run.context()
    point = {"at": context["updated"]} | {
        name: getattr(progress, name) for name in ("answers", "settled", "spent_cents")
    }
    document = {
        **context,
        **asdict(progress),
        **standing(state, datetime.fromisoformat(context["updated"])),
        "planned_items": sum(int(entry["items"]) for entry in read_index(run.ledger) or ()),
        "budget_cents": limit.own_cents,
        "worst_cents": limit.possible_cents(),
        "timeline": prolonged(_timeline(run), point),
    }
    run.ledger.put_document(PROGRESS, document)
    return progress


def _timeline(run: LabelingRun) -> list[Point]:
    try:
        found = read_document(run.ledger, PROGRESS) or {}
    except LedgerError as error:
        log.warning("the timeline begins anew: %s", error)
        return []
    timeline = found.get("timeline")
    return timeline if isinstance(timeline, list) else []
