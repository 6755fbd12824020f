"""The crowd at work on a real market, step by step on a clock that the test moves."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from workforce.clock import ManualClock
from workforce.crowd import CrowdPlan, CrowdRunner
from workforce.crowd.behaviour import answer, form_answers, members
from workforce.market import Market, MarketError, ServiceFault

ACCOUNT = "000000000000"
LABELS = ["setosa", "versicolor", "virginica"]
PACE: dict[str, Any] = {
    "speed": {"median": "6s", "spread": 0.3},
    "arrival": {"first": "1m", "every": "10m", "session": "9m"},
}
HONEST: dict[str, Any] = {"name": "good", "count": 6, "skill": {"accuracy": 0.8}, **PACE}
ALL_DAY = {"every": "1h", "session": "1h"}
PlanMaker = Callable[..., CrowdPlan]
Publish = Callable[..., str]
Answers = Callable[[str], dict[str, str]]


@pytest.fixture
def run(market: Market, clock: ManualClock) -> Callable[..., CrowdRunner]:
    """Runs a crowd for some simulated seconds, in small steps."""

    def go(
        plan: CrowdPlan, seconds: float, step: float = 5.0, crowd: CrowdRunner | None = None
    ) -> CrowdRunner:
        runner = crowd or CrowdRunner(market, plan)
        runner.step(clock.now())
        for _ in range(int(seconds / step)):
            clock.advance(step)
            runner.step(clock.now())
        return runner

    return go


def label(xml: str) -> str | None:
    found = re.search(r"<QuestionIdentifier>label</QuestionIdentifier>\n<FreeText>(.*?)</FreeText>", xml)
    return found[1] if found else None


def given(answers: Answers, hits: dict[str, str]) -> dict[tuple[str, str], str | None]:
    return {(worker, item): label(xml) for hit, item in hits.items() for worker, xml in answers(hit).items()}


def test_the_crowd_answers_every_hit_as_the_seed_says(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner], market: Market
) -> None:
    hits = {publish(f"item-{number}", seats=3): f"item-{number}" for number in range(12)}
    plan = make_plan(HONEST)
    runner = run(plan, 600)
    by_id = {member.worker_id: member for member in members(plan)}
    turns = given(answers, hits)
    assert len(turns) == runner.stats.answers == 36
    assert turns == {(worker, item): answer(plan, by_id[worker], item, LABELS) for worker, item in turns}
    statuses = {market.requester.call("GetHIT", ACCOUNT, {"HITId": hit})["HIT"]["HITStatus"] for hit in hits}
    assert statuses == {"Reviewable"}


def test_timing_and_company_do_not_change_an_answer(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    first = {publish(f"item-{number}", seats=6): f"item-{number}" for number in range(5)}
    run(make_plan(HONEST), 600)
    second = {publish(f"item-{number}", seats=9): f"item-{number}" for number in reversed(range(5))}
    other = {"name": "dice", "count": 2, "behaviour": "random_spammer", **PACE}
    run(make_plan(other, HONEST, speed_up=3), 400, step=2)
    before, after = given(answers, first), given(answers, second)
    assert len(before) == 30
    assert before.items() <= after.items()


def test_hidden_fields_are_sent_and_the_assignment_id_is_not_an_answer(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    hit = publish("item-1", seats=1)
    run(make_plan(HONEST), 300)
    (xml,) = answers(hit).values()
    assert re.findall("<QuestionIdentifier>(.*?)</", xml) == ["batch", "label"]
    assert "<FreeText>b-1</FreeText>" in xml


def test_sloppy_forms_arrive_and_never_break_the_market(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    sloppy = {"behaviour": "sloppy_form", "skill": {"accuracy": 1}, "sloppy_rate": 1}
    hits = {publish(f"item-{number}"): f"item-{number}" for number in range(12)}
    runner = run(make_plan({"name": "s", "count": 3, **sloppy, **PACE}), 900)
    labels = list(given(answers, hits).values())
    assert len(labels) == 24
    assert not set(labels) & set(LABELS)
    assert runner.stats.faults == 0


def test_a_returned_hit_is_done_by_others(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    hits = [publish(f"item-{number}", seats=1) for number in range(6)]
    picky = {**HONEST, "name": "picky", "return_rate": 1}
    runner = run(make_plan(picky, {**HONEST, "count": 1}), 900)
    assert runner.stats.returned > 0
    assert [list(answers(hit)) for hit in hits] == [["AGOOD0001"]] * 6
    per_worker = runner.stats.returned / 6
    assert per_worker <= 6, "nobody takes a HIT again that it gave back"


def test_an_abandoned_hit_comes_back_when_its_time_is_over(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    hit = publish("item-1", seats=1, duration=60)
    lost = {
        **HONEST,
        "name": "lost",
        "count": 1,
        "abandon_rate": 1,
        "arrival": {"every": "10m", "session": "9m"},
    }
    late = {**HONEST, "count": 1, "arrival": {"first": "200s", "every": "30m", "session": "20m"}}
    runner = run(make_plan(lost, late, seed=3), 40)
    assert (runner.stats.abandoned, answers(hit)) == (1, {})
    run(make_plan(lost, late, seed=3), 400, crowd=runner)
    assert list(answers(hit)) == ["AGOOD0001"]


def test_work_in_hand_is_finished_after_a_restart(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner], market: Market
) -> None:
    hit = publish("item-1", seats=1)
    plan = make_plan({**HONEST, "count": 1, "arrival": {"every": "10m", "session": "9m"}})
    market.workers.ensure_worker("AGOOD0001")
    market.workers.accept("AGOOD0001", hit)
    run(plan, 60)
    assert list(answers(hit)) == ["AGOOD0001"]


def test_an_unknown_item_is_guessed_and_noted_once(
    make_plan: PlanMaker,
    publish: Publish,
    answers: Answers,
    run: Callable[..., CrowdRunner],
    caplog: pytest.LogCaptureFixture,
) -> None:
    hits = [publish("new-1", seats=4), publish("new-2", seats=4)]
    with caplog.at_level(logging.WARNING, "workforce.crowd"):
        runner = run(make_plan({**HONEST, "skill": {"accuracy": 1}}), 600)
    assert runner.stats.unknown_items == 2
    assert [record.getMessage() for record in caplog.records] == [
        "item new-1 is not in the answer key: the crowd guesses"
    ]
    assert {label(xml) for hit in hits for xml in answers(hit).values()} <= set(LABELS)


@pytest.mark.parametrize(
    "html", ["<p>no form</p>", '<p data-item="item-1"></p><form><input name=other></form>']
)
def test_a_page_that_nobody_can_answer_is_left_alone(
    make_plan: PlanMaker,
    publish: Publish,
    answers: Answers,
    run: Callable[..., CrowdRunner],
    html: str,
    market: Market,
) -> None:
    odd, good = publish("item-1", html=html), publish("item-2", seats=1)
    runner = run(make_plan(HONEST), 600)
    assert answers(odd) == {}
    assert len(answers(good)) == 1
    assert market.workers.listing(odd).seats_available == 2
    assert runner.stats.faults == 0


def test_hits_that_expire_or_go_away_under_way_are_no_trouble(
    make_plan: PlanMaker, publish: Publish, run: Callable[..., CrowdRunner], answers: Answers
) -> None:
    publish("item-1", seats=9, lifetime=30)
    slow = {**HONEST, "speed": {"median": "200s", "spread": 0}}
    missed = publish("item-2", seats=1, duration=60)
    runner = run(make_plan(slow), 900)
    assert runner.stats.faults == 0
    assert runner.stats.refused > 0
    assert answers(missed) == {}


def test_faults_are_logged_and_survived(
    make_plan: PlanMaker,
    publish: Publish,
    answers: Answers,
    run: Callable[..., CrowdRunner],
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hit = publish("item-1", seats=6)
    real, calls = market.workers.available, []

    def flaky(*args: Any, **options: Any) -> Any:
        calls.append(args)
        if len(calls) <= 20:
            raise ServiceFault("try again") if len(calls) % 2 else RuntimeError("broken")
        return real(*args, **options)

    monkeypatch.setattr(market.workers, "available", flaky)
    runner = run(make_plan({**HONEST, "arrival": {"every": "30m", "session": "30m"}}), 900)
    assert runner.stats.faults == 20
    assert len([record for record in caplog.records if record.exc_info]) == 5, "1st, 2nd, 4th, 8th, 16th"
    assert len(answers(hit)) == 6


def test_an_idle_crowd_leaves_the_database_in_peace(
    make_plan: PlanMaker, run: Callable[..., CrowdRunner], market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    real = market.workers.available
    monkeypatch.setattr(market.workers, "available", lambda *a, **o: calls.append(a) or real(*a, **o))
    run(
        make_plan({**HONEST, "count": 200, "arrival": ALL_DAY}, speed_up=20),
        60,
        step=1,
    )
    assert len(calls) <= 200 + 60 * 4 + 200  # each arrival looks once, then at most four looks a second


def test_word_of_new_work_gets_round(
    make_plan: PlanMaker, publish: Publish, run: Callable[..., CrowdRunner], market: Market
) -> None:
    slow = {"median": "1h", "spread": 0}
    plan = make_plan({**HONEST, "count": 40, "speed": slow, "arrival": ALL_DAY}, speed_up=10)
    runner = run(plan, 60, step=1)
    hits = [publish(f"item-{number}", seats=5) for number in range(8)]
    run(plan, 4, step=0.5, crowd=runner)  # at four looks a second 40 workers would need 10 s
    free = sum(market.workers.listing(hit).seats_available for hit in hits)
    assert free < 8, "sessions end, so a few may be away"


def test_step_tells_when_to_come_again(
    make_plan: PlanMaker, publish: Publish, market: Market, clock: ManualClock
) -> None:
    runner = CrowdRunner(market, make_plan({**HONEST, "count": 1, "arrival": ALL_DAY}))
    wait = runner.step(clock.now())
    assert wait == pytest.approx(1.0)
    clock.advance(0.5)
    assert runner.step(clock.now()) == pytest.approx(0.5)


def test_the_thread_works_and_stops_promptly(
    make_plan: PlanMaker, publish: Publish, answers: Answers, market: Market
) -> None:
    hit = publish("item-1", seats=3)
    fast = {**HONEST, "arrival": {"every": "10m", "session": "9m"}}
    runner = CrowdRunner(market, make_plan(fast, speed_up=200))
    runner.start()
    with pytest.raises(RuntimeError, match="at work already"):
        runner.start()
    [thread] = [each for each in threading.enumerate() if each.name == "workforce-crowd"]
    until = time.monotonic() + 60
    while len(answers(hit)) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    runner.stop()
    assert not thread.is_alive(), "stop() gives up waiting after five seconds"
    assert len(answers(hit)) == 3
    done = runner.stats.answers
    publish("item-2")
    time.sleep(0.1)
    assert runner.stats.answers == done


def test_what_the_market_refuses_is_no_fault(
    make_plan: PlanMaker,
    publish: Publish,
    run: Callable[..., CrowdRunner],
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    publish("item-1")

    def refuse(*_: Any) -> Any:
        raise MarketError("taken by somebody else")

    monkeypatch.setattr(market.workers, "accept", refuse)
    runner = run(make_plan(HONEST), 60)
    assert runner.stats.refused > 0
    assert (runner.stats.faults, runner.stats.answers) == (0, 0)


def test_a_hit_that_cannot_be_parsed_is_left_alone_and_the_others_are_done(
    make_plan: PlanMaker, publish: Publish, answers: Answers, run: Callable[..., CrowdRunner]
) -> None:
    odd = [publish("item-0", html="<![foo[x <form></form>"), publish("item-1", html="<form>" + "<a x" * 9000)]
    good = publish("item-2", seats=3)
    runner = run(make_plan(HONEST), 300)
    assert len(answers(good)) == 3
    assert [len(answers(hit)) for hit in odd] == [0, 0]
    assert runner.stats.faults == 0


def test_a_form_that_cannot_be_answered_is_given_back(
    make_plan: PlanMaker,
    publish: Publish,
    answers: Answers,
    run: Callable[..., CrowdRunner],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad, good = publish("item-0"), publish("item-1")

    def odd(plan: Any, member: Any, task: Any, item: str) -> dict[str, str | None]:
        if item == "item-0":
            raise IndexError("nothing to choose from")
        return form_answers(plan, member, task, item)

    monkeypatch.setattr("workforce.crowd.simulation.form_answers", odd)
    runner = run(make_plan(HONEST), 300)
    assert (len(answers(bad)), len(answers(good))) == (0, 2)
    assert (runner.stats.faults, runner.stats.returned) == (0, 1)
