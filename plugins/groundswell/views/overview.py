"""Where the runs of a batch stand, by the small documents that each leaves beside its ledger."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import Ledger, PartStore
from groundswell.ledger.ledger import KINDS, READERS
from groundswell.views.expecting import NOT_TOLD, Told, expected
from groundswell.views.standing import read_points

PROGRESS, SUMMARY = "progress.json", "summary.json"
#: What items are said to have been given up for by documents that do not tell.
UNKNOWN_REASON = "unknown"

_BEGAN = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[0-9:.+Z-]*)?")
_COUNTS = ("items", "settled", "open", "answers", "quarantined", "spent_cents")


@dataclass(frozen=True)
class Point:
    """Where a run stood at a time (ISO 8601, UTC)."""

    at: str
    answers: int
    settled: int
    spent_cents: int


@dataclass(frozen=True)
class RunOverview:
    """Where a run stands, by its progress.json and its summary.json. Money in cents, fees included.

    Attributes:
        batch: name of the batch.
        run_id: id of the run.
        updated: when the documents were written (ISO 8601, UTC); None before the first one.
        finished: whether the run was summed up: nothing more happens by itself.
        items: items that workers were asked about so far.
        planned_items: items that the run is to ask about; None where the document does not tell.
        settled: items whose answers agreed as the batch wants it.
        open: items about which workers are being asked.
        given_up: reason (``gave_up``, ``expired``, ``budget``, ``lost``) -> items.
        answers: answers that were handed in.
        quarantined: answers that cannot be read.
        agreement: share of counted answers that equal their item's leading label
            (:func:`groundswell.views.standing.standing`); None where unknown.
        spent_cents: what was paid.
        budget_cents: what the run may spend; None where unknown.
        worst_cents: what it has spent and may still come to spend by itself; None where unknown.
        pace: answers in the hour before ``updated``; None where there was none.
        eta: when the last answer may come in, also to items that were not asked about yet (ISO 8601, UTC; see
            :func:`groundswell.views.expecting.expected`); None where unknown or finished.
        no_eta: why there is none, for people; None where there is one or the run is finished.
        active_workers: workers who handed in an answer in the 15 minutes before ``updated``; 0 once finished,
            None where unknown.
        timeline: at most 200 points by time.
        differences: how many differences there were when ledger and workforce were compared at the end; None
            where they were not compared yet.
        stale: seconds from ``updated`` to the reading of the document; None before the first one.
        problem: what is wrong with the documents, for people; None for nothing.
    """

    batch: str
    run_id: str
    updated: str | None = None
    finished: bool = False
    items: int = 0
    planned_items: int | None = None
    settled: int = 0
    open: int = 0
    given_up: Mapping[str, int] = field(default_factory=dict)
    answers: int = 0
    quarantined: int = 0
    agreement: float | None = None
    spent_cents: int = 0
    budget_cents: int | None = None
    worst_cents: int | None = None
    pace: float | None = None
    eta: str | None = None
    no_eta: str | None = None
    active_workers: int | None = None
    timeline: tuple[Point, ...] = ()
    differences: int | None = None
    stale: float | None = None
    problem: str | None = None


def overview(store: PartStore, batch: str, run_id: str, *, now: datetime | None = None) -> RunOverview:
    """Return where one run stands: two small reads, whatever the size of the run.

    A document that is damaged is told of in ``problem`` and passed over.

    Args:
        store: the store of the batch's ledgers.
        batch: name of the batch.
        run_id: id of the run; one that has no documents yet gets an overview of zeros.
        now: the time of reading.
    """
    ledger, problems = Ledger(store, batch, run_id), []
    documents: dict[str, dict[str, Any]] = {}
    for name in (PROGRESS, SUMMARY):
        try:
            documents[name] = read_document(ledger, name) or {}
        except LedgerError as error:
            problems.append(str(error))
            documents[name] = {}
    found = _merged(batch, run_id, documents[PROGRESS], documents[SUMMARY])
    moment = _moment(found["updated"])
    stale = None if moment is None else max(0.0, ((now or datetime.now(UTC)) - moment).total_seconds())
    return RunOverview(**found, stale=stale, problem="; ".join(problems) or None)


def overviews(
    store: PartStore, batch: str, limit: int = 50, *, now: datetime | None = None
) -> list[RunOverview]:
    """Return where the runs of a batch stand, newest first.

    Newest goes by the time in the run's id (``scheduled__2026-01-01T06:00:00+00:00``); a run whose id has
    none goes by when its documents were written, so those are read even if they are too old to be shown.

    Args:
        store: the store of the batch's ledgers.
        batch: name of the batch.
        limit: how many at most.
        now: the time of reading.
    """
    found: list[tuple[str, RunOverview]] = []
    names = list(store.folders(f"{batch}/"))
    dated = sorted(
        (name for name in names if began(name)), key=lambda name: (began(name), name), reverse=True
    )
    with ThreadPoolExecutor(READERS) as readers:

        def read(run_ids: Iterable[str]) -> None:
            for each in readers.map(lambda run_id: _overview_below(store, batch, run_id, now), run_ids):
                found.extend((began(one.run_id) or one.updated or "", one) for one in each)

        read(name for name in names if not began(name))
        read(dated[:limit])
    found.sort(key=lambda pair: (pair[0], pair[1].run_id), reverse=True)
    return [each for _, each in found[:limit]]


def began(run_id: str) -> str:
    """Return the time in a run's id (ISO 8601, UTC, where it has one), or ""."""
    match = _BEGAN.search(run_id)
    moment = None if match is None else _moment(match[0])
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")


