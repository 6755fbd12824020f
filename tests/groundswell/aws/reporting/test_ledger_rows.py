"""Rows of the reports from real small ledgers, made as runs make them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from groundswell.aws import runs
from groundswell.aws.progress import keep_progress
from groundswell.aws.reporting import ledgers
from groundswell.aws.reporting.run_rows import RunAnswers, Times, how_right
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.batches.model import Batch
from groundswell.ledger import FolderStore, Ledger
from groundswell.reports import schema
from groundswell.reports.days import bounds
from tests.groundswell.aws.paper_desk import PaperDesk

if TYPE_CHECKING:
    import pandas as pd

ROME = ZoneInfo("Europe/Rome")
#: 1 March in Rome begins at 23:00 UTC of the day before.
MIDNIGHT = datetime(2026, 2, 28, 23, tzinfo=UTC)
FEBRUARY, MARCH = date(2026, 2, 28), date(2026, 3, 1)
Answer = tuple[str, str | None, float, float]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperDesk:
    return PaperDesk(tmp_path, monkeypatch)


def at(minutes: float) -> str:
    """Minutes from the beginning of 1 March."""
    return (MIDNIGHT + timedelta(minutes=minutes)).isoformat(timespec="seconds")


def work(run: LabelingRun, answers: Mapping[str, Sequence[Answer]], *, outcome: str = "settled") -> None:
    """Write down (worker, label, accepted, submitted in minutes) of items, paid and closed."""
    for item, given in answers.items():
        rows = [
            {
                "assignment": f"{item}-{worker}",
                "item": item,
                "worker": worker,
                "label": label,
                "problem": None if label else "label: is missing",
                "accepted": at(accepted),
                "submitted": at(submitted),
                "answer": "<xml/>",
            }
            for worker, label, accepted, submitted in given
        ]
        run.ledger.append("answers", rows)
        paid = [{"assignment": row["assignment"], "item": item, "cents": 6} for row in rows]
        run.ledger.append("payments", paid)
        run.ledger.append("outcomes", [{"item": item, "outcome": outcome}])
    keep_progress(run, run.ledger.fold())


def assert_frame_equal(one: pd.DataFrame, other: pd.DataFrame) -> None:
    from pandas import testing

    testing.assert_frame_equal(one, other)


def pull(run: LabelingRun, *some: date) -> tuple[dict[date, pd.DataFrame], list[Any]]:
    found = ledgers.pull([run.live], some or [MARCH], ROME)
    return found.rows, found.problems


def rows_of(frame: pd.DataFrame, kind: str = "submitted") -> dict[str, dict[str, Any]]:
    """Rows by assignment; null is None."""
    records = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return {row["task"]: row for row in records if row["kind"] == kind}


def test_an_assignment_is_two_rows_on_the_days_of_its_times(desk: PaperDesk) -> None:
    run = desk.run(["a"])
    work(run, {"a": [("AX", "setosa", -1, 1), ("AY", "setosa", 5, 5.5)]})
    found, problems = pull(run, FEBRUARY, MARCH)
    assert problems == []
    assert sorted(found) == [FEBRUARY, MARCH]
    assert found[FEBRUARY][["kind", "task"]].to_numpy().tolist() == [["accepted", "a-AX"]]
    assert found[MARCH][["kind", "task"]].to_numpy().tolist() == [
        ["submitted", "a-AX"],
        ["accepted", "a-AY"],
        ["submitted", "a-AY"],
    ]
    accepted, submitted = rows_of(found[FEBRUARY], "accepted")["a-AX"], rows_of(found[MARCH])["a-AX"]
    ledger_columns = ["seconds", *schema.ACTIVITY.names[schema.ACTIVITY.names.index("paid") : -1]]
    assert {accepted[name] for name in ledger_columns} == {None}
    assert {name: submitted[name] for name in ("source", "team", "job", "run", "worker", "item", "pool")} == {
        "source": "ledger",
        "team": "public",
        "job": "iris",
        "run": run.run_id,
        "worker": "AX",
        "item": "a",
        "pool": "",
    }
    assert submitted["task_type"] == "image-classification"
    assert (submitted["seconds"], submitted["at"]) == (120.0, datetime.fromisoformat(at(1)))
    assert submitted["accepted_at"] == datetime.fromisoformat(at(-1))
    for frame in found.values():
        assert_frame_equal(frame, schema.ACTIVITY.conform(frame))


def test_what_became_of_an_answer(desk: PaperDesk) -> None:
    run = desk.run([*"abc"])
    answers = {item: [("AX", "setosa", 1, 2), ("AY", "setosa", 3, 4)] for item in "ab"}
    work(run, answers | {"c": [("AX", "setosa", 1, 2), ("AY", "virginica", 3, 4), ("AZ", None, 5, 6)]})
    run.ledger.append(
        "rejections", [{"assignment": "c-AZ", "item": "c", "worker": "AZ", "feedback": "x", "at": at(9)}]
    )
    found = rows_of(pull(run)[0][MARCH])
    assert {task for task, row in found.items() if row["settles"]} == {"a-AY", "b-AY", "c-AY"}
    assert {row["agreed"] for row in found.values()} == {None}, "there are no labels yet"
    consolidate(run)
    found = rows_of(pull(run)[0][MARCH])
    labels = {row["item"]: row for _, row in run.ledger.rows("labels")}
    assert found["a-AX"]["agreed"] is True
    assert found["a-AX"]["right"] == labels["a"]["posterior"]["setosa"]
    assert found["a-AX"]["gold_right"] is None
    assert {task for task, row in found.items() if row["settles"]} == {
        f"{item}-AY" for item in "abc" if item in labels
    }
    assert (found["a-AX"]["readable"], found["a-AX"]["answer"], found["a-AX"]["paid"]) == (
        True,
        "setosa",
        True,
    )
    assert (found["a-AX"]["reward_cents"], found["a-AX"]["cost_cents"]) == (5.0, 6.0)
    unreadable = found["c-AZ"]
    assert (unreadable["readable"], unreadable["rejected"], unreadable["agreed"]) == (False, False, None)
    assert unreadable["answer"] == ""


def test_a_tie_settles_nothing_once_labels_are_made(desk: PaperDesk) -> None:
    run = desk.run([*"ab"], consolidation={"method": "majority"})
    work(run, {"a": [("AX", "setosa", 1, 2)], "b": [("AX", "setosa", 1, 2), ("AY", "virginica", 3, 4)]})
    assert [task for task, row in rows_of(pull(run)[0][MARCH]).items() if row["settles"]] == ["a-AX", "b-AY"]
    consolidate(run)
    found = rows_of(pull(run)[0][MARCH])
    assert [task for task, row in found.items() if row["settles"]] == ["a-AX"]
    assert (found["a-AX"]["agreed"], found["a-AX"]["right"]) == (True, None), "a vote is no probability"


def test_a_day_says_the_same_whichever_days_are_read_with_it(desk: PaperDesk) -> None:
    """Labels were made, though of no item of March: it would count as settled by itself, and else not."""
    run = desk.run([*"ab"], consolidation={"method": "majority"})
    work(run, {"a": [("AX", "setosa", -9, -8)], "b": [("AX", "setosa", 1, 2), ("AY", "virginica", 3, 4)]})
    consolidate(run)
    assert {row["item"] for _, row in run.ledger.rows("labels")} == {"a"}
    alone, together = pull(run, MARCH)[0], pull(run, FEBRUARY, MARCH)[0]
    assert_frame_equal(alone[MARCH], together[MARCH])
    assert not any(row["settles"] for row in rows_of(alone[MARCH]).values())


def test_rejected_and_unpaid_answers_earn_nothing(desk: PaperDesk) -> None:
    run = desk.run(["a"])
    row = {"item": "a", "label": "setosa", "accepted": at(0), "submitted": at(1)}
    run.ledger.append("answers", [row | {"assignment": f"a-{each}", "worker": each} for each in ("AX", "AY")])
    run.ledger.append("rejections", [{"assignment": "a-AX", "item": "a", "worker": "AX", "at": at(9)}])
    found = rows_of(pull(run)[0][MARCH])
    assert (found["a-AX"]["rejected"], found["a-AY"]["rejected"]) == (True, False)
    assert {(row["paid"], row["reward_cents"], row["cost_cents"]) for row in found.values()} == {
        (False, 0.0, 0.0)
    }
    assert not any(row["settles"] for row in found.values())


def test_bonuses_of_the_run_and_of_compensations_are_earned(desk: PaperDesk) -> None:
    run = desk.run(["a"])
    work(run, {"a": [("AX", "setosa", 1, 2), ("AY", "setosa", 1, 2)]})
    bonus = {"assignment": "a-AX", "item": "a", "worker": "AX", "at": at(60)}
    run.ledger.append("bonuses", [bonus | {"token": "t", "cents": 20, "fee_cents": 4}])
    case = Ledger(run.store, runs.COMPENSATIONS, "iris/case-1")
    case.append("bonuses", [bonus | {"token": "u", "cents": 100, "fee_cents": 20, "item": None}])
    found = rows_of(pull(run)[0][MARCH])
    assert (found["a-AX"]["reward_cents"], found["a-AX"]["cost_cents"]) == (125.0, 150.0)
    assert (found["a-AY"]["reward_cents"], found["a-AY"]["cost_cents"]) == (5.0, 6.0)


def test_the_reward_is_that_of_the_file_the_run_began_with(desk: PaperDesk) -> None:
    run = desk.run(["a"])
    work(run, {"a": [("AX", "setosa", 1, 2)]})
    dearer = Batch.parse(run.live.file.read_text().replace("reward: '0.05'", "reward: '0.50'"), run.live.file)
    assert dearer.task.reward_cents == 50
    found = rows_of(ledgers.pull([dearer], [MARCH], ROME).rows[MARCH])
    assert found["a-AX"]["reward_cents"] == 5.0


def test_gold_says_what_is_right(desk: PaperDesk) -> None:
    gold = desk.folder / "gold.csv"
    gold.write_text("item,label\na,virginica\n")
    run = desk.run(["a", "b"], consolidation={"gold": str(gold)})
    work(run, {item: [("AX", "setosa", 1, 2), ("AY", "virginica", 3, 4)] for item in "ab"})
    consolidate(run)
    found = rows_of(pull(run)[0][MARCH])
    assert [found[f"a-{each}"]["gold_right"] for each in ("AX", "AY")] == [False, True]
    assert [found[f"a-{each}"]["right"] for each in ("AX", "AY")] == [0.0, 1.0]
    assert [found[f"b-{each}"]["gold_right"] for each in ("AX", "AY")] == [None, None]


def test_the_latest_consolidation_counts(desk: PaperDesk) -> None:
    run = desk.run(["a"])
    work(run, {"a": [("AX", "setosa", 1, 2), ("AY", "setosa", 3, 4)]})
    consolidate(run)
    labels = {row["item"]: row for _, row in run.ledger.rows("labels")}["a"]
    for label in ("virginica", "setosa", "virginica"):
        # Whatever the names of the parts: what was handed over last is what the run says
        body = [labels | {"label": label, "posterior": {label: 0.75}}]
        run.ledger.append("labels", body)
        run.store.put(f"_labels/iris/{run.run_id}.jsonl", (json.dumps(body[0]) + "\n").encode())
        found = rows_of(pull(run)[0][MARCH])["a-AX"]
        assert (found["agreed"], found["right"]) == (label == "setosa", 0.75 if label == "setosa" else 0.125)


def test_iris_comes_out_as_it_was_labelled(desk: PaperDesk) -> None:
    """The example's shape: an answer settles where two agree; every third item needs a third answer."""
    items = [f"{number:03d}" for number in range(30)]
    run = desk.run(items)
    script = {}
    for number, item in enumerate(items):
        start = number * 2.0
        given: list[Answer] = [("AX", "setosa", start, start + 0.5), ("AY", "setosa", start, start + 1)]
        if number % 3 == 0:
            given[1] = ("AY", "versicolor", start, start + 1)
            given.append(("AZ", "setosa", start, start + 1.5))
        script[item] = given
    work(run, script)
    consolidate(run)
    frame = pull(run)[0][MARCH]
    submitted = frame[frame["kind"] == "submitted"]
    assert (len(submitted), len(frame)) == (70, 140)
    assert submitted["settles"].sum() == 30
    assert submitted["cost_cents"].sum() == run.ledger.fold().spent_cents == 420
    assert submitted.groupby("worker")["agreed"].sum().to_dict() == {"AX": 30, "AY": 20, "AZ": 10}
    assert submitted.groupby("worker")["seconds"].sum().to_dict() == {"AX": 900.0, "AY": 1800.0, "AZ": 900.0}
    assert submitted["right"].between(0, 1).all()


