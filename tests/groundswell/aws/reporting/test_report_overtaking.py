"""Two runs of the reports write one day at the same time: what the one that read later says stays.

Each is stopped before any call of a store, and the other one goes on from there.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting import collecting, day_report, inputs, ledgers, opening
from groundswell.aws.reporting.day_report import settled
from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.ledgers import Pulled
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.publishing import sweep
from groundswell.aws.reporting.reporting import days_to_write, report_day
from groundswell.aws.reporting.snapshots import READINGS, Reading, Snapshots, begin, end, number_of
from groundswell.reports import tables
from groundswell.reports.columns import Table
from groundswell.reports.html import render
from groundswell.reports.parts import RemovableFolder
from groundswell.reports.store import Overtaken, ReportStore
from tests.groundswell.aws.reporting.memory_stores import MemoryStore
from tests.groundswell.aws.reporting.paper_office import LEDGERS_ONLY
from tests.groundswell.aws.reporting.private_days import DAY, NEXT_MORNING, entry, events, reports_in, usual

FIRST, OLD, NEW = 1, 2, 3
PAIRS = 40
LEDGER = f"inputs/{DAY}/ledger"
#: Longer than any step takes; nothing is waited for so long unless it hangs.
WAIT = 60


class Turns:
    """Lets two steps go on by turns: each is stopped before one of its calls until the other lets it go."""

    def __init__(self, stores: Iterator[MemoryStore]) -> None:
        for store in stores:
            store.stop = lambda _, key: self._stop(key)
        self.keys: list[str] = []
        self.calls: dict[int, int] = {}
        self.stops: dict[int, tuple[int, Callable[[], None]]] = {}
        self.first = threading.get_ident()

    def _stop(self, key: str) -> None:
        me = threading.get_ident()
        if me == self.first:
            self.keys.append(key)
        number = self.calls[me] = self.calls.get(me, -1) + 1
        at, there = self.stops.get(me, (-1, None))
        if number == at and there:
            there()

    def run(
        self, first: Callable[[], Any], second: Callable[[], Any], at: tuple[int, int]
    ) -> tuple[int, int]:
        """
        Begin one step, stop it, begin the other, stop that, end the first, end the other.

        :param at: before which call each is stopped; one that makes fewer is not.
        :return: how many calls each made.
        """
        self.calls.clear()
        self.stops.clear()
        self.keys.clear()
        stopped, go = threading.Event(), threading.Event()
        wrong: list[BaseException] = []
        other = threading.Thread(target=lambda: self._second(second, at[1], stopped, go, wrong), daemon=True)

        def there() -> None:
            other.start()
            assert stopped.wait(WAIT)

        me = threading.get_ident()
        self.stops[me] = at[0], there
        first()
        if other.ident is None:
            other.start()
        go.set()
        other.join()
        self.stops.clear()
        for error in wrong:
            raise error
        return self.calls[me] + 1, self.calls.get(other.ident or 0, -1) + 1

    def _second(
        self,
        step: Callable[[], Any],
        at: int,
        stopped: threading.Event,
        go: threading.Event,
        wrong: list[BaseException],
    ) -> None:
        def there() -> None:
            stopped.set()
            assert go.wait(WAIT)

        self.stops[threading.get_ident()] = at, there
        try:
            step()
        except BaseException as error:
            wrong.append(error)
        stopped.set()


class Scene:
    """A day of a ledger that says more and more, in stores in memory."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.settings, self.says = reports_in(folder, LEDGERS_ONLY).settings, FIRST
        self.stores = {name: MemoryStore(name) for name in ("public", "private")}
        patch.setattr(opening, "removable", lambda uri, _: self.stores[uri.rpartition("/")[2]])
        patch.setattr(ledgers, "pull", self._pull)
        # Until Python 3.12 such a property is behind a lock, which two processes do not share
        patch.setattr(Reports, "pseudonyms", property(Reports.__dict__["pseudonyms"].func))
        rows = usual(DAY, 1).assign(source="ledger", run="r")
        self.rows = {count: rows[:count] for count in (FIRST, OLD, NEW)}
        known: dict[Any, Any] = {}

        def once(owner: Any, name: str, key: Callable[..., Any]) -> None:
            """Let equal work be done once, for the sake of time."""
            real = getattr(owner, name)

            def call(*args: Any, **kwargs: Any) -> Any:
                of = name, key(*args)
                if of not in known:
                    known[of] = args, real(*args, **kwargs)
                return known[of][1]

            patch.setattr(owner, name, call)

        once(Inputs, "_rows", lambda _, key, body, columns=None: (body, str(columns)))
        once(day_report, "_tables", lambda reports, those, day: len(those.ledger(day)))
        once(Table, "conform", lambda table, frame: (table.name, id(frame)))
        once(inputs, "in_order", id)
        once(inputs, "to_parquet", id)
        once(day_report, "csv_of", id)
        once(tables, "to_parquet", lambda frame, table: (id(frame), table.name))
        patch.setattr(render, "render_day", lambda *_: "")
        for self.says in (NEW, OLD, FIRST):  # while nobody comes in between
            for store in self.stores.values():
                store.objects.clear()
            self.run()

    def _pull(self, *_: Any, **__: Any) -> Pulled:
        return Pulled({DAY: self.rows[self.says]}, listed={"iris"}, read={("iris", "r")})

    def run(self) -> None:
        """What a run does for the day."""
        reports = Reports(self.settings)
        some = [entry(DAY)]
        collecting.collect_ledgers(reports, some)
        for each in days_to_write(reports, some):
            report_day(reports, each)

    def collect_later(self) -> None:
        """The beginning of a run that begins when the ledger says more, and dies."""
        self.says = NEW
        collecting.collect_ledgers(Reports(self.settings), [entry(DAY)])

    def run_later(self) -> None:
        """The same by a run that begins when the ledger says more."""
        self.says = NEW
        self.run()

    def kept(self) -> tuple[int, Any]:
        """Return how many tasks there are by the inputs and by the report."""
        reports = Reports(self.settings)
        record = reports.store.current(DAY)
        assert record is not None
        assert record | {"copied": False} == (reports.store.latest(DAY) or {}) | {"copied": False}
        assert record["revision"] <= NEW, "nothing goes back and forth"
        return len(Inputs.of(reports).ledger(DAY)), record["totals"]["submitted"]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_the_newer_ledger_stays_wherever_two_runs_stop(scene: Scene) -> None:
    assert scene.kept() == (FIRST, FIRST)
    before = {name: dict(store.objects) for name, store in scene.stores.items()}
    turns = Turns(iter(scene.stores.values()))

    def both(*at: int) -> tuple[int, int]:
        for name, store in scene.stores.items():
            store.objects = dict(before[name])
        scene.says = OLD
        calls = turns.run(scene.run, scene.run_later, (at[0], at[1]))
        assert scene.kept() == (NEW, NEW), at
        return calls

    first, second = both(-1, -1)
    chosen = random.Random(5)
    for at in range(first):
        both(at, -1)
    for _ in range(PAIRS):
        both(chosen.randrange(first), chosen.randrange(second))


