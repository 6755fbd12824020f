from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.airflow_api import AirflowApi, AirflowApiError
from tools.demo import __main__ as demo
from tools.demo import summary
from tools.demo.documents import Documents, accuracy, batch_settings, read_answer_key
from tools.demo.progress import Display, Plan, Snapshot, bar, clock, current_task, dollars
from tools.demo.run import DemoFailed, Follower, Limits, blamed

DAG, RUN = "labeling_iris", "demo-1"
SUMMARY: dict[str, Any] = {
    "items": 150,
    "answers": 331,
    "settled": 149,
    "extended": 28,
    "given_up": 1,
    "quarantined": 2,
    "plan": {"certain_cents": 1800, "worst_cents": 4500, "budget_cents": 4500},
    "spent_cents": 1986,
    "labels_uri": "s3://b/labels.jsonl",
    "train_uri": "s3://b/train.csv",
    "test_uri": "s3://b/test.csv",
    "manifest_uri": "s3://b/m.manifest",
    "model": {
        "training_job": "j",
        "artifacts_uri": "s3://b/model.tar.gz",
        "accuracy": 0.9667,
        "prediction": [{"input": [6.4, 3.2, 4.5, 1.5], "label": "versicolor", "probability": 0.8194}],
    },
    "cleaned": ["delete_hits: 150 deleted", "delete_endpoint: groundswell-iris"],
}


def instance(task: str, state: str | None, map_index: int = -1, **more: Any) -> dict[str, Any]:
    return {"task_id": task, "state": state, "map_index": map_index, "try_number": 1, **more}


