"""A rejection taken back: the worker is paid once, and the run and its books know."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws import compensating, reconciling
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from tests.groundswell.aws.desk import Desk
from tests.groundswell.aws.test_compensating import case, dying, earned, pay, plan, worked

pytestmark = pytest.mark.contract

__all__ = ["case"]


class TestUndo:
    def rejected(self, desk: Desk, case: dict[str, Any]) -> LabelingRun:
        """A run with a rejected answer of the worker; the case asks to undo it."""
        run = desk.run(["a"], review={"feedback": "It contradicts the other workers."})
        spend.plan(run)
        desk.publish(run)
        hit = run.ledger.fold().hits["a"]["hit"]
        assignment = desk.market.workers.accept(case["worker_id"], hit).assignment_id
        desk.market.workers.submit(assignment, [("note", "no label")], worker_id=case["worker_id"])
        desk.answer(run, {"a": ["setosa", "setosa"]})
        desk.collect(run)
        run.mturk.reject(assignment, "It contradicts the other workers.")
        row = {"assignment": assignment, "item": "a", "worker": case["worker_id"], "at": "2026-01-01"}
        run.ledger.append("rejections", [row])
        case |= {"amount": "", "assignment": assignment, "undo_rejection": True}
        return run

    def test_the_worker_is_paid_and_the_run_knows(self, desk: Desk, case: dict[str, Any]) -> None:
        run = self.rejected(desk, case)
        planned = plan(desk, case)
        assert (planned["mode"], planned["cents"], planned["fee_cents"]) == ("undo_rejection", 5, 1)
        spent = run.ledger.fold().spent_cents
        for _ in range(2):
            pay(desk, case, planned)
            assert earned(desk, case["worker_id"]) == 5
            assert run.ledger.fold().spent_cents == spent + 6
        assert run.ledger.fold().rejected_of("a") == 0
        assert desk._mturk.assignment(case["assignment"])["AssignmentStatus"] == "Approved"  # type: ignore[index]
        assert plan(desk, case)["done"]
        bonus = case | {"case": f"{case['case']}-2", "amount": "1.00", "undo_rejection": False}
        said = f"A rejection was taken back for this worker: $0.06, case `{case['case']}`"
        assert said in plan(desk, bonus)["text"]

    def test_killed_after_any_effect(self, desk: Desk, case: dict[str, Any]) -> None:
        self.rejected(desk, case)
        effects = dying(desk, case, 0).effects
        for number in range(1, effects + 1):
            case["case"] = f"case-{uuid.uuid4().hex[:8]}"
            run = self.rejected(desk, case)
            had = earned(desk, case["worker_id"])
            dying(desk, case, number)
            pay(desk, case)
            assert earned(desk, case["worker_id"]) == had + 5, f"effect {number}"
            assert run.ledger.fold().payments[case["assignment"]]["cents"] == 6

    def test_too_late_gives_the_reward_as_a_bonus(self, desk: Desk, case: dict[str, Any]) -> None:
        run = self.rejected(desk, case)
        there = desk._mturk.assignment(case["assignment"])
        assert there is not None
        long_ago = there | {"SubmitTime": datetime.now(UTC) - timedelta(days=31)}
        desk.monkeypatch.setattr(run.mturk, "assignment", lambda _: long_ago)
        planned = plan(desk, case)
        assert (planned["mode"], planned["cents"], planned["fee_cents"]) == ("bonus", 5, 1)
        assert "The rejection itself stays" in planned["text"]
        pay(desk, case, planned)
        assert earned(desk, case["worker_id"]) == 5

    def test_too_late_by_the_time_that_somebody_approves_it(
        self, desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The case is fixed: it would fail for good, and the janitor would stay red."""
        run = self.rejected(desk, case)
        planned = plan(desk, case)
        assert planned["mode"] == "undo_rejection"
        spent = run.ledger.fold().spent_cents
        monkeypatch.setattr(compensating, "OVERRIDE_TIME", timedelta())
        for _ in range(2):
            pay(desk, case, planned)
            assert earned(desk, case["worker_id"]) == 5
        assert plan(desk, case)["done"]
        assert run.ledger.fold().spent_cents == spent, "the bonus is in the record of the case"
        assert len(desk._mturk.bonuses(assignment_id=case["assignment"])) == 1

    def test_killed_after_any_effect_of_what_came_too_late(
        self, desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        number = had = 0
        while True:  # the first time it is not killed, and then later and later, from where it pays
            case["case"] = f"case-{uuid.uuid4().hex[:8]}"
            self.rejected(desk, case)
            planned = plan(desk, case)
            with monkeypatch.context() as patch:
                patch.setattr(compensating, "OVERRIDE_TIME", timedelta())
                effects = dying(desk, case, number, planned).effects
                assert pay(desk, case, planned)["mode"] == "undo_rejection"
            had += 5
            assert earned(desk, case["worker_id"]) == had, f"effect {number}"
            [bonus] = desk._mturk.bonuses(assignment_id=case["assignment"])
            assert bonus["BonusAmount"] == "0.05"
            if number and effects < number:
                break
            number = number + 1 if number else effects - 2
        assert effects > 3

    def test_the_books_know_what_came_too_late(
        self, desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = self.rejected(desk, case)
        planned = plan(desk, case)
        monkeypatch.setattr(compensating, "OVERRIDE_TIME", timedelta())
        monkeypatch.setattr(reconciling, "SETTLE", ())
        pay(desk, case, planned)
        found = reconciling.reconcile(desk.again(run))
        assert found.rows == []
        assert not any("not compared" in note for note in found.notes)

    def test_a_make_up_hit_for_what_stays_rejected_says_so(
        self, desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.rejected(desk, case)
        monkeypatch.setattr(compensating, "OVERRIDE_TIME", timedelta())
        monkeypatch.setattr(compensating, "BONUS_TIME", timedelta())
        planned = plan(desk, case)
        assert planned["mode"] == "make_up"
        assert "The rejection itself stays" in planned["text"]
        assert "as a make-up HIT" in planned["text"]

    def test_what_is_not_rejected_cannot_be_undone(self, desk: Desk, case: dict[str, Any]) -> None:
        _, assignment = worked(desk, case["worker_id"])
        undo = case | {"assignment": assignment, "undo_rejection": True}
        with pytest.raises(AirflowFailException, match=f"{assignment} is Approved, not Rejected"):
            plan(desk, undo)
        with pytest.raises(AirflowFailException, match="is none that worker"):
            plan(desk, undo | {"assignment": "3NOSUCHASSIGNMENT"})

    def test_work_for_another_batch_is_none_of_this_one(self, desk: Desk, case: dict[str, Any]) -> None:
        run = self.rejected(desk, case)
        for part in (desk.folder / "store" / "iris" / run.run_id / "answers").iterdir():
            part.unlink()  # the worker's assignment is there, and no run of this batch knows it
        with pytest.raises(AirflowFailException, match="is none that worker"):
            plan(desk, case)
