"""How long workers of a batch take: a small document per run, so that a plan need not read old ledgers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from groundswell.aws.runs import LabelingRun
from groundswell.batches.pay import Pace, hourly_cents
from groundswell.ledger import RunState
from groundswell.ledger.store import PartStore

#: Earlier runs whose pace is read for a plan.
LATEST = 12


def _prefix(batch: str) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_pace/{batch}/"


def pace_of(state: RunState) -> Pace:
    """Return how long the workers of a run took; an answer whose times are not recorded does not count."""
    rows: Iterable[Any] = state.answers.values()
    return Pace.of(
        (datetime.fromisoformat(row["submitted"]) - datetime.fromisoformat(row["accepted"])).total_seconds()
        for row in rows
        if row.get("accepted") and row.get("submitted")
    )


def keep_pace(run: LabelingRun, state: RunState) -> dict[str, Any]:
    """Keep a run's pace for later plans; return ``median_seconds`` and ``hourly_cents``, None if unknown."""
    pace = pace_of(state)
    if pace.n:
        body = json.dumps(pace.document(), sort_keys=True).encode()
        run.store.put(f"{_prefix(run.live.name)}{run.run_id}.json", body)
    hourly = None if pace.median is None else hourly_cents(run.batch.task.reward_cents, pace.median)
    return {"median_seconds": pace.median, "hourly_cents": hourly}


def earlier_pace(store: PartStore, batch: str) -> Pace:
    """Return how long workers took in the latest runs of a batch that were summed up."""
    total = Pace({})
    for key in sorted(store.keys(_prefix(batch)))[-LATEST:]:
        try:
            document = json.loads(store.get(key) or b"{}")
            total += Pace.read(document if isinstance(document, dict) else {})
        except ValueError:
            continue  # a damaged document is no reason not to label
    return total
