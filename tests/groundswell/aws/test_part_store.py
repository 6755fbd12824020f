"""The ledger's store in S3: conditional writes, addresses, and what people are told when it fails."""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.response import StreamingBody
from botocore.stub import Stubber

from groundswell.aws.exceptions import WorkforceUnreachable
from groundswell.aws.part_store import S3PartStore, s3_location
from groundswell.aws.runs import all_ledgers, all_runs, open_run
from groundswell.aws.steps.dataset import load_dataset
from groundswell.aws.steps.labels import consolidate, write_dataset
from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore, Ledger, PartStore
from groundswell.ledger.claims import claim
from tests.groundswell.aws.desk import connection, record
from tests.groundswell.aws.workbench import ShiftedClock, Workbench
from tests.support.cloud_process import CHECKOUT, CloudProcess

BUCKET = "groundswell-parts"


class FakeHook:
    """An S3Hook with a stubbed client."""

    aws_conn_id = "aws_default"

    def __init__(self) -> None:
        self.client = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )

    def get_conn(self) -> Any:
        return self.client


@pytest.fixture(scope="module")
def fake_hook() -> FakeHook:
    return FakeHook()


@pytest.fixture
def stub(fake_hook: FakeHook) -> Iterator[Stubber]:
    with Stubber(fake_hook.client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def put(stub: Stubber, code: str = "") -> None:
    expected = {"Bucket": "b", "Key": "state/k", "Body": b"x", "IfNoneMatch": "*"}
    if code:
        stub.add_client_error("put_object", code, http_status_code=409, expected_params=expected)
    else:
        stub.add_response("put_object", {}, expected)


@pytest.mark.parametrize("code", ["PreconditionFailed", "412"])
def test_a_part_that_exists_is_left_as_it_is(fake_hook: FakeHook, stub: Stubber, code: str) -> None:
    put(stub, code)
    assert S3PartStore("s3://b/state", fake_hook).put_if_absent("k", b"x") is False


def test_another_writer_at_work_is_waited_out(fake_hook: FakeHook, stub: Stubber) -> None:
    for code in ("ConditionalRequestConflict", "409", ""):
        put(stub, code)
    assert S3PartStore("s3://b/state", fake_hook).put_if_absent("k", b"x") is True


def test_a_conflict_without_end_is_reported(fake_hook: FakeHook, stub: Stubber) -> None:
    for _ in range(5):
        put(stub, "ConditionalRequestConflict")
    with pytest.raises(AirflowException, match="connection 'aws_default': PutObject failed: Conditional"):
        S3PartStore("s3://b/state", fake_hook).put_if_absent("k", b"x")


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (
            "NoSuchBucket",
            AirflowFailException,
            "bucket b does not exist; create it, or",
        ),
        (
            "AccessDenied",
            AirflowFailException,
            "GetObject was refused (AccessDenied: ); check login, password and region of the connection, "
            "and whether its policy allows this call",
        ),
        (
            "SignatureDoesNotMatch",
            AirflowFailException,
            "GetObject was refused (SignatureDoesNotMatch: ); check login, password and region of the "
            "connection",
        ),
        ("SlowDown", AirflowException, "connection 'aws_default': GetObject failed: SlowDown"),
    ],
)
def test_errors_name_the_connection_of_s3(
    fake_hook: FakeHook, stub: Stubber, code: str, kind: type[Exception], says: str
) -> None:
    stub.add_client_error("get_object", code)
    with pytest.raises(AirflowException) as caught:
        S3PartStore("s3://b", fake_hook).get("k")
    assert type(caught.value) is kind
    assert says in str(caught.value)


def test_reading(fake_hook: FakeHook, stub: Stubber) -> None:
    store = S3PartStore("s3://b/state/", fake_hook)
    body = StreamingBody(io.BytesIO(b"x"), 1)
    stub.add_response("get_object", {"Body": body}, {"Bucket": "b", "Key": "state/k"})
    assert store.get("k") == b"x"
    stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    assert store.get("k") is None


