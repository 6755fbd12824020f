"""The serving script's functions, and what callers hear when a model is slow or away."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest
from starlette.responses import Response

from localcloud.sagemaker import SageMaker, SageMakerSettings
from localcloud.sagemaker.arns import Caller
from localcloud.sagemaker.errors import Refused
from localcloud.sagemaker.invocations import Invoker
from localcloud.sagemaker.serving import harness
from localcloud.sagemaker.store import DocumentStore
from localcloud.sagemaker.training import state
from localcloud.sagemaker.training.jobs import TrainingJobs
from localcloud.sagemaker.training.requests import check_training_request
from workforce.clock import SystemClock


def script(**functions: Any) -> ModuleType:
    module = ModuleType("inference")
    module.__dict__.update(functions)
    return module


def upper(model: str, content: Any, content_type: str, accept: str) -> tuple[str, str]:
    return f"{model} {content.upper()} {content_type}", accept


def test_transform_fn_replaces_the_three_functions(tmp_path: Path) -> None:
    model = harness.Model(script(model_fn=lambda folder: Path(folder).name, transform_fn=upper), tmp_path)
    assert model.invoke("ä".encode(), "text/csv", "text/plain") == (
        200,
        f"{tmp_path.name} Ä text/csv".encode(),
        "text/plain",
    )


def test_a_script_must_say_how_to_load_and_not_two_ways_to_predict(tmp_path: Path) -> None:
    with pytest.raises(harness.UnusableModel, match=r"inference.py has no model_fn"):
        harness.Model(script(), tmp_path)
    both = script(model_fn=str, transform_fn=upper, predict_fn=max)
    with pytest.raises(harness.UnusableModel, match="transform_fn and predict_fn"):
        harness.Model(both, tmp_path)


def test_only_texts_are_decoded(tmp_path: Path) -> None:
    seen: list[Any] = []
    functions = {"input_fn": lambda content, _: seen.append(content), "predict_fn": lambda *_: None}
    model = harness.Model(script(model_fn=str, output_fn=lambda *_: b"", **functions), tmp_path)
    for media_type in ("application/json", "text/csv", "application/x-npy", "image/png"):
        model.invoke(b"1", media_type, "*/*")
    assert seen == ["1", "1", b"1", b"1"]


def test_what_cannot_be_sent_is_an_error_of_the_script(tmp_path: Path) -> None:
    functions = {"input_fn": lambda *_: 1, "predict_fn": lambda *_: 2, "output_fn": lambda *_: {"a": 1}}
    model = harness.Model(script(model_fn=str, **functions), tmp_path)
    with pytest.raises(TypeError, match="output_fn returned dict; return str or bytes"):
        model.invoke(b"", "application/json", "application/json")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/opt/ml/model/code", "model/code"),
        ("file:///opt/ml/code", "code"),
        (None, "code"),
    ],
)
def test_opt_ml_is_the_base_folder(monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str) -> None:
    monkeypatch.delenv("SAGEMAKER_SUBMIT_DIRECTORY", raising=False)
    if given:
        monkeypatch.setenv("SAGEMAKER_SUBMIT_DIRECTORY", given)
    assert harness.code_folder() == harness.BASE / expected


class OneFleet:
    """A fleet of one process at a port."""

    def __init__(self, port: int) -> None:
        self._instance = SimpleNamespace(name="v1", port=port)
        self.held = 1

    def choose(self, _target: str | None) -> Any:
        return self._instance

    def release(self) -> None:
        self.held -= 1


def invoked(port: int) -> Response:
    fleet = OneFleet(port)
    service = SimpleNamespace(settings=SageMakerSettings(invocation_timeout=0.2), fleet=lambda _name: fleet)

    async def run() -> Response:
        return await Invoker(cast("SageMaker", service)).invoke("e", {}, b"", Caller())

    response = asyncio.run(run())
    assert fleet.held == 0
    return response


def test_a_model_that_takes_too_long_is_a_model_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        response = invoked(silent.getsockname()[1])
    assert response.status_code == 424
    body = json.loads(bytes(response.body))
    assert body["OriginalStatusCode"] == 0
    assert "invocation timed out" in body["OriginalMessage"]


def test_a_model_that_is_away_may_be_asked_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    response = invoked(port)
    assert response.status_code == 503
    assert response.headers["x-amzn-ErrorType"] == "ServiceUnavailable"


class Submissions:
    """A runner that notes what it should run."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def submit(self, name: str) -> None:
        self.names.append(name)


def test_a_restart_runs_what_ran_and_ends_what_was_stopping(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path / "s.db")
    clock = SystemClock()
    for name, last in (("ran", "Training"), ("stopping", "Stopping"), ("done", "Completed")):
        document = {"TrainingJobName": name, "TrainingJobStatus": "InProgress", "ResourceConfig": {}}
        state.enter(document, last, clock.now())
        store.insert("training-job", name, document)
    runner = Submissions()
    TrainingJobs(store, cast("Any", runner), clock).resume()
    assert runner.names == ["ran"]
    found = {
        d["TrainingJobName"]: (d["TrainingJobStatus"], d["SecondaryStatus"])
        for d in store.all("training-job")
    }
    assert found == {
        "ran": ("InProgress", "Restarting"),
        "stopping": ("Stopped", "Stopped"),
        "done": ("Completed", "Completed"),
    }


def test_a_missing_training_interpreter_fails_the_job_with_the_fix(tmp_path: Path) -> None:
    from localcloud.sagemaker.process import InterpreterMissing, Supervised

    with pytest.raises(InterpreterMissing, match="LOCALCLOUD_TRAINING_PYTHON"):
        Supervised(tmp_path / "python", [], env={}, cwd=tmp_path, grace=1, on_line=print)


def test_the_programs_name_may_come_with_or_without_json_quotes() -> None:
    request: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "ResourceConfig": {"InstanceCount": 1},
        "StoppingCondition": {},
        "OutputDataConfig": {"S3OutputPath": "s3://b/out"},
    }
    for quote in ('"', ""):
        names = {
            "sagemaker_program": f"{quote}a.py{quote}",
            "sagemaker_submit_directory": f"{quote}s3://b/c{quote}",
        }
        check_training_request({**request, "HyperParameters": names})
    check_training_request(
        {**request, "Environment": {"SAGEMAKER_PROGRAM": "a.py", "SAGEMAKER_SUBMIT_DIRECTORY": "s3://b/c"}}
    )
    with pytest.raises(Refused, match="sagemaker_program"):
        check_training_request({**request, "HyperParameters": {"sagemaker_program": '""'}})