class FakeAirflow:
    """Answers as Airflow's REST API; `states` holds (run state, task instances) per look."""

    def __init__(self, *looks: tuple[str, list[dict[str, Any]]]) -> None:
        self.looks = list(looks)
        self.tokens = 0
        self.expired = False
        self.active: list[str] = []
        self.triggered: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append((request.method, path))
        if path == "/auth/token":
            self.tokens += 1
            return httpx.Response(201, json={"access_token": f"t{self.tokens}"})
        if path == "/api/v2/monitor/health":
            return httpx.Response(200, json={"scheduler": {"status": "healthy"}, "triggerer": None})
        if request.headers["authorization"] == "Bearer t1" and self.expired:
            return httpx.Response(401)
        run = f"/api/v2/dags/{DAG}/dagRuns/{RUN}"
        if path == run:
            return httpx.Response(200, json={"state": self.looks[0][0]})
        if path == f"{run}/taskInstances":
            look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            return httpx.Response(200, json={"task_instances": look[1]})
        if path == f"/api/v2/dags/{DAG}/dagRuns":
            return self._runs(request)
        if path == f"/api/v2/dags/{DAG}":
            return httpx.Response(200, json={})
        if path.endswith("/xcomEntries/return_value"):
            return httpx.Response(200, json={"value": {"certain_cents": 1800, "worst_cents": 4500}})
        if "/logs/" in path:
            lines = [f"line {number}" for number in range(40)]
            return httpx.Response(
                200, json={"content": [{"level": "error", "event": line} for line in lines]}
            )
        return httpx.Response(404, json={"detail": "not found"})

    def _runs(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            self.triggered.append(json.loads(request.content))
            return httpx.Response(200, json={})
        assert request.url.params.get_list("state") == ["queued", "running"]
        return httpx.Response(200, json={"dag_runs": [{"dag_run_id": run} for run in self.active]})


class FakeDocuments:
    def __init__(self, *progress: dict[str, Any] | None) -> None:
        self._progress = list(progress) or [None]

    def progress(self) -> dict[str, Any] | None:
        return self._progress.pop(0) if len(self._progress) > 1 else self._progress[0]


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def api_of(airflow: Any) -> AirflowApi:
    return AirflowApi(
        "http://airflow", username="admin", password="x", transport=httpx.MockTransport(airflow)
    )


def follow(airflow: FakeAirflow, *progress: dict[str, Any] | None, limits: Limits | None = None) -> str:
    stream, time = io.StringIO(), Time()
    documents: Any = FakeDocuments(*progress)
    with api_of(airflow) as api:
        Follower(
            api,
            documents,
            Display(stream),
            dag_id=DAG,
            run_id=RUN,
            limits=limits or Limits(pause=1),
            clock=time,
            sleep=time.sleep,
        ).follow()
    return stream.getvalue()


def test_a_run_is_followed_with_one_line_per_change() -> None:
    pause = [instance("plan_spend", "success"), instance("collect_and_extend", None)]
    publishing = [instance("plan_spend", "success"), instance("publish_hits", "running", 0)]
    collecting = [instance("plan_spend", "success"), instance("collect_and_extend", "deferred")]
    airflow = FakeAirflow(
        ("running", publishing), ("running", pause), ("running", collecting), ("success", collecting)
    )
    half = {"items": 150, "settled": 75, "answers": 160, "spent_cents": 960}
    lines = follow(airflow, None, None, half).splitlines()
    assert lines[0] == "00:00  publish_hits  tasks 1/2"
    assert lines[1] == (
        "00:02  collect_and_extend  tasks 1/2  settled 75/150  160 answers  "
        "spent $9.60 (planned $18.00, at most $45.00)"
    )
    assert len(lines) == 2


def test_a_failed_run_shows_the_end_of_the_first_failed_tasks_log() -> None:
    failed = [
        instance("train", "upstream_failed"),
        instance("plan_spend", "failed", start_date="2026-01-01T00:00:01Z"),
        instance("report", "failed", start_date="2026-01-01T00:00:09Z"),
    ]
    with pytest.raises(DemoFailed, match="task plan_spend is failed") as error:
        follow(FakeAirflow(("failed", failed)))
    assert "line 39" in str(error.value)
    assert "line 14" not in str(error.value)


def test_a_run_in_which_nothing_moves_is_given_up() -> None:
    with pytest.raises(DemoFailed, match=r"nothing moved for 1 minutes: task sense_reviewable is deferred"):
        follow(FakeAirflow(("running", [instance("sense_reviewable", "deferred")])), limits=Limits(stall=60))


def test_a_run_that_takes_too_long_is_given_up() -> None:
    moving = [{"items": 150, "settled": done} for done in range(200)]
    with pytest.raises(DemoFailed, match="not finished after 1 minutes"):
        follow(FakeAirflow(("running", [instance("c", "running")])), *moving, limits=Limits(total=60))


def test_a_short_silence_of_airflow_is_borne_and_a_long_one_not() -> None:
    good = FakeAirflow(("success", [instance("a", "success")]))
    silent = 3

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal silent
        if silent and request.url.path != "/auth/token":
            silent -= 1
            raise httpx.ConnectError("refused")
        return good(request)

    follow(answer)  # type: ignore[arg-type]

    def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(DemoFailed, match=r"Airflow does not answer any more: .*refused"):
        follow(never)  # type: ignore[arg-type]


def test_an_expired_token_is_renewed() -> None:
    airflow = FakeAirflow(("running", []))
    with api_of(airflow) as api:
        assert api.run_state(DAG, RUN) == "running"
        airflow.expired = True
        assert api.run_state(DAG, RUN) == "running"
    assert airflow.tokens == 2


def test_a_demo_starts_a_run_that_labels_everything() -> None:
    airflow = FakeAirflow(("running", []))
    with api_of(airflow) as api:
        run_id = demo._begin(api, DAG)
    assert airflow.triggered == [{"dag_run_id": run_id, "logical_date": None, "conf": {"relabel": True}}]
    assert ("PATCH", f"/api/v2/dags/{DAG}") in airflow.requests


def test_a_demo_after_an_interrupted_one_follows_its_run() -> None:
    airflow = FakeAirflow(("running", []))
    airflow.active = ["demo-0", "demo-1"]
    with api_of(airflow) as api:
        assert demo._begin(api, DAG) == "demo-0"
    assert airflow.triggered == []


def test_health_survives_a_component_that_is_not_there() -> None:
    with api_of(FakeAirflow(("running", []))) as api:
        assert api.health() == {"scheduler": "healthy", "triggerer": "None"}


def test_a_missing_dag_is_none_and_a_refusal_an_error() -> None:
    with api_of(FakeAirflow(("running", []))) as api:
        assert api.dag("no_such") is None

    def refuses(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, text="no")

    with api_of(refuses) as api, pytest.raises(AirflowApiError, match="POST /auth/token: 401 no"):
        api.dag("x")


def test_the_current_task_is_the_one_at_work_with_its_mapped_copies() -> None:
    rows = [
        instance("a", "success"),
        instance("b", "success", 0),
        instance("b", "running", 1),
        instance("c", None),
    ]
    assert current_task(rows) == "b (1/2)"
    assert current_task([instance("a", "success")]) == ""


def test_nothing_failed_and_nothing_runs_blames_nobody() -> None:
    assert blamed([instance("a", "success")]) is None


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")  # a narrow one is told less
    terminal = Terminal()
    display = Display(terminal)
    shot = Snapshot.of(
        "running", [instance("a", "running")], {"items": 10, "settled": 5, "spent_cents": 60}, Plan(120, 300)
    )
    display.show(shot, 61)
    height = terminal.getvalue().count("\n")
    display.show(shot, 62)
    text = terminal.getvalue()
    assert f"\x1b[{height}A" in text
    assert text.count("\n") == 2 * height
    assert "settled  [###############...............] 5/10" in text
    assert "$0.60 (planned $1.20, at most $3.00)" in text
    assert "01:02" in text


@pytest.mark.parametrize("value", [None, [], ["setosa"], {"certain_cents": "18"}])
def test_a_plan_of_another_shape_is_no_plan(value: object) -> None:
    assert Plan.of(value) is None


def test_a_bare_prediction_is_shown_as_it_is() -> None:
    assert summary._prediction("setosa") == "setosa"
    assert summary._prediction(["setosa"]) == "setosa"
    assert summary._prediction([]) == "-"


def test_small_formats() -> None:
    assert bar(0, 0) == "[" + "." * 30 + "]"
    assert bar(3, 3) == "[" + "#" * 30 + "]"
    assert clock(3599.9) == "59:59"
    assert (dollars(None), dollars(5), dollars(123456)) == ("-", "$0.05", "$1,234.56")


def test_the_summary_says_everything() -> None:
    text = "\n".join(summary.lines(SUMMARY, right=147, judged=149))
    for expected in (
        "150, 149 settled, 1 given up",
        "331, 28 items needed more workers",
        "2 unreadable answers",
        "$19.86; planned $18.00, at most $45.00, budget $45.00",
        "98.7 % (147 of 149)",
        "96.7 %",
        "versicolor (81.9 % sure) for [6.4, 3.2, 4.5, 1.5]",
        "s3://b/labels.jsonl",
        "s3://b/train.csv",
        "s3://b/test.csv",
        "s3://b/m.manifest",
        "s3://b/model.tar.gz",
        "delete_hits: 150 deleted",
        "delete_endpoint: groundswell-iris",
    ):
        assert expected in text


def test_the_summary_of_a_run_without_a_model_shows_dashes() -> None:
    bare = {**SUMMARY, "model": None, "plan": None, "cleaned": [], "labels_uri": None, "quarantined": 0}
    text = "\n".join(summary.lines(bare, right=0, judged=0))
    assert "None" not in text
    assert "set aside" not in text
    assert "prediction      -\n" in text


def test_the_summary_tells_how_labels_came_about_and_what_is_odd() -> None:
    found = {
        "method": "default",
        "confidence_is": "score",
        "labelled_unsettled": 2,
        "waiting_for_experts": 3,
        "queue_uri": "s3://b/experts/iris/queue.csv",
        "findings": [
            {"severity": "warning", "text": "2 workers agree with the others no more than by chance; " * 3},
            {"severity": "note", "text": "1 of 150 items has one answer"},
        ],
    }
    lines = list(summary.lines({**SUMMARY, "consolidation": found}, right=147, judged=149))
    text = "\n".join(lines)
    for expected in (
        "  method          default; confidence is a score",
        "  unsettled       2 of the labels are the best of workers who did not agree",
        "  experts         3 items wait in s3://b/experts/iris/queue.csv",
        "  findings        warning: 2 workers agree with the others no more than by chance; 2 workers",
        "                  note: 1 of 150 items has one answer",
    ):
        assert expected in text
    assert max(map(len, lines)) < 115
    found["findings"] = []
    text = "\n".join(summary.lines({**SUMMARY, "consolidation": found}, right=147, judged=149))
    assert "  findings        nothing odd about the answers or the labels" in text


def test_accuracy_counts_only_items_that_can_be_judged() -> None:
    assert accuracy({"a": "x", "b": "y", "c": "z"}, {"a": "x", "b": "z"}) == (1, 2)


def test_the_shipped_answer_key_and_batch_can_be_read() -> None:
    root = Path(__file__).resolve().parents[2]
    truth = read_answer_key(root / "include/crowds/iris_answers.csv")
    assert len(truth) == 150
    assert set(truth.values()) == {"setosa", "versicolor", "virginica"}
    assert batch_settings(root / "include/batches/iris.yaml") == ("iris", "s3://groundswell-iris/state")


class FakeS3:
    class exceptions:
        class NoSuchKey(Exception):
            pass

    def __init__(self, objects: dict[tuple[str, str], str]) -> None:
        self.objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        try:
            return {"Body": io.BytesIO(self.objects[Bucket, Key].encode())}
        except KeyError:
            raise self.exceptions.NoSuchKey from None


def test_a_prediction_about_many_numbers_is_told_in_a_line() -> None:
    prediction = [{"label": "3", "probability": 0.9, "input": [0.0] * 64}]
    [line] = [
        line
        for line in summary.lines({**SUMMARY, "model": {"prediction": prediction}}, right=1, judged=1)
        if "prediction" in line
    ]
    assert line.split(maxsplit=1)[1] == "3 (90.0 % sure) for an item of 64 numbers"


@pytest.mark.parametrize("name", ["iris", "digits"])
def test_an_example_has_a_batch_a_crowd_and_an_answer_key(name: str) -> None:
    example = demo.Example.named(name, Path(__file__).parents[2] / "include")
    assert example.dag_id == f"labeling_{name}"
    assert len(read_answer_key(example.answer_key)) in (150, 240)


def test_an_example_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(DemoFailed, match=r"BATCH=roses.*the examples are digits, iris"):
        demo.Example.named("roses", Path(__file__).parents[2] / "include")


def test_documents_are_read_where_the_run_writes_them() -> None:
    run = "manual__2026-11-21T21:00:00.1+00:00"
    s3 = FakeS3(
        {
            ("b", f"state/iris/{run}/progress.json"): '{"items": 3}',
            ("b", "l.jsonl"): '{"item": "a", "label": "x"}\n\n{"item": "b", "label": "y"}\n',
        }
    )
    documents = Documents(s3, "s3://b/state/", "iris", run)
    assert documents.progress() == {"items": 3}
    assert documents.summary() is None
    assert documents.labels("s3://b/l.jsonl") == {"a": "x", "b": "y"}
    assert documents.labels("s3://b/none") == {}