def test_reading_in_pieces(fake_hook: FakeHook, stub: Stubber) -> None:
    store = S3PartStore("s3://b/state/", fake_hook)
    whole = b"x" * 2_500_000
    body = StreamingBody(io.BytesIO(whole), len(whole))
    stub.add_response("get_object", {"Body": body}, {"Bucket": "b", "Key": "state/k"})
    pieces = list(store.chunks("k") or ())
    assert (b"".join(pieces) == whole, len(pieces)) == (True, 3)
    stub.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    assert store.chunks("k") is None
    cut_off = StreamingBody(io.BytesIO(b"x"), 2)
    stub.add_response("get_object", {"Body": cut_off})
    with pytest.raises(AirflowException, match="aws_default"):
        list(store.chunks("k") or ())


def test_listing_goes_through_all_pages(fake_hook: FakeHook, stub: Stubber) -> None:
    first = {"Bucket": "b", "Prefix": "state/run/"}
    page = {"Contents": [{"Key": "state/run/1"}], "IsTruncated": True, "NextContinuationToken": "more"}
    stub.add_response("list_objects_v2", page, first)
    last = {"Contents": [{"Key": "state/run/2"}], "IsTruncated": False}
    stub.add_response("list_objects_v2", last, {**first, "ContinuationToken": "more"})
    store = S3PartStore("s3://b/state", fake_hook)
    assert store.keys("run/") == ["run/1", "run/2"]
    stub.add_response("list_objects_v2", {"IsTruncated": False}, {"Bucket": "b", "Prefix": "state/none/"})
    assert store.keys("none/") == []


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [
        ("s3://b", "b", ""),
        ("s3://b/", "b", ""),
        ("s3://b/a/c.csv", "b", "a/c.csv"),
        ("s3://b/photo #3?.jpg", "b", "photo #3?.jpg"),
        ("s3://b//odd", "b", "/odd"),
        ("s3://b/100%25", "b", "100%25"),
    ],
)
def test_addresses(uri: str, bucket: str, key: str) -> None:
    assert s3_location(uri) == (bucket, key)


@pytest.mark.parametrize("uri", ["s3://", "b/state", "https://b/state", "file:///tmp"])
def test_what_is_not_an_address_in_s3(fake_hook: FakeHook, uri: str) -> None:
    with pytest.raises(LedgerError, match="is not an S3 URI; write it as s3://bucket/prefix"):
        S3PartStore(uri, fake_hook)


@pytest.mark.parametrize(
    ("uri", "prefix"), [("s3://b", "s3://b/k"), ("s3://b/a/", "s3://b/a/k"), ("s3://b/a#1", "s3://b/a#1/k")]
)
def test_uris(fake_hook: FakeHook, uri: str, prefix: str) -> None:
    assert S3PartStore(uri, fake_hook).uri("k") == prefix


# against a real service


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    process = CloudProcess(tmp_path_factory.mktemp("cloud") / "state")
    process.start()
    process.client("s3").create_bucket(Bucket=BUCKET)
    yield process
    process.stop()


