"""The index of a ledger against the fold of the ledger, whatever was written in whatever order."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.ledger import Ledger, RunState
from groundswell.ledger.shards import write_shards
from groundswell.views.index import RunIndex
from tests.groundswell.ledger.test_fold_any_order import ROWS, Row
from tools.chaos.memory_store import MemoryStore


def by_the_fold(state: RunState, items: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the folded ledger says about each item, computed the plain way."""
    found = {}
    named = {*items, *state.hits, *state.outcomes, *state.seats, *state.expired, *state.deleted}
    named |= {
        row["item"] for rows in (state.answers, state.payments, state.rejections) for row in rows.values()
    }
    named |= {row["item"] for rows in (state.withheld, state.reserved) for row in rows.values()}
    for item in named:
        votes = Counter(row["label"] for row in state.counted(item))
        top = [label for label, count in votes.items() if count == max(votes.values())]
        found[item] = {
            "status": str(state.outcomes.get(item, "open" if item in state.hits else "waiting")),
            "label": top[0] if len(top) == 1 else None,
            "answers": len(state.answers_of(item)),
            "seats": state.seats.get(item, 0),
            "cents": sum(row["cents"] for row in state.payments.values() if row["item"] == item),
            "agreement": round(max(votes.values()) / votes.total(), 4) if votes.total() > 1 else None,
            "last": max((row["submitted"] for row in state.answers_of(item)), default=None),
        }
    return found


def check(index: RunIndex, ledger: Ledger, items: Iterable[str] = ()) -> None:
    """All that the index says about the ledger is what its fold says."""
    state = ledger.fold()
    rows = index.items(size=500).rows
    names = list(rows[0].__dataclass_fields__) if rows else []
    shown = {row.item: {name: getattr(row, name) for name in names} for row in rows}
    expected = by_the_fold(state, items)
    assert set(shown) >= set(expected)
    for item, row in expected.items():
        assert {name: shown[item][name] for name in row} == row, item
    counts = index.counts()
    kinds = Counter(row["status"] for row in shown.values())
    assert counts.by_status == dict(kinds)
    assert counts.spent_cents == state.spent_cents
    assert counts.answers == len(state.answers)
    assert counts.quarantined == sum(row["label"] is None for row in state.answers.values())
    assert counts.rejected == sum(state.is_rejected(each) for each in state.rejections)
    assert counts.withheld == len(state.withheld.keys() - state.payments.keys() - state.rejections.keys())
    assert counts.workers == len({row["worker"] for row in state.answers.values()})
    assert counts.extended == sum(
        seats > state.hits[item]["seats"] for item, seats in state.seats.items() if item in state.hits
    )
    answers: defaultdict[str, int] = defaultdict(int)
    for row in state.answers.values():
        answers[f"<{row['worker']}>"] += 1
    assert {row.worker: row.answers for row in index.workers()} == dict(answers)
    for item in expected:
        view = index.item(item, ledger)
        assert view is not None
        assert [each.assignment for each in view.answers] == [
            row["assignment"] for row in state.answers_of(item)
        ]
        assert [each.label for each in view.answers] == [row["label"] for row in state.answers_of(item)]
        assert [each.paid for each in view.answers] == [
            row["assignment"] in state.payments for row in state.answers_of(item)
        ]
        assert (view.status, view.cents, view.seats) == tuple(
            expected[item][name] for name in ("status", "cents", "seats")
        )
        assert view.deleted == (item in state.deleted)


def index_at(path: Path) -> RunIndex:
    return RunIndex(path, pseudonym=lambda worker: f"<{worker}>", recheck=0)


PARTS = st.lists(st.lists(ROWS, min_size=1, max_size=6), max_size=8)


@settings(max_examples=60, deadline=None)
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
                by_kind = defaultdict(list)
                for kind, row in rows:
                    by_kind[kind].append(row)
                for kind, several in by_kind.items():
                    ledger.append(kind, several)
            assert index.sync(ledger, seconds=60).complete
            check(index, ledger, ["c", "d"])
