"""Rounds through a folder of batch files, as dags/janitor.py makes them; their documents and their end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from dags import janitor
from groundswell.aws.janitor.findings import Finding, Kind
from groundswell.aws.janitor.report import LINES, table
from groundswell.aws.runs import COMPENSATIONS, LabelingRun
from groundswell.ledger import annotation, run_key
from tests.groundswell.aws.janitor.broom import Broom

pytestmark = pytest.mark.contract

PARAMS = {"repair": False, "batches": [], "grace": "0s", "unsure": []}


class Task:
    """A task instance, as far as the DAG's functions use it."""

    def __init__(self) -> None:
        self.returned: dict[str, Any] = {}
        self.states: dict[str, str] = {}

    def xcom_pull(self, task_ids: str) -> Any:
        return self.returned.get(task_ids)

    def get_dr_count(self, *, dag_id: str, run_ids: list[str], states: list[str] | None = None) -> int:
        assert dag_id.startswith("labeling_")
        state = self.states.get(run_ids[0], "failed")
        return int(state != "unknown" and (states is None or state in states))


@pytest.fixture
def ti() -> Task:
    return Task()


def go(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch, folder: Path | None = None, **params: Any
) -> Any:
    """Run the three tasks; return what the last one returns."""
    monkeypatch.setattr(janitor, "BATCHES", folder or broom.folder)
    run = SimpleNamespace(logical_date=datetime(2026, 1, 2, 3, tzinfo=UTC), run_id="manual__janitor")
    context = {"params": PARAMS | params, "ti": ti}
    ti.returned = {"survey": janitor.survey.function(**context, dag_run=run)}
    try:
        ti.returned["repair"] = janitor.repair.function(**context, dag_run=run)
    except AirflowSkipException:
        assert not params.get("repair")
    return janitor.report.function(**context)


def document(broom: Broom, run: LabelingRun) -> dict[str, Any]:
    key = f"_janitor/{run.batch.name}/reports/2026-01-02T030000Z.json"
    found: dict[str, Any] = json.loads(run.store.get(key) or b"")
    return found


