"""The DAG of the reports: its wiring, settings that are wrong, and real runs against a local cloud."""

from __future__ import annotations

import ast
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from groundswell.aws.reporting import opening
from tests.conftest import CHECKOUT
from tests.groundswell.aws.reporting.private_days import DAY, entry, reports_in, usual, write
from tests.support.cloud_process import CloudProcess

BUCKET = "groundswell-reports"
LOG_GROUP = "/aws/sagemaker/groundtruth/WorkerActivity"
LIGHT = {"__future__", "airflow.sdk", "airflow.sdk.exceptions", "datetime", "pathlib", "typing"}


def test_a_run_collects_side_by_side_and_reports_day_by_day(dagbag: Any) -> None:
    dag = dagbag.dags["worker_metrics"]
    after_events = {"collect_workteam", "collect_jobs", "collect_names"}
    assert dag.get_task("collect_activity").downstream_task_ids == after_events
    collected = {*after_events, "collect_ledgers"}
    assert dag.get_task("changed_days").upstream_task_ids == {"window", *collected}
    for task_id in collected:
        assert dag.get_task(task_id).downstream_task_ids == {"changed_days"}
    report = dag.get_task("report_day")
    assert report.upstream_task_ids == {"changed_days"}
    assert report.is_mapped
    assert report.partial_kwargs["max_active_tis_per_dagrun"] == 1, "anomalies follow from the days before"
    publish = dag.get_task("publish")
    assert publish.upstream_task_ids == {"report_day", "changed_days", "window"}
    assert publish.trigger_rule == "all_done_min_one_success", "a day that fails does not hold up the rest"
    assert publish.downstream_task_ids == {"verify"}, "which fails instead"
    assert "notify" not in dag.task_ids, "nobody is told unless the settings say so"
    assert all(task.doc_md or task.partial_kwargs["doc_md"] for task in dag.tasks)


def test_a_run_has_the_day_before_in_the_time_zone_of_the_reports(dagbag: Any) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dagbag.dags["worker_metrics"]
    assert dag.max_active_runs == 1
    assert {name: dag.params[name] for name in dag.params} == {"from_day": None, "to_day": None}
    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    interval = timetable.infer_manual_data_interval(run_after=dag.start_date + timedelta(days=9, hours=7))
    assert interval.end - interval.start == timedelta(days=1), "a true data interval, of one day"
    assert interval.end == dag.start_date + timedelta(days=9, hours=6)


@pytest.mark.parametrize("wanted", [True, False])
def test_it_catches_up_from_the_start_where_the_settings_say_so(wanted: bool) -> None:
    source = runpy.run_path(str(CHECKOUT / "dags" / "worker_metrics.py"))
    settings = source["ReportSettings"].load(source["SETTINGS"])
    assert settings.catch_up is False, "trying the example must not report weeks without work first"
    made = source["worker_metrics_dag"](settings.model_copy(update={"catch_up": wanted}))
    assert made.catchup is wanted
    assert made.start_date.date() == settings.start


@pytest.mark.parametrize(("number", "last"), [(1, False), (3, False), (4, True)])
def test_the_last_try_is_the_one_after_all_retries(number: int, last: bool) -> None:
    source = runpy.run_path(str(CHECKOUT / "dags" / "worker_metrics.py"))
    retries = source["worker_metrics"].default_args["retries"]
    assert source["is_last_try"](SimpleNamespace(try_number=number, max_tries=retries)) is last


def test_the_asset_is_the_reports(dagbag: Any) -> None:
    [asset] = dagbag.dags["worker_metrics"].get_task("publish").outlets
    assert (asset.name, asset.uri) == (
        "reports/worker_metrics",
        "s3://groundswell-reports/worker-metrics/days",
    )


