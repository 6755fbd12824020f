from __future__ import annotations

from pathlib import Path

from groundswell.ledger import FolderStore, Ledger
from tests.support.noting_stores import NotingStore


def answer(number: int) -> dict[str, object]:
    return {"assignment": f"3A{number}", "item": "a", "worker": "A1", "label": "x", "submitted": str(number)}


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    store = NotingStore(tmp_path)
    mine, twin = Ledger(store, "flowers", "run"), Ledger(store, "flowers", "run")
    mine.append("answers", [answer(1)])
    state = mine.fold()
    mine.record("answers", [answer(2)], state)
    key = twin.append("answers", [answer(3)])
    twin.append("items", [{"item": "a", "values": {}}])
    twin.put_document("progress.json", {})
    Ledger(store, "flowers", "run/2").append("answers", [answer(4)])
    store.read.clear()
    mine.refresh(state)
    assert store.read == [key]
    assert [row["assignment"] for row in state.answers_of("a")] == ["3A1", "3A2", "3A3"]
    store.read.clear()
    mine.refresh(state)
    assert store.read == []


def test_a_refreshed_state_is_what_a_new_one_would_be(tmp_path: Path) -> None:
    ledger = Ledger(FolderStore(tmp_path), "flowers", "run")
    state = ledger.fold()
    ledger.append("hits", [{"item": "a", "hit": "3H", "hit_type": "3T", "seats": 2, "expires": "2030"}])
    ledger.append("outcomes", [{"item": "a", "outcome": "settled", "seats": 2, "rejected": 0}])
    ledger.append("payments", [{"assignment": "3A1", "item": "a", "cents": 6, "at": "2026"}])
    assert state != ledger.fold()
    ledger.refresh(state)
    assert state == ledger.fold()