@pytest.fixture
def s3(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> S3Hook:
    for service in ("AWS", "MTURK"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{service}_DEFAULT", connection(cloud.endpoint_url))
    return S3Hook(aws_conn_id="aws_default")


@pytest.fixture
def batch_file(s3: S3Hook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with monkeypatch.context() as patch:
        bench = Workbench(None, ShiftedClock(), tmp_path, patch)  # type: ignore[arg-type]

    def write(*items: str, **changes: Any) -> Path:
        options = {
            "state": f"s3://{BUCKET}/{tmp_path.name}",
            "output__uri": f"s3://{BUCKET}/{tmp_path.name}-out",
        }
        return bench.batch_file(items, **options | changes)

    return write


# what every store promises


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PartStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "not made yet" / "state#1")
    s3: S3Hook = request.getfixturevalue("s3")
    return S3PartStore(f"s3://{BUCKET}/{tmp_path.name}/state#1", s3)


@pytest.mark.contract
def test_a_part_is_written_once_and_a_document_again(store: PartStore) -> None:
    assert store.get("run/p.jsonl") is None
    assert store.put_if_absent("run/p.jsonl", b"one") is True
    assert store.put_if_absent("run/p.jsonl", b"two") is False
    assert store.get("run/p.jsonl") == b"one"
    store.put("run/summary.json", b"1")
    store.put("run/summary.json", b"2")
    assert store.get("run/summary.json") == b"2"
    assert store.get("run") is None, "a folder is no part"
    assert store.get("run/p.jsonl/below") is None
    assert store.uri("run/p.jsonl").endswith(("state#1/run/p.jsonl", "state%231/run/p.jsonl"))


@pytest.mark.contract
def test_listing_by_prefix(store: PartStore) -> None:
    assert list(store.keys("")) == []
    assert list(store.folders("")) == []
    keys = ["b/r+1/hits/2", "b/r+1/hits/1", "b/r+1/hitsandmore/x", "b/r.2/spend/1", "ba/r/1", "top", "b-"]
    for key in keys:
        store.put_if_absent(key, b"")
    expected = {
        "": sorted(keys),
        "b/": ["b/r+1/hits/1", "b/r+1/hits/2", "b/r+1/hitsandmore/x", "b/r.2/spend/1"],
        "b/r+1/hits/": ["b/r+1/hits/1", "b/r+1/hits/2"],
        "b/r+1/hits": ["b/r+1/hits/1", "b/r+1/hits/2", "b/r+1/hitsandmore/x"],
        "b": ["b-", "b/r+1/hits/1", "b/r+1/hits/2", "b/r+1/hitsandmore/x", "b/r.2/spend/1", "ba/r/1"],
        "none/": [],
        "top/": [],
    }
    assert {prefix: list(store.keys(prefix)) for prefix in expected} == expected
    assert list(store.folders("")) == ["b", "ba"]
    assert list(store.folders("b/")) == ["r+1", "r.2"]
    assert list(store.folders("b/r.2/spend/")) == []
    assert list(store.folders("none/")) == []


@pytest.mark.contract
def test_of_many_writers_of_a_part_one_succeeds(store: PartStore) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as pool:
            bodies = [str(each).encode() for each in range(8)]
            written = list(pool.map(lambda body, n=number: store.put_if_absent(f"run/{n}", body), bodies))
        assert written.count(True) == 1
        assert store.get(f"run/{number}") == bodies[written.index(True)]


@pytest.mark.contract
def test_a_run_is_kept_and_found(store: PartStore) -> None:
    for batch, run_id in [("iris", "r1"), ("iris", "manual/2027"), ("pets", "r1")]:
        ledger = Ledger(store, batch, run_id)
        claim(store, batch, run_id, ["a"], until="2027")
        ledger.append("approvals", [{"what": "spend", "at": "2026", "by": "me", "limit_cents": 5}])
        ledger.put_document("summary.json", {"open": 0})
        assert ledger.fold().approved_cents == 5
    Ledger(store, "pets", "unclaimed").put_document("summary.json", {})
    assert all_runs(store, "iris") == ["manual/2027", "r1"]
    assert all_ledgers(store) == [
        ("iris", "manual/2027"),
        ("iris", "r1"),
        ("pets", "r1"),
        ("pets", "unclaimed"),
    ]


@pytest.mark.contract
def test_dataset_in_s3(cloud: CloudProcess, batch_file: Any) -> None:
    local = batch_file("a")
    dataset = {"path": f"s3://{BUCKET}/in/items #1.csv", "format": "csv", "key": "id"}
    path = batch_file("a", dataset=dataset)
    with pytest.raises(AirflowFailException) as caught, open_run(str(path), "run") as run:
        load_dataset(run, relabel=False)
    assert str(caught.value) == (
        f"batch.yaml: dataset.path: there is no object s3://{BUCKET}/in/items #1.csv; "
        "upload it, or correct the path"
    )
    assert cloud.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=local.parent.name)["KeyCount"] == 0
    text = (path.parent / "items.csv").read_bytes()
    cloud.client("s3").put_object(Bucket=BUCKET, Key="in/items #1.csv", Body=text)
    with open_run(str(path), "run") as run:
        assert load_dataset(run, relabel=False) == [0]


@pytest.mark.contract
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"state": "s3://no-such-bucket/state"},
            "connection 'aws_default': bucket no-such-bucket does not exist; create it, or correct state and "
            "output.uri in the batch file",
        ),
        (
            {"dataset": {"path": "s3://no-such-bucket/items.csv", "format": "csv", "key": "id"}},
            "batch.yaml: dataset.path: there is no bucket no-such-bucket; create it, or correct the path",
        ),
    ],
    ids=["state", "dataset"],
)
def test_missing_bucket(batch_file: Any, options: dict[str, Any], says: str) -> None:
    path = batch_file("a", **options)
    with pytest.raises(AirflowFailException) as caught, open_run(str(path), "run", "mturk") as run:
        load_dataset(run, relabel=False)
    assert str(caught.value) == says


