"""Rows taken apart by a pattern, and items told at a glance: the same as by the parser and by the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.ledger import Ledger
from groundswell.ledger.ledger import encode
from groundswell.views import record_rows, syncing
from groundswell.views.alike_rows import taken_apart
from groundswell.views.deriving import by_the_state, usual
from groundswell.views.record_rows import ABOUT_ITEMS, Encoding, parsed_lines
from tests.groundswell.ledger.test_fold_any_order import ROWS, Row
from tests.groundswell.views.index_ledgers import answer, complete, hit, index_at, small_ledger, whole
from tests.groundswell.views.test_index_fold import ordinary
from tools.chaos.memory_store import MemoryStore

TEXTS = st.sampled_from(["a", "", 'q"uote', "back\\slash", "é", "\ud800", "\n", "x" * 50, "}\n{", "[1,2]"])


def lines(kind: str, body: bytes) -> list[tuple[bytes, bytes]]:
    return list(Encoding().lines(kind, body, 3, "key"))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ROWS | st.tuples(st.just("answers"), st.builds(answer, TEXTS, TEXTS, TEXTS)), max_size=4), TEXTS
)
def test_a_part_taken_apart_is_what_the_parser_makes_of_it(rows: list[Row], extra: str) -> None:
    for kind in {kind for kind, _ in rows} & set(ABOUT_ITEMS):
        of_kind = [row for each, row in rows if each == kind]
        for several in (of_kind, [row | {"extra": extra} for row in of_kind]):
            body = encode(several)
            with pytest.MonkeyPatch.context() as patch:
                fast = lines(kind, body)
                patch.setattr(record_rows, "taken_apart", lambda *_: None)
                assert fast == lines(kind, body)


@pytest.mark.parametrize(
    "line",
    [
        b'{"item": "a", "x": "\\q"}',
        b'{"item": "a", "x": "tab\there"}',
        b'{"item": "a", "x": 01}',
        b'{"item": "a", "x": [1]}',
        b'{"item": "a", "x": NaN}',
        b'{"item": "a", "item": "b"}',
        b'{"item": "a"} ',
        b'{"item": 3}',
        b'{"item": "\xff"}',
    ],
)
def test_what_the_pattern_does_not_know_is_left_to_the_parser(line: bytes) -> None:
    good = b'{"item": "a"}\n' if b'"x"' not in line else b'{"item": "a", "x": "y"}\n'
    assert taken_apart("deletions", good * 2) is not None
    assert taken_apart("deletions", good + line + b"\n") is None
    assert taken_apart("deletions", good + line) is None


@settings(max_examples=100, deadline=None)
@given(ordinary())
def test_an_usual_item_is_what_the_state_says(rows: list[Row]) -> None:
    found: list[Any] = []
    for kind, row in rows:
        found += parsed_lines(b"\n".join(line for _, line in lines(kind, encode([row]))))
    told = usual(found)
    if told is None:  # ended for want of money, or a row that lacks a column
        assert any(row.get("outcome") == "budget" for _, row in rows)
    else:
        assert told == by_the_state(found[0][1], found, lambda *_: [], "run")


def test_an_index_that_knew_little_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look may come when a run has hardly begun: what follows is not taken in item by item."""
    monkeypatch.setattr(syncing, "_MANY_NEW", 10)
    store = MemoryStore()
    ledger = Ledger(store, "iris", "run")
    ledger.append("hits", [hit("Item-1")])
    index = complete(index_at(tmp_path / "i.sqlite"), ledger)
    small_ledger(store, items=30)
    began = []
    monkeypatch.setattr(
        syncing.Building, "begin", lambda *given, begin=syncing.Building.begin: began.append(begin(*given))
    )
    complete(index, ledger)
    assert len(began) == 1
    assert whole(index) == whole(complete(index_at(tmp_path / "fresh"), ledger))
