"""Inputs of the reports: events are kept once, snapshots are replaced, and the deleted do not come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from groundswell.aws.reporting.inputs import Inputs
from groundswell.reports import schema
from groundswell.reports.names import FORGOTTEN, Pseudonyms
from groundswell.reports.parts import RemovableFolder
from groundswell.reports.problems import Problem
from tests.groundswell.aws.reporting import private_days
from tests.groundswell.aws.reporting.memory_stores import MemoryStore

if TYPE_CHECKING:
    import pandas as pd

DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
KEY = b"a key"


def inputs_in(folder: Path, *forgotten: str) -> Inputs:
    marks = [Pseudonyms(KEY).mark(worker) for worker in forgotten]
    return Inputs(RemovableFolder(folder), Pseudonyms(KEY, marks))


@pytest.fixture
def inputs(tmp_path: Path) -> Inputs:
    return inputs_in(tmp_path)


def events(*rows: tuple[str, int], **more: Any) -> pd.DataFrame:
    """Submitted tasks of (worker, minutes after noon)."""
    columns = {
        "source": ["worker_activity"] * len(rows),
        "kind": ["submitted"] * len(rows),
        "at": [NOON + timedelta(minutes=minute) for _, minute in rows],
        "seconds": [9.0] * len(rows),
        "worker": [worker for worker, _ in rows],
        "team": ["flowers"] * len(rows),
        "job": ["iris"] * len(rows),
    }
    return schema.ACTIVITY.frame(columns | {name: [value] * len(rows) for name, value in more.items()})


def point(worker: str, value: float) -> Any:
    dimensions = {"LabelingJob": "iris", "WorkerId": worker}
    return {"metric": "TasksSubmitted", "dimensions": dimensions, "at": 0, "period": 3600, "sum": value}


def found(inputs: Inputs) -> list[tuple[str, int]]:
    rows = inputs.activity(DAY)
    minutes = (rows["at"] - NOON).dt.total_seconds() // 60
    return sorted(zip(rows["worker"], minutes.astype(int), strict=True))


def parts(inputs: Inputs) -> list[str]:
    return list(inputs.store.keys(f"inputs/{DAY}/activity/"))


def test_only_what_is_new_is_added(inputs: Inputs) -> None:
    assert inputs.activity(DAY).empty
    assert inputs.add_activity(DAY, events(("a", 1), ("b", 2))) == 2
    [first] = parts(inputs)
    body = inputs.store.get(first)
    assert inputs.add_activity(DAY, events(("b", 2), ("a", 1))) == 0
    assert inputs.add_activity(DAY, events(("b", 2), ("a", 1), ("a", 3))) == 1
    assert inputs.add_activity(DAY, events()) == 0
    assert len(parts(inputs)) == 2
    assert inputs.store.get(first) == body, "parts are never written again"
    assert found(inputs) == [("a", 1), ("a", 3), ("b", 2)]
    assert list(inputs.activity(DAY).columns) == schema.ACTIVITY.names


def test_what_the_log_no_longer_has_stays(inputs: Inputs) -> None:
    inputs.add_activity(DAY, events(("a", 1)))
    inputs.add_activity(DAY, events(("b", 2)))
    assert found(inputs) == [("a", 1), ("b", 2)]


def test_equal_events_of_one_pull_are_as_many_events(inputs: Inputs) -> None:
    assert inputs.add_activity(DAY, events(("a", 1), ("a", 1))) == 2
    assert inputs.add_activity(DAY, events(("a", 1))) == 0
    assert inputs.add_activity(DAY, events(("a", 1), ("a", 1), ("a", 1))) == 1
    assert found(inputs) == [("a", 1)] * 3


def test_an_event_without_seconds_is_known_again(inputs: Inputs) -> None:
    rows = events(("a", 1), seconds=None)
    assert inputs.add_activity(DAY, rows) == 1
    assert inputs.add_activity(DAY, rows) == 0


def test_twins_that_write_the_same_event_count_it_once(tmp_path: Path) -> None:
    class Overtaken(RemovableFolder):
        """Another pull, which saw one event more, ends just before the part of this one is written."""

        def put_if_absent(self, key: str, body: bytes) -> bool:
            if not others:
                others.append(inputs_in(tmp_path).add_activity(DAY, events(("a", 1), ("b", 2))))
            return super().put_if_absent(key, body)

    others: list[int] = []
    slow = Inputs(Overtaken(tmp_path), Pseudonyms(KEY))
    assert slow.add_activity(DAY, events(("a", 1))) == 1
    assert len(parts(slow)) == 2
    assert found(slow) == [("a", 1), ("b", 2)]


def test_twins_that_saw_the_same_write_one_part(tmp_path: Path) -> None:
    one, two = events(("a", 1), ("b", 2)), events(("b", 2), ("a", 1))
    first, second = inputs_in(tmp_path), inputs_in(tmp_path)
    first.add_activity(DAY, one)
    before = parts(first)
    for key in before:
        first.store.remove(key)
    second.add_activity(DAY, two)
    assert parts(second) == before


def test_snapshots_are_replaced_and_jobs_are_plain_values(inputs: Inputs) -> None:
    assert inputs.ledger(DAY).empty
    assert inputs.workteam(DAY) == []
    assert inputs.jobs(DAY) == []
    inputs.put_ledger(DAY, events(("a", 1), ("b", 2), source="ledger", reward_cents=5.0))
    inputs.put_ledger(DAY, events(("a", 1), source="ledger", reward_cents=7.0))
    assert list(inputs.ledger(DAY)["reward_cents"]) == [7.0]
    inputs.put_ledger(DAY, events())
    assert inputs.ledger(DAY).empty, "a batch file that is gone takes its rows with it"
    inputs.put_jobs(DAY, [{"job": "b", "machine_labels": 1}, {"job": "a", "day": DAY}])
    assert inputs.jobs(DAY) == [{"job": "a", "day": "2026-11-02"}, {"job": "b", "machine_labels": 1}]


def test_states_and_problems_are_replaced_source_by_source(inputs: Inputs) -> None:
    late = Problem("too late", 2, "Wed", "raise late_days", "worker_activity", DAY)
    gone = Problem("no such source", 1, "", "nothing", "cognito")
    inputs.put_source(DAY, "worker_activity", "read", [late, late])
    inputs.put_source(DAY, "cognito", "absent", [gone])
    assert inputs.states(DAY) == {"cognito": "absent", "worker_activity": "read"}
    assert [(each.kind, each.count, each.day) for each in inputs.problems(DAY)] == [
        ("no such source", 1, DAY),
        ("too late", 4, DAY),
    ]
    inputs.put_source(DAY, "worker_activity", "off")
    assert inputs.states(DAY)["worker_activity"] == "off"
    assert [each.kind for each in inputs.problems(DAY)] == ["no such source"]


def test_digests_tell_which_input_changed(inputs: Inputs) -> None:
    inputs.add_activity(DAY, events(("a", 1)))
    before = inputs.digests(DAY)
    inputs.put_ledger(DAY, events(("a", 1)))
    after = inputs.digests(DAY)
    assert [name for name in after if after[name] != before[name]] == ["ledgers"]
    inputs.put_ledger(DAY, events(("a", 1)))
    inputs.add_activity(DAY, events(("a", 1)))
    assert inputs.digests(DAY) == after


def test_who_was_deleted_is_in_no_input_any_more_and_does_not_come_back(tmp_path: Path) -> None:
    import pandas as pd

    before = inputs_in(tmp_path)
    before.add_activity(DAY, events(("xenia", 1), ("bob", 1)))
    before.add_activity(DAY, events(("xenia", 2)))
    before.put_ledger(DAY, events(("xenia", 1)))
    before.put_workteam(DAY, [point("xenia", 2.0), point("bob", 1.0)])
    before.put_names({"xenia": "Xenia", "bob": "Bob"}, DAY)
    inputs = inputs_in(tmp_path, "xenia")
    assert found(inputs) == [("bob", 1), ("forgotten", 1), ("forgotten", 2)], "hidden at once"
    assert inputs.forget(DAY)
    assert not inputs.forget(DAY), "nothing is left to do"
    inputs.keep_names(DAY)
    assert inputs.names() == {"bob": "Bob"}
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"xenia" not in path.read_bytes(), path
    raw = [set(pd.read_parquet(path)["worker"]) for path in tmp_path.rglob("*.parquet")]
    assert set.union(*raw) == {"bob", "forgotten"}
    assert inputs.add_activity(DAY, events(("xenia", 1), ("bob", 1), ("xenia", 2))) == 0
    assert inputs.add_activity(DAY, events(("xenia", 9))) == 1
    assert found(inputs)[-1] == ("forgotten", 9)
    inputs.put_names({"xenia": "Xenia"}, DAY)
    assert inputs.names() == {"bob": "Bob"}
    assert {each["dimensions"]["WorkerId"]: each["sum"] for each in inputs.workteam(DAY)} == {
        "bob": 1.0,
        "forgotten": 2.0,
    }


def test_a_deletion_that_died_in_between_counts_nothing_twice_and_is_finished(tmp_path: Path) -> None:
    class Dying(RemovableFolder):
        def remove(self, key: str) -> None:
            raise KeyboardInterrupt

    inputs_in(tmp_path).add_activity(DAY, events(("xenia", 1), ("bob", 1)))
    dying = Inputs(Dying(tmp_path), inputs_in(tmp_path, "xenia")._pseudonyms)
    with pytest.raises(KeyboardInterrupt):
        dying.forget(DAY)
    inputs = inputs_in(tmp_path, "xenia")
    assert len(parts(inputs)) == 2
    assert found(inputs) == [("bob", 1), ("forgotten", 1)]
    assert inputs.forget(DAY)
    assert len(parts(inputs)) == 1
    assert found(inputs) == [("bob", 1), ("forgotten", 1)]


def test_metrics_of_all_who_were_deleted_are_added_up(tmp_path: Path) -> None:
    inputs_in(tmp_path).put_workteam(DAY, [point("a", 1.0), point("b", 2.0), point("c", 4.0)])
    assert len(inputs_in(tmp_path).workteam(DAY)) == 3
    assert inputs_in(tmp_path, "a").forget(DAY)
    assert inputs_in(tmp_path, "a", "b").forget(DAY)
    inputs = inputs_in(tmp_path, "a", "b")
    assert not inputs.forget(DAY)
    assert inputs.workteam(DAY) == [point("c", 4.0), point("forgotten", 3.0)]
    inputs.put_workteam(DAY, [point("a", 1.0), point("b", 2.0), point("c", 4.0)])
    assert inputs.workteam(DAY) == [point("c", 4.0), point("forgotten", 3.0)]


def test_workers_are_told_by_pool_and_all_together(inputs: Inputs) -> None:
    inputs.add_activity(DAY, events(("a", 1), ("b", 2), pool="us-east-1_x"))
    inputs.add_activity(DAY, events(("c", 1), pool="us-east-1_y"))
    inputs.add_activity(DAY, events(("without a pool", 1)))
    assert inputs.pools(DAY) == {"us-east-1_x": {"a", "b"}, "us-east-1_y": {"c"}}
    inputs.put_ledger(DAY, events(("A1", 1)))
    inputs.put_workteam(DAY, [point("d", 1.0)])
    assert inputs.workers(DAY) == {"a", "b", "c", "without a pool", "A1", "d", "iris"}


def test_names_of_who_has_not_worked_for_long_go(inputs: Inputs) -> None:
    inputs.keep_names(DAY)
    assert inputs.names() == {}
    inputs.put_names({"a": "Ada", "b": "Bob"}, DAY)
    inputs.put_names({"a": "Ada L."}, DAY + timedelta(days=2))
    inputs.put_names({"a": "Ada L."}, DAY)
    assert inputs.names() == {"a": "Ada L.", "b": "Bob"}
    inputs.keep_names(DAY + timedelta(days=1))
    assert inputs.names() == {"a": "Ada L."}
    assert inputs.drop_names()
    assert not inputs.drop_names()
    assert inputs.names() == {}


def test_inputs_of_a_day_can_be_removed(inputs: Inputs) -> None:
    inputs.add_activity(DAY, events(("a", 1)))
    inputs.put_jobs(DAY, [])
    assert inputs.days() == [DAY]
    assert inputs.remove(DAY) == 2
    assert inputs.days() == []
    assert inputs.remove(DAY) == 0


def test_events_of_two_who_were_deleted_stay_two(tmp_path: Path) -> None:
    """Of one second and one job, they differ in nothing any more."""
    store, known = RemovableFolder(tmp_path), Pseudonyms(b"00" * 32)
    rows = private_days.events(DAY, ("ann", 1, 9.0), ("bob", 1, 9.0))
    assert Inputs(store, known).add_activity(DAY, rows) == 2
    marks = [known.mark(private_days.SUBS[name]) for name in ("ann", "bob")]
    inputs = Inputs(store, Pseudonyms(b"00" * 32, marks))
    assert list(inputs.activity(DAY)["worker"]) == [FORGOTTEN] * 2
    assert inputs.forget(DAY)
    assert list(inputs.activity(DAY)["worker"]) == [FORGOTTEN] * 2
    assert inputs.add_activity(DAY, rows) == 0, "a later pull adds nothing"
    assert not inputs.forget(DAY)


def test_names_that_another_run_adds_meanwhile_stay() -> None:
    """Whoever has nothing new or old writes nothing."""
    store = MemoryStore("private")
    inputs = Inputs(store, Pseudonyms(KEY))
    inputs.put_names({"a": "Ada"}, DAY)
    written = dict(store.objects)
    calls: list[str] = []

    def stop(call: str, _: str) -> None:
        calls.append(call)
        if len(calls) == 2:
            store.objects["names.json"] = b'{"a": {"name": "Ada", "seen": "2026-11-02"}, "b": {}}'

    for look in (lambda: inputs.keep_names(DAY), lambda: inputs.put_names({"a": "Ada"}, DAY)):
        store.objects = dict(written)
        calls.clear()
        store.stop = stop
        look()
        assert calls == ["get"] or b'"b"' in store.objects["names.json"]


def test_names_that_are_damaged_go_with_who_is_forgotten(inputs: Inputs, tmp_path: Path) -> None:
    inputs.put_names({"xenia": "Xenia"}, DAY)
    inputs.store.put("names.json", (inputs.store.get("names.json") or b"")[:-5])
    inputs_in(tmp_path, "xenia").keep_names(date.min)
    assert inputs.store.get("names.json") is None
