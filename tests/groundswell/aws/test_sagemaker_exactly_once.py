"""Train, deploy and delete while the process dies before and after each effect, and answers get lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.exceptions import ReadTimeoutError

from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.runs import LabelingRun
from groundswell.aws.training import (
    RunDeleteEndpointConfigOperator,
    RunDeleteEndpointOperator,
    RunDeleteModelOperator,
    RunDeployOperator,
    RunTrainOperator,
)
from groundswell.ledger import FolderStore
from tests.groundswell.aws.sagemaker_support import FakeContext
from tests.groundswell.aws.workbench import Killed, ShiftedClock, Workbench
from tests.support.cloud_process import CHECKOUT, CloudProcess

pytestmark = pytest.mark.contract

TRAINING_PYTHON = CHECKOUT / ".venv-training/bin/python"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
ROLE = "arn:aws:iam::000000000000:role/groundswell-sagemaker"
BUCKET = "groundswell-once"
CONFIG: dict[str, Any] = {
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "RoleArn": ROLE,
    "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}
SCRIPT = """
import os, pathlib

def model_fn(folder):
    return pathlib.Path(folder, "value.txt").read_text()

def predict_fn(data, model):
    return model

if __name__ == "__main__":
    pathlib.Path(os.environ["SM_MODEL_DIR"], "value.txt").write_text("7")
"""
MUTATING = {
    f"{verb}{what}"
    for verb, whats in {
        "Create": ("TrainingJob", "Model", "EndpointConfig", "Endpoint"),
        "Update": ("Endpoint",),
        "Delete": ("Model", "EndpointConfig", "Endpoint"),
    }.items()
    for what in whats
}

if not TRAINING_PYTHON.exists():
    pytest.skip(f"no training environment at {TRAINING_PYTHON}", allow_module_level=True)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    process.start()
    process.client("s3").create_bucket(Bucket=BUCKET)
    yield process
    process.stop()


class Fate:
    """
    Lets a process die before and after each of its effects, once: a mutating call, or a row of the ledger.

    :param lost: what happens after a call is that its answer gets lost, and the client sees an error.
    """

    def __init__(self, *, lost: bool = False) -> None:
        self.lost = lost
        self.succeeded: Counter[str] = Counter()
        self.deaths: list[tuple[str, str]] = []
        self.asleep = False

    def at(self, effect: str, phase: str) -> None:
        if self.asleep or (effect, phase) in self.deaths:
            return
        self.deaths.append((effect, phase))
        if self.lost and phase == "after" and effect in MUTATING:
            raise ReadTimeoutError(endpoint_url="https://sagemaker")
        raise Killed

    def before(self, model: Any, **_: Any) -> None:
        if model.name in MUTATING:
            self.at(model.name, "before")

    def after(self, model: Any, http_response: Any, **_: Any) -> None:
        if model.name in MUTATING:
            if http_response.status_code == 200:
                self.succeeded[model.name] += 1
            self.at(model.name, "after")


class Desk:
    """A run whose tasks share one client, and die."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch:
            path = Workbench(None, ShiftedClock(), folder, patch).batch_file(["a"])  # type: ignore[arg-type]
        self.run = LabelingRun(str(path), "manual__once")
        self.hook = GroundswellSageMakerHook()
        self.source = folder / "source"
        self.source.mkdir()
        (self.source / "train.py").write_text(SCRIPT)
        self.fate = Fate()
        events = self.hook.conn.meta.events
        events.register("before-call.sagemaker", lambda **given: self.fate.before(**given))
        events.register("after-call.sagemaker", lambda **given: self.fate.after(**given))
        write = FolderStore.put_if_absent

        def put_if_absent(store: FolderStore, key: str, body: bytes) -> bool:
            row = json.loads(body)
            effect = f"{row['type']} is {row['state']}"
            self.fate.at(effect, "before")
            written = write(store, key, body)
            self.fate.at(effect, "after")
            return written

        monkeypatch.setattr(FolderStore, "put_if_absent", put_if_absent)

    def task(self, kind: type[Any], **arguments: Any) -> Any:
        task = kind(task_id="t", batch_path=self.run.batch_path, run_id=self.run.run_id, **arguments)
        task.__dict__["hook"] = self.hook
        return task

    def train(self, name: str) -> Any:
        return self.task(
            RunTrainOperator,
            job_name=name,
            config=CONFIG,
            print_log=False,
            waiter_delay=1,
            deferrable=False,
            source_dir=str(self.source),
            source_s3_uri=f"s3://{BUCKET}/code",
        )

    def deploy(self, endpoint: str, trained: dict[str, Any], **environment: str) -> Any:
        return self.task(
            RunDeployOperator,
            endpoint_name=endpoint,
            training_job_name=trained["training_job_name"],
            model_data_url=trained["model_artifacts"],
            image=IMAGE,
            role_arn=ROLE,
            instance_type="ml.m5.large",
            environment=environment,
            waiter_delay=1,
            deferrable=False,
            source_dir=str(self.source),
            source_s3_uri=f"s3://{BUCKET}/code",
        )

    def delete(self, names: dict[str, str]) -> list[Callable[[], Any]]:
        return [
            lambda: self.task(
                RunDeleteEndpointOperator,
                endpoint_name=names["endpoint_name"],
                waiter_delay=1,
                deferrable=False,
            ),
            lambda: self.task(
                RunDeleteEndpointConfigOperator, endpoint_config_name=names["endpoint_config_name"]
            ),
            lambda: self.task(RunDeleteModelOperator, model_name=names["model_name"]),
        ]

    def to_the_end(self, make: Callable[[], Any], *, lost: bool = False) -> Any:
        """Try a task again and again, as Airflow does."""
        self.fate = Fate(lost=lost)
        for _ in range(40):
            try:
                return make().execute(FakeContext())
            except (Killed, AirflowException):
                continue
        raise AssertionError(self.fate.deaths)

    def states(self) -> dict[str, str]:
        """What the ledger says: type -> state of what was made last."""
        rows = self.run.ledger.fold("resources").resources
        return {f"{kind} {name}": row["state"] for (kind, name), row in rows.items()}


