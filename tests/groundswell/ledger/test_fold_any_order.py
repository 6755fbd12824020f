"""The fold with rows of every kind: any order, duplicates, and halves that are read twice."""

from __future__ import annotations

import copy
from dataclasses import fields
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.ledger import Outcome, RunState
from groundswell.ledger.ledger import FOLDED, decode, encode

Row = tuple[str, dict[str, Any]]

ITEMS = st.sampled_from(["a", "b", "c"])
ASSIGNMENTS = st.sampled_from(["a1", "a2", "b1", "b2", "c1"])  # the first letter is the item
WORKERS = st.sampled_from(["W1", "W2"])
TIMES = st.integers(0, 5).map(lambda minute: f"2026-01-01T00:0{minute}:00+00:00")
CENTS = st.integers(1, 3)
SEATS = st.integers(1, 4)
TOKENS = st.sampled_from(["t1", "t2", "t3"])
WORDS = st.sampled_from(["x", "y"])


def row(**columns: st.SearchStrategy[Any] | str) -> st.SearchStrategy[dict[str, Any]]:
    given_columns = {
        key: st.just(value) if isinstance(value, str) else value for key, value in columns.items()
    }
    return st.fixed_dictionaries(given_columns)


def of_item(rows: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """An assignment is of one item, as at the workforce."""
    return rows.map(lambda each: each | {"item": each["assignment"][0]})


def maybe(rows: st.SearchStrategy[dict[str, Any]], **columns: st.SearchStrategy[Any]) -> Any:
    """Rows in which some columns may be missing: older ledgers lack them."""
    extra = st.fixed_dictionaries({}, optional=columns)
    return st.tuples(rows, extra).map(lambda pair: pair[0] | pair[1])


KINDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "spend": row(at=TIMES, certain_cents=CENTS, month=st.sampled_from(["2026-01", "2026-02"])),
    "approvals": maybe(
        row(
            what=st.sampled_from(["spend", "overrun", "rejections", "stop"]),
            at=TIMES,
            by=WORKERS,
            limit_cents=st.none() | CENTS,
            text=WORDS,
        ),
        month=st.sampled_from(["2026-01", "2026-02"]),
    ),
    "intents": row(token=TOKENS, purpose="publish", item=ITEMS, at=TIMES),
    "hits": row(
        item=ITEMS, hit=st.sampled_from(["H1", "H2", "H3"]), hit_type="T", seats=SEATS, expires=TIMES
    ),
    "answers": of_item(
        row(
            assignment=ASSIGNMENTS,
            worker=WORKERS,
            accepted=TIMES,
            submitted=TIMES,
            label=st.none() | WORDS,
            problem=st.none() | WORDS,
        )
    ),
    "withheld": of_item(row(assignment=ASSIGNMENTS, worker=WORKERS, reason=WORDS, at=TIMES)),
    "payments": maybe(of_item(row(assignment=ASSIGNMENTS, cents=CENTS)), at=TIMES),
    "rejections": of_item(row(assignment=ASSIGNMENTS, worker=WORKERS, feedback=WORDS, at=TIMES)),
    "reservations": maybe(
        row(token=TOKENS, purpose="extend", item=ITEMS, seats=SEATS, at=TIMES),
        number=st.integers(0, 3),
        replaces=ASSIGNMENTS,
    )
    | row(
        item=ITEMS,
        outcome=st.sampled_from(["settled", "gave_up", "expired"]),
        seats=SEATS,
        rejected=st.integers(0, 2),
        number=st.integers(0, 3),
    ),
    "extensions": maybe(
        row(item=ITEMS, hit="H1", seats=SEATS, token=TOKENS, expires=TIMES), replaces=ASSIGNMENTS
    ),
    "outcomes": maybe(
        row(item=ITEMS, outcome=st.sampled_from([str(each) for each in Outcome])),
        seats=SEATS,
        rejected=st.integers(0, 2),
        number=st.integers(0, 3),
    ),
    "bonuses": row(
        token=TOKENS,
        assignment=ASSIGNMENTS,
        worker=WORKERS,
        cents=CENTS,
        fee_cents=CENTS,
        reason=WORDS,
        at=TIMES,
    ),
    "notices": row(
        token=TOKENS, workers=st.lists(WORKERS), subject=WORDS, at=TIMES, failed=st.lists(WORKERS)
    ),
    "expirations": row(item=ITEMS, hit="H1", at=TIMES),
    "deletions": row(item=ITEMS, hit="H1", at=TIMES),
    "resources": row(
        type=st.sampled_from(["model", "endpoint"]),
        name=WORDS,
        state=st.sampled_from(["intended", "created", "deleted"]),
        at=TIMES,
    ),
}
ROWS = st.sampled_from(sorted(KINDS)).flatmap(lambda kind: st.tuples(st.just(kind), KINDS[kind]))


def fold(rows: list[Row]) -> RunState:
    state = RunState()
    for kind, each in rows:
        state.add(kind, each)
    return state


def facts(state: RunState) -> dict[str, Any]:
    """Everything that a caller can ask of a state."""
    plain = {each.name: getattr(state, each.name) for each in fields(state) if not each.name.startswith("_")}
    derived = {
        name: getattr(state, name)
        for name, value in vars(RunState).items()
        if isinstance(value, property) and not name.startswith("_")
    }
    for name in ("open_items", "out_of_money", "half_opened"):
        derived[name] = sorted(derived[name])  # in the order of the HITs, which is the order of writing
    for item in "abc":
        derived[f"answers of {item}"] = state.answers_of(item)
        derived[f"counted of {item}"] = state.counted(item)
        derived[f"rejected of {item}"] = state.rejected_of(item)
        derived[f"{item} closed before"] = state.closed_before(item)
    return plain | derived


def test_every_kind_is_tried() -> None:
    assert sorted(KINDS) == sorted(FOLDED)
    for kind in FOLDED:
        assert hasattr(RunState, f"_add_{kind}"), kind


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_order_and_duplicates_give_the_same_state(data: st.DataObject) -> None:
    rows = data.draw(st.lists(ROWS, max_size=25))
    again = data.draw(st.lists(st.sampled_from(rows), max_size=10)) if rows else []
    shuffled = data.draw(st.permutations(rows + again))
    assert facts(fold(shuffled)) == facts(fold(rows))


@settings(max_examples=100, deadline=None)
@given(st.lists(ROWS, max_size=25), st.integers(0, 25), st.integers(0, 25))
def test_halves_that_overlap_are_the_whole(rows: list[Row], first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert facts(fold(rows[:high] + rows[low:])) == facts(fold(rows))
    state = fold(rows[:low])  # a process that goes on with a state it has
    for kind, each in rows[low:]:
        state.add(kind, each)
    assert facts(state) == facts(fold(rows))


@settings(max_examples=50, deadline=None)
@given(st.lists(ROWS, max_size=10))
def test_the_fold_keeps_no_hold_on_what_it_was_given(rows: list[Row]) -> None:
    copies = copy.deepcopy(rows)
    state = fold(rows)
    before = copy.deepcopy(facts(state))
    for _, each in rows:
        each.clear()
    assert facts(state) == before
    parts = [(kind, next(decode(encode([each]), "key"))) for kind, each in copies]
    assert facts(fold(parts)) == before
