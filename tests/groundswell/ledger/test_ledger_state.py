from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore, Ledger, Outcome, RunState, annotation, request_token
from groundswell.ledger.claims import claim, held_by, release, taken_by_others
from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.shards import (
    read_items,
    read_shard,
    write_shards,
)

HIT = {"item": "a", "hit": "H1", "hit_type": "T", "seats": 2, "expires": "2026-01-01T04:00:00+00:00"}
LATER = "2026-01-01T08:00:00+00:00"


def answer(assignment: str, label: str | None, hour: int = 1) -> dict[str, Any]:
    submitted = f"2026-01-01T0{hour}:00:00+00:00"
    return {"assignment": assignment, "item": "a", "worker": "A1", "submitted": submitted, "label": label}


ROWS: list[tuple[str, dict[str, Any]]] = [
    ("spend", {"at": "2026-01-01T00:00:00+00:00", "certain_cents": 12}),
    ("spend", {"at": "2026-01-01T00:00:09+00:00", "certain_cents": 0}),
    ("intents", {"token": "t", "at": "2026-01-01T00:00:01+00:00"}),
    ("intents", {"token": "t", "at": "2026-01-01T00:09:01+00:00"}),
    ("hits", HIT),
    ("answers", answer("X1", "cat")),
    ("answers", answer("X2", None, 2)),
    ("payments", {"assignment": "X1", "item": "a", "cents": 6}),
    ("payments", {"assignment": "X2", "item": "a", "cents": 6}),
    ("extensions", {"item": "a", "hit": "H1", "seats": 3, "token": "t", "expires": LATER}),
    ("outcomes", {"item": "a", "outcome": "expired"}),
    ("outcomes", {"item": "a", "outcome": "settled"}),
]


def fold(rows: list[tuple[str, dict[str, Any]]]) -> RunState:
    state = RunState()
    for kind, row in rows:
        state.add(kind, row)
    return state


def facts(state: RunState) -> tuple[Any, ...]:
    return (
        state.plan,
        state.intents,
        state.hits,
        state.answers,
        state.payments,
        state.seats,
        state.expires,
        state.outcomes,
        state.answers_of("a"),
        state.spent_cents,
        state.open_items,
    )


@given(st.permutations(ROWS + ROWS[3:9]))
def test_fold_tolerates_duplicates_and_any_order(rows: list[tuple[str, dict[str, Any]]]) -> None:
    assert facts(fold(rows)) == facts(fold(ROWS))


def test_fold_says_what_happened() -> None:
    state = fold(ROWS)
    assert state.spent_cents == 12
    assert state.seats == {"a": 3}
    assert state.expires == {"a": LATER}
    assert state.outcomes == {"a": Outcome.SETTLED}, "an agreement is not taken back by a slower twin"
    assert state.open_items == []
    assert state.plan is not None
    assert state.plan["certain_cents"] == 12, "the first plan is the one that was approved"
    assert state.intents == {"t": "2026-01-01T00:00:01+00:00"}
    assert [row["assignment"] for row in state.answers_of("a")] == ["X1", "X2"]


def test_parts_are_written_once_and_read_back(tmp_path: Path) -> None:
    ledger = Ledger(FolderStore(tmp_path), "iris", "manual__2026-01-01T00:00:00+00:00")
    key = ledger.append("hits", [HIT])
    assert key == ledger.append("hits", [HIT]), "equal rows are the same part"
    assert ledger.append("hits", []) is None
    assert len(list(ledger.store.keys("iris/"))) == 1
    assert ledger.write("shards", "index", [{"shard": 0}])
    assert not ledger.write("shards", "index", [{"shard": 9}]), "a named part is never replaced"
    assert ledger.fold().hits == {"a": HIT}


