"""The items of a run: cut into shards, and fixed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger.ledger import Ledger, decode

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
