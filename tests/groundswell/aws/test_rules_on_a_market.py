"""The rules that are no plain agreement, at work on a real workforce: kills, twins, money, reviews."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import Wave
from groundswell.aws.reviewing import apply_reviews, propose_rejections, record_decision
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.consolidation.stopping.early import EarlyModel
from groundswell.ledger import Outcome
from tests.groundswell.aws.desk import Desk
from tests.groundswell.aws.workbench import Killed, Killer

pytestmark = pytest.mark.contract

LEAD = {"rule": "lead", "lead": 2, "first": 2, "most": 5}
CONFIDENCE = {"rule": "confidence", "confidence": 0.8, "first": 2, "most": 5}
#: One item on which all agree, one on which the first two do not.
SCRIPT = {"a": ["setosa"] * 5, "b": ["setosa", *["virginica"] * 4]}
TRUTH = ("setosa", "versicolor", "virginica")


def seats(desk: Desk, run: LabelingRun) -> dict[str, int]:
    """Seats of each item's HIT, by the workforce's word."""
    hits = run.ledger.fold().hits
    return {
        item: desk.call("GetHIT", HITId=row["hit"])["HIT"]["MaxAssignments"] for item, row in hits.items()
    }


def test_lead_asks_until_a_label_is_far_enough_ahead(desk: Desk) -> None:
    run = desk.run(["a", "b", "c"], redundancy=LEAD)
    script = {
        "a": ["setosa", "setosa"],
        "b": ["setosa", "virginica", "setosa", "setosa"],
        "c": ["setosa", "virginica", "setosa", "virginica"],
    }
    progress = desk.to_the_end(run, script)
    desk.check(run, script)
    outcomes = {"a": Outcome.SETTLED, "b": Outcome.SETTLED, "c": Outcome.GAVE_UP}
    assert run.ledger.fold().outcomes == outcomes
    assert (progress.answers, seats(desk, run)) == (10, {"a": 2, "b": 4, "c": 4})
    assert consolidate(run)["labelled"] == 2


def test_confidence_asks_where_those_who_answered_are_doubtful(desk: Desk) -> None:
    items = [f"i{number:02}" for number in range(18)]
    truth = {item: TRUTH[number % 3] for number, item in enumerate(items)}
    # Whoever takes part in an item is decided by who is free: good and poor workers meet in all combinations
    crowd = {"AGOOD1": 1.0, "AGOOD2": 1.0, "APOOR1": 0.4, "APOOR2": 0.4, "AGOOD3": 1.0, "AGOOD4": 1.0}
    run = desk.run(items, redundancy={**CONFIDENCE, "confidence": 0.95}, shard_items=500)
    desk.publish(run)
    names = list(crowd)
    for _ in range(8):
        for start in range(len(names)):
            turned = {name: crowd[name] for name in names[start:] + names[:start]}
            part = {item: truth[item] for number, item in enumerate(items) if number % len(names) == start}
            take_seats_of(desk, run, turned, part)
        progress = desk.collect(desk.again(run))
        if progress.open == 0:
            break
    state = desk.again(run).ledger.fold()
    assert progress.open == 0
    assert state.spent_cents == 6 * len(state.payments) == 6 * len(state.answers)
    assert max(seats(desk, run).values()) <= 5
    asked = Counter(len(state.answers_of(item)) for item in items)
    assert len(asked) > 1, f"some items need more workers than others: {asked}"
    assert asked[2] > 0, "two who are known to be good are enough"
    consolidate(desk.again(run))
    rows = {row["item"]: row["label"] for _, row in run.ledger.rows("labels")}
    assert sum(rows[item] == truth[item] for item in rows) >= 0.85 * len(rows) >= 0.85 * 14


def take_seats_of(desk: Desk, run: LabelingRun, crowd: Mapping[str, float], truth: Mapping[str, str]) -> None:
    hits = run.ledger.fold().hits
    for item in truth:
        there = {each["WorkerId"] for each in desk.assignments(hits[item]["hit"])}
        free = [worker for worker in crowd if worker not in there]
        for worker in free[: desk.seats_open(hits[item]["hit"])]:
            right = sum(f"{worker}{item}".encode()) % 10 < 10 * crowd[worker]
            submit(desk, run, item, worker, truth[item] if right else TRUTH[TRUTH.index(truth[item]) - 1])


def submit(desk: Desk, run: LabelingRun, item: str, worker: str, label: str) -> str:
    name = desk.market.workers.ensure_worker(worker).worker_id
    assignment = desk.market.workers.accept(name, run.ledger.fold().hits[item]["hit"]).assignment_id
    desk.market.workers.submit(assignment, [("item", item), ("label", label)], worker_id=name)
    return assignment


@contextmanager
def mortal(desk: Desk, run: LabelingRun, killer: Killer) -> Iterator[LabelingRun]:
    """The run as a process that lives as long as the killer allows, on the one client."""
    again = desk.again(run)
    events = again.mturk.conn.meta.events
    events.register("before-call.mturk", killer.before)
    events.register("after-call.mturk", killer.done)
    try:
        yield killer.watch_store(again)
    finally:
        events.unregister("before-call.mturk", killer.before)
        events.unregister("after-call.mturk", killer.done)


def first_answers(desk: Desk) -> LabelingRun:
    run = desk.run(list(SCRIPT), redundancy=CONFIDENCE)
    desk.publish(run)
    desk.answer(run, SCRIPT)
    return run


def test_collecting_by_confidence_killed_at_any_effect(desk: Desk) -> None:
    """Killed after one effect the world is as it is when killed before the next."""
    run, killer = first_answers(desk), Killer()
    with mortal(desk, run, killer) as process:
        desk.collect(process)
    undisturbed = desk.to_the_end(desk.again(run), SCRIPT)
    assert undisturbed.settled == 2
    assert undisturbed.extended == 1, "one item needs more than two answers"
    assert killer.effects >= 12
    for number in range(1, killer.effects + 1):
        run = first_answers(desk)
        with pytest.raises(Killed), mortal(desk, run, Killer(number, after=True)) as process:
            desk.collect(process)
        progress = desk.to_the_end(desk.again(run), SCRIPT)
        desk.check(run, SCRIPT)
        assert progress == undisturbed, f"effect {number}"
        clear_hits(desk.again(run))


# twins that know different things


def both(desk: Desk) -> tuple[LabelingRun, Wave, Wave]:
    """Two processes that have taken in the same two answers to item a, and have not decided yet."""
    run = desk.run(["a"], redundancy=CONFIDENCE)
    desk.publish(run)
    desk.answer(run, {"a": ["setosa", "virginica"]})
    Wave(desk.again(run), run.ledger.fold()).take_late("a")
    one, other = (Wave(desk.again(run), run.ledger.fold()) for _ in range(2))
    return run, one, other


SETTLED = {"a": Outcome.SETTLED}


def test_what_a_twin_settled_is_not_asked_about(desk: Desk) -> None:
    run, one, other = both(desk)
    assert one.extender.close(SETTLED, {"a": 2}) == ["a"]
    assert other.extender.ask({"a": 2}) == {}
    assert (seats(desk, run), run.ledger.fold().outcomes) == ({"a": 2}, SETTLED)
    assert run.ledger.fold("hits", "reservations", "outcomes").open_items == [], "so the sensor sees it"


def test_what_a_twin_asked_about_is_not_settled(desk: Desk) -> None:
    run, one, other = both(desk)
    assert one.extender.ask({"a": 2}) == {}
    assert other.extender.close(SETTLED, {"a": 2}) == []
    assert (seats(desk, run), run.ledger.fold().outcomes) == ({"a": 3}, {})


def test_nor_what_a_twin_is_about_to_ask(desk: Desk) -> None:
    run, one, other = both(desk)
    with desk.monkeypatch.context() as patch:
        patch.setattr(one.run.mturk, "add_seats", dies)
        with pytest.raises(Killed):
            one.extender.ask({"a": 2})
    assert other.extender.close(SETTLED, {"a": 2}) == []
    assert other.extender.is_meant("a")
    desk.collect(desk.again(run))
    assert (seats(desk, run), run.ledger.fold().outcomes) == ({"a": 3}, {}), "what was meant is carried out"


def dies(*_: Any, **__: Any) -> None:
    raise Killed


def test_of_two_who_write_at_once_the_second_looks_again(desk: Desk) -> None:
    run, one, other = both(desk)
    known = other.extender._known_reservations

    def overtaken() -> int:
        number = known()
        if number == 0:
            assert one.extender.ask({"a": 2}) == {}
        return number

    desk.monkeypatch.setattr(other.extender, "_known_reservations", overtaken)
    assert other.extender.close(SETTLED, {"a": 2}) == []
    assert (seats(desk, run), run.ledger.fold().outcomes) == ({"a": 3}, {})


def test_a_seat_that_was_meant_is_opened_though_the_rule_is_satisfied_by_now(desk: Desk) -> None:
    """An earlier attempt may have opened it: closed, the item would have a seat that nobody counts."""
    run = desk.run(["a", "b"], redundancy=CONFIDENCE)
    desk.publish(run)
    desk.answer(run, {"a": ["setosa", "virginica"]})
    opened = desk._mturk.add_seats
    with desk.monkeypatch.context() as patch:
        patch.setattr(desk._mturk, "add_seats", lambda *a, **k: (opened(*a, **k), dies()))
        with pytest.raises(Killed):
            desk.collect(desk.again(run))
    assert seats(desk, run)["a"] == 3
    wave = Wave(desk.again(run), run.ledger.fold())
    desk.monkeypatch.setattr(type(wave.rule), "judge", lambda _, standing: standing.asked * 0)
    wave.take_items(["a"])
    state = run.ledger.fold()
    assert (state.outcomes, state.seats["a"], seats(desk, run)["a"]) == ({}, 3, 3)


def test_settled_stays_settled_whatever_is_learnt_later(desk: Desk) -> None:
    run = desk.run(["a", *(f"b{number}" for number in range(6))], redundancy=CONFIDENCE)
    desk.publish(run)
    for worker in ("AONE", "ATWO"):
        submit(desk, run, "a", worker, "setosa")
    desk.collect(run)
    assert run.ledger.fold().outcomes == SETTLED
    for number in range(6):  # the two turn out to disagree with each other on everything else
        submit(desk, run, f"b{number}", "AONE", TRUTH[number % 3])
        submit(desk, run, f"b{number}", "ATWO", TRUTH[(number + 1) % 3])
    desk.collect(desk.again(run))
    assert run.ledger.fold().outcomes["a"] is Outcome.SETTLED
    assert seats(desk, run)["a"] == 2


# money, reviews, and how often the model is worked out


def test_the_budget_ends_what_confidence_asks_and_money_takes_it_up_again(desk: Desk) -> None:
    # 24 cents for certain; 30 leave one more answer
    run = desk.run(["a", "b"], redundancy=CONFIDENCE, spend__budget="0.30")
    script = {item: ["setosa", "virginica", "versicolor", "setosa", "setosa"] for item in "ab"}
    progress = desk.to_the_end(run, script)
    desk.check(run, script)
    assert progress.spent_cents == 30
    assert set(run.ledger.fold().outcomes.values()) == {Outcome.BUDGET}
    path = desk.batch_file(["a", "b"], redundancy=CONFIDENCE, spend__budget="0.60")
    assert str(path) == run.batch_path
    for _ in range(8):
        progress = desk.collect(desk.again(run))
        desk.answer(run, script)
    desk.check(run, script)
    assert (progress.open, Outcome.BUDGET in run.ledger.fold().outcomes.values()) == (0, False)
    assert 30 < progress.spent_cents <= 60


def test_a_rejected_answer_opens_its_seat_again(desk: Desk) -> None:
    review = {"agreement_below": 0.5, "minimum_answers": 2, "feedback": "It contradicts the others."}
    run = desk.run("ab", redundancy={**CONFIDENCE, "first": 3}, review=review)
    desk.publish(run)
    for item in "ab":
        for worker, label in {"AHONEST1": "setosa", "AHONEST2": "setosa", "ABAD": "virginica"}.items():
            submit(desk, run, item, worker, label)
    progress = desk.collect(run)
    assert (progress.withheld, progress.settled) == (2, 2), "two who agree are enough to look at the third"
    found = propose_rejections(desk.again(run))
    assert found["workers"] == [{"worker": "ABAD", "answers": 2}]
    record_decision(desk.again(run), ["ABAD"], by="rita", at="2026-01-01T00:00:00+00:00")
    apply_reviews(desk.again(run), ["ABAD"], "rita")
    assert seats(desk, run) == {"a": 4, "b": 4}
    assert sorted(run.ledger.fold().open_items) == ["a", "b"]
    for item in "ab":
        submit(desk, run, item, f"A{uuid.uuid4().hex[:13].upper()}", "setosa")
    progress = desk.collect(desk.again(run))
    assert (progress.settled, progress.rejected, progress.open) == (2, 2, 0)


def test_the_model_is_fitted_for_a_wave_and_not_for_every_fifty_items(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groundswell.aws.collecting.CHUNK", 2)
    items = [f"i{number}" for number in range(6)]
    run = desk.run(items, redundancy=CONFIDENCE)
    desk.publish(run)
    desk.answer(run, {item: ["setosa", "virginica", "setosa"] for item in items})
    fitted = []
    fit = EarlyModel.fit.__func__
    monkeypatch.setattr(
        EarlyModel,
        "fit",
        classmethod(lambda kind, *a, **k: (fitted.append(len(a[0])), fit(kind, *a, **k))[1]),
    )
    progress = desk.collect(desk.again(run))
    assert (progress.answers, fitted) == (12, [12]), "once, by all that the wave brought"
