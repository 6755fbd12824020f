"""The trigger: when it fires, what it puts up with, and that it only ever reads."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from groundswell.aws.triggers import mturk as module
from groundswell.aws.triggers.mturk import PATIENCE, QUIET_SECONDS, MTurkReviewableTrigger
from tests.groundswell.aws.desk import Desk, connection
from tests.groundswell.aws.workbench import KEYS

Poll = Sequence[str] | Exception
DOWN = EndpointConnectionError(endpoint_url="http://127.0.0.1:9/")


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "ListReviewableHITs")


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.naps = 1000.0, list[float]()
        fake = SimpleNamespace(sleep=self.sleep, run=asyncio.run)
        monkeypatch.setattr(module, "asyncio", fake)
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    @property
    def passed(self) -> float:
        return self.now - 1000.0


class Script:
    """A hook whose polls are written down; the last one goes on for ever."""

    def __init__(self, *polls: Poll) -> None:
        self.polls, self.asked, self.listed = list(polls), 0, 0

    async def get_async_conn(self) -> Any:
        return contextlib.nullcontext()

    async def areviewable(self, _: Any, hit_type_id: str) -> AsyncIterator[str]:
        assert hit_type_id == "3TYPE"
        poll = self.polls[min(self.asked, len(self.polls) - 1)]
        self.asked += 1
        if isinstance(poll, Exception):
            raise poll
        for hit in poll:
            self.listed += 1
            yield hit


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def trigger(**changes: Any) -> MTurkReviewableTrigger:
    arguments = {"hit_type_id": "3TYPE", "minimum": 2, "max_wait": 60, "poll_interval": 20}
    return MTurkReviewableTrigger(**arguments | changes)


def fire(one: MTurkReviewableTrigger, script: Script | None = None) -> dict[str, Any]:
    """Run a trigger to its end; return the one event's payload."""
    if script is not None:
        one.hook = lambda: script  # type: ignore[method-assign, assignment, return-value]

    async def collect() -> list[Any]:
        return [event.payload async for event in one.run()]

    events = asyncio.run(collect())
    assert len(events) == 1
    return dict(events[0])


def test_it_can_be_made_again_from_what_it_stores() -> None:
    one = trigger(ignore=["3OTHER"], aws_conn_id="crowd", region_name="us-west-2", max_wait=None)
    path, arguments = one.serialize()
    name, _, cls = path.rpartition(".")
    again = getattr(importlib.import_module(name), cls)(**arguments)
    assert isinstance(again, MTurkReviewableTrigger)
    assert again.serialize() == (path, arguments)
    assert arguments.keys() == inspect.signature(MTurkReviewableTrigger.__init__).parameters.keys() - {"self"}
    assert (again.hook().aws_conn_id, again.hook()._region_name) == ("crowd", "us-west-2")
    assert again.hook().client_type == "mturk"


@pytest.mark.parametrize(("interval", "first"), [(1, QUIET_SECONDS), (40, 40)])
def test_quiet_time(time: Time, interval: float, first: float) -> None:
    # An event within seconds of the deferral may fail the task (apache/airflow 71580)
    payload = fire(trigger(poll_interval=interval), Script(["a", "b", "c"]))
    assert payload == {"status": "success", "reviewable": 2}
    assert QUIET_SECONDS >= 10
    assert time.naps == [first]


def test_it_waits_for_the_minimum(time: Time) -> None:
    script = Script([], ["a"], ["a", "b"])
    assert fire(trigger(), script) == {"status": "success", "reviewable": 2}
    assert (script.asked, time.naps) == (3, [20, 20, 20])


def test_it_lists_no_more_than_it_needs(time: Time) -> None:
    script = Script([f"hit-{number}" for number in range(1000)])
    fire(trigger(minimum=3), script)
    assert script.listed == 3


def test_fewer_are_taken_once_they_have_waited(time: Time) -> None:
    script = Script([], [], ["a"])
    assert fire(trigger(), script) == {"status": "success", "reviewable": 1}
    assert time.passed == 60 + 60, "the first was seen at 60"


def test_fewer_that_went_away_wait_anew(time: Time) -> None:
    script = Script(["a"], [], ["a"])
    fire(trigger(), script)
    assert time.passed == 60 + 60


def test_without_a_longest_wait_it_waits_for_the_minimum(time: Time) -> None:
    script = Script(*[["a"]] * 50, ["a", "b"])
    assert fire(trigger(max_wait=None), script)["reviewable"] == 2
    assert script.asked == 51


def test_foreign_hits_do_not_count(time: Time) -> None:
    script = Script(["x", "y", "a"], ["x", "y", "a", "b"])
    assert fire(trigger(ignore=["x", "y"]), script)["reviewable"] == 2
    assert script.asked == 2


@pytest.mark.parametrize("problem", [DOWN, error("ServiceFault"), error("ThrottlingException")])
def test_it_puts_up_with_what_passes(time: Time, problem: Exception) -> None:
    script = Script(*[problem] * (PATIENCE - 1), [], *[problem] * (PATIENCE - 1), ["a", "b"])
    assert fire(trigger(), script) == {"status": "success", "reviewable": 2}
    assert script.asked == 2 * PATIENCE


def test_but_not_for_ever(time: Time) -> None:
    script = Script(DOWN)
    payload = fire(trigger(aws_conn_id="crowd"), script)
    assert payload["status"] == "error"
    assert payload["message"] == f"connection 'crowd': polling for answers: {DOWN}"
    assert script.asked == PATIENCE


@pytest.mark.parametrize(
    "problem",
    [error("InvalidSignatureException"), error("UnrecognizedClientException"), NoCredentialsError()],
    ids=["secret", "key", "none"],
)
def test_credentials_do_not_pass(time: Time, problem: Exception) -> None:
    script = Script([], problem)
    payload = fire(trigger(), script)
    assert (payload["status"], script.asked) == ("error", 2)
    assert "polling for answers: " in payload["message"]


def test_waiting_on_the_worker(time: Time) -> None:
    one = trigger()
    one.hook = lambda: Script(["a", "b"])  # type: ignore[method-assign, assignment, return-value]
    one.wait_here()
    one.hook = lambda: Script(NoCredentialsError())  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(AirflowException, match="polling for answers: Unable to locate credentials"):
        one.wait_here()


# against a real server


@pytest.mark.contract
def test_it_only_reads(desk: Desk, time: Time) -> None:
    run = desk.run(["a", "b", "c"])
    desk.publish(run)
    desk.answer(run, {"a": ["setosa"] * 2, "b": ["setosa"] * 2})
    hit_type = run.ledger.fold().hits["a"]["hit_type"]
    before = desk.market.counts(KEYS["test"].account)
    assert fire(trigger(hit_type_id=hit_type)) == {"status": "success", "reviewable": 2}
    assert fire(trigger(hit_type_id=hit_type, minimum=3))["reviewable"] == 2
    after = desk.market.counts(KEYS["test"].account)
    called = {name for name in after if after[name] != before.get(name, 0)}
    assert called == {"ListReviewableHITs"}


@pytest.mark.contract
def test_wrong_secret_at_a_real_server(desk: Desk, time: Time) -> None:
    desk.monkeypatch.setenv("AIRFLOW_CONN_CROWD", connection(desk.url, password="wrong"))
    payload = fire(trigger(aws_conn_id="crowd"))
    assert payload["status"] == "error"
    assert payload["message"].startswith("connection 'crowd': polling for answers: ")
    assert "InvalidSignatureException" in payload["message"]
