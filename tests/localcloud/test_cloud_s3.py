"""S3 through the front, as boto3 speaks it."""

from __future__ import annotations

import hashlib
import io
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def s3(cloud: CloudProcess) -> Any:
    return cloud.client("s3")


@pytest.fixture
def bucket(s3: Any) -> Iterator[str]:
    name = f"b-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


def code_of(error: ClientError) -> tuple[str, int]:
    return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]


def test_put_get_head_and_range(s3: Any, bucket: str) -> None:
    body = bytes(range(256)) * 40
    s3.put_object(Bucket=bucket, Key="data", Body=body, ContentType="text/x-test", Metadata={"who": "me"})
    got = s3.get_object(Bucket=bucket, Key="data")
    assert got["Body"].read() == body
    assert (got["ContentType"], got["Metadata"]) == ("text/x-test", {"who": "me"})
    head = s3.head_object(Bucket=bucket, Key="data")
    assert head["ContentLength"] == len(body)
    assert head["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    part = s3.get_object(Bucket=bucket, Key="data", Range="bytes=10-19")
    assert part["Body"].read() == body[10:20]
    assert part["ContentRange"] == f"bytes 10-19/{len(body)}"


@pytest.mark.parametrize(
    "key",
    ["a b", "a+b", "a%2Fb", "ä/€", "a//b", "./x", "a/../b", "x?y=1", "a&b;c", "worker", "x.tmp", "~'()*!"],
)
def test_keys_arrive_as_they_were_sent(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]


def test_empty_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.head_object(Bucket=bucket, Key="empty")["ContentLength"] == 0
    assert s3.get_object(Bucket=bucket, Key="empty")["Body"].read() == b""


def test_listing_in_pages(s3: Any, bucket: str) -> None:
    for number in range(7):
        s3.put_object(Bucket=bucket, Key=f"p/{number}", Body=b"x")
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    )
    assert [len(page["Contents"]) for page in pages] == [3, 3, 1]


def test_conditional_put_keeps_the_first(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")
    assert code_of(caught.value) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == b"first"


def test_of_many_conditional_puts_at_once_one_wins(s3: Any, bucket: str) -> None:
    """The ledger's parts are written this way, by tasks that may run twice."""

    def put(writer: int) -> int | None:
        try:
            s3.put_object(Bucket=bucket, Key="part", Body=str(writer).encode(), IfNoneMatch="*")
        except ClientError as error:
            if code_of(error)[1] not in (412, 409):
                raise
            return None
        return writer

    with ThreadPoolExecutor(16) as pool:
        winners = [writer for writer in pool.map(put, range(64)) if writer is not None]
    assert len(winners) == 1
    assert s3.get_object(Bucket=bucket, Key="part")["Body"].read() == str(winners[0]).encode()


def test_multipart_upload_and_download_of_20_mb(s3: Any, bucket: str) -> None:
    body = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(20 * 1024 * 32))
    parts = TransferConfig(multipart_threshold=5 * 2**20, multipart_chunksize=5 * 2**20)
    s3.upload_fileobj(io.BytesIO(body), bucket, "big", Config=parts)
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-4"')
    back = io.BytesIO()
    s3.download_fileobj(bucket, "big", back, Config=parts)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(body).digest()


def test_upload_of_a_stream_of_unknown_length_is_chunked(s3: Any, bucket: str) -> None:
    """urllib sends an iterable body with Transfer-Encoding: chunked."""
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "chunks"})
    headers = {"Content-Type": "application/octet-stream"}
    pieces = (b"x" * 1000 for _ in range(50))
    request = urllib.request.Request(url, data=pieces, method="PUT", headers=headers)
    with urllib.request.urlopen(request) as response:
        assert response.status == 200
    assert s3.head_object(Bucket=bucket, Key="chunks")["ContentLength"] == 50_000


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_urls(cloud: CloudProcess, bucket: str, version: str) -> None:
    s3 = cloud.client("s3", signature_version=version)
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a/b c"})
    headers = {"Content-Type": "text/plain"}
    with urllib.request.urlopen(
        urllib.request.Request(put, data=b"hi", method="PUT", headers=headers)
    ) as response:
        assert response.status == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a/b c"})
    with urllib.request.urlopen(get) as response:
        assert response.read() == b"hi"


def test_expired_presigned_url_is_refused(cloud: CloudProcess, bucket: str) -> None:
    s3 = cloud.client("s3", signature_version="s3v4")
    s3.put_object(Bucket=bucket, Key="k", Body=b"hi")
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    with patch("botocore.auth.get_current_datetime", return_value=an_hour_ago):
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    with caught.value as response:
        assert response.code == 403


def test_delete_answers_204_without_body(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="gone", Body=b"x")
    answer = s3.delete_object(Bucket=bucket, Key="gone")["ResponseMetadata"]
    assert answer["HTTPStatusCode"] == 204
    with pytest.raises(ClientError) as caught:
        s3.head_object(Bucket=bucket, Key="gone")
    assert code_of(caught.value) == ("404", 404)


def test_not_modified_answers_304(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="same", Body=b"x")["ETag"]
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="same", IfNoneMatch=etag)
    assert code_of(caught.value)[1] == 304
    assert s3.get_object(Bucket=bucket, Key="same")["Body"].read() == b"x"


@pytest.mark.parametrize("name", ["worker", "mturk", "health", "endpoints"])
def test_buckets_named_like_our_own_paths(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="static/x", Body=b"bucket")
    assert s3.get_object(Bucket=name, Key="static/x")["Body"].read() == b"bucket"
    url = s3.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "static/x"})
    with urllib.request.urlopen(url) as response:
        assert response.read() == b"bucket"
    s3.delete_object(Bucket=name, Key="static/x")
    s3.delete_bucket(Bucket=name)


def test_virtual_host_style(cloud: CloudProcess, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="v", Body=b"virtual")
    request = urllib.request.Request(
        f"{cloud.endpoint_url}/v", headers={"Host": f"{bucket}.localhost:{cloud.port}"}
    )
    with urllib.request.urlopen(request) as response:
        assert response.read() == b"virtual"


def test_32_threads(s3: Any, bucket: str) -> None:
    def round_trip(number: int) -> bool:
        body = str(number).encode() * 100
        s3.put_object(Bucket=bucket, Key=f"t/{number}", Body=body)
        return bool(s3.get_object(Bucket=bucket, Key=f"t/{number}")["Body"].read() == body)

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(round_trip, range(320)))
