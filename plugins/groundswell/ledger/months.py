"""The book of a calendar month: which run of the batch holds how much of the monthly budget.

It is an append-only log ``_months/<batch>/<YYYY-MM>/<number>.jsonl``. Who wants to change it writes the next
number with a conditional write, so having got a number means having seen all earlier entries: no two runs can
both believe that the last cents are theirs. Each entry is the whole book, one row per run, so that the last
one says everything: ``{"run": id, "cents": held, "spent": of that, "at": ISO 8601 UTC}``.

What a run holds is what it may still spend and what it has spent. It is raised before money is spent, and
lowered to what was spent when the rest no longer can be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from groundswell.batches.units import dollars
from groundswell.errors import LedgerError, MonthFull
from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.store import PartStore

_ROOT = "_months"
_NUMBER = re.compile(r"([0-9]{6,})\.jsonl")
#: What a hold should become, given the book: (cents held, cents of them spent).
Wanted = Callable[["MonthBook"], tuple[int, int]]


@dataclass(frozen=True)
class Hold:
    """What one run holds of a month, in cents; ``spent_cents`` of it is gone, as far as was known ``at``."""

    cents: int
    spent_cents: int
    at: str


@dataclass(frozen=True)
class MonthBook:
    """A month as one look showed it.

    Attributes:
        batch: name of the batch.
        month: ``YYYY-MM``.
        number: number of the next entry.
        holds: run id -> what the run holds.
    """

    batch: str
    month: str
    number: int = 0
    holds: Mapping[str, Hold] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def held_cents(self) -> int:
        """What all runs hold, spent or not."""
        return sum(each.cents for each in self.holds.values())

    @property
    def spent_cents(self) -> int:
        """What is known to be spent of it."""
        return sum(each.spent_cents for each in self.holds.values())

    def held_by(self, run_id: str) -> int | None:
        """What one run holds; None where the book does not know it."""
        hold = self.holds.get(run_id)
        return None if hold is None else hold.cents

    def others_cents(self, run_id: str) -> int:
        """What all runs but one hold."""
        return self.held_cents - (self.held_by(run_id) or 0)

    def unspent(self, *, but: str) -> dict[str, int]:
        """Run id -> what it holds and has not spent, of the runs (but one) that do; by id."""
        free = {run: hold.cents - hold.spent_cents for run, hold in sorted(self.holds.items()) if run != but}
        return {run: cents for run, cents in free.items() if cents > 0}

    def describe(self, run_id: str, limit_cents: int) -> str:
        """Say, for people, what is left for a run and who has the rest."""
        free = self.unspent(but=run_id)
        holders = ", ".join(f"`{run}` {dollars(cents)}" for run, cents in free.items())
        spent = self.others_cents(run_id) - sum(free.values())
        held = f"{dollars(sum(free.values()))} is held by {holders}" if free else "nothing is held"
        return (
            f"of the {dollars(limit_cents)} of {self.month}, other runs have spent {dollars(spent)}, {held}"
        )


def month_of(moment: datetime) -> str:
    """Return the calendar month of a time, in UTC: ``YYYY-MM``."""
    return moment.astimezone(UTC).strftime("%Y-%m")


def months(store: PartStore, batch: str) -> list[str]:
    """Return the months of which the batch has a book, in order."""
    prefix = f"{_ROOT}/{batch}/"
    return sorted({key.removeprefix(prefix).partition("/")[0] for key in store.keys(prefix)})


def read(store: PartStore, batch: str, month: str) -> MonthBook:
    """Return the book as it is now. Raises LedgerError where its last entry is damaged."""
    prefix = _prefix(batch, month)
    numbers = [
        int(match[1]) for key in store.keys(prefix) if (match := _NUMBER.fullmatch(key[len(prefix) :]))
    ]
    if not numbers:
        return MonthBook(batch, month)
    key = _key(batch, month, max(numbers))
    holds = {row["run"]: _hold(row) for row in decode(store.get(key) or b"", key)}
    if not holds:
        raise LedgerError(f"{key} is empty; restore this object from a backup or version")
    return MonthBook(batch, month, max(numbers) + 1, MappingProxyType(holds))


def hold(
    store: PartStore,
    batch: str,
    month: str,
    run_id: str,
    cents: int,
    *,
    limit_cents: int | None,
    spent_cents: int = 0,
) -> MonthBook:
    """Let a run hold so much of a month from now on; return the book. Doing it again changes nothing.

    Args:
        store: of the ledgers.
        batch: name of the batch.
        month: ``YYYY-MM``.
        run_id: the run; it holds nothing else of the month then.
        cents: what it may spend, including what it has spent.
        limit_cents: the most that all runs together may hold; None: no limit. Holding less than before is
            never refused.
        spent_cents: what is spent already.

    Raises:
        MonthFull: where the others hold too much; the message has the numbers.
    """
    return change(store, batch, month, run_id, lambda _: (cents, spent_cents), limit_cents=limit_cents)


def change(
    store: PartStore,
    batch: str,
    month: str,
    run_id: str,
    wanted: Wanted,
    *,
    limit_cents: int | None = None,
    confirm: bool = False,
) -> MonthBook:
    """Change what a run holds; return the book.

    Args:
        store: of the ledgers.
        batch: name of the batch.
        month: ``YYYY-MM``.
        run_id: the run.
        wanted: called with the book, each time that it was read. What else it reads is as new as the book.
        limit_cents: as in :func:`hold`.
        confirm: write an entry even if nothing changes: who computes another hold at this moment must look
            again at what it rests on.

    Raises:
        MonthFull: as :func:`hold`.
    """
    while True:
        book = read(store, batch, month)
        cents, spent = wanted(book)
        known = book.holds.get(run_id)
        if known is not None and (known.cents, known.spent_cents) == (cents, spent) and not confirm:
            return book
        raised = cents > (known.cents if known else 0)
        if limit_cents is not None and raised and book.others_cents(run_id) + cents > limit_cents:
            raise MonthFull(
                f"{book.describe(run_id, limit_cents)}: {dollars(cents)} for run {run_id} does not fit"
            )
        new = Hold(cents, spent, datetime.now(UTC).isoformat(timespec="microseconds"))
        holds = {**book.holds, run_id: new}
        if store.put_if_absent(_key(batch, month, book.number), encode(_rows(holds))):
            return MonthBook(batch, month, book.number + 1, MappingProxyType(holds))
        # Somebody was first: look again at what is left


def _prefix(batch: str, month: str) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"{_ROOT}/{batch}/{month}/"


def _key(batch: str, month: str, number: int) -> str:
    return f"{_prefix(batch, month)}{number:06d}.jsonl"


def _hold(row: Mapping[str, Any]) -> Hold:
    return Hold(int(row["cents"]), int(row.get("spent", 0)), str(row["at"]))


def _rows(holds: Mapping[str, Hold]) -> list[dict[str, Any]]:
    return [
        {"run": run, "cents": each.cents, "spent": each.spent_cents, "at": each.at}
        for run, each in sorted(holds.items())
    ]