@pytest.mark.contract
def test_s3_does_not_answer(batch_file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = batch_file("a")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", connection("http://127.0.0.1:9"))
    with pytest.raises(WorkforceUnreachable) as caught, open_run(str(path), "run", "mturk") as run:
        load_dataset(run, relabel=False)
    assert str(caught.value).startswith("connection 'aws_default': Could not connect to the endpoint URL: ")
    assert "check that the server runs" in str(caught.value)


@pytest.mark.contract
def test_images_in_s3_are_shown_by_links_that_work(cloud: CloudProcess, batch_file: Any) -> None:
    svg = (CHECKOUT / "include/data/images/flower-a.svg").read_bytes()
    cloud.client("s3").put_object(
        Bucket=BUCKET, Key="photos/a #1?.svg", Body=svg, ContentType="image/svg+xml"
    )
    path = batch_file("a")
    row = f"a,1,1,1,1,s3://{BUCKET}/photos/a #1?.svg"
    header = "id,sepal_length,sepal_width,petal_length,petal_width,image"
    (path.parent / "items.csv").write_text(f"{header}\n{row}\n")
    with open_run(str(path), "run") as run:
        from groundswell.aws.pages import _image

        with urllib.request.urlopen(_image(run, f"s3://{BUCKET}/photos/a #1?.svg")) as response:
            assert response.read() == svg
        load_dataset(run, relabel=False)
        record(run, {"a": ["setosa"]})
        assert consolidate(run)["labelled"] == 1
        written = write_dataset(run)
        manifest = s3_text(cloud, written["manifest_uri"])
    assert json.loads(manifest)["source-ref"] == f"s3://{BUCKET}/photos/a #1?.svg"


@pytest.mark.contract
def test_dataset_and_images_go_to_the_output(cloud: CloudProcess, batch_file: Any) -> None:
    path = batch_file("a", "b", "c", output__test_items=1)
    with open_run(str(path), "run") as run:
        load_dataset(run, relabel=False)
        record(run, {"a": ["setosa"], "b": ["setosa"], "c": ["virginica"]})
        assert consolidate(run)["labelled"] == 3
        written = write_dataset(run)
    out = f"s3://{BUCKET}/{path.parent.name}-out"
    assert written["train_uri"] == f"{out}/trainingdata/iris_training.csv"
    lines = [json.loads(line) for line in s3_text(cloud, written["manifest_uri"]).splitlines()]
    assert {line["source-ref"] for line in lines} == {f"{out}/images/flower-a.svg"}
    assert s3_text(cloud, lines[0]["source-ref"]).lstrip().startswith("<svg")
    assert s3_text(cloud, written["test_uri"]).count("\n") == 2


def s3_text(cloud: CloudProcess, uri: str) -> str:
    bucket, key = s3_location(uri)
    return str(cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read().decode())
