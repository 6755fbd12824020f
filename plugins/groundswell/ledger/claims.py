"""Which run asks about which item: so that a later run leaves alone what is labelled or in flight.

The claims of a run are an append-only log of two kinds of entries, ``claim`` and ``release``. A claim lapses:
once no HIT of the run can still be open, an item that was not labelled is anybody's again, even if the run
died and nobody ever cleared it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.store import PartStore


def _prefix(batch: str) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_claims/{batch}/"


def _entries(store: PartStore, batch: str, only: str | None) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (run id, rows) of the entries of all runs, or of one, in the order in which they were made."""
    prefix = _prefix(batch)
    for key in store.keys(prefix if only is None else f"{prefix}{only}/"):
        run_id = key.removeprefix(prefix).rpartition("/")[0]
        if only is None or run_id == only:  # an id may have a slash, and begin like another
            yield run_id, list(decode(store.get(key) or b"", key))


def _write(store: PartStore, batch: str, run_id: str, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    body = encode({"kind": kind, **row} for row in rows)
    prefix = f"{_prefix(batch)}{run_id}/"
    number = len(list(store.keys(prefix)))
    # Shards of one run write at the same time: who loses a number takes the next
    while not store.put_if_absent(f"{prefix}{number:06d}.jsonl", body):
        number += 1


def claim(store: PartStore, batch: str, run_id: str, items: Iterable[str], *, until: str) -> None:
    """Record that a run asks about these items until a time (ISO 8601, UTC), or for good once labelled."""
    held = held_by(store, batch, run_id)
    new = [item for item in items if held.get(item, "") < until]
    if new:
        _write(store, batch, run_id, "claim", ({"item": item, "until": until} for item in new))


def release(store: PartStore, batch: str, run_id: str, items: Iterable[str]) -> None:
    """Record which claimed items the run will not label: the next run may ask about them."""
    held = held_by(store, batch, run_id)
    freed = sorted(item for item in set(items) if item in held)
    if freed:
        _write(store, batch, run_id, "release", ({"item": item} for item in freed))


def held_by(store: PartStore, batch: str, run_id: str) -> dict[str, str]:
    """Return item -> until of the items that one run claims."""
    return _fold(store, batch, only=run_id).get(run_id, {})


def run_ids(store: PartStore, batch: str) -> set[str]:
    """Return the ids of the runs that ever claimed items of the batch."""
    prefix = _prefix(batch)
    return {key.removeprefix(prefix).rpartition("/")[0] for key in store.keys(prefix)}


def all_held(store: PartStore, batch: str) -> dict[str, dict[str, str]]:
    """Return run id -> item -> until of every run that ever claimed items of the batch, lapsed ones too."""
    return _fold(store, batch)


def taken_by_others(store: PartStore, batch: str, run_id: str, *, now: str) -> set[str]:
    """Return the items that other runs of the batch are asking about at a time (ISO 8601, UTC)."""
    return {
        item
        for run, items in _fold(store, batch).items()
        if run != run_id
        for item, until in items.items()
        if until > now
    }


def claiming_runs(store: PartStore, batch: str, *, now: str) -> list[str]:
    """Return the ids of the runs that ask about items of the batch at a time (ISO 8601, UTC)."""
    return sorted(
        run for run, items in _fold(store, batch).items() if any(until > now for until in items.values())
    )


def _fold(store: PartStore, batch: str, *, only: str | None = None) -> dict[str, dict[str, str]]:
    held: dict[str, dict[str, str]] = {}
    for run_id, rows in _entries(store, batch, only):
        items = held.setdefault(run_id, {})
        for row in rows:
            if row["kind"] == "claim":
                items[row["item"]] = row["until"]
            else:
                items.pop(row["item"], None)
    return held
