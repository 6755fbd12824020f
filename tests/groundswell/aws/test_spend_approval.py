"""approve_spend: who is asked, what is reserved then, and that nothing is published without it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from dags import labeling
from groundswell.aws.operators.approval import SpendApprovalOperator
from groundswell.aws.operators.mturk import MTurkPublishHitsOperator
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import months
from tests.groundswell.aws.desk import Desk, operator
from tests.groundswell.aws.workbench import this_month

pytestmark = pytest.mark.contract

TIGHT = {"budget": "45.00", "approve_above": "45.00", "monthly_budget": "1.00"}
ADA = {"id": "1", "name": "ada"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a person was asked."""
    questions: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
        lambda **named: questions.append(named),
    )
    return questions


class TaskInstance:
    id = "0198"


def context() -> Any:
    return {"task_instance": TaskInstance(), "ti": TaskInstance()}


def answer(option: str, user: Any = ADA) -> dict[str, Any]:
    """What Airflow hands to a task that was asked about."""
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime.now(UTC),
        "responded_by_user": user,
    }


def planned(desk: Desk, *items: str, **changes: Any) -> tuple[LabelingRun, dict[str, Any]]:
    """Load the items of a run and plan it."""
    path = desk.batch_file(items, **changes)
    run_id = f"run-{len(items)}-{desk.folder.name}"  # the server outlives the test, its state does not
    shards = desk.load(path, run_id, relabel=True)
    plan: dict[str, Any] = labeling.plan_spend.function(str(path), shards, run_id=run_id)
    return LabelingRun(str(path), run_id), plan


def approval(run: LabelingRun, plan: dict[str, Any]) -> SpendApprovalOperator:
    return SpendApprovalOperator(
        task_id="approve",
        batch_path=run.batch_path,
        plan=plan,
        run_id=run.run_id,
        subject="Approve",
        body="the text",
        retries=0,
    )


def publish(run: LabelingRun) -> Any:
    return operator(MTurkPublishHitsOperator, run.batch_path, run.run_id, shard=0).execute({})


def held(run: LabelingRun) -> int | None:
    return months.read(run.store, run.live.name, this_month()).held_by(run.run_id)


def test_nobody_is_asked_below_the_threshold_and_the_worst_case_is_reserved(
    desk: Desk, asked: list[Any]
) -> None:
    run, plan = planned(desk, "a", "b")
    result = approval(run, plan).execute(context())
    assert result["chosen_options"] == ["Approve"]
    assert asked == []
    assert held(run) == plan["worst_cents"] == 60
    [row] = run.ledger.fold().approvals
    assert (row["what"], row["by"], row["limit_cents"], row["text"]) == (
        *("spend", "automatic", None, plan["text"]),
    )
    assert publish(run)["hits"] == 2


def test_somebody_is_asked_above_it_and_named(desk: Desk, asked: list[Any]) -> None:
    run, plan = planned(desk, "a", spend={"budget": "45.00", "approve_above": "0.00"})
    one = approval(run, plan)
    assert {"plan", "subject", "body", "batch_path", "run_id"} <= set(one.template_fields)
    with pytest.raises(TaskAwaitingInput):
        one.execute(context())
    assert asked[0]["options"] == ["Approve", "Reject"]
    assert held(run) is None, "nothing is reserved before the answer"
    approval(run, plan).execute_complete(context(), answer("Approve"))
    assert held(run) == 30
    assert [row["by"] for row in run.ledger.fold().approvals] == ["ada"]
    approval(run, plan).execute(context())
    assert len(asked) == 1, "this very plan was approved"
    assert len(run.ledger.fold().approvals) == 1


@pytest.mark.parametrize("user", [None, {"id": "7", "name": ""}])
def test_a_person_without_a_name(desk: Desk, user: Any) -> None:
    run, plan = planned(desk, "a", spend={"budget": "45.00", "approve_above": "0.00"})
    approval(run, plan).execute_complete(context(), answer("Approve", user))
    [row] = run.ledger.fold().approvals
    assert row["by"] == ("7" if user else "a person whom Airflow does not name")


def test_what_is_rejected_is_not_reserved_and_cannot_be_published(desk: Desk) -> None:
    run, plan = planned(desk, "a", spend={"budget": "45.00", "approve_above": "0.00"})
    approval(run, plan).execute_complete(context(), answer("Reject"))
    assert held(run) is None
    message = _refused(run)
    assert "has reserved nothing" in message
    assert message.endswith("clear approve_spend")


def _refused(run: LabelingRun) -> str:
    with pytest.raises(AirflowFailException) as caught:
        publish(run)
    assert run.ledger.fold().hits == {}
    return str(caught.value)


