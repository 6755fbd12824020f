"""A worker is forgotten at the very moment at which a run writes the reports, whatever the moment is.

One of the two is stopped before each call of a store, and the other one runs to its end there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting import notes, opening
from groundswell.aws.reporting.forgetting import forget
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.month_report import write_month
from groundswell.aws.reporting.notes import digest_of
from groundswell.aws.reporting.publishing import publish
from groundswell.aws.reporting.reporting import report_day
from groundswell.reports import schema
from tests.groundswell.aws.reporting.memory_stores import MemoryStore
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    SUBS,
    entry,
    events,
    reports_in,
    usual,
)

ANN = SUBS["ann"]
WRITES = ("put", "put_if_absent", "remove")
CALLS = (*WRITES, "get", "keys", "folders")
WAIT = re.compile("this has to be done once more when it has ended")


class Died(BaseException):
    """The process was killed: it calls no store any more."""


class Scene:
    """A day with a revision, late events of Ann, and a run and a deletion that are about to begin."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stores = {name: MemoryStore(name) for name in ("public", "private")}
        self.calls = 0
        self.stop_at: int | None = None
        self.there: Callable[[], None] = lambda: None
        self.operations: tuple[str, ...] = WRITES
        self.dead = False
        #: What is done besides, before a call that comes earlier.
        self.pause_at: int | None = None
        self.pausing = False
        self.paused: Callable[[], Any] = lambda: None
        for store in self.stores.values():
            store.stop = self._stop

    def _stop(self, operation: str, key: str) -> None:
        if self.dead:
            raise Died
        if operation in self.operations and not self.pausing:
            number, self.calls = self.calls, self.calls + 1
            if number == self.pause_at:
                self.pausing = True
                self.paused()
                self.pausing = False
            if number == self.stop_at:
                self.there()

    def first(self, step: Callable[[], Any], there: Callable[[], Any], at: int) -> list[Any]:
        """Run a step, and another one before its ``at``-th call; return what that gave, if it ran."""
        found: list[Any] = []

        def go() -> None:
            found.append(None)
            found[0] = there()

        self.calls, self.stop_at, self.there = 0, at, go
        step()
        self.stop_at = None
        return found

    def at_every(
        self, operations: tuple[str, ...], step: Callable[[], Any], there: Callable[[], Any]
    ) -> Iterator[tuple[int, Any]]:
        """Run a step for each of these calls that it makes, and another one before it; yield what that gave.

        What is in the stores is the same before each.
        """
        self.operations = operations
        before = {name: dict(store.objects) for name, store in self.stores.items()}
        for at in itertools.count():
            for name, store in self.stores.items():
                store.objects = dict(before[name])
            if not (found := self.first(step, there, at)):
                return
            yield at, found[0]

    def run(self) -> None:
        """What a run of the reports does after it has collected."""
        reports = reports_in(self.folder)
        publish(reports, [report_day(reports, entry(DAY))], NEXT_MORNING)

    def run_or_die(self) -> None:
        with suppress(Died):
            self.run()
        self.dead = False

    def die(self) -> None:
        self.dead = True
        raise Died

    def forget(self) -> bool:
        """Forget Ann; return whether that came to its end."""
        try:
            forget(reports_in(self.folder), ANN, NEXT_MORNING)
        except AirflowException as error:
            if WAIT.search(str(error)) is None:
                raise
            return False
        assert self.naming() == [], "it has succeeded"
        return True

    def naming(self) -> list[str]:
        """Return the public files that name Ann."""
        name = self.ann.encode()
        return [key for key, body in self.stores["public"].objects.items() if name in body]

    @property
    def ann(self) -> str:
        return reports_in(self.folder).pseudonyms.mark(ANN)[:10]

    def is_settled(self, at: int) -> None:
        """Assert that nothing names Ann any more, and that the page of the month is up to date."""
        assert self.naming() == self.private_names() == [], at
        reports = reports_in(self.folder)
        assert not write_month(reports, "2026-11"), at
        record = reports.store.current(DAY)
        assert record, at
        assert record["totals"]["submitted"] == 10, at
        assert reports.store.body(DAY, "report.html") == reports.store.public.get(
            f"days/{DAY}/report.html"
        ), at

    def private_names(self) -> list[str]:
        return [key for key, body in self.stores["private"].objects.items() if ANN.encode() in body]


