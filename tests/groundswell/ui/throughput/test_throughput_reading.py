"""Many days at once: each revision once, in bounded memory and time, and no number of a wrong revision."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from groundswell.reports import tables
from groundswell.reports.schema import WORKERS
from groundswell.ui.throughput.filters import Span
from groundswell.ui.throughput.reading import Kept, Reader, UnreachableError

DAY = date(2026, 11, 1)


class Store:
    """Counts what is read; ``slow`` and ``broken`` are asked at every read."""

    def __init__(self, days: int = 3) -> None:
        self.revisions = {DAY + timedelta(days=number): 1 for number in range(days)}
        self.read: list[str] = []
        self.most = self.now = 0
        self.lock = threading.Lock()
        self.slow = 0.0
        self.broken: Callable[[str], bool] = lambda what: False

    def _count(self, what: str) -> None:
        with self.lock:
            self.read.append(what)
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.slow)
        with self.lock:
            self.now -= 1
        if self.broken(what):
            raise ConnectionError("refused")

    def days(self) -> list[date]:
        self._count("days")
        return list(self.revisions)

    def current(self, day: date) -> dict[str, Any] | None:
        self._count(f"current {day}")
        return {"revision": self.revisions[day], "files": ["workers.parquet"]}

    def file(self, day: date, record: Mapping[str, Any], name: str) -> bytes | None:
        self._count(f"file {day} {record['revision']}")
        return tables.to_parquet(WORKERS.frame({"day": [str(day)] * record["revision"]}), WORKERS)

    def body(self, day: date, file: str, revision: int | None = None) -> bytes | None:
        self._count("body")
        return b""


def reading(store: Store, **how: Any) -> Reader:
    return Reader(lambda: store, **how)


def span(days: int = 3) -> Span:
    return Span(DAY, DAY + timedelta(days=days - 1))


def lengths(reader: Reader) -> list[int]:
    found, _ = reader.tables(reader.read(span()), "workers")
    return [len(table) for table in found.values()]


def test_what_does_not_change_is_read_once() -> None:
    store = Store()
    reader = reading(store, fresh=1e9)
    for _ in range(3):
        assert lengths(reader) == [1, 1, 1]
    assert len(store.read) == len(set(store.read)) == 7  # the list, three records, three files


def test_a_new_revision_is_seen_and_only_that_is_read_again() -> None:
    store, now = Store(), 0.0
    reader = reading(store, fresh=20.0, clock=lambda: now)
    assert lengths(reader) == [1, 1, 1]
    store.revisions[DAY] = 2
    now = 19.0
    assert lengths(reader) == [1, 1, 1]
    store.read.clear()
    now = 21.0
    assert lengths(reader) == [2, 1, 1]
    assert [what for what in store.read if what.startswith("file")] == [f"file {DAY} 2"]


def test_days_are_read_side_by_side() -> None:
    store = Store(8)
    store.slow = 0.05
    reader = reading(store, readers=8)
    reader.tables(reader.read(span(8)), "workers")
    assert 4 <= store.most <= 8


def test_one_day_that_cannot_be_read_is_told_and_all_is_an_error() -> None:
    store = Store()
    store.broken = lambda what: what == f"current {DAY}"
    days = reading(store).read(span())
    assert dict(days.unread) == {DAY: "refused"}
    assert len(days.records) == 2
    assert days.missing == []
    store.broken = lambda what: what.startswith("current")
    with pytest.raises(UnreachableError, match="refused"):
        reading(store).read(span())


def test_a_store_that_hangs_is_given_up() -> None:
    store = Store()
    answers = threading.Event()
    store.broken = lambda what: not answers.wait(30)
    try:
        with pytest.raises(UnreachableError, match=r"did not answer within 0\.05 seconds"):
            reading(store, patience=0.05).days()
    finally:
        answers.set()


def test_what_failed_is_tried_again() -> None:
    store = Store()
    store.broken = lambda what: True
    reader = reading(store, fresh=1e9)
    with pytest.raises(UnreachableError):
        reader.days()
    store.broken = lambda what: False
    assert lengths(reader) == [1, 1, 1]


def test_kept_values_stay_below_the_limit_and_the_least_used_goes_first() -> None:
    kept = Kept(100)
    made: list[str] = []

    def get(key: str, size: int = 40) -> str:
        return kept.get(key, lambda: made.append(key) or key, lambda _: size)

    for key in ("a", "b", "a", "c"):
        assert get(key) == key
    assert kept.size == 80
    get("a")
    assert made == ["a", "b", "c"]  # b was the least used
    get("b")
    assert made == ["a", "b", "c", "b"]
    assert get("huge", 101) == "huge"  # larger than all: given, not kept
    assert kept.size <= 100


def test_who_asks_meanwhile_waits_for_the_same_value() -> None:
    kept, made = Kept(100), []
    begun = threading.Event()

    def make() -> int:
        begun.set()
        time.sleep(0.1)
        made.append(1)
        return 7

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(kept.get, "a", make, lambda _: 1)
        begun.wait(10)
        others = [pool.submit(kept.get, "a", make, lambda _: 1) for _ in range(3)]
        assert [each.result(10) for each in (first, *others)] == [7] * 4
    assert made == [1]


def test_an_error_is_for_all_who_wait_and_is_not_kept() -> None:
    kept = Kept(100)

    def fail() -> int:
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        kept.get("a", fail, lambda _: 1)
    assert kept.get("a", lambda: 3, lambda _: 1) == 3