def test_days_that_are_written_have_their_event_though_another_failed(
    dagbag: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airflow takes events only from tasks that succeed."""
    reports = reports_in(tmp_path)
    monkeypatch.setattr(opening, "open_reports", lambda _: nullcontext(reports))
    dag, failed = dagbag.dags["worker_metrics"], DAY - timedelta(days=1)
    days = [entry(failed), entry(DAY)]
    asset = runpy.run_path(str(CHECKOUT / "dags" / "worker_metrics.py"))["report_asset"](reports.settings)
    told = {asset: SimpleNamespace(extra=None)}
    result = dag.get_task("publish").python_callable(
        [write(reports, DAY, usual(DAY))], days, days, outlet_events=told
    )
    assert told[asset].extra == {
        "days": [str(DAY)],
        "revised": [],
        "failed": [str(failed)],
        "anomalies": 0,
    }
    with pytest.raises(AirflowFailException, match=f"{failed} was not written"):
        dag.get_task("verify").python_callable(result)


@pytest.mark.parametrize("name", ["worker_metrics", "forget_worker"])
def test_parsing_loads_nothing_of_the_work(name: str) -> None:
    body = ast.parse((CHECKOUT / f"dags/{name}.py").read_text()).body
    modules = {node.module for node in body if isinstance(node, ast.ImportFrom)}
    assert not any(isinstance(node, ast.Import) for node in body)
    assert modules <= {*LIGHT, "groundswell.reports.settings"}


def test_who_is_forgotten_is_asked_and_told_by_one_task(dagbag: Any) -> None:
    dag = dagbag.dags["forget_worker"]
    assert dag.task_ids == ["forget"]
    assert dag.schedule is None
    assert dag.max_active_runs == 1
    assert "ledgers" in dag.doc_md


@pytest.fixture
def settings_bag(tmp_path: Path) -> Callable[[str, str], Any]:
    """Parse the DAGs of a copy of the project whose report settings have one text replaced by another."""

    def parse(old: str, new: str) -> Any:
        from airflow.dag_processing.dagbag import DagBag

        for name in ("include", "dags"):
            shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=shutil.ignore_patterns("data"))
        path = tmp_path / "include/reports/worker_metrics.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return DagBag(tmp_path / "dags" / "worker_metrics.py")

    return parse


def test_settings_that_are_wrong_have_a_dag_that_says_so(settings_bag: Callable[[str, str], Any]) -> None:
    bag = settings_bag("late_days: 3", "late_dys: 3")
    assert bag.import_errors == {}
    [dag] = bag.dags.values()
    assert dag.dag_id == "broken_worker_metrics", "a run under way keeps its tasks"
    assert dag.dag_display_name == "broken: worker_metrics.yaml"
    assert "did you mean late_days?" in dag.doc_md
    with pytest.raises(Exception, match=r"worker_metrics.yaml: late_dys: unknown option"):
        dag.get_task("read_settings").python_callable()


def test_each_notifier_has_a_task_of_its_own(settings_bag: Callable[[str, str], Any]) -> None:
    some = "notify: [{notifier: a.B}, {notifier: c.D, when: revised}]\nnames:"
    dag = settings_bag("names:", some).dags["worker_metrics"]
    notify = dag.get_task("notify")
    assert notify.upstream_task_ids == {"publish"}
    assert dag.get_task("verify").upstream_task_ids == {"publish"}, "and people are told of the other days"
    assert notify.op_kwargs_expand_input.value == {"number": [0, 1]}
    assert notify.downstream_task_ids == set()


# From here on: whole runs

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DAY_BEFORE = YESTERDAY - timedelta(days=1)


def line_of(sub: str, pool: str, submitted: datetime, seconds: int = 10, kind: str = "Submitted") -> str:
    """A line of the log as Ground Truth writes it."""

    def told(moment: datetime) -> str:
        return f"{moment:%a %b %d %H:%M:%S} UTC {moment:%Y}"

    times = dict.fromkeys((f"task_{each}_time" for each in ("submitted", "returned", "declined")), "")
    return json.dumps(
        {
            "worker_id": sub.replace("-", "")[:16],
            "cognito_user_pool_id": pool,
            "cognito_sub_id": sub,
            "task_accepted_time": told(submitted - timedelta(seconds=seconds)),
            **times,
            f"task_{kind.lower()}_time": told(submitted),
            "workteam_arn": "arn:aws:sagemaker:us-east-1:000000000000:workteam/private-crowd/flowers",
            "labeling_job_arn": "arn:aws:sagemaker:us-east-1:000000000000:labeling-job/iris",
            "work_requester_account_id": "000000000000",
            "job_reference_code": "000000000000",
            "job_type": "Private",
            "event_type": f"Tasks{kind}",
            "event_timestamp": str(int(submitted.timestamp())),
        }
    )


class Workers:
    """Two private workers of a local cloud."""

    def __init__(self, cloud: CloudProcess) -> None:
        self.logs, self.s3, self.metrics = (cloud.client(name) for name in ("logs", "s3", "cloudwatch"))
        users = cloud.client("cognito-idp")
        self.pool = users.create_user_pool(PoolName="flowers")["UserPool"]["Id"]
        self.subs = []
        for name in ("ann", "bob"):
            made = users.admin_create_user(
                UserPoolId=self.pool, Username=name, UserAttributes=[{"Name": "name", "Value": name.title()}]
            )
            [sub] = [each["Value"] for each in made["User"]["Attributes"] if each["Name"] == "sub"]
            self.subs.append(sub)
        self.s3.create_bucket(Bucket=BUCKET)
        self.logs.create_log_group(logGroupName=LOG_GROUP)
        self.logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="stream")

    def log(self, *lines: tuple[datetime, str]) -> None:
        events = [{"timestamp": int(at.timestamp() * 1000), "message": text} for at, text in sorted(lines)]
        self.logs.put_log_events(logGroupName=LOG_GROUP, logStreamName="stream", logEvents=events)

    def work(self, day: date, counts: tuple[int, int]) -> None:
        """Let each worker submit some tasks of 10 s, in the log and in the metrics."""
        morning = datetime.combine(day, time(9), tzinfo=UTC)
        lines = []
        for sub, count in zip(self.subs, counts, strict=True):
            for number in range(count):
                at = morning + timedelta(minutes=number)
                lines.append((at, line_of(sub, self.pool, at)))
            dimensions = {"CognitoUserPool": self.pool, "LabelingJob": "iris", "WorkerId": sub}
            for metric, value in (("TasksSubmitted", count), ("TimeSpent", 8.0 * count)):
                self.metrics.put_metric_data(
                    Namespace="AWS/SageMaker/Workteam",
                    MetricData=[
                        {
                            "MetricName": metric,
                            "Dimensions": [{"Name": key, "Value": text} for key, text in dimensions.items()],
                            "Timestamp": morning,
                            "Value": float(value),
                        }
                    ],
                )
        self.log(*lines)

    def read(self, key: str) -> bytes:
        body = self.s3.get_object(Bucket=BUCKET, Key=f"worker-metrics/{key}")["Body"].read()
        assert isinstance(body, bytes)
        return body

    def record(self, day: date) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.read(f"days/{day}/current.json"))
        return record

    def damage(self, day: date) -> None:
        """Cut what is kept of the events of a day."""
        folder = f"_private/inputs/{day}/activity/"
        for key in self.objects():
            if folder in key:
                name = key.removeprefix("worker-metrics/")
                self.s3.put_object(Bucket=BUCKET, Key=key, Body=self.read(name)[:-100])

    def objects(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


class Airflow:
    """A process that runs DAGs of a project, one after another."""

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
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'plugins'}",
        }
        self.output = (project / "airflow.out").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(CHECKOUT / "tests/dags/worker_metrics_script.py")],
            cwd=project,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.output,
            text=True,
        )

    def run(self, dag_id: str, *, state: str = "success", **conf: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps({'dag_id': dag_id, 'conf': conf})}\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("answer: "):
                answer: dict[str, Any] = json.loads(line.removeprefix("answer: "))
                assert answer["state"] == state, "".join(said)[-6000:]
                return answer
        self.output.seek(0)
        raise AssertionError("".join(said)[-3000:] + self.output.read()[-3000:])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.output.close()


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    cloud = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dags").mkdir()
    for name in ("worker_metrics.py", "forget_worker.py"):
        shutil.copy(CHECKOUT / "dags" / name, tmp_path / "dags")
    settings = yaml.safe_load((CHECKOUT / "include/reports/worker_metrics.yaml").read_text())
    settings["sources"]["batches"] = None
    settings["notify"] = [
        {
            "notifier": "tests.dags.worker_metrics_script.Note",
            "arguments": {
                "path": str(tmp_path / "note.txt"),
                "text": "{{ day }}: {{ totals.submitted }} tasks, revised: {{ revised | join(' ') }}",
            },
        }
    ]
    (tmp_path / "include/reports").mkdir(parents=True)
    (tmp_path / "include/reports/worker_metrics.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


@pytest.mark.dag
@pytest.mark.timeout(600)
def test_days_are_reported_revised_and_rid_of_a_worker(project: Path, cloud: CloudProcess) -> None:
    workers = Workers(cloud)
    workers.work(DAY_BEFORE, (3, 2))
    workers.work(YESTERDAY, (4, 0))
    airflow = Airflow(project, cloud)
    try:
        asked = {"from_day": str(DAY_BEFORE), "to_day": str(YESTERDAY)}
        run = airflow.run("worker_metrics", **asked)
        assert run["tasks"]["report_day"] == ["success", "success"]
        before, after = workers.record(DAY_BEFORE), workers.record(YESTERDAY)
        assert (before["revision"], before["kind"], after["revision"]) == (1, "first", 1)
        assert (before["totals"]["submitted"], after["totals"]["submitted"]) == (5, 4)
        assert before["totals"]["active_seconds"] == 40.0, "what the metric says, without pauses"
        assert before["totals"]["seconds_median"] == 10.0
        assert before["sources"]["worker_activity"] == before["sources"]["workteam"] == "read"
        assert (project / "note.txt").read_text() == f"{YESTERDAY}: 4 tasks, revised: "
        public = [key for key in workers.objects() if "/_private/" not in key]
        page = workers.read(f"days/{DAY_BEFORE}/report.html").decode()
        assert "UTC" in page
        for key in public:
            body = workers.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
            assert workers.subs[0].encode() not in body, key
            assert workers.pool.encode() not in body, key

        airflow.run("worker_metrics", **asked)
        assert workers.record(DAY_BEFORE) == before, "nothing is new, nothing is written"

        late = datetime.combine(DAY_BEFORE, time(18), tzinfo=UTC)
        midnight = datetime.combine(YESTERDAY, time(1), tzinfo=UTC)
        workers.log((midnight, line_of(workers.subs[1], workers.pool, late, seconds=20)))
        airflow.run("worker_metrics", **asked)
        revised = workers.record(DAY_BEFORE)
        assert (revised["revision"], revised["kind"], revised["revised"]) == (2, "revised", True)
        assert revised["totals"]["submitted"] == 6
        assert {"measure": "submitted", "before": 5, "after": 6} in revised["history"][1]["changes"]
        assert "events" in revised["history"][1]["why"]
        assert workers.read(f"days/{DAY_BEFORE}/{before['folder']}workers.csv").count(b"\r\n") == 3
        assert workers.record(YESTERDAY)["totals"] == after["totals"]
        assert str(DAY_BEFORE) in (project / "note.txt").read_text()

        airflow.run("forget_worker", worker=workers.subs[1])
        assert workers.record(DAY_BEFORE)["kind"] == "forgotten"
        assert workers.record(DAY_BEFORE)["totals"]["submitted"] == 6
        assert b"forgotten" in workers.read(f"days/{DAY_BEFORE}/workers.csv")

        workers.damage(DAY_BEFORE)
        run = airflow.run("worker_metrics", **asked)
        mended = workers.record(DAY_BEFORE)
        assert mended["totals"]["submitted"] == 6, "the log was read again"
        assert run["told"] == [{"days": [str(DAY_BEFORE)], "revised": ANY, "failed": [], "anomalies": ANY}]
        assert b"damaged input" in workers.read(f"days/{DAY_BEFORE}/problems.csv")

        workers.damage(DAY_BEFORE)
        workers.logs.delete_log_group(logGroupName=LOG_GROUP)
        run = airflow.run("worker_metrics", state="failed", **asked)
        assert run["tasks"]["report_day"] == ["failed", "success"]
        assert (run["tasks"]["publish"], run["tasks"]["verify"]) == (["success"], ["failed"])
        [event] = run["told"]
        assert event["failed"] == [str(DAY_BEFORE)], "and the other day's event is there"
        assert workers.record(DAY_BEFORE) == mended, "its report stays"
    finally:
        airflow.stop()
