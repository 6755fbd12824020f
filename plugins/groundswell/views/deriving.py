"""From the rows of items to what the index says about them, by the state that the run itself goes by."""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundswell.ledger import Outcome, RunState
from groundswell.views.record_rows import Row, decoded, folded, plain

#: What an item can be, by number in the file: no HIT yet, asked about, or how the asking ended.
STATUSES = ("waiting", "open", *(str(each) for each in Outcome))

#: Columns of an item that are added up.
SUMMED = (
    "answers",
    "cents",
    "quarantined",
    "rejected",
    "withheld",
    "extended",
    "leading",
    "judged",
    "labelled",
)
_WORKER = ("answers", "quarantined", "rejected", "cents", "seconds", "timed", "judged", "agreed")
_ANSWERS, _QUARANTINED, _REJECTED, _CENTS, _SECONDS, _TIMED, _JUDGED, _AGREED = range(len(_WORKER))
_SET = (
    *SUMMED,
    "status",
    "label",
    "seats",
    "agreement",
    "confidence",
    "last",
)


@dataclass
class Derived:
    """What rows say about one item: its columns, and per worker what is added up."""

    columns: dict[str, Any]
    workers: dict[str, list[int]]
    last: dict[str, str]


def status_of(state: RunState, item: str) -> str:
    """Return what an item is: one of STATUSES."""
    if item in state.outcomes:
        return str(state.outcomes[item])
    return "open" if item in state.hits else "waiting"


def seconds_of(answer: Mapping[str, Any]) -> int | None:
    """Return how long a worker took, None where it is not known or negative."""
    try:
        taken = datetime.fromisoformat(answer["submitted"]) - datetime.fromisoformat(answer["accepted"])
    except (KeyError, TypeError, ValueError):
        return None
    seconds = int(taken.total_seconds())
    return seconds if seconds >= 0 else None


def paid_cents(state: RunState, assignments: Iterable[str]) -> int:
    """Return what was paid for assignments, fees included, bonuses not."""
    return sum(int(state.payments[each]["cents"]) for each in assignments if each in state.payments)


def derive(state: RunState, item: str, rows: Iterable[tuple[str, Row]]) -> Derived:
    """Return what a state says about an item.

    Args:
        state: a state that has all rows of the item.
        item: the item.
        rows: the rows of the item.
    """
    named = {row["assignment"] for kind, row in rows if kind in {"payments", "withheld"}}
    answers, counted = state.answers_of(item), state.counted(item)
    votes = Counter(row["label"] for row in counted)
    top = max(votes.values(), default=0)
    leaders = [label for label, count in votes.items() if count == top]
    several = len(counted) > 1
    waiting = [
        each
        for each in named
        if each in state.withheld and each not in state.payments and each not in state.rejections
    ]
    first = state.hits.get(item)
    columns = {
        "status": STATUSES.index(status_of(state, item)),
        "label": leaders[0] if len(leaders) == 1 else None,
        "answers": len(answers),
        "seats": state.seats.get(item, 0),
        "agreement": round(top / len(counted), 4) if several else -1.0,
        "cents": paid_cents(state, named),
        "last": plain(max((str(row["submitted"]) for row in answers), default="")),
        "quarantined": sum(row["label"] is None for row in answers),
        "rejected": state.rejected_of(item),
        "withheld": len(waiting),
        "extended": int(first is not None and state.seats.get(item, 0) > first["seats"]),
        "leading": top if several else 0,
        "judged": len(counted) if several else 0,
    }
    leading = leaders[0] if len(leaders) == 1 else object()
    found = Derived(columns, defaultdict(lambda: [0] * len(_WORKER)), {})
    for row in answers:
        _add_worker(found, state, row, leading if several else None)
    return found


def _add_worker(found: Derived, state: RunState, row: Row, leading: object) -> None:
    worker, assignment, seconds = plain(row["worker"]), row["assignment"], seconds_of(row)
    readable, rejected = row["label"] is not None, state.is_rejected(assignment)
    sums = found.workers[worker]
    sums[_ANSWERS] += 1
    sums[_QUARANTINED] += not readable
    sums[_REJECTED] += rejected
    sums[_CENTS] += paid_cents(state, (assignment,))
    if seconds is not None:
        sums[_SECONDS] += seconds
        sums[_TIMED] += 1
    if leading is not None and readable and not rejected:
        sums[_JUDGED] += 1
        sums[_AGREED] += row["label"] == leading
    found.last[worker] = max(found.last.get(worker, ""), plain(row["submitted"]))


