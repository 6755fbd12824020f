"""Files in and out of S3, and the safe handling of archives."""

from __future__ import annotations

import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlparse

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 6},
    connect_timeout=5,
    read_timeout=60,
    proxies={},  # the endpoint is this machine; a proxy of the environment would not reach it
    s3={"addressing_style": "path"},
)


class S3Problem(Exception):
    """Something in S3 cannot be read or written; `str(error)` says which URI and why."""


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key or key prefix, which may be empty."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Return the parts of ``s3://bucket/key``; raises S3Problem when it is none."""
        parts = urlparse(uri, allow_fragments=False)
        if parts.scheme != "s3" or not parts.netloc:
            raise S3Problem(f"'{uri}' is not an S3 URI; write s3://bucket/key")
        return cls(parts.netloc, uri.split("/", 3)[3] if uri.count("/") > 2 else "")

    def child(self, *names: str) -> S3Uri:
        """Return a key below this one."""
        return S3Uri(self.bucket, "/".join([p for p in (self.key.rstrip("/"), *names) if p]))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class Aws:
    """Clients of the AWS services that SageMaker itself uses, all at one endpoint."""

    def __init__(self, endpoint_url: str, region: str = "us-east-1") -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        self._session = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106  # the local cloud's only key
            region_name=region,
        )
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """Return the shared client of a service; clients are safe to use from several threads."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self.endpoint_url, config=_CONFIG
                )
            return self._clients[service]

    def wait_until_ready(self, timeout: float, stopped: Callable[[], bool]) -> bool:
        """Wait until S3 answers, at most ``timeout`` seconds; False when it did not or we stop."""
        deadline = time.monotonic() + timeout
        while not stopped():
            try:
                self.client("s3").list_buckets()
            except (BotoCoreError, ClientError):
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.5)
            else:
                return True
        return False


class S3Files:
    """Whole files of S3."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def exists(self, uri: S3Uri) -> bool:
        """Tell whether there is an object of exactly this key."""
        try:
            self._aws.client("s3").head_object(Bucket=uri.bucket, Key=uri.key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
                return False
            raise
        return True

    def keys(self, uri: S3Uri) -> Iterator[str]:
        """Yield the keys that begin with the URI's key, "folders" left out; raises S3Problem."""
        pages = self._aws.client("s3").get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=uri.bucket, Prefix=uri.key):
                yield from (o["Key"] for o in page.get("Contents", []) if not o["Key"].endswith("/"))
        except (ClientError, BotoCoreError) as error:
            raise S3Problem(f"{uri}: {error}") from error

    def download(self, uri: S3Uri, target: Path) -> None:
        """Fetch one object into a file; raises S3Problem."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._aws.client("s3").download_file(uri.bucket, uri.key, str(target))
        except (ClientError, BotoCoreError) as error:
            raise S3Problem(f"{uri}: {error}") from error

    def read(self, uri: S3Uri) -> bytes:
        """Return the content of one object; raises S3Problem."""
        try:
            content: bytes = self._aws.client("s3").get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            raise S3Problem(f"{uri}: {error}") from error
        return content

    def upload(self, source: Path, uri: S3Uri) -> None:
        """Store one file; raises S3Problem."""
        try:
            self._aws.client("s3").upload_file(str(source), uri.bucket, uri.key)
        except (ClientError, BotoCoreError, boto3.exceptions.S3UploadFailedError) as error:
            raise S3Problem(f"{uri}: {error}") from error


def relative_path(key: str, prefix: str) -> str:
    """Return where an object lies below the folder that receives a prefix.

    ``data/a/b.csv`` under prefix ``data`` or ``data/`` is ``a/b.csv``; a prefix that ends inside a
    name, or is the whole key, counts from its last slash. Raises S3Problem when the key would lead
    out of the folder.
    """
    rest = key[len(prefix) :]
    inside = not prefix or prefix.endswith("/") or rest.startswith("/")
    relative = rest.lstrip("/") if inside else key[prefix.rfind("/") + 1 :]
    if ".." in PurePosixPath(relative).parts:
        raise S3Problem(f"key '{key}' has '..' in it and would leave its folder; rename the object")
    return relative


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive of any compression, nothing outside ``folder``; raises S3Problem."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise S3Problem(f"{archive.name} cannot be unpacked: {error}") from error


def pack(folder: Path, archive: Path) -> bool:
    """Write the content of a folder as a .tar.gz; False, and nothing written, when it is empty."""
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    if not entries:
        return False
    with tarfile.open(archive, "w:gz") as tar:
        for entry in entries:
            tar.add(entry, arcname=entry.name)
    return True