def read_document(ledger: Ledger, name: str) -> dict[str, Any] | None:
    """Return a document that a run left, or None. Raises LedgerError where it is damaged."""
    key = f"{ledger.prefix}{name}"
    body = ledger.store.get(key)
    if body is None:
        return None
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"{key} is not JSON ({error}); the run writes it again as it goes on") from error
    if not isinstance(document, dict):
        raise LedgerError(f"{key} is no JSON object; the run writes it again as it goes on")
    return document


def updated(ledger: Ledger, name: str) -> str | None:
    """Return when a document of a run was written; None where it is missing, damaged or does not tell."""
    try:
        return _written(read_document(ledger, name) or {}) or None
    except LedgerError:
        return None


def _overview_below(store: PartStore, batch: str, name: str, now: datetime | None) -> list[RunOverview]:
    found = overview(store, batch, name, now=now)
    if found.updated or found.problem:
        return [found]
    # Nothing was written yet, or a run's id has a slash and this is its first half
    return [overview(store, batch, run_id, now=now) for run_id in _ids_below(store, batch, name)]


def _ids_below(store: PartStore, batch: str, name: str) -> Iterator[str]:
    inner = set(store.folders(f"{batch}/{name}/"))
    if inner & set(KINDS) or not inner:
        yield name
    for folder in sorted(inner.difference(KINDS)):
        yield from _ids_below(store, batch, f"{name}/{folder}")


def _merged(
    batch: str, run_id: str, progress: Mapping[str, Any], summary: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the values of an overview. The summary has the last word on what both tell, if it is newer."""
    finished = bool(summary) and _written(summary) >= _written(progress)
    both = {**progress, **summary} if finished else progress
    counts = {name: _count(both.get(name)) or 0 for name in _COUNTS}
    budget = _count(progress.get("budget_cents"))
    plan = summary.get("plan") if isinstance(summary.get("plan"), dict) else {}
    timeline = tuple(
        Point(row["at"], row["answers"], row["settled"], row["spent_cents"])
        for row in read_points(progress.get("timeline"))
    )
    eta, no_eta = (None, None) if finished else _expected(progress, timeline)
    return counts | {
        "batch": batch,
        "run_id": run_id,
        "updated": _written(both) or None,
        "finished": finished,
        "planned_items": _count(progress.get("planned_items")),
        "given_up": _given_up(progress.get("given_up_by"), _count(both.get("given_up")) or 0),
        "agreement": _number(progress.get("agreement")),
        "budget_cents": _count((plan or {}).get("budget_cents")) if budget is None else budget,
        # Once nobody collects any more nothing is spent either
        "worst_cents": counts["spent_cents"] if finished else _count(progress.get("worst_cents")),
        "pace": None if finished else _number(progress.get("pace")),
        "eta": eta,
        "no_eta": no_eta,
        "active_workers": 0 if finished else _count(progress.get("active_workers")),
        "timeline": timeline,
        "differences": _count(summary.get("differences")) if finished else None,
    }


def _expected(progress: Mapping[str, Any], timeline: tuple[Point, ...]) -> tuple[str | None, str | None]:
    at = _moment(progress.get("updated"))
    if at is None:
        return None, None
    if "pace" not in progress:
        return None, NOT_TOLD
    return expected(
        Told(
            at,
            datetime.fromisoformat(timeline[0].at) if timeline else None,
            items=_count(progress.get("items")) or 0,
            planned=_count(progress.get("planned_items")),
            open=_count(progress.get("open")) or 0,
            answers=_count(progress.get("answers")) or 0,
            pace=_number(progress.get("pace")),
            asked=_moment(progress.get("eta")),
        )
    )


def _given_up(reasons: object, count: int) -> dict[str, int]:
    known = reasons if isinstance(reasons, dict) else {}
    found = {name: n for name, value in sorted(known.items()) if (n := _count(value))}
    if sum(found.values()) == count:
        return found
    return {UNKNOWN_REASON: count} if count else {}


def _written(document: Mapping[str, Any]) -> str:
    updated = document.get("updated")
    return "" if _moment(updated) is None else str(updated)


def _moment(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment.astimezone(UTC)  # in which the first and the last days of all may not exist
    except (ValueError, OverflowError):
        return None
    return moment


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= sys.float_info.max else None
