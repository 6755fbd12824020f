"""A process that stood still, was taken for dead, and goes on with what it knew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws.collecting import Wave
from groundswell.aws.fence import ReadTooLongAgo
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.ledger import Outcome
from tests.groundswell.aws.desk import Desk, Served

pytestmark = pytest.mark.contract

DISAGREE = ["setosa", "virginica", "versicolor", "setosa", "setosa"]


@pytest.fixture
def desk(shared_market: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(shared_market, tmp_path, monkeypatch)
    yield desk
    desk.clock.offset = timedelta()


def asleep(desk: Desk, run: LabelingRun) -> Wave:
    """A process that has recorded and paid two answers that differ, and is about to ask a third worker."""
    desk.publish(run)
    desk.answer(run, {"a": DISAGREE})
    wave = Wave(desk.again(run), run.ledger.fold())
    wave.take_late("a")
    return wave


def known_to(wave: Wave) -> dict[str, int]:
    """What a process knows when it decides to ask about item a."""
    return {"a": wave.extender.used("a")}


def hit_of(desk: Desk, run: LabelingRun) -> dict[str, Any]:
    [hit] = desk.hits_of(run, "a")
    return dict(desk.call("GetHIT", HITId=hit)["HIT"])


def test_no_call_is_sent_after_its_time(desk: Desk) -> None:
    run = desk.run(["a"])
    late = datetime.now(UTC) - timedelta(seconds=1)
    with run.mturk.signed_before(late):
        assert run.mturk.available_cents() > 0
        with pytest.raises(ReadTooLongAgo, match="CreateHITWithHITType is not sent"):
            run.mturk.create_hit(token="t", HITTypeId="3X", LifetimeInSeconds=60, Question="?")
    assert desk.hits_of(run, "a") == []
    with run.mturk.signed_before(datetime.now(UTC) + timedelta(minutes=1)):
        desk.publish(run)
    assert len(desk.hits_of(run, "a")) == 1


def test_a_time_ends_with_its_block(desk: Desk) -> None:
    run = desk.run(["a"])
    with run.mturk.signed_before(datetime.now(UTC) - timedelta(hours=1)):
        pass
    desk.publish(run)
    assert len(desk.hits_of(run, "a")) == 1


def test_an_item_that_another_process_asked_about_is_left(desk: Desk) -> None:
    run = desk.run(["a"])
    sleeper = asleep(desk, run)
    desk.collect(run)
    assert hit_of(desk, run)["MaxAssignments"] == 3
    desk.clock.offset = timedelta(hours=30)  # the token of that extension is forgotten
    assert sleeper.extender.ask(known_to(sleeper)) == {}
    assert hit_of(desk, run)["MaxAssignments"] == 3


def test_a_seat_that_was_opened_and_not_recorded_is_not_opened_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = desk.run(["a"])
    sleeper = asleep(desk, run)
    other = Wave(desk.again(run), run.ledger.fold())
    with monkeypatch.context() as patch:
        patch.setattr(type(other.run.ledger), "record", lambda *_: None)  # it dies before that
        assert other.extender.ask(known_to(other)) == {}
    desk.clock.offset = timedelta(hours=30)
    assert sleeper.extender.ask(known_to(sleeper)) == {}
    assert hit_of(desk, run)["MaxAssignments"] == 3
    assert run.ledger.fold().seats == {"a": 3}


def test_an_item_that_was_closed_meanwhile_stays_closed(desk: Desk) -> None:
    run = desk.run(["a"])
    sleeper = asleep(desk, run)
    run.ledger.append("outcomes", [{"item": "a", "outcome": "expired", "seats": 2, "rejected": 0}])
    assert sleeper.extender.ask(known_to(sleeper)) == {}
    assert hit_of(desk, run)["MaxAssignments"] == 2
    assert run.ledger.fold().outcomes == {"a": Outcome.EXPIRED}
    assert run.ledger.fold().reserved == {}


def test_an_expiration_that_was_moved_is_not_moved_again(desk: Desk) -> None:
    run = desk.run(["a"], task__lifetime="3d")
    sleeper = asleep(desk, run)
    desk.clock.offset = timedelta(days=2)
    other = Wave(desk.again(run), run.ledger.fold())
    later = (datetime.now(UTC) + timedelta(days=5)).replace(microsecond=0)
    hit = hit_of(desk, run)["HITId"]
    run.mturk.add_seats(hit, 1, token=other.extender._plan("a", 3)["token"])
    run.mturk.set_expiration(hit, later)
    # The other one reserved the seat, opened it, moved the expiration, and died before it recorded that
    run.ledger.write("reservations", "000000", [other.extender._plan("a", 3) | {"number": 0}])
    sleeper.extender.run.__dict__["mturk"] = run.mturk
    assert sleeper.extender.ask(known_to(sleeper)) == {}
    assert hit_of(desk, run)["Expiration"] == later
    assert run.ledger.fold().expires["a"] == later.isoformat(timespec="seconds")


def test_money_is_judged_by_what_is_recorded_now(desk: Desk) -> None:
    # 2 items x 2 answers = 24 cents; 30 leave one more
    run = desk.run(["a", "b"], spend__budget="0.30", spend__approve_above="9.00")
    desk.publish(run)
    sleeper = Wave(desk.again(run), run.ledger.fold())
    desk.answer(run, {"a": DISAGREE, "b": ["setosa"] * 2})
    sleeper.take_late("a")
    desk.collect(run)  # asks about a, which takes what is left, and settles b
    desk.answer(run, {"a": DISAGREE})
    desk.collect(run)
    assert run.ledger.fold().outcomes == {"a": Outcome.BUDGET, "b": Outcome.SETTLED}
    assert sleeper.extender.limit.committed_cents() == 24, "it knows of two answers and two open seats"
    assert sleeper.extender.ask(known_to(sleeper)) == {}
    assert sleeper.extender.limit.committed_cents() == run.ledger.fold().spent_cents == 30
    assert hit_of(desk, run)["MaxAssignments"] == 3


def test_funds_are_read_again_where_the_process_stood_still(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = desk.run(["a"])
    moments = iter([0, 3_600, 3_600, 3_600])
    start = datetime(2026, 3, 1, tzinfo=UTC)

    class Hours(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return start + timedelta(seconds=next(moments))

    balances = iter([(1, 2), (3, 4)])
    monkeypatch.setattr(spend, "datetime", Hours)
    monkeypatch.setattr(run.mturk, "balance_cents", lambda: next(balances))
    assert spend._funds(run)[1:] == (3, 4)
