"""Deposits in the middle of a run: exactly what a person states explains a difference of funds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dags import record_deposit
from groundswell.aws import funds, reconciling
from groundswell.aws.reconciling import reconcile
from groundswell.aws.runs import LabelingRun, open_run
from groundswell.aws.steps import spend
from groundswell.ledger import deposits
from groundswell.ledger.comparing import Difference
from tests.groundswell.aws.desk import ACCOUNT, Desk, Served

pytestmark = pytest.mark.contract

SCRIPT = {"a": ["setosa"] * 2}


@pytest.fixture
def desk(shared_market: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(reconciling, "SETTLE", ())
    monkeypatch.setattr(funds, "SLACK", timedelta())
    desk = Desk(shared_market, tmp_path, monkeypatch)
    monkeypatch.setattr(record_deposit, "BATCHES", tmp_path)
    return desk


def begin(desk: Desk, by: str = spend.AUTOMATIC, *, approve_above: str = "45.00") -> LabelingRun:
    path = desk.batch_file(list(SCRIPT), spend={"budget": "45.00", "approve_above": approve_above})
    run = desk.again(LabelingRun(str(path), f"r{datetime.now(UTC):%H%M%S%f}"))
    desk.load(path, run.run_id, relabel=True)
    spend.reserve(run, spend.plan(run), by)
    return run


def deposit(desk: Desk, cents: int) -> None:
    desk.market.requester.accounts.deposit(ACCOUNT, cents)


def state(amount: str, receipt: str, at: str = "") -> Any:
    params = {"batch": "iris", "amount": amount, "receipt": receipt, "at": at or later()}
    return record_deposit.record.function(params=params, dag_run=SimpleNamespace())


def later() -> str:
    return datetime.now(UTC).isoformat()


def rows(desk: Desk, run: LabelingRun) -> list[Difference]:
    return reconcile(desk.again(run)).rows


@pytest.fixture
def middle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> LabelingRun:
    """A run that was planned an hour ago, and has paid two answers; then $25 were deposited."""
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    with monkeypatch.context() as patch:
        patch.setattr(spend, "now_text", lambda: hour_ago)
        run = begin(desk)
    desk.to_the_end(run, SCRIPT)
    deposit(desk, 2500)
    return run


def test_nobody_states_it_and_the_books_say_exactly_what_is_too_much(desk: Desk, middle: LabelingRun) -> None:
    [row] = rows(desk, middle)
    assert (row.what, row.workforce) == ("funds", "rose by $24.88")
    assert "the account has $25.00 more than the ledgers explain" in row.fix
    assert "record_deposit" in row.fix


def test_what_a_person_states_explains_just_that(desk: Desk, middle: LabelingRun) -> None:
    state("24.99", "r-1")
    [row] = rows(desk, middle)
    assert "the account has $0.01 more than the ledgers explain" in row.fix
    assert row.ledger == "$0.12 by this run, $0.00 by other runs, and $24.99 deposited"
    state("0.02", "r-2")
    [row] = rows(desk, middle)
    assert "$0.01 went that no ledger of this store knows" in row.fix
    state("-0.01", "r-3")
    assert rows(desk, middle) == []


def test_a_receipt_counts_once_and_is_not_changed(desk: Desk, middle: LabelingRun) -> None:
    state("25.00", "r-1")
    state("25.00", "r-1")
    assert rows(desk, middle) == []
    with pytest.raises(AirflowFailException, match=r"was stated as \$25.00"):
        state("26.00", "r-1")
    assert rows(desk, middle) == []


def test_a_deposit_that_was_just_now_may_be_stated_by_a_second_try(desk: Desk, middle: LabelingRun) -> None:
    params = {"batch": "iris", "amount": "25.00", "receipt": "r-1", "at": ""}
    with open_run(middle.batch_path, "x", "mturk") as run:
        moment = datetime.now(UTC).replace(microsecond=0)
        first = funds.record_deposit(run, params, by=None, now=moment)
        again = funds.record_deposit(run, params, by=None, now=moment + timedelta(hours=1))
    assert again == first


def test_another_time_is_another_statement_and_the_way_to_it_is_told(desk: Desk, middle: LabelingRun) -> None:
    """A receipt stated for the wrong time kept it, and said nothing."""
    planned = datetime.fromisoformat((middle.ledger.fold().plan or {})["at"])
    early = (planned - timedelta(hours=1)).isoformat()
    state("1025.00", "r-1", at=early)
    with pytest.raises(AirflowFailException, match="and is kept") as caught:
        state("1025.00", "r-1")
    amount, at = re.findall(r"\((\S+) at (\S+)\)", str(caught.value))[0]
    taken_back = state(amount, "r-2", at=at)
    assert (taken_back["cents"], taken_back["at"]) == (-102_500, early)
    state("25.00", "r-3")
    assert rows(desk, middle) == []


def test_what_the_account_had_when_the_run_was_planned_explains_nothing(
    desk: Desk, middle: LabelingRun
) -> None:
    state("25.00", "r-1", at=(datetime.now(UTC) - timedelta(hours=2)).isoformat())
    assert [row.what for row in rows(desk, middle)] == ["funds"]


def test_what_another_account_got_explains_nothing(desk: Desk, middle: LabelingRun) -> None:
    other = deposits.Deposit("r-1", "another_account", 2500, later())
    deposits.state(middle.store, other, by=None, stated=later(), at_known=True)
    assert [row.what for row in rows(desk, middle)] == ["funds"]


def test_a_deposit_at_the_time_of_the_plan_is_a_note(
    desk: Desk, middle: LabelingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(funds, "SLACK", timedelta(hours=2))
    state("25.00", "r-1")
    found = reconcile(desk.again(middle))
    assert found.rows == []
    assert "of what was deposited, $0.00 to $25.00 came about when the run was planned" in found.notes[-1]


def test_a_part_of_a_deposit_at_the_time_of_the_plan_explains_nothing(
    desk: Desk, middle: LabelingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(funds, "SLACK", timedelta(hours=2))
    state("30.00", "r-1")
    assert "no sum explains just this" in rows(desk, middle)[0].fix
    state("-5.00", "r-2")
    assert rows(desk, middle) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": "x"}, "amount: 'x' is not an amount of dollars; write digits"),
        ({"amount": '"25.00"'}, "without sign of currency, commas or quotes"),
        ({"amount": "1e3"}, "is not an amount"),
        ({"amount": "nan"}, "is not an amount"),
        ({"amount": "0.001"}, "is not an amount"),
        ({"amount": "1,00"}, "is not an amount"),
        ({"amount": "--5"}, "is not an amount"),
        ({"at": "0001-01-01T00:00+14:00"}, "is no time"),
        ({"amount": "0.00"}, "amount: is nothing"),
        ({"receipt": "a/b"}, "receipt: 'a/b' is no id"),
        ({"at": "yesterday"}, "at: 'yesterday' is no time"),
        ({"at": "2026-01-01T00:00"}, "has no time zone"),
        ({"at": "2999-01-01T00:00+00:00"}, "is in the future"),
        ({"batch": "none"}, "there is no batch 'none'"),
    ],
)
def test_what_cannot_be_is_not_written_down(desk: Desk, changes: dict[str, str], message: str) -> None:
    run = desk.run(["a"])
    params = {"batch": "iris", "amount": "1.00", "receipt": "r", "at": ""} | changes
    with pytest.raises(AirflowFailException, match=message):
        record_deposit.record.function(params=params, dag_run=SimpleNamespace())
    assert list(run.store.keys("_deposits/")) == []


def test_a_deposit_between_a_plan_that_was_not_taken_and_the_one_that_was(desk: Desk) -> None:
    """A person rejects the first plan for want of money, deposits, and clears plan_spend."""
    path = desk.batch_file(list(SCRIPT))
    run = desk.again(LabelingRun(str(path), "rejected-first"))
    desk.load(path, run.run_id, relabel=True)
    before = (datetime.now(UTC) - timedelta(hours=1)).isoformat(timespec="seconds")
    with desk.monkeypatch.context() as patch:
        patch.setattr(spend, "now_text", lambda: before)
        spend.plan(run)
    deposit(desk, 2500)
    spend.reserve(run, spend.plan(run), spend.AUTOMATIC)
    desk.to_the_end(run, SCRIPT)
    assert rows(desk, run) == []


def test_an_approval_that_was_lost_is_given_again_and_the_books_agree(desk: Desk) -> None:
    """A restored ledger lacks the approval: what the account has by now is not what it began with."""
    desk.monkeypatch.setattr(funds, "SLACK", timedelta(minutes=2))  # what is paid here is not of before then
    run = begin(desk, "ada", approve_above="0.00")
    planned = run.ledger.fold().plan
    assert planned is not None
    desk.to_the_end(run, SCRIPT)
    for part in (desk.folder / "store" / run.batch.name / run.run_id / "approvals").iterdir():
        part.unlink()
    spend.reserve(run, planned, "ada")
    assert rows(desk, run) == []
