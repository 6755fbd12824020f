"""Run a DAG with ``dag.test()`` in a process of its own; the last line is the states as JSON."""

from __future__ import annotations

import json
import sys


def main(dag_id: str, conf: str) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import conf as settings
    from airflow.utils.db import initdb

    initdb()
    dag = DagBag(settings.get("core", "dags_folder")).dags[dag_id]
    run = dag.test(run_conf=json.loads(conf))
    states = {each.task_id: str(each.state) for each in run.get_task_instances()}
    print(json.dumps({"run_id": run.run_id, "state": str(run.state), "tasks": states}))


if __name__ == "__main__":
    main(*sys.argv[1:])