def test_a_report_is_of_the_newer_ledger_though_the_run_that_read_it_dies(scene: Scene) -> None:
    """Whoever writes the report looks once more at its end."""
    before = {name: dict(store.objects) for name, store in scene.stores.items()}
    turns = Turns(iter(scene.stores.values()))

    def both(at: int) -> None:
        for name, store in scene.stores.items():
            store.objects = dict(before[name])
        scene.says = OLD
        turns.run(scene.run, scene.collect_later, (at, -1))

    both(-1)
    looked = max(number for number, key in enumerate(turns.keys) if key.startswith(LEDGER))
    assert looked > 50
    for at in range(looked + 1):
        both(at)
        assert scene.kept() == (NEW, NEW), at


class TestReadings:
    def test_one_that_began_earlier_gives_way_whoever_writes_last(self, tmp_path: Path) -> None:
        store = RemovableFolder(tmp_path)
        kept, numbers = Snapshots(store), [begin(store) for _ in range(2)]
        assert numbers[0].number < numbers[1].number
        kept.put("inputs/x/ledger", numbers[1], b"new", ".json")
        kept.put("inputs/x/ledger", numbers[0], b"old", ".json")
        assert [body for _, body in map(_not_none, [kept.get("inputs/x/ledger")])] == [b"new"]
        assert len(list(store.keys("inputs/"))) == 1, "the older one is gone"

    def test_what_says_the_same_is_not_written_again(self) -> None:
        store = MemoryStore("private")
        kept, first = Snapshots(store), begin(store)
        kept.put(LEDGER, first, b"x", ".json")
        end(store, first)
        there = kept.keys(LEDGER)
        store.objects[there[0]] = b"?"
        again = begin(store)
        kept.put(LEDGER, again, b"x", ".json")
        assert kept.get(LEDGER) == (kept.keys(LEDGER)[0], b"x"), "unless it is damaged"
        end(store, again)
        there = kept.keys(LEDGER)
        slow, last = begin(store), begin(store)
        assert last.others == {slow.number}
        kept.put(LEDGER, slow, b"x", ".json")
        assert kept.keys(LEDGER) == there, "nobody who is older is at work"
        kept.put(LEDGER, last, b"x", ".json")
        assert number_of(kept.keys(LEDGER)[-1], LEDGER) == last.number
        kept.put(LEDGER, slow, b"older", ".json")
        assert kept.get(LEDGER) == (kept.keys(LEDGER)[-1], b"x"), "which would replace it"

    def test_who_finds_a_higher_number_takes_another(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Else a reading that begins later would not know of it."""
        store = MemoryStore("private")
        later: list[Any] = []

        def stop(operation: str, key: str) -> None:
            if operation == "put_if_absent" and not later:
                monkeypatch.setattr("time.time_ns", lambda: 9_000_000)
                later.append(None)
                later[0] = begin(store)

        monkeypatch.setattr("time.time_ns", lambda: 7_000_000)
        store.stop = stop
        reading = begin(store)
        assert (later[0].number, later[0].others) == (9, frozenset())
        assert reading == Reading(10, frozenset({9}))
        assert f"{READINGS}{7:015d}.done" in store.objects

    def test_a_day_that_is_looked_at_again_is_not_written(self, scene: Scene) -> None:
        for _ in range(2):
            written: list[str] = []
            for store in scene.stores.values():
                store.stop = lambda call, key, w=written: (  # type: ignore[misc]
                    w.append(key) if call not in {"get", "keys", "folders"} else None
                )
            scene.run()
            beside = {key.partition("/")[0] for key in written} - {"writing", "readings"}
        assert beside == set()

    def test_numbers_rise_though_the_clock_is_behind(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = RemovableFolder(tmp_path)
        first = begin(store).number
        monkeypatch.setattr("time.time_ns", lambda: 0)
        assert begin(store).number == first + 1
        for key in store.keys("readings/"):
            store.remove(key)
        monkeypatch.setattr("time.time_ns", lambda: (first + 9) * 1_000_000)
        assert begin(store).number > first + 1, "and where what was taken is lost"

    def test_two_at_the_same_time_have_two_numbers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = MemoryStore("private")
        meanwhile: list[int] = []
        monkeypatch.setattr("time.time_ns", lambda: 7_000_000)

        def stop(operation: str, key: str) -> None:
            if operation == "put_if_absent" and not meanwhile:
                meanwhile.append(0)
                meanwhile[0] = begin(store).number

        store.stop = stop
        assert [begin(store).number, *meanwhile] == [8, 7]

    def test_what_an_earlier_version_kept_is_read_and_replaced(self, tmp_path: Path) -> None:
        reports = reports_in(tmp_path)
        reports.private.put(f"inputs/{DAY}/jobs.json", b'[{"job": "iris"}]')
        reports.private.put(f"inputs/{DAY}/sources/cognito.json", b'{"state": "off", "problems": []}')
        known = Inputs.of(reports)
        assert (known.jobs(DAY), known.states(DAY)) == ([{"job": "iris"}], {"cognito": "off"})
        known.put_jobs(DAY, [{"job": "lilies"}])
        known.put_source(DAY, "cognito", "read")
        assert (known.jobs(DAY), known.states(DAY)) == ([{"job": "lilies"}], {"cognito": "read"})
        assert len(list(reports.private.keys("inputs/"))) == 2

    def test_old_numbers_go_and_the_last_one_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reports = reports_in(tmp_path)
        last = [begin(reports.private).number for _ in range(3)][-1]
        assert sweep(reports) == 0
        monkeypatch.setattr("groundswell.aws.reporting.publishing._LEFT_FOR", -timedelta(days=1))
        assert sweep(reports) == 2
        assert [int(key.rpartition("/")[2]) for key in reports.private.keys("readings/")] == [last]


class TestRevisions:
    def test_one_that_was_made_after_another_is_not_written(self, tmp_path: Path) -> None:
        store = ReportStore(RemovableFolder(tmp_path), RemovableFolder(tmp_path))
        for _ in range(2):
            assert (
                store.publish(DAY, {"a.csv": b"1"}, "1", {}, follows=0 if not store.days() else 1).revision
                == 1
            )
        with pytest.raises(Overtaken):
            store.publish(DAY, {"a.csv": b"2"}, "2", {}, follows=0)
        assert store.publish(DAY, {"a.csv": b"2"}, "2", {}, follows=1).revision == 2

    def test_who_is_overtaken_all_the_time_gives_up(self, tmp_path: Path) -> None:
        with pytest.raises(AirflowException, match="2026-11-02 is being written by others all the time"):
            settled(reports_in(tmp_path), DAY, lambda known: None)

    def test_a_run_that_began_before_the_day_was_over_takes_nothing_back(self, tmp_path: Path) -> None:
        """It would tell fewer anomalies, of a day that others have seen to its end."""
        reports = reports_in(tmp_path, 'fair_pay: "20.00"')
        Inputs.of(reports).add_activity(DAY, events(DAY, *(("ann", minute, 10.0) for minute in range(30))))
        first = report_day(reports, entry(DAY))
        again = report_day(reports, entry(DAY, NEXT_MORNING - timedelta(hours=12), provisional=True))
        assert (again["revision"], again["provisional"]) == (first["revision"], False)


def _not_none(found: tuple[str, bytes] | None) -> tuple[str, bytes]:
    assert found is not None
    return found
