"""The items of a run: cut into shards, fixed once, and claimed so that no later run asks about them again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger.ledger import Ledger, decode, encode
from groundswell.ledger.store import PartStore

_INDEX = "index"


def write_shards(ledger: Ledger, shards: Iterable[Sequence[Mapping[str, Any]]]) -> None:
    """Fix the items of the run: the shards first, then the index that makes them count.

    Where an index exists the call changes nothing: a cleared task keeps the items that the run began with,
    whatever became of the dataset since.

    :param shards: rows ``{"item": id, "values": {column: text}}``.
    """
    index = []
    for number, rows in enumerate(shards):
        key = ledger.append("items", rows)
        index.append({"shard": number, "key": key, "items": len(rows)})
    ledger.write("shards", _INDEX, index)


def read_index(ledger: Ledger) -> list[dict[str, Any]] | None:
    """Return the rows of the index (``shard``, ``key``, ``items``), or None before :func:`write_shards`."""
    key = ledger.key("shards", _INDEX)
    body = ledger.store.get(key)
    return None if body is None else list(decode(body, key))


def read_shard(ledger: Ledger, shard: int) -> dict[str, dict[str, str]]:
    """Return item id -> values of one shard. Raises LedgerError where it is missing."""
    for entry in read_index(ledger) or ():
        if entry["shard"] == shard:
            body = ledger.store.get(entry["key"])
            if body is not None:
                return {row["item"]: row["values"] for row in decode(body, entry["key"])}
    raise LedgerError(f"{ledger.prefix} has no item shard {shard}; clear load_dataset and run it again")


def read_items(ledger: Ledger) -> dict[str, dict[str, str]]:
    """Return item id -> values of the whole run, in the order of the dataset."""
    items: dict[str, dict[str, str]] = {}
    for entry in read_index(ledger) or ():
        items |= read_shard(ledger, entry["shard"])
    return items


def _claim_key(batch: str, run_id: str, suffix: str) -> str:
    return f"{batch}/_claims/{run_id}.{suffix}"


def claim(store: PartStore, batch: str, run_id: str, items: Iterable[str]) -> None:
    """Record that a run asks about these items, so that later runs leave them alone."""
    store.put_if_absent(_claim_key(batch, run_id, "claimed"), encode({"item": item} for item in items))


def release(store: PartStore, batch: str, run_id: str, items: Iterable[str]) -> None:
    """Record which claimed items the run did not label: the next run may ask about them again."""
    body = json.dumps(sorted(items)).encode()
    store.put(_claim_key(batch, run_id, "released"), body)


def released(store: PartStore, batch: str, run_id: str) -> bool:
    """Return whether the run has said which of its items later runs may have."""
    return store.get(_claim_key(batch, run_id, "released")) is not None


def _claims(store: PartStore, batch: str) -> Iterator[tuple[str, str]]:
    prefix = f"{batch}/_claims/"
    for key in store.keys(prefix):
        run_id, _, suffix = key.removeprefix(prefix).rpartition(".")
        yield run_id, suffix


def claimed_by_others(store: PartStore, batch: str, run_id: str) -> set[str]:
    """Return the items that other runs of the batch labelled or are asking about."""
    held: dict[str, set[str]] = {}
    freed: dict[str, set[str]] = {}
    for run, suffix in _claims(store, batch):
        key = _claim_key(batch, run, suffix)
        body = store.get(key) or b""
        if run == run_id:
            continue
        if suffix == "claimed":
            held[run] = {row["item"] for row in decode(body, key)}
        elif suffix == "released":
            freed[run] = set(json.loads(body or b"[]"))
    return {item for run, items in held.items() for item in items - freed.get(run, set())}
