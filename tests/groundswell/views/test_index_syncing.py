"""How an index comes along with its ledger: in steps, by several processes, again and again."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import groundswell
from groundswell.ledger import FolderStore, Ledger
from groundswell.views import building, given_labels, keeping, remembered, syncing, work
from groundswell.views.index import RunIndex
from tests.groundswell.views.index_ledgers import (
    answer,
    check,
    complete,
    hit,
    index_at,
    label_row,
    moment,
    small_ledger,
    whole,
)
from tools.chaos.memory_store import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


class TestComingAlong:
    def test_it_goes_on_where_it_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for place in ((building, "_ROWS"), (building, "_HEAP"), (keeping, "_ROWS"), (given_labels, "LABELS")):
            monkeypatch.setattr(*place, 7)
        ledger = small_ledger(MemoryStore(), items=40)
        ledger.append("labels", [label_row(f"Item-{number}", "z") for number in range(40)])
        steps = []
        for _ in range(200):
            # A new process each time, which has time for one step
            steps.append(index_at(tmp_path / "i.sqlite").sync(ledger, seconds=0))
            if steps[-1].complete:
                break
        assert steps[-1].complete
        assert len(steps) > 20
        assert [each.share for each in steps] == sorted(each.share for each in steps)
        assert {each.as_of for each in steps[:-1]} == {None}
        index = index_at(tmp_path / "i.sqlite")
        assert index.counts().by_label == {"z": 40}
        fresh = complete(index_at(tmp_path / "fresh.sqlite"), ledger)
        assert whole(fresh) == whole(index)

    def test_only_what_is_new_is_read(self, tmp_path: Path) -> None:
        class Counting(MemoryStore):
            def get(self, key: str) -> bytes | None:
                read.append(key)
                return super().get(key)

        read: list[str] = []
        ledger = small_ledger(Counting())
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        key = ledger.append("answers", [answer("Item-0", "AZ", "x")])
        read.clear()
        complete(index, ledger)
        assert [each for each in read if "/answers/" in each or "/hits/" in each] == [key]
        check(index, ledger)

    def test_a_look_is_good_for_a_while(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        patient = RunIndex(tmp_path / "i.sqlite", recheck=3600)
        complete(patient, ledger)
        ledger.append("hits", [hit("new")])
        assert patient.sync(ledger).complete
        assert patient.items(search="new").total == 0
        assert complete(index_at(tmp_path / "i.sqlite"), ledger).items(search="new").total == 1

    def test_a_finished_run_is_final_until_its_documents_change(self, tmp_path: Path) -> None:
        class Counting(MemoryStore):
            def keys(self, prefix: str) -> list[str]:
                listed.append(prefix)
                return super().keys(prefix)

        listed: list[str] = []
        ledger = small_ledger(Counting())
        ledger.put_document("summary.json", {"updated": moment(1)})
        index = index_at(tmp_path / "i.sqlite")
        assert index.sync(ledger, seconds=60).final
        ledger.append("hits", [hit("new")])
        listed.clear()
        assert index.sync(ledger).final
        assert listed == []
        ledger.put_document("progress.json", {"updated": moment(2)})
        index.sync(ledger, seconds=60)
        assert index.items(search="new").total == 1

    def test_a_run_without_parts(self, tmp_path: Path, store: MemoryStore) -> None:
        index = index_at(tmp_path / "i.sqlite")
        found = index.sync(Ledger(store, "iris", "run"))
        assert (found.parts, found.of, found.complete) == (0, 0, False)
        assert (index.counts().items, index.items().total, index.workers()) == (0, 0, [])
        assert not index.path.exists()

    def test_the_index_of_a_run_that_was_deleted_goes(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        store.objects.clear()
        assert index.sync(ledger).of == 0
        assert not index.path.exists()
        assert index.items().total == 0

    def test_a_ledger_that_was_restored_from_an_older_backup(
        self, tmp_path: Path, store: MemoryStore
    ) -> None:
        ledger = small_ledger(store)
        backup = dict(store.objects)
        ledger.append("hits", [hit("lost")])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        assert index.items(search="lost").total == 1
        store.objects = backup
        complete(index, ledger)
        assert index.items(search="lost").total == 0
        check(index, ledger)

    def test_processes_share_one_file(self, tmp_path: Path) -> None:
        store = FolderStore(tmp_path / "store")
        ledger = small_ledger(store, items=30)
        code = (
            "import sys; from pathlib import Path; from groundswell.ledger import FolderStore, Ledger\n"
            "from groundswell.views.index import RunIndex\n"
            "index = RunIndex(Path(sys.argv[1]), recheck=0)\n"
            "ledger = Ledger(FolderStore(Path(sys.argv[2])), 'iris', 'run')\n"
            "while not index.sync(ledger, seconds=0).complete: pass\n"
            "print(index.counts().answers)\n"
        )
        arguments = [sys.executable, "-c", code, str(tmp_path / "i.sqlite"), str(tmp_path / "store")]
        environment = {**os.environ, "PYTHONPATH": str(Path(groundswell.__file__).parents[1])}
        several = [
            subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
        ]
        said = [process.communicate(timeout=60)[0].strip() for process in several]
        assert said == [str(len(ledger.fold().answers))] * 3
        check(index_at(tmp_path / "i.sqlite"), ledger)

    def test_who_lost_the_lock_still_takes_nothing_twice(self, tmp_path: Path, store: MemoryStore) -> None:
        """The lock saves work; what keeps the sums right is the file itself."""
        ledger = small_ledger(store, items=30)
        index = index_at(tmp_path / "i.sqlite")

        def overtaking(store: Any, keys: Iterable[str]) -> Any:
            found = list(real(store, keys))
            monkeypatch.undo()
            index_at(tmp_path / "i.sqlite").path.with_suffix(".lock").unlink()
            complete(index_at(tmp_path / "i.sqlite"), ledger)
            yield from found

        with pytest.MonkeyPatch.context() as monkeypatch:
            real = work.bodies
            monkeypatch.setattr(work, "bodies", overtaking)
            index.sync(ledger, seconds=60)
        complete(index, ledger)
        check(index, ledger)
        fresh = complete(index_at(tmp_path / "fresh.sqlite"), ledger)
        assert whole(fresh) == whole(index)

    def test_who_is_behind_lays_nothing_aside_any_more(self, tmp_path: Path, store: MemoryStore) -> None:
        """Two without a lock: one has built the index and found a new part when the other begins to read."""
        ledger = small_ledger(store, items=9)
        behind, ahead = (index_at(tmp_path / "i.sqlite") for _ in range(2))

        def late(each: building.Building) -> Any:
            monkeypatch.undo()
            behind.path.with_suffix(".lock").unlink()
            complete(ahead, ledger)
            ledger.append("answers", [answer("Item-0", "AZ", "x")])
            with closing(sqlite3.connect(behind.path, isolation_level=None)) as db:
                assert syncing.Syncing(db, ledger, 0)._look()
            return real(each)

        with pytest.MonkeyPatch.context() as monkeypatch:
            real = building.Building._heaps
            monkeypatch.setattr(building.Building, "_heaps", late)
            behind.sync(ledger, seconds=60)
        check(complete(behind, ledger), ledger)

    @pytest.mark.parametrize("after", [False, True])
    def test_it_may_die_before_and_after_every_step(
        self, tmp_path: Path, store: MemoryStore, after: bool
    ) -> None:
        class Died(BaseException):
            pass

        @contextmanager
        def deadly(db: sqlite3.Connection) -> Iterator[None]:
            caller = sys._getframe(2).f_code.co_qualname
            dies = caller not in died
            with remembered.transaction(db):
                yield
                if dies and not after:
                    died.add(caller)
                    raise Died
            if dies:
                died.add(caller)
                raise Died

        died: set[str] = set()
        ledger = small_ledger(store, items=20)
        ledger.append("labels", [label_row(f"Item-{number}", "z") for number in range(9)])
        index = index_at(tmp_path / "i.sqlite")
        with pytest.MonkeyPatch.context() as patch:
            for module in (building, keeping, given_labels, syncing):
                patch.setattr(module, "transaction", deadly)
            for round_ in range(2):
                while True:
                    try:
                        if index.sync(ledger, seconds=60).complete:
                            break
                    except Died:
                        continue
                ledger.append(
                    "answers", [answer(f"Item-{number}", f"AZ{round_}", "x") for number in range(9)]
                )
        complete(index, ledger)
        assert len(died) >= 9
        assert whole(index, ledger) == whole(complete(index_at(tmp_path / "fresh"), ledger), ledger)

    def test_answers_that_twins_tell_differently_are_read_once(self, tmp_path: Path) -> None:
        class Counting(MemoryStore):
            def get(self, key: str) -> bytes | None:
                read.append(key)
                return super().get(key)

        read: list[str] = []
        ledger = Ledger(Counting(), "iris", "run")
        names = [f"Item-{number}" for number in range(50)]
        ledger.append("hits", [hit(name) for name in names])
        for said in ("x", "y"):
            ledger.append("answers", [answer(name, "AX", said) for name in names])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        assert len([key for key in read if "/answers/" in key]) == 4  # once as rows, once as whole ones
        check(index, ledger)
