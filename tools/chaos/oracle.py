"""Judges runs by the workforce's tables alone: what was published, submitted and paid there.

It asks no API and trusts no record of the run's: the ledger is only what is compared with the tables. Deleted
HITs stay in them, so a run can be judged after its clean-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields

from groundswell.ledger import RunState, annotation
from tools.chaos.server_side import PlacedHit, ServerSide, Work, read_run
from workforce.market.audit import audit
from workforce.store import Store


@dataclass(frozen=True)
class Books:
    """A run as its own ledger tells it.

    Attributes:
        batch: name of the batch.
        run_id: Airflow's run id.
        state: the folded ledger.
        limit_cents: what the run was allowed to spend at most; None where that is not to be judged.
        most: answers that an item may get at most; None where that is not to be judged.
        items: ids of all items that should have a HIT; empty: those of the ledger's HITs.
        finished: the run is over. Otherwise work that waits for payment is no fault yet.
    """

    batch: str
    run_id: str
    state: RunState
    limit_cents: int | None = None
    most: int | None = None
    items: Sequence[str] = ()
    finished: bool = True


@dataclass
class Verdict:
    """What was found wrong; all zero and no ``problems`` where nothing was. Money in cents.

    Attributes:
        hits: HITs that were made. Not a fault, like ``answers`` and ``paid_cents``.
        answers: submissions.
        paid_cents: what the workforce took for the runs, fees and bonuses included.
        duplicate_hits: HITs beyond the first of their item.
        unpublished: items without a HIT.
        unknown_hits: HITs of the run that its ledger does not know, and such as it made up.
        lost_answers: submitted there, not in the ledger.
        invented_answers: in the ledger, not submitted there.
        double_payments: answers paid more than once, and bonuses beyond those recorded.
        unpaid: submitted, and neither paid nor rejected on record.
        unrecorded: paid or rejected there, not in the ledger.
        unmade: in the ledger as paid, rejected or a bonus, and not done there.
        cents_off: the ledger's spend against the journal's.
        overspent_cents: paid beyond the limit.
        overheld_cents: held and paid beyond the limit at the worst moment.
        seats_beyond: seats beyond the most of their item.
        wasted_cents: paid for answers of duplicate HITs and for seats beyond the most.
        left_cents: still held when the run is over.
    """

    hits: int = 0
    answers: int = 0
    paid_cents: int = 0
    duplicate_hits: int = 0
    unpublished: int = 0
    unknown_hits: int = 0
    lost_answers: int = 0
    invented_answers: int = 0
    double_payments: int = 0
    unpaid: int = 0
    unrecorded: int = 0
    unmade: int = 0
    cents_off: int = 0
    overspent_cents: int = 0
    overheld_cents: int = 0
    seats_beyond: int = 0
    wasted_cents: int = 0
    left_cents: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def add(self, other: Verdict) -> None:
        """Take another verdict into this one."""
        for each in fields(Verdict):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def fault(self, kind: str, count: int, text: str) -> None:
        """Count a fault and say it; a count of 0 is none."""
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            self.problems.append(text)


def check(store: Store, account: str, books: Iterable[Books]) -> Verdict:
    """
    Judge runs against the tables of the workforce they used.

    :param store: the workforce's database.
    :param account: the requester account of the runs.
    :param books: the runs; one account may hold many others, which are not looked at.
    """
    verdict = Verdict()
    for each in books:
        known = {row["hit"] for row in each.state.hits.values()} | each.state.duplicates
        there = read_run(store, account, each.batch, each.run_id, known)
        for judge in _JUDGES:
            judge(verdict, each, there)
    verdict.problems += audit(store, account)
    return verdict


def _judge_hits(verdict: Verdict, books: Books, there: ServerSide) -> None:
    verdict.hits += len(there.hits)
    marks = {annotation(books.batch, books.run_id, item): item for item in books.items or books.state.hits}
    grouped = there.by_item
    for mark, placed in grouped.items():
        ids = ", ".join(hit.hit_id for hit in placed)
        verdict.fault(
            "duplicate_hits", len(placed) - 1, f"{_name(marks, mark)} has {len(placed)} HITs: {ids}"
        )
    missing = sorted(item for mark, item in marks.items() if mark not in grouped)
    if books.finished:
        verdict.fault("unpublished", len(missing), f"no HIT of: {', '.join(missing)}")
    recorded = {row["hit"] for row in books.state.hits.values()} | books.state.duplicates
    placed_ids = {hit.hit_id for hit in there.hits}
    odd = sorted(recorded - placed_ids)
    if books.finished:
        odd += sorted(placed_ids - recorded)
    verdict.fault("unknown_hits", len(odd), f"HITs that only one side knows: {', '.join(odd)}")


def _judge_answers(verdict: Verdict, books: Books, there: ServerSide) -> None:
    submitted = there.work
    verdict.answers += len(submitted)
    if books.finished:
        lost = sorted(submitted.keys() - books.state.answers.keys())
        verdict.fault("lost_answers", len(lost), f"submitted, and not in the ledger: {', '.join(lost)}")
    invented = sorted(books.state.answers.keys() - submitted.keys())
    verdict.fault("invented_answers", len(invented), f"in the ledger, never submitted: {', '.join(invented)}")


def _judge_payments(verdict: Verdict, books: Books, there: ServerSide) -> None:
    state = books.state
    for key, work in sorted(there.work.items()):
        verdict.fault("double_payments", max(0, work.payments - 1), f"{key} was paid {work.payments} times")
        if books.finished:
            _judge_settled(verdict, state, key, work)
    unmade = [key for key in state.payments if not _done(there, key, "Approved")]
    unmade += [key for key in state.rejections if not _done(there, key, "Rejected")]
    verdict.fault("unmade", len(unmade), f"on record, and never done: {', '.join(sorted(unmade))}")


def _judge_settled(verdict: Verdict, state: RunState, key: str, work: Work) -> None:
    """A run that is over owes nobody, and has a record of whatever it did about an answer."""
    if work.status == "Submitted":
        verdict.fault("unpaid", 1, f"{key} was submitted and is not paid")
    elif work.status == "Approved" and key not in state.payments:
        verdict.fault("unrecorded", 1, f"{key} was paid, and the ledger does not say so")
    elif work.status == "Rejected" and key not in state.rejections:
        verdict.fault("unrecorded", 1, f"{key} was rejected, and the ledger does not say so")


def _done(there: ServerSide, key: str, status: str) -> bool:
    return key in there.work and there.work[key].status == status


def _judge_bonuses(verdict: Verdict, books: Books, there: ServerSide) -> None:
    recorded: dict[str, int] = {}
    for row in books.state.bonuses.values():
        recorded[row["assignment"]] = recorded.get(row["assignment"], 0) + 1
    made = {key: work.bonuses for hit in there.hits for key, work in hit.work.items() if work.bonuses}
    for key in sorted(recorded.keys() | made.keys()):
        more = made.get(key, 0) - recorded.get(key, 0)
        text = f"{key}: {made.get(key, 0)} bonuses were paid, {recorded.get(key, 0)} are on record"
        if books.finished or more < 0:
            verdict.fault("double_payments" if more > 0 else "unmade", abs(more), text)


def _judge_money(verdict: Verdict, books: Books, there: ServerSide) -> None:
    paid = there.paid_cents
    verdict.paid_cents += paid
    if books.finished:
        off = abs(books.state.spent_cents - paid)
        text = f"the ledger says {books.state.spent_cents} cents were spent, the journal {paid}"
        verdict.fault("cents_off", off, text)
        held = sum(hit.held_cents for hit in there.hits)
        verdict.fault("left_cents", held, f"{held} cents are still held for a run that is over")
    if books.limit_cents is not None:
        over = max(0, paid - books.limit_cents)
        verdict.fault("overspent_cents", over, f"{paid} cents were paid of {books.limit_cents} allowed")
        peak = there.peak_cents
        over = max(0, peak - books.limit_cents)
        verdict.fault("overheld_cents", over, f"{peak} cents were committed of {books.limit_cents} allowed")


def _judge_seats(verdict: Verdict, books: Books, there: ServerSide) -> None:
    for placed in there.by_item.values():
        for number, hit in enumerate(placed):
            # A rejected answer cost nothing, and its seat may be opened again
            rejected = sum(work.status == "Rejected" for work in hit.work.values())
            most = hit.seats if books.most is None else books.most + rejected
            text = f"HIT {hit.hit_id} has {hit.seats} seats of {most} allowed"
            verdict.fault("seats_beyond", max(0, hit.seats - most), text)
            verdict.wasted_cents += hit.paid_cents if number else _paid_beyond(hit, most)


def _paid_beyond(hit: PlacedHit, most: int) -> int:
    return hit.seat_cents * max(0, sum(work.payments > 0 for work in hit.work.values()) - most)


def _name(marks: dict[str, str], mark: str) -> str:
    return f"item {marks[mark]!r}" if mark in marks else mark


_JUDGES: tuple[Callable[[Verdict, Books, ServerSide], None], ...] = (
    _judge_hits,
    _judge_answers,
    _judge_payments,
    _judge_bonuses,
    _judge_money,
    _judge_seats,
)
