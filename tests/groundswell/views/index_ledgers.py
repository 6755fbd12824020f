"""Ledgers that indexes are tested with, and what their fold says about items."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from groundswell.ledger import Ledger, RunState
from groundswell.ledger.shards import write_shards
from groundswell.views.index import RunIndex


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


def moment(minute: int) -> str:
    return f"2026-03-01T{minute // 60:02d}:{minute % 60:02d}:00+00:00"


def answer(item: str, worker: str, label: str | None, minute: int = 0, **others: Any) -> dict[str, Any]:
    times = {"accepted": moment(minute), "submitted": moment(minute + 1)}
    row = {"assignment": f"{item}-{worker}", "item": item, "worker": worker, "label": label, "problem": None}
    return row | times | {"answer": "<xml/>"} | others


def hit(item: str, seats: int = 2) -> dict[str, Any]:
    return {"item": item, "hit": f"H-{item}", "hit_type": "T", "seats": seats, "expires": moment(600)}


def small_ledger(store: Any, run_id: str = "run", items: int = 8) -> Ledger:
    """Items 0 to n-1: every third open, every third settled, every third given up; the last has no HIT."""
    ledger = Ledger(store, "iris", run_id)
    names = [f"Item-{number}" for number in range(items)]
    write_shards(ledger, [[{"item": name, "values": {"x": name.upper()}} for name in names]])
    for number, name in enumerate(names[:-1]):
        ledger.append("hits", [hit(name)])
        rows = [
            answer(name, "AX", "setosa", number),
            answer(name, "AY", "setosa" if number % 2 else "virginica"),
        ]
        ledger.append("answers", rows[: number % 3 + 1])
        ledger.append(
            "payments",
            [{"assignment": row["assignment"], "item": name, "cents": 6} for row in rows[: number % 3]],
        )
        if number % 3:
            outcome = "settled" if number % 3 == 1 else "gave_up"
            ledger.append("outcomes", [{"item": name, "outcome": outcome, "seats": 2, "rejected": 0}])
    return ledger


def complete(index: RunIndex, ledger: Ledger) -> RunIndex:
    assert index.sync(ledger, seconds=60).complete
    return index


def label_row(item: str, label: str, confidence: float = 0.75) -> dict[str, Any]:
    return {
        "item": item,
        "label": label,
        "confidence": confidence,
        "values": {},
        "at": "1",
        "method": "m",
    }


def whole(index: RunIndex, ledger: Ledger | None = None) -> tuple[Any, ...]:
    """All that an index says, in no order that depends on how it was made."""
    items = sorted(index.items(size=500).rows, key=lambda row: row.item)
    views = [index.item(row.item, ledger) for row in items]
    return items, views, index.counts(), index.workers()
