"""What a run learns about its workers is kept for later runs, and counts less from run to run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groundswell.aws import skill
from groundswell.aws.runs import LabelingRun
from groundswell.aws.skill import DISCOUNT, MOST, EarlierSkill
from groundswell.aws.steps.labels import consolidate
from groundswell.consolidation.data import Answers
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import PaperDesk, document_of, rows_of

LABELS = ("setosa", "versicolor", "virginica")
#: The first three workers agree; the fourth says otherwise.
THREE_TO_ONE = ["setosa", "setosa", "setosa", "virginica"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperDesk:
    return PaperDesk(tmp_path, monkeypatch)


def run_of(desk: PaperDesk, month: int, answers: dict[str, list[Any]], **batch: Any) -> LabelingRun:
    """A run that began in a month, consolidated."""
    batch = {"consolidation": {"method": "majority"}} | batch
    run = desk.start(desk.batch_file(list(answers), **batch), relabel=True)
    record(run, answers, at=f"2026-{month:02}-01T00:00:00+00:00")
    consolidate(run)
    return run


def read(run: LabelingRun) -> EarlierSkill | None:
    return EarlierSkill.read(run, run.ledger.fold())


def answers_by(*workers: str) -> Answers:
    return Answers.from_rows([("x", worker, "setosa") for worker in workers], labels=LABELS)


def test_a_later_run_reads_what_an_earlier_one_learnt(desk: PaperDesk) -> None:
    first = run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    second = run_of(desk, 2, {"e": ["setosa"]})
    assert read(first) is None, "nothing was before it"
    found = read(second)
    assert found is not None
    assert found.runs == (first.run_id,)
    assert found.workers["AWORKER0"]["right"] == pytest.approx(4 * DISCOUNT)
    assert found.workers["AWORKER3"] == {
        "right": 0.0,
        "wrong": pytest.approx(4 * DISCOUNT),
        "confusion": {"setosa": {"virginica": pytest.approx(4 * DISCOUNT)}},
    }
    assert document_of(second)["earlier_runs"] == [first.run_id]


def test_as_the_methods_take_it(desk: PaperDesk) -> None:
    run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    second = run_of(desk, 2, {"e": ["setosa"]})
    found = read(second)
    assert found is not None
    earlier = found.of(answers_by("AWORKER0", "AWORKER3", "NEW"))
    assert earlier.right.tolist() == [2.0, 0.0, 0.0]
    assert earlier.wrong.tolist() == [0.0, 2.0, 0.0]
    assert earlier.confusion is not None
    assert earlier.confusion[1].tolist() == [[0, 0, 2], [0, 0, 0], [0, 0, 0]]
    np.testing.assert_allclose(earlier.confusion.sum(axis=(1, 2)), earlier.right + earlier.wrong)


def test_older_runs_count_less_and_all_of_them_little(desk: PaperDesk) -> None:
    many = {f"i{number}": ["setosa", "setosa"] for number in range(60)}
    for month in (1, 2, 3):
        run_of(desk, month, many)
    last = run_of(desk, 4, {"x": ["setosa"]})
    found = read(last)
    assert found is not None
    assert found.workers["AWORKER0"]["right"] == pytest.approx(60 * (0.5 + 0.25 + 0.125))
    assert found.of(answers_by("AWORKER0")).right.tolist() == [pytest.approx(MOST)]


def test_consolidated_again_a_run_learns_nothing_from_later_ones_or_itself(desk: PaperDesk) -> None:
    first = run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    key = f"_skill/iris/{first.run_id}.json"
    before = first.store.get(key), rows_of(first)
    run_of(desk, 2, {item: THREE_TO_ONE[::-1] for item in "abcd"})
    consolidate(desk.again(first))
    assert (first.store.get(key), rows_of(first)) == before


def test_a_batch_may_do_without(desk: PaperDesk) -> None:
    run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    without = {"method": "majority", "earlier_skill": False}
    assert read(run_of(desk, 2, {"e": ["setosa"]}, consolidation=without)) is None


def test_what_nobody_else_answered_teaches_nothing_unless_it_is_known(desk: PaperDesk) -> None:
    alone = run_of(desk, 1, {"a": ["setosa"]})
    assert alone.store.get(f"_skill/iris/{alone.run_id}.json") is None
    (desk.folder / "gold.csv").write_text("item,label\na,virginica\n")
    gold = {"method": "majority", "gold": str(desk.folder / "gold.csv")}
    known = run_of(desk, 2, {"a": ["setosa"]}, consolidation=gold)
    document = json.loads(known.store.get(f"_skill/iris/{known.run_id}.json") or b"")
    assert document["workers"]["AWORKER0"] == {
        "right": 0.0,
        "wrong": 1.0,
        "confusion": {"virginica": {"setosa": 1.0}},
    }


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"run_id": "x"}'])
def test_a_damaged_document_is_passed_over(desk: PaperDesk, damage: bytes) -> None:
    first = run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    first.store.put("_skill/iris/another.json", damage)
    found = read(run_of(desk, 2, {"e": ["setosa"]}))
    assert found is not None
    assert found.runs == (first.run_id,)


def test_labels_that_the_batch_has_no_longer_are_left_out(desk: PaperDesk) -> None:
    run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    second = run_of(desk, 2, {"e": ["setosa"]}, task__labels=["setosa", "versicolor"])
    found = read(second)
    assert found is not None
    earlier = found.of(Answers.from_rows([("x", "AWORKER3", "setosa")], labels=["setosa", "versicolor"]))
    assert earlier.confusion is not None
    assert earlier.confusion.sum() == 0
    assert earlier.wrong.tolist() == [2.0]


def test_with_many_labels_it_is_only_kept_how_often_a_worker_is_right(
    desk: PaperDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skill, "FEW_LABELS", 2)
    run_of(desk, 1, {item: THREE_TO_ONE for item in "abcd"})
    found = read(run_of(desk, 2, {"e": ["setosa"]}))
    assert found is not None
    assert found.workers["AWORKER3"] == {"right": 0.0, "wrong": 2.0, "confusion": {}}
    assert found.of(answers_by("AWORKER3")).confusion is None


def test_who_was_right_before_is_believed_now(desk: PaperDesk) -> None:
    by_model = {"consolidation": {"method": "dawid_skene"}}
    run_of(desk, 1, {f"i{number}": THREE_TO_ONE for number in range(12)}, **by_model)
    # AWORKER0 against AWORKER3, who was always wrong
    [row] = rows_of(run_of(desk, 2, {"e": ["setosa", None, None, "virginica"]}, **by_model)).values()
    assert row["label"] == "setosa"
    assert row["posterior"]["setosa"] > 0.7
    ignored = {"consolidation": {"method": "dawid_skene", "earlier_skill": False}}
    run = run_of(desk, 3, {"e": ["setosa", None, None, "virginica"]}, **ignored)
    assert rows_of(run) == {}, "without it, it is one against one"
