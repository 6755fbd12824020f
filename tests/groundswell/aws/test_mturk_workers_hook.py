"""What MTurkHook does to and for workers, called once and again on a real server."""

from __future__ import annotations

import uuid
from datetime import timedelta

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from groundswell.aws.hooks import mturk_workers
from groundswell.aws.hooks.mturk import MTurkHook
from tests.groundswell.aws.desk import ACCOUNT, Desk
from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION

pytestmark = pytest.mark.contract


@pytest.fixture
def hook(desk: Desk) -> MTurkHook:
    return desk._mturk


def publish(hook: MTurkHook, seats: int = 1, **changes: object) -> str:
    return hook.create_hit(
        token=uuid.uuid4().hex,
        HITTypeId=hook.create_hit_type(**HIT_TYPE | {"AutoApprovalDelayInSeconds": 3600, **changes}),
        MaxAssignments=seats,
        LifetimeInSeconds=7200,
        Question=QUESTION,
    )


def worker_of(desk: Desk) -> str:
    return str(desk.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id)


def submit(desk: Desk, hit: str, worker: str) -> str:
    assignment = str(desk.market.workers.accept(worker, hit).assignment_id)
    desk.market.workers.submit(assignment, [("label", "a")], worker_id=worker)
    return assignment


class TestReject:
    def test_twice_is_once(self, desk: Desk, hook: MTurkHook) -> None:
        assignment = submit(desk, publish(hook), worker_of(desk))
        assert hook.reject(assignment, "not the label that others gave") == "rejected"
        assert hook.reject(assignment, "not the label that others gave") == "rejected"
        there = hook.assignment(assignment)
        assert there is not None
        assert (there["AssignmentStatus"], there["RequesterFeedback"]) == (
            "Rejected",
            "not the label that others gave",
        )

    def test_what_is_approved_stays_so_also_by_the_time_that_passed(
        self, desk: Desk, hook: MTurkHook
    ) -> None:
        paid, late = (submit(desk, publish(hook), worker_of(desk)) for _ in range(2))
        hook.approve(paid)
        assert hook.reject(paid, "no") == "approved"
        desk.clock.offset = timedelta(hours=2)
        assert hook.reject(late, "no") == "approved"

    def test_other_refusals_are_raised(self, desk: Desk, hook: MTurkHook) -> None:
        with pytest.raises(ClientError, match="does not exist"):
            hook.reject("3NOSUCHASSIGNMENT", "no")
        assignment = submit(desk, publish(hook), worker_of(desk))
        with pytest.raises(ClientError, match="RequesterFeedback"):
            hook.reject(assignment, "x" * 1025)
        hook.reject(assignment, "no")
        with pytest.raises(ClientError, match="status of: Submitted"):
            hook.approve(assignment)

    def test_taken_back_twice_pays_once(self, desk: Desk, hook: MTurkHook) -> None:
        worker = worker_of(desk)
        assignment = submit(desk, publish(hook), worker)
        hook.reject(assignment, "no")
        hook.override(assignment, "our mistake")
        hook.override(assignment, "our mistake")
        assert desk.market.workers.earnings(worker).paid_cents == 5
        assert desk.market.audit(ACCOUNT) == []


class TestBonus:
    def test_once_per_token(self, desk: Desk, hook: MTurkHook) -> None:
        worker = worker_of(desk)
        hit = publish(hook)
        assignment = submit(desk, hit, worker)
        before = hook.available_cents()
        bonus = {"worker_id": worker, "assignment_id": assignment, "cents": 105, "reason": "well done"}
        for token in ("first", "first", "second"):
            hook.send_bonus(token=f"{assignment}{token}", **bonus)  # type: ignore[arg-type]
        assert before - hook.available_cents() == 2 * (105 + 21)
        for found in (hook.bonuses(hit_id=hit), hook.bonuses(assignment_id=assignment)):
            assert [(each["BonusAmount"], each["Reason"]) for each in found] == [("1.05", "well done")] * 2

    def test_who_did_something_else_gets_none(self, desk: Desk, hook: MTurkHook) -> None:
        assignment = submit(desk, publish(hook), worker_of(desk))
        with pytest.raises(ClientError, match="WorkerId"):
            hook.send_bonus(token="t", worker_id="AOTHER", assignment_id=assignment, cents=5, reason="r")
        assert hook.bonuses(assignment_id=assignment) == []