def test_a_dry_round_reports_and_fails_and_a_repairing_one_succeeds(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    broom.submit(broom.hit_of(run, "a"))
    with broom.nothing_published(), pytest.raises(AirflowFailException) as caught:
        go(broom, ti, monkeypatch)
    assert str(caught.value).startswith("1 of 1 findings are left; where `found`, trigger the janitor with")
    assert "open_hit_of_dead_run" in str(caught.value)
    kept = document(broom, run)
    assert (kept["repair"], kept["findings"][0]["result"]) == (False, "found")
    assert ti.returned["survey"]["counts"] == {"open_hit_of_dead_run": 1, "result_found": 1}

    assert go(broom, ti, monkeypatch, repair=True) == {"open_hit_of_dead_run": 1, "result_repaired": 1}
    assert document(broom, run)["findings"][0]["result"] == "repaired"
    assert go(broom, ti, monkeypatch) == {}
    assert document(broom, run)["findings"] == []


def test_a_run_that_is_clean_is_not_read_again_until_something_changes(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    broom.to_the_end(run, {"a": ["setosa"] * 2})
    go(broom, ti, monkeypatch, repair=True)
    go(broom, ti, monkeypatch)
    assert run.run_id in json.loads(run.store.get(f"_janitor/{run.batch.name}/clean.json") or b"")

    def unread(*_: Any) -> None:
        raise AssertionError("its ledger is read again")

    with monkeypatch.context() as patch:
        patch.setattr("groundswell.ledger.Ledger.fold", unread)
        assert go(broom, ti, patch) == {}
    row = {"type": "model", "name": "m", "state": "created", "at": "2026-01-01T00:00:00+00:00"}
    run.ledger.append("resources", [row])
    monkeypatch.setattr("groundswell.ledger.Ledger.fold", unread)
    with pytest.raises(AirflowFailException, match="read again"):
        go(broom, ti, monkeypatch)


def test_a_broken_batch_file_and_a_dead_connection_stop_nobody_else(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    text = Path(run.batch_path).read_text()
    (broom.folder / "broken.yaml").write_text(text.replace("shard_items", "shard_itms"))
    (broom.folder / "copy.yaml").write_text(text)
    other = text.replace(f"name: {broom.name}", "name: other").replace("groundswell-iris", "groundswell-x")
    (broom.folder / "other.yaml").write_text(other.replace("mturk_default", "nowhere"))
    with pytest.raises(AirflowFailException) as caught:
        go(broom, ti, monkeypatch, repair=True)
    message = str(caught.value)
    assert message.startswith("3 of 4 findings are left")
    assert "shard_itms" in message
    assert f"name '{broom.name}' belongs to batch.yaml" in message
    assert "there is no connection 'nowhere'" in message
    assert document(broom, run)["findings"][0]["result"] == "repaired"


def test_one_batch_can_be_chosen(broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    run = broom.begin("a", publish=False)
    (broom.folder / "broken.yaml").write_text("name: [")
    with pytest.raises(AirflowFailException, match=f"there is no batch nobody; there are: {broom.name}"):
        go(broom, ti, monkeypatch, batches=["nobody"])
    counts = go(broom, ti, monkeypatch, batches=[run.batch.name], repair=True)
    assert counts == {"stale_claims": 1, "result_repaired": 1}


def test_what_airflow_says_decides_who_is_under_way(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    for state in ("running", "queued", "unknown"):
        ti.states[run.run_id] = state
        assert go(broom, ti, monkeypatch, repair=True) == {}, state
        assert run.run_id in document(broom, run)["notes"][0]
    ti.states[run.run_id] = "failed"
    assert go(broom, ti, monkeypatch, repair=True) == {"open_hit_of_dead_run": 1, "result_repaired": 1}


def test_a_grace_that_is_none_is_refused(broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AirflowFailException, match="grace: "):
        go(broom, ti, monkeypatch, grace="soon")


def test_documents_of_a_manual_run_are_named_by_its_key() -> None:
    run = SimpleNamespace(logical_date=None, run_id="manual__x")
    assert janitor.stamp_of(run) == run_key("manual__x")


def test_a_round_that_did_not_end_is_no_success(ti: Task) -> None:
    with pytest.raises(AirflowFailException, match="the round did not end"):
        janitor.report.function(params=PARAMS, ti=ti)


def test_the_table_is_aligned_and_short_and_has_what_is_left_first() -> None:
    rows = [
        Finding(Kind.ZOMBIE, "b", what="gone", evidence="e", run="r" * 100, item=f"i{number}")
        for number in range(LINES + 3)
    ]
    rows[7] = rows[7].ended("repaired")
    lines = table(rows).splitlines()
    assert len(lines) == LINES + 2
    assert lines[-1] == "and 3 more: see the documents"
    assert len({line.index("b ") for line in lines[1:-1]}) == 1
    assert all("found" in line for line in lines[1:-1])
    assert max(map(len, lines)) < 200


def test_a_batch_whose_file_was_removed_is_told(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    text = Path(run.batch_path).read_text()
    left = Path(run.batch_path)
    left.write_text(text.replace(f"name: {broom.name}", "name: another"))
    with broom.nothing_published(), pytest.raises(AirflowFailException) as caught:
        go(broom, ti, monkeypatch, repair=True)
    assert "batch_without_file" in str(caught.value)
    assert "1 HITs of a batch that has no batch file" in str(caught.value)
    left.write_text(text)
    assert go(broom, ti, monkeypatch, repair=True) == {"open_hit_of_dead_run": 1, "result_repaired": 1}


def test_hits_of_an_account_that_others_use_are_not_called_a_batch_of_ours(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    for mark in ("", "a note", '{"batch": "elsewhere", "run": "0a", "item": "a"}'):
        broom.post(run, "a", mark=mark)
    broom.post(run, "a", mark=annotation(COMPENSATIONS, "iris/mail-1", "AW1"))  # make-up HITs are ours
    run.store.put(f"{COMPENSATIONS}/iris/mail-1/hits/part.jsonl", b"")
    go(broom, ti, monkeypatch, repair=True)
    assert ti.returned["repair"]["foreign"] == {"mturk_default": 3}


@pytest.mark.parametrize("damaged", ["{batch}/{run}/summary.json", "_months/{batch}/2026-01/000000.jsonl"])
def test_what_is_damaged_does_not_hide_the_rest(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch, damaged: str
) -> None:
    torn = broom.begin("a")
    run = broom.run(["b"], name=broom.name)
    broom.publish(run)
    path = broom.folder / "store" / damaged.format(batch=broom.name, run=torn.run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    with pytest.raises(AirflowFailException, match="unreadable_ledger"):
        go(broom, ti, monkeypatch, repair=True)
    kinds = {row["kind"]: row["result"] for row in document(broom, run)["findings"]}
    assert kinds["open_hit_of_dead_run"] == "repaired"


def test_what_was_found_clean_is_found_anew_where_that_is_damaged(
    broom: Broom, ti: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = broom.begin("a")
    run.store.put(f"_janitor/{broom.name}/clean.json", b"{")
    assert go(broom, ti, monkeypatch, repair=True) == {"open_hit_of_dead_run": 1, "result_repaired": 1}
    assert json.loads(run.store.get(f"_janitor/{broom.name}/clean.json") or b"") == {}
