"""Reading what is left behind. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterator

from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.hits import HitSurvey, doing, owed_words
from groundswell.aws.janitor.house import Hit, House, is_open, item_of
from groundswell.aws.runs import LabelingRun
from groundswell.errors import LedgerError
from groundswell.ledger import RunState, run_key


def survey(house: House) -> list[Finding]:
    """Return what is left behind of a batch; notes go to the house."""
    found: list[Finding] = []
    for run_id in house.ledgers:
        found += survey_run(house, run_id)
    found += _unknown_runs(house)
    return found


def survey_run(house: House, run_id: str) -> list[Finding]:
    """Return what is left behind of a run; nothing for one that is under way, or was a moment ago."""
    reason = house.under_way(run_id)
    if reason is not None:
        house.notes.append(f"run {run_id} is left alone: {reason}")
        return []
    run = house.run(run_id)
    try:
        state = run.ledger.fold()
        if not house.quiet(run, state):
            house.notes.append(f"run {run_id} is left alone: it is quiet for less than {house.rules.grace}")
            return []
        return sorted(_run_findings(house, run, state), key=lambda each: list(Kind).index(each.kind))
    except LedgerError as error:
        return [
            Finding(
                Kind.UNREADABLE_LEDGER,
                house.name,
                run=run_id,
                what="the ledger cannot be read",
                evidence=str(error),
            )
        ]


def _run_findings(house: House, run: LabelingRun, state: RunState) -> Iterator[Finding]:
    of_hits = list(HitSurvey(house, run, state).findings())
    yield from of_hits
    yield from _stale_claims(house, run, state.hits.keys() | {each.item for each in of_hits})


def _stale_claims(house: House, run: LabelingRun, published: set[str]) -> Iterator[Finding]:
    """Items that the run keeps from others and never published; those of its HITs lapse by themselves."""
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


def _unknown_runs(house: House) -> Iterator[Finding]:
    """HITs whose annotation names the batch and a run without a ledger."""
    known = {run_key(run_id) for run_id in house.ledgers}
    claiming = {run_key(run_id): run_id for run_id in house.held}
    for key, hits in house.hits.items():
        if key in known:
            continue
        run_id = claiming.get(key)
        if run_id is not None and (reason := house.under_way(run_id)):
            house.notes.append(f"run {run_id} has HITs and no ledger, and is left alone: {reason}")
            continue
        run = house.stray(key)
        state = run.ledger.fold()
        for hit in hits:
            if house.rules.old(hit["CreationTime"].isoformat()):
                yield from _unknown(house, run, state, hit, run_id)


def _unknown(
    house: House, run: LabelingRun, state: RunState, hit: Hit, run_id: str | None
) -> Iterator[Finding]:
    owed = owed_words(run, state, item_of(hit), hit)
    if not is_open(hit) and not owed:
        return  # dealt with, or nothing ever happened there
    whose = (
        f"run {run_id} claimed items, so it is a run of this store whose ledger is lost"
        if run_id
        else "no run of this store has this key: it may be a run of another deployment that uses this account"
    )
    yield Finding(
        Kind.UNKNOWN_RUN_HIT,
        house.name,
        run=run_id or run.run_id,
        item=item_of(hit),
        name=hit["HITId"],
        what="a HIT of a run that has no ledger",
        evidence="; ".join(filter(None, [doing(hit), owed, whose])),
        repair="pay and record what it got, take it off the market",
        safe=run_id is not None,
    )