def test_days_between_those_that_are_asked_for_are_not_read(desk: PaperDesk) -> None:
    run, days = desk.run([*"abc"]), [date(2026, 3, number) for number in (1, 2, 3)]
    for number, item in enumerate("abc"):
        minutes = number * 24 * 60
        work(run, {item: [("AX", "setosa", minutes + 1, minutes + 2)]})
    found, _ = pull(run, days[0], days[2])
    assert sorted(found) == [days[0], days[2]]
    assert [set(found[day]["item"]) for day in sorted(found)] == [{"a"}, {"c"}]
    times = Times(bounds(day, day, ROME) for day in days[:2])
    assert list(times) == [bounds(days[0], days[1], ROME)], "neighbours are read as one"
    begin, end = next(iter(times))
    assert [moment in times for moment in (begin - timedelta(seconds=1), begin, end)] == [False, True, False]
    apart = Times([bounds(days[0], days[0], ROME), bounds(days[2], days[2], ROME)])
    answers = RunAnswers(run.ledger, apart, {})
    assert answers.items == {"a", "c"}, "nothing of the others is kept in memory"


class TestBadInput:
    @pytest.mark.parametrize(
        ("kind", "body", "says"),
        [
            ("answers", b'{"item": "a"}\n', "lacks 'assignment'"),
            ("answers", b"{", "line 1 is not JSON"),
            ("answers", b"3\n", "no JSON object"),
            ("payments", b'{"item": "a", "assignment": "a-AX"}\n', "lacks 'cents'"),
            ("labels", b'{"item"', "line 1 is not JSON"),
        ],
    )
    def test_a_damaged_ledger_is_a_problem_and_the_others_are_read(
        self, desk: PaperDesk, kind: str, body: bytes, says: str
    ) -> None:
        good, bad = desk.run(["a"]), desk.run(["a"])
        for run in (good, bad):
            work(run, {"a": [("AX", "setosa", 1, 2)]})
        bad.store.put(bad.ledger.key(kind, "damaged"), body)
        found, problems = pull(good)
        assert found[MARCH]["run"].unique().tolist() == [good.run_id]
        [problem] = problems
        assert (problem.kind, problem.source, problem.day) == ("unreadable ledger", "ledger", None)
        assert says in problem.example

    def test_a_clock_that_went_backwards(self, desk: PaperDesk) -> None:
        run = desk.run(["a"])
        work(run, {"a": [("AX", "setosa", 3, 2), ("AY", "setosa", 1, 2)]})
        found, problems = pull(run)
        assert problems == []
        assert [row["seconds"] for row in rows_of(found[MARCH]).values()] == [None, 60.0]
        assert [(each.kind, each.count, each.day) for each in ledgers.backwards(MARCH, found[MARCH])] == [
            ("handed in before it was accepted", 1, MARCH)
        ]
        assert ledgers.backwards(MARCH, found[MARCH][found[MARCH]["task"] == "a-AY"]) == []

    def test_one_batch_in_two_files(self, desk: PaperDesk) -> None:
        run = desk.run(["a"])
        work(run, {"a": [("AX", "setosa", 1, 2)]})
        found = ledgers.pull([run.live, run.live], [MARCH], ROME)
        [problem] = found.problems
        assert (len(found.rows[MARCH]), problem.kind) == (2, "two batch files of one name")

    def test_an_unknown_connection(self, desk: PaperDesk) -> None:
        run = desk.run(["a"])
        lost = Batch.parse(
            run.live.file.read_text().replace("aws: aws_default", "aws: nowhere"), run.live.file
        )
        found = ledgers.pull([lost], [MARCH], ROME)
        [problem] = found.problems
        assert (len(found.rows[MARCH]), problem.kind) == (0, "unreadable ledgers")

    def test_what_may_heal_is_raised(self, desk: PaperDesk) -> None:
        class Down(FolderStore):
            def keys(self, prefix: str) -> Any:
                raise ConnectionError("the store does not answer")

        run = desk.run(["a"])
        desk.keep_in(Down(desk.folder / "store"))
        with pytest.raises(ConnectionError):
            pull(run)


