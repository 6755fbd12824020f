"""The index of a ledger against the fold of the ledger, whatever was written in whatever order."""

from __future__ import annotations

import base64
import itertools
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import groundswell
from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore, Ledger, RunState
from groundswell.ledger.ledger import encode
from groundswell.ledger.shards import write_shards
from groundswell.views import paging, syncing
from groundswell.views.index import RunIndex
from groundswell.views.paging import SORTS, ItemRow
from tests.groundswell.ledger.test_fold_any_order import ROWS, Row
from tools.chaos.memory_store import MemoryStore


def by_the_fold(state: RunState, items: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the folded ledger says about each item, computed the plain way."""
    found = {}
    named = {*items, *state.hits, *state.outcomes, *state.seats, *state.expired, *state.deleted}
    named |= {
        row["item"] for rows in (state.answers, state.payments, state.rejections) for row in rows.values()
    }
    named |= {row["item"] for rows in (state.withheld, state.reserved) for row in rows.values()}
    for item in named:
        votes = Counter(row["label"] for row in state.counted(item))
        top = [label for label, count in votes.items() if count == max(votes.values())]
        found[item] = {
            "status": str(state.outcomes.get(item, "open" if item in state.hits else "waiting")),
            "label": top[0] if len(top) == 1 else None,
            "answers": len(state.answers_of(item)),
            "seats": state.seats.get(item, 0),
            "cents": sum(row["cents"] for row in state.payments.values() if row["item"] == item),
            "agreement": round(max(votes.values()) / votes.total(), 4) if votes.total() > 1 else None,
            "last": max((row["submitted"] for row in state.answers_of(item)), default=None),
        }
    return found


def check(index: RunIndex, ledger: Ledger, items: Iterable[str] = ()) -> None:
    """All that the index says about the ledger is what its fold says."""
    state = ledger.fold()
    rows = index.items(size=500).rows
    names = list(rows[0].__dataclass_fields__) if rows else []
    shown = {row.item: {name: getattr(row, name) for name in names} for row in rows}
    expected = by_the_fold(state, items)
    assert set(shown) >= set(expected)
    for item, row in expected.items():
        assert {name: shown[item][name] for name in row} == row, item
    counts = index.counts()
    kinds = Counter(row["status"] for row in shown.values())
    assert counts.by_status == dict(kinds)
    assert counts.spent_cents == state.spent_cents
    assert counts.answers == len(state.answers)
    assert counts.quarantined == sum(row["label"] is None for row in state.answers.values())
    assert counts.rejected == sum(state.is_rejected(each) for each in state.rejections)
    assert counts.withheld == len(state.withheld.keys() - state.payments.keys() - state.rejections.keys())
    assert counts.workers == len({row["worker"] for row in state.answers.values()})
    assert counts.extended == sum(
        seats > state.hits[item]["seats"] for item, seats in state.seats.items() if item in state.hits
    )
    answers: defaultdict[str, int] = defaultdict(int)
    for row in state.answers.values():
        answers[f"<{row['worker']}>"] += 1
    assert {row.worker: row.answers for row in index.workers()} == dict(answers)
    for item in expected:
        view = index.item(item, ledger)
        assert view is not None
        assert [each.assignment for each in view.answers] == [
            row["assignment"] for row in state.answers_of(item)
        ]
        assert [each.label for each in view.answers] == [row["label"] for row in state.answers_of(item)]
        assert [each.paid for each in view.answers] == [
            row["assignment"] in state.payments for row in state.answers_of(item)
        ]
        assert (view.status, view.cents, view.seats) == tuple(
            expected[item][name] for name in ("status", "cents", "seats")
        )
        assert view.deleted == (item in state.deleted)


def index_at(path: Path) -> RunIndex:
    return RunIndex(path, pseudonym=lambda worker: f"<{worker}>", recheck=0)


PARTS = st.lists(st.lists(ROWS, min_size=1, max_size=6), max_size=8)


@settings(max_examples=60, deadline=None)
@given(PARTS, PARTS)
def test_it_says_what_the_fold_says_also_when_it_goes_on(
    first: list[list[Row]], then: list[list[Row]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(MemoryStore(), "iris", "run")
        write_shards(ledger, [[{"item": "c", "values": {}}, {"item": "d", "values": {}}]])
        index = index_at(Path(folder) / "index.sqlite")
        for parts in (first, then):
            for rows in parts:
                by_kind = defaultdict(list)
                for kind, row in rows:
                    by_kind[kind].append(row)
                for kind, several in by_kind.items():
                    ledger.append(kind, several)
            assert index.sync(ledger, seconds=60).complete
            check(index, ledger, ["c", "d"])


# One ledger that is looked at in many ways


def moment(minute: int) -> str:
    return f"2026-03-01T{minute // 60:02d}:{minute % 60:02d}:00+00:00"


def answer(item: str, worker: str, label: str | None, minute: int = 0, **others: Any) -> dict[str, Any]:
    times = {"accepted": moment(minute), "submitted": moment(minute + 1)}
    row = {"assignment": f"{item}-{worker}", "item": item, "worker": worker, "label": label, "problem": None}
    return row | times | {"answer": "<xml/>"} | others


def hit(item: str, seats: int = 2) -> dict[str, Any]:
    return {"item": item, "hit": f"H-{item}", "hit_type": "T", "seats": seats, "expires": moment(600)}


def small_ledger(store: Any, run_id: str = "run", items: int = 8) -> Ledger:
    """Items 0 to n-1: every third open, every third settled, every third given up; the last has no HIT."""
    ledger = Ledger(store, "iris", run_id)
    names = [f"Item-{number}" for number in range(items)]
    write_shards(ledger, [[{"item": name, "values": {"x": name.upper()}} for name in names]])
    for number, name in enumerate(names[:-1]):
        ledger.append("hits", [hit(name)])
        rows = [
            answer(name, "AX", "setosa", number),
            answer(name, "AY", "setosa" if number % 2 else "virginica"),
        ]
        ledger.append("answers", rows[: number % 3 + 1])
        ledger.append(
            "payments",
            [{"assignment": row["assignment"], "item": name, "cents": 6} for row in rows[: number % 3]],
        )
        if number % 3:
            outcome = "settled" if number % 3 == 1 else "gave_up"
            ledger.append("outcomes", [{"item": name, "outcome": outcome, "seats": 2, "rejected": 0}])
    return ledger


def complete(index: RunIndex, ledger: Ledger) -> RunIndex:
    assert index.sync(ledger, seconds=60).complete
    return index


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> RunIndex:
    ledger = small_ledger(MemoryStore(), items=300)
    return complete(index_at(tmp_path_factory.mktemp("pages") / "index.sqlite"), ledger)


class TestPages:
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        status=st.sampled_from([None, "open", "settled", "gave_up", "waiting", "lost"]),
        label=st.sampled_from([None, "setosa", "virginica", "", "none such"]),
        search=st.sampled_from(["", "item-1", "ITEM-29", "9", "-2", "none such", "%", "_"]),
        sort=st.sampled_from(SORTS),
        descending=st.booleans(),
        page=st.integers(1, 8),
        size=st.integers(1, 60),
        few=st.sampled_from([0, 20, 20_000]),
    )
    def test_every_page_is_what_filtering_and_sorting_all_rows_gives(
        self,
        index: RunIndex,
        status: str | None,
        label: str | None,
        search: str,
        sort: str,
        few: int,
        **paged: Any,
    ) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(paging, "_FEW", few)  # up to so many are sorted, more are met in order
            self.check_page(index, status, label, search, sort, **paged)

    def check_page(
        self, index: RunIndex, status: str | None, label: str | None, search: str, sort: str, **paged: Any
    ) -> None:
        everything = index.items(size=500).rows
        wanted = [row for row in everything if status in (None, row.status)]
        wanted = [row for row in wanted if label is None or (label or None) == row.label]
        begins = [row for row in wanted if row.item.lower().startswith(search.lower())]
        wanted = begins or [row for row in wanted if search.lower() in row.item.lower()]

        def key(row: ItemRow) -> tuple[Any, int]:
            place = everything.index(row)
            value = place if sort == "position" else getattr(row, sort)
            return value.lower() if sort == "item" else -1 if value is None else value, place

        def text_key(row: ItemRow) -> tuple[Any, int]:
            return row.last or "", everything.index(row)

        wanted.sort(key=text_key if sort == "last" else key, reverse=paged["descending"])
        asked: dict[str, Any] = {"status": status, "label": label, "search": search, "sort": sort}
        start = (paged["page"] - 1) * paged["size"]
        found = index.items(**asked, **paged)
        assert found.rows == tuple(wanted[start : start + paged["size"]])
        assert found.total == len(wanted)
        # The same by cursors, from the first page on
        rows, after = [], None
        while True:
            each = index.items(
                **asked, descending=paged["descending"], size=max(20, paged["size"]), after=after
            )
            rows += each.rows
            after = each.after
            if after is None:
                break
        assert rows == wanted

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("descending", [False, True])
    def test_pages_are_the_whole_list_cut_up(self, index: RunIndex, sort: str, descending: bool) -> None:
        asked: dict[str, Any] = {"sort": sort, "descending": descending}
        whole = index.items(**asked, size=500).rows
        assert len(whole) == 300
        pages = [index.items(**asked, page=number, size=70).rows for number in range(1, 7)]
        assert [row for rows in pages for row in rows] == list(whole)
        other = index.items(sort=sort, descending=not descending, size=500).rows
        assert other == whole[::-1]
        assert whole != other

    @pytest.mark.parametrize(
        "asked",
        [
            {"status": "done"},
            {"sort": "worker"},
            {"size": 0},
            {"size": 501},
            {"page": 0},
            {"after": "x"},
            {"after": "W10="},
            {"after": base64.urlsafe_b64encode(b'["item", [], 3]').decode(), "sort": "item"},
        ],
    )
    def test_what_makes_no_sense_is_refused(self, index: RunIndex, asked: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"none of|rows at most|after"):
            index.items(**asked)

    def test_a_search_is_text_and_nothing_else(self, index: RunIndex) -> None:
        for search in ("' OR 1=1 --", "\ud800", "\x00", "x" * 10_000, "*", '"'):
            assert index.items(search=search).total == 0


class TestOneItem:
    def test_all_that_is_known(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        ledger.append(
            "withheld", [{"assignment": "Item-2-AY", "item": "Item-2", "reason": "too fast", "at": "1"}]
        )
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        view = index.item("Item-4", ledger)
        assert view is not None
        assert (view.item, view.status, view.values, view.hit) == (
            "Item-4",
            "settled",
            {"x": "ITEM-4"},
            "H-Item-4",
        )
        assert (view.seats, view.expires, view.deleted, view.cents) == (2, moment(600), False, 6)
        assert [(each.worker, each.label, each.seconds, each.paid) for each in view.answers] == [
            ("<AY>", "virginica", 60, False),
            ("<AX>", "setosa", 60, True),
        ]
        assert index.item("nobody", ledger) is None
        without = index.item("Item-4")
        assert without is not None
        assert (without.values, without.answers) == (None, view.answers)
        held = index.item("Item-2", ledger)
        assert held is not None
        assert [(each.withheld, each.paid) for each in held.answers] == [(False, True), (False, True)]

    def test_no_worker_id_leaves_the_index(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        body = [
            {"item": "Item-1", "label": "setosa", "confidence": 1, "answers": [{"worker": "AX"}], "at": "1"}
        ]
        ledger.append("labels", body)
        index = complete(RunIndex(tmp_path / "i.sqlite"), ledger)
        shown = [index.item(f"Item-{number}", ledger) for number in range(8)]
        text = repr([shown, index.workers(), index.items(), index.counts(), index.synced()])
        assert "AX" not in text.replace("-AX", "").replace("AX'", "")
        assert re.search(r"worker='w-[0-9a-f]{10}'", text)

    @pytest.mark.parametrize("texts", list(itertools.permutations("mnz")))
    def test_twins_that_wrote_an_answer_differently(
        self, tmp_path: Path, store: MemoryStore, texts: tuple[str, ...]
    ) -> None:
        """The state keeps the row whose whole text comes first; the index does not keep whole texts."""
        ledger = small_ledger(store)
        for label, text in zip("xyz", texts, strict=True):
            ledger.append("answers", [answer("Item-0", "AZ", label, answer=text)])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        check(index, ledger)
        [kept] = [row for row in ledger.fold().answers_of("Item-0") if row["worker"] == "AZ"]
        assert kept["label"] == "xyz"[texts.index("m")]

    def test_texts_that_are_no_unicode(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        odd = "\ud800\x00<script>"
        ledger.append("hits", [hit(odd)])
        ledger.append("answers", [answer(odd, odd, odd)])
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        [row] = index.items(search="\\ud800").rows
        view = index.item(odd, ledger)
        assert view is not None
        assert (row.item, row.answers, len(view.answers)) == (view.item, 1, 1)
        row.item.encode()


class TestLabels:
    def row(self, item: str, label: str, confidence: float = 0.75) -> dict[str, Any]:
        return {
            "item": item,
            "label": label,
            "confidence": confidence,
            "values": {},
            "at": "1",
            "method": "m",
        }

    def test_they_come_before_the_leading_label(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        assert (index.counts().labelled, index.counts().by_label) == (0, {"setosa": 5})
        ledger.append("labels", [self.row("Item-0", "virginica"), self.row("Item-2", "virginica")])
        complete(index, ledger)
        assert index.counts().labelled == 2
        view = index.item("Item-0", ledger)
        assert view is not None
        assert view.label_row == {"label": "virginica", "confidence": 0.75, "at": "1", "method": "m"}
        [first] = index.items(search="Item-0").rows
        assert (first.label, first.labelled, first.confidence) == ("virginica", True, 0.75)

    def test_those_of_a_later_consolidation_take_their_place(
        self, tmp_path: Path, store: MemoryStore
    ) -> None:
        ledger = small_ledger(store)
        index = index_at(tmp_path / "i.sqlite")
        for number, labels in enumerate(({"Item-0": "x", "Item-1": "x"}, {"Item-1": "y"}, {"Item-1": "x"})):
            rows = [self.row(item, label, number / 10) for item, label in labels.items()]
            ledger.append("labels", rows)
            store.put("_labels/iris/run.jsonl", encode(rows))
            ledger.put_document("consolidation.json", {"updated": moment(number)})
            complete(index, ledger)
            found = {row.item: row.label for row in index.items().rows if row.labelled}
            assert found == labels
            assert index.counts().labelled == len(labels)


class TestComingAlong:
    def test_it_goes_on_where_it_stopped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("_ROWS", "_ITEMS", "_LABELS"):
            monkeypatch.setattr(syncing, name, 7)
        ledger = small_ledger(MemoryStore(), items=40)
        ledger.append("labels", [TestLabels().row(f"Item-{number}", "z") for number in range(40)])
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
        assert (fresh.items(size=500), fresh.counts(), fresh.workers()) == (
            index.items(size=500),
            index.counts(),
            index.workers(),
        )

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
            real = syncing.bodies
            monkeypatch.setattr(syncing, "bodies", overtaking)
            index.sync(ledger, seconds=60)
        complete(index, ledger)
        check(index, ledger)
        fresh = complete(index_at(tmp_path / "fresh.sqlite"), ledger)
        assert kept_bytes(index.path) == kept_bytes(fresh.path)


def kept_bytes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        found: int = db.execute("SELECT sum(length(body)) FROM records").fetchone()[0]
    return found


class TestBadInput:
    @pytest.mark.parametrize(
        ("kind", "body", "says"),
        [
            ("answers", b'{"item": "a"', "line 1 is not JSON"),
            ("answers", b'{"item": "a"}\n', "lacks 'assignment'"),
            ("hits", b"[]\n", "no JSON object"),
            ("outcomes", b'{"item": 3, "outcome": "settled"}\n', "says 3 for 'item'"),
            ("outcomes", b'{"item": "a", "outcome": "eaten"}\n', "eaten"),
            ("bonuses", b"{}\n", "lacks"),
            ("hits", b'{"item": "a", "hit": 1, "seats": "x", "expires": "3"}\n', "says 1 for 'hit'"),
            ("labels", b'{"item": "a"}\n3\n', "line 2 is no JSON object"),
        ],
    )
    def test_a_damaged_part_is_named_and_what_was_read_stays(
        self, tmp_path: Path, store: MemoryStore, kind: str, body: bytes, says: str
    ) -> None:
        ledger = small_ledger(store)
        index = complete(index_at(tmp_path / "i.sqlite"), ledger)
        before = index.counts()
        key = ledger.key(kind, "damaged")
        store.put(key, body)
        for _ in range(2):
            with pytest.raises(LedgerError) as caught:
                index.sync(ledger, seconds=60)
            assert says in str(caught.value)
            assert "restore" in str(caught.value)
        assert index.counts() == before
        # Restored under its name
        store.put(key, b"")
        complete(index, ledger)
        check(index, ledger)

    @pytest.mark.parametrize("damage", ["garbage", "truncated", "empty", "middle", "version"])
    def test_a_damaged_or_old_file_is_made_anew(
        self, tmp_path: Path, store: MemoryStore, damage: str
    ) -> None:
        ledger = small_ledger(store, items=200)
        path = tmp_path / "i.sqlite"
        complete(index_at(path), ledger)
        body = path.read_bytes()
        if damage == "version":
            with closing(sqlite3.connect(path)) as db:
                db.execute("PRAGMA user_version = 99")
        else:
            path.write_bytes(
                {
                    "garbage": b"not SQLite at all" * 1000,
                    "truncated": body[: len(body) // 2],
                    "empty": b"",
                    "middle": body[:4096] + b"\xff" * (len(body) - 8192) + body[-4096:],
                }[damage]
            )
        index = index_at(path)
        index.counts()  # no error, whatever it says
        complete(index, ledger)
        check(index, ledger)

    def test_a_file_that_may_not_grow(self, tmp_path: Path, store: MemoryStore) -> None:
        ledger = small_ledger(store, items=300)
        with pytest.raises(LedgerError, match="raise the limit"):
            RunIndex(tmp_path / "i.sqlite", limit_bytes=200_000).sync(ledger, seconds=60)


def test_the_files_are_private(tmp_path: Path, store: MemoryStore) -> None:
    index = complete(index_at(tmp_path / "i.sqlite"), small_ledger(store))
    for path in tmp_path.glob("i.*"):
        assert path.stat().st_mode & 0o077 == 0, path
    assert index.path.exists()
