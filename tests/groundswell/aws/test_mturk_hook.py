"""MTurkHook: every call may be made again, on a real server and on words that only the real service says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, WaiterError
from botocore.stub import Stubber

from groundswell.aws.hooks.mturk import MTurkHook
from tests.groundswell.aws.desk import Desk, connection
from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION

PROCESSED = 'The idempotency token "3VJ4PFXFJ5VXUC3I783DUQKOMF2UAWWed Jul 14" has already been processed. (1)'
NOT_SUBMITTED = "This operation can be called with a status of: Submitted (1626294366180)"
QUICK = {"Delay": 0.01, "MaxAttempts": 3}


@pytest.fixture
def hook(desk: Desk) -> MTurkHook:
    return desk._mturk


@pytest.fixture(scope="module")
def client() -> Any:
    return boto3.client("mturk", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")


@pytest.fixture
def stub(client: Any) -> Iterator[Stubber]:
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def stubbed(stub: Stubber, client: Any) -> MTurkHook:
    hook = MTurkHook(aws_conn_id=None, region_name="us-east-1")
    hook.__dict__["conn"] = client
    return hook


def refuse(stub: Stubber, operation: str, message: str, code: str = "RequestError") -> None:
    stub.add_client_error(operation, code, message, modeled_fields={"Message": message})


def make(hook: MTurkHook, seats: int = 1, **changes: Any) -> str:
    hit_type = hook.create_hit_type(**HIT_TYPE | {"AutoApprovalDelayInSeconds": 3600, **changes})
    return hook.create_hit(
        token=uuid.uuid4().hex,
        HITTypeId=hit_type,
        MaxAssignments=seats,
        LifetimeInSeconds=3600,
        Question=QUESTION,
    )


def submit(desk: Desk, hit: str) -> str:
    worker = desk.market.workers.ensure_worker(f"A{uuid.uuid4().hex[:13].upper()}").worker_id
    assignment = desk.market.workers.accept(worker, hit).assignment_id
    desk.market.workers.submit(assignment, [("label", "a")], worker_id=worker)
    return assignment


class TestCreate:
    pytestmark = pytest.mark.contract

    def test_the_same_token_gives_the_same_hit(self, desk: Desk, hook: MTurkHook) -> None:
        hit_type, token, before = hook.create_hit_type(**HIT_TYPE), uuid.uuid4().hex, len(desk.all_hits())
        request = {"HITTypeId": hit_type, "LifetimeInSeconds": 60, "Question": QUESTION}
        first = hook.create_hit(token=token, MaxAssignments=1, **request)
        assert hook.create_hit(token=token, MaxAssignments=1, **request) == first
        assert hook.create_hit(token=uuid.uuid4().hex, MaxAssignments=1, **request) != first
        assert len(desk.all_hits()) == before + 2

    def test_other_refusals_are_raised(self, hook: MTurkHook) -> None:
        with pytest.raises(ClientError, match="HITType"):
            hook.create_hit(
                token="t", HITTypeId="3NOSUCHTYPE", LifetimeInSeconds=60, Question=QUESTION, MaxAssignments=1
            )

    def test_hit_types_are_told_apart_by_their_properties(self, hook: MTurkHook) -> None:
        assert hook.create_hit_type(**HIT_TYPE) == hook.create_hit_type(**HIT_TYPE)
        assert hook.create_hit_type(**HIT_TYPE) != hook.create_hit_type(**HIT_TYPE | {"Reward": "0.06"})

    def test_hits_are_found_by_annotation(self, hook: MTurkHook) -> None:
        hit_type, mark = hook.create_hit_type(**HIT_TYPE), uuid.uuid4().hex
        request = {"HITTypeId": hit_type, "LifetimeInSeconds": 60, "Question": QUESTION, "MaxAssignments": 1}
        hits = {
            hook.create_hit(token=f"{mark}{n}", RequesterAnnotation=f"{mark}{n}", **request): n
            for n in (0, 1)
        }
        plain = make(hook)
        found = hook.hits_by_annotation()
        assert {f"{mark}{n}": hit for hit, n in hits.items()}.items() <= found.items()
        assert plain not in found.values()


class TestApprove:
    @pytest.mark.contract
    def test_twice_pays_once(self, desk: Desk, hook: MTurkHook) -> None:
        assignment = submit(desk, make(hook))
        before = hook.available_cents()
        for _ in range(3):
            hook.approve(assignment)
        assert (
            desk.call("GetAssignment", AssignmentId=assignment)["Assignment"]["AssignmentStatus"]
            == "Approved"
        )
        assert hook.available_cents() == before, "six cents were held for it, and are paid now"

    @pytest.mark.contract
    def test_auto_approved_is_approved(self, desk: Desk, hook: MTurkHook) -> None:
        assignment = submit(desk, make(hook, AutoApprovalDelayInSeconds=60))
        desk.clock.offset = timedelta(minutes=5)
        hook.approve(assignment)
        assert "AutoApprovalTime" in desk.call("GetAssignment", AssignmentId=assignment)["Assignment"]

    @pytest.mark.contract
    def test_rejected_stays_rejected(self, desk: Desk, hook: MTurkHook) -> None:
        assignment = submit(desk, make(hook))
        desk.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="not a flower")
        with pytest.raises(ClientError, match="status of: Submitted"):
            hook.approve(assignment)

    def test_not_visible_yet_is_for_later(self, stub: Stubber, stubbed: MTurkHook) -> None:
        refuse(stub, "approve_assignment", NOT_SUBMITTED)
        refuse(stub, "get_assignment", "Assignment 3X does not exist. (1)")
        with pytest.raises(ClientError, match="status of: Submitted"):
            stubbed.approve("3X")

    @pytest.mark.parametrize("message", ["This operation can be called with a status of: null (1)", "Oh."])
    def test_other_refusals_are_raised_without_another_look(
        self, stub: Stubber, stubbed: MTurkHook, message: str
    ) -> None:
        refuse(stub, "approve_assignment", message)
        with pytest.raises(ClientError):
            stubbed.approve("3X")


class TestSeats:
    @pytest.mark.contract
    def test_the_same_token_adds_once(self, hook: MTurkHook) -> None:
        hit, token = make(hook), uuid.uuid4().hex
        for _ in range(3):
            hook.add_seats(hit, 1, token=token)
        assert hook.get_hit(hit)["MaxAssignments"] == 2
        hook.add_seats(hit, 2, token=uuid.uuid4().hex)
        assert hook.get_hit(hit)["MaxAssignments"] == 4

    @pytest.mark.contract
    def test_across_the_fee_tier_is_refused(self, hook: MTurkHook) -> None:
        hit = make(hook, seats=9)
        with pytest.raises(ClientError, match="RequestError"):
            hook.add_seats(hit, 1, token=uuid.uuid4().hex)

    def test_by_code_where_the_words_differ(self, stub: Stubber, stubbed: MTurkHook) -> None:
        stub.add_client_error(
            "create_additional_assignments_for_hit",
            "RequestError",
            "Done.",
            modeled_fields={"TurkErrorCode": "AWS.MechanicalTurk.IdempotencyTokenAlreadyProcessed"},
        )
        stubbed.add_seats("3X", 1, token="t")


class TestExpiration:
    @pytest.mark.contract
    def test_twice_the_same(self, desk: Desk, hook: MTurkHook) -> None:
        hit = make(hook)
        desk.clock.offset = timedelta(minutes=5)
        later = (datetime.now(UTC) + timedelta(hours=5)).replace(microsecond=0)
        hook.set_expiration(hit, later)
        hook.set_expiration(hit, later)
        assert hook.get_hit(hit)["Expiration"] == later
        hook.expire(hit)
        hook.expire(hit)
        assert hook.get_hit(hit)["HITStatus"] == "Reviewable"

    def test_the_services_own_token(self, stub: Stubber, stubbed: MTurkHook) -> None:
        refuse(stub, "update_expiration_for_hit", PROCESSED)
        stubbed.expire("3X")
        refuse(stub, "update_expiration_for_hit", "Hit 3X does not exist. (1)")
        with pytest.raises(ClientError):
            stubbed.expire("3X")


@pytest.mark.contract
class TestReviewing:
    def test_twice_and_after_the_end(self, desk: Desk, hook: MTurkHook) -> None:
        hit = make(hook)
        hook.approve(submit(desk, hit))
        assert hit in list(hook.reviewable(hook.get_hit(hit)["HITTypeId"]))
        hook.mark_reviewing(hit)
        hook.mark_reviewing(hit)
        assert hook.get_hit(hit)["HITStatus"] == "Reviewing"
        assert hit not in list(hook.reviewable(hook.get_hit(hit)["HITTypeId"]))
        assert hook.delete_hit(hit) == "deleted"
        hook.mark_reviewing(hit)
        assert hook.get_hit(hit)["HITStatus"] == "Disposed"

    def test_a_hit_that_workers_can_take_is_not_reviewed(self, hook: MTurkHook) -> None:
        with pytest.raises(ClientError, match="UpdateHITReviewStatus"):
            hook.mark_reviewing(make(hook))


@pytest.mark.contract
class TestDelete:
    def test_in_each_state(self, desk: Desk, hook: MTurkHook) -> None:
        hit = make(hook)
        assert hook.delete_hit(hit) == "held", "workers may take it"
        worker = desk.market.workers.ensure_worker("AHOLDS").worker_id
        assignment = desk.market.workers.accept(worker, hit).assignment_id
        hook.expire(hit)
        assert hook.delete_hit(hit) == "held", "a worker is at it"
        desk.market.workers.submit(assignment, [("label", "a")], worker_id=worker)
        assert hook.delete_hit(hit) == "unreviewed", "an answer waits"
        hook.approve(assignment)
        assert hook.delete_hit(hit) == "deleted"
        assert hook.delete_hit(hit) == "absent"

    def test_flagged_but_unpaid(self, desk: Desk, hook: MTurkHook) -> None:
        hit = make(hook)
        assignment = submit(desk, hit)
        hook.mark_reviewing(hit)
        assert hook.delete_hit(hit) == "unreviewed"
        hook.approve(assignment)
        assert hook.delete_hit(hit) == "deleted"

    def test_a_hit_that_never_was(self, hook: MTurkHook) -> None:
        assert hook.delete_hit("3NOSUCHHIT") == "absent"

    def test_gone(self, hook: MTurkHook) -> None:
        hit = make(hook)
        assert not hook.is_gone(hit)
        hook.expire(hit)
        hook.delete_hit(hit)
        assert hook.is_gone(hit)
        assert hook.is_gone("3NOSUCHHIT")


def test_deleting_raises_what_it_does_not_know(stub: Stubber, stubbed: MTurkHook) -> None:
    refuse(stub, "delete_hit", "Try later.", "ServiceFault")
    with pytest.raises(ClientError, match="ServiceFault"):
        stubbed.delete_hit("3X")


@pytest.mark.contract
def test_few_answers_cost_one_call_and_many_are_paged(desk: Desk, hook: MTurkHook) -> None:
    few, many = make(hook, seats=2), make(hook, seats=130, Reward="0.01")
    submit(desk, few)
    given = {submit(desk, many) for _ in range(120)}
    before = desk.market.counts("000000000000").get("ListAssignmentsForHIT", 0)
    assert len(hook.assignments(few)) == 1
    assert desk.market.counts("000000000000")["ListAssignmentsForHIT"] == before + 1
    assert {each["AssignmentId"] for each in hook.assignments(many)} == given
    assert desk.market.counts("000000000000")["ListAssignmentsForHIT"] == before + 3


@pytest.mark.parametrize(
    ("text", "cents"),
    [("10000.00", 1_000_000), ("0.5", 50), ("0.05", 5), ("7", 700), ("0.00", 0), ("12.345", 1234)],
)
def test_balance_in_cents(stub: Stubber, stubbed: MTurkHook, text: str, cents: int) -> None:
    stub.add_response("get_account_balance", {"AvailableBalance": text})
    assert stubbed.available_cents() == cents


@pytest.mark.contract
class TestWaiter:
    def test_on_the_worker(self, desk: Desk, hook: MTurkHook) -> None:
        assert "hit_reviewable" in hook.list_waiters()
        waiter, hit = hook.get_waiter("hit_reviewable"), make(hook)
        with pytest.raises(WaiterError, match="Max attempts exceeded"):
            waiter.wait(HITId=hit, WaiterConfig=QUICK)
        hook.approve(submit(desk, hit))
        waiter.wait(HITId=hit, WaiterConfig=QUICK)
        hook.mark_reviewing(hit)
        waiter.wait(HITId=hit, WaiterConfig=QUICK)
        hook.delete_hit(hit)
        with pytest.raises(WaiterError, match="terminal failure state"):
            waiter.wait(HITId=hit, WaiterConfig=QUICK)

    def test_in_the_triggerer(self, desk: Desk) -> None:
        hook = MTurkHook(aws_conn_id="mturk_default")
        hit = make(desk._mturk)
        submit(desk, hit)

        async def wait() -> list[str]:
            async with await hook.get_async_conn() as client:
                waiter = hook.get_waiter("hit_reviewable", deferrable=True, client=client)
                await waiter.wait(HITId=hit, WaiterConfig=QUICK)
                return [
                    each async for each in hook.areviewable(client, desk._mturk.get_hit(hit)["HITTypeId"])
                ]

        assert hit in asyncio.run(wait())


def test_settings_of_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MTURK_DEFAULT", connection("http://127.0.0.1:9"))
    hook = MTurkHook(aws_conn_id="mturk_default", region_name="us-west-2", verify=False)
    assert (hook.client_type, hook.region_name, hook.verify) == ("mturk", "us-west-2", False)
    assert hook.conn.meta.config.retries == {"mode": "standard", "total_max_attempts": 11}
    assert hook.conn.meta.endpoint_url == "http://127.0.0.1:9"
