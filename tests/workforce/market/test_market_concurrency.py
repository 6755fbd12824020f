from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from workforce.market import Market, MarketError, Refused, RequestError
from workforce.store import Store
from workforce.store.tables import hits, tokens

ROOT = Path(__file__).parents[3]


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """Run all in threads that start together; the results, or the exceptions, in order."""
    barrier = threading.Barrier(len(actions))
    results: list[Any] = [None] * len(actions)

    def run(number: int) -> None:
        barrier.wait()
        try:
            results[number] = actions[number]()
        except Exception as error:
            results[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_one_of_several_gets_the_last_seat(desk: Any) -> None:
    names = [f"AW{number}" for number in range(6)]
    for name in names:
        desk.market.workers.ensure_worker(name)
    for _ in range(5):
        hit = desk.hit(2)
        desk.accept("AWX", hit)
        results = at_once(*(partial(desk.market.workers.accept, name, hit) for name in names))
        refusals = [result for result in results if isinstance(result, Refused)]
        assert len(refusals) == len(names) - 1
        assert {refusal.reason for refusal in refusals} == {"no_seat"}
        assert desk.state(hit) == ("Unassignable", 0, 2, 0)


def test_a_worker_who_clicks_twice_gets_one_assignment(desk: Any) -> None:
    hit = desk.hit(5)
    desk.market.workers.ensure_worker("AWA")
    results = at_once(*[lambda: desk.market.workers.accept("AWA", hit)] * 4)
    assert sum(isinstance(result, Refused) and result.reason == "taken" for result in results) == 3
    (view,) = [result for result in results if not isinstance(result, Refused)]
    submissions = at_once(*[lambda: desk.market.workers.submit(view.assignment_id, [("label", "x")])] * 4)
    assert sum(isinstance(result, Refused) and result.reason == "closed" for result in submissions) == 3
    assert desk.state(hit) == ("Assignable", 4, 0, 0)


def test_a_token_used_by_several_at_once_makes_one_hit(desk: Any) -> None:
    hit_type = desk.hit_type()
    results = at_once(*[lambda: desk.hit(1, hit_type=hit_type, UniqueRequestToken="t")] * 4)
    (hit,) = [result for result in results if isinstance(result, str)]
    errors = [str(result) for result in results if isinstance(result, RequestError)]
    assert errors == [f'The HIT with ID "{hit}" already exists.'] * 3


def test_an_assignment_is_paid_once(desk: Any) -> None:
    hit = desk.hit(1)
    assignment = desk.submit("AWA", hit)
    results = at_once(*[lambda: desk.call("ApproveAssignment", AssignmentId=assignment)] * 4)
    assert sum(result == {} for result in results) == 1
    assert desk.market.workers.earnings("AWA").paid_cents == 5
    assert desk.balance() == ("9999.94", "0.00")


def test_a_token_used_by_several_at_once_gives_one_bonus(desk: Any) -> None:
    first, second = desk.submit("AWA", desk.hit(1)), desk.submit("AWA", desk.hit(1))
    common = {"WorkerId": "AWA", "BonusAmount": "1.00", "Reason": "r", "UniqueRequestToken": "t"}
    results = at_once(
        *(partial(desk.call, "SendBonus", AssignmentId=each, **common) for each in (first, second) * 3)
    )
    assert sum(result == {} for result in results) == 1
    errors = {str(result) for result in results if isinstance(result, RequestError)}
    assert len(errors) == 1
    assert "has already been processed" in errors.pop()
    assert desk.market.workers.earnings("AWA").paid_cents == 100
    assert desk.balance() == ("9998.68", "0.12")


def test_the_last_money_is_given_away_once(make_desk: Any) -> None:
    desk = make_desk(opening_cents=18)
    assignment = desk.submit("AWA", desk.hit(1))
    params = {"AssignmentId": assignment, "WorkerId": "AWA", "BonusAmount": "0.05", "Reason": "r"}
    results = at_once(*[lambda: desk.call("SendBonus", **params)] * 5)
    assert sum(result == {} for result in results) == 2
    assert desk.balance() == ("0.00", "0.06")
    assert desk.market.audit(desk.account) == []


def test_the_last_money_is_spent_once(make_desk: Any) -> None:
    desk = make_desk(opening_cents=12)
    hit_type = desk.hit_type()
    results = at_once(*[lambda: desk.hit(1, hit_type=hit_type)] * 5)
    assert sum(isinstance(result, str) for result in results) == 2
    assert desk.balance() == ("0.00", "0.12")
    assert desk.market.audit(desk.account) == []


def test_deposits_beside_a_server_at_work_all_count(desk: Any, store_url: str) -> None:
    """`python -m workforce deposit` is a process with a database connection of its own."""
    hit_type = desk.hit_type()
    with closing(Store.open(store_url)) as store:
        beside = Market(store, clock=desk.clock).requester.accounts
        results = at_once(
            *[partial(beside.deposit, desk.account, 1_000)] * 3, *[lambda: desk.hit(1, hit_type=hit_type)] * 3
        )
    assert not [result for result in results if isinstance(result, Exception)]
    assert desk.balance() == ("10029.82", "0.18")
    assert desk.market.audit(desk.account) == []


def test_identical_types_made_at_once_are_one(desk: Any) -> None:
    results = at_once(*[lambda: desk.hit_type(reward="0.17")] * 4)
    assert len(set(results)) == 1


def test_qualifications_made_and_granted_at_once_are_one(desk: Any) -> None:
    results = at_once(*[lambda: desk.qualification("Make-up")] * 4)
    (type_id,) = [result for result in results if isinstance(result, str)]
    assert sum("already created" in str(result) for result in results) == 3
    results = at_once(*(partial(desk.grant, type_id, "AWA", value) for value in range(4)))
    assert results == [None] * 4
    listed = desk.call("ListWorkersWithQualificationType", QualificationTypeId=type_id)["Qualifications"]
    assert [each["WorkerId"] for each in listed] == ["AWA"]
    assert desk.market.inbox.count("AWA") == 1, "one grant, one message"
    key = {"QualificationTypeId": type_id, "WorkerId": "AWA"}
    results = at_once(*[lambda: desk.call("DisassociateQualificationFromWorker", **key)] * 3)
    assert sum(result == {} for result in results) == 1
    assert sum("status of: Granted" in str(result) for result in results) == 2


def test_timers_in_several_threads_act_once(desk: Any) -> None:
    hit_type = desk.hit_type(AutoApprovalDelayInSeconds=400)
    found = [desk.hit(3, lifetime=60, hit_type=hit_type) for _ in range(8)]
    for hit in found:
        desk.submit("AWA", hit)
        desk.accept("AWB", hit)
    desk.clock.advance(1000)
    results = at_once(*[desk.market.run_timers, desk.balance] * 3)
    assert not [result for result in results if isinstance(result, Exception)]
    assert {desk.state(hit) for hit in found} == {("Reviewable", 2, 0, 1)}
    assert desk.balance() == ("9999.52", "0.00")


def _work(desk: Any, name: str, chance: random.Random) -> Counter[str]:
    done: Counter[str] = Counter()
    desk.market.workers.ensure_worker(name)
    for listing in desk.market.workers.available(name):
        try:
            view = desk.market.workers.accept(name, listing.hit_id)
        except Refused as refusal:
            done[refusal.reason] += 1
            continue
        if chance.random() < 0.2:
            desk.market.workers.give_back(name, view.assignment_id)
        else:
            desk.market.workers.submit(view.assignment_id, [("label", "x")])
            done["submitted"] += 1
    return done


def _review(desk: Any, hit_type: str) -> Counter[str]:
    done: Counter[str] = Counter()
    for _ in range(6):
        for item in desk.call("ListReviewableHITs", HITTypeId=hit_type, MaxResults=100)["HITs"]:
            waiting = desk.call("ListAssignmentsForHIT", **item, AssignmentStatuses=["Submitted"])
            for work in waiting["Assignments"]:
                desk.call("ApproveAssignment", AssignmentId=work["AssignmentId"])
                done["approved"] += 1
            if done["approved"] % 3 == 0:
                desk.call("CreateAdditionalAssignmentsForHIT", **item, NumberOfAdditionalAssignments=1)
    return done


def test_a_crowd_and_a_requester_at_work_together(desk: Any) -> None:
    hit_type = desk.hit_type()
    found = [desk.hit(2, hit_type=hit_type) for _ in range(12)]
    crowd = [partial(_work, desk, f"AW{number}", random.Random(number)) for number in range(4)]
    results = at_once(*crowd, partial(_review, desk, hit_type))
    assert not [result for result in results if isinstance(result, Exception)]
    done = sum(results, Counter[str]())
    assert done["submitted"] >= 12
    states = [desk.show(hit) for hit in found]
    assert sum(state["NumberOfAssignmentsCompleted"] for state in states) == done["approved"]


_WRITER = """
import sys
from workforce.market import Market
from workforce.store import Store

market = Market(Store.open(sys.argv[1]))
call = lambda op, **params: market.requester.call(op, "000000000000", params)
question = sys.argv[2]
market.requester.accounts.ensure_account("000000000000", name="L", opening_cents=10**9, mode="ledger")
hit_type = call("CreateHITType", Title="t", Description="d", Reward="0.05", AssignmentDurationInSeconds=300)
market.workers.ensure_worker("AWA")
number = 0
while True:
    number += 1
    made = call("CreateHITWithHITType", **hit_type, LifetimeInSeconds=600, MaxAssignments=2,
                Question=question, UniqueRequestToken=f"item-{number}")
    view = market.workers.accept("AWA", made["HIT"]["HITId"])
    market.workers.submit(view.assignment_id, [("label", "x")])
    call("ApproveAssignment", AssignmentId=view.assignment_id)
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killing_a_writer_leaves_consistent_books(store_url: str, html_question: str, seed: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, store_url, html_question],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    finished = [int(process.stdout.readline()) for _ in range(10 + seed)][-1]
    timer = threading.Timer(random.Random(seed).uniform(0, 0.05), process.send_signal, [signal.SIGKILL])
    timer.start()
    finished = max([finished, *(int(line) for line in process.stdout.read().split("\n")[:-1] if line)])
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    store = Store.open(store_url)
    market = Market(store)
    try:
        assert market.audit("000000000000") == []
        assert market.workers.earnings("AWA").approved in (finished, finished + 1)
        with store.read() as connection:
            made = connection.execute(select(func.count()).select_from(hits)).scalar_one()
            used = connection.execute(select(func.count()).select_from(tokens)).scalar_one()
        assert made == used, "the token and the HIT are written together or not at all"
        assert made in (finished, finished + 1)
        params = {"HITTypeId": _type_of(market), "LifetimeInSeconds": 600, "Question": html_question}
        with pytest.raises(MarketError, match="already exists"):
            market.requester.call(
                "CreateHITWithHITType", "000000000000", params | {"UniqueRequestToken": f"item-{finished}"}
            )
    finally:
        store.close()


def _type_of(market: Market) -> str:
    return str(market.requester.call("ListHITs", "000000000000", {})["HITs"][0]["HITTypeId"])
