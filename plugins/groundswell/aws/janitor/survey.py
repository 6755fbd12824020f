"""Reading what is left behind. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set

from groundswell.aws.deployment import is_ours
from groundswell.aws.janitor.cases import unended_cases
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.hits import HitSurvey, doing, owed_words
from groundswell.aws.janitor.holdings import lost_holds, month_hold, stale_claims
from groundswell.aws.janitor.house import Hit, House, is_open, item_of
from groundswell.aws.janitor.resources import in_use, resources_left
from groundswell.aws.runs import LabelingRun
from groundswell.errors import GroundswellError
from groundswell.ledger import RunState, run_key


def survey(house: House) -> list[Finding]:
    """Return what is left behind of a batch; notes, and which runs are clean, go to the house."""
    unsure = [run_id for run_id in house.ledgers if not house.known_clean(run_id)]
    over = [run_id for run_id in unsure if not _busy(house, run_id)]
    busy = in_use(house, set(unsure) - set(over))
    found: list[Finding] = []
    for run_id in over:
        found += _survey_run(house, run_id, busy)
    for look in (_unknown_runs, lost_holds, unended_cases):
        found += _survey_batch(house, look)
    return found


def _survey_batch(house: House, look: Callable[[House], Iterable[Finding]]) -> list[Finding]:
    """Return what one look at the batch finds; what it cannot read keeps nobody from the rest."""
    try:
        return list(look(house))
    except GroundswellError as error:
        return [_unreadable(house, "", "what the batch's runs share cannot be read", error)]


def _unreadable(house: House, run_id: str, what: str, error: Exception) -> Finding:
    return Finding(Kind.UNREADABLE_LEDGER, house.name, run=run_id, what=what, evidence=str(error))


def _busy(house: House, run_id: str) -> bool:
    reason = house.under_way(run_id)
    if reason is not None:
        house.notes.append(f"run {run_id} is left alone: {reason}")
    return reason is not None


def _survey_run(house: House, run_id: str, busy: Set[tuple[str, str]]) -> list[Finding]:
    run = house.run(run_id)
    try:
        state = run.ledger.fold()
        if not house.quiet(run, state):
            house.notes.append(f"run {run_id} is left alone: it is quiet for less than {house.rules.grace}")
            return []
        found = list(_run_findings(house, run, state, busy))
    except GroundswellError as error:
        return [_unreadable(house, run_id, "the ledger cannot be read", error)]
    if not found and state.hits.keys() <= state.deleted:
        house.clean[run_id] = house.ledgers[run_id]
    return found


def _run_findings(
    house: House, run: LabelingRun, state: RunState, busy: Set[tuple[str, str]]
) -> Iterator[Finding]:
    of_hits = list(HitSurvey(house, run, state).findings())
    yield from of_hits
    yield from resources_left(house, run, state, busy)
    if all(each.kind is Kind.UNDELETED_HITS for each in of_hits):
        # What the ledger does not have yet may still cost something; its repair gives back what is left
        yield from month_hold(house, run, state)
    yield from stale_claims(house, run, state.hits.keys() | {each.item for each in of_hits})


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
    ours = run_id is not None and is_ours(house.run(run_id), hit)
    if ours:
        whose = f"run {run_id} claimed items, so it is a run of this store whose ledger is lost"
    elif run_id:
        whose = (
            f"run {run_id} claimed items and its ledger is lost, but as the batch file is now, the HIT is of "
            "another deployment that has this batch name and run id"
        )
    else:
        whose = (
            "no run of this store has this key: it may be a run of another deployment that uses this account"
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
        safe=ours,
    )
