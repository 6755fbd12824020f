"""evaluate and delete_logs: the gate before a model is used, and what is left of the jobs in the logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.stub import Stubber

from dags import labeling
from groundswell.aws import runs
from groundswell.aws.hooks.mturk import MTurkHook
from groundswell.aws.steps import model
from groundswell.manifests.csv_files import named_csv, tensorflow_csv
from tests.groundswell.aws.desk import Pulled, complete, connection
from tests.groundswell.aws.workbench import ShiftedClock, Workbench

FEATURES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROWS = [
    dict.fromkeys(FEATURES, str(n)) | {"species": label} for n, label in enumerate(["setosa", "virginica"])
]
TEST_URI = "s3://groundswell-iris/trainingdata/iris_test.csv"
TRAINED = {"training_job_name": "iris-1"}
DEPLOYED = {"endpoint_name": "groundswell-iris"}
GONE = "ResourceNotFoundException"
Answer = Callable[[list[list[float]]], Any]


class Endpoint:
    """Stands in for SageMaker's hook: answers as a test says, and remembers what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.asked = answer, list[list[list[float]]]()

    def __call__(self, *, aws_conn_id: str) -> Endpoint:
        assert aws_conn_id == "aws_default"
        return self

    def invoke_endpoint(self, name: str, body: bytes, *, content_type: str, accept: str) -> bytes:
        assert (name, content_type, accept) == ("groundswell-iris", "application/json", "application/json")
        instances = json.loads(body)["instances"]
        self.asked.append(instances)
        answer = self.answer(instances)
        return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


def predicting(label: str) -> Answer:
    return lambda rows: {"predictions": [{"label": label, "probability": 0.9} for _ in rows]}


