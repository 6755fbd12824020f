"""HITs of lost runs, things left in SageMaker, and money of the month."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from groundswell.aws.clearing import clear_hits
from groundswell.aws.janitor.house import House, Workforces, open_house
from groundswell.aws.janitor.repairs import repair
from groundswell.aws.janitor.survey import survey
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.labels import consolidate
from groundswell.ledger import FolderStore, Ledger, months
from groundswell.ledger.claims import release
from tests.groundswell.aws.janitor.broom import Broom

pytestmark = pytest.mark.contract

MADE = {"CreationTime": datetime(2026, 1, 1, tzinfo=UTC)}


def lose_ledger(broom: Broom, run: LabelingRun) -> None:
    shutil.rmtree(broom.folder / "store" / run.batch.name / run.run_id)


# HITs of runs without a ledger


def test_a_run_whose_ledger_is_lost_is_known_by_its_claims(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    answer = broom.submit(hit)
    lose_ledger(broom, run)
    found = {each.kind: each for each in broom.survey(run.batch_path)}
    assert found["unknown_run_hit"].safe
    assert found["unknown_run_hit"].run == run.run_id
    results = {each.kind: each.result for each in broom.repair(run.batch_path)}
    assert results["unknown_run_hit"] == "repaired"
    assert broom.status(hit) == "Reviewable"
    state = broom.again(run).ledger.fold()
    assert state.payments.keys() == state.answers.keys() == {answer}
    assert broom.kinds(run.batch_path) == []


def test_a_hit_of_a_run_that_nobody_knows_may_be_another_deployments(broom: Broom) -> None:
    run = broom.begin("a")
    hit = broom.hit_of(run, "a")
    answer = broom.submit(hit)
    lose_ledger(broom, run)
    release(run.store, run.batch.name, run.run_id, ["a"])
    shutil.rmtree(broom.folder / "store" / "_claims")
    shutil.rmtree(broom.folder / "store" / "_months")
    [found] = broom.repair(run.batch_path)
    assert (found.kind, found.run) == ("unknown_run_hit", run.key)
    assert "another deployment" in found.evidence
    assert found.result.startswith("left: the janitor cannot be sure")
    assert broom.status(hit) == "Assignable"
    [found] = broom.repair(run.batch_path, broom.rules(unsure=("unknown_run_hit",)))
    assert found.result == "repaired"
    assert broom.status(hit) == "Reviewable", "it is expired, never deleted"
    kept = Ledger(run.store, f"_janitor/{run.batch.name}", run.key).fold()
    assert kept.payments[answer]["cents"] == 6
    assert broom.kinds(run.batch_path) == []
    assert broom.market.audit("000000000000") == []


def test_a_young_hit_of_a_run_that_nobody_knows_is_let_be(broom: Broom) -> None:
    run = broom.begin("a")
    lose_ledger(broom, run)
    shutil.rmtree(broom.folder / "store" / "_claims")
    shutil.rmtree(broom.folder / "store" / "_months")
    assert broom.kinds(run.batch_path, broom.rules(grace=timedelta(hours=1))) == []
    assert broom.kinds(run.batch_path) == ["unknown_run_hit"]


# SageMaker


class SageMaker:
    """What SageMaker has, by type and name; as the hook tells it."""

    def __init__(self) -> None:
        self.there: dict[tuple[str, str], dict[str, Any]] = {}

    def add(self, kind: str, name: str, **members: Any) -> None:
        self.there[kind, name] = MADE | members

    def _delete(self, kind: str, name: str) -> bool:
        return self.there.pop((kind, name), None) is not None

    def find_endpoint(self, name: str) -> Any:
        return self.there.get(("endpoint", name))

    def find_endpoint_config(self, name: str) -> Any:
        return self.there.get(("endpoint_config", name))

    def find_model(self, name: str) -> Any:
        return self.there.get(("model", name))

    def find_training_job(self, name: str) -> Any:
        return self.there.get(("training_job", name))

    def delete_endpoint(self, name: str) -> str:
        endpoint = self.there.get(("endpoint", name))
        if endpoint and endpoint["EndpointStatus"] == "Creating":
            return "busy"
        return "deleting" if self._delete("endpoint", name) else "absent"

    def delete_endpoint_config(self, name: str) -> bool:
        return self._delete("endpoint_config", name)

    def delete_model_if_exists(self, name: str) -> bool:
        return self._delete("model", name)

    def stop_training_job(self, name: str) -> bool:
        self.there["training_job", name]["TrainingJobStatus"] = "Stopped"
        return True


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> SageMaker:
    cloud = SageMaker()
    monkeypatch.setattr(House, "sagemaker", cloud)
    return cloud


def made(run: LabelingRun, *resources: str, state: str = "created") -> None:
    rows = [
        {"type": kind, "name": name, "state": state, "at": "2026-01-01T00:00:00+00:00"}
        for kind, _, name in (each.partition(" ") for each in resources)
    ]
    run.ledger.append("resources", rows)


EVERYTHING = ("endpoint e", "endpoint_config c", "model m", "training_job j")


def deployed(sagemaker: SageMaker, *, config: str = "c", status: str = "InService") -> None:
    sagemaker.add("endpoint", "e", EndpointStatus=status, EndpointConfigName=config)
    sagemaker.add("endpoint_config", "c")
    sagemaker.add("model", "m")
    sagemaker.add("training_job", "j", TrainingJobStatus="InProgress")


def finished(broom: Broom) -> LabelingRun:
    """A run that published nothing, and gave everything back."""
    run = broom.begin("a", publish=False)
    release(run.store, run.batch.name, run.run_id, ["a"])
    return run


def test_what_a_run_left_in_sagemaker_is_deleted_in_order(broom: Broom, sagemaker: SageMaker) -> None:
    run = finished(broom)
    made(run, *EVERYTHING[:3])
    made(run, EVERYTHING[3], state="intended")
    deployed(sagemaker)
    found = broom.survey(run.batch_path)
    assert [(each.kind, each.item) for each in found] == [
        ("endpoint_left", kind) for kind in ("endpoint", "endpoint_config", "model", "training_job")
    ]
    assert len(sagemaker.there) == 4
    assert {each.result for each in broom.repair(run.batch_path)} == {"repaired"}
    assert sagemaker.there.keys() == {("training_job", "j")}
    assert sagemaker.find_training_job("j")["TrainingJobStatus"] == "Stopped"
    assert {row["state"] for row in broom.again(run).ledger.fold().resources.values()} == {"deleted"}
    assert broom.kinds(run.batch_path) == []


def test_an_endpoint_that_another_run_updated_is_not_this_runs(broom: Broom, sagemaker: SageMaker) -> None:
    run = finished(broom)
    made(run, *EVERYTHING)
    deployed(sagemaker, config="newer")
    assert [each.item for each in broom.survey(run.batch_path)] == [
        "endpoint_config",
        "model",
        "training_job",
    ]
    broom.repair(run.batch_path)
    assert ("endpoint", "e") in sagemaker.there


def test_what_a_run_under_way_has_made_too_is_left_alone(broom: Broom, sagemaker: SageMaker) -> None:
    run = finished(broom)
    made(run, *EVERYTHING)
    other = run.sibling("manual__other")
    made(other, *EVERYTHING)
    broom.running["manual__other"] = True
    deployed(sagemaker)
    assert broom.repair(run.batch_path) == []
    broom.running["manual__other"] = False
    assert len(broom.survey(run.batch_path)) == 8
    assert {each.result for each in broom.repair(run.batch_path)} == {"repaired"}
    assert broom.kinds(run.batch_path) == []


def test_what_another_run_took_over_after_the_survey_is_left_alone(
    broom: Broom, sagemaker: SageMaker
) -> None:
    run = finished(broom)
    made(run, *EVERYTHING[:3])
    deployed(sagemaker)
    other = run.sibling("manual__other")
    with open_house(Path(run.batch_path), Workforces(), broom.rules()) as house:
        found = survey(house)
        assert len(found) == 3
        sagemaker.add("endpoint_config", "newer")
        deployed(sagemaker, config="newer")  # another run has deployed, and needs the model as well
        made(other, "endpoint e", "endpoint_config newer", "model m")
        broom.running["manual__other"] = True
        results = {each.item: each.result for each in repair(house, found)}
    assert {("endpoint", "e"), ("model", "m")} < sagemaker.there.keys()
    assert ("endpoint_config", "c") not in sagemaker.there, "this one is still of the dead run alone"
    assert results["endpoint"] == results["model"] == "waits: another run uses it now"
    assert results["endpoint_config"] == "repaired"


def test_an_endpoint_that_is_being_made_waits(broom: Broom, sagemaker: SageMaker) -> None:
    run = finished(broom)
    made(run, *EVERYTHING[:2])
    deployed(sagemaker, status="Creating")
    [endpoint, _] = broom.repair(run.batch_path)
    assert endpoint.result.startswith("waits: it is being changed")
    assert ("endpoint", "e") in sagemaker.there


def test_what_is_gone_is_no_finding(broom: Broom, sagemaker: SageMaker) -> None:
    run = finished(broom)
    made(run, *EVERYTHING)
    sagemaker.add("training_job", "j", TrainingJobStatus="Completed")
    assert broom.kinds(run.batch_path) == []


# the month


def test_money_that_can_no_longer_be_spent_goes_back(broom: Broom) -> None:
    from groundswell.aws.steps.spend import plan, reserve

    run = finished(broom)
    reserve(run, plan(run), "automatic")
    month = str(run.ledger.fold().month)
    held = months.read(run.store, run.batch.name, month).held_by(run.run_id)
    [found] = broom.survey(run.batch_path)
    assert (found.kind, held) == ("month_hold", 30)
    assert "$0.30 of" in found.what
    assert [each.result for each in broom.repair(run.batch_path)] == ["repaired"]
    assert months.read(run.store, run.batch.name, month).held_by(run.run_id) == 0
    assert broom.kinds(run.batch_path) == []


def test_the_hold_of_a_run_without_a_ledger_takes_a_person(broom: Broom) -> None:
    run = finished(broom)
    months.hold(run.store, run.batch.name, "2026-01", "manual__gone", 500, limit_cents=None)
    [found] = broom.repair(run.batch_path)
    assert (found.kind, found.run, found.result) == (
        "month_hold",
        "manual__gone",
        "left: it takes a person",
    )


def test_a_damaged_ledger_is_a_finding_and_the_others_go_on(broom: Broom) -> None:
    run = broom.begin("a", publish=False)
    store = FolderStore(broom.folder / "store")
    store.put(f"{run.batch.name}/manual__torn/hits/x.jsonl", b'{"item": ')
    found = {each.kind: each for each in broom.repair(run.batch_path)}
    assert found["stale_claims"].result == "repaired"
    assert found["unreadable_ledger"].run == "manual__torn"
    assert "restore this object" in found["unreadable_ledger"].evidence


# items that wait for people who know


def test_what_waits_for_experts_is_nothing_left_behind(broom: Broom) -> None:
    asked = {"rule": "agree", "agree": 2, "first": 2, "most": 2, "experts": True}
    run = broom.begin("a", redundancy=asked)
    hit = broom.hit_of(run, "a")
    for label in ("setosa", "virginica"):
        broom.submit(hit, label)
    assert broom.collect(broom.again(run)).given_up == 1
    assert consolidate(broom.again(run))["queued"] == 1
    clear_hits(broom.again(run))
    assert broom.kinds(run.batch_path) == []
    broom.running[run.run_id] = None  # Airflow has forgotten the run, and the item waits on
    assert broom.kinds(run.batch_path) == []
    assert broom.notes == [], "nor is the run left alone as one that asks about items"
