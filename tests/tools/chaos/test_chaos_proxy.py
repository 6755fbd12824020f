from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from groundswell.ledger import annotation
from tests.tools.chaos.chaos_chunks import staged
from tools.chaos.faults import Fault, FaultPlan
from tools.chaos.plain_loop import play_plainly
from tools.chaos.proxy import HOST
from tools.chaos.schedule import schedule_of
from tools.chaos.simulation import play
from tools.chaos.stage import Scene, Stage

pytestmark = pytest.mark.contract

PAGE = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    '2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><html><body><form method="post" '
    'action="https://www.mturk.com/mturk/externalSubmit"><input type="submit"></form></body></html>]]>'
    "</HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"
)


class OneFault(FaultPlan):
    """Lets the next call go wrong, and no other."""

    coming: Fault | None = None

    def next(self, operation: str) -> Fault | None:
        self.calls += 1
        fault, self.coming = self.coming, None
        return fault


class Wired:
    """A client without tries of its own, through the proxy's port; and what the server knows."""

    def __init__(self, stage: Stage, scene: Scene) -> None:
        self.scene = scene
        self.plan = OneFault(0)
        stage.proxy.plan = self.plan
        self.client: Any = boto3.client(
            "mturk",
            endpoint_url=f"http://{HOST}:{stage.proxy.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}),
        )

    def create(self, item: str = "a") -> str:
        response = self.client.create_hit(
            Title="Flowers",
            Description="Which one",
            Reward="0.05",
            AssignmentDurationInSeconds=300,
            LifetimeInSeconds=3600,
            Question=PAGE,
            RequesterAnnotation=annotation("iris", self.scene.run_id, item),
        )
        return str(response["HIT"]["HITId"])

    def answered(self) -> tuple[str, str]:
        """A HIT and the assignment that was submitted for it."""
        hit, workers = self.create(), self.scene.market.workers
        workers.ensure_worker("AONE")
        assignment = workers.accept("AONE", hit).assignment_id
        workers.submit(assignment, [("label", "x")])
        return hit, assignment

    def fail(self, fault: Fault) -> None:
        self.plan.coming = fault

    @property
    def hits(self) -> int:
        return len(self.client.list_hits(MaxResults=100)["HITs"])

    @property
    def injected(self) -> dict[str, int]:
        return dict(self.plan.injected)


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    yield from staged()


@pytest.fixture
def wired(stage: Stage) -> Iterator[Wired]:
    with stage.playing(schedule_of(0), sockets=True) as scene:
        yield Wired(stage, scene)


def test_calls_pass_with_the_worlds_time(wired: Wired) -> None:
    wired.create()
    assert wired.hits == 1
    response = wired.client.get_account_balance()
    assert response["ResponseMetadata"]["HTTPHeaders"]["date"] == "Mon, 02 Mar 2026 08:00:00 GMT"
    assert wired.injected == {}


@pytest.mark.parametrize(("fault", "made"), [(Fault.LOST_RESPONSE, 1), (Fault.RESET, 0)])
def test_the_connection_is_cut_after_or_before_the_call(wired: Wired, fault: Fault, made: int) -> None:
    wired.fail(fault)
    with pytest.raises(ConnectionClosedError):
        wired.create()
    assert wired.hits == made
    assert wired.injected == {fault: 1}


@pytest.mark.parametrize(("fault", "made"), [(Fault.SERVER_ERROR, 0), (Fault.SERVER_ERROR_AFTER, 1)])
def test_the_server_fails_before_or_after_the_commit(wired: Wired, fault: Fault, made: int) -> None:
    wired.fail(fault)
    with pytest.raises(ClientError) as caught:
        wired.create()
    assert caught.value.response["Error"]["Code"] == "ServiceFault"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in {500, 503}
    assert wired.hits == made


def test_throttling_is_the_services_error(wired: Wired) -> None:
    wired.fail(Fault.THROTTLED)
    with pytest.raises(ClientError) as caught:
        wired.create()
    assert caught.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Rate exceeded"}
    assert wired.hits == 0


