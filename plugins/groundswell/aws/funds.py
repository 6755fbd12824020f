"""The account's money against what the ledgers say was paid from it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from groundswell.aws.runs import COMPENSATIONS, LabelingRun, all_ledgers
from groundswell.aws.snapshot import connection_of
from groundswell.batches.units import dollars
from groundswell.ledger import Ledger, PartStore, RunState, deposits
from groundswell.ledger.comparing import Difference

log = logging.getLogger(__name__)

#: A payment's time may be this far from the time at which the balance was read: clocks of two machines.
SLACK = timedelta(minutes=2)
#: What a sandbox shows as its balance, whatever is paid.
SANDBOX_CENTS = 1_000_000
_READERS = 8


@dataclass
class Funds:
    """What comparing the money found: at most one difference, and notes."""

    difference: Difference | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Span:
    """An amount in cents that is known within bounds only."""

    low: int = 0
    high: int = 0

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def __str__(self) -> str:
        low = dollars(self.low)
        return low if self.low == self.high else f"{low} to {dollars(self.high)}"


def compare_funds(run: LabelingRun, state: RunState, *, unrecorded_cents: int, holds: bool) -> Funds:
    """
    Compare how far the account's money has fallen since the run's plan with what the ledgers say was paid.

    Money is what may be used and what is held for HITs together: holding and releasing do not change it.

    :param unrecorded_cents: what the run has paid, as the workforce says, and not recorded yet.
    :param holds: whether the workforce has to hold money for seats of the run that are open.
    """
    before = _before(state)
    if "funds_cents" not in before:
        return Funds(notes=["funds are not compared: the run has no plan that says what the account had"])
    others = spent_by_others(run, before["at"])
    available, held = run.mturk.balance_cents()
    if holds and not held:
        return Funds(
            notes=["funds are not compared: the workforce does not say what it holds for open seats"]
        )
    # Read again: others may have paid between reading their ledgers and reading the balance
    others = Span(others.low, max(others.high, spent_by_others(run, before["at"]).high))
    fell = int(before["funds_cents"]) - available - held
    spent = state.spent_cents + unrecorded_cents
    since = spent - _spent_before(state, before["at"])
    own = Span(since, since)
    credited = _credits(run, before["at"])
    credits = Span(min(credited), max(credited))
    expected = own + others + Span(-credits.high, -credits.low)
    # A deposit was had before the plan or it was not: a part of it explains nothing. And what is dated before
    # the plan was all paid before it, or the workforce's clock is behind
    went = (fell + cents - paid for cents in credited for paid in {since, spent})
    if any(others.low <= cents <= others.high for cents in went):
        return Funds(notes=_vague(others, credits))
    known = f"{own} by this run, {others} by other runs"
    known += f", and {credits} deposited" if credits != Span() else ""
    text = f"funds {_moved(fell)}, while the ledgers have {known}"
    if run.batch.spend.shared_account:
        return Funds(notes=[f"{text}; spend.shared_account is true, so this is no difference"])
    if fell == 0 and available == SANDBOX_CENTS:
        return Funds(notes=[f"funds are not compared: a sandbox, whose balance stays {dollars(available)}"])
    return Funds(
        Difference(
            what="funds",
            where=f"account of {run.live.connections.mturk}, since {before['at']}",
            ledger=known,
            workforce=_moved(fell),
            fix=f"see the other rows first; {_advice(fell, expected)}",
        )
    )


def _moved(fell: int) -> str:
    return f"fell by {dollars(fell)}" if fell >= 0 else f"rose by {dollars(-fell)}"


def _advice(fell: int, expected: Span) -> str:
    """Say exactly what the account has too much or too little, and who may know why."""
    if fell > expected.high:
        return (
            f"{dollars(fell - expected.high)} went that no ledger of this store knows: find out who else "
            "pays from the account; if that is always so, set spend.shared_account: true, if money was taken "
            "out, state it by record_deposit with a negative amount; then clear this task"
        )
    if fell >= expected.low:
        return (
            "of the deposits that were stated for about the time of the plan, none and no sum explains just "
            "this: compare their amounts and times with the receipts, and state what is missing by "
            "record_deposit, then clear this task; else find out who else pays from the account"
        )
    more = Span(expected.low - fell, expected.high - fell)
    return (
        f"the account has {more} more than the ledgers explain: if just that was deposited, state it by "
        "record_deposit, then clear this task; else ask who runs the workforce"
    )


def _spent_before(state: RunState, since: str) -> int:
    """Return what the run paid before a time: something where its ledger was lost and it was planned anew."""
    early, _ = _around(since)
    return sum(cents for at, cents in _payments(state) if at is not None and at < early)


def _credits(run: LabelingRun, since: str) -> set[int]:
    """Return what may have been deposited in all since a time (ISO 8601, UTC), as people have stated it."""
    early, late = _around(since)
    totals = {0}
    for deposit in deposits.stated(run.store, run.live.connections.mturk):
        if deposit.at > late:
            totals = {total + deposit.cents for total in totals}
        elif deposit.at >= early:  # the account may have had it when the run was planned
            totals |= {total + deposit.cents for total in totals}
    return totals


def _around(since: str) -> tuple[str, str]:
    """Return the times before and after which clocks of two machines agree that something was."""
    begin = datetime.fromisoformat(since)
    early, late = ((begin + shift).isoformat(timespec="seconds") for shift in (-SLACK, SLACK))
    return early, late


def record_deposit(
    run: LabelingRun, params: Mapping[str, Any], *, by: str | None, now: datetime
) -> dict[str, Any]:
    """
    State a deposit into the account of a batch; return it. Stating it again changes nothing.

    :param run: any run of the batch, for its store and its connection.
    :param params: ``receipt``, ``amount`` and ``at`` of the DAG run.
    :raises LedgerError: where they are wrong, or the receipt stands for another deposit.
    """
    deposit = deposits.read_deposit(params, run.live.connections.mturk, now=now)
    stated, at_known = now.isoformat(timespec="seconds"), bool(str(params["at"]).strip())
    kept = deposits.state(run.store, deposit, by=by, stated=stated, at_known=at_known)
    log.info("receipt %s: %s at %s is on record", kept.receipt, dollars(kept.cents), kept.at)
    return asdict(kept)


def _before(state: RunState) -> Mapping[str, Any]:
    """Return the row that says what the account had before the run spent anything: the later one."""
    first = next((row for row in state.approvals if row["what"] == "spend"), {})
    if "funds_cents" not in first:
        return state.plan or {}
    return {"at": first.get("funds_at", first["at"]), "funds_cents": first["funds_cents"]}


def _vague(others: Span, credits: Span) -> list[str]:
    notes = []
    if others.low != others.high:
        notes.append(
            "funds agree as far as can be known: other runs of the store are under way, or have payments "
            f"whose time is not recorded, and paid {others}"
        )
    if credits.low != credits.high:
        notes.append(
            f"funds agree as far as can be known: of what was deposited, {credits} came about when the run "
            "was planned"
        )
    return notes


def spent_by_others(run: LabelingRun, since: str) -> Span:
    """Return what the other runs of the store have paid since a time (ISO 8601, UTC)."""
    others = [each for each in all_ledgers(run.store) if each != (run.live.name, run.run_id)]
    touched = _taken_up_again(run.store, others)
    with ThreadPoolExecutor(_READERS) as readers:
        spans = readers.map(
            lambda each: _spent(Ledger(run.store, *each), run, since, touched=each in touched), others
        )
        return sum(spans, Span())


def _taken_up_again(store: PartStore, ledgers: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the runs in whose ledger something may have been paid after they were summed up."""
    touched = set()
    for name, case in ledgers:
        if name == COMPENSATIONS:
            for _, row in Ledger(store, name, case).rows("intents"):
                touched.add((case.partition("/")[0], str(row.get("run_id"))))
    return touched


