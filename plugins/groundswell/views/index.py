"""The index of a run's ledger: counts, pages of items and single items, without reading the ledger again.

It is a cache in SQLite: it may be deleted at any time, and is built again from the ledger's immutable parts.
What it says about an item is what :class:`~groundswell.ledger.RunState` says by the item's own rows.
"""

# ruff: noqa: S608  names of columns come from here; every value is bound

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger, RunState
from groundswell.ledger.ledger import decode
from groundswell.views.deriving import STATUSES, SUMMED, paid_cents, seconds_of, status_of
from groundswell.views.index_file import IndexFile
from groundswell.views.packs import Packs, found_in
from groundswell.views.paging import ItemRow, Page, Query, page_of
from groundswell.views.record_rows import Row, decoded, folded, parsed_lines, plain
from groundswell.views.remembered import Overtaken, get
from groundswell.views.syncing import Synced, Syncing, WholeRows, synced

__all__ = [
    "STATUSES",
    "AnswerView",
    "Counts",
    "ItemRow",
    "ItemView",
    "Page",
    "RunIndex",
    "Synced",
    "WorkerRow",
]

#: What the file of an index may grow to, if nothing else is said: enough for some millions of items.
LIMIT_BYTES = 16_000_000_000


@dataclass(frozen=True)
class Counts:
    """What a run's items come to. Money in cents, fees included.

    Attributes:
        items: items of the run.
        published: items that have a HIT or an outcome.
        by_status: status -> items, without zeros.
        by_label: label -> items (``ItemRow.label``), without those that have none.
        labelled: items that the latest consolidation gave a label.
        answers: answers that were handed in.
        quarantined: answers that cannot be read.
        rejected: answers that were rejected.
        withheld: answers whose payment waits for a review.
        extended: items that were given more seats than at first.
        spent_cents: what was paid, bonuses included.
        agreement: of the counted answers to items with two or more, the share that has the item's leading
            label; None for no such item.
        workers: workers who handed in an answer.
    """

    items: int
    published: int
    by_status: Mapping[str, int]
    by_label: Mapping[str, int]
    labelled: int
    answers: int
    quarantined: int
    rejected: int
    withheld: int
    extended: int
    spent_cents: int
    agreement: float | None
    workers: int


@dataclass(frozen=True)
class AnswerView:
    """One answer to an item.

    Attributes:
        assignment: its id.
        worker: a pseudonym.
        label: what the worker said; None where it cannot be read.
        accepted: when the worker took the task (ISO 8601, UTC); None where not recorded.
        submitted: when the answer was handed in (ISO 8601, UTC).
        seconds: from accepting to handing in; None where unknown or negative.
        paid: whether it was paid.
        cents: what was paid for it, fees included, without bonuses.
        rejected: whether it was rejected.
        withheld: whether its payment waits for a review.
        problem: why it cannot be read, or why it waits; None for nothing.
    """

    assignment: str
    worker: str
    label: str | None
    accepted: str | None
    submitted: str
    seconds: int | None
    paid: bool
    cents: int
    rejected: bool
    withheld: bool
    problem: str | None


@dataclass(frozen=True)
class ItemView:
    """All that a run knows of an item.

    Attributes:
        item: its id.
        status: as in :class:`~groundswell.views.paging.ItemRow`.
        values: column -> text of the dataset; None where the ledger has none, or was not given.
        answers: by time of submission.
        label_row: what the latest consolidation says (label, confidence, posterior, provenance, method, at
            …); None before.
        hit: id of its HIT; None before.
        seats: seats that the HIT was given so far.
        expires: when the HIT ends (ISO 8601, UTC); None before.
        deleted: whether the HIT was deleted.
        cents: what was paid for it, fees included.
    """

    item: str
    status: str
    values: Mapping[str, str] | None
    answers: tuple[AnswerView, ...]
    label_row: Mapping[str, Any] | None
    hit: str | None
    seats: int
    expires: str | None
    deleted: bool
    cents: int


@dataclass(frozen=True)
class WorkerRow:
    """What a worker did in a run.

    Attributes:
        worker: a pseudonym.
        answers: answers that were handed in.
        quarantined: of these, those that cannot be read.
        rejected: of these, those that were rejected.
        cents: what was paid for them, fees included, without bonuses.
        mean_seconds: from accepting to handing in, on average; None where unknown.
        agreement: share of the counted answers, to items with two or more, that have the item's leading
            label (where two labels are level nobody has it); None for no such answer.
        last: when the last one was handed in (ISO 8601, UTC).
    """

    worker: str
    answers: int
    quarantined: int
    rejected: int
    cents: int
    mean_seconds: float | None
    agreement: float | None
    last: str


