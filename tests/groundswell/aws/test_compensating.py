"""Paying one worker by a bonus, by a make-up HIT, or by undoing a rejection: once, on a real workforce."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from groundswell.aws.compensating import approver, opened
from groundswell.aws.runs import LabelingRun, all_ledgers
from groundswell.aws.sensors.make_up import MTurkHitSensor
from tests.groundswell.aws.desk import ACCOUNT, Desk
from tests.groundswell.aws.workbench import Killed, Killer, _MortalStore

pytestmark = pytest.mark.contract

Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def case(desk: Desk) -> dict[str, Any]:
    """The parameters of a case; its worker is known to the workforce and has done nothing for us."""
    worker = f"A{uuid.uuid4().hex[:13].upper()}"
    desk.market.workers.ensure_worker(worker)
    desk.batch_file(["a"])
    return {
        "batch": "iris",
        "worker_id": worker,
        "amount": "1.50",
        "reason": "The page broke before you could submit",
        "case": f"mail-{uuid.uuid4().hex[:8]}",
        "assignment": "",
        "undo_rejection": False,
    }


def plan(desk: Desk, case: dict[str, Any]) -> dict[str, Any]:
    with opened(desk.folder, case) as compensation:
        return compensation.plan()


def pay(desk: Desk, case: dict[str, Any], planned: dict[str, Any] | None = None) -> dict[str, Any]:
    with opened(desk.folder, case) as compensation:
        return compensation.pay(planned or compensation.plan(), "rita")


def settle(desk: Desk, case: dict[str, Any]) -> dict[str, Any]:
    with opened(desk.folder, case) as compensation:
        return compensation.settle()


def worked(desk: Desk, worker: str, label: str = "setosa") -> tuple[LabelingRun, str]:
    """A run in which the worker answered an item; return it and the assignment, which is paid."""
    run = desk.run(["a"])
    desk.publish(run)
    hit = run.ledger.fold().hits["a"]["hit"]
    assignment = desk.market.workers.accept(worker, hit).assignment_id
    desk.market.workers.submit(assignment, [("label", label)], worker_id=worker)
    desk.answer(run, {"a": ["setosa", "setosa"]})
    desk.collect(run)
    return run, assignment


def earned(desk: Desk, worker: str) -> int:
    """What the worker got so far, in cents."""
    return int(desk.market.workers.earnings(worker).paid_cents)


def dying(desk: Desk, case: dict[str, Any], at: int, planned: Any = None) -> Killer:
    """Plan and pay in a process that dies after its n-th effect of paying; 0: never."""
    killer = Killer(at, after=True)
    planned = planned or plan(desk, case)
    events = desk._mturk.conn.meta.events
    with opened(desk.folder, case) as compensation:
        compensation.run.__dict__["store"] = _MortalStore(compensation.run.store, killer)
        events.register("before-call.mturk", killer.before, unique_id="killer")
        events.register("after-call.mturk", killer.done, unique_id="killed")
        try:
            compensation.pay(planned, "rita")
        except Killed:
            assert at
        finally:
            events.unregister("before-call.mturk", unique_id="killer")
            events.unregister("after-call.mturk", unique_id="killed")
    return killer


class TestBonus:
    def test_who_worked_for_the_batch_gets_one_on_the_latest_assignment(
        self, desk: Desk, case: dict[str, Any]
    ) -> None:
        worked(desk, case["worker_id"])
        desk.clock.offset = timedelta(seconds=2)  # times of submission are whole seconds
        _, latest = worked(desk, case["worker_id"])
        before, had = desk._mturk.available_cents(), earned(desk, case["worker_id"])
        planned = plan(desk, case)
        assert (planned["mode"], planned["cents"], planned["fee_cents"]) == ("bonus", 150, 30)
        assert not planned["done"]
        assert "**$1.80**" in planned["text"]
        assert f"`{case['reason']}`" in planned["text"]
        assert desk._mturk.available_cents() == before, "a plan pays nothing"
        assert pay(desk, case, planned) == {"mode": "bonus", "hit": "", "hit_type": ""}
        assert earned(desk, case["worker_id"]) == had + 150
        assert desk._mturk.available_cents() == before - 180
        [bonus] = desk._mturk.bonuses(assignment_id=latest)
        assert bonus["Reason"] == f"{case['reason']} (case {case['case']})"
        assert desk.market.audit(ACCOUNT) == []

    def test_who_worked_long_ago_gets_a_make_up_hit(self, desk: Desk, case: dict[str, Any]) -> None:
        """The service may refuse a bonus after six months, and a case is fixed once it was begun."""
        desk.clock.offset = timedelta(days=-200)
        _, old = worked(desk, case["worker_id"])
        desk.clock.offset = timedelta()
        for named in ("", old):
            planned = plan(desk, case | {"assignment": named})
            assert (planned["mode"], planned["fee_cents"]) == ("make_up", 30)
        case["assignment"] = old
        offered = pay(desk, case)
        assert plan(desk, case)["mode"] == offered["mode"] == "make_up"
        desk._mturk.expire(offered["hit"])
        with pytest.raises(AirflowFailException, match="did not take the make-up HIT"):
            settle(desk, case)  # nothing of it is left for the tests that follow
        worked(desk, case["worker_id"])
        assert plan(desk, case | {"case": f"{case['case']}-2"})["mode"] == "bonus"

    def test_who_approves_a_bonus_is_told_that_the_reward_is_still_to_come(
        self, desk: Desk, case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(desk._mturk, "approve", lambda _: None)
            worked(desk, case["worker_id"])
        assert "**The assignment waits to be paid**" in plan(desk, case)["text"]
        worked(desk, case["worker_id"])

    def test_the_same_case_again_pays_nothing(self, desk: Desk, case: dict[str, Any]) -> None:
        worked(desk, case["worker_id"])
        planned = plan(desk, case)
        pay(desk, case, planned)
        had = earned(desk, case["worker_id"])
        again = plan(desk, case)
        assert again["done"]
        assert "was paid before" in again["text"]
        assert "Paid to this worker before: $1.80" in again["text"]
        pay(desk, case, planned)
        desk.clock.offset = timedelta(hours=30)  # the service has forgotten the token
        pay(desk, case, planned)
        assert earned(desk, case["worker_id"]) == had

    def test_a_case_stands_for_one_payment(self, desk: Desk, case: dict[str, Any]) -> None:
        worked(desk, case["worker_id"])
        pay(desk, case)
        for change in ({"amount": "2.00"}, {"worker_id": "AOTHER"}, {"reason": "Another"}):
            with pytest.raises(AirflowFailException, match=r"was begun for worker .* choose another case id"):
                plan(desk, case | change)

    def test_killed_after_any_effect(self, desk: Desk, case: dict[str, Any]) -> None:
        worked(desk, case["worker_id"])
        effects = dying(desk, case, 0).effects
        assert effects >= 5, "the case, the approval, a look, the bonus, its record"
        for number in range(1, effects + 1):
            case["case"] = f"case-{uuid.uuid4().hex[:8]}"
            had = earned(desk, case["worker_id"])
            dying(desk, case, number)
            if number % 2:  # or else soon, while the service remembers the token
                desk.clock.offset += timedelta(hours=30)
            pay(desk, case)
            assert earned(desk, case["worker_id"]) == had + 150, f"effect {number}"
            assert plan(desk, case)["done"]
        desk.clock.offset = timedelta()

    def test_an_assignment_that_is_not_the_workers_is_refused(self, desk: Desk, case: dict[str, Any]) -> None:
        run, _ = worked(desk, case["worker_id"])
        others = next(
            row["assignment"]
            for row in run.ledger.fold().answers.values()
            if row["worker"] != case["worker_id"]
        )
        for assignment in (others, "3NOSUCHASSIGNMENT"):
            with pytest.raises(
                AirflowFailException, match=f"assignment {assignment} of worker .* is unknown"
            ):
                plan(desk, case | {"assignment": assignment})

    def test_nothing_is_paid_that_nobody_approved(self, desk: Desk, case: dict[str, Any]) -> None:
        worked(desk, case["worker_id"])
        had = earned(desk, case["worker_id"])
        for answer in (None, {}, {"chosen_options": ["Reject"], "responded_by_user": {"name": "rita"}}):
            assert approver(answer) is None
        assert approver({"chosen_options": ["Approve"], "responded_by_user": {"name": "rita"}}) == "rita"
        with opened(desk.folder, case) as compensation:
            planned = compensation.plan()
        with pytest.raises(AirflowFailException, match="nobody approved it"), opened(desk.folder, case) as c:
            c.pay(planned, None)
        assert earned(desk, case["worker_id"]) == had


class TestMakeUp:
    def test_only_the_worker_can_take_it_and_is_paid(self, desk: Desk, case: dict[str, Any]) -> None:
        before = desk._mturk.available_cents()
        planned = plan(desk, case)
        assert (planned["mode"], planned["cents"], planned["fee_cents"]) == ("make_up", 150, 30)
        offered = pay(desk, case, planned)
        assert offered["mode"] == "make_up"
        assert offered == pay(desk, case, planned), "published once"
        hit = desk.call("GetHIT", HITId=offered["hit"])["HIT"]
        assert (hit["Reward"], hit["MaxAssignments"]) == ("1.50", 1)
        assert case["reason"] in hit["Question"]
        stranger = desk.market.workers.ensure_worker("ASTRANGER").worker_id
        with pytest.raises(Exception, match=r"(?i)qualif"):
            desk.market.workers.accept(stranger, offered["hit"])
        assert not sensor(offered).poke({})
        with pytest.raises(AirflowFailException, match="can still take the make-up HIT"):
            settle(desk, case)

        assignment = desk.market.workers.accept(case["worker_id"], offered["hit"]).assignment_id
        desk.market.workers.submit(assignment, [("case", case["case"])], worker_id=case["worker_id"])
        assert sensor(offered).poke({})
        assert settle(desk, case) == {"paid_cents": 180}
        assert settle(desk, case) == {"paid_cents": 180}, "again, after it was taken away"
        assert earned(desk, case["worker_id"]) == 150
        assert desk._mturk.available_cents() == before - 180
        assert desk._mturk.find_hit(offered["hit"]) is None
        names = desk.call("ListQualificationTypes", MustBeRequestable=False, MustBeOwnedByCaller=True)
        assert [each for each in names["QualificationTypes"] if "Compensation" in each["Name"]] == []
        assert plan(desk, case)["done"]
        assert desk.market.audit(ACCOUNT) == []
        assert ("_compensations", f"iris/{case['case']}") in all_ledgers(_store(desk, case))

    def test_publishing_killed_after_any_effect(self, desk: Desk, case: dict[str, Any]) -> None:
        effects = dying(desk, case, 0).effects
        assert effects >= 8, "the case, approval, looks, qualification type, grant, HIT type, HIT, record"
        for number in range(1, effects + 1):
            case["case"] = f"case-{uuid.uuid4().hex[:8]}"
            before = len(desk.all_hits())
            dying(desk, case, number)
            offered = pay(desk, case)
            assert len(desk.all_hits()) == before + 1, f"effect {number}"
            desk.market.workers.accept(case["worker_id"], offered["hit"])

    def test_not_taken_in_time(self, desk: Desk, case: dict[str, Any]) -> None:
        offered = pay(desk, case)
        desk.clock.offset = timedelta(days=15)
        assert sensor(offered).poke({})
        for _ in range(2):
            with pytest.raises(AirflowFailException, match="did not take the make-up HIT in 14 days"):
                settle(desk, case)
        assert desk._mturk.find_hit(offered["hit"]) is None

    def test_another_case_of_the_worker_says_what_is_on_its_way(
        self, desk: Desk, case: dict[str, Any]
    ) -> None:
        other = case | {"case": f"{case['case']}-2", "amount": "2.00"}
        assert "Nothing was approved for this worker before" in plan(desk, other)["text"]
        pay(desk, case)
        assert "Nothing was approved" in plan(desk, case)["text"], "the same case is no other"
        said = f"Approved for this worker before, and not paid yet: $1.80, case `{case['case']}`"
        assert said in plan(desk, other)["text"]

    def test_what_was_rejected_by_hand_is_no_payment(self, desk: Desk, case: dict[str, Any]) -> None:
        offered = pay(desk, case)
        assignment = desk.market.workers.accept(case["worker_id"], offered["hit"]).assignment_id
        desk.market.workers.submit(assignment, [("case", case["case"])], worker_id=case["worker_id"])
        desk._mturk.reject(assignment, "by hand")
        with pytest.raises(AirflowFailException, match="nothing was paid"):
            settle(desk, case)
        assert earned(desk, case["worker_id"]) == 0
        assert not plan(desk, case)["done"]

    def test_waiting(self, desk: Desk, case: dict[str, Any]) -> None:
        with pytest.raises(AirflowSkipException):
            sensor({"hit": "", "hit_type": ""}).execute({})
        offered = pay(desk, case)
        with pytest.raises(TaskDeferred) as caught:
            sensor(offered).execute({})
        trigger = caught.value.trigger
        assert (trigger.hit_type_id, trigger.minimum) == (offered["hit_type"], 1)
        sensor(offered).execute_complete({}, {"status": "success"})
        with pytest.raises(Exception, match="broken"):
            sensor(offered).execute_complete({}, {"status": "error", "message": "broken"})


def test_wrong_parameters_are_one_clear_message(desk: Desk, case: dict[str, Any]) -> None:
    wrong = case | {"amount": "1.505", "worker_id": "bob", "case": "../x", "undo_rejection": "yes"}
    with pytest.raises(AirflowFailException) as caught, opened(desk.folder, wrong | {"reason": "\x00"}):
        pass
    message = str(caught.value)
    assert "\n" not in message
    for name in ("amount", "worker_id", "case", "undo_rejection", "reason"):
        assert f"{name}: " in message
    with pytest.raises(AirflowFailException, match=r"no batch 'tulips'; there are: iris"):
        plan(desk, case | {"batch": "tulips"})


def sensor(offered: dict[str, Any]) -> MTurkHitSensor:
    return MTurkHitSensor(
        task_id="wait",
        hit_id=offered["hit"],
        hit_type_id=offered["hit_type"],
        aws_conn_id="mturk_default",
        deferrable=True,
    )


def _store(desk: Desk, case: dict[str, Any]) -> Any:
    with opened(desk.folder, case) as compensation:
        return compensation.run.store