class Table(Workbench):
    """A batch with a model, a test file in "S3", and an endpoint that answers as a test says."""

    def evaluate(self, answer: Answer, text: str, **changes: Any) -> tuple[dict[str, Any], Endpoint]:
        class S3:
            def __init__(self, aws_conn_id: str) -> None:
                assert aws_conn_id == "aws_default"

            def read_key(self, key: str, bucket: str) -> str:
                assert (bucket, key) == ("groundswell-iris", "trainingdata/iris_test.csv")
                return text

        endpoint = Endpoint(answer)
        self.monkeypatch.setattr(runs, "S3Hook", S3)
        self.monkeypatch.setattr(model, "GroundswellSageMakerHook", endpoint)
        evaluation = {"minimum_accuracy": 0.5, "predict": [[6.4, 3.2, 4.5, 1.5]]}
        options = {f"output__{name}": value for name, value in changes.items()}
        path = complete(self.batch_file(["a"], **options), evaluation=evaluation)
        pulled = Pulled({"write_dataset": {"test_uri": TEST_URI}})
        return labeling.evaluate.function(str(path), run_id="run", ti=pulled), endpoint


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    for service in ("AWS", "MTURK"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{service}_DEFAULT", connection("http://127.0.0.1:9"))
    monkeypatch.setattr(runs, "MTurkHook", MTurkHook)
    return Table(None, ShiftedClock(), tmp_path, monkeypatch)  # type: ignore[arg-type]


class TestEvaluate:
    def test_accuracy_and_predictions(self, table: Table) -> None:
        result, endpoint = table.evaluate(predicting("setosa"), named_csv(ROWS, FEATURES, "species"))
        assert result == {
            "accuracy": 0.5,
            "correct": 1,
            "items": 2,
            "predictions": [{"input": [6.4, 3.2, 4.5, 1.5], "label": "setosa", "probability": 0.9}],
        }
        assert endpoint.asked == [[[0.0] * 4, [1.0] * 4], [[6.4, 3.2, 4.5, 1.5]]]
        [kept] = (table.folder / "store").rglob("evaluation.json")
        assert json.loads(kept.read_text()) == result

    def test_the_tensorflow_form(self, table: Table) -> None:
        text = tensorflow_csv(ROWS, FEATURES, "species", ["setosa", "versicolor", "virginica"])
        result, endpoint = table.evaluate(predicting("virginica"), text, csv_format="tensorflow")
        assert (result["accuracy"], endpoint.asked[0]) == (0.5, [[0.0] * 4, [1.0] * 4])

    def test_many_rows_in_several_requests(self, table: Table) -> None:
        rows = [ROWS[0]] * (2 * model.ROWS + 1)
        result, endpoint = table.evaluate(predicting("setosa"), named_csv(rows, FEATURES, "species"))
        assert [len(each) for each in endpoint.asked] == [model.ROWS, model.ROWS, 1, 1]
        assert (result["accuracy"], result["items"]) == (1.0, 2 * model.ROWS + 1)

    def test_below_the_minimum_it_fails_for_good_and_says_what_it_found(self, table: Table) -> None:
        with pytest.raises(AirflowFailException) as caught:
            table.evaluate(predicting("versicolor"), named_csv(ROWS, FEATURES, "species"))
        assert str(caught.value) == (
            "the model is right on 0.0% of the held-out items, below evaluation.minimum_accuracy (50.0%) in "
            "batch.yaml; look at the labels and the training, or lower the minimum, then clear train"
        )
        [kept] = (table.folder / "store").rglob("evaluation.json")
        assert json.loads(kept.read_text())["accuracy"] == 0.0

    def test_nothing_held_out_is_no_accuracy(self, table: Table) -> None:
        result, endpoint = table.evaluate(predicting("setosa"), named_csv([], FEATURES, "species"))
        assert (result["accuracy"], result["items"], len(endpoint.asked)) == (None, 0, 1)

    @pytest.mark.parametrize(
        "answer",
        [
            b"<html>Bad gateway</html>",
            b"\xff\xfe",
            b"",
            [],
            None,
            {"predictions": None},
            {"predictions": []},
            {"predictions": [{"label": "setosa"}]},
            {"predictions": [{"label": "setosa"}] * 3},
            {"predictions": ["label", "label"]},
            {"predictions": {"label": 1, "labels": 2}},
            {"predictions": [["label"], ["label"]]},
            {"predictions": [{"label": "setosa"}, {"class": "setosa"}]},
        ],
        ids=str,
    )
    def test_an_endpoint_that_answers_nonsense(self, table: Table, answer: Any) -> None:
        with pytest.raises(AirflowException) as caught:
            table.evaluate(lambda _: answer, named_csv(ROWS, FEATURES, "species"))
        assert str(caught.value).startswith(
            'endpoint groundswell-iris did not answer {"predictions": [{"label": …}, …]} with 2 entries, but '
        )
        assert str(caught.value).endswith("; correct output_fn of the serving code")

    @pytest.mark.parametrize("value", ["wide", "", "nan", "inf"])
    def test_features_that_are_no_numbers(self, table: Table, value: str) -> None:
        rows = [ROWS[0], ROWS[1] | {"petal_width": value}]
        with pytest.raises(AirflowFailException) as caught:
            table.evaluate(predicting("setosa"), named_csv(rows, FEATURES, "species"))
        assert str(caught.value).startswith(f"{TEST_URI}: row 2: {value!r} is not a number, and the endpoint")


@pytest.fixture(scope="module")
def client() -> Any:
    return boto3.client(
        "logs", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )


class TestDeleteLogs:
    @pytest.fixture
    def stub(self, client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
        class Hook:
            def __init__(self, aws_conn_id: str) -> None:
                self.conn = client

        monkeypatch.setattr(model, "AwsLogsHook", Hook)
        with Stubber(client) as stubber:
            yield stubber
            stubber.assert_no_pending_responses()

    def delete(self, table: Table, *, trained: bool = True, deployed: bool = True) -> Any:
        path = complete(table.batch_file(["a"]))
        results = {"train": TRAINED} if trained else {}
        results |= {"deploy": DEPLOYED, "deploy.deployment": DEPLOYED} if deployed else {}
        return labeling.delete_logs.function(str(path), run_id="run", ti=Pulled(results))

    @staticmethod
    def listing(stub: Stubber, *names: str, **request: str) -> None:
        streams = [{"logStreamName": name} for name in names]
        stub.add_response("describe_log_streams", {"logStreams": streams}, request)

    def test_the_streams_of_the_job_and_the_group_of_the_endpoint(self, table: Table, stub: Stubber) -> None:
        jobs, endpoint = "/aws/sagemaker/TrainingJobs", "/aws/sagemaker/Endpoints/groundswell-iris"
        self.listing(stub, "iris-1/algo-1", "iris-1/algo-2", logGroupName=jobs, logStreamNamePrefix="iris-1/")
        for name in ("iris-1/algo-1", "iris-1/algo-2"):
            stub.add_response("delete_log_stream", {}, {"logGroupName": jobs, "logStreamName": name})
        self.listing(stub, "AllTraffic/i-1", logGroupName=endpoint)
        stub.add_response("delete_log_group", {}, {"logGroupName": endpoint})
        assert self.delete(table) == {"log_streams": 3}

    def test_again_there_is_nothing(self, table: Table, stub: Stubber) -> None:
        for operation in ("describe_log_streams", "describe_log_streams", "delete_log_group"):
            stub.add_client_error(operation, GONE)
        assert self.delete(table) == {"log_streams": 0}

    def test_a_stream_that_goes_away_in_between(self, table: Table, stub: Stubber) -> None:
        request = {"logGroupName": "/aws/sagemaker/TrainingJobs", "logStreamNamePrefix": "iris-1/"}
        self.listing(stub, "iris-1/algo-1", **request)
        stub.add_client_error("delete_log_stream", GONE)
        stub.add_client_error("describe_log_streams", GONE)
        stub.add_client_error("delete_log_group", GONE)
        assert self.delete(table) == {"log_streams": 1}

    def test_other_errors_are_told(self, table: Table, stub: Stubber) -> None:
        stub.add_client_error("describe_log_streams", "AccessDeniedException", "not you")
        with pytest.raises(
            AirflowFailException, match="connection 'aws_default': DescribeLogStreams was refused"
        ):
            self.delete(table)

    def test_a_run_that_trained_nothing(self, table: Table, stub: Stubber) -> None:
        stub.add_client_error("describe_log_streams", GONE)
        stub.add_client_error("delete_log_group", GONE)
        assert self.delete(table, trained=False) == {"log_streams": 0}