def test_damaged_part_is_named_with_its_line(tmp_path: Path) -> None:
    ledger = Ledger(FolderStore(tmp_path), "iris", "r")
    ledger.store.put(ledger.key("spend", "x"), b'{"at": "2026"}\n{"at": \n')
    with pytest.raises(LedgerError, match=r"iris/r/spend/x.jsonl line 2 .*restore"):
        ledger.fold()
    ledger.store.put(ledger.key("hits", "y"), b'{"item": "a"}\n')
    with pytest.raises(LedgerError, match=r"a part of kind hits lacks 'hit'"):
        ledger.fold("hits")


def test_unknown_kind_and_escaping_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="no parts of kind 'wages'"):
        Ledger(FolderStore(tmp_path), "iris", "r").append("wages", [{"a": 1}])
    with pytest.raises(LedgerError, match="leaves the folder"):
        FolderStore(tmp_path / "in").put("../out", b"")


def test_a_run_keeps_the_items_that_it_began_with(tmp_path: Path) -> None:
    ledger = Ledger(FolderStore(tmp_path), "iris", "r")
    rows = [{"item": str(number), "values": {"id": str(number)}} for number in range(5)]
    write_shards(ledger, [rows[:3], rows[3:]])
    write_shards(ledger, [[{"item": "other", "values": {}}]])
    assert list(read_items(ledger)) == ["0", "1", "2", "3", "4"]
    assert list(read_shard(ledger, 1)) == ["3", "4"]
    with pytest.raises(LedgerError, match="no item shard 2"):
        read_shard(ledger, 2)


NOW, SOON, LATE = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "2026-01-09T00:00:00+00:00"


def test_later_runs_leave_claimed_items_alone_until_they_are_released(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    claim(store, "iris", "run+1", ["a", "b", "c"], until=SOON)
    claim(store, "iris", "run+1", ["a", "b", "c"], until=SOON)
    assert taken_by_others(store, "iris", "run+2", now=NOW) == {"a", "b", "c"}
    assert taken_by_others(store, "iris", "run+1", now=NOW) == set()
    assert taken_by_others(store, "other", "run+2", now=NOW) == set()
    release(store, "iris", "run+1", ["b", "unknown"])
    assert held_by(store, "iris", "run+1").keys() == {"a", "c"}
    assert taken_by_others(store, "iris", "run+2", now=NOW) == {"a", "c"}
    claim(store, "iris", "run+1", ["b"], until=LATE)
    assert taken_by_others(store, "iris", "run+2", now=NOW) == {"a", "b", "c"}


def test_claims_of_a_run_that_died_lapse(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    claim(store, "iris", "run+1", ["a"], until=SOON)
    assert taken_by_others(store, "iris", "run+2", now=LATE) == set()


def test_shards_may_claim_at_the_same_time(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for number in range(24):
            pool.submit(claim, store, "iris", "r", [str(number)], until=SOON)
    assert len(held_by(store, "iris", "r")) == 24


@given(st.text())
def test_parts_carry_any_text(text: str) -> None:
    rows = [{"answer": text}, {"answer": f"{text}\u2028\x85\ud800"}]
    assert list(decode(encode(rows), "key")) == rows


@given(st.text(), st.text(min_size=1), st.integers(0, 9))
def test_tokens_fit_the_api_and_differ_by_purpose(run: str, item: str, ordinal: int) -> None:
    token = request_token("iris", run, item, "publish", ordinal)
    assert token == request_token("iris", run, item, "publish", ordinal)
    assert 1 <= len(token) <= 64
    others = [("iris", run, item, "extend", ordinal), ("iris", run, item, "publish", ordinal + 1)]
    others += [("iris", run, f"{item}x", "publish", ordinal), ("iris", f"{run}x", item, "publish", ordinal)]
    assert token not in {request_token(*other) for other in others}


@given(st.text(min_size=1, max_size=400))
def test_annotations_fit_and_are_one_to_one(item: str) -> None:
    text = annotation("iris", "run", item)
    assert len(text) <= 255
    assert text == annotation("iris", "run", item)
    assert text != annotation("iris", "run", f"{item}x")
    assert text != annotation("iris", "run2", item)
