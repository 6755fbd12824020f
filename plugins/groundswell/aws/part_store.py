"""The ledger's parts in S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import wraps
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import BUCKET_OPTIONS, clear_errors, error_code
from groundswell.errors import LedgerError

_EXISTS = frozenset({"PreconditionFailed", "412"})
#: Another writer of the same key is at work: S3 asks to try again.
_CONFLICT = frozenset({"ConditionalRequestConflict", "409"})
_ATTEMPTS = 5
#: Bytes of a body that are read at once.
_PIECE = 1 << 20


def s3_location(uri: str) -> tuple[str, str]:
    """Return bucket and key of ``s3://bucket/key``. A key may hold ``?`` and ``#``, unlike a URL's path."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _explained(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let errors of S3 name S3's connection, whatever connection the task mainly talks through."""

    @wraps(method)
    def call(self: S3PartStore, *args: Any) -> Any:
        with clear_errors(connection=self.connection, bucket=self.bucket, options=self.options):
            return method(self, *args)

    return call


class S3PartStore:
    """
    A :class:`groundswell.ledger.PartStore` under an ``s3://bucket/prefix``.

    Parts are written with ``If-None-Match: *``: S3 lets exactly one writer of a key succeed.

    :param uri: ``s3://bucket`` or ``s3://bucket/prefix``.
    :param hook: where credentials, region and endpoint come from.
    """

    #: Where an operator says which bucket it is; errors name it.
    options = BUCKET_OPTIONS

    def __init__(self, uri: str, hook: S3Hook) -> None:
        self.bucket, prefix = s3_location(uri)
        if not uri.startswith("s3://") or not self.bucket:
            raise LedgerError(f"{uri!r} is not an S3 URI; write it as s3://bucket/prefix")
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._hook = hook
        self.connection = str(hook.aws_conn_id)

    @property
    def _client(self) -> Any:
        return self._hook.get_conn()

    @_explained
    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write unless the key exists; see :class:`groundswell.ledger.PartStore`."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if error_code(error) in _EXISTS:
                    return False
                if error_code(error) not in _CONFLICT or attempt == _ATTEMPTS:
                    raise
            else:
                return True
        raise AssertionError("unreachable")

    @_explained
    def put(self, key: str, body: bytes) -> None:
        """Write or replace; see :class:`groundswell.ledger.PartStore`."""
        self._client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=body)

    @_explained
    def get(self, key: str) -> bytes | None:
        """Read; see :class:`groundswell.ledger.PartStore`."""
        try:
            response = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                return None
            raise
        return bytes(response["Body"].read())

    @_explained
    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Return the body in pieces, or None where it does not exist: it may be too large to hold."""
        try:
            response = self._client.get_object(Bucket=self.bucket, Key=self.prefix + key)
        except ClientError as error:
            if error_code(error) in {"NoSuchKey", "404"}:
                return None
            raise
        return self._pieces(response["Body"])

    def _pieces(self, body: Any) -> Iterator[bytes]:
        with closing(body), clear_errors(connection=self.connection, bucket=self.bucket):
            yield from body.iter_chunks(_PIECE)

    @_explained
    def keys(self, prefix: str) -> list[str]:
        """List; see :class:`groundswell.ledger.PartStore`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + prefix
        )
        return [
            entry["Key"].removeprefix(self.prefix) for page in pages for entry in page.get("Contents", ())
        ]

    @_explained
    def folders(self, prefix: str) -> list[str]:
        """List the common prefixes; see :class:`groundswell.ledger.PartStore`."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + prefix, Delimiter="/"
        )
        found = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", ())]
        return [each.removeprefix(self.prefix + prefix).rstrip("/") for each in found]

    def uri(self, key: str) -> str:
        """Return ``s3://bucket/…``; see :class:`groundswell.ledger.PartStore`."""
        return f"s3://{self.bucket}/{self.prefix}{key}"
