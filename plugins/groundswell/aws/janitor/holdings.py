"""What a run that is over keeps from others for nothing: items, and money of the month."""

from __future__ import annotations

from collections.abc import Iterator, Set

from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.house import House
from groundswell.aws.limits import RunLimit
from groundswell.aws.runs import LabelingRun
from groundswell.batches.units import dollars
from groundswell.ledger import RunState, months


def stale_claims(house: House, run: LabelingRun, published: Set[str]) -> Iterator[Finding]:
    """
    Yield the items that the run claims and never published.

    :param published: items that have a HIT, in the ledger or not; their claims lapse by themselves.
    """
    held = house.held.get(run.run_id, {})
    idle = [item for item, until in held.items() if until > house.rules.now_text and item not in published]
    if idle:
        yield Finding(
            Kind.STALE_CLAIMS,
            house.name,
            run=run.run_id,
            what=f"{len(idle)} items are claimed and were not published",
            evidence=f"claims until {max(held.values())}; no HIT in the ledger",
            repair="give them back",
        )


def month_hold(house: House, run: LabelingRun, state: RunState) -> Iterator[Finding]:
    """Yield the money of its month that the run holds and can no longer spend."""
    month = state.month
    held = None if month is None else months.read(run.store, house.name, month).held_by(run.run_id)
    if held is None:
        return
    keeps = RunLimit(run, state).committed_cents()
    if held > keeps:
        yield Finding(
            Kind.MONTH_HOLD,
            house.name,
            run=run.run_id,
            name=str(month),
            what=f"{dollars(held - keeps)} of {month} are held and can no longer be spent",
            evidence=f"the month's book says {dollars(held)}; spent and still open {dollars(keeps)}",
            repair="give it back to the month",
        )


def lost_holds(house: House) -> Iterator[Finding]:
    """Yield the money that runs without a ledger hold: what they may still spend, nobody knows."""
    for month in months.months(house.base.store, house.name):
        book = months.read(house.base.store, house.name, month)
        for run_id, cents in book.unspent(but="").items():
            if run_id in house.ledgers or house.under_way(run_id):
                continue
            yield Finding(
                Kind.MONTH_HOLD,
                house.name,
                run=run_id,
                name=month,
                what=f"{dollars(cents)} of {month} are held by a run that has no ledger",
                evidence="it may be lost: restore it from a backup before the run is asked about",
            )
