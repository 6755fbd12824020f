"""Revisions of a day: whole or not there, numbered once, and their history says what changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.errors import ReportError
from groundswell.ledger import FolderStore
from groundswell.reports.parts import RemovableFolder
from groundswell.reports.store import ReportStore

DAY = date(2026, 11, 2)


class Died(Exception):
    """The process ended here."""


class Dying(RemovableFolder):
    """A folder whose process dies before its n-th write."""

    def __init__(self, folder: Path, left: int) -> None:
        super().__init__(folder)
        self.left = left

    def _use(self) -> None:
        if self.left == 0:
            raise Died
        self.left -= 1

    def put(self, key: str, body: bytes) -> None:
        self._use()
        super().put(key, body)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        self._use()
        return super().put_if_absent(key, body)

    def remove(self, key: str) -> None:
        self._use()
        super().remove(key)


@pytest.fixture
def store(tmp_path: Path) -> ReportStore:
    return ReportStore(RemovableFolder(tmp_path))


def publish(store: ReportStore, text: str, **more: Any) -> Any:
    files = {"workers.csv": f"{text}\n".encode(), "report.html": f"<p>{text}".encode()}
    return store.publish(DAY, files, digest=f"{text}-digest", totals={"submitted": len(text)}, **more)


def seen(store: ReportStore) -> tuple[int, bytes, bytes]:
    """What a reader of the store and a reader of the plain files see."""
    record = store.current(DAY)
    assert record is not None
    body, copy = store.body(DAY, "workers.csv"), store.public.get(f"days/{DAY}/workers.csv")
    assert body is not None
    assert copy is not None
    return record["revision"], body, copy


def test_a_day_that_says_the_same_is_not_written_again(store: ReportStore) -> None:
    assert store.days() == []
    assert store.current(DAY) is None
    first = publish(store, "one")
    assert (first.revision, first.changed) == (1, True)
    before = {key: store.public.get(key) for key in store.public.keys("")}
    again = publish(store, "one")
    assert (again.revision, again.changed) == (1, False)
    assert {key: store.public.get(key) for key in store.public.keys("")} == before
    assert store.days() == [DAY]
    assert before.keys() == {
        f"days/{DAY}/{name}"
        for name in (
            "current.json",
            "workers.csv",
            "report.html",
            "revisions/1/record.json",
            "revisions/1/one-digest/workers.csv",
            "revisions/1/one-digest/report.html",
        )
    }


def test_late_data_makes_a_revision_that_says_what_changed(store: ReportStore) -> None:
    publish(store, "one")
    second = publish(store, "three", why="late data: activity")
    assert (second.revision, second.changed) == (2, True)
    record = store.current(DAY)
    assert record is not None
    assert record["revised"]
    assert [each["kind"] for each in record["history"]] == ["first", "revised"]
    assert record["history"][1]["why"] == "late data: activity"
    assert record["history"][1]["changes"] == [{"measure": "submitted", "before": 3, "after": 5}]
    assert seen(store) == (2, b"three\n", b"three\n")
    assert store.body(DAY, "workers.csv", revision=1) == b"one\n"
    assert store.body(DAY, "workers.csv", revision=3) is None
    assert store.body(DAY, "nothing.csv") is None


def test_a_measure_that_is_new_has_not_changed(store: ReportStore) -> None:
    publish(store, "one")
    more: dict[str, Any] = {"files": {"workers.csv": b""}, "digest": "another"}
    record = store.publish(DAY, totals={"submitted": 4, "pay_cents": 5}, **more).record
    assert record["history"][1]["changes"] == [{"measure": "submitted", "before": 3, "after": 4}]


def test_the_end_of_a_provisional_day_is_no_correction(store: ReportStore) -> None:
    publish(store, "morning", provisional=True)
    publish(store, "noon", provisional=True)
    final = publish(store, "noon")
    assert final.changed, "that it is final now is news"
    record = store.current(DAY)
    assert record is not None
    assert [each["kind"] for each in record["history"]] == ["provisional", "provisional", "final"]
    assert record["history"][2]["changes"] == []
    assert not record["provisional"]
    assert not record["revised"]
    late = publish(store, "noon", provisional=True)
    assert not late.changed, "a twin with an older clock does not reopen the day"
    publish(store, "evening")
    assert store.current(DAY)["revised"]  # type: ignore[index]


def test_the_files_may_depend_on_the_record(store: ReportStore) -> None:
    store.publish(DAY, lambda record: {"report.html": str(record["revision"]).encode()}, "a", {})
    store.publish(DAY, lambda record: {"report.html": str(record["revision"]).encode()}, "b", {})
    assert store.body(DAY, "report.html") == b"2"


@pytest.mark.parametrize("writes", range(12))
def test_a_writer_may_die_between_any_two_writes(tmp_path: Path, writes: int) -> None:
    publish(ReportStore(RemovableFolder(tmp_path)), "one")
    dying = ReportStore(Dying(tmp_path, writes))
    try:
        publish(dying, "two")
    except Died:
        assert writes < 7
    else:
        assert writes >= 7, "a new write needs a new case here"
    reader = ReportStore(FolderStore(tmp_path))
    number = reader.current(DAY)["revision"]  # type: ignore[index]
    assert reader.body(DAY, "workers.csv") == (b"two\n" if number == 2 else b"one\n")
    healed = ReportStore(RemovableFolder(tmp_path))
    assert publish(healed, "two").revision == 2
    assert seen(healed) == (2, b"two\n", b"two\n")


@pytest.mark.parametrize("writes", [4, 5, 6])
def test_what_a_dead_writer_left_is_finished_without_its_files(tmp_path: Path, writes: int) -> None:
    publish(ReportStore(RemovableFolder(tmp_path)), "one")
    with pytest.raises(Died):
        publish(ReportStore(Dying(tmp_path, writes)), "two")
    store = ReportStore(RemovableFolder(tmp_path))
    record = store.heal(DAY)
    assert record is not None
    assert seen(store) == (record["revision"], b"two\n", b"two\n")
    assert store.heal(date(2026, 1, 1)) is None


def test_twins_that_know_different_things_never_share_a_number(tmp_path: Path) -> None:
    class Slow(RemovableFolder):
        """Lets the other twin publish just before the record of this one is written."""

        def put_if_absent(self, key: str, body: bytes) -> bool:
            if key.endswith("record.json") and not overtaken:
                overtaken.append(publish(ReportStore(RemovableFolder(tmp_path)), "fast").revision)
            return super().put_if_absent(key, body)

    overtaken: list[int] = []
    slow = ReportStore(Slow(tmp_path))
    assert publish(slow, "slow").revision == 2
    assert overtaken == [1]
    assert slow.body(DAY, "workers.csv", revision=1) == b"fast\n"
    assert slow.body(DAY, "workers.csv", revision=2) == b"slow\n"
    assert seen(slow) == (2, b"slow\n", b"slow\n")


def test_a_slow_twin_does_not_turn_the_current_revision_back(tmp_path: Path) -> None:
    class Slow(RemovableFolder):
        def put(self, key: str, body: bytes) -> None:
            if key.endswith("workers.csv") and not overtaken:
                overtaken.append(publish(ReportStore(RemovableFolder(tmp_path)), "new").revision)
            super().put(key, body)

    overtaken: list[int] = []
    store = ReportStore(Slow(tmp_path))
    publish(store, "old")
    assert overtaken == [2]
    assert seen(store) == (2, b"new\n", b"new\n")


def test_many_at_once_agree(tmp_path: Path) -> None:
    texts = ["a", "b", "c"] * 3
    threads = [
        threading.Thread(target=publish, args=(ReportStore(RemovableFolder(tmp_path)), text))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = ReportStore(RemovableFolder(tmp_path))
    records = [record for number in range(1, 30) if (record := store.revision(DAY, number))]
    assert [record["revision"] for record in records] == list(range(1, len(records) + 1))
    for record in records:
        text = record["digest"].removesuffix("-digest")
        assert store.body(DAY, "workers.csv", record["revision"]) == f"{text}\n".encode()
    store.heal(DAY)
    assert seen(store)[0] == len(records)
    assert seen(store)[1] == seen(store)[2]


def files_of(store: ReportStore) -> Iterator[str]:
    return (key.removeprefix(f"days/{DAY}/") for key in store.public.keys(""))


def test_files_of_old_revisions_can_go_and_their_records_stay(store: ReportStore) -> None:
    publish(store, "one")
    store.public.put_if_absent(f"days/{DAY}/revisions/2/left-behind/workers.csv", b"by a dead writer")
    publish(store, "two")
    assert store.clear_revisions(DAY, keep=2) == 3
    assert store.clear_revisions(DAY, keep=2) == 0
    assert {name for name in files_of(store) if name.startswith("revisions/")} == {
        "revisions/1/record.json",
        "revisions/2/record.json",
        "revisions/2/two-digest/workers.csv",
        "revisions/2/two-digest/report.html",
    }
    assert store.body(DAY, "workers.csv", revision=1) is None
    assert seen(store) == (2, b"two\n", b"two\n")


def test_files_that_never_became_a_revision_are_found_by_age(store: ReportStore) -> None:
    publish(store, "one")
    publish(store, "two")
    dead = {f"days/{DAY}/revisions/{name}/workers.csv" for name in ("1/lost-to-a-twin", "3/of-the-dead")}
    for key in dead:
        store.public.put(key, b"left")
    now = datetime.now(UTC)
    assert list(store.leftovers(now - timedelta(hours=1))) == []
    assert set(store.leftovers(now + timedelta(hours=1))) == dead
    with pytest.raises(ReportError, match="opened for readers"):
        list(ReportStore(FolderStore(Path(store.public.uri("").removeprefix("file://")))).leftovers(now))


def test_writes_that_were_killed_are_swept_by_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RemovableFolder(tmp_path)
    store.put("days/a", b"whole")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda *_: os._exit(9))
        child = os.fork()
        if not child:
            store.put("days/a", b"killed while it is written")
        os.waitpid(child, 0)
    assert len(list((tmp_path / "days").iterdir())) == 2
    now = datetime.now(UTC)
    assert store.sweep(now - timedelta(hours=1)) == 0
    assert store.sweep(now + timedelta(hours=1)) == 1
    assert [path.read_bytes() for path in (tmp_path / "days").iterdir()] == [b"whole"]


def test_a_reader_whose_files_go_gets_those_of_the_next_revision(tmp_path: Path) -> None:
    """As when somebody is forgotten: old revisions lose their files."""

    class Overtaken(FolderStore):
        def get(self, key: str) -> bytes | None:
            if "revisions/1" in key and not overtaken:
                overtaken.append(publish(store, "two").revision)
                store.clear_revisions(DAY, keep=2)
            return super().get(key)

    overtaken: list[int] = []
    store = ReportStore(RemovableFolder(tmp_path))
    publish(store, "one")
    assert ReportStore(Overtaken(tmp_path)).body(DAY, "workers.csv") == b"two\n"
    assert overtaken == [2]
    store.public.remove(f"days/{DAY}/revisions/2/two-digest/workers.csv")  # type: ignore[attr-defined]
    assert store.body(DAY, "workers.csv") is None


def test_a_file_that_a_revision_lacks_is_no_longer_under_its_name(store: ReportStore) -> None:
    publish(store, "one")
    store.publish(DAY, {"summary.csv": b"all"}, "sealed", {}, kind="sealed")
    assert {name for name in files_of(store) if "/" not in name} == {"current.json", "summary.csv"}
    record = store.current(DAY)
    assert record is not None
    assert record["history"][-1]["kind"] == "sealed"


def test_readers_remove_nothing_and_know_no_secrets(tmp_path: Path) -> None:
    publish(ReportStore(RemovableFolder(tmp_path)), "one")
    reader = ReportStore(FolderStore(tmp_path))
    with pytest.raises(ReportError, match="opened for readers"):
        reader.clear_revisions(DAY)
    with pytest.raises(ReportError, match="private"):
        _ = reader.private


def test_months_are_found_by_name(store: ReportStore) -> None:
    assert store.months() == []
    store.public.put("months/2026-11/report.html", b"<h1>November")
    assert store.months() == ["2026-11"]
    assert store.month("2026-11") == b"<h1>November"
    assert store.month("2026-12") is None


def test_a_revision_whose_answer_was_lost_is_written_once(tmp_path: Path) -> None:
    """The client tries again, and is told that there is one."""

    class Losing(RemovableFolder):
        def put_if_absent(self, key: str, body: bytes) -> bool:
            return super().put_if_absent(key, body) and not key.endswith("record.json")

    store = ReportStore(Losing(tmp_path))
    for number, follows in ((1, 0), (2, 1)):
        done = publish(store, "a", anew=True, follows=follows)
        assert (done.revision, done.changed) == (number, True)
    assert store.body(DAY, "workers.csv") == b"a\n"


def test_a_record_that_is_damaged_is_named(store: ReportStore) -> None:
    publish(store, "a")
    for key in (f"days/{DAY}/current.json", f"days/{DAY}/revisions/1/record.json"):
        store.public.put(key, b"[1")
    with pytest.raises(ReportError, match=r"revisions/1/record.json is damaged .*restore it from"):
        store.current(DAY)