def test_the_order_of_parts_does_not_matter(desk: PaperDesk) -> None:
    script = {item: [("AX", "setosa", 1, 2), ("AY", "virginica", 1, 2)] for item in "abcd"}
    one, other = desk.run([*"abcd"]), desk.run([*"abcd"])
    work(one, script)
    work(other, dict(reversed(script.items())))
    frames = []
    for run in (one, other):
        frame = pull(run)[0][MARCH]
        frames.append(frame[frame["run"] == run.run_id].drop(columns="run").reset_index(drop=True))
    assert_frame_equal(*frames)


@pytest.mark.parametrize(
    ("label", "row", "expected"),
    [
        ("x", {"label": "x", "provenance": "gold"}, 1.0),
        ("y", {"label": "x", "provenance": "expert", "posterior": {}}, 0.0),
        ("x", {"label": "x", "provenance": "crowd", "posterior": {}}, None),
        ("y", {"label": "x", "provenance": "crowd", "posterior": {"x": 0.9, "y": 0.06}}, 0.06),
        ("z", {"label": "x", "provenance": "crowd", "posterior": {"x": 0.9, "y": 0.06}}, pytest.approx(0.02)),
        ("z", {"label": "x", "provenance": "crowd", "posterior": {"x": 0.6, "y": 0.001}}, 0.001),
        ("z", {"label": "x", "provenance": "crowd", "posterior": {"x": 0.7, "y": 0.3001}}, 0.0),
    ],
)
def test_how_likely_a_label_is_right(label: str, row: dict[str, Any], expected: float | None) -> None:
    assert how_right(label, row, labels=4) == expected