def remembered(function: Callable[..., Any], key: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does equal work once, for the sake of time."""
    known: dict[Any, Any] = {}

    def call(*args: Any, **kwargs: Any) -> Any:
        of = key(*args)
        if of not in known:
            known[of] = args, function(*args, **kwargs)  # the arguments too, or ids would be used again
        return known[of][1]

    return call


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables be computed and encoded once each, and pages say no more than whom they name."""
    from groundswell.aws.reporting import day_report
    from groundswell.reports import period, tables
    from groundswell.reports.html import render

    def quick(owner: Any, name: str, key: Callable[..., Any]) -> None:
        monkeypatch.setattr(owner, name, remembered(getattr(owner, name), key))

    quick(
        day_report,
        "_tables",
        lambda reports, inputs, day: (reports.pseudonyms.of(ANN), len(inputs.activity(day))),
    )
    quick(day_report, "csv_of", id)
    quick(tables, "to_parquet", lambda frame, table: (id(frame), table.name))
    quick(tables, "read_parquet", lambda body: body)
    quick(Inputs, "_activity", what_is_kept)
    quick(Inputs, "activity", what_is_kept)
    quick(Inputs, "_read", lambda inputs, key, columns=None: (inputs.store.get(key), str(columns)))
    nothing = schema.ACTIVITY.empty()
    monkeypatch.setattr(Inputs, "ledger", lambda *_: nothing)
    monkeypatch.setattr(period, "Period", lambda frames: frames)
    monkeypatch.setattr(render, "render_day", lambda tables, *_: " ".join(tables.workers["worker"]))
    monkeypatch.setattr(
        render,
        "render_period",
        lambda frames, *_, **__: " ".join(" ".join(each["worker"]) for each in frames),
    )


def what_is_kept(inputs: Inputs, day: date) -> tuple[Any, ...]:
    bodies = [inputs.store.get(key) for key in inputs._activity_keys(day)]
    return digest_of(inputs._pseudonyms.forgotten), *bodies


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    quicken(monkeypatch)
    scene = Scene(tmp_path)
    monkeypatch.setattr(opening, "removable", lambda uri, _: scene.stores[uri.rpartition("/")[2]])
    reports = reports_in(tmp_path)
    Inputs.of(reports).add_activity(DAY, usual(DAY))
    publish(reports, [report_day(reports, entry(DAY))], NEXT_MORNING)
    Inputs.of(reports).add_activity(DAY, events(DAY, ("ann", 600, 20.0)))
    return scene


def test_a_deletion_at_any_moment_of_a_run(scene: Scene) -> None:
    """While the run writes, the deletion does not succeed; so when it has, no file ever names the worker."""
    calls = waited = 0
    for at, succeeded in scene.at_every(CALLS, scene.run, scene.forget):
        assert not succeeded or scene.naming() == [], at
        assert succeeded or scene.forget(), at
        scene.is_settled(at)
        calls, waited = calls + 1, waited + (not succeeded)
    assert 0 < waited < calls


def test_a_run_at_any_moment_of_a_deletion(scene: Scene) -> None:
    def forget() -> None:
        assert scene.forget() or scene.forget()

    for at, _ in scene.at_every(WRITES, forget, scene.run):
        scene.is_settled(at)


def test_a_run_that_lives_longer_than_is_waited_for(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks at its end who was forgotten since it began, and takes back what names them."""
    monkeypatch.setattr(notes, "DEAD_AFTER", timedelta(0))
    for at, succeeded in scene.at_every(WRITES, scene.run, scene.forget):
        assert succeeded, at
        scene.is_settled(at)


def test_a_run_that_is_killed_at_any_moment(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it leaves is waited for, for a while, and removed then."""

    waited = 0
    for at, _ in scene.at_every(WRITES, scene.run_or_die, scene.die):
        left = [key for key in scene.stores["private"].objects if key.startswith("writing/")]
        assert scene.forget() == (not left), at
        waited += bool(left)
        with monkeypatch.context() as patched:
            patched.setattr(notes, "DEAD_AFTER", timedelta(0))
            assert scene.forget(), at
        scene.is_settled(at)
    assert waited


def test_a_run_that_is_killed_when_nobody_waits_for_it_any_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ann was forgotten while it was about to write; what it has left is removed by the next run."""
    monkeypatch.setattr(notes, "DEAD_AFTER", timedelta(0))
    forgotten: list[bool] = []
    scene.pause_at, scene.paused = 4, lambda: forgotten.append(scene.forget())
    named = 0
    for at, _ in scene.at_every(WRITES, scene.run_or_die, scene.die):
        if at > scene.pause_at:
            assert forgotten.pop(), at
            named += bool(scene.naming())
            scene.run()
            scene.is_settled(at)
        forgotten.clear()
    assert named
