"""What the crowd does not agree on goes to experts, and comes back as labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import all_labels, consolidate, write_dataset
from groundswell.ledger.claims import all_held, taken_by_others
from groundswell.ledger.shards import read_items
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import PaperDesk, document_of, rows_of

ASKED = {"rule": "agree", "agree": 2, "first": 2, "most": 4, "experts": True}
SPLIT = ["setosa", "virginica", "setosa", "virginica"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaperDesk:
    return PaperDesk(tmp_path, monkeypatch)


def given_up(desk: PaperDesk, *, at: str = "2026-01-01T00:00:00+00:00", **batch: Any) -> LabelingRun:
    """A run that labelled `good` and gave up `split`; consolidated."""
    run = desk.run(["good", "split"], **{"redundancy": ASKED} | batch)
    record(run, {"good": ["virginica"] * 2}, at=at)
    record(run, {"split": SPLIT}, at=at, outcome="gave_up")
    consolidate(run)
    return run


def queue(desk: PaperDesk, run: LabelingRun) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(desk.read(document_of(run)["queue_uri"]))))


def hand_back(desk: PaperDesk, run: LabelingRun, text: str) -> None:
    path = desk.path(f"s3://bucket/experts/{run.batch.name}/answers.csv")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def later_run(desk: PaperDesk, *items: str, relabel: bool = False, **batch: Any) -> LabelingRun:
    return desk.start(desk.batch_file(items, **{"redundancy": ASKED} | batch), relabel=relabel)


def test_the_queue_tells_experts_what_they_need(desk: PaperDesk) -> None:
    run = given_up(desk, consolidation={"method": "majority"})
    document = document_of(run)
    assert document["queue_uri"] == "s3://bucket/experts/iris/queue.csv"
    assert (document["queued"], document["waiting_for_experts"], document["unlabelled"]) == (1, 1, 1)
    [row] = queue(desk, run)
    expected = {
        "item": "split",
        "best_label": "",
        "score": "0.000",
        "answers": "setosa: 2, virginica: 2",
        "why": "workers did not agree",
        "run": run.run_id,
        "sepal_length": "5.1",
        "image": "flower-a.svg",
    }
    assert expected.items() <= row.items()
    assert list(rows_of(run)) == ["good"]


def test_without_experts_nothing_waits(desk: PaperDesk) -> None:
    run = given_up(desk, redundancy={**ASKED, "experts": False})
    assert (document_of(run)["queue_uri"], document_of(run)["queued"]) == (None, 0)
    assert list(read_items(later_run(desk, "good", "split").ledger)) == ["split"]


@pytest.mark.parametrize("outcome", ["budget", "expired", "lost"])
def test_what_ended_otherwise_is_for_the_crowd(desk: PaperDesk, outcome: str) -> None:
    run = desk.run(["a"], redundancy=ASKED)
    record(run, {"a": ["setosa", "virginica"]}, outcome=outcome)
    consolidate(run)
    assert document_of(run)["queued"] == 0
    assert list(read_items(later_run(desk, "a").ledger)) == ["a"]


def test_a_tie_of_the_method_goes_to_the_experts(desk: PaperDesk) -> None:
    fixed = {"rule": "fixed", "first": 2, "experts": True}
    run = desk.run(["tie", "clear"], redundancy=fixed, consolidation={"method": "majority"})
    record(run, {"tie": ["setosa", "virginica"], "clear": ["setosa", "setosa"]})
    assert consolidate(run) | {"labels_uri": ""} == {
        "labels_uri": "",
        "labelled": 1,
        "unlabelled": 1,
        "queued": 1,
    }
    assert [(row["item"], row["why"]) for row in queue(desk, run)] == [("tie", "tie")]


def test_later_runs_do_not_ask_about_what_waits_unless_told_to(desk: PaperDesk) -> None:
    given_up(desk)
    assert list(read_items(later_run(desk, "good", "split", "new").ledger)) == ["new"]
    assert sorted(read_items(later_run(desk, "good", "split", relabel=True).ledger)) == ["good", "split"]


def test_a_run_holds_no_claim_on_what_waits(desk: PaperDesk) -> None:
    """Or its run would look unfinished for ever: to the janitor, and to who stops spending."""
    run = given_up(desk)
    assert "split" not in all_held(run.store, run.batch.name)[run.run_id]
    assert "split" not in taken_by_others(run.store, run.batch.name, "another", now="2026-01-01")


def test_what_experts_hand_back_is_a_label_and_known_from_then_on(desk: PaperDesk) -> None:
    run = given_up(desk)
    hand_back(desk, run, "item,label,by\nsplit,versicolor,Ada\n")
    later = later_run(desk, "good", "split", "new")
    record(later, {"new": ["setosa"] * 2}, at="2026-02-01T00:00:00+00:00")
    consolidate(later)
    assert desk.labels_of(later) == {"good": "virginica", "new": "setosa", "split": "versicolor"}
    [row] = [row for row in all_labels(later) if row["item"] == "split"]
    assert (row["provenance"], row["method"], row["by"]) == ("expert", "expert", "Ada")
    assert (row["confidence"], row["cents"], row["n_answers"]) == (1.0, 24, 4)
    assert (row["run_id"], row["outcome"]) == (run.run_id, "gave_up")
    assert queue(desk, later) == []
    written = write_dataset(later)
    assert written["train_items"] == 3
    assert desk.read(written["manifest_uri"]).count("versicolor") == 1
    assert sorted(read_items(later_run(desk, "good", "split", "newer").ledger)) == ["newer"]


def test_the_run_itself_takes_them_when_it_is_consolidated_again(desk: PaperDesk) -> None:
    run = given_up(desk)
    hand_back(desk, run, "item,label,by\nsplit,versicolor,Ada\n")
    for _ in range(2):
        result = consolidate(desk.again(run))
        assert (result["labelled"], result["unlabelled"], result["queued"]) == (2, 0, 0)
        assert document_of(run)["labelled_by"] == {"crowd": 1, "gold": 0, "expert": 1}
    assert rows_of(run)["split"]["label"] == "versicolor"
    log = list(run.store.keys("_experts/iris/answers/"))
    assert len(log) == 1, "what was taken is not taken twice"


def test_taken_answers_stay_when_the_file_goes_and_a_later_word_counts(desk: PaperDesk) -> None:
    run = given_up(desk)
    hand_back(desk, run, "item,label,by\nsplit,versicolor,Ada\n")
    consolidate(desk.again(run))
    hand_back(desk, run, "item,label,by\n")
    consolidate(desk.again(run))
    assert desk.labels_of(run)["split"] == "versicolor"
    hand_back(desk, run, "item,label,by\nsplit,setosa,Grace\n")
    consolidate(desk.again(run))
    assert desk.labels_of(run)["split"] == "setosa"


def test_an_experts_word_counts_more_than_workers_and_teaches_about_them(desk: PaperDesk) -> None:
    run = desk.run(["a", "b"], redundancy=ASKED, consolidation={"method": "majority"})
    record(run, {"a": ["setosa"] * 2, "b": ["setosa"] * 2})
    consolidate(run)
    before = {each["worker"]: each["skill"] for each in document_of(run)["workers"]}
    hand_back(desk, run, "item,label,by\na,virginica,Ada\n")
    consolidate(desk.again(run))
    assert desk.labels_of(run) == {"a": "virginica", "b": "setosa"}
    after = {each["worker"]: each["skill"] for each in document_of(run)["workers"]}
    assert all(after[worker] < before[worker] for worker in before)


def test_rows_that_cannot_be_used_are_told_and_keep_no_other_from_counting(desk: PaperDesk) -> None:
    run = given_up(desk)
    rows = [
        "split,versicolor,Ada",
        "split,setosa,Bob",
        "nobody,setosa,Ada",
        "good,rosa,Ada",
        "good",
        ",setosa,A",
    ]
    hand_back(desk, run, "\n".join(["item,label,by", *rows]) + "\n")
    consolidate(desk.again(run))
    assert desk.labels_of(run)["split"] == "versicolor"
    [finding] = [each for each in document_of(run)["findings"] if each["kind"] == "expert_answers_unusable"]
    assert finding["severity"] == "warning"
    assert finding["text"].startswith("5 rows that experts handed back are left out: ")
    for line, says in [
        (3, "'split' is 'setosa' here and 'versicolor' on line 2; keep one"),
        (4, "no run of the batch has an item 'nobody'; correct it"),
        (5, "'rosa' is not one of the labels; write one of 'setosa', 'versicolor', 'virginica'"),
        (6, "has 1 values, the header has 3"),
        (7, "the item is blank; name it"),
    ]:
        assert f"answers.csv: line {line}: {says}" in finding["text"]


def test_the_queue_is_safe_to_open_in_a_spreadsheet_and_comes_back_from_one(desk: PaperDesk) -> None:
    item = '=HYPERLINK("http://x")'
    path = desk.batch_file([], redundancy=ASKED)
    cell = '"=HYPERLINK(""http://x"")"'
    header = "id,sepal_length,sepal_width,petal_length,petal_width,image,score"
    (desk.folder / "items.csv").write_text(f"{header}\n{cell},1,1,1,1,flower-a.svg,+1+2\n")
    run = desk.start(path)
    record(run, {item: SPLIT}, outcome="gave_up")
    consolidate(run)
    [row] = queue(desk, run)
    assert (row["item"], row["values.score"]) == (f"'{item}", "'+1+2")
    doubled = row["item"].replace('"', '""')
    hand_back(desk, run, f'item,label\n"{doubled}",setosa\n')
    consolidate(desk.again(run))
    assert desk.labels_of(run) == {item: "setosa"}


def test_what_a_later_run_settles_no_longer_waits(desk: PaperDesk) -> None:
    given_up(desk)
    again = later_run(desk, "good", "split", relabel=True)
    record(again, {"good": ["virginica"] * 2, "split": ["setosa"] * 2}, at="2026-03-01T00:00:00+00:00")
    consolidate(again)
    assert desk.labels_of(again)["split"] == "setosa"
    assert (document_of(again)["waiting_for_experts"], queue(desk, again)) == (0, [])


def test_consolidated_with_another_method_it_may_need_no_expert(desk: PaperDesk) -> None:
    fixed = {"rule": "fixed", "first": 2, "experts": True}
    run = desk.run(["tie"], redundancy=fixed, consolidation={"method": "majority"})
    record(run, {"tie": ["setosa", "virginica"]})
    consolidate(run)
    assert len(queue(desk, run)) == 1
    run.ledger.append(
        "answers", [dict(run.ledger.fold().answers_of("tie")[0], assignment="third", worker="W")]
    )
    consolidate(desk.again(run))
    assert queue(desk, run) == []
    assert desk.labels_of(run) == {"tie": "setosa"}
