"""What the index knows of one item, and the labels that consolidations gave."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from groundswell.ledger import Ledger
from groundswell.ledger.ledger import encode
from groundswell.ledger.shards import write_shards
from groundswell.views.index import RunIndex
from tests.groundswell.views.index_ledgers import (
    answer,
    check,
    complete,
    hit,
    index_at,
    label_row,
    moment,
    small_ledger,
)
from tools.chaos.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class TestOneItem:
    def test_all_that_is_known(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        ledger.append(
            "withheld", [{"assignment": "Item-2-AY", "item": "Item-2", "reason": "too fast", "at": "1"}]
        )
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        view = index.item("Item-4", ledger)
        assert view is not None
        assert (view.item, view.status, view.values, view.hit) == (
            "Item-4",
            "settled",
            {"x": "ITEM-4"},
            "H-Item-4",
        )
        assert (view.seats, view.expires, view.deleted, view.cents) == (2, moment(600), False, 6)
        assert [(each.worker, each.label, each.seconds, each.paid) for each in view.answers] == [
            ("<AY>", "virginica", 60, False),
            ("<AX>", "setosa", 60, True),
        ]
        assert index.item("nobody", ledger) is None
        without = index.item("Item-4")
        assert without is not None
        assert (without.values, without.answers) == (None, view.answers)
        held = index.item("Item-2", ledger)
        assert held is not None
        assert [(each.withheld, each.paid) for each in held.answers] == [(False, True), (False, True)]

    def test_an_id_with_what_no_address_can_hold(self, tmp_path: Path, store: MemoryStore) -> None:
        """It is listed with an escape; asked for by that, it is the same item with all its columns."""
        ledger = Ledger(store, "iris", "run")
        write_shards(ledger, [[{"item": f"a{end}", "values": {"x": end}} for end in ("\ud800", "\ud801")]])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        for row, end in zip(index.items().rows, ("\ud800", "\ud801"), strict=True):
            row.item.encode()
            view = index.item(row.item, ledger)
            assert view is not None
            assert view.values == {"x": end}
            assert index.item(f"a{end}", ledger) is not None

    def test_no_worker_id_leaves_the_index(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        body = [
            {"item": "Item-1", "label": "setosa", "confidence": 1, "answers": [{"worker": "AX"}], "at": "1"}
        ]
        ledger.append("labels", body)
        index = complete(RunIndex(tmp_path / "i.sqlite"), ledger)
        shown = [index.item(f"Item-{number}", ledger) for number in range(8)]
        text = repr([shown, index.workers(), index.items(), index.counts(), index.synced()])
        assert "AX" not in text.replace("-AX", "").replace("AX'", "")
        assert re.search(r"worker='w-[0-9a-f]{10}'", text)

    @pytest.mark.parametrize("texts", list(itertools.permutations("mnz")))
    def test_twins_that_wrote_an_answer_differently(
        self, tmp_path: Path, store: MemoryStore, texts: tuple[str, ...]
    ) -> None:
        """The state keeps the row whose whole text comes first; the index does not keep whole texts."""
        ledger = small_ledger(store)
        for label, text in zip("xyz", texts, strict=True):
            ledger.append("answers", [answer("Item-0", "AZ", label, answer=text)])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        check(index, ledger)
        [kept] = [row for row in ledger.fold().answers_of("Item-0") if row["worker"] == "AZ"]
        assert kept["label"] == "xyz"[texts.index("m")]

    def test_texts_that_are_no_unicode(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        odd = "\ud800\x00<script>"
        ledger.append("hits", [hit(odd)])
        ledger.append("answers", [answer(odd, odd, odd)])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        [row] = index.items(search="\\ud800").rows
        view = index.item(odd, ledger)
        assert view is not None
        assert (row.item, row.answers, len(view.answers)) == (view.item, 1, 1)
        row.item.encode()


class TestLabels:
    def test_they_come_before_the_leading_label(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        assert (index.counts().labelled, index.counts().by_label) == (0, {"setosa": 5})
        ledger.append("labels", [label_row("Item-0", "virginica"), label_row("Item-2", "virginica")])
        complete(index, ledger)
        assert index.counts().labelled == 2
        view = index.item("Item-0", ledger)
        assert view is not None
        assert view.label_row == {"label": "virginica", "confidence": 0.75, "at": "1", "method": "m"}
        [first] = index.items(search="Item-0").rows
        assert (first.label, first.labelled, first.confidence) == ("virginica", True, 0.75)

    def test_those_of_a_later_consolidation_take_their_place(
        self, tmp_path: Path, store: MemoryStore
    ) -> None:
        ledger = small_ledger(store)
        index = index_at(tmp_path / "i.sqlite")
        for number, labels in enumerate(({"Item-0": "x", "Item-1": "x"}, {"Item-1": "y"}, {"Item-1": "x"})):
            rows = [label_row(item, label, number / 10) for item, label in labels.items()]
            ledger.append("labels", rows)
            store.put("_labels/iris/run.jsonl", encode(rows))
            ledger.put_document("consolidation.json", {"updated": moment(number)})
            complete(index, ledger)
            found = {row.item: row.label for row in index.items().rows if row.labelled}
            assert found == labels
            assert index.counts().labelled == len(labels)
