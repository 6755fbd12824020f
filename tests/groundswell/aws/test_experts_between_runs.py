"""What experts hand back reaches the dataset with the next run, though it asks nobody."""

from __future__ import annotations

import contextlib
import logging

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dags import labeling
from groundswell.aws.experts import has_new_answers
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate, has_something_to_label, write_dataset
from groundswell.ledger.shards import read_items
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import PaperDesk, document_of
from tests.groundswell.aws.test_expert_queue import desk, given_up, hand_back, later_run

__all__ = ["desk"]

ADA = "item,label,by\nsplit,versicolor,Ada\n"


def labelled(desk: PaperDesk) -> LabelingRun:
    run = given_up(desk)
    write_dataset(run)
    return run


def idle(desk: PaperDesk) -> LabelingRun:
    """A later run for which nothing is new."""
    run = later_run(desk, "good", "split")
    assert list(read_items(run.ledger)) == []
    return run


def through_the_dag(run: LabelingRun) -> int | None:
    """Run consolidate and write_dataset as the DAG does; return the items of the dataset, None if skipped."""
    with contextlib.suppress(AirflowSkipException):
        labeling.consolidate.function(run.batch_path, run_id=run.run_id)
        written = labeling.write_dataset.function(run.batch_path, run_id=run.run_id)
        return int(written["train_items"])
    return None


def test_a_run_with_nothing_new_takes_what_experts_said(desk: PaperDesk) -> None:
    run = labelled(desk)
    assert through_the_dag(idle(desk)) is None, "nothing came back yet"
    hand_back(desk, run, ADA)
    with pytest.raises(AirflowSkipException, match="nothing new to label"):
        labeling.plan_spend.function(run.batch_path, [], run_id="any")
    taking = idle(desk)
    assert through_the_dag(taking) == 2
    assert desk.labels_of(taking) == {"good": "virginica", "split": "versicolor"}
    document = document_of(taking)
    assert (document["items"], document["labelled"], document["waiting_for_experts"]) == (0, 0, 0)
    assert document["findings"] == []
    assert list(run.store.keys("_skill/iris/")) == [f"_skill/iris/{run.run_id}.json"], "it learnt nothing"
    assert through_the_dag(idle(desk)) is None, "once is enough"


def test_the_run_that_took_it_may_be_cleared(desk: PaperDesk) -> None:
    run = labelled(desk)
    hand_back(desk, run, ADA)
    taking = idle(desk)
    assert [through_the_dag(taking) for _ in range(2)] == [2, 2]


def test_what_was_taken_by_a_run_that_died_is_not_forgotten(desk: PaperDesk) -> None:
    run = labelled(desk)
    hand_back(desk, run, ADA)
    consolidate(desk.again(run))  # and no write_dataset
    assert not list(desk.path("s3://bucket/_experts/iris/written").glob("*"))
    assert through_the_dag(idle(desk)) == 2
    assert through_the_dag(idle(desk)) is None


def test_a_later_word_on_the_same_item_is_news(desk: PaperDesk) -> None:
    run = labelled(desk)
    hand_back(desk, run, ADA)
    assert through_the_dag(idle(desk)) == 2
    hand_back(desk, run, "item,label,by\nsplit,setosa,Grace\n")
    assert through_the_dag(idle(desk)) == 2
    assert desk.labels_of(run)["split"] == "setosa"


def test_a_run_that_asked_workers_takes_it_too_and_leaves_nothing_for_the_next(desk: PaperDesk) -> None:
    run = labelled(desk)
    hand_back(desk, run, ADA)
    more = later_run(desk, "good", "split", "new")
    hit = {"item": "new", "hit": "3A", "hit_type": "T", "seats": 2, "expires": "2026"}
    more.ledger.append("hits", [hit])
    record(more, {"new": ["setosa"] * 2}, at="2026-02-01T00:00:00+00:00")
    assert through_the_dag(more) == 3
    assert through_the_dag(later_run(desk, "good", "split", "new")) is None


def test_rows_that_cannot_be_used_are_told_and_are_no_news(
    desk: PaperDesk, caplog: pytest.LogCaptureFixture
) -> None:
    run = labelled(desk)
    hand_back(desk, run, "item,label,by\nnobody,setosa,Ada\n")
    with caplog.at_level(logging.WARNING):
        assert through_the_dag(idle(desk)) is None
    assert "no run of the batch has an item 'nobody'; correct it" in caplog.text
    hand_back(desk, run, "flower,label\n")
    with pytest.raises(AirflowFailException, match=r"answers\.csv: line 1: has no columns named 'item'"):
        through_the_dag(idle(desk))


def test_without_experts_the_file_is_nobodys(desk: PaperDesk) -> None:
    plain = {"rule": "agree", "agree": 2, "first": 2, "most": 4}
    run = desk.run(["good"], redundancy=plain)
    record(run, {"good": ["virginica"] * 2})
    consolidate(run)
    hand_back(desk, run, "item,label,by\ngood,setosa,Ada\n")
    assert through_the_dag(later_run(desk, "good", redundancy=plain)) is None


def test_a_run_whose_spend_was_not_approved_labels_nothing_and_keeps_its_items(desk: PaperDesk) -> None:
    run = labelled(desk)
    hand_back(desk, run, ADA)
    rejected = later_run(desk, "good", "split", "new")
    assert has_new_answers(rejected, ["good"])
    assert not has_something_to_label(rejected)
    assert through_the_dag(rejected) is None
    assert list(read_items(later_run(desk, "good", "split", "new").ledger)) == [], "the clean-up frees them"
