"""What every DAG of the project must be: parsed cheaply, documented, retried, and wired as designed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from tests.conftest import CHECKOUT

LIFECYCLE = [
    "load_dataset",
    "plan_spend",
    "approve_spend",
    "publish_hits",
    "sense_reviewable",
    "collect_and_extend",
    "approve_overrun",
    "collect_rest",
    "consolidate",
    "write_dataset",
    "train",
    "deploy",
    "evaluate",
]
CLEAN_UP = {
    "clean_up.reconcile",
    "clean_up.delete_hits",
    "clean_up.delete_logs",
    "clean_up.delete_endpoint",
    "clean_up.delete_endpoint_config",
    "clean_up.delete_model",
}


def test_dag_files_have_no_import_errors(dagbag: Any) -> None:
    assert dagbag.import_errors == {}
    assert "labeling_iris" in dagbag.dags


def test_dags_and_tasks_are_documented_owned_and_retried(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        assert dag.description, dag.dag_id
        assert dag.doc_md, dag.dag_id
        assert dag.tags, dag.dag_id
        assert not dag.catchup, "unpausing one starts no heap of runs unless its settings say so"
        for task in dag.tasks:
            assert re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)?", task.task_id)
            assert task.owner not in {"", "airflow"}, task.task_id
            # a deferred task that is well may be marked failed by Airflow 3.3
            assert task.retries >= 2, task.task_id


def test_cases_that_wait_for_their_workers_hold_up_no_other(dagbag: Any) -> None:
    # A make-up HIT waits up to 14 days; Airflow's default lets 16 runs of a DAG begin
    assert dagbag.dags["pay_worker"].max_active_runs >= 500
    assert dagbag.dags["pay_worker"].get_task("wait_for_worker").deferrable


def test_the_lifecycle_is_one_chain(dagbag: Any) -> None:
    dag = dagbag.dags["labeling_iris"]
    for before, after in pairwise(LIFECYCLE):
        assert after in dag.get_task(before).downstream_task_ids, f"{before} -> {after}"


def effective_leaves(dag: Any) -> set[str]:
    """The tasks that a run's state hangs on: followed by nothing but teardowns that do not fail it."""

    def harmless(task: Any) -> bool:
        return bool(task.is_teardown and not task.on_failure_fail_dagrun)

    return {
        task.task_id
        for task in dag.tasks
        if not harmless(task) and all(harmless(dag.get_task(each)) for each in task.downstream_task_ids)
    }


def test_clean_up_is_a_teardown_that_leaves_the_runs_state_to_the_work(dagbag: Any) -> None:
    dag = dagbag.dags["labeling_iris"]
    assert {task.task_id for task in dag.tasks if task.is_teardown} == CLEAN_UP
    for task_id in CLEAN_UP:
        assert not dag.get_task(task_id).on_failure_fail_dagrun, (
            "with it a run whose work failed counts as a success; report fails the run instead"
        )
    assert {task.task_id for task in dag.tasks if task.is_setup} == {"load_dataset", "deploy"}
    report = dag.get_task("clean_up.report")
    assert report.upstream_task_ids == CLEAN_UP
    reconcile = dag.get_task("clean_up.reconcile")
    assert "clean_up.delete_hits" in reconcile.downstream_task_ids, "HITs that are gone cannot be compared"
    assert effective_leaves(dag) == {"evaluate", "clean_up.report"}
    assert report.trigger_rule.value == "all_done"


def test_template_fields_exist_and_sensors_time_out(dagbag: Any) -> None:
    for dag in dagbag.dags.values():
        for task in dag.tasks:
            missing = [name for name in task.template_fields if not hasattr(task, name)]
            # a mapped operator keeps its fields in partial_kwargs
            assert not missing or task.is_mapped, (task.task_id, missing)
    sense = dagbag.dags["labeling_iris"].get_task("sense_reviewable")
    assert sense.timeout == 5 * 3600
    assert sense.deferrable