class Deriving:
    """Brings items up to date whose rows or labels have changed, in one transaction.

    :param db: the index.
    :param prefix: of the ledger, for messages.
    :param full: returns the whole rows of an assignment in a part.
    """

    def __init__(
        self, db: sqlite3.Connection, prefix: str, full: Callable[[int, str], Iterable[Row]]
    ) -> None:
        self._db = db
        self._prefix = prefix
        self._full = full
        self._tallies: defaultdict[tuple[int, int], Counter[str]] = defaultdict(Counter)
        self._workers: defaultdict[int, list[int]] = defaultdict(lambda: [0] * len(_WORKER))
        self._last: dict[int, str] = {}
        self._worker_ids: dict[str, int] = {}
        self._label_ids: dict[str, int] = {}

    def some(self, most: int) -> int:
        """Bring up to so many items up to date; return how many it were."""
        columns = ", ".join(f"items.{name}" for name in ("id", "item", "status", "label", *SUMMED))
        found = self._db.execute(
            f"SELECT {columns}, records.body, records.tally, "
            "given.label, given.confidence FROM dirty JOIN items ON items.id = dirty.item "
            "LEFT JOIN records ON records.item = dirty.item LEFT JOIN given ON given.item = dirty.item "
            "ORDER BY dirty.item LIMIT ?",
            (most,),
        ).fetchall()
        rows = {each[1]: list(decoded(each[1], each[-4] or "", self._full)) for each in found}
        state = folded((pair for each in rows.values() for pair in each), self._prefix)
        updates, tallies, done = [], [], []
        for number, item, status, label, *rest in found:
            *summed, _, tally, given, confidence = rest
            derived = derive(state, item, rows[item])
            new = derived.columns | {"labelled": int(given is not None)}
            new["confidence"] = -1.0 if confidence is None else confidence
            new["label"] = self.label_id(new["label"]) if given is None else given
            self._count(status, label, dict(zip(SUMMED, summed, strict=True)), new)
            updates.append((*(new[name] for name in _SET), number))
            tallies.append((self._count_workers(json.loads(tally or "[]"), derived), number))
            done.append((number,))
        assignments = ", ".join(f"{name} = ?" for name in _SET)
        self._db.executemany(f"UPDATE items SET {assignments} WHERE id = ?", updates)
        self._db.executemany("UPDATE records SET tally = ? WHERE item = ?", tallies)
        self._db.executemany("DELETE FROM dirty WHERE item = ?", done)
        self._flush()
        return len(found)

    def label_id(self, label: str | None) -> int:
        """Return the number of a label; 0 for none."""
        if label is None:
            return 0
        text = plain(str(label))
        if text not in self._label_ids:
            self._label_ids[text] = _number(self._db, "labels", "label", text)
        return self._label_ids[text]

    def _count(self, status: int, label: int, old: Mapping[str, int], new: Mapping[str, Any]) -> None:
        if status >= 0:
            before = self._tallies[status, label]
            before.subtract({**old, "items": 1})
        after = self._tallies[new["status"], new["label"]]
        after.update({name: new[name] for name in SUMMED} | {"items": 1})

    def _count_workers(self, before: Iterable[list[int]], derived: Derived) -> str:
        """Take an item's old sums from its workers, add the new; return the new ones as they are kept."""
        for number, *values in before:
            self._workers[number] = [a - b for a, b in zip(self._workers[number], values, strict=True)]
        kept = []
        for worker, values in derived.workers.items():
            if worker not in self._worker_ids:
                self._worker_ids[worker] = _number(self._db, "workers", "worker", worker)
            number = self._worker_ids[worker]
            self._workers[number] = [a + b for a, b in zip(self._workers[number], values, strict=True)]
            self._last[number] = max(derived.last[worker], self._last.get(number, ""))
            kept.append([number, *values])
        return json.dumps(kept, separators=(",", ":"))

    def _flush(self) -> None:
        names = ("items", *SUMMED)
        sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in names)
        self._db.executemany(
            f"INSERT INTO tallies (status, label, {', '.join(names)}) VALUES (?, ?{', ?' * len(names)}) "
            f"ON CONFLICT DO UPDATE SET {sums}",
            [(*key, *(counts[name] for name in names)) for key, counts in self._tallies.items()],
        )
        self._db.execute("DELETE FROM tallies WHERE items = 0")
        sums = ", ".join(f"{name} = {name} + ?" for name in _WORKER)
        self._db.executemany(
            f"UPDATE workers SET {sums}, last = max(last, ?) WHERE id = ?",
            [(*values, self._last.get(number, ""), number) for number, values in self._workers.items()],
        )


def _number(db: sqlite3.Connection, table: str, column: str, text: str) -> int:
    db.execute(f"INSERT INTO {table} ({column}) VALUES (?) ON CONFLICT DO NOTHING", (text,))
    return int(db.execute(f"SELECT id FROM {table} WHERE {column} = ?", (text,)).fetchone()[0])
