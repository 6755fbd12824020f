"""Training jobs over HTTP: unmodified boto3, AWS's toolkit, real processes."""

from __future__ import annotations

import http.client
import io
import json
import tarfile
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.sagemaker.bench import BUCKET, IMAGE, ROLE, Bench, until
from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract

POINTS = "x,y,class\n" + "".join(f"{i % 7},{i % 3},{int(i % 7 > 3)}\n" for i in range(60))
METRICS = [{"Name": "accuracy", "Regex": r"accuracy=([0-9.]+)"}, {"Name": "never", "Regex": r"loss=(\S+)"}]


def channel(uri: str, kind: str = "S3Prefix", name: str = "train") -> dict[str, Any]:
    source = {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


@pytest.fixture(scope="module")
def jobs(bench: Bench) -> dict[str, str]:
    """Start all jobs at once; two at a time run, and each test waits for its own."""
    bench.put("data/points/points.csv", POINTS)
    bench.put("data/points/more/deep.txt", "nested")
    bench.put("data/points-of-others.csv", "not ours")
    manifest = json.dumps([{"prefix": f"s3://{BUCKET}/data/points/"}, "points.csv", "more/deep.txt"])
    algorithm = {"TrainingImage": IMAGE, "TrainingInputMode": "File", "MetricDefinitions": METRICS}
    names = {kind: bench.name(kind) for kind in ("good", "raises", "missing", "endless", "long")}
    good = bench.job(
        names["good"],
        "train_linear.py",
        AlgorithmSpecification=algorithm,
        InputDataConfig=[
            channel(f"s3://{BUCKET}/data/points/"),
            channel(bench.put("data/manifest.json", manifest), "ManifestFile", "listed"),
        ],
        Environment={"OWN_VARIABLE": "from the request"},
        Tags=[{"Key": "batch", "Value": "iris"}],
    )
    good["HyperParameters"]["rounds"] = "3"
    endless = bench.job(names["endless"], "train_endless.py")
    long = bench.job(names["long"], "train_endless.py", StoppingCondition={"MaxRuntimeInSeconds": 1})
    raises = bench.job(names["raises"], "train_fails.py")
    raises["HyperParameters"]["how"] = "raise"
    missing = bench.job(
        names["missing"], "train_linear.py", InputDataConfig=[channel(f"s3://{BUCKET}/nothing/here")]
    )
    for request in (good, endless, long, raises, missing):
        bench.sagemaker.create_training_job(**request)
    return names


@pytest.fixture(scope="module")
def trained(bench: Bench, jobs: dict[str, str]) -> dict[str, Any]:
    """The good job, at its end."""
    job = bench.ended(jobs["good"])
    assert job["TrainingJobStatus"] == "Completed", (job.get("FailureReason"), bench.log(jobs["good"]))
    return job


def unpacked(bench: Bench, uri: str) -> tarfile.TarFile:
    body = bench.s3.get_object(Bucket=BUCKET, Key=uri.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    return tarfile.open(fileobj=io.BytesIO(body))


def test_a_job_stops_with_sigterm_and_keeps_what_it_saved(bench: Bench, jobs: dict[str, str]) -> None:
    name = jobs["endless"]
    working: list[int] = []

    def has_begun() -> bool:
        states = [bench.described(job)["SecondaryStatus"] for job in jobs.values()]
        working.append(sum(state in ("Downloading", "Training", "Uploading") for state in states))
        return any(line.startswith("pids") for line in bench.log(name))

    until(has_begun, "the script's first line")
    assert max(working) == 2, "two jobs run at once, and no more"
    bench.sagemaker.stop_training_job(TrainingJobName=name)
    assert bench.described(name)["TrainingJobStatus"] in ("Stopping", "Stopped")
    job = bench.ended(name)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in job
    with unpacked(bench, job["ModelArtifacts"]["S3ModelArtifacts"]) as model:
        assert model.getnames() == ["saved.txt"]
    assert "saved at SIGTERM" in bench.log(name)
    with pytest.raises(ClientError, match=r"rejected because the training job is in status Stopped"):
        bench.sagemaker.stop_training_job(TrainingJobName=name)


def test_a_job_trains_with_the_toolkit_and_leaves_its_model(bench: Bench, trained: dict[str, Any]) -> None:
    name = trained["TrainingJobName"]
    assert trained["ModelArtifacts"]["S3ModelArtifacts"] == f"s3://{BUCKET}/out/{name}/output/model.tar.gz"
    with unpacked(bench, trained["ModelArtifacts"]["S3ModelArtifacts"]) as model:
        assert model.getnames() == ["model.joblib"]
    with unpacked(bench, f"s3://{BUCKET}/out/{name}/output/output.tar.gz") as output:
        report = json.load(output.extractfile("report.json") or io.BytesIO())
    assert report == {
        "files": ["more/deep.txt", "points.csv"],
        "rounds": 3,
        "current_host": "algo-1",
        "channels": ["listed", "train"],
        "job": name,
        "arn": trained["TrainingJobArn"],
        "own": "from the request",
        "leaked": None,
    }


def test_a_job_goes_through_its_statuses_with_times(trained: dict[str, Any]) -> None:
    steps = trained["SecondaryStatusTransitions"]
    assert [step["Status"] for step in steps] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert all(step["StatusMessage"] and step["StartTime"] <= step["EndTime"] for step in steps)
    assert all(a["EndTime"] <= b["StartTime"] for a, b in pairwise(steps))
    assert trained["CreationTime"] <= trained["TrainingStartTime"] < trained["TrainingEndTime"]
    assert trained["BillableTimeInSeconds"] == trained["TrainingTimeInSeconds"] >= 1
    assert trained["ResourceConfig"] == {
        "InstanceType": "ml.m5.large",
        "InstanceCount": 1,
        "VolumeSizeInGB": 10,
    }
    assert trained["AlgorithmSpecification"]["MetricDefinitions"] == METRICS


def test_metrics_are_the_last_values_in_the_log(trained: dict[str, Any]) -> None:
    (metric,) = trained["FinalMetricDataList"]
    assert metric["MetricName"] == "accuracy"
    assert metric["Value"] == 1.0
    assert metric["Timestamp"] <= trained["TrainingEndTime"]


def test_the_log_has_every_line_where_the_provider_looks(bench: Bench, trained: dict[str, Any]) -> None:
    lines = bench.log(trained["TrainingJobName"])
    assert lines[0].startswith(f"Local SageMaker: image {IMAGE} is recorded, not pulled")
    assert [line for line in lines if line.startswith("step")] == [
        f"step {n} accuracy={n / 3:.2f}" for n in range(3)
    ]
    tail = lines[lines.index("überschrift ✓") :]
    assert tail[:3] == ["überschrift ✓", "not utf-8: \ufffd", "after an empty line"]


def test_a_failing_script_gives_the_reason_that_sagemaker_gives(bench: Bench, jobs: dict[str, str]) -> None:
    job = bench.ended(jobs["raises"])
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith(
        "AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage"
    )
    assert "train_fails.py" in job["FailureReason"]
    assert "ValueError: the data makes no sense" in bench.log(jobs["raises"])
    assert "TrainingEndTime" in job
    assert "ModelArtifacts" not in job


def test_missing_input_fails_the_job_as_the_clients_fault(bench: Bench, jobs: dict[str, str]) -> None:
    job = bench.ended(jobs["missing"])
    assert job["TrainingJobStatus"] == "Failed"
    reason = f'ClientError: No S3 objects found under S3 URL "s3://{BUCKET}/nothing/here" given in input data'
    assert job["FailureReason"].startswith(reason)
    assert ROLE in job["FailureReason"]


def test_a_job_stops_at_its_maximum_runtime(bench: Bench, jobs: dict[str, str]) -> None:
    job = bench.ended(jobs["long"])
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert job["TrainingTimeInSeconds"] >= 1


def test_names_are_unique_and_deleting_frees_them(bench: Bench, trained: dict[str, Any]) -> None:
    name = trained["TrainingJobName"]
    with pytest.raises(bench.sagemaker.exceptions.ResourceInUse, match="already exists"):
        bench.sagemaker.create_training_job(**bench.job(name.upper(), "train_linear.py"))
    other = bench.name("gone")
    job = bench.job(other, "train_linear.py", InputDataConfig=[channel(f"s3://{BUCKET}/nothing")])
    bench.sagemaker.create_training_job(**job)
    bench.ended(other)
    bench.sagemaker.delete_training_job(TrainingJobName=other)
    with pytest.raises(ClientError, match="Requested resource not found") as caught:
        bench.described(other)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


def test_jobs_are_listed_by_name_status_and_page(bench: Bench, jobs: dict[str, str]) -> None:
    for name in jobs.values():
        bench.ended(name)
    pages = bench.sagemaker.get_paginator("list_training_jobs")
    found = pages.paginate(SortBy="Name", SortOrder="Descending", PaginationConfig={"PageSize": 2})
    names = [job["TrainingJobName"] for page in found for job in page["TrainingJobSummaries"]]
    assert names == sorted(names, reverse=True)
    assert set(jobs.values()) <= set(names)
    failed = bench.sagemaker.list_training_jobs(NameContains=jobs["raises"][:8], StatusEquals="Failed")
    assert [j["TrainingJobName"] for j in failed["TrainingJobSummaries"]] == [jobs["raises"]]


def test_tags_can_be_changed(bench: Bench, trained: dict[str, Any]) -> None:
    arn = trained["TrainingJobArn"]
    bench.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "run", "Value": "7"}])
    bench.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["batch"])
    assert bench.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "run", "Value": "7"}]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            {"AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "Pipe"}},
            "Pipe is not impl",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}},
            "several",
        ),
        ({"InputDataConfig": [channel("s3://b/m", "AugmentedManifestFile")]}, "AugmentedManifestFile is not"),
        ({"InputDataConfig": [channel("s3://b/1"), channel("s3://b/2")]}, "Duplicate channel name 'train'"),
        ({"HyperParameters": {}}, "use script mode: hyperparameters sagemaker_program"),
        ({"OutputDataConfig": {"S3OutputPath": "https://b/x"}}, "S3OutputPath"),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "m", "Regex": "("}],
                }
            },
            "regular expression of metric 'm'",
        ),
        (
            {
                "AlgorithmSpecification": {
                    "TrainingImage": IMAGE,
                    "TrainingInputMode": "File",
                    "MetricDefinitions": [{"Name": "m", "Regex": "a{99999999999}"}],
                }
            },
            "regular expression of metric 'm'",
        ),
        ({"InputDataConfig": [{**channel("s3://b/1"), "ChannelName": "."}]}, r"Invalid ChannelName '\.'"),
        ({"InputDataConfig": [{**channel("s3://b/1"), "ChannelName": ".."}]}, r"Invalid ChannelName '\.\.'"),
    ],
)
def test_what_cannot_run_is_refused_at_once(bench: Bench, change: dict[str, Any], problem: str) -> None:
    name = bench.name("refused")
    with pytest.raises(ClientError, match=problem) as caught:
        bench.sagemaker.create_training_job(**bench.job(name, "train_linear.py", **change))
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(ClientError, match="Requested resource not found"):
        bench.described(name)


