"""The labels that a run's latest consolidation gave, one row at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger, PartStore
from groundswell.views.overview import updated

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


def label_rows(ledger: Ledger, *, skip: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the label rows of the run's latest consolidation; the whole is never in memory where it streams.

    Consolidating again writes another part. Which one counts is what the run handed over last; where that is
    missing, the part with the latest time.

    Args:
        ledger: the run's.
        skip: rows to leave out from the beginning, without reading what they say.

    Raises:
        LedgerError: a row is damaged; it names the object and the line.
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
    for number, line in enumerate(lines(ledger.store, key), start=1):
        if number > skip and line:
            yield parsed(line, key, number)


def _first_time(store: PartStore, key: str) -> str:
    line = next(lines(store, key), b"")
    return str(parsed(line, key, 1).get("at", "")) if line else ""


def parsed(line: bytes, key: str, number: int) -> dict[str, Any]:
    """Return a line of a part as a row. Raises LedgerError where it is damaged or no object."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LedgerError(
            f"{key} line {number} is not JSON ({error}); restore this object from a backup or version"
        ) from error
    if not isinstance(row, dict):
        raise LedgerError(
            f"{key} line {number} is no JSON object; restore this object from a backup or version"
        )
    return row


def lines(store: PartStore, key: str) -> Iterator[bytes]:
    """Yield the lines of an object without their ends; none where it does not exist.

    A store with a method ``chunks`` (key -> the object in pieces, or None) is read piece by piece.
    """
    chunks: Callable[[str], Iterable[bytes] | None] | None = getattr(store, "chunks", None)
    if chunks is None:
        body = store.get(key)
        pieces: Iterable[bytes] | None = None if body is None else [body]
    else:
        pieces = chunks(key)
    rest = b""
    for piece in pieces or ():
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
