"""Damaged parts, damaged and old files of an index, and files that may not grow."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from groundswell.errors import LedgerError
from groundswell.views.index import RunIndex
from tests.groundswell.views.index_ledgers import check, complete, index_at, small_ledger
from tools.chaos.memory_store import MemoryStore

PAYMENT = b'{"assignment": "Item-1-AX", "item": "Item-1", '


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class TestBadInput:
    @pytest.mark.parametrize(
        ("kind", "body", "says"),
        [
            ("answers", b'{"item": "a"', "line 1 is not JSON"),
            ("answers", b'{"item": "a"}\n', "lacks 'assignment'"),
            ("hits", b"[]\n", "no JSON object"),
            ("outcomes", b'{"item": 3, "outcome": "settled"}\n', "says 3 for 'item'"),
            ("outcomes", b'{"item": "a", "outcome": "eaten"}\n', "eaten"),
            ("bonuses", b"{}\n", "lacks"),
            ("hits", b'{"item": "a", "hit": 1, "seats": "x", "expires": "3"}\n', "says 1 for 'hit'"),
            ("labels", b'{"item": "a"}\n3\n', "line 2 is no JSON object"),
            ("payments", PAYMENT + b'"cents": NaN}\n', "says nan for 'cents'"),
            (
                "payments",
                PAYMENT + b'"cents": 1}\n' + PAYMENT + b'"cents": 2%s}\n' % (b"0" * 30),
                "says 2000",
            ),
            ("payments", PAYMENT + b'"at": "1", "cents": 9000000000000000}\n', "says 9000"),
            ("extensions", b'{"item": "Item-1", "seats": %s, "expires": "3"}\n' % (b"9" * 30), "for 'seats'"),
        ],
    )
    def test_a_damaged_part_is_named_and_what_was_read_stays(
        self, tmp_path: Path, store: MemoryStore, kind: str, body: bytes, says: str
    ) -> None:
        ledger = small_ledger(store)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        before = index.counts()
        key = ledger.key(kind, "damaged")
        store.put(key, body)
        for _ in range(2):
            with pytest.raises(LedgerError) as caught:
                index.sync(ledger, seconds=60)
            assert says in str(caught.value)
            assert "restore" in str(caught.value)
        assert index.counts() == before
        # Restored under its name
        store.put(key, b"")
        complete(index, ledger)
        check(index, ledger)

    @pytest.mark.parametrize("confidence", ["NaN", "-Infinity", "1" * 400])
    def test_an_absurd_confidence_is_none(self, tmp_path: Path, store: MemoryStore, confidence: str) -> None:
        ledger = small_ledger(store)
        kept = complete(index_at(tmp_path / "kept.sqlite"), ledger)
        store.put(
            ledger.key("labels", "x"),
            b'{"item": "Item-0", "label": "z", "confidence": %s}\n' % confidence.encode(),
        )
        for index in (kept, index_at(tmp_path / "built.sqlite")):
            [row] = complete(index, ledger).items(label="z").rows
            assert (row.item, row.confidence) == ("Item-0", None)

    @pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "middle", "version"])
    def test_a_damaged_or_old_file_is_made_anew(
        self, tmp_path: Path, store: MemoryStore, damage: str
    ) -> None:
        ledger = small_ledger(store, items=200)
        path = tmp_path / "i.sqlite"
        complete(index_at(path), ledger)
        body = path.read_bytes()
        if damage == "version":
            with closing(sqlite3.connect(path)) as db:
                db.execute("PRAGMA user_version = 99")
        else:
            path.write_bytes(
                {
                    "garbage": b"not SQLite at all" * 1000,
                    "truncated": body[: len(body) // 2],
                    "empty": b"",
                    "middle": body[:4096] + b"\xff" * (len(body) - 8192) + body[-4096:],
                }[damage]
            )
        index = index_at(path)
        index.counts()  # no error, whatever it says
        complete(index, ledger)
        check(index, ledger)

    def test_a_file_that_may_not_grow(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store, items=300)
        with pytest.raises(LedgerError, match="raise the limit"):
            RunIndex(tmp_path / "i.sqlite", limit_bytes=200_000).sync(ledger, seconds=60)


def test_the_files_are_private(tmp_path: Path, store: MemoryStore) -> None:
    index = complete(index_at(tmp_path / "i.sqlite"), small_ledger(store))
    for path in tmp_path.glob("i.*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert index.path.exists()