def test_other_operations_say_that_they_are_not_there(bench: Bench) -> None:
    with pytest.raises(ClientError, match="CreateTransformJob is not implemented yet") as caught:
        bench.sagemaker.create_transform_job(
            TransformJobName="t",
            ModelName="m",
            TransformInput={"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}},
            TransformOutput={"S3OutputPath": "s3://b/y"},
            TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
        )
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert caught.value.response["Error"]["Code"] == "NotImplemented"


def test_unsigned_and_badly_signed_requests_are_refused(cloud: Any) -> None:
    stranger = cloud.client("sagemaker", secret="wrong")
    with pytest.raises(ClientError) as caught:
        stranger.list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"


@pytest.mark.parametrize("path", ["/", "/endpoints/any/invocations"])
def test_nothing_is_read_of_a_request_without_signature(cloud: CloudProcess, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=10)
    connection.putrequest("POST", path)
    connection.putheader("X-Amz-Target", "SageMaker.ListModels")
    connection.putheader("Content-Length", str(10**10))
    connection.endheaders(b"the first of ten billion bytes")
    response = connection.getresponse()
    assert response.status in (400, 403)
    assert b"Missing Authentication Token" in response.read()
    connection.close()


def test_bodies_have_a_limit(bench: Bench) -> None:
    with pytest.raises(ClientError) as caught:
        bench.invoke("missing", b"x" * (6 * 2**20))
    assert caught.value.response["Error"]["Code"] == "ValidationError", "6 MiB are allowed"
    for call in (
        lambda: bench.invoke("missing", b"x" * (6 * 2**20 + 1)),
        lambda: bench.sagemaker.list_models(NameContains="x" * 2**20),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "RequestEntityTooLargeException"
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_a_trained_model_serves_with_the_containers_default_functions(
    bench: Bench, trained: dict[str, Any]
) -> None:
    name = bench.name("sklearn")
    container = {
        "Image": IMAGE,
        "ModelDataUrl": trained["ModelArtifacts"]["S3ModelArtifacts"],
        "Environment": {
            "SAGEMAKER_PROGRAM": "train_linear.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": bench.source("train_linear.py"),
        },
    }
    bench.sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    endpoint = bench.endpoint(bench.config(name))
    rows = "6,1\n0,1\n"
    assert bench.invoke(endpoint, rows, ContentType="text/csv") == "[1.0, 0.0]"
    assert bench.invoke(endpoint, "[[6, 1], [0, 1]]", ContentType="application/json", Accept="text/csv") == (
        "1.0\n0.0\n"
    )
    npy = bench.runtime.invoke_endpoint(
        EndpointName=endpoint, Body="[[6, 1]]", ContentType="application/json", Accept="application/x-npy"
    )
    assert npy["ContentType"] == "application/x-npy"
    array = npy["Body"].read()
    assert array.startswith(b"\x93NUMPY")
    with pytest.raises(bench.runtime.exceptions.ModelError, match="image/png is not supported") as caught:
        bench.invoke(endpoint, b"x", ContentType="image/png")
    assert caught.value.response["OriginalStatusCode"] == 415
    bench.sagemaker.delete_endpoint(EndpointName=endpoint)