def _spent(ledger: Ledger, run: LabelingRun, since: str, *, touched: bool) -> Span:
    early, late = _around(since)
    summary = ledger.get_document("summary.json") or {}
    over = summary.get("open") == 0 and not summary.get("undeleted")
    if over and not touched and summary.get("updated", since) < early:
        return Span()  # nothing could be paid any more
    state = ledger.fold("spend", "hits", "answers", "payments", "withheld", "rejections", "bonuses")
    # Another connection may be another account, or another name for this one
    certain = connection_of(ledger) in {None, run.live.connections.mturk}
    total = Span(0, _owed_cents(state))
    for at, cents in _payments(state):
        if at is None or early <= at <= late:
            total += Span(0, cents)
        elif at > late:
            total += Span(cents if certain else 0, cents)
    return total


def _payments(state: RunState) -> Iterator[tuple[str | None, int]]:
    for row in state.payments.values():
        yield row.get("at"), int(row["cents"])
    for row in state.bonuses.values():
        yield row.get("at"), int(row["cents"]) + int(row["fee_cents"])


def _owed_cents(state: RunState) -> int:
    """Return what may be paid and not be recorded yet: an answer is recorded before it is paid."""
    settled = state.payments.keys() | state.rejections.keys()
    owed = sum(assignment not in settled for assignment in state.answers)
    plan: dict[str, Any] = state.plan or {}
    return owed * (int(plan.get("reward_cents", 0)) + int(plan.get("fee_cents", 0)))
