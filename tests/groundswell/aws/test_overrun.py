"""What happens where the money ends: raised limits, a person who is asked, and a month that is shared."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import TaskAwaitingInput

from groundswell.aws.clearing import clear_hits
from groundswell.aws.limits import RunLimit, give_back, trim
from groundswell.aws.operators.approval import OverrunApprovalOperator
from groundswell.aws.operators.mturk import MTurkCollectAndExtendOperator, MTurkDeleteHitsOperator
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.ledger import Outcome, months
from groundswell.ledger.ledger import decode
from groundswell.ledger.months import MonthBook
from tests.groundswell.aws.desk import Desk, operator
from tests.groundswell.aws.workbench import Killed, Killer, this_month

pytestmark = pytest.mark.contract

DISAGREE = ["setosa", "virginica", "versicolor", "setosa", "setosa"]
#: Two items of two answers cost 24 cents; each needs a fourth answer to settle.
TWO = {"a": DISAGREE, "b": DISAGREE}


def limits(budget: str, **more: Any) -> dict[str, Any]:
    return {"budget": budget, "approve_above": "99.00"} | more


def edit(desk: Desk, run: LabelingRun, **changes: Any) -> LabelingRun:
    """Edit the live batch file; return the run as a new process sees it."""
    path = Path(run.batch_path)
    batch = yaml.safe_load(path.read_text())
    batch["spend"] |= changes
    path.write_text(yaml.safe_dump(batch))
    return desk.again(run)


def book(run: LabelingRun) -> MonthBook:
    return months.read(run.store, run.live.name, this_month())


def broke(desk: Desk, **spend: Any) -> LabelingRun:
    """A run whose two items were given up for want of money."""
    run = desk.run(list(TWO), spend=limits("0.30", **spend))
    progress = desk.to_the_end(run, TWO)
    assert (progress.given_up, progress.spent_cents) == (2, 30)
    assert sorted(run.ledger.fold().out_of_money) == ["a", "b"]
    return desk.again(run)


def finish(desk: Desk, run: LabelingRun) -> Any:
    """Let workers answer and collect until nothing is open, as a second collecting task does."""
    collect = operator(MTurkCollectAndExtendOperator, run.batch_path, run.run_id, deferrable=False)
    desk.monkeypatch.setattr(
        "groundswell.aws.triggers.mturk.MTurkReviewableTrigger.wait_here", lambda _: desk.answer(run, TWO)
    )
    return collect.execute({})


def invariant(run: LabelingRun, *, ended: bool = False) -> None:
    """Spent <= reserved <= limit, and what is left at the end is what was spent."""
    state = run.ledger.fold()
    limit = RunLimit(run, state)
    held = book(run).held_by(run.run_id)
    assert held is not None
    assert state.spent_cents <= limit.committed_cents() <= held <= limit.own_cents
    if ended:
        assert held == state.spent_cents


class TestTheLimitIsRaised:
    def test_in_the_file_the_items_are_asked_again(self, desk: Desk) -> None:
        run = broke(desk)
        flagged = {each["HITStatus"] for item in TWO for each in hits(desk, run, item)}
        assert flagged == {"Reviewing"}
        assert finish(desk, run)["settled"] == 0, "no money, nothing asked"
        run = edit(desk, run, budget="0.60")
        progress = finish(desk, run)
        assert (progress["settled"], progress["open"], progress["spent_cents"]) == (2, 0, 48)
        desk.check(run, TWO)
        assert book(run).held_by(run.run_id) == 48
        clear_hits(desk.again(run))
        spend.release(desk.again(run))
        invariant(desk.again(run), ended=True)

    def test_as_far_as_it_goes(self, desk: Desk) -> None:
        run = edit(desk, broke(desk), budget="0.42")
        progress = finish(desk, run)
        assert (progress["settled"], progress["given_up"], progress["spent_cents"]) == (1, 1, 42)
        invariant(run)

    def test_not_for_hits_that_are_deleted(self, desk: Desk) -> None:
        run = broke(desk)
        clear_hits(run)
        progress = finish(desk, edit(desk, run, budget="9.00"))
        assert (progress["open"], progress["spent_cents"]) == (0, 30)

    def test_not_for_a_hit_that_is_gone(self, desk: Desk) -> None:
        run = broke(desk)
        assert run.mturk.delete_hit(run.ledger.fold().hits["a"]["hit"]) == "deleted"
        progress = finish(desk, edit(desk, run, budget="9.00"))
        assert (progress["settled"], progress["open"]) == (1, 0)
        assert run.ledger.fold().outcomes["a"] is Outcome.LOST

    def test_not_where_the_account_has_nothing(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        run = edit(desk, broke(desk), budget="9.00")
        monkeypatch.setattr(run.mturk, "available_cents", lambda: 5)
        before = len(list(run.store.keys(f"{run.ledger.prefix}reservations/")))
        assert finish(desk, run)["spent_cents"] == 30
        assert len(list(run.store.keys(f"{run.ledger.prefix}reservations/"))) == before

    def test_killed_at_any_effect(self, desk: Desk) -> None:
        script = {"a": ["setosa", "virginica", "setosa"]}

        def raised() -> LabelingRun:
            run = desk.run(["a"], spend=limits("0.12"))
            assert desk.to_the_end(run, script).given_up == 1
            return edit(desk, run, budget="0.30")

        killer = Killer()
        desk.collect(killer.watch(raised()))
        assert killer.effects >= 7, (
            "a look at HIT and list, a reservation, a hold, the flag, the seat, a record"
        )
        for number in range(1, killer.effects + 1):
            run = raised()
            with pytest.raises(Killed):
                desk.collect(Killer(number, after=number % 2 == 0).watch(run))
            run = desk.again(run)
            desk.collect(run)
            desk.answer(run, script)
            assert desk.collect(run).settled == 1, f"effect {number}"
            desk.check(run, script)
            invariant(run)


def hits(desk: Desk, run: LabelingRun, item: str) -> list[dict[str, Any]]:
    return [desk.call("GetHIT", HITId=hit)["HIT"] for hit in desk.hits_of(run, item)]


class TestApproval:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        questions: list[dict[str, Any]] = []
        monkeypatch.setattr(
            "airflow.providers.standard.operators.hitl.upsert_hitl_detail",
            lambda **named: questions.append(named),
        )
        return questions

    @staticmethod
    def task(run: LabelingRun) -> OverrunApprovalOperator:
        return OverrunApprovalOperator(
            task_id="approve_overrun", batch_path=run.batch_path, run_id=run.run_id
        )

    @staticmethod
    def context() -> Any:
        class TaskInstance:
            id = "0198"

        return {"task_instance": TaskInstance(), "ti": TaskInstance()}

    @staticmethod
    def event(option: str, user: Any) -> dict[str, Any]:
        return {
            "chosen_options": [option],
            "params_input": {},
            "responded_at": datetime.now(UTC),
            "responded_by_user": user,
        }

    def test_nobody_is_asked_where_nothing_was_given_up(self, desk: Desk, asked: list[Any]) -> None:
        run = desk.run(["a"])
        desk.to_the_end(run, {"a": ["setosa"] * 2})
        assert self.task(run).execute(self.context())["chosen_options"] == []
        assert asked == []

    @pytest.mark.parametrize("changes", [{"ask_overrun": False}, {"budget": "9.00"}], ids=["never", "room"])
    def test_nor_where_the_batch_forbids_it_or_money_is_there(
        self, desk: Desk, asked: list[Any], changes: dict[str, Any]
    ) -> None:
        run = edit(desk, broke(desk), **changes)
        self.task(run).execute(self.context())
        assert asked == []

    def test_the_numbers_are_told_and_exactly_they_are_granted(self, desk: Desk, asked: list[Any]) -> None:
        run = broke(desk, answer_within="2h")
        task = self.task(run)
        with pytest.raises(TaskAwaitingInput):
            task.execute(self.context())
        [question] = asked
        available = run.mturk.available_cents()
        assert question["body"] == (
            "- 2 items were given up for want of money: they may need 5 more answers at most, which cost "
            "$0.30 with fees\n"
            "- spend.budget $0.30, approved for this run $0.00, spent $0.30, balance "
            f"${available / 100:.2f}\n"
            "- approving lets this run spend $0.60 in all; rejecting it, or no answer "
            "in time, goes on with the labels that there are"
        )
        assert question["defaults"] == ["Reject"]
        assert task.response_timeout == timedelta(hours=2)
        self.task(run).execute_complete(self.context(), self.event("Approve", {"id": "1", "name": "ada"}))
        state = run.ledger.fold()
        # Not by place: the approval of the spend may be of the same second
        assert [row["by"] for row in state.approvals if row["what"] == "overrun"] == ["ada"]
        assert state.approved_cents == 60
        assert book(run).held_by(run.run_id) == 60
        progress = finish(desk, run)
        assert (progress["settled"], progress["spent_cents"]) == (2, 48)
        desk.check(run, TWO)
        assert self.task(run).execute(self.context())["chosen_options"] == []
        assert operator(MTurkDeleteHitsOperator, run.batch_path, run.run_id).execute({})["deleted"] == 2
        invariant(desk.again(run), ended=True)

    def test_a_refusal_and_a_time_out_go_on(self, desk: Desk, asked: list[Any]) -> None:
        run = broke(desk)
        with pytest.raises(TaskAwaitingInput):
            self.task(run).execute(self.context())
        self.task(run).execute_complete(self.context(), self.event("Reject", None))
        assert run.ledger.fold().approved_cents == 0
        assert finish(desk, run)["spent_cents"] == 30

    def test_money_that_is_not_there_is_named(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        run = broke(desk)
        monkeypatch.setattr(run.mturk, "available_cents", lambda: 5)
        assert "balance $0.05; deposit $0.25 first, and state it by" in spend.plan_overrun(run)["text"]

    def test_a_stopped_run_asks_for_nothing(self, desk: Desk) -> None:
        run = broke(desk)
        run.ledger.append("approvals", [{"what": "stop", "at": "2026", "by": None, "limit_cents": None}])
        assert spend.plan_overrun(run)["approval"] is False


class TestTheMonth:
    def test_an_extension_waits_for_room_and_takes_it(self, desk: Desk) -> None:
        run = broke(desk, monthly_budget="1.00")
        months.hold(run.store, "iris", this_month(), "other", 70, limit_cents=100)
        run = edit(desk, run, budget="0.60")
        assert finish(desk, run)["spent_cents"] == 30, "the month has no room"
        plan = spend.plan_overrun(desk.again(run))
        assert plan["approval"] is True
        assert plan["over_cents"] == 30
        assert "$0.70 is held by `other` $0.70; it would be passed by $0.30;" in plan["text"]
        months.hold(run.store, "iris", this_month(), "other", 50, limit_cents=100, spent_cents=50)
        progress = finish(desk, run)
        assert (progress["settled"], progress["spent_cents"]) == (2, 48)
        assert book(run).held_cents == 98

    def test_an_approved_overrun_passes_it_by_what_was_approved(self, desk: Desk) -> None:
        run = broke(desk, monthly_budget="0.50")
        months.hold(run.store, "iris", this_month(), "other", 20, limit_cents=50)
        plan = spend.plan_overrun(run)
        assert plan["over_cents"] == 30
        spend.grant_overrun(run, plan, "ada")
        assert book(run).held_cents == 80
        assert finish(desk, run)["settled"] == 2
        invariant(run)

    def test_what_open_items_cannot_need_any_more_is_given_back(self, desk: Desk) -> None:
        run = desk.run(list(TWO), spend=limits("0.60", monthly_budget="1.00"))
        desk.publish(run)
        assert book(run).held_by(run.run_id) == 60
        desk.answer(run, {"a": ["setosa"] * 2})
        desk.collect(run)
        trim(run, run.ledger.fold())
        assert book(run).held_by(run.run_id) == 42, "12 for the settled item, 30 for the other's worst case"
        invariant(run)
        desk.answer(run, {"b": ["setosa"] * 2})
        desk.collect(run)
        trim(run, run.ledger.fold())
        assert book(run).held_by(run.run_id) == 24

    def test_giving_back_looks_again_where_a_seat_was_opened_meanwhile(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = desk.run(list(TWO), spend=limits("0.60", monthly_budget="1.00"))
        desk.publish(run)
        desk.answer(run, TWO)
        twin = desk.again(run)
        read = months.read
        looks = 0

        def interrupted(*named: Any) -> MonthBook:
            nonlocal looks
            looks += 1
            found = read(*named)
            if looks == 1:
                desk.collect(twin)  # opens a seat of each item, after the book was read
            return found

        with monkeypatch.context() as patch:
            patch.setattr("groundswell.ledger.months.read", interrupted)
            give_back(run, end=True)
        assert book(run).held_by(run.run_id) == 36, "four answers paid, two seats open"
        invariant(run)

    def test_two_runs_that_want_its_last_cents_share_them(self, desk: Desk) -> None:
        shared = {"spend": limits("0.30", monthly_budget="0.84")}
        runs = [desk.run(list(TWO), **shared) for _ in range(2)]
        for run in runs:
            desk.publish(run)
        edit(desk, runs[0], budget="9.00")  # 24 cents of the month are left, and both need more

        def work(run: LabelingRun) -> None:
            for _ in range(6):
                desk.answer(run, TWO)
                desk.collect(desk.again(run))
                trim(desk.again(run), run.ledger.fold())

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, runs))
        for key in runs[0].store.keys(f"_months/iris/{this_month()}/"):
            rows = list(decode(runs[0].store.get(key) or b"", key))
            assert sum(row["cents"] for row in rows) <= 84, key
        for run in runs:
            invariant(desk.again(run))
        states = [run.ledger.fold() for run in runs]
        assert sum(state.spent_cents for state in states) == 84, "to the last cent"
        assert sum(len(state.out_of_money) for state in states) >= 1


class TestKilled:
    """reserve, release and grant_overrun may die anywhere, and have twins."""

    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize("step", ["reserve", "release", "grant_overrun"])
    def test_at_any_effect(self, desk: Desk, step: str, after: bool) -> None:
        def act(run: LabelingRun) -> None:
            if step == "release":
                spend.release(run)
            else:
                getattr(spend, step)(run, plan, "ada")

        if step == "grant_overrun":
            run = broke(desk)
            plan = spend.plan_overrun(run)
        else:
            path = desk.batch_file(["a"])
            desk.load(path, "killed", relabel=True)
            run = desk.again(LabelingRun(str(path), "killed"))
            plan = spend.plan(run)
            if step == "release":
                spend.reserve(run, plan, "ada")
        killer = Killer()
        snapshot = {path: path.read_bytes() for path in stored(desk)}
        act(killer.watch_store(desk.again(run)))
        after_one = held_and_approved(run)
        assert killer.effects == (1 if step == "release" else 2), "the month's book, and the approval"
        for number in range(1, killer.effects + 1):
            restore(desk, snapshot)
            with pytest.raises(Killed):
                act(Killer(number, after=after).watch_store(desk.again(run)))
            with ThreadPoolExecutor(2) as twins:
                list(twins.map(act, [desk.again(run), desk.again(run)]))
            assert held_and_approved(desk.again(run)) == after_one
            act(desk.again(run))
            assert held_and_approved(desk.again(run)) == after_one


def stored(desk: Desk) -> list[Path]:
    return [path for path in (desk.folder / "store").rglob("*") if path.is_file()]


def restore(desk: Desk, snapshot: dict[Path, bytes]) -> None:
    for path in stored(desk):
        if path not in snapshot:
            path.unlink()


def held_and_approved(run: LabelingRun) -> Any:
    state = run.ledger.fold("approvals")
    allowed = {(row["what"], row["by"], row["limit_cents"]) for row in state.approvals}
    return book(run).held_by(run.run_id), state.approved_cents, allowed


@pytest.mark.parametrize("seed", range(3))
def test_at_any_time_spent_is_reserved_and_reserved_is_within_the_limit(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    items = [f"item-{number}" for number in range(4)]
    script = {item: [chance.choice(["setosa", "virginica"]) for _ in range(5)] for item in items}
    run = desk.run(items, spend=limits("0.54", monthly_budget="1.50"))
    desk.publish(run)
    for _ in range(9):
        chosen = chance.sample(items, 2)
        desk.answer(run, {item: script[item] for item in chosen})
        desk.collect(desk.again(run))
        invariant(desk.again(run))
        trim(desk.again(run), run.ledger.fold())
        invariant(desk.again(run))
        if chance.random() < 0.3:
            plan = spend.plan_overrun(desk.again(run))
            if plan["approval"]:
                spend.grant_overrun(desk.again(run), plan, "ada")
                invariant(desk.again(run))
        if chance.random() < 0.3:
            months.hold(run.store, "iris", this_month(), "other", chance.randrange(60), limit_cents=None)
    for item in items:
        desk.answer(run, {item: script[item]})
    desk.collect(desk.again(run))
    state = run.ledger.fold()
    for item in state.open_items:
        run.mturk.expire(state.hits[item]["hit"])
    desk.collect(desk.again(run))
    clear_hits(desk.again(run))
    spend.release(desk.again(run))
    invariant(desk.again(run), ended=True)
    keys = run.store.keys(f"_months/iris/{this_month()}/")
    for key in keys:
        for row in decode(run.store.get(key) or b"", key):
            assert row["spent"] <= row["cents"], key
