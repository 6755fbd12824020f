"""A net that catches nothing proves nothing: each defect put into the product must be found."""

from __future__ import annotations

import contextlib
import itertools
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Any

import pytest

from groundswell.aws import publishing
from groundswell.aws.collecting import Wave
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.limits import RunLimit
from tests.tools.chaos.chaos_chunks import staged
from tools.chaos import simulation
from tools.chaos.plain_loop import play_plainly
from tools.chaos.processes import Fate
from tools.chaos.schedule import Schedule, schedule_of
from tools.chaos.simulation import play
from tools.chaos.stage import Stage

pytestmark = pytest.mark.contract

NOTHING = Fate()
TWO_ITEMS = ("a", "b")


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    yield from staged()


def first_wrong(stage: Stage, fault: str, schedules: Iterable[Schedule]) -> Schedule:
    """Return the first schedule with such a fault."""
    for schedule in schedules:
        if getattr(play(stage, schedule).verdict, fault):
            return schedule
    raise AssertionError(f"no {fault}")


def any_of(count: int) -> Iterator[Schedule]:
    """Schedules as they come."""
    return map(schedule_of, range(count))


@pytest.fixture(autouse=True)
def soon_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong stays wrong: reconcile and report refuse, however often they are tried."""
    monkeypatch.setattr(simulation, "MOST_ATTEMPTS", 30)


@dataclass(frozen=True)
class Scripted(Schedule):
    """A schedule in which nothing goes wrong but what happens to the fourth attempt: the first to publish."""

    fourth: Fate = NOTHING
    attempts: Iterator[int] = field(default_factory=itertools.count, compare=False)

    def fate(self, chance: random.Random) -> Fate:
        return self.fourth if next(self.attempts) == 3 else NOTHING


def a_day_after(fates: Iterable[Fate]) -> Iterator[Schedule]:
    """Schedules in which publishing meets a fate, and nobody looks for a day; nor once it is done."""
    quiet = {"fault_rate": 0.0, "put_fault_rate": 0.0, "trouble": 0.0, "day_off": 1.0}
    for fate in fates:
        plain = replace(schedule_of(0), items=TWO_ITEMS, clears=(), outages=(), **quiet)
        plain = replace(plain, jumps=((6, 25 * 3_600.0),))
        batch = plain.batch | {"task__lifetime": "30d", "shard_items": 500}
        options = {each.name: getattr(plain, each.name) for each in fields(Schedule)} | {"batch": batch}
        yield Scripted(**options, fourth=fate)


def test_publishing_without_a_token_makes_second_hits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def tokenless(hook: MTurkHook, *, token: str, on_existing: Any, **request: Any) -> str:
        return str(hook.conn.create_hit_with_hit_type(**request)["HIT"]["HITId"])

    monkeypatch.setattr(MTurkHook, "create_hit", tokenless)
    # What a task that is tried again looks up is found; but a client tries again by itself
    unreliable = (replace(each, fault_rate=0.5, trouble=0.0) for each in any_of(20))
    assert first_wrong(stage, "duplicate_hits", unreliable)


def test_old_tokens_that_are_trusted_make_second_hits(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_recover", lambda *_: {})
    monkeypatch.setattr(publishing, "TOKEN_LIFE", timedelta(days=9))
    assert first_wrong(
        stage, "duplicate_hits", a_day_after(Fate(kill_at=effect, after=True) for effect in range(1, 8))
    )


def test_a_process_that_wakes_up_a_day_later_is_held_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleepers = [Fate(sleep_at=effect) for effect in range(1, 8)]
    for schedule in a_day_after(sleepers):
        assert play(stage, schedule).verdict.problems == []
    with monkeypatch.context() as patch:
        patch.setattr(MTurkHook, "signed_before", lambda *_: contextlib.nullcontext())
        assert first_wrong(stage, "duplicate_hits", a_day_after(sleepers))


def test_payments_that_are_not_recorded_are_missed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    pay = Wave.payment_row

    def forgetful(wave: Wave, item: str, assignment: Any) -> None:
        pay(wave, item, assignment)

    monkeypatch.setattr(Wave, "payment_row", forgetful)
    verdict = play(stage, first_wrong(stage, "cents_off", a_day_after([NOTHING]))).verdict
    assert verdict.unrecorded >= 1
    assert verdict.cents_off == 6 * verdict.unrecorded


def test_a_budget_that_is_not_kept_is_seen(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunLimit, "cents", property(lambda _: 100_000))
    assert first_wrong(stage, "overheld_cents", any_of(60))


def test_extending_without_a_token_opens_seats_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    add = MTurkHook.add_seats

    def twice(hook: MTurkHook, hit_id: str, count: int, *, token: str) -> None:
        add(hook, hit_id, count, token=uuid.uuid4().hex)
        add(hook, hit_id, count, token=uuid.uuid4().hex)

    monkeypatch.setattr(MTurkHook, "add_seats", twice)
    assert first_wrong(stage, "overheld_cents", any_of(60))


def test_the_plain_loop_publishes_twice_and_pays_too_little(stage: Stage) -> None:
    verdicts = [play_plainly(stage, schedule_of(seed)).verdict for seed in range(15)]
    assert sum(verdict.duplicate_hits for verdict in verdicts) >= 5
    assert sum(verdict.lost_answers for verdict in verdicts) >= 5
    assert sum(verdict.unpaid for verdict in verdicts) >= 5


def test_the_plain_loop_does_well_where_nothing_goes_wrong(stage: Stage) -> None:
    quiet = next(
        seed
        for seed in range(500)
        if not ((schedule := schedule_of(seed)).fault_rate or schedule.trouble or schedule.outages)
    )
    assert play_plainly(stage, schedule_of(quiet)).verdict.problems == []
