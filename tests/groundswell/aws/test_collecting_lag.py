"""An earlier attempt recorded an answer and died; then the workforce's list does not show it yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from groundswell.aws.clearing import clear_hits
from groundswell.aws.collecting import LAG, Wave
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.runs import LabelingRun
from groundswell.ledger import Outcome
from tests.groundswell.aws.workbench import Workbench


def half_paid(bench: Workbench) -> LabelingRun:
    """One answer, recorded and approved; the process died before it recorded the payment."""
    run = bench.run(["a"], redundancy={"rule": "agree", "agree": 1, "first": 1, "most": 1})
    bench.publish(run)
    bench.answer(run, {"a": ["setosa"]})
    wave = Wave(run, run.ledger.fold())
    fetched = wave._fetch(["a"])
    wave._record(fetched)
    run.mturk.approve(fetched["a"][0]["AssignmentId"])
    return bench.again(run)


def test_an_item_is_not_closed_before_its_recorded_answer_is_seen_and_paid(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = half_paid(bench)
    with monkeypatch.context() as lagging:
        lagging.setattr(MTurkHook, "assignments", lambda self, hit: [])
        Wave(run, run.ledger.fold()).take_items(["a"])
        assert run.ledger.fold().outcomes == {}
        assert clear_hits(run)["deleted"] == 0
    Wave(run, run.ledger.fold()).take_items(["a"])
    state = run.ledger.fold()
    assert state.outcomes == {"a": Outcome.SETTLED}
    assert state.spent_cents == 6


def test_a_settled_item_keeps_its_hit_until_what_it_owes_is_seen(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = half_paid(bench)
    wave = Wave(run, run.ledger.fold())
    wave.close({"a": Outcome.SETTLED})
    with monkeypatch.context() as lagging:
        lagging.setattr(MTurkHook, "assignments", lambda self, hit: [])
        assert clear_hits(run) == {"deleted": 0, "open": 0, "held": 1}
    assert clear_hits(run)["deleted"] == 1
    assert run.ledger.fold().spent_cents == 6


def test_what_the_workforce_lost_is_not_waited_for_for_ever(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = half_paid(bench)
    monkeypatch.setattr(MTurkHook, "now", lambda self: datetime.now(UTC) + LAG + timedelta(hours=1))
    monkeypatch.setattr(MTurkHook, "assignments", lambda self, hit: [])
    Wave(run, run.ledger.fold()).take_items(["a"])
    assert run.ledger.fold().outcomes == {"a": Outcome.SETTLED}
