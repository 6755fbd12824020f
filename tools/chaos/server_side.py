"""What happened at the workforce, read from its tables and from nowhere else."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from groundswell.ledger import run_key
from workforce.store import Store
from workforce.store.tables import accounts, assignments, hits, journal

#: SQLite takes 32,766 values in one statement, older ones 999.
_MANY = 900
_HELD = {"hold": 1, "release": -1}
_BONUS = "bonus"


@dataclass
class Work:
    """An assignment; ``payments`` counts the journal's entries, cents include fees."""

    assignment_id: str
    worker_id: str
    status: str
    submitted: bool
    payments: int = 0
    cents: int = 0
    bonuses: int = 0
    bonus_cents: int = 0


@dataclass
class PlacedHit:
    """A HIT of a run, deleted ones too. Money in cents.

    Attributes:
        exposure: (journal number, change) of what is held or paid for it.
        held_cents: what is still held for it.
    """

    hit_id: str
    annotation: str
    status: str
    seats: int
    seat_cents: int
    work: dict[str, Work] = field(default_factory=dict)
    exposure: list[tuple[int, int]] = field(default_factory=list)
    held_cents: int = 0

    @property
    def paid_cents(self) -> int:
        """What was paid for its answers, fees and bonuses included."""
        return sum(each.cents + each.bonus_cents for each in self.work.values())


@dataclass
class ServerSide:
    """The HITs of one run at the workforce."""

    hits: list[PlacedHit]

    @property
    def by_item(self) -> dict[str, list[PlacedHit]]:
        """The HITs of each item; an item is known by its annotation."""
        grouped: defaultdict[str, list[PlacedHit]] = defaultdict(list)
        for hit in self.hits:
            grouped[hit.annotation].append(hit)
        return dict(grouped)

    @property
    def work(self) -> dict[str, Work]:
        """Assignment id -> what was submitted."""
        return {key: each for hit in self.hits for key, each in hit.work.items() if each.submitted}

    @property
    def paid_cents(self) -> int:
        """What the run cost, fees and bonuses included."""
        return sum(hit.paid_cents for hit in self.hits)

    @property
    def peak_cents(self) -> int:
        """The most that was held and paid for the run at one time."""
        total = peak = 0
        for _, change in sorted(entry for hit in self.hits for entry in hit.exposure):
            total += change
            peak = max(peak, total)
        return peak


def read_run(store: Store, account: str, batch: str, run_id: str, known: Iterable[str] = ()) -> ServerSide:
    """
    Read what the workforce has of a run: the HITs that carry its annotation, and those known by id.

    :param known: ids of HITs that the run's ledger calls its own, whatever their annotation.
    """
    with store.read(snapshot=True) as connection:
        mode = select(accounts.c.mode).where(accounts.c.account_id == account)
        funded = connection.execute(mode).scalar_one() == "ledger"
        found = _hits(connection, account, batch, run_key(run_id), set(known))
        _add_work(connection, found, funded=funded)
        if funded:
            _add_money(connection, found)
    return ServerSide(list(found.values()))


def _hits(
    connection: Connection, account: str, batch: str, key: str, known: set[str]
) -> dict[int, PlacedHit]:
    columns = (
        hits.c.seq,
        hits.c.hit_id,
        hits.c.annotation,
        hits.c.status,
        hits.c.max_assignments,
        hits.c.reward_cents,
        hits.c.fee_cents,
    )
    query = select(*columns).where(hits.c.account_id == account).order_by(hits.c.seq)
    marked = query.where(hits.c.annotation.contains(key, autoescape=True))
    rows = list(connection.execute(marked))
    missing = sorted(known - {row.hit_id for row in rows})
    for chunk in _chunks(missing):
        rows += connection.execute(query.where(hits.c.hit_id.in_(chunk)))
    return {
        row.seq: PlacedHit(
            hit_id=row.hit_id,
            annotation=row.annotation or row.hit_id,
            status=row.status,
            seats=int(row.max_assignments),
            seat_cents=int(row.reward_cents) + int(row.fee_cents),
        )
        for row in rows
        if row.hit_id in known or _is_of(row.annotation, batch, key)
    }


def _is_of(annotation: str | None, batch: str, key: str) -> bool:
    try:
        mark = json.loads(annotation or "")
    except ValueError:
        return False
    return isinstance(mark, dict) and mark.get("run") == key and mark.get("batch") == batch


def _add_work(connection: Connection, found: Mapping[int, PlacedHit], *, funded: bool) -> None:
    columns = (
        assignments.c.hit_seq,
        assignments.c.assignment_id,
        assignments.c.worker_id,
        assignments.c.status,
        assignments.c.submitted_ms,
    )
    for chunk in _chunks(list(found)):
        for row in connection.execute(select(*columns).where(assignments.c.hit_seq.in_(chunk))):
            work = Work(row.assignment_id, row.worker_id, row.status, row.submitted_ms is not None)
            hit = found[row.hit_seq]
            if not funded and row.status == "Approved":  # a sandbox keeps no journal
                work.payments, work.cents = 1, hit.seat_cents
            hit.work[row.assignment_id] = work


def _add_money(connection: Connection, found: Mapping[int, PlacedHit]) -> None:
    ids: dict[int, tuple[PlacedHit, Work]] = {}
    by_id = {key: (hit, work) for hit in found.values() for key, work in hit.work.items()}
    for chunk in _chunks(list(by_id)):
        query = select(assignments.c.seq, assignments.c.assignment_id)
        for row in connection.execute(query.where(assignments.c.assignment_id.in_(chunk))):
            ids[row.seq] = by_id[row.assignment_id]
    for entry in _entries(connection, list(found), list(ids)):
        sign = _HELD.get(entry.kind)
        if sign is not None:
            hit = found[entry.hit_seq]
            hit.held_cents += sign * entry.cents
            hit.exposure.append((entry.seq, sign * entry.cents))
        elif entry.assignment_seq in ids:
            _pay(entry, *ids[entry.assignment_seq])


def _entries(connection: Connection, hit_seqs: list[int], work_seqs: list[int]) -> Iterator[_Entry]:
    seen: set[int] = set()
    columns = (
        journal.c.seq,
        journal.c.kind,
        journal.c.cents,
        journal.c.hit_seq,
        journal.c.assignment_seq,
    )
    wanted = [(chunk, journal.c.hit_seq) for chunk in _chunks(hit_seqs)]
    wanted += [(chunk, journal.c.assignment_seq) for chunk in _chunks(work_seqs)]
    for chunk, column in wanted:
        query = select(*columns).where(column.in_(chunk)).order_by(journal.c.seq)
        for row in connection.execute(query):
            if row.seq not in seen:
                seen.add(row.seq)
                yield _Entry(row.seq, row.kind, int(row.cents), row.hit_seq, row.assignment_seq)


@dataclass(frozen=True)
class _Entry:
    seq: int
    kind: str
    cents: int
    hit_seq: int
    assignment_seq: int | None


def _pay(entry: _Entry, hit: PlacedHit, work: Work) -> None:
    if entry.kind.startswith(_BONUS):
        work.bonuses += entry.kind == _BONUS
        work.bonus_cents += entry.cents
        hit.exposure.append((entry.seq, entry.cents))  # nothing was held for it before
        return
    work.payments += entry.kind == "payment"
    work.cents += entry.cents
    hit.held_cents -= entry.cents


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
