"""progress.json: written while a run goes on, from publishing to the summary, by tasks and their twins."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest

from groundswell.aws import runs
from groundswell.aws.operators import mturk
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator
from groundswell.aws.progress import Progress, keep_progress
from groundswell.aws.runs import LabelingRun
from groundswell.views.overview import RunOverview, overview
from tests.groundswell.aws.desk import Desk, operator

pytestmark = pytest.mark.contract


def seen(run: LabelingRun) -> RunOverview:
    return overview(run.store, run.batch.name, run.run_id)


def collect(desk: Desk, run: LabelingRun) -> None:
    """Take what is there; a run that goes on defers."""
    task = operator(MTurkCollectAndExtendOperator, run.batch_path, run.run_id, deferrable=True)
    task.defer = lambda **_: (_ for _ in ()).throw(EOFError)
    with contextlib.suppress(EOFError):
        task.execute({})


def test_from_publishing_to_the_last_wave(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = iter(range(60))
    monkeypatch.setattr(runs, "now_text", lambda: f"2030-01-01T00:{next(minutes):02d}:00+00:00")
    path = desk.batch_file([*"abc"], shard_items=1)
    run = desk.again(LabelingRun(str(path), desk.up_to_publishing(path)))
    published = seen(run)
    assert (published.items, published.open, published.answers, published.planned_items) == (3, 3, 0, 3)
    assert (published.spent_cents, published.budget_cents, published.worst_cents) == (0, 4500, 90)
    assert [point.answers for point in published.timeline] == [0] * 3, "a point for each shard"
    desk.answer(run, {"a": ["setosa"] * 2, "b": ["setosa", "virginica"]})
    collect(desk, run)
    under_way = seen(run)
    assert (under_way.settled, under_way.open, under_way.answers) == (1, 2, 4)
    assert (under_way.agreement, under_way.worst_cents) == (0.75, 2 * 6 + 5 * 6 * 2)
    assert under_way.timeline[-1].answers == 4
    assert under_way.timeline[: len(published.timeline)] == published.timeline


def test_a_document_that_a_later_attempt_of_publishing_finds(desk: Desk) -> None:
    """A cleared publishing task tells what is on record, not what it published itself."""
    run = desk.run(["a", "b"])
    desk.publish(run)
    desk.answer(run, {"a": ["setosa"] * 2})
    desk.collect(run)
    keep_progress(run, run.ledger.fold())
    before = seen(run)
    for key in list(run.store.keys(f"{run.ledger.prefix}hits/")):
        (desk.folder / "store" / key).unlink()  # as restored from a backup
    desk.publish(desk.again(run))
    after = seen(run)
    assert (after.answers, after.settled, after.items) == (before.answers, before.settled, 2) == (2, 1, 2)


def test_pace_forecast_and_workers(desk: Desk) -> None:
    run = desk.run(["a", "b"])
    desk.publish(run)
    desk.answer(run, {"a": ["setosa"] * 2})
    desk.collect(run)
    keep_progress(run, run.ledger.fold())
    found = seen(run)
    assert (found.pace, found.active_workers) == (2, 2)
    assert found.eta is not None
    assert found.updated is not None
    assert found.eta > found.updated


def test_the_returned_progress_stays_small(desk: Desk) -> None:
    run = desk.run(["a"])
    desk.publish(run)
    progress = keep_progress(run, run.ledger.fold())
    assert progress == Progress.of(run.ledger.fold())


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"timeline": 3}', b'{"timeline": [3, {"at": 1}]}'])
def test_a_damaged_document_is_written_anew(desk: Desk, damage: bytes) -> None:
    run = desk.run(["a"])
    run.store.put(f"{run.ledger.prefix}progress.json", damage)
    desk.publish(run)
    found = seen(run)
    assert (found.items, len(found.timeline), found.problem) == (1, 1, None)


def test_twins_leave_a_rising_timeline(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    run = desk.run(["a", "b"])
    desk.publish(run)
    stale = run.ledger.fold()
    desk.answer(run, {"a": ["setosa"] * 2})
    desk.collect(run)
    at = runs.datetime.now(runs.UTC)
    for number, state in enumerate([run.ledger.fold(), stale, run.ledger.fold(), stale, run.ledger.fold()]):
        text = (at + timedelta(minutes=number)).isoformat(timespec="seconds")
        monkeypatch.setattr(runs, "now_text", lambda text=text: text)
        keep_progress(run, state)
        answers: list[Any] = [point.answers for point in seen(run).timeline]
        assert answers == sorted(answers)
    assert seen(run).answers == 2


@pytest.mark.parametrize(("seconds", "times"), [(0.0, 4), (3600.0, 1)])
def test_a_long_wave_says_now_and_then_where_it_is(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seconds: float, times: int
) -> None:
    run = desk.run([*"abc"])
    desk.publish(run)
    desk.answer(run, {item: ["setosa"] * 2 for item in "abc"})
    monkeypatch.setattr(mturk, "LOT", 1)
    monkeypatch.setattr(mturk, "SAY_EVERY", seconds)
    written = []
    monkeypatch.setattr(
        mturk, "keep_progress", lambda run, state: written.append(state) or keep_progress(run, state)
    )
    collect(desk, run)
    assert len(written) == times
    assert seen(run).settled == 3
