"""The overview of runs, from documents new, old, missing and damaged."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from groundswell.ledger import FolderStore, Ledger
from groundswell.views.expecting import NO_PACE, TOO_FAR
from groundswell.views.overview import Point, RunOverview, overview, overviews
from tests.support.noting_stores import NotingStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROGRESS: dict[str, Any] = {
    "batch": "iris",
    "run_id": "r",
    "updated": "2026-03-01T11:59:00+00:00",
    "items": 10,
    "planned_items": 12,
    "settled": 5,
    "open": 3,
    "given_up": 2,
    "given_up_by": {"budget": 1, "expired": 1},
    "answers": 21,
    "quarantined": 1,
    "extended": 1,
    "rejected": 0,
    "withheld": 0,
    "spent_cents": 120,
    "budget_cents": 900,
    "worst_cents": 200,
    "agreement": 0.9,
    "pace": 7,
    "eta": "2026-03-01T14:00:00+00:00",
    "active_workers": 2,
    "timeline": [{"at": "2026-03-01T11:59:00+00:00", "answers": 21, "settled": 5, "spent_cents": 120}],
}
OLD = ("items", "settled", "open", "given_up", "answers", "quarantined", "spent_cents", "updated", "run_id")
SUMMARY = {
    "updated": "2026-03-01T11:59:30+00:00",
    "items": 10,
    "settled": 6,
    "open": 0,
    "given_up": 4,
    "answers": 25,
    "quarantined": 1,
    "spent_cents": 150,
    "plan": {"budget_cents": 800},
}


@pytest.fixture
def store(tmp_path: Path) -> NotingStore:
    return NotingStore(tmp_path)


def put(store: FolderStore, run_id: str, **documents: dict[str, Any]) -> None:
    for name, document in documents.items():
        Ledger(store, "iris", run_id).put_document(f"{name}.json", document)


def test_a_run_under_way(store: NotingStore) -> None:
    put(store, "r", progress=PROGRESS)
    assert overview(store, "iris", "r", now=NOW) == RunOverview(
        batch="iris",
        run_id="r",
        updated="2026-03-01T11:59:00+00:00",
        items=10,
        planned_items=12,
        settled=5,
        open=3,
        given_up={"budget": 1, "expired": 1},
        answers=21,
        quarantined=1,
        agreement=0.9,
        spent_cents=120,
        budget_cents=900,
        worst_cents=200,
        pace=7.0,
        # Of 7 answers in 5 minutes, 169.4 more to 10 items by 14:00; 2 items of 19.04 each are still to come
        eta="2026-03-01T14:27:12+00:00",
        active_workers=2,
        timeline=(Point("2026-03-01T11:59:00+00:00", 21, 5, 120),),
        stale=60.0,
    )


def test_a_finished_run_goes_by_its_summary(store: NotingStore) -> None:
    put(store, "r", progress=PROGRESS, summary=SUMMARY)
    found = overview(store, "iris", "r", now=NOW)
    assert (found.finished, found.settled, found.open, found.answers, found.stale) == (True, 6, 0, 25, 30.0)
    assert found.given_up == {"unknown": 4}, "the reasons that are known are of another count"
    assert (found.pace, found.eta, found.no_eta, found.active_workers) == (None, None, None, 0)
    assert (found.worst_cents, found.budget_cents) == (150, 900)


def test_differences_between_the_books_are_those_of_the_summary(store: NotingStore) -> None:
    put(store, "r", progress=PROGRESS, summary=SUMMARY | {"differences": 7})
    put(store, "old", progress=PROGRESS, summary=SUMMARY)
    put(store, "on", progress=PROGRESS, summary={"updated": "2026-03-01T10:00:00+00:00", "differences": 7})
    found = {run_id: overview(store, "iris", run_id).differences for run_id in ("r", "old", "on")}
    assert found == {"r": 7, "old": None, "on": None}


def test_a_run_that_was_cleared_after_its_summary_goes_on(store: NotingStore) -> None:
    put(store, "r", progress=PROGRESS, summary=SUMMARY | {"updated": "2026-03-01T10:00:00+00:00"})
    found = overview(store, "iris", "r", now=NOW)
    assert (found.finished, found.settled, found.pace) == (False, 5, 7.0)


def test_an_old_document_is_still_read(store: NotingStore) -> None:
    put(store, "r", progress={name: PROGRESS[name] for name in OLD})
    found = overview(store, "iris", "r", now=NOW)
    assert (found.items, found.settled, found.given_up, found.answers) == (10, 5, {"unknown": 2}, 21)
    assert (found.agreement, found.pace, found.active_workers, found.timeline) == (None, None, None, ())
    assert (found.eta, found.no_eta) == (None, "the run's documents do not tell")
    put(store, "r", summary=SUMMARY)
    assert overview(store, "iris", "r", now=NOW).budget_cents == 800


#: Two answers an hour, four more in two hours' time: half of 8 items have what they need, 4 to each.
HALF = {"answers": 28, "items": 8, "planned_items": 8, "open": 1, "pace": 2}
HALF |= {"timeline": [{"at": "2026-02-28T12:00:00+00:00", "answers": 0, "settled": 0, "spent_cents": 0}]}
HALF |= {"updated": "2026-03-01T10:00:00+00:00", "eta": "2026-03-01T12:00:00+00:00"}


@pytest.mark.parametrize(
    ("changed", "eta", "why"),
    [
        ({}, "2026-03-01T12:00:00+00:00", None),
        ({"planned_items": None}, "2026-03-01T12:00:00+00:00", None),
        ({"planned_items": 0}, "2026-03-01T12:00:00+00:00", None),
        # 8 items more, each of 4 answers at 2 an hour
        ({"planned_items": 16}, "2026-03-02T04:00:00+00:00", None),
        ({"planned_items": 16, "open": 0, "eta": None, "answers": 32}, "2026-03-02T02:00:00+00:00", None),
        ({"planned_items": 10**6}, None, "more than a year at this pace"),
        ({"planned_items": 10**20}, None, "more than a year at this pace"),
        ({"planned_items": 10**400}, None, "more than a year at this pace"),
        # A forecast of before the document
        ({"eta": "2026-03-01T09:00:00+00:00"}, "2026-03-01T10:00:00+00:00", None),
        ({"eta": None}, None, "more than a year at this pace"),
        ({"pace": None, "eta": None}, None, "no answer in the last hour"),
        ({"items": 0, "open": 0, "pace": None, "eta": None}, None, "nothing was asked yet"),
        ({"open": 0, "eta": None}, None, "no item is open"),
    ],
)
def test_the_end_is_that_of_the_whole_plan(
    store: NotingStore, changed: dict[str, Any], eta: str | None, why: str | None
) -> None:
    put(store, "r", progress=PROGRESS | HALF | changed)
    found = overview(store, "iris", "r", now=NOW)
    assert (found.eta, found.no_eta) == (eta, why)


def test_a_young_run_is_not_taken_for_a_slow_one(store: NotingStore) -> None:
    """Its pace is that of the minutes since it began, as in the forecast of the items that were asked."""
    young = {"timeline": [{"at": "2026-03-01T09:50:00+00:00", "answers": 0, "settled": 0, "spent_cents": 0}]}
    changed = {"planned_items": 16, "pace": 28, "eta": "2026-03-01T10:10:00+00:00"}
    put(store, "r", progress=PROGRESS | HALF | young | changed)
    # 28 in 10 minutes, so 28 more by 10:10 and 7 of each item: 56 more in 20 minutes
    assert overview(store, "iris", "r", now=NOW).eta == "2026-03-01T10:30:00+00:00"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b"", b"[" * 100_000])
def test_a_damaged_document_is_told_of(store: NotingStore, body: bytes) -> None:
    put(store, "r", summary=SUMMARY)
    store.put("iris/r/progress.json", body)
    found = overview(store, "iris", "r", now=NOW)
    assert found.problem is not None
    assert "iris/r/progress.json" in found.problem
    assert (found.settled, found.finished) == (6, True)


def test_values_of_other_types_are_passed_over(store: NotingStore) -> None:
    odd: list[Any] = [None, "x", -1, True, [], {}, float("inf")]
    for value in odd:
        put(store, "r", progress=dict.fromkeys(PROGRESS, value))
        found = overview(store, "iris", "r", now=NOW)
        assert replace(found, given_up={}) == RunOverview(batch="iris", run_id="r"), value


def test_a_run_without_documents(store: NotingStore) -> None:
    Ledger(store, "iris", "manual__2026-02-01T00:00:00+00:00").append("items", [{"item": "a", "values": {}}])
    [found] = overviews(store, "iris", now=NOW)
    assert (found.run_id, found.updated, found.stale) == ("manual__2026-02-01T00:00:00+00:00", None, None)


def test_newest_first_and_no_more_is_read_than_is_shown(store: NotingStore) -> None:
    names = [f"scheduled__2026-01-{day:02d}T00:00:00+00:00" for day in range(1, 29)]
    for name in names:
        put(store, name, progress=PROGRESS)
    put(store, "manual__2026-01-15T12:00:00.5+02:00", progress=PROGRESS)
    put(store, "by-hand", progress=PROGRESS | {"updated": "2026-01-26T12:00:00+00:00"})
    store.read.clear()
    found = [each.run_id for each in overviews(store, "iris", 4, now=NOW)]
    assert found == [names[27], names[26], "by-hand", names[25]]
    assert len(store.read) == 2 * 5
    found = [each.run_id for each in overviews(store, "iris", now=NOW)]
    assert found.index("manual__2026-01-15T12:00:00.5+02:00") == found.index(names[14]) - 1


def test_a_run_whose_id_has_a_slash(store: NotingStore) -> None:
    for name in ("manual/2027", "manual/2026"):
        Ledger(store, "iris", name).append("items", [{"item": "a", "values": {}}])
        put(store, name, progress=PROGRESS | {"updated": f"{name[-4:]}-01-01T00:00:00+00:00"})
    assert [each.run_id for each in overviews(store, "iris", now=NOW)] == ["manual/2027", "manual/2026"]


def test_no_runs(store: NotingStore) -> None:
    assert overviews(store, "iris") == []


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"updated": "9999-12-31T23:59:00+00:00"}, {"eta": None, "no_eta": TOO_FAR}),
        ({"updated": "0001-01-01T00:00:00+05:00"}, {"updated": None}),
        ({"pace": 10**400}, {"pace": None, "no_eta": NO_PACE}),
        (
            {"timeline": [{"at": "0001-01-01T00:00:00+05:00", "answers": 1, "settled": 1, "spent_cents": 1}]},
            {"timeline": ()},
        ),
        ({"timeline": [PROGRESS["timeline"][0] | {"answers": 10**400}]}, {"timeline": ()}),
    ],
)
def test_times_and_numbers_that_cannot_be(
    store: NotingStore, changed: dict[str, Any], shown: dict[str, Any]
) -> None:
    Ledger(store, "iris", "run").put_document("progress.json", PROGRESS | changed)
    found = overview(store, "iris", "run", now=NOW)
    assert {name: getattr(found, name) for name in shown} == shown


def test_a_run_id_with_a_time_that_cannot_be_hides_no_other_run(store: NotingStore) -> None:
    for run_id in ("manual__0001-01-01T00:00:00+05:00", "scheduled__2026-03-01T00:00:00+00:00"):
        Ledger(store, "iris", run_id).put_document("progress.json", PROGRESS)
    assert len(overviews(store, "iris")) == 2
