"""The index of a ledger against the fold of the ledger, whatever was written in whatever order."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.ledger import Ledger
from groundswell.ledger.ledger import encode
from groundswell.ledger.shards import write_shards
from groundswell.views import building, keeping, packs
from tests.groundswell.ledger.test_fold_any_order import ROWS, Row
from tests.groundswell.views.index_ledgers import (
    answer,
    check,
    complete,
    hit,
    index_at,
    label_row,
    moment,
    whole,
)
from tools.chaos.memory_store import MemoryStore

PARTS = st.lists(st.lists(ROWS, min_size=1, max_size=6), max_size=8)


@settings(max_examples=25, deadline=None)
@given(PARTS, PARTS)
def test_it_says_what_the_fold_says_also_when_it_goes_on(
    first: list[list[Row]], then: list[list[Row]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(MemoryStore(), "iris", "run")
        write_shards(ledger, [[{"item": "c", "values": {}}, {"item": "d", "values": {}}]])
        index = index_at(Path(folder) / "index.sqlite")
        for parts in (first, then):
            for rows in parts:
                append(ledger, rows)
            assert index.sync(ledger, seconds=60).complete
            check(index, ledger, ["c", "d"])


# However an index was made


@st.composite
def ordinary(draw: st.DrawFn) -> list[Row]:
    """The rows of one item as nearly all items have them."""
    item = draw(st.sampled_from(["a", "b", "c", "d", "E"]))
    rows: list[Row] = [("hits", hit(item, seats=2))]
    for worker in draw(st.lists(st.sampled_from(["AX", "AY", "AZ"]), unique=True)):
        minute = draw(st.integers(0, 90))
        row = answer(item, worker, draw(st.sampled_from(["x", "y", None])), minute)
        rows.append(("answers", row))
        if draw(st.booleans()):
            payment = {"assignment": row["assignment"], "item": item, "cents": draw(st.integers(1, 9))}
            rows.append(("payments", payment | {"at": moment(minute)}))
    if draw(st.booleans()):
        rows.append(("extensions", {"item": item, "seats": 3, "expires": moment(700), "token": "t"}))
        reserved = {"item": item, "seats": 3, "number": 0, "token": f"t{item}", "at": moment(3)}
        rows.append(("reservations", reserved))
    if ended := draw(st.sampled_from(["settled", "gave_up", "lost", "budget", "expired", ""])):
        rows.append(("outcomes", {"item": item, "outcome": ended, "seats": 3, "rejected": 0}))
    rows += [(kind, {"item": item}) for kind in draw(st.sampled_from([[], ["deletions"], ["expirations"]]))]
    return rows


@st.composite
def ways(draw: st.DrawFn) -> tuple[list[list[Row]], int, list[dict[str, str]]]:
    """Rows in parts, some of them in several; where the first sync comes; labels of two consolidations."""
    rows = [row for item in draw(st.lists(ordinary(), max_size=5)) for row in item]
    rows += draw(st.lists(ROWS, max_size=6))
    if rows:
        rows += draw(st.lists(st.sampled_from(rows), max_size=4))
    rows = draw(st.permutations(rows))
    size = draw(st.integers(1, 12))
    parts = [rows[start : start + size] for start in range(0, len(rows), size)]
    labels = st.dictionaries(st.sampled_from(["a", "b", "F"]), st.sampled_from(["x", "z"]), max_size=3)
    return parts, draw(st.integers(0, len(parts))), draw(st.lists(labels, max_size=2))


def append(ledger: Ledger, rows: list[Row]) -> None:
    by_kind = defaultdict(list)
    for kind, row in rows:
        by_kind[kind].append(row)
    for kind, several in by_kind.items():
        ledger.append(kind, several)


def consolidate(ledger: Ledger, number: int, labels: dict[str, str]) -> None:
    rows = [label_row(item, label, 0.25 + number / 2) for item, label in labels.items()]
    ledger.append("labels", rows)
    ledger.store.put("_labels/iris/run.jsonl", encode(rows))
    ledger.put_document("consolidation.json", {"updated": moment(number)})


@settings(max_examples=30, deadline=None)
@given(ways(), st.booleans())
def test_it_says_the_same_however_it_was_made(
    way: tuple[list[list[Row]], int, list[dict[str, str]]], small: bool
) -> None:
    """Built at once, built and kept up to date, and only kept up to date, in steps of any size."""
    parts, first, labels = way
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if small:
            for place in ((building, "_ROWS"), (keeping, "_ROWS"), (keeping, "_ITEMS"), (packs, "ITEMS")):
                patch.setattr(*place, 2)
            patch.setattr(building, "ITEMS", 2)
            patch.setattr(building, "_HEAP", 2)
        ledger = Ledger(MemoryStore(), "iris", "run")
        write_shards(ledger, [[{"item": item, "values": {}} for item in items] for items in ("cbF", "ad")])
        kept = complete(index_at(Path(folder) / "kept"), ledger)
        both = index_at(Path(folder) / "both")
        for rows in parts[:first]:
            append(ledger, rows)
        for number, given_labels in enumerate(labels):
            consolidate(ledger, number, given_labels)
            complete(both, ledger)
            complete(kept, ledger)
        complete(both, ledger)
        for rows in parts[first:]:
            append(ledger, rows)
        found = [whole(complete(index, ledger), ledger) for index in (both, kept)]
        at_once = complete(index_at(Path(folder) / "once"), ledger)
        assert found == [whole(at_once, ledger)] * 2
        for index in (at_once, both, kept):
            assert all_sums(index.path) == all_sums(at_once.path)


def all_sums(path: Path) -> list[Any]:
    """Sums and columns of the file that no question gives whole."""
    with closing(sqlite3.connect(path)) as db:
        return [
            db.execute(
                "SELECT item, labels.label, status, answers, cents, quarantined, rejected, withheld, "
                "extended, leading, judged, labelled, seats, agreement, confidence, last FROM items "
                "JOIN labels ON labels.id = lead ORDER BY item"
            ).fetchall(),
            db.execute(
                "SELECT worker, answers, quarantined, rejected, cents, seconds, timed, judged, agreed, last "
                "FROM workers WHERE answers > 0 ORDER BY worker"
            ).fetchall(),
        ]