@pytest.mark.parametrize("fault", [Fault.TWICE, Fault.TWICE_SECOND])
def test_a_request_is_delivered_twice(wired: Wired, fault: Fault) -> None:
    wired.fail(fault)
    wired.create()
    assert wired.hits == 2


def test_a_copy_of_a_request_comes_later(wired: Wired) -> None:
    wired.fail(Fault.LATE_COPY)
    wired.create()
    assert wired.hits == 1
    wired.scene.world.advance(3_600)
    assert wired.hits == 2
    assert wired.hits == 2


def test_a_slow_call_takes_the_worlds_time(wired: Wired) -> None:
    before = wired.scene.world.now()
    wired.fail(Fault.SLOW)
    wired.create()
    assert wired.scene.world.now() - before >= timedelta(seconds=10)


def test_a_stale_read_shows_what_was_shown_before(wired: Wired) -> None:
    assert wired.hits == 0
    wired.create()
    wired.fail(Fault.STALE)
    assert wired.hits == 0
    assert wired.injected == {Fault.STALE: 1}
    assert wired.hits == 1


def test_there_is_no_stale_read_of_what_was_read_long_ago(wired: Wired) -> None:
    assert wired.hits == 0
    wired.create()
    wired.scene.world.advance(601)
    wired.fail(Fault.STALE)
    assert wired.hits == 1
    assert wired.injected == {}


def test_new_things_are_not_visible_yet(wired: Wired) -> None:
    hit, assignment = wired.answered()
    hit_type = wired.client.get_hit(HITId=hit)["HIT"]["HITTypeId"]
    reads = [
        (wired.client.list_hits, {}, "HITs"),
        (wired.client.list_reviewable_hits, {"HITTypeId": hit_type}, "HITs"),
        (wired.client.list_assignments_for_hit, {"HITId": hit}, "Assignments"),
    ]
    for read, parameters, name in reads:
        wired.fail(Fault.LAGGING)
        hidden = read(**parameters)
        assert (hidden[name], hidden["NumResults"]) == ([], 0)
        assert len(read(**parameters)[name]) == 1
    wired.fail(Fault.LAGGING)
    with pytest.raises(ClientError, match="status of: null"):
        wired.client.approve_assignment(AssignmentId=assignment)
    wired.scene.world.advance(3_600)
    for read, parameters, name in reads:
        wired.fail(Fault.LAGGING)
        assert len(read(**parameters)[name]) == 1
    wired.fail(Fault.LAGGING)
    wired.client.approve_assignment(AssignmentId=assignment)
    assert wired.injected == {Fault.LAGGING: 4}


def test_faults_are_those_of_the_seed() -> None:
    def drawn(seed: int) -> list[Fault | None]:
        plan = FaultPlan(seed, rate=0.5)
        return [plan.next("GetHIT" if number % 2 else "CreateHIT") for number in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 60 < sum(fault is not None for fault in drawn(1)) < 140
    assert {Fault.STALE, Fault.LATE_COPY} <= set(drawn(1))
    assert Fault.STALE not in drawn(1)[::2]
    assert not set(drawn(1)[1::2]) & {Fault.LATE_COPY, Fault.TWICE, Fault.LAGGING}


def test_an_outage_lets_nothing_through() -> None:
    plan = FaultPlan(1, outages=((3, 4),))
    passed = [plan.next("GetHIT") is None for _ in range(10)]
    assert passed == [True] * 2 + [False] * 4 + [True] * 4
    plan.on = False
    plan.outages = ((1, 100),)
    assert plan.next("GetHIT") is None


def test_a_replay_is_the_same_also_over_sockets(stage: Stage) -> None:
    seed = random.Random(5).randrange(1_000)
    first, again = play(stage, schedule_of(seed)), play(stage, schedule_of(seed))
    wired = play(stage, schedule_of(seed), sockets=True)
    assert first.injected
    assert json.dumps(first.log) == json.dumps(again.log)
    assert first.injected == again.injected == wired.injected
    assert (first.calls, first.verdict) == (again.calls, again.verdict) == (wired.calls, wired.verdict)


def test_a_replay_of_the_plain_loop_is_the_same(stage: Stage) -> None:
    first, again = (play_plainly(stage, schedule_of(14)) for _ in range(2))
    assert first == again
