"""No call that is made often may look at every row: checked by the database's own query plans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from workforce.store import Store


@contextmanager
def statements_of(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """The SQL that is run inside the block."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _x: Any, _many: bool) -> None:
        seen.append((statement, parameters))

    engine = store._engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def busy(memory_desk: Any) -> Any:
    """A market with work in each state."""
    for number in range(4):
        hit = memory_desk.hit(2)
        memory_desk.submit(f"AW{number}", hit)
    needed = {"QualificationTypeId": memory_desk.qualification("expert"), "Comparator": "Exists"}
    memory_desk.hit(hit_type=memory_desk.hit_type(QualificationRequirements=[needed]))
    return memory_desk


def calls(desk: Any) -> dict[str, Any]:
    workers = desk.market.workers
    hit = desk.hit(1)
    held = desk.accept("AW0", desk.hit(2))
    hit_type = desk.hit_type()
    page = desk.call("ListHITs", MaxResults=1)["NextToken"]
    assignments = desk.call("ListAssignmentsForHIT", HITId=desk.call("ListHITs")["HITs"][-1]["HITId"])
    assignment = assignments["Assignments"][0]["AssignmentId"]
    return {
        "create": lambda: desk.hit(1, UniqueRequestToken="t"),
        "get": lambda: desk.show(hit),
        "list": lambda: desk.call("ListHITs"),
        "next page": lambda: desk.call("ListHITs", NextToken=page),
        "reviewable": lambda: desk.call("ListReviewableHITs"),
        "reviewable of type": lambda: desk.call("ListReviewableHITs", HITTypeId=hit_type),
        "assignments": lambda: desk.call("ListAssignmentsForHIT", HITId=hit),
        "assignment": lambda: desk.call("GetAssignment", AssignmentId=assignment),
        "approve": lambda: desk.call("ApproveAssignment", AssignmentId=assignment),
        "balance": lambda: desk.call("GetAccountBalance"),
        "available": lambda: workers.available("AW1", limit=20),
        "accept": lambda: workers.accept("AW1", hit),
        "held": lambda: workers.held("AW0"),
        "submit": lambda: workers.submit(held, [("label", "x")]),
        "earnings": lambda: workers.earnings("AW0"),
        "bonus": lambda: desk.call(
            "SendBonus", AssignmentId=assignment, WorkerId="AW0", BonusAmount="1", Reason="r"
        ),
        "bonuses of hit": lambda: desk.call("ListBonusPayments", HITId=hit),
        "bonuses of assignment": lambda: desk.call("ListBonusPayments", AssignmentId=assignment),
        "bonuses of worker": lambda: desk.market.history.bonuses("AW0", limit=20),
        "rejected": lambda: desk.market.history.rejected("AW0", limit=20),
        "unread": lambda: desk.market.inbox.unread("AW0"),
        "messages": lambda: desk.market.inbox.read("AW0", limit=20),
        "notify": lambda: desk.call("NotifyWorkers", WorkerIds=["AW0"], Subject="s", MessageText="m"),
        "grant": lambda: desk.grant(desk.qualification("judge"), "AW0"),
        "nothing due": desk.market.run_timers,
    }


NAMES = [
    *("create", "get", "list", "next page", "reviewable", "reviewable of type", "assignments", "assignment"),
    *("approve", "balance", "available", "accept", "held", "submit", "earnings", "nothing due"),
    *("bonus", "bonuses of hit", "bonuses of assignment", "bonuses of worker", "rejected"),
    *("unread", "messages", "notify", "grant"),
]


# where another index would do, but would step over what belongs to others
INDEX = {
    "list": "hits_listed (account_id=?",
    "next page": "hits_listed (account_id=? AND seq<?",
    "reviewable": "hits_of_account (account_id=? AND status=?",
    "reviewable of type": "hits_of_type (hit_type_id=? AND status=?",
    "available": "hits_open (status=?",
    "assignments": "assignments_submitted (hit_seq=? AND submitted_ms>?",
    "bonuses of hit": "bonuses_of_hit (hit_seq=?",
    "bonuses of worker": "bonuses_of_worker (worker_id=?",
    "unread": "message_recipients_unread (worker_id=? AND read_ms=?",
    "held": "assignments_of_worker (worker_id=? AND status=?",
}


@pytest.mark.parametrize("name", NAMES)
def test_every_step_uses_an_index(busy: Any, name: str) -> None:
    action = calls(busy)[name]
    busy.clock.advance(2)  # so that the timers are asked, too
    with statements_of(busy.market.store) as seen:
        action()
    explained = [(sql, params) for sql, params in seen if sql.split()[0] in ("SELECT", "UPDATE", "DELETE")]
    assert explained
    used = ""
    with busy.market.store.read() as connection:
        for sql, params in explained:
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", params)]
            assert not [step for step in plan if _slow(step)], f"{sql}\n{plan}"
            used += " ".join(plan)
    assert INDEX.get(name, "") in used


def _slow(step: str) -> bool:
    """A scan, a search without an index (MIN() of a plain column is shown as one), or a sort."""
    if step.startswith("SCAN"):
        return "CONSTANT ROW" not in step
    return (step.startswith("SEARCH") and "USING" not in step) or "TEMP B-TREE" in step


def test_the_due_moments_of_many_are_asked_once_a_second(busy: Any) -> None:
    busy.clock.advance(5)
    with statements_of(busy.market.store) as seen:
        for _ in range(10):
            busy.balance()
    assert sum("min(" in sql for sql, _ in seen) == 1
