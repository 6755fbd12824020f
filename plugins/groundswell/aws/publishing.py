"""Creating the HITs of a shard: one per item, once, whatever happens in between."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.deployment import approval_delay, is_ours, require_ours
from groundswell.aws.exceptions import turk_message
from groundswell.aws.fence import READ_LIFE
from groundswell.aws.pages import question
from groundswell.aws.progress import keep_progress
from groundswell.aws.runs import LabelingRun, keep_claims, now_text
from groundswell.aws.steps.spend import require_reservation
from groundswell.aws.stopping import refuse_if_stopped, take_off_if_stopped
from groundswell.ledger import RunState, annotation, request_token
from groundswell.ledger.claims import held_by, taken_by_others
from groundswell.ledger.shards import read_shard

log = logging.getLogger(__name__)

#: The service forgets a token after 24 hours; an older intent is looked up instead of trusted to it.
TOKEN_LIFE = timedelta(hours=23)
#: HITs per part: what a crash may leave to be recovered through tokens.
CHUNK = 50


@dataclass(frozen=True)
class Published:
    """What a publishing task did: HITs of the shard, and how many of them this attempt created or found."""

    hit_type: str
    hits: int
    added: int


def hit_type_properties(run: LabelingRun) -> dict[str, Any]:
    """
    Return the properties of the run's HIT type.

    HIT types with identical properties are one, and ListReviewableHITs filters by type. So that two runs of
    a batch do not share a type, each has an auto-approval delay of its own.
    """
    task = run.batch.task
    return {
        "Title": task.title,
        "Description": task.description,
        "Keywords": task.keywords,
        "Reward": task.reward_dollars,
        "AssignmentDurationInSeconds": task.assignment_duration_seconds,
        "AutoApprovalDelayInSeconds": approval_delay(run),
    }


def publish_shard(run: LabelingRun, shard: int, *, look_up: bool = False) -> Published:
    """
    Create the HITs that the items of a shard lack.

    Protocol: token from (batch, run, item, "publish"), intent, call, outcome. A retry repeats the calls whose
    outcome is not recorded; the workforce answers them with the HIT that exists.

    :param look_up: ask the workforce for the run's HITs first. A ledger that was restored from a backup may
        have lost the intents that tell how old a token is.
    """
    items = read_shard(run.ledger, shard)
    read_at = datetime.now(UTC)
    state = run.ledger.fold("intents", "hits")
    missing = _still_ours(run, {item: each for item, each in items.items() if item not in state.hits})
    hit_type = run.mturk.create_hit_type(**hit_type_properties(run))
    if missing:
        refuse_if_stopped(run)
        require_reservation(run)
        questions = {item: question(run, item, values) for item, values in missing.items()}
        doubtful = list(missing) if look_up else _stale(run, state, missing)
        found = _recover(run, doubtful)
        intents = _intend(run, state, missing)
        # No token is older than the first intent, or than the reading that found none
        safe_until = {
            item: min(read_at, datetime.fromisoformat(at)) + TOKEN_LIFE for item, at in intents.items()
        }
        # What is looked up at the workforce is without the HITs that others have published and deleted since
        # the ledger was read
        safe_until |= {item: max(safe_until[item], read_at + READ_LIFE) for item in doubtful}
        _create(run, hit_type, questions, intents, found, safe_until)
        take_off_if_stopped(run)
        run.ledger.refresh(state)  # shards are published at the same time: the last one sees them all
        keep_progress(run, state)
    return Published(hit_type=hit_type, hits=len(items), added=len(missing))


def _still_ours(run: LabelingRun, missing: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """
    Return the items that no other run asks about, claimed anew.

    A run that failed gives its unpublished items back, and a claim lapses; when the task is cleared later,
    another run may have taken them.
    """
    if not missing:
        return {}
    now = now_text()
    held = held_by(run.store, run.batch.name, run.run_id)
    lapsed = {item for item in missing if held.get(item, "") <= now}
    gone = lapsed & taken_by_others(run.store, run.batch.name, run.run_id, now=now) if lapsed else set()
    if gone:
        log.warning("%d items are left out: another run of the batch asks about them", len(gone))
    ours = {item: values for item, values in missing.items() if item not in gone}
    keep_claims(run, ours)
    return ours


def _token(run: LabelingRun, item: str) -> str:
    return request_token(run.batch.name, run.run_id, item, "publish", 0)


def _stale(run: LabelingRun, state: RunState, missing: Iterable[str]) -> list[str]:
    """Return the items whose token the service may have forgotten."""
    oldest = (datetime.now(UTC) - TOKEN_LIFE).isoformat(timespec="seconds")
    return [item for item in missing if state.intents.get(_token(run, item), "9999") < oldest]


def _recover(run: LabelingRun, items: Iterable[str]) -> dict[str, str]:
    """Return item -> HIT id of those that have a HIT at the workforce. Raises LedgerError: see _create."""
    marks = {annotation(run.batch.name, run.run_id, item): item for item in items}
    found: dict[str, str] = {}
    foreign: dict[str, dict[str, Any]] = {}
    for hit in run.mturk.hits() if marks else ():
        item = marks.get(hit.get("RequesterAnnotation", ""))
        if item is not None and is_ours(run, hit):
            found[item] = hit["HITId"]
        elif item is not None:
            foreign[item] = hit
    for item in foreign.keys() - found.keys():
        require_ours(run, item, foreign[item])
    return found


def _intend(run: LabelingRun, state: RunState, missing: Mapping[str, Any]) -> dict[str, str]:
    """Record the intents; return item -> time of its first intent."""
    now = now_text()
    new = [item for item in missing if _token(run, item) not in state.intents]
    run.ledger.append(
        "intents",
        ({"token": _token(run, item), "purpose": "publish", "item": item, "at": now} for item in new),
    )
    return {item: state.intents.get(_token(run, item), now) for item in missing}


def _create(
    run: LabelingRun,
    hit_type: str,
    questions: Mapping[str, str],
    intents: Mapping[str, str],
    found: Mapping[str, str],
    safe_until: Mapping[str, datetime],
) -> None:
    """Create the HITs and record them. Raises LedgerError where another deployment has made one."""
    task, seats = run.batch.task, run.batch.redundancy.first
    rows: list[dict[str, Any]] = []
    try:
        for item, xml in questions.items():
            with run.mturk.signed_before(safe_until[item]):
                hit = found.get(item) or run.mturk.create_hit(
                    token=_token(run, item),
                    on_existing=partial(_check_existing, run, item),
                    HITTypeId=hit_type,
                    MaxAssignments=seats,
                    LifetimeInSeconds=task.lifetime_seconds,
                    Question=xml,
                    RequesterAnnotation=annotation(run.batch.name, run.run_id, item),
                )
            # The expiration as the first intent has it: at most a little early, and the same in any retry
            expires = datetime.fromisoformat(intents[item]) + timedelta(seconds=task.lifetime_seconds)
            rows.append(
                {
                    "item": item,
                    "hit": hit,
                    "hit_type": hit_type,
                    "seats": seats,
                    "expires": expires.isoformat(timespec="seconds"),
                }
            )
            if len(rows) >= CHUNK:
                run.ledger.append("hits", rows)
                rows = []
                refuse_if_stopped(run)
    finally:
        run.ledger.append("hits", rows)


def _check_existing(run: LabelingRun, item: str, hit: str) -> None:
    """Look at a HIT that the token stands for: an earlier attempt's, or another deployment's."""
    try:
        there = run.mturk.get_hit(hit)
    except ClientError as error:
        if "does not exist" in turk_message(error):
            return  # dealt with by a twin and deleted since, it was recorded as well
        raise
    require_ours(run, item, there)  # also of one that is disposed: the service shows it for a while
