"""plan_spend: what the run may cost, held against budget and balance before anything is published."""

from __future__ import annotations

import logging
from dataclasses import asdict
from typing import Any

from groundswell.aws.runs import LabelingRun, now_text
from groundswell.batches.planning import check_spend, plan_spend, spend_warning
from groundswell.ledger.shards import read_index

log = logging.getLogger(__name__)


def plan(run: LabelingRun) -> dict[str, Any]:
    """
    Return the plan of the run: certain and worst-case cost in cents, and whether a person must approve it.

    HITs that the run has published already (the task was cleared) are covered by the liability that the
    workforce subtracts from the balance, so only the others are held against it.

    :raises SpendError: where budget or balance is below the plan.
    """
    batch = run.batch
    items = sum(entry["items"] for entry in read_index(run.ledger) or ())
    whole = plan_spend(batch, items)
    published = plan_spend(batch, len(run.ledger.fold("hits").hits))
    balance = run.mturk.available_cents()
    limits = {
        "budget_cents": batch.spend.budget_cents,
        "balance_cents": balance + published.certain_cents,
    }
    check_spend(whole, **limits)
    warning = spend_warning(whole, **limits)
    row = {
        "at": now_text(),
        **asdict(whole),
        "budget_cents": batch.spend.budget_cents,
        "balance_cents": balance,
        "text": "; ".join(filter(None, [whole.describe(), warning])),
        "approval": warning is not None or whole.worst_cents > batch.spend.approve_above_cents,
    }
    run.ledger.append("spend", [row])
    log.info("%s; budget $%.2f, balance $%.2f", row["text"], batch.spend.budget_cents / 100, balance / 100)
    return row
