"""The approval of rejections as Airflow runs it: asked, resumed in another process, timed out."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.sdk.exceptions import TaskAwaitingInput

from groundswell.aws.operators import review as module
from groundswell.aws.operators.review import ReviewApprovalOperator

PROPOSALS = {
    "approval": True,
    "text": "| Worker |",
    "workers": [{"worker": "ABAD", "answers": 2}, {"worker": "AWORSE", "answers": 1}],
    "at": "2026-01-01T00:00:00+00:00",
    "answer_by": (datetime.now(UTC) + timedelta(hours=5)).isoformat(),
}
BAD, WORSE, PAY = "Reject 2 of ABAD", "Reject 1 of AWORSE", "Pay everybody"
RITA = {"id": "7", "name": "rita"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Airflow is asked to show."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **request: calls.append(request))
    return calls


@pytest.fixture
def decisions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is recorded in the ledger."""
    calls: list[tuple[Any, ...]] = []

    def record(_: Any, workers: list[str], *, by: str | None, at: str, proposed_at: str) -> None:
        assert proposed_at == PROPOSALS["at"]
        calls.append((workers, by, at))

    monkeypatch.setattr(module, "record_decision", record)
    return calls


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Decisions that are in the ledger."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "open_run", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(module, "decision_on", lambda *_: found[0] if found else None)
    return found


def task(**proposals: Any) -> ReviewApprovalOperator:
    return ReviewApprovalOperator(
        task_id="approve_rejections", batch_path="b.yaml", run_id="r", proposals=PROPOSALS | proposals
    )


def context() -> Any:
    return {"task_instance": SimpleNamespace(id="ti")}


def answer(*options: str, user: Any = RITA, **proposals: Any) -> dict[str, Any]:
    event = {
        "chosen_options": list(options),
        "params_input": {},
        "responded_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "responded_by_user": user,
        "timedout": user is None,
    }
    result: dict[str, Any] = task(**proposals).execute_complete(context(), event)
    return result


def test_asks_per_worker_with_pay_everybody_as_the_default(asked: list[dict[str, Any]]) -> None:
    until = datetime.now(UTC) + timedelta(hours=5)
    with pytest.raises(TaskAwaitingInput) as caught:
        task(answer_by=until.isoformat()).execute(context())
    [request] = asked
    assert request["options"] == [PAY, BAD, WORSE]
    assert request["defaults"] == [PAY]
    assert request["multiple"] is True
    assert request["body"] == PROPOSALS["text"]
    assert timedelta(hours=4, minutes=58) < caught.value.timeout <= timedelta(hours=5)


def test_goes_on_at_once_where_nothing_is_proposed(asked: list[dict[str, Any]]) -> None:
    assert task(approval=False).execute(context()) == {"workers": [], "by": None}
    assert asked == []


def test_a_task_that_was_marked_as_a_success_rejects_nobody(asked: list[dict[str, Any]]) -> None:
    operator = ReviewApprovalOperator(task_id="a", batch_path="b.yaml", run_id="r", proposals=None)
    assert operator.execute(context()) == {"workers": [], "by": None}
    assert asked == []


def test_a_decision_is_not_asked_for_twice(asked: list[dict[str, Any]], made: list[dict[str, Any]]) -> None:
    made.append({"workers": ["ABAD"], "by": "rita"})  # Airflow failed the task after the answer
    assert task().execute(context()) == {"workers": ["ABAD"], "by": "rita"}
    assert asked == []


def test_a_late_attempt_asks_shortly(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(TaskAwaitingInput) as caught:
        task(answer_by="2026-01-01T00:00:00+00:00").execute(context())
    assert caught.value.timeout == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("options", "user", "workers"),
    [
        ([BAD], RITA, ["ABAD"]),
        ([BAD, WORSE], RITA, ["ABAD", "AWORSE"]),
        ([PAY], RITA, []),
        ([PAY, BAD], RITA, []),  # a slip: a rejection hurts somebody
        ([PAY], None, []),  # nobody answered in time
        ([BAD], None, []),  # a default is no person's word
    ],
)
def test_the_answer_is_recorded_and_passed_on(
    decisions: list[tuple[Any, ...]], options: list[str], user: Any, workers: list[str]
) -> None:
    by = "rita" if user else None
    assert answer(*options, user=user) == {"workers": workers, "by": by}
    assert decisions == [(workers, by, "2026-01-02T03:04:05+00:00")]


def test_an_answer_that_was_not_offered_is_refused(decisions: list[tuple[Any, ...]]) -> None:
    with pytest.raises(ValueError, match="Reject 9 of ABAD"):
        answer("Reject 9 of ABAD")
    assert decisions == []


def test_names_and_templates(tmp_path: Path) -> None:
    operator = task()
    assert {"batch_path", "run_id", "proposals", "subject", "body"} <= set(operator.template_fields)
    assert all(hasattr(operator, name) for name in operator.template_fields)
