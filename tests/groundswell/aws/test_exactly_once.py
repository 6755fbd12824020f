"""Kill the process before and after each of its effects, run it again, and look at the server."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from groundswell.aws.clearing import clear_hits
from groundswell.aws.progress import Progress
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Killed, Killer, Workbench

pytestmark = pytest.mark.contract

#: One item settles with two answers, one with three.
SCRIPT = {"a": ["setosa", "setosa"], "b": ["setosa", "virginica", "virginica"]}


def effects_of_publishing(bench: Workbench) -> int:
    killer = Killer()
    bench.publish(killer.watch(bench.again(bench.run(list(SCRIPT)))))
    return killer.effects


def effects_of_collecting(bench: Workbench) -> int:
    run = bench.run(list(SCRIPT))
    bench.publish(run)
    bench.answer(run, SCRIPT)
    killer = Killer()
    bench.collect(killer.watch(bench.again(run)))
    return killer.effects


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_publishing_killed_at_any_effect(bench: Workbench, after: bool) -> None:
    effects = effects_of_publishing(bench)
    assert effects >= 5, "a HIT type, an intent, two HITs, a record"
    for number in range(1, effects + 1):
        run = bench.run(list(SCRIPT))
        with pytest.raises(Killed):
            bench.publish(Killer(number, after=after).watch(bench.again(run)))
        bench.to_the_end(bench.again(run), SCRIPT)
        bench.check(run, SCRIPT)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_collecting_killed_at_any_effect(bench: Workbench, after: bool) -> None:
    effects = effects_of_collecting(bench)
    assert effects >= 12
    for number in range(1, effects + 1):
        run = bench.run(list(SCRIPT))
        bench.publish(run)
        bench.answer(run, SCRIPT)
        with pytest.raises(Killed):
            bench.collect(Killer(number, after=after).watch(bench.again(run)))
        progress = bench.to_the_end(bench.again(run), SCRIPT)
        bench.check(run, SCRIPT)
        assert (progress.settled, progress.answers, progress.spent_cents) == (2, 5, 30), f"effect {number}"


def test_twins_of_a_task_do_no_harm(bench: Workbench) -> None:
    run = bench.run([f"item-{number}" for number in range(8)])
    script = {f"item-{number}": ["setosa", "virginica", "setosa"] for number in range(8)}

    def twice(step: object) -> list[Progress]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda _: step(bench.again(run)), range(2)))  # type: ignore[operator]

    twice(bench.publish)
    for _ in range(3):
        bench.answer(run, script)
        twice(bench.collect)
    bench.check(run, script)
    assert bench.collect(run).settled == 8
    assert all(bench.seats_used(bench.hits_of(run, item)[0]) == 3 for item in script), "one seat more each"


def test_finished_run_done_again_changes_nothing(bench: Workbench) -> None:
    run = bench.run(list(SCRIPT))
    bench.to_the_end(run, SCRIPT)
    bench.check(run, SCRIPT)
    balance = run.mturk.available_cents()
    before = bench.market.counts("000000000000")
    bench.publish(bench.again(run))
    bench.collect(bench.again(run))
    after = bench.market.counts("000000000000")
    called = {name for name in after if after[name] != before.get(name)}
    mutating = {name for name in called if not name.startswith(("Get", "List"))}
    assert mutating <= {"CreateHITType"}, "the same type again, which is the API's way to look it up"
    assert clear_hits(bench.again(run)) == {"deleted": 2, "open": 0, "held": 0}
    assert clear_hits(bench.again(run)) == {"deleted": 2, "open": 0, "held": 0}
    bench.publish(bench.again(run))
    assert bench.collect(bench.again(run)).open == 0
    assert bench.all_hits() == []
    assert run.mturk.available_cents() == balance


def test_expired_token_is_replaced_by_looking_the_hit_up(bench: Workbench) -> None:
    run = bench.run(["a"], task__lifetime="3d")
    with pytest.raises(Killed):  # the HIT exists, its id was never recorded
        bench.publish(Killer(3, after=True).watch(bench.again(run)))
    long_ago = (datetime.now(UTC) - timedelta(hours=30)).isoformat(timespec="seconds")
    [part] = bench.folder.rglob("intents/*.jsonl")
    intent = json.loads(part.read_text())
    part.write_text(json.dumps(intent | {"at": long_ago}) + "\n")
    assert len(bench.hits_of(run, "a")) == 1
    # By now the service has forgotten the token: creating again would make a second HIT
    bench.clock.offset = timedelta(hours=30)
    bench.publish(bench.again(run))
    assert len(bench.hits_of(run, "a")) == 1
    assert list(run.ledger.fold().hits) == ["a"]


def test_foreign_hits_of_the_same_type_are_never_touched(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    state = run.ledger.fold()
    question = bench.call("GetHIT", HITId=state.hits["a"]["hit"])["HIT"]["Question"]
    foreign = bench.call(
        "CreateHITWithHITType",
        HITTypeId=state.hits["a"]["hit_type"],
        MaxAssignments=1,
        LifetimeInSeconds=3600,
        Question=question,
    )["HIT"]["HITId"]
    worker = bench.market.workers.ensure_worker("AFOREIGNER").worker_id
    bench.market.workers.submit(bench.market.workers.accept(worker, foreign).assignment_id, [("label", "x")])
    bench.answer(run, {"a": ["setosa"] * 2})
    assert bench.collect(run).settled == 1
    assert [each["AssignmentStatus"] for each in bench.assignments(foreign)] == ["Submitted"]
    assert bench.call("GetHIT", HITId=foreign)["HIT"]["HITStatus"] == "Reviewable"


def test_unreadable_answers_are_paid_quarantined_and_replaced(bench: Workbench) -> None:
    run = bench.run(["a", "b"])
    script = {"a": ["nonsense", "setosa", "setosa"], "b": ["", "setosa", "setosa"]}
    progress = bench.to_the_end(run, script)
    bench.check(run, script)
    assert (progress.settled, progress.quarantined, progress.answers) == (2, 2, 6)
    problems = {row["item"]: row["problem"] for row in run.ledger.fold().answers.values() if row["problem"]}
    assert problems == {
        "a": "label: 'nonsense' is not one of the labels",
        "b": "label: is missing",
    }


def test_budget_stops_extensions(bench: Workbench) -> None:
    # 2 items x 2 answers = 24 cents; 30 leave one extension
    run = bench.run(["a", "b"], spend__budget="0.30", spend__approve_above="9.00")
    script = {item: ["setosa", "virginica", "versicolor", "setosa"] for item in "ab"}
    progress = bench.to_the_end(run, script)
    bench.check(run, script)
    assert progress.spent_cents == 30
    assert sorted(run.ledger.fold().outcomes.values()) == [Outcome.BUDGET, Outcome.BUDGET]


def test_gives_up_at_the_most_answers(bench: Workbench) -> None:
    run = bench.run(["a"], redundancy={"rule": "agree", "agree": 3, "first": 2, "most": 4})
    script = {"a": ["setosa", "virginica", "setosa", "virginica"]}
    progress = bench.to_the_end(run, script)
    bench.check(run, script)
    assert run.ledger.fold().outcomes == {"a": Outcome.GAVE_UP}
    assert progress.answers == 4


def test_expired_hits_are_given_up_and_their_answers_paid(bench: Workbench) -> None:
    run = bench.run(["a"])
    bench.publish(run)
    hit = run.ledger.fold().hits["a"]["hit"]
    worker = bench.market.workers.ensure_worker("AONLYONE").worker_id
    bench.market.workers.submit(bench.market.workers.accept(worker, hit).assignment_id, [("label", "setosa")])
    run.mturk.expire(hit)
    progress = bench.collect(run)
    assert run.ledger.fold().outcomes == {"a": Outcome.EXPIRED}
    assert (progress.answers, progress.spent_cents, progress.open) == (1, 6, 0)


def test_late_answers_are_paid_before_their_hit_is_deleted(bench: Workbench) -> None:
    run = bench.run(["a"], redundancy={"rule": "agree", "agree": 2, "first": 3, "most": 5})
    bench.publish(run)
    hit = run.ledger.fold().hits["a"]["hit"]
    workers = [bench.market.workers.ensure_worker(f"ALATE{number}").worker_id for number in range(3)]
    held = [bench.market.workers.accept(worker, hit) for worker in workers]
    for assignment in held[:2]:
        bench.market.workers.submit(assignment.assignment_id, [("label", "setosa")])
    run.ledger.append("outcomes", [{"item": "a", "outcome": "settled"}])
    assert clear_hits(bench.again(run)) == {"deleted": 0, "open": 0, "held": 1}, "a worker is at it"
    bench.market.workers.submit(held[2].assignment_id, [("label", "setosa")])
    assert clear_hits(bench.again(run)) == {"deleted": 1, "open": 0, "held": 0}
    assert bench.again(run).ledger.fold().spent_cents == 18


def test_two_runs_have_hit_types_of_their_own(bench: Workbench) -> None:
    types = set()
    for _ in range(3):
        run = bench.run(["a"])
        bench.publish(run)
        types.add(run.ledger.fold().hits["a"]["hit_type"])
    assert len(types) == 3


def test_insufficient_funds_is_the_workforces_word(bench: Workbench) -> None:
    run = bench.run(["a"], task__reward="900.00", spend__budget="9999.00", spend__approve_above="9999.00")
    with pytest.raises(ClientError, match="insufficient funds"):
        bench.publish(run)
    assert bench.hits_of(run, "a") == []
