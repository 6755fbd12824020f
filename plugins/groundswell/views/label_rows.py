"""The labels that a run's latest consolidation gave, one row at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from groundswell.ledger import Ledger, PartStore
from groundswell.views.overview import updated
from groundswell.views.reading import lines, parsed

CONSOLIDATION = "consolidation.json"


def version_of_labels(ledger: Ledger, keys: Sequence[str] | None = None) -> str:
    """Return a text that changes when the run's labels do; "" where it has none.

    Args:
        ledger: the run's.
        keys: the keys of its labels parts, where they are known.
    """
    found = list(ledger.store.keys(f"{ledger.prefix}labels/")) if keys is None else keys
    if not found:
        return ""
    digest = hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()
    return f"{updated(ledger, CONSOLIDATION)} {digest[:16]}"


def label_rows(ledger: Ledger, *, start: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the label rows of the run's latest consolidation; the whole is never in memory where it streams.

    Args:
        ledger: the run's.
        start: bytes to leave out from the beginning; see :func:`placed_label_rows`.

    Raises:
        LedgerError: a row is damaged; it names the object and the line.
    """
    return (row for _, row in placed_label_rows(ledger, start=start))


def placed_label_rows(ledger: Ledger, *, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (where it ends, row) of the label rows; from such an end on, reading can go on another time.

    Consolidating again writes another part. Which one counts is what the run handed over last; where that is
    missing, the part with the latest time.
    """
    handed_over = f"_labels/{ledger.batch}/{ledger.run_id}.jsonl"
    keys = list(ledger.store.keys(f"{ledger.prefix}labels/"))
    if not keys:
        return
    if len(keys) == 1:
        [key] = keys
    elif next(lines(ledger.store, handed_over), None) is not None:
        key = handed_over
    else:
        key = max(keys, key=lambda each: (_first_time(ledger.store, each), each))
    end = start
    for number, line in enumerate(lines(ledger.store, key, start=start), start=1):
        end += len(line) + 1
        if line:
            yield end, parsed(line, key, number, after=start)


def _first_time(store: PartStore, key: str) -> str:
    line = next(lines(store, key), b"")
    return str(parsed(line, key, 1).get("at", "")) if line else ""
