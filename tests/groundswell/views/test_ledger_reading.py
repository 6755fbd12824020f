"""Reading large ledgers: a few parts ahead, and large objects piece by piece."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore, Ledger
from groundswell.ledger.ledger import READERS, encode
from groundswell.views.label_rows import label_rows, placed_label_rows, version_of_labels
from groundswell.views.reading import bodies, lines
from tools.chaos.memory_store import MemoryStore


class Pieces(MemoryStore):
    """Gives objects in pieces of a few bytes."""

    size = 3

    def chunks(self, key: str) -> list[bytes] | None:
        body = self.get(key)
        step = self.size
        return None if body is None else [body[at : at + step] for at in range(0, len(body), step)]


@given(st.lists(st.binary(max_size=8).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 20))
def test_lines_of_pieces_are_lines_of_the_whole(several: list[bytes], size: int) -> None:
    store = Pieces()
    store.size = size
    for ending in (b"", b"\n"):
        store.put("key", b"\n".join(several) + ending)
        found = list(lines(store, "key"))
        assert b"\n".join(found).rstrip(b"\n") == b"\n".join(several).rstrip(b"\n")
        plain = MemoryStore(dict(store.objects))
        assert list(lines(plain, "key")) == found


def test_a_folder_gives_pieces(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    body = bytes(range(256)) * 10_000
    store.put("a/b", body)
    pieces = store.chunks("a/b")
    assert pieces is not None
    found = list(pieces)
    assert (b"".join(found) == body, len(found)) == (True, 3)
    assert [store.chunks(key) for key in ("a", "a/c", "a/b/c")] == [None] * 3


def test_no_more_parts_are_ahead_than_are_read_at_once() -> None:
    class Counting(MemoryStore):
        def get(self, key: str) -> bytes | None:
            started.append(key)
            readers.add(threading.current_thread())
            return super().get(key)

    started: list[str] = []
    readers: set[threading.Thread] = set()
    store = Counting({f"{number:03d}": b"x" for number in range(200)})
    taken = 0
    for key, body in bodies(store, sorted(store.objects)):
        assert (key, body) == (f"{taken:03d}", b"x")
        taken += 1
        assert len(started) <= taken + READERS
    assert taken == 200
    assert len(readers) <= READERS
    assert not [reader for reader in readers if reader.is_alive()]


def test_a_part_that_is_gone() -> None:
    with pytest.raises(LedgerError, match="b is gone; restore"):
        list(bodies(MemoryStore({"a": b"", "c": b""}), ["a", "b", "c"]))


class TestLabels:
    def rows(self, label: str, at: str = "1") -> list[dict[str, str]]:
        return [{"item": item, "label": label, "at": at} for item in "abc"]

    def found(self, ledger: Ledger) -> set[str]:
        return {row["label"] for row in label_rows(ledger)}

    def test_one_part(self) -> None:
        ledger = Ledger(Pieces(), "iris", "run")
        assert (self.found(ledger), version_of_labels(ledger)) == (set(), "")
        ledger.append("labels", self.rows("x"))
        assert self.found(ledger) == {"x"}
        ends = [(row["item"], end) for end, row in placed_label_rows(ledger)]
        for place, (_, end) in enumerate(ends, start=1):
            assert [(row["item"], at) for at, row in placed_label_rows(ledger, start=end)] == ends[place:]

    @pytest.mark.parametrize("latest", ["x", "y", "z"])
    def test_what_was_handed_over_last_counts(self, latest: str) -> None:
        ledger = Ledger(Pieces(), "iris", "run")
        for label in "xyz":
            ledger.append("labels", self.rows(label))
        ledger.store.put("_labels/iris/run.jsonl", encode(self.rows(latest)))
        assert self.found(ledger) == {latest}

    def test_the_latest_time_where_nothing_was_handed_over(self) -> None:
        ledger = Ledger(Pieces(), "iris", "run")
        for label, at in (("x", "2026-02"), ("y", "2026-03"), ("z", "2026-01")):
            ledger.append("labels", self.rows(label, at))
        assert self.found(ledger) == {"y"}

    def test_the_version_changes_with_every_consolidation(self) -> None:
        ledger = Ledger(MemoryStore(), "iris", "run")
        versions = []
        for label, at in (("x", "1"), ("y", "2"), ("x", "3")):
            ledger.append("labels", self.rows(label))
            ledger.put_document("consolidation.json", {"updated": f"2026-01-0{at}T00:00:00+00:00"})
            versions.append(version_of_labels(ledger))
        assert len(set(versions)) == 3
        assert version_of_labels(ledger) == versions[-1]
