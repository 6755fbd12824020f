"""The summary of a run: what it says, and that it is written before it fails."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dags import labeling
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator
from groundswell.aws.runs import LabelingRun
from tests.groundswell.aws.desk import Desk, Pulled, operator

pytestmark = pytest.mark.contract

DEPLOYED = {"endpoint_name": "iris", "endpoint_config_name": "iris-config", "model_name": "iris-model"}
DONE = {
    f"clean_up.{name}": "success"
    for name in ("delete_hits", "delete_logs", "delete_endpoint", "delete_endpoint_config", "delete_model")
}
ANSWERS = (
    '<QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/'
)


def report(run: LabelingRun, results: dict[str, Any], states: dict[str, str | None]) -> dict[str, Any]:
    document: dict[str, Any] = labeling.report.function(
        run.batch_path, run_id=run.run_id, ti=Pulled(results, states)
    )
    return document


def written(desk: Desk, run: LabelingRun) -> dict[str, Any]:
    document = desk.again(run).ledger.get_document("summary.json")
    assert document is not None
    return document


def test_a_whole_run(desk: Desk) -> None:
    path = desk.batch_file(["a", "b"])
    run = desk.again(LabelingRun(str(path), desk.up_to_publishing(path)))
    script = {"a": ["setosa"] * 2, "b": ["setosa", "virginica", "virginica"]}
    while desk.answer(run, script):
        desk.collect(run)
    results = {
        "consolidate": labeling.consolidate.function(run.batch_path, run_id=run.run_id),
        "write_dataset": {
            "train_uri": "s3://b/train.csv",
            "test_uri": "s3://b/test.csv",
            "manifest_uri": "s3://b/m",
        },
        "train": {"training_job_name": "iris-1", "model_artifacts": "s3://b/model.tar.gz"},
        "deploy": DEPLOYED,
        "deploy.deployment": DEPLOYED,
        "evaluate": {"accuracy": 0.9, "predictions": [{"label": "setosa"}]},
        "clean_up.delete_hits": {"deleted": 2, "open": 0, "held": 0},
        "clean_up.delete_logs": {"log_streams": 3},
    }
    document = report(run, results, DONE)
    assert document == written(desk, run)
    expected = {
        "batch": "iris",
        "run_id": run.run_id,
        "items": 2,
        "answers": 5,
        "settled": 2,
        "extended": 1,
        "given_up": 0,
        "quarantined": 0,
        "spent_cents": 30,
        "plan": {"certain_cents": 24, "worst_cents": 60, "budget_cents": 4500},
        "train_uri": "s3://b/train.csv",
        "manifest_uri": "s3://b/m",
    }
    assert expected.items() <= document.items()
    assert document["labels_uri"] == results["consolidate"]["labels_uri"]
    consolidation = document["consolidation"]
    assert (consolidation["labelled"], consolidation["labelled_by"]["crowd"]) == (2, 2)
    assert (consolidation["method"], consolidation["confidence_is"]) == (
        run.batch.consolidation.method,
        "score",
    )
    assert isinstance(consolidation["findings"], list)
    assert document["model"] == {
        "training_job": "iris-1",
        "artifacts_uri": "s3://b/model.tar.gz",
        "accuracy": 0.9,
        "prediction": [{"label": "setosa"}],
    }
    assert document["cleaned"] == [
        "2 HITs",
        "endpoint iris",
        "endpoint configuration iris-config",
        "model iris-model",
        "3 log streams",
    ]


def test_a_run_that_failed_at_once(desk: Desk) -> None:
    run = LabelingRun(str(desk.batch_file(["a"])), "failed-early")
    document = report(run, {}, dict.fromkeys(DONE, "success"))
    assert (document["items"], document["spent_cents"], document["cleaned"]) == (0, 0, [])
    assert document["model"]["accuracy"] is None
    assert document["consolidation"] == {}


def test_what_people_and_programs_ask_of_a_run_that_is_over(desk: Desk) -> None:
    path = desk.batch_file(["a"])
    run = desk.again(LabelingRun(str(path), desk.up_to_publishing(path)))
    desk.answer(run, {"a": ["setosa"] * 2})
    desk.collect(run)
    assert report(run, {}, DONE).items() >= {"reconciled": None, "differences": None}.items()
    labeling.reconcile.function(run.batch_path, run_id=run.run_id)
    [first, second] = run.ledger.fold().answers_of("a")
    at = "2026-01-01T00:00:00+00:00"
    bonus = {"assignment": first["assignment"], "item": "a", "worker": "A", "cents": 10, "fee_cents": 2}
    run.ledger.append("bonuses", [bonus | {"token": "t", "reason": "good", "at": at}])
    said_yes = {"what": "overrun", "at": at, "by": "ann", "limit_cents": 500, "text": "…"}
    run.ledger.append("approvals", [said_yes])
    made = {"at": at, "state": "created"}
    run.ledger.append(
        "resources",
        [
            made | {"type": "training_job", "name": "iris-1"},
            made | {"type": "model", "name": "iris-model"},
            made | {"type": "endpoint_config", "name": "iris-config", "state": "intended"},
            made | {"type": "endpoint", "name": "iris", "state": "deleted"},
        ],
    )
    document = report(run, {}, DONE)
    assert document["bonuses"] == {"count": 1, "cents": 12}
    assert document["spent_cents"] == 24
    assert [each for each in document["approvals"] if each["what"] == "overrun"] == [
        {"what": "overrun", "at": at, "by": "ann", "limit_cents": 500}
    ]
    assert document["resources_left"] == ["endpoint config iris-config (perhaps)", "model iris-model"]
    assert (document["reconciled"], document["differences"], document["open"]) == (True, 0, 0)
    run.ledger.put_document("reconciliation.json", {"rows": [{}, {}]})
    run.ledger.append("rejections", [second | {"feedback": "no", "at": at}])
    document = report(run, {}, DONE)
    assert (document["reconciled"], document["differences"], document["rejected"]) == (False, 2, 0)


@pytest.mark.parametrize("state", ["failed", "upstream_failed"])
def test_an_incomplete_clean_up_is_a_failure_told_after_the_document_is_there(desk: Desk, state: str) -> None:
    run = desk.run(["a"])
    states = DONE | {"clean_up.delete_model": state, "clean_up.delete_endpoint_config": state}
    with pytest.raises(AirflowFailException) as caught:
        report(run, {"deploy": DEPLOYED, "deploy.deployment": DEPLOYED}, states)
    assert str(caught.value) == (
        "the clean-up is not complete: clean_up.delete_endpoint_config, clean_up.delete_model; "
        "see their logs, then clear them with this task"
    )
    assert written(desk, run)["cleaned"] == ["endpoint iris"]


def test_an_item_with_two_hits_is_told(desk: Desk) -> None:
    run = desk.run(["a"])
    row = {"item": "a", "hit_type": "3T", "seats": 2, "expires": "2026-01-01T00:00:00+00:00"}
    run.ledger.append("hits", [row | {"hit": "3ONE"}, row | {"hit": "3TWO"}])
    with pytest.raises(
        AirflowFailException, match="items with more than one HIT: 3TWO are extra; expire them"
    ):
        report(run, {}, DONE)
    assert written(desk, run)["items"] == 1


@pytest.mark.parametrize("state", ["skipped", "removed", None, "running"])
def test_what_was_not_needed_is_no_failure_and_not_called_cleaned(desk: Desk, state: str | None) -> None:
    run = desk.run(["a"])
    document = report(run, {"deploy": DEPLOYED, "deploy.deployment": DEPLOYED}, dict.fromkeys(DONE, state))
    assert document["cleaned"] == []


def free_text(field: str, text: str) -> str:
    return f"<Answer><QuestionIdentifier>{field}</QuestionIdentifier><FreeText>{text}</FreeText></Answer>"


def document_of(*fields: str) -> str:
    return f'{ANSWERS}QuestionFormAnswers.xsd">{"".join(fields)}</QuestionFormAnswers>'


UNREADABLE = {
    "outside the set": (document_of(free_text("label", "rosa")), "label: 'rosa' is not one of the labels"),
    "no label": (document_of(free_text("item", "a")), "label: is missing"),
    "empty label": (document_of(free_text("label", " ")), "label: is empty"),
    "no fields": (document_of(), "label: is missing"),
    "not XML": ("setosa", "the answer is not well-formed XML: "),
    "cut off": (document_of(free_text("label", "setosa"))[:-30], "the answer is not well-formed XML: "),
    "a DTD": (
        f"<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>{document_of(free_text('label', '&y;'))}",
        "the answer has a document type declaration, which is not allowed",
    ),
    "crowd form, not JSON": (document_of(free_text("taskAnswers", "[{")), "taskAnswers: is not JSON: "),
    "two labels": (
        document_of(free_text("taskAnswers", '[{"label": ["setosa", "x"]}]')),
        "label: has 2 labels",
    ),
    "line breaks of Unicode": (
        document_of(free_text("label", "rosa\u2028\u2029\x85canina")),
        "label: 'rosa\\u2028\\u2029\\x85canina' is not one of the labels",
    ),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_answer_that_cannot_be_read_is_paid_kept_reported_and_replaced(
    desk: Desk, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer, says = UNREADABLE[kind]
    path = desk.batch_file(["a"])
    run = desk.again(LabelingRun(str(path), desk.up_to_publishing(path)))
    desk.answer(run, {"a": ["setosa", "setosa", "setosa"]})
    [first, _] = desk.assignments(desk.hits_of(run, "a")[0])
    spoil(desk, first["AssignmentId"], answer)
    collect = operator(MTurkCollectAndExtendOperator, path, run.run_id, deferrable=False)
    desk.monkeypatch.setattr(
        "groundswell.aws.triggers.mturk.MTurkReviewableTrigger.wait_here",
        lambda _: desk.answer(run, {"a": ["setosa"] * 3}),
    )
    with caplog.at_level(logging.WARNING):
        progress = collect.execute({})
    assert (progress["quarantined"], progress["answers"], progress["settled"]) == (1, 3, 1)
    assert (progress["extended"], progress["spent_cents"]) == (1, 18), "paid, and another asked"
    row = run.ledger.fold().answers[first["AssignmentId"]]
    assert (row["label"], row["answer"]) == (None, answer)
    assert row["problem"].startswith(says)
    assert "\n" not in row["problem"]
    assert f"quarantined assignment {first['AssignmentId']} of 'a': {row['problem']}" in caplog.text
    kept = run.ledger.get_document("progress.json")
    assert kept is not None
    assert kept["quarantined"] == 1
    consolidated = labeling.consolidate.function(run.batch_path, run_id=run.run_id)
    assert consolidated["labelled"] == 1
    assert report(run, {"consolidate": consolidated}, DONE)["quarantined"] == 1
    [label] = [row for _, row in run.ledger.rows("labels")]
    assert (label["label"], label["n_answers"], label["cents"]) == ("setosa", 2, 18)
    assert json.dumps(label["answers"]).count("null") == 1


def spoil(desk: Desk, assignment: str, answer: str) -> None:
    """Let the workforce hand out another document than it made for an assignment."""
    listed = desk._mturk.conn.list_assignments_for_hit

    def hand_out(**request: Any) -> Any:
        page = listed(**request)
        for each in page["Assignments"]:
            if each["AssignmentId"] == assignment:
                each["Answer"] = answer
        return page

    desk.monkeypatch.setattr(desk._mturk.conn, "list_assignments_for_hit", hand_out)