def test_assignments_that_cannot_be_seen_are_none(desk: Desk, hook: MTurkHook) -> None:
    assert hook.assignment("3NOSUCHASSIGNMENT") is None
    accepted = desk.market.workers.accept(worker_of(desk), publish(hook)).assignment_id
    assert hook.assignment(accepted) is None


class TestNotify:
    def test_says_who_was_not_reached(self, desk: Desk, hook: MTurkHook) -> None:
        known, stranger = worker_of(desk), worker_of(desk)
        hook.approve(submit(desk, publish(hook), known))
        [failed] = hook.notify([known, stranger, known], "More flowers", "There are more flowers to label.")
        assert failed["WorkerId"] == stranger

    def test_a_message_to_many_takes_as_many_calls(self, monkeypatch: pytest.MonkeyPatch) -> None:
        client = boto3.client(
            "mturk", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t"
        )
        hook = MTurkHook(aws_conn_id=None, region_name="us-east-1")
        hook.__dict__["conn"] = client
        monkeypatch.setattr(mturk_workers, "PAGE", 2)
        with Stubber(client) as stub:
            for workers in (["A1", "A2"], ["A3"]):
                request = {"Subject": "s", "MessageText": "t", "WorkerIds": workers}
                stub.add_response("notify_workers", {"NotifyWorkersFailureStatuses": []}, request)
            assert hook.notify(["A1", "A2", "A3", "A1"], "s", "t") == []
            stub.assert_no_pending_responses()


class TestQualificationType:
    def test_made_once_per_name(self, desk: Desk, hook: MTurkHook) -> None:
        name = f"Flowers {uuid.uuid4().hex[:8]}"
        first = hook.create_qualification_type(name, "Knows flowers")
        assert hook.create_qualification_type(name, "Knows flowers") == first
        assert hook.create_qualification_type(f"{name} too", "Knows flowers") != first

    def test_granted_and_deleted_twice(self, desk: Desk, hook: MTurkHook) -> None:
        kind = hook.create_qualification_type(f"Flowers {uuid.uuid4().hex[:8]}", "Knows flowers")
        worker = worker_of(desk)
        for _ in range(2):
            hook.grant(kind, worker)
        requirement = {"QualificationTypeId": kind, "Comparator": "Exists"}
        hit = publish(hook, 2, QualificationRequirements=[requirement])
        submit(desk, hit, worker)
        with pytest.raises(Exception, match=r"(?i)qualif"):
            submit(desk, hit, worker_of(desk))
        for _ in range(2):
            hook.delete_qualification_type(kind)
        hook.delete_qualification_type("3NOSUCHTYPE")

    def test_other_refusals_are_raised(self, hook: MTurkHook) -> None:
        with pytest.raises(ClientError, match="Name"):
            hook.create_qualification_type("x" * 300, "too long")


def test_a_hit_that_was_dealt_with_is_listed_again(desk: Desk, hook: MTurkHook) -> None:
    hit = publish(hook)
    submit(desk, hit, worker_of(desk))
    hit_type = hook.get_hit(hit)["HITTypeId"]
    hook.mark_reviewing(hit)
    assert hit not in list(hook.reviewable(hit_type))
    for _ in range(2):
        hook.revert_reviewing(hit)
    assert hit in list(hook.reviewable(hit_type))
    hook.revert_reviewing(publish(hook))  # open, so it has no flag