_KEY = secrets.token_bytes(32)


def masked(worker: str) -> str:
    """Return a pseudonym under a key of this process alone: what is shown where no other key is there.

    Without a key, whoever has a list of workers' ids could tell who is who.
    """
    digest = hmac.new(_KEY, worker.encode(errors="surrogatepass"), hashlib.sha256)
    return f"w-{digest.hexdigest()[:10]}"


class RunIndex:
    """The index of one run. Processes and threads may share its file; each question is one consistent look.

    :param path: the SQLite file; it holds workers' ids, so its folder should be private
        (:class:`groundswell.views.cache.IndexCache` sees to that).
    :param pseudonym: turns a worker's id into what people see; no id leaves the index otherwise.
    :param recheck: seconds for which a look at the ledger is good enough; 0: look each time.
    :param limit_bytes: what the file may grow to.
    """

    def __init__(
        self,
        path: Path,
        *,
        pseudonym: Callable[[str], str] = masked,
        recheck: float = 3.0,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self.path = path
        self._file = IndexFile(path, limit_bytes)
        self._pseudonym = pseudonym
        self._recheck = recheck

    def sync(self, ledger: Ledger, seconds: float = 2.0) -> Synced:
        """Take in what the ledger has got since, for about so long; call it again until it is complete.

        Where another process is at it, this one only says how far it is. The index of a run that is gone is
        removed; the one of a ledger that was restored from an older backup is built anew.

        :raises LedgerError: a part is damaged, with its name and the fix; what was read before stays.
        """
        with self._file.lock() as ours:
            if not ours:
                return self._file.ask(synced)
            for _ in range(2):
                if self._file.work(lambda db: self._work(db, ledger, seconds)):
                    found = self._file.ask(synced)
                    if found.of:
                        return found
                self._file.discard()
        return self._file.ask(synced)

    def _work(self, db: sqlite3.Connection, ledger: Ledger, seconds: float) -> bool:
        try:
            return Syncing(db, ledger, self._recheck).run(seconds)
        except Overtaken:
            return True  # somebody else is at it after all

    def synced(self) -> Synced:
        """Return how far the index is, without looking at the ledger."""
        return self._file.ask(synced)

    def counts(self) -> Counts:
        """Return what the items come to; the cost does not depend on how many there are."""
        return self._file.ask(_counts)

    def items(
        self,
        *,
        status: str | None = None,
        label: str | None = None,
        search: str = "",
        sort: str = "position",
        descending: bool = False,
        page: int = 1,
        after: str | None = None,
        size: int = 50,
    ) -> Page:
        """Return a page of items.

        :param status: only items of this status.
        :param label: only items with this label; "" for items without one.
        :param search: only items whose id begins so, in upper or lower case; where none does, whose id
            contains it. No character of it has a meaning of its own.
        :param sort: position (in the dataset), item, status (as a run goes through them: waiting, open, then
            how it ended), label (by its text), answers, agreement, confidence, cents or last; unknown values
            come first, and equal ones are in the order of the dataset.
        :param page: from 1; not looked at where ``after`` is given.
        :param after: :attr:`Page.after` of the page before: as fast at the end as at the beginning.
        :param size: rows of a page, 500 at most.
        :raises ValueError: for an argument that is none of these.
        """
        query = Query(status, label, search, sort, descending, page, after, size)
        return self._file.ask(lambda db: page_of(db, query))

    def item(self, item: str, ledger: Ledger | None = None) -> ItemView | None:
        """Return all that is known of an item, or None where the run has no such item.

        :param ledger: the run's; the values of the dataset are read from it.
        :raises LedgerError: the part with its values is damaged.
        """
        found = self._file.ask(lambda db: self._find(db, plain(item), ledger))
        if found is None:
            return None
        view_of, key = found
        return view_of(None if key is None or ledger is None else _values(ledger, key, item))

    def workers(self) -> list[WorkerRow]:
        """Return what each worker did, most answers first."""
        rows = self._file.ask(
            lambda db: db.execute(
                "SELECT worker, answers, quarantined, rejected, cents, seconds, timed, judged, agreed, last "
                "FROM workers WHERE answers > 0"
            ).fetchall()
        )
        found = [self._worker_row(*row) for row in rows]
        return sorted(found, key=lambda row: (-row.answers, row.worker))

    def _worker_row(self, worker: str, *rest: Any) -> WorkerRow:
        answers, quarantined, rejected, cents, seconds, timed, judged, agreed, last = rest
        return WorkerRow(
            worker=self._pseudonym(worker),
            answers=answers,
            quarantined=quarantined,
            rejected=rejected,
            cents=cents,
            mean_seconds=round(seconds / timed, 1) if timed else None,
            agreement=round(agreed / judged, 4) if judged else None,
            last=last,
        )

    def _find(
        self, db: sqlite3.Connection, item: str, ledger: Ledger | None
    ) -> tuple[Callable[[Mapping[str, str] | None], ItemView], str | None] | None:
        row = db.execute(
            "SELECT items.pack, records.body, given.body, parts.key FROM items "
            "LEFT JOIN records ON records.item = items.id LEFT JOIN given ON given.id = items.given "
            "LEFT JOIN parts ON parts.id = items.part "
            "WHERE items.item = ? COLLATE NOCASE AND items.item = ?",  # by the index, then exactly
            (item, item),
        ).fetchone()
        if row is None:
            return None
        pack, record, given, key = row

        def full(part: int, assignment: str) -> list[Row]:
            if ledger is None:
                raise LedgerError(
                    f"item {item!r} has answers that only the ledger tells apart; give it as well"
                )
            return WholeRows(db, ledger).rows(part, assignment)

        kept = Packs(db).rows(pack, item) + parsed_lines(record or "")
        rows = list(decoded(kept, full))
        state = folded(rows, str(self.path))
        paid = paid_cents(state, {row["assignment"] for kind, row in rows if kind == "payments"})

        def view(values: Mapping[str, str] | None) -> ItemView:
            hit = state.hits.get(item)
            return ItemView(
                item=item,
                status=status_of(state, item),
                values=values,
                answers=tuple(self._answer(state, each) for each in state.answers_of(item)),
                label_row=None if given is None else found_in(given, item)[0],
                hit=None if hit is None else str(hit["hit"]),
                seats=state.seats.get(item, 0),
                expires=state.expires.get(item),
                deleted=item in state.deleted,
                cents=paid,
            )

        return view, key

    def _answer(self, state: RunState, row: Row) -> AnswerView:
        assignment = row["assignment"]
        held = assignment in state.withheld and assignment not in state.payments
        waits = held and assignment not in state.rejections
        reason = state.withheld[assignment].get("reason") if waits else None
        return AnswerView(
            assignment=assignment,
            worker=self._pseudonym(str(row["worker"])),
            label=row["label"],
            accepted=row.get("accepted"),
            submitted=row["submitted"],
            seconds=seconds_of(row),
            paid=assignment in state.payments,
            cents=paid_cents(state, [assignment]),
            rejected=state.is_rejected(assignment),
            withheld=waits,
            problem=row.get("problem") or reason,
        )


def _counts(db: sqlite3.Connection) -> Counts:
    names = ("items", *SUMMED)
    sums = ", ".join(f"ifnull(sum({name}), 0)" for name in names)
    total = dict(zip(names, db.execute(f"SELECT {sums} FROM tallies").fetchone(), strict=True))
    statuses = db.execute("SELECT status, sum(items) FROM tallies GROUP BY status ORDER BY status")
    by_status = {STATUSES[status]: count for status, count in statuses}
    labels = db.execute(
        "SELECT labels.label, sum(tallies.items) FROM tallies JOIN labels ON labels.id = tallies.label "
        "WHERE tallies.label != 0 GROUP BY tallies.label ORDER BY labels.label"
    )
    [workers] = db.execute("SELECT count(*) FROM workers WHERE answers > 0").fetchone()
    return Counts(
        items=total["items"],
        published=total["items"] - by_status.get("waiting", 0),
        by_status=by_status,
        by_label=dict(labels.fetchall()),
        labelled=total["labelled"],
        answers=total["answers"],
        quarantined=total["quarantined"],
        rejected=total["rejected"],
        withheld=total["withheld"],
        extended=total["extended"],
        spent_cents=total["cents"] + int(get(db, "bonus_cents") or 0),
        agreement=round(total["leading"] / total["judged"], 4) if total["judged"] else None,
        workers=workers,
    )


def _values(ledger: Ledger, key: str, item: str) -> Mapping[str, str] | None:
    for row in decode(ledger.store.get(key) or b"", key):
        if plain(row["item"]) == plain(item):
            values: Mapping[str, str] | None = row.get("values")
            return values
    return None