def test_dags_survive_serialization(dagbag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    for dag in dagbag.dags.values():
        data = DagSerialization.to_dict(dag)
        assert DagSerialization.from_dict(data).task_ids == dag.task_ids


def test_parsing_needs_no_network_and_no_heavy_library() -> None:
    script = """
import socket, sys
def refuse(*_, **__): raise RuntimeError("network at parse time")
socket.socket.connect = refuse
import airflow
before = set(sys.modules)
import runpy; runpy.run_path("dags/labeling.py")
heavy = {"pandas", "numpy", "sklearn", "scipy"} & (set(sys.modules) - before)
print("heavy:", sorted(heavy))
"""
    environment = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'plugins'}"}
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "heavy: []" in ended.stdout


def test_a_broken_batch_file_says_so_and_leaves_the_others_alone(
    bag_with: Callable[[dict[str, str]], Any],
) -> None:
    iris = (CHECKOUT / "include/batches/iris.yaml").read_text()
    second = iris.replace("name: iris\n", "name: second\n").replace("groundswell-iris", "groundswell-second")
    bag = bag_with(
        {
            "second.yaml": second,
            "typo (1).yaml": iris.replace("shard_items", "shard_itms"),
            "twin.yaml": iris,
            "shared.yaml": second.replace("name: second\n", "name: third\n"),
        }
    )
    assert bag.import_errors == {}
    assert {"labeling_iris", "labeling_second"} < bag.dags.keys()
    assert len(bag.dags["labeling_iris"].task_ids) == 20, "a copy does not replace the DAG of the batch"
    broken = {dag.dag_display_name: dag for dag in bag.dags.values() if dag.dag_id.startswith("broken")}
    assert broken.keys() == {"broken: typo (1).yaml", "broken: twin.yaml", "broken: shared.yaml"}
    typo = broken["broken: typo (1).yaml"]
    assert typo.task_ids == ["read_batch_file"]
    assert "shard_itms" in typo.doc_md
    assert "shard_items" in typo.doc_md, "the message names the option that was meant"
    with pytest.raises(Exception, match=r"typo.*shard_itms"):
        typo.get_task("read_batch_file").python_callable()
    assert "name 'iris' belongs to iris.yaml" in broken["broken: twin.yaml"].doc_md
    assert "belongs to second.yaml" in broken["broken: shared.yaml"].doc_md


def test_a_batch_may_do_without_a_model(bag_with: Callable[[dict[str, str]], Any]) -> None:
    iris = (CHECKOUT / "include/batches/iris.yaml").read_text()
    labels_only = iris[: iris.index("training:")].replace("name: iris\n", "name: plain\n")
    labels_only = labels_only.replace("groundswell-iris", "groundswell-plain")
    bag = bag_with({"plain.yaml": labels_only})
    tasks = set(bag.dags["labeling_plain"].task_ids)
    assert tasks == {*LIFECYCLE[:10], "clean_up.reconcile", "clean_up.delete_hits", "clean_up.report"}


def test_a_batch_with_a_review_asks_a_person_before_anything_is_rejected(
    bag_with: Callable[[dict[str, str]], Any],
) -> None:
    iris = (CHECKOUT / "include/batches/iris.yaml").read_text()
    reviewed = f"{iris}\nreview:\n  feedback: The answers do not fit the images.\n"
    dag = bag_with({"iris.yaml": reviewed}).dags["labeling_iris"]
    review = ["propose_rejections", "approve_rejections", "apply_reviews"]
    around = ["collect_and_extend", *review, "approve_overrun", "collect_rest", "consolidate"]
    for before, after in pairwise(around):
        assert after in dag.get_task(before).downstream_task_ids, f"{before} -> {after}"


def test_a_batch_that_asks_nobody_collects_once(bag_with: Callable[[dict[str, str]], Any]) -> None:
    iris = (CHECKOUT / "include/batches/iris.yaml").read_text()
    assert "spend: {" in iris
    quiet = iris.replace("spend: {", "spend: {ask_overrun: false, ")
    dag = bag_with({"iris.yaml": quiet}).dags["labeling_iris"]
    assert "consolidate" in dag.get_task("collect_and_extend").downstream_task_ids
    assert "collect_rest" not in dag.task_ids