def test_a_budget_below_the_first_answers_may_be_passed_by_a_person(desk: Desk) -> None:
    run, plan = planned(desk, "a", "b", spend={"budget": "0.20", "approve_above": "9.00"})
    assert plan["approval"] is True
    assert "spend.budget: $0.20 is below the $0.24 that the first answers cost" in plan["text"]
    approval(run, plan).execute_complete(context(), answer("Approve"))
    assert run.ledger.fold().approved_cents == 24
    assert held(run) == 24
    assert publish(run)["hits"] == 2


class TestMonth:
    def test_a_run_for_which_the_month_has_no_room_asks(self, desk: Desk) -> None:
        first, plan = planned(desk, "a", "b", spend=TIGHT)
        approval(first, plan).execute(context())
        second, plan = planned(desk, "c", "d", "e", spend=TIGHT)
        assert plan["approval"] is True
        assert plan["text"].endswith(
            f"spend.monthly_budget: of the $1.00 of {this_month()}, other runs have spent $0.00, "
            f"$0.60 is held by `{first.run_id}` $0.60; this run needs up to $0.90, which is $0.50 "
            "too much: approving lets the month pass its budget by that"
        )
        approval(second, plan).execute_complete(context(), answer("Approve"))
        assert months.read(second.store, "iris", this_month()).held_cents == 150

    def test_one_that_filled_up_since_the_plan_is_told(self, desk: Desk) -> None:
        first, plan = planned(desk, "a", "b", spend=TIGHT)
        second, other = planned(desk, "c", "d", "e", spend=TIGHT)
        assert other["approval"] is False
        approval(first, plan).execute(context())
        with pytest.raises(AirflowFailException) as caught:
            approval(second, other).execute(context())
        assert str(caught.value) == (
            f"spend.monthly_budget: of the $1.00 of {this_month()}, other runs have spent $0.00, "
            f"$0.60 is held by `{first.run_id}` $0.60: $0.90 for run {second.run_id} does not fit: "
            "it has filled up since the spend was planned; clear plan_spend"
        )
        assert run_is_unreserved(second)

    def test_more_than_was_approved_is_asked_again(self, desk: Desk) -> None:
        first, plan = planned(desk, "a", "b", spend=TIGHT)
        approval(first, plan).execute(context())
        second, over = planned(desk, "c", "d", "e", spend=TIGHT)
        months.hold(second.store, "iris", this_month(), "third", 10, limit_cents=None)
        with pytest.raises(AirflowFailException, match=r"clear plan_spend$"):
            approval(second, over).execute_complete(context(), answer("Approve"))
        assert run_is_unreserved(second)


def run_is_unreserved(run: LabelingRun) -> bool:
    return held(run) is None and not run.ledger.fold().approvals


class TestPublishing:
    def test_without_an_approval(self, desk: Desk) -> None:
        run, plan = planned(desk, "a")
        months.hold(run.store, "iris", plan["month"], run.run_id, 30, limit_cents=None)
        assert "its approval, or the month's book, is missing" in _refused(run)

    def test_without_the_months_book(self, desk: Desk) -> None:
        run, plan = planned(desk, "a")
        approval(run, plan).execute(context())
        for key in run.store.keys("_months/"):
            (desk.folder / "store" / key).unlink()
        assert _refused(run).endswith("clear approve_spend")
        approval(run, plan).execute(context())
        assert publish(run)["hits"] == 1

    def test_what_was_given_back_is_taken_again(self, desk: Desk) -> None:
        run, plan = planned(desk, "a", "b")
        approval(run, plan).execute(context())
        months.hold(run.store, "iris", this_month(), run.run_id, 0, limit_cents=None)
        publish(run)
        assert held(run) == 24, "the first answers"

    def test_not_where_the_month_is_full_now(self, desk: Desk) -> None:
        run, plan = planned(desk, "a", "b", spend=TIGHT)
        approval(run, plan).execute(context())
        months.hold(run.store, "iris", this_month(), run.run_id, 0, limit_cents=None)
        months.hold(run.store, "iris", this_month(), "another", 90, limit_cents=100)
        assert _refused(run).endswith("which the month does not leave; clear plan_spend")

    def test_not_where_the_budget_was_lowered_since(self, desk: Desk) -> None:
        run, plan = planned(desk, "a", "b")
        approval(run, plan).execute(context())
        path = Path(run.batch_path)
        path.write_text(path.read_text().replace("budget: '45.00'", "budget: '0.20'"))
        lowered = LabelingRun(run.batch_path, run.run_id)
        assert lowered.batch.spend.budget_cents == 20
        assert "needs $0.24 for its first answers and may spend $0.20" in _refused(lowered)