@pytest.fixture
def desk(cloud: CloudProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    extra = {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url}
    value = {"conn_type": "aws", "login": "test", "password": "test", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(value))
    return Desk(tmp_path, monkeypatch)


def jobs(desk: Desk, prefix: str) -> list[str]:
    found = desk.hook.conn.list_training_jobs(NameContains=prefix)["TrainingJobSummaries"]
    return [job["TrainingJobName"] for job in found]


def test_killed_before_and_after_every_effect(desk: Desk) -> None:
    trained = desk.to_the_end(lambda: desk.train("killed"), lost=True)
    assert len(desk.fate.deaths) == 6, "two at the call, two at each row"
    assert desk.fate.succeeded == {"CreateTrainingJob": 1}
    assert jobs(desk, "killed") == ["killed"]
    assert desk.states() == {"training_job killed": "created"}

    names = desk.to_the_end(lambda: desk.deploy("killed", trained))
    assert desk.fate.succeeded == {"CreateModel": 1, "CreateEndpointConfig": 1, "CreateEndpoint": 1}
    assert len(desk.fate.deaths) == 18
    updated = desk.to_the_end(lambda: desk.deploy("killed", trained, OTHER="1"), lost=True)
    assert desk.fate.succeeded == {"CreateModel": 1, "CreateEndpointConfig": 1, "UpdateEndpoint": 1}
    assert desk.hook.find_endpoint("killed")["EndpointConfigName"] == updated["endpoint_config_name"]
    again = desk.to_the_end(lambda: desk.deploy("killed", trained, OTHER="1"))
    assert (again, desk.fate.succeeded["UpdateEndpoint"]) == (updated, 0), "it has that configuration"
    assert desk.states() == {
        "training_job killed": "created",
        "endpoint killed": "created",
        **{f"{kind} {each[f'{kind}_name']}": "created" for each in (names, updated) for kind in MADE},
    }

    for made in (names, updated):
        for make in desk.delete(made):
            desk.to_the_end(make)
    assert {state for what, state in desk.states().items() if "job" not in what} == {"deleted"}
    desk.to_the_end(desk.delete(names)[0])
    assert desk.fate.deaths == [], "nothing is left to do"


MADE = ("endpoint_config", "model")


def test_a_client_that_sends_again_makes_nothing_twice(desk: Desk) -> None:
    desk.fate.asleep = True

    def again(attempts: int, operation: Any, **_: Any) -> float | None:
        return 0.0 if attempts == 1 and operation.name in MUTATING else None

    desk.hook.conn.meta.events.register_first("needs-retry.sagemaker", again)
    trained = desk.train("resent").execute(FakeContext())
    assert jobs(desk, "resent") == ["resent"]
    desk.deploy("resent", trained).execute(FakeContext())
    names = desk.deploy("resent", trained, OTHER="1").execute(FakeContext())
    assert desk.hook.find_endpoint("resent")["EndpointConfigName"] == names["endpoint_config_name"]
    assert set(desk.states().values()) == {"created"}
    for make in desk.delete(names):
        make().execute(FakeContext())
    assert desk.hook.find_endpoint("resent") is None


def test_twins_start_one_job(desk: Desk) -> None:
    desk.fate.asleep = True
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: desk.train("twins").execute(FakeContext()), range(4)))
    assert results == results[:1] * 4
    assert jobs(desk, "twins") == ["twins"]
    assert desk.fate.succeeded == {"CreateTrainingJob": 1}


def test_without_its_intent_nothing_is_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> bool:
        raise OSError("no space left on device")

    monkeypatch.setattr(FolderStore, "put_if_absent", full)
    with pytest.raises(OSError, match="no space"):
        desk.train("unrecorded").execute(FakeContext())
    assert jobs(desk, "unrecorded") == []


def test_what_another_run_made_is_not_in_the_ledger(desk: Desk) -> None:
    desk.fate.asleep = True
    desk.task(RunDeleteModelOperator, model_name="of-another-run").execute(FakeContext())
    desk.task(RunDeleteModelOperator, model_name="").execute(FakeContext())
    assert desk.states() == {}
