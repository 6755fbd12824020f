"""The book of a month: what runs hold never passes the limit, however many want it at once."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.errors import LedgerError, MonthFull
from groundswell.ledger import FolderStore, months
from groundswell.ledger.ledger import decode

MONTH = "2026-11"
cents = st.integers(min_value=0, max_value=60)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def hold(store: FolderStore, run: str, amount: int, limit: int | None = None, spent: int = 0) -> None:
    months.hold(store, "iris", MONTH, run, amount, limit_cents=limit, spent_cents=spent)


def sums(store: FolderStore) -> list[int]:
    """What all runs held, after each entry."""
    keys = store.keys(f"_months/iris/{MONTH}/")
    return [sum(row["cents"] for row in decode(store.get(key) or b"", key)) for key in keys]


def test_a_month_is_that_of_utc() -> None:
    east = timezone(timedelta(hours=14))
    assert months.month_of(datetime(2026, 12, 1, 13, tzinfo=east)) == MONTH
    assert months.month_of(datetime(2026, 12, 1, tzinfo=UTC)) == "2026-12"


def test_the_last_hold_of_a_run_counts(store: FolderStore) -> None:
    assert months.read(store, "iris", MONTH).held_cents == 0
    hold(store, "a", 50)
    hold(store, "b", 30, spent=10)
    hold(store, "a", 20, spent=20)
    book = months.read(store, "iris", MONTH)
    assert (book.held_cents, book.spent_cents, book.others_cents("a")) == (50, 30, 30)
    assert (book.held_by("a"), book.held_by("nobody")) == (20, None)
    assert book.unspent(but="a") == {"b": 20}
    assert book.unspent(but="b") == {}
    assert months.months(store, "iris") == [MONTH]
    assert months.months(store, "other") == []


def test_an_empty_entry_is_not_a_month_in_which_nothing_is_held(store: FolderStore) -> None:
    hold(store, "a", 50)
    store.put(f"_months/iris/{MONTH}/000000.jsonl", b"")
    with pytest.raises(LedgerError, match=r"000000\.jsonl is empty"):
        hold(store, "b", 30, limit=60)


def test_the_same_again_writes_nothing(store: FolderStore) -> None:
    hold(store, "a", 50)
    hold(store, "a", 50)
    assert sums(store) == [50]
    months.change(store, "iris", MONTH, "a", lambda _: (50, 0), confirm=True)
    assert sums(store) == [50, 50]


def test_a_month_that_is_full_is_told_with_the_numbers(store: FolderStore) -> None:
    hold(store, "gone", 30, 100, spent=30)
    hold(store, "busy", 60, 100, spent=25)
    with pytest.raises(MonthFull) as caught:
        hold(store, "new", 11, 100)
    assert str(caught.value) == (
        "of the $1.00 of 2026-11, other runs have spent $0.55, $0.35 is held by `busy` $0.35: $0.11 for run "
        "new does not fit"
    )
    hold(store, "new", 10, 100)
    hold(store, "busy", 25, 1, spent=25)
    assert months.read(store, "iris", MONTH).held_cents == 65, "giving back is never refused"


def test_what_is_computed_is_computed_from_what_is_in_force(store: FolderStore) -> None:
    hold(store, "a", 40)
    seen: list[int] = []

    def wanted(book: months.MonthBook) -> tuple[int, int]:
        seen.append(book.number)
        if len(seen) == 1:
            hold(store, "b", 10)  # somebody is first
        return 5, 0

    months.change(store, "iris", MONTH, "a", wanted)
    assert seen == [1, 2]
    assert sums(store) == [40, 50, 15]


def test_a_damaged_book_is_told(store: FolderStore) -> None:
    hold(store, "a", 40)
    store.put(f"_months/iris/{MONTH}/000001.jsonl", b"{")
    with pytest.raises(LedgerError, match=r"_months/iris/2026-11/000001.jsonl line 1 is not JSON"):
        months.read(store, "iris", MONTH)


@settings(max_examples=25)
@given(
    plans=st.lists(st.lists(cents, min_size=1, max_size=5), min_size=2, max_size=5),
    limit=st.integers(min_value=0, max_value=150),
)
def test_no_two_runs_take_the_last_cents(plans: list[list[int]], limit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))

        def run(number: int) -> int:
            refused = 0
            for amount in plans[number]:
                try:
                    hold(store, f"run-{number}", amount, limit)
                except MonthFull:
                    refused += 1
            return refused

        with ThreadPoolExecutor(len(plans)) as pool:
            refused = sum(pool.map(run, range(len(plans))))
        assert max(sums(store), default=0) <= limit
        if sum(max(plan) for plan in plans) <= limit:
            assert refused == 0, "there was room for all of them at any time"


@settings(max_examples=15)
@given(
    before=st.lists(cents, min_size=1, max_size=4),
    over=st.integers(min_value=1, max_value=50),
    limit=st.integers(min_value=1, max_value=100),
)
def test_only_the_run_for_which_it_was_approved_passes_the_limit(
    before: list[int], over: int, limit: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder))
        for number, amount in enumerate(before):
            if months.read(store, "iris", MONTH).held_cents + amount <= limit:
                hold(store, f"run-{number}", amount, limit)
        free = limit - months.read(store, "iris", MONTH).held_cents
        hold(store, "approved", free + over, limit + over)
        assert sums(store)[-1] == limit + over
        with pytest.raises(MonthFull):
            hold(store, "another", 1, limit)
