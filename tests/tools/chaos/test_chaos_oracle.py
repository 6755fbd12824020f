from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert

from groundswell.ledger import RunState, annotation
from tools.chaos.oracle import Books, Verdict, check
from workforce.market import Market
from workforce.store import Store
from workforce.store.tables import journal

ACCOUNT = "000000000000"
BATCH, RUN = "flowers", "manual__1"
QUESTION = (
    '<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/'
    '2011-11-11/HTMLQuestion.xsd"><HTMLContent><![CDATA[<!DOCTYPE html><html><body><form method="post" '
    'action="https://www.mturk.com/mturk/externalSubmit"><input type="submit"></form></body></html>]]>'
    "</HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"
)


class Scene:
    """A run of two items whose HITs are answered and paid, and a ledger that says just that."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.market = Market(store)
        self.market.requester.accounts.ensure_account(
            ACCOUNT, name="Requester", opening_cents=100_000, mode="ledger"
        )
        self.state = RunState()
        self.changes: dict[str, Any] = {"limit_cents": 24, "most": 2, "items": ("a", "b")}
        self.hits = {item: self.publish(item) for item in "ab"}
        for item, hit in self.hits.items():
            self.state.add("hits", {"item": item, "hit": hit, "seats": 2, "expires": "2030"})
            for worker in ("AONE", "ATWO"):
                self.pay(self.answer(hit, worker), item)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self.market.requester.call(operation, ACCOUNT, params)

    def publish(self, item: str, **changes: Any) -> str:
        request = {
            "Title": "Flowers",
            "Description": "Which one",
            "Reward": "0.05",
            "AssignmentDurationInSeconds": 300,
            "LifetimeInSeconds": 3600,
            "MaxAssignments": 2,
            "Question": QUESTION,
            "RequesterAnnotation": annotation(BATCH, RUN, item),
        }
        return str(self.call("CreateHIT", **request | changes)["HIT"]["HITId"])

    def answer(self, hit: str, worker: str) -> str:
        self.market.workers.ensure_worker(worker)
        assignment = self.market.workers.accept(worker, hit).assignment_id
        self.market.workers.submit(assignment, [("label", "x")])
        return assignment

    def pay(self, assignment: str, item: str) -> None:
        self.call("ApproveAssignment", AssignmentId=assignment)
        self.state.add("answers", {"assignment": assignment, "item": item, "label": "x", "submitted": "1"})
        self.state.add("payments", {"assignment": assignment, "item": item, "cents": 6})

    def judge(self) -> Verdict:
        return check(self.store, ACCOUNT, [Books(BATCH, RUN, self.state, **self.changes)])

    def faults(self) -> set[str]:
        """The kinds of faults that the oracle finds."""
        verdict = self.judge()
        counted = {field.name: getattr(verdict, field.name) for field in dataclasses.fields(verdict)}
        for name in ("hits", "answers", "paid_cents", "problems", "wasted_cents"):
            del counted[name]
        assert verdict.ok is not any(counted.values())
        return {name for name, count in counted.items() if count}


@pytest.fixture
def scene() -> Iterator[Scene]:
    with contextlib.closing(Store.open("sqlite://")) as store:
        yield Scene(store)


def test_nothing_is_wrong_where_books_and_workforce_agree(scene: Scene) -> None:
    verdict = scene.judge()
    assert (verdict.ok, verdict.problems, scene.faults()) == (True, [], set())
    assert (verdict.hits, verdict.answers, verdict.paid_cents) == (2, 4, 24)


def test_hits_are_judged_after_their_deletion(scene: Scene) -> None:
    for hit in scene.hits.values():
        scene.call("DeleteHIT", HITId=hit)
    assert scene.faults() == set()


def test_other_runs_of_the_account_do_not_count(scene: Scene) -> None:
    scene.publish("a", RequesterAnnotation=annotation(BATCH, "manual__2", "a"))
    scene.publish("a", RequesterAnnotation="a")
    assert scene.faults() == set()


def test_a_second_hit_of_an_item(scene: Scene) -> None:
    extra = scene.publish("a")
    scene.call("UpdateExpirationForHIT", HITId=extra, ExpireAt=scene.market.clock.now().replace(year=2000))
    found = scene.faults()
    assert found == {"duplicate_hits", "unknown_hits", "overheld_cents"}
    scene.state.add("hits", {"item": "a", "hit": extra, "seats": 2, "expires": "2030"})
    scene.changes["limit_cents"] = None
    assert scene.faults() == {"duplicate_hits"}


def test_an_item_that_was_never_published(scene: Scene) -> None:
    scene.changes["items"] = ("a", "b", "c")
    assert scene.faults() == {"unpublished"}
    scene.changes["finished"] = False
    assert scene.faults() == set()


def test_an_answer_that_nobody_fetched(scene: Scene) -> None:
    scene.call("CreateAdditionalAssignmentsForHIT", HITId=scene.hits["a"], NumberOfAdditionalAssignments=1)
    scene.changes |= {"most": 3, "limit_cents": 30}
    assert scene.faults() == {"left_cents"}
    assignment = scene.answer(scene.hits["a"], "ATHREE")
    assert scene.faults() == {"lost_answers", "unpaid", "left_cents"}
    scene.changes["finished"] = False
    assert scene.faults() == set()
    scene.changes["finished"] = True
    scene.call("ApproveAssignment", AssignmentId=assignment)
    assert scene.faults() == {"lost_answers", "unrecorded", "cents_off"}


def test_answers_and_payments_that_were_made_up(scene: Scene) -> None:
    scene.state.add("answers", {"assignment": "3X", "item": "a", "label": "x", "submitted": "1"})
    assert scene.faults() == {"invented_answers"}
    scene.state.add("payments", {"assignment": "3X", "item": "a", "cents": 6})
    assert scene.faults() == {"invented_answers", "unmade", "cents_off"}


def test_an_answer_that_was_paid_twice(scene: Scene) -> None:
    assignment = next(iter(scene.state.payments))
    with scene.store.write() as connection:
        paid = connection.exec_driver_sql(
            "select j.* from journal j join assignments a on a.seq = j.assignment_seq "
            f"where a.assignment_id = '{assignment}' and kind = 'payment'"
        ).one()
        row = dict(paid._mapping)
        del row["seq"]
        connection.execute(insert(journal).values(**row))
    assert {"double_payments", "cents_off", "overspent_cents"} <= scene.faults()


def test_a_seat_beyond_the_most(scene: Scene) -> None:
    scene.call("CreateAdditionalAssignmentsForHIT", HITId=scene.hits["a"], NumberOfAdditionalAssignments=1)
    scene.pay(scene.answer(scene.hits["a"], "ATHREE"), "a")
    assert scene.faults() == {"seats_beyond", "overspent_cents", "overheld_cents"}
    assert scene.judge().wasted_cents == 6


def test_a_rejection_must_be_on_record(scene: Scene) -> None:
    scene.call("CreateAdditionalAssignmentsForHIT", HITId=scene.hits["a"], NumberOfAdditionalAssignments=1)
    scene.changes |= {"most": 3, "limit_cents": 30}
    assignment = scene.answer(scene.hits["a"], "ATHREE")
    scene.state.add("answers", {"assignment": assignment, "item": "a", "label": "x", "submitted": "1"})
    row = {"assignment": assignment, "item": "a", "worker": "ATHREE", "feedback": "no"}
    scene.state.add("rejections", row)
    assert scene.faults() == {"unmade", "unpaid", "left_cents"}
    scene.call("RejectAssignment", AssignmentId=assignment, RequesterFeedback="no")
    assert scene.faults() == set()
    scene.state.rejections.clear()
    assert scene.faults() == {"unrecorded"}


def test_books_of_the_account_that_do_not_add_up(scene: Scene) -> None:
    with scene.store.write() as connection:
        connection.exec_driver_sql("update accounts set available_cents = available_cents - 1")
    assert any("available" in problem for problem in scene.judge().problems)
