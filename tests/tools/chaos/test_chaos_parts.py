from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from groundswell.aws import runs
from tools.chaos import fast
from tools.chaos.faults import Fault
from tools.chaos.memory_store import MemoryStore
from tools.chaos.oracle import Verdict
from tools.chaos.played import Played
from tools.chaos.processes import (
    Fate,
    Killed,
    MortalStore,
    Process,
    StoreFaults,
    after_call,
    before_call,
    side_by_side,
)
from tools.chaos.schedule import schedule_of
from tools.chaos.totals import BEGIN, END, Measured, Totals, write_section
from tools.chaos.world import START, World, time_of


class Effects:
    """Work of three effects; what is done about each of them is noted."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.done: list[str] = []

    def work(self) -> str:
        try:
            for number in (1, 2, 3):
                self.effect(f"{self.name}{number}")
        finally:
            self.effect("last words")
        return "result"

    def effect(self, name: str) -> None:
        before_call()
        self.done.append(name)
        after_call()


def run(fate: Fate) -> tuple[Effects, Process]:
    effects = Effects()
    process = Process(effects.work, fate, random.Random(1))
    process.resume()
    return effects, process


def test_a_process_that_lives_returns_its_result() -> None:
    effects, process = run(Fate())
    assert (process.done, process.result, process.error, process.effects) == (True, "result", None, 4)
    assert effects.done == ["1", "2", "3", "last words"]


@pytest.mark.parametrize(("after", "done"), [(False, ["1"]), (True, ["1", "2"])])
def test_nothing_of_a_killed_process_happens_any_more(after: bool, done: list[str]) -> None:
    effects, process = run(Fate(kill_at=2, after=after))
    assert isinstance(process.error, Killed)
    assert effects.done == done, "not even what stands in a finally clause"


def test_a_sleeper_goes_on_where_it_stopped() -> None:
    effects, process = run(Fate(sleep_at=2))
    assert (process.done, effects.done) == (False, ["1"])
    process.resume()
    assert (process.done, effects.done) == (True, ["1", "2", "3", "last words"])


def test_a_buried_sleeper_does_nothing_more() -> None:
    effects, process = run(Fate(sleep_at=2))
    process.bury()
    assert (process.done, effects.done) == (True, ["1"])


def test_twins_take_turns_as_the_seed_says() -> None:
    def order(seed: int) -> list[str]:
        said: list[str] = []
        twins = []
        for name in "ab":
            effects = Effects(name)
            effects.done = said
            twins.append(Process(effects.work, Fate(yields=0.5), chance := random.Random(seed)))
        side_by_side(twins, chance)
        return said

    assert order(3) == order(3)
    assert len({tuple(order(seed)) for seed in range(10)}) > 3
    assert all(sorted(order(seed))[:6] == ["a1", "a2", "a3", "b1", "b2", "b3"] for seed in range(5))


class Choosing(random.Random):
    """Lets every write go wrong in one way."""

    def __init__(self, choice: float) -> None:
        super().__init__(0)
        self.draws = [0.0, choice]

    def random(self) -> float:
        self.draws.reverse()
        return self.draws[1]


@pytest.mark.parametrize(
    ("choice", "written", "answer"), [(0.0, False, None), (0.4, True, None), (0.9, True, False)]
)
def test_writes_of_the_ledger_go_wrong(choice: float, written: bool, answer: bool | None) -> None:
    inner, counted = MemoryStore(), Counter[str]()
    faults = StoreFaults(Choosing(choice), 1.0, lambda name: counted.update([name]))
    store = MortalStore(inner, faults, OSError)
    if answer is None:
        with pytest.raises(OSError, match="connection was closed"):
            store.put_if_absent("a/b", b"1")
    else:
        assert store.put_if_absent("a/b", b"1") is answer
    assert (inner.get("a/b") is not None) is written
    assert sum(counted.values()) == 1
    faults.on = False
    assert store.put_if_absent("c", b"1") is True
    assert store.folders("") == ["a"] if written else [""]


def test_the_store_in_memory_keeps_what_was_first() -> None:
    store = MemoryStore()
    assert store.put_if_absent("run/hits/1", b"first")
    assert not store.put_if_absent("run/hits/1", b"second")
    store.put("run/progress.json", b"{}")
    assert store.get("run/hits/1") == b"first"
    assert store.keys("run/h") == ["run/hits/1"]
    assert (store.folders(""), store.folders("run/")) == (["run"], ["hits"])


def test_time_passes_only_when_it_is_told_to_and_plans_are_kept() -> None:
    world, happened = World(), list[tuple[str, float]]()
    world.plan(50, lambda: happened.append(("later", world.monotonic())))
    world.plan(20, lambda: happened.append(("sooner", world.monotonic())))
    world.advance(30)
    assert happened == [("sooner", 20.0)]
    world.advance(30)
    assert happened == [("sooner", 20.0), ("later", 50.0)]
    assert world.now() == START + timedelta(seconds=60)


def test_the_product_takes_the_worlds_time() -> None:
    world = World()
    with time_of(lambda: world):
        world.advance(90)
        assert runs.now_text() == "2026-03-02T08:01:30+00:00"
        assert isinstance(datetime(2026, 1, 1, tzinfo=UTC), runs.datetime), "times of other libraries pass"
    assert runs.now_text() > "2026-03-03"


def test_a_seed_is_a_schedule() -> None:
    assert schedule_of(7) == schedule_of(7) != schedule_of(8)
    many = [schedule_of(seed) for seed in range(300)]
    assert {len(each.items) for each in many} == {1, 2, 3, 4, 5, 6}
    assert {bool(each.batch["review"]) for each in many} == {True, False}
    assert any(each.limit_cents < 6 * each.most * len(each.items) for each in many), "tight budgets"
    assert any(each.fault_rate == each.trouble == 0 for each in many), "quiet ones"


def played(seed: int, *, duplicates: int = 0) -> Played:
    problems = [f"item 'a' has {duplicates + 1} HITs"] * bool(duplicates)
    verdict = Verdict(hits=2, duplicate_hits=duplicates, problems=problems)
    return Played(seed, verdict, Counter({Fault.SLOW.value: 3}), calls=10, attempts=4)


def test_the_table_adds_up_and_names_what_is_wrong(tmp_path: Path) -> None:
    ours, theirs = Totals(), Totals()
    for seed in (1, 2):
        ours.add(played(seed, duplicates=seed == 2))
        theirs.add(played(seed, duplicates=2))
    assert (ours.schedules, ours.calls, ours.verdict.duplicate_hits, list(ours.faulty)) == (2, 20, 1, [2])
    table = Measured(ours, theirs, "About.").table()
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:4]]
        for line in table.splitlines()
        if len(cells := line.split("|")) == 5
    }
    assert rows["**items published twice** (HITs beyond the first)"] == ["1", "4"]
    assert rows["**schedules after which something is wrong**"] == ["1", "2"]
    assert rows["slow"] == ["6", "6"]
    assert "`python -m tools.chaos fast --replay 2 -v`: item 'a' has 2 HITs" in table
    path = tmp_path / "results" / "chaos.md"
    write_section(path, table)
    path.write_text(f"# Head\n\nbefore\n\n{path.read_text()}\nafter\n")
    write_section(path, "another")
    assert path.read_text().count(BEGIN) == path.read_text().count(END) == 1
    assert [line for line in path.read_text().splitlines() if line][-4:] == [BEGIN, "another", END, "after"]
    assert "before" in path.read_text()
    assert "items published twice" not in path.read_text()


def test_the_command_says_what_is_wrong_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [(played(4), played(4, duplicates=1)), (played(5, duplicates=1), played(5))]
    monkeypatch.setattr(fast, "_in_processes", lambda *_, **__: iter(pairs))
    results = tmp_path / "chaos.md"
    assert fast.main(["--schedules", "2", "--seed", "4", "--jobs", "1", "--results", str(results)]) == 1
    said = capsys.readouterr()
    assert "WRONG: python -m tools.chaos fast --replay 5 -v" in said.err
    assert "Seeds 4 to 5" in results.read_text()
    pairs[:] = pairs[:1]
    assert fast.main(["--schedules", "1", "--results", str(results)]) == 0


def test_the_plain_loops_figures_stay_where_only_ours_are_played_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pairs: list[tuple[Played, Played | None]] = [(played(4, duplicates=1), played(4, duplicates=2))]
    monkeypatch.setattr(fast, "_in_processes", lambda *_, **__: iter(pairs))
    results = tmp_path / "chaos.md"
    both = fast.run(4, 1, 1, plain=True, results=results)
    pairs[:] = [(played(4), None)]
    again = fast.run(4, 1, 1, plain=False, results=results)
    assert both.plain is not None
    assert again.plain is not None
    kept = again.plain
    assert (kept.schedules, kept.calls, kept.attempts, len(kept.faulty)) == (1, 10, 4, 1)
    assert (kept.verdict, kept.injected) == (both.plain.verdict, both.plain.injected)
    assert "in a run of the same seeds before this one" in results.read_text()
    assert "--replay 4" in both.table()
    assert "--replay 4" not in results.read_text()
    assert fast.run(5, 1, 1, plain=False, results=results).plain is None


def test_what_was_played_until_an_interruption_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object, **__: object) -> object:
        yield played(0), None
        raise KeyboardInterrupt

    monkeypatch.setattr(fast, "_in_processes", interrupted)
    measured = fast.run(0, 10, 1, plain=False, results=tmp_path / "chaos.md")
    assert measured.ours.schedules == 1
    assert "Seeds 0 to 0" in (tmp_path / "chaos.md").read_text()
