"""plan_spend: what is certain, what is worst, and when a person is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from dags import labeling
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.batches.units import dollars
from groundswell.ledger.months import month_of
from tests.groundswell.aws.desk import Desk, Pulled

pytestmark = pytest.mark.contract


def plan(desk: Desk, *items: str, **changes: Any) -> dict[str, Any]:
    path = desk.batch_file(items, **changes)
    shards = desk.load(path, "run", relabel=True)
    planned: dict[str, Any] = labeling.plan_spend.function(str(path), shards, run_id="run")
    return planned


def test_certain_and_worst(desk: Desk) -> None:
    row = plan(desk, "a", "b", "c")
    assert (row["items"], row["certain_cents"], row["worst_cents"]) == (3, 36, 90)
    assert (row["reward_cents"], row["fee_cents"], row["budget_cents"]) == (5, 1, 4500)
    assert row["balance_cents"] == desk._mturk.available_cents()
    balance = dollars(row["balance_cents"])
    assert row["text"] == (
        "3 items x 2 answers x ($0.05 + $0.01 fee) = $0.36 for certain, $0.90 at worst (5 answers each); "
        f"budget $45.00, balance {balance}; pay per hour is unknown: set task.expected_time for an estimate"
    )
    assert (row["month"], row["hold_cents"]) == (month_of(datetime.now(UTC)), 90)
    assert (row["limit_cents"], row["over_cents"], row["hourly_cents"]) == (None, 0, None)
    assert row["funds_cents"] == sum(desk._mturk.balance_cents())


@pytest.mark.parametrize(
    ("threshold", "asks"), [("0.90", False), ("0.89", True), ("0.00", True), ("100.00", False)]
)
def test_a_person_is_asked_above_the_threshold(desk: Desk, threshold: str, asks: bool) -> None:
    row = plan(desk, "a", "b", "c", spend={"budget": "45.00", "approve_above": threshold})
    assert row["approval"] is asks


def test_a_person_is_asked_where_the_worst_passes_the_budget(desk: Desk) -> None:
    row = plan(desk, "a", "b", "c", spend={"budget": "0.60", "approve_above": "45.00"})
    assert row["approval"] is True
    assert row["text"].endswith(
        "; the worst case of $0.90 is above the spend.budget of $0.60: items on which workers disagree may "
        "be given up for want of money"
    )


def test_a_person_is_asked_where_the_worst_passes_the_balance(desk: Desk) -> None:
    # $800 for certain, $1600 at worst; the account has $1000
    task = {"task__reward": "333.00", "redundancy": {"rule": "agree", "agree": 2, "first": 2, "most": 4}}
    row = plan(desk, "a", spend={"budget": "9999.00", "approve_above": "9999.00"}, **task)
    assert row["approval"] is True
    assert "is above the account balance of $1,000.00" in row["text"]


def test_planned_again_it_does_not_count_what_is_published_twice(desk: Desk) -> None:
    # $800 of the $1000: once published, the balance alone would not do
    task = {"task__reward": "333.00", "redundancy": {"rule": "agree", "agree": 2, "first": 2, "most": 2}}
    path = desk.batch_file(["a"], spend={"budget": "9999.00", "approve_above": "9999.00"}, **task)
    run_id = desk.up_to_publishing(path)
    assert desk._mturk.available_cents() < 80_000
    again = labeling.plan_spend.function(str(path), [0], run_id=run_id)
    assert again["certain_cents"] == 79_920
    [hit] = [hit["HITId"] for hit in desk.all_hits() if hit["HITStatus"] == "Assignable"]
    desk._mturk.expire(hit)


def test_nothing_new_skips_the_rest(desk: Desk) -> None:
    with pytest.raises(AirflowSkipException, match="nothing new to label"):
        labeling.plan_spend.function(str(desk.batch_file(["a"])), [], run_id="run")


def test_the_plan_is_kept_and_the_first_one_counts(desk: Desk) -> None:
    times = iter(["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:01+00:00"])
    desk.monkeypatch.setattr("groundswell.aws.steps.spend.now_text", lambda: next(times))
    first = plan(desk, "a")
    path = desk.folder / "batch.yaml"
    path.write_text(path.read_text().replace("45.00", "50.00"))
    second = labeling.plan_spend.function(str(path), [0], run_id="run")
    assert (first["budget_cents"], second["budget_cents"]) == (4500, 5000)
    kept = LabelingRun(str(path), "run").ledger.fold().plan
    assert kept is not None
    assert kept["budget_cents"] == 4500


def test_what_workers_earned_is_shown_in_the_next_plan(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    row = plan(desk, "a", task__expected_time="45s")
    assert row["hourly_cents"] == 400
    low = "BELOW spend.minimum_hourly of $8.00: $0.10 would meet it"
    assert f"pays $4.00 per hour (task.expected_time of 45 s), {low}" in row["text"]
    assert f"an answer pays $4.00 per hour (task.expected_time of 45 s), {low}" in caplog.text
    path = desk.batch_file(["a"], task__expected_time="45s")
    earlier = LabelingRun(str(path), "earlier")
    times = {"accepted": "2026-01-01T00:00:00+00:00", "submitted": "2026-01-01T00:00:20+00:00"}
    answers = [
        {"assignment": f"3{number}", "item": "a", "worker": "A1", "label": "x", "problem": None, **times}
        for number in range(3)
    ]
    earlier.ledger.append("answers", answers)
    document = labeling.report.function(str(path), run_id="earlier", ti=Pulled({}))
    assert document["pay"] == {"median_seconds": 20.0, "hourly_cents": 900}
    caplog.clear()
    later = labeling.plan_spend.function(str(path), [0], run_id="run")
    assert "pays $9.00 per hour (median of 20 s over 3 answers);" in later["text"] + ";"
    assert later["approval"] is False
    assert "BELOW" not in caplog.text
    store = desk.folder / "store"
    (store / "_pace" / "iris" / "damaged.json").write_bytes(b"{")
    assert labeling.plan_spend.function(str(path), [0], run_id="run")["hourly_cents"] == 900


def test_a_plan_made_again_stays_in_the_month_in_which_it_was_reserved(desk: Desk) -> None:
    row = plan(desk, "a")
    path = desk.folder / "batch.yaml"
    run = LabelingRun(str(path), "run")
    spend.reserve(run, row | {"month": "2025-12"}, "ada")
    again = labeling.plan_spend.function(str(path), [0], run_id="run")
    assert again["month"] == "2025-12"
    assert run.ledger.fold().month == "2025-12"
