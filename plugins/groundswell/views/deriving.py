"""From the rows of items to what the index says about them, by the state that the run itself goes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from groundswell.ledger import Outcome, RunState
from groundswell.views.record_rows import CODES, Kept, Row, decoded, folded, plain

#: What an item can be, by number in the file: no HIT yet, asked about, or how the asking ended.
STATUSES = ("waiting", "open", *(str(each) for each in Outcome))
_NUMBERS = {status: number for number, status in enumerate(STATUSES)}

#: Columns of an item that its rows give and that are added up.
COUNTED = ("answers", "cents", "quarantined", "rejected", "withheld", "extended", "leading", "judged")
#: Columns of an item that are added up.
SUMMED = (*COUNTED, "labelled")
#: What is added up per worker.
OF_WORKERS = ("answers", "quarantined", "rejected", "cents", "seconds", "timed", "judged", "agreed")


@dataclass
class Derived:
    """What rows say about one item.

    Attributes:
        status: by number.
        label: that most of its counted answers have; None for a tie or none.
        counted: by COUNTED.
        seats: that its HIT was given.
        agreement: share of the counted answers that have the label; -1 for fewer than two.
        last: when the last answer was handed in; "" before.
        workers: worker -> what is added up, by OF_WORKERS; with the time of the last answer besides.
    """

    status: int
    label: str | None
    counted: Sequence[int]
    seats: int
    agreement: float
    last: str
    workers: dict[str, tuple[list[int], str]]


def status_of(state: RunState, item: str) -> str:
    """Return what an item is: one of STATUSES."""
    if item in state.outcomes:
        return str(state.outcomes[item])
    return "open" if item in state.hits else "waiting"


def seconds_of(answer: Mapping[str, Any]) -> int | None:
    """Return how long a worker took, None where it is not known or negative."""
    return _seconds(answer.get("accepted"), answer["submitted"])


def _seconds(accepted: Any, submitted: Any) -> int | None:
    try:
        taken = datetime.fromisoformat(submitted) - datetime.fromisoformat(accepted)
    except (TypeError, ValueError):
        return None
    seconds = int(taken.total_seconds())
    return seconds if seconds >= 0 else None


def paid_cents(state: RunState, assignments: Iterable[str]) -> int:
    """Return what was paid for assignments, fees included, bonuses not."""
    return sum(int(state.payments[each]["cents"]) for each in assignments if each in state.payments)


def derive(
    item: str, kept: Sequence[Kept], full: Callable[[int, str], Iterable[Row]], prefix: str
) -> Derived:
    """Return what rows say about an item.

    Args:
        item: the item.
        kept: all rows of it, as they are kept, in any order.
        full: see :func:`groundswell.views.record_rows.decoded`.
        prefix: of the ledger, for messages.

    Raises:
        LedgerError: the state cannot take the rows.
    """
    return usual(kept) or by_the_state(item, kept, full, prefix)


def by_the_state(
    item: str, kept: Sequence[Kept], full: Callable[[int, str], Iterable[Row]], prefix: str
) -> Derived:
    """Return what the state of the run says about an item by its own rows; as :func:`derive`."""
    rows = list(decoded(kept, full))
    state = folded(rows, prefix)
    named = {row["assignment"] for kind, row in rows if kind in {"payments", "withheld"}}
    answers = state.answers_of(item)
    waiting = [
        each
        for each in named
        if each in state.withheld and each not in state.payments and each not in state.rejections
    ]
    first, seats = state.hits.get(item), state.seats.get(item, 0)
    votes = Counter(row["label"] for row in state.counted(item))
    found = _summed(
        votes,
        [
            (
                plain(str(row["worker"])),
                row["label"],
                row.get("accepted"),
                row["submitted"],
                paid_cents(state, (row["assignment"],)),
                state.is_rejected(row["assignment"]),
            )
            for row in answers
        ],
    )
    for kind, row in rows:
        if kind == "answers":  # also those that the state does not keep: what was seen last stays seen
            worker, submitted = plain(str(row["worker"])), plain(row["submitted"])
            sums, latest = found.workers.get(worker) or ([0] * len(OF_WORKERS), "")
            found.workers[worker] = (sums, max(latest, submitted))
    found.status = _NUMBERS[status_of(state, item)]
    found.seats = seats
    extended = int(first is not None and seats > first["seats"])
    counted = list(found.counted)
    counted[1:6] = (
        paid_cents(state, named),
        counted[2],
        state.rejected_of(item),
        len(waiting),
        extended,
    )
    found.counted = counted
    return found


_Answer = tuple[str, str | None, Any, str, int, bool]


def _summed(votes: Mapping[str, int], answers: Sequence[_Answer]) -> Derived:
    """Return what answers (worker, label, accepted, submitted, cents, whether rejected) come to.

    Args:
        votes: of the counted ones.
        answers: all.
    """
    top = max(votes.values(), default=0)
    leaders = [label for label, count in votes.items() if count == top]
    label = leaders[0] if len(leaders) == 1 else None
    total = sum(votes.values())
    several = total > 1
    workers: dict[str, tuple[list[int], str]] = {}
    last, unreadable = "", 0
    for worker, said, accepted, submitted, cents, rejected in answers:
        seconds = _seconds(accepted, submitted)
        readable = 0 if said is None else 1
        judged = readable if several and not rejected else 0
        agreed = judged if said == label else 0
        timed = (0, 0) if seconds is None else (seconds, 1)
        sums = [1, 1 - readable, int(rejected), cents, *timed, judged, agreed]
        unreadable += 1 - readable
        submitted = plain(submitted)
        if worker in workers:
            before, latest = workers[worker]
            workers[worker] = ([a + b for a, b in zip(before, sums, strict=True)], max(latest, submitted))
        else:
            workers[worker] = (sums, submitted)
        if submitted > last:
            last = submitted
    return Derived(
        status=0,
        label=label,
        counted=(len(answers), 0, unreadable, 0, 0, 0, top if several else 0, total if several else 0),
        seats=0,
        agreement=round(top / total, 4) if several else -1.0,
        last=last,
        workers=workers,
    )


_HITS, _ANSWERS, _PAYMENTS = CODES["hits"], CODES["answers"], CODES["payments"]
_RESERVATIONS, _EXTENSIONS, _OUTCOMES = CODES["reservations"], CODES["extensions"], CODES["outcomes"]
#: Kind -> columns of a row that says nothing unusual, with its kind and item; None: any.
_USUAL = {
    _HITS: 5,
    _ANSWERS: 10,
    _PAYMENTS: 5,
    _RESERVATIONS: 5,
    _EXTENSIONS: 4,
    _OUTCOMES: 5,
    CODES["expirations"]: 2,
    CODES["deletions"]: 2,
}


def usual(kept: Sequence[Kept]) -> Derived | None:
    """Return what :func:`by_the_state` returns for rows as most items have them, else None.

    Such an item has one HIT at most, answers that are known once, payments, and one ending that nothing can
    take back: nobody was rejected, nothing withheld, no seat replaced, and it did not end for want of money.
    """
    hits: list[Kept] = []
    endings: list[Kept] = []
    answers: dict[str, Kept] = {}
    paid: dict[str, int] = {}
    seats = count = 0
    for row in kept:
        code = row[0]
        if _USUAL.get(code) != len(row):
            return None
        if code == _ANSWERS:
            answers[row[2]] = row
            count += 1
        elif code == _PAYMENTS:
            paid[row[2]] = int(row[3])
            count += 1
        elif code == _HITS:
            hits.append(row)
            seats = max(seats, row[3])
        elif code == _EXTENSIONS:
            seats = max(seats, row[2])
        elif code == _OUTCOMES:
            endings.append(row)
    if len(hits) > 1 or len(answers) + len(paid) != count or not _final(endings):
        return None
    return _of_usual(hits, endings, answers, paid, seats)


def _final(endings: Sequence[Kept]) -> bool:
    """Return whether there is no ending, or one that stands whatever else is known."""
    if not endings:
        return True
    _, _, outcome, seats, rejected = endings[0]
    return len(endings) == 1 and outcome != Outcome.BUDGET and seats >= 0 and rejected >= 0


def _of_usual(
    hits: Sequence[Kept],
    endings: Sequence[Kept],
    answers: Mapping[str, Kept],
    paid: Mapping[str, int],
    seats: int,
) -> Derived:
    votes: dict[str, int] = {}
    several: list[_Answer] = []
    for assignment, (_, _, _, worker, accepted, submitted, label, _, _, _) in answers.items():
        if label is not None:
            votes[label] = votes.get(label, 0) + 1
        several.append((plain(worker), label, accepted, submitted, paid.get(assignment, 0), False))
    found = _summed(votes, several)
    found.status = _NUMBERS[endings[0][2]] if endings else int(bool(hits))
    found.seats = seats
    counted = list(found.counted)
    counted[1] = sum(paid.values())
    counted[5] = int(bool(hits) and seats > hits[0][3])
    found.counted = counted
    return found
