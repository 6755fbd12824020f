"""Whole runs through ``dag.test()`` against a local cloud with a crowd."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import CHECKOUT
from tests.dags.dag_test_script import ANSWER
from tests.support.cloud_process import CloudProcess
from tests.support.crowds import quick_crowd

pytestmark = [pytest.mark.dag, pytest.mark.timeout(600)]

BUCKET = "groundswell-small"


@pytest.fixture(scope="module")
def small_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    folder = tmp_path_factory.mktemp("cloud")
    cloud = CloudProcess(folder / "state", crowd=quick_crowd(folder))
    cloud.start()
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    yield cloud
    cloud.stop()


class Airflow:
    """A process that runs the DAGs of a project, one after another."""

    def __init__(self, project: Path, cloud: CloudProcess) -> None:
        connection = {
            "conn_type": "aws",
            "login": "test",
            "password": "test",
            "extra": {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url},
        }
        environment = {
            **os.environ,
            "AIRFLOW_HOME": str(project / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
            "AIRFLOW_CONN_MTURK_DEFAULT": json.dumps(connection),
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'plugins'}",
        }
        self._errors = (project / "airflow.err").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests/dags/dag_test_script.py")],
            cwd=project,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def run(self, **conf: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps({'dag_id': 'labeling_small', 'conf': conf})}\n")
        self._process.stdin.flush()
        said = []
        for line in self._process.stdout:
            said.append(line)
            if line.startswith(ANSWER):
                result: dict[str, Any] = json.loads(line.removeprefix(ANSWER))
                return result
        self._errors.seek(0)
        raise AssertionError("".join(said)[-3000:] + self._errors.read()[-3000:])

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one batch of six flowers, labels only."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(CHECKOUT / "dags", folder / "dags")
    shutil.copytree(CHECKOUT / "include", folder / "include")
    path = folder / "include/batches/iris.yaml"
    text = path.read_text().replace("groundswell-iris", BUCKET).replace("name: iris\n", "name: small\n")
    batch = yaml.safe_load(text)
    for name in ("training", "endpoint", "evaluation"):
        del batch[name]
    batch["polling"] |= {"interval": "1s", "first_wave": 6, "wave": 6, "max_wait": "2s"}
    batch["output"]["test_items"] = 1
    batch["redundancy"]["experts"] = True
    path.write_text(yaml.safe_dump(batch))
    data = folder / "include/data/iris.csv"
    data.write_text("".join(data.read_text().splitlines(keepends=True)[:7]))
    return folder


@pytest.fixture(scope="module")
def airflow(project: Path, small_cloud: CloudProcess) -> Iterator[Airflow]:
    process = Airflow(project, small_cloud)
    yield process
    process.stop()


def test_six_flowers_become_labels_and_experts_correct_them_though_nothing_is_new(
    project: Path, airflow: Airflow, small_cloud: CloudProcess
) -> None:
    run = airflow.run()
    assert run["state"] == "success"
    assert set(run["tasks"].values()) == {"success"}, run
    key = f"state/small/{run['run_id']}/summary.json"
    summary = json.loads(small_cloud.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert summary["items"] == summary["settled"] + summary["given_up"] == 6
    assert summary["spent_cents"] == 6 * summary["answers"]
    assert summary["cleaned"] == ["6 HITs"]
    assert small_cloud.client("mturk").list_hits()["HITs"] == []
    hand_back(project, small_cloud, "virginica")
    before = small_cloud.client("mturk").get_account_balance()["AvailableBalance"]
    run = airflow.run()
    assert run["state"] == "success"
    done = {"load_dataset", "consolidate", "write_dataset"}
    asking = {state for task, state in run["tasks"].items() if "." not in task and task not in done}
    assert asking == {"skipped"}, run
    assert {run["tasks"][task] for task in done} == {"success"}, run
    assert small_cloud.client("mturk").get_account_balance()["AvailableBalance"] == before
    manifest = (
        small_cloud.client("s3").get_object(Bucket=BUCKET, Key="manifests/iris.manifest")["Body"].read()
    )
    labels = [json.loads(line)["species-metadata"]["class-name"] for line in manifest.splitlines()]
    assert labels == ["virginica"] * 6


def hand_back(project: Path, cloud: CloudProcess, label: str) -> None:
    """Let an expert give every flower this label."""
    items = (project / "include/data/iris.csv").read_text().splitlines()[1:]
    rows = ["item,label,by", *(f"{item.split(',')[0]},{label},Ada" for item in items)]
    key, body = "experts/small/answers.csv", "\n".join(rows).encode()
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=body)


def test_a_dataset_that_will_not_do_fails_the_run_before_anything_is_published(
    project: Path, airflow: Airflow, small_cloud: CloudProcess
) -> None:
    data = project / "include/data/iris.csv"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([*lines, lines[-1]]))
    before = small_cloud.client("mturk").get_account_balance()["AvailableBalance"]
    run = airflow.run(relabel=True)
    data.write_text("".join(lines))
    assert run["state"] == "failed", "a teardown that succeeds must not hide it"
    assert run["tasks"]["load_dataset"] == "failed"
    assert run["tasks"]["publish_hits"] == run["tasks"]["plan_spend"] == "upstream_failed"
    assert small_cloud.client("mturk").get_account_balance()["AvailableBalance"] == before
