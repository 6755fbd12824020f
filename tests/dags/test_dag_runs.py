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
from tests.support.cloud_process import CloudProcess
from tests.support.crowds import quick_crowd

pytestmark = [pytest.mark.dag, pytest.mark.timeout(300)]

BUCKET = "groundswell-small"


@pytest.fixture(scope="module")
def small_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    folder = tmp_path_factory.mktemp("cloud")
    cloud = CloudProcess(folder / "state", crowd=quick_crowd(folder))
    cloud.start()
    cloud.client("s3").create_bucket(Bucket=BUCKET)
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One database for all runs: making it takes longer than a short run."""
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one batch of six flowers, labels only."""
    shutil.copytree(CHECKOUT / "dags", tmp_path / "dags")
    shutil.copytree(CHECKOUT / "include", tmp_path / "include")
    path = tmp_path / "include/batches/iris.yaml"
    text = path.read_text().replace("groundswell-iris", BUCKET).replace("name: iris\n", "name: small\n")
    batch = yaml.safe_load(text)
    for name in ("training", "endpoint", "evaluation"):
        del batch[name]
    batch["polling"] |= {"interval": "1s", "first_wave": 6, "wave": 6, "max_wait": "2s"}
    batch["output"]["test_items"] = 1
    batch["redundancy"]["experts"] = True
    path.write_text(yaml.safe_dump(batch))
    data = tmp_path / "include/data/iris.csv"
    data.write_text("".join(data.read_text().splitlines(keepends=True)[:7]))
    return tmp_path


def run_dag(project: Path, home: Path, cloud: CloudProcess, **conf: Any) -> dict[str, Any]:
    connection = {
        "conn_type": "aws",
        "login": "test",
        "password": "test",
        "extra": {"region_name": "us-east-1", "endpoint_url": cloud.endpoint_url},
    }
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_MTURK_DEFAULT": json.dumps(connection),
        "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'plugins'}",
    }
    script = CHECKOUT / "tests/dags/dag_test_script.py"
    ended = subprocess.run(
        [sys.executable, str(script), "labeling_small", json.dumps(conf)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    result: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return result


def test_six_flowers_become_labels_and_experts_correct_them_though_nothing_is_new(
    project: Path, airflow_home: Path, small_cloud: CloudProcess
) -> None:
    run = run_dag(project, airflow_home, small_cloud)
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
    run = run_dag(project, airflow_home, small_cloud)
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
    project: Path, airflow_home: Path, small_cloud: CloudProcess
) -> None:
    data = project / "include/data/iris.csv"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join([*lines, lines[-1]]))
    before = small_cloud.client("mturk").get_account_balance()["AvailableBalance"]
    run = run_dag(project, airflow_home, small_cloud, relabel=True)
    assert run["state"] == "failed", "a teardown that succeeds must not hide it"
    assert run["tasks"]["load_dataset"] == "failed"
    assert run["tasks"]["publish_hits"] == run["tasks"]["plan_spend"] == "upstream_failed"
    assert small_cloud.client("mturk").get_account_balance()["AvailableBalance"] == before
