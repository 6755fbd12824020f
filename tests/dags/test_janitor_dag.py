"""The janitor's DAG: its wiring, and one run through ``dag.test()`` with the state in a folder."""

from __future__ import annotations

import ast
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

from groundswell.ledger import FolderStore
from groundswell.ledger.claims import release
from tests.conftest import CHECKOUT
from tests.dags.dag_test_script import ANSWER
from tests.groundswell.aws.desk import Served, connection, served_market
from tests.groundswell.aws.janitor.broom import Broom


def test_it_is_a_dry_run_every_day_unless_told_otherwise(dagbag: Any) -> None:
    dag = dagbag.dags["janitor"]
    defaults = {name: dag.params[name] for name in dag.params}
    assert defaults == {"repair": False, "batches": [], "grace": "6h", "unsure": []}
    assert dag.max_active_runs == 1
    assert dag.schedule == "@daily"
    assert [task.task_id for task in dag.topological_sort()] == ["survey", "repair", "report"]
    assert dag.get_task("report").trigger_rule.value == "all_done"


def test_it_asks_about_the_dags_that_there_are(dagbag: Any) -> None:
    from dags.janitor import rules_of
    from groundswell.batches.model import load_batches

    asked: list[str] = []

    class Task:
        def get_dr_count(self, *, dag_id: str, **_: Any) -> int:
            asked.append(dag_id)
            return 0

    params = {"grace": "1h", "unsure": []}
    for batch in load_batches(CHECKOUT / "include/batches"):
        assert rules_of(params, Task()).under_way(batch.name, "manual__x") is None
    assert asked
    assert set(asked) <= dagbag.dags.keys()


def test_parsing_it_loads_nothing_of_the_work() -> None:
    body = ast.parse((CHECKOUT / "dags/janitor.py").read_text()).body
    modules = {node.module for node in body if isinstance(node, ast.ImportFrom)}
    assert not any(isinstance(node, ast.Import) for node in body)
    assert modules == {
        "__future__",
        "airflow.sdk",
        "airflow.sdk.exceptions",
        "datetime",
        "pathlib",
        "typing",
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_market(tmp_path_factory.mktemp("market")) as served:
        yield served


@pytest.mark.dag
def test_a_run_takes_what_a_dead_run_left_off_the_market(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broom = Broom(served, tmp_path, monkeypatch)
    state = (tmp_path / "store").as_uri()
    run = broom.begin("a", state=state)
    hit = broom.hit_of(run, "a")
    answer = broom.submit(hit)
    # Airflow does not know this run, so that its claims decide
    release(run.store, run.batch.name, run.run_id, ["a"])
    project = tmp_path / "project"
    shutil.copytree(CHECKOUT / "dags", project / "dags")
    (project / "include/batches").mkdir(parents=True)
    shutil.copy(run.batch_path, project / "include/batches/batch.yaml")
    assert yaml.safe_load(Path(run.batch_path).read_text())["state"] == state
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW_CONN_AWS_DEFAULT": connection(broom.url),
        "AIRFLOW_CONN_MTURK_DEFAULT": connection(broom.url),
        "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'plugins'}",
    }
    script = CHECKOUT / "tests/dags/dag_test_script.py"
    ended = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps({"dag_id": "janitor", "conf": {"repair": True, "grace": "0s"}}),
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    result = json.loads(ended.stdout.splitlines()[-1].removeprefix(ANSWER))
    assert result["state"] == "success", ended.stdout[-6000:]
    assert set(result["tasks"].values()) == {"success"}
    assert broom.status(hit) == "Disposed", "its claims had lapsed, so nobody clears the run any more"
    assert broom.again(run).ledger.fold().payments.keys() == {answer}
    store = FolderStore(tmp_path / "store")
    [key] = store.keys(f"_janitor/{run.batch.name}/reports/")
    findings = json.loads(store.get(key) or b"")["findings"]
    assert {each["result"] for each in findings} == {"repaired"}
