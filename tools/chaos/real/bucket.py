"""The run's ledger and documents, read from the local cloud without Airflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from groundswell.ledger import Ledger, RunState


class ReadOnlyStore:
    """A `PartStore` for reading a bucket with a client of one's own; writing is refused."""

    def __init__(self, s3: Any, uri: str) -> None:
        self._s3 = s3
        self._bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/"

    def get(self, key: str) -> bytes | None:
        """The body of a key, or None."""
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
        except self._s3.exceptions.NoSuchKey:
            return None
        return bytes(answer["Body"].read())

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys below a prefix, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        for page in pages:
            for row in page.get("Contents", []):
                yield row["Key"].removeprefix(self._prefix)

    def folders(self, prefix: str) -> list[str]:
        """The names right below a prefix."""
        return sorted({key.removeprefix(prefix).partition("/")[0] for key in self.keys(prefix)})

    def uri(self, key: str) -> str:
        """Where a key is."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def put(self, key: str, body: bytes) -> None:
        """Refused."""
        raise PermissionError(f"{self.uri(key)}: read only")

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Refused."""
        raise PermissionError(f"{self.uri(key)}: read only")


class RunRecord:
    """What one run has written."""

    def __init__(self, s3: Any, state_uri: str, batch: str, run_id: str) -> None:
        self._ledger = Ledger(ReadOnlyStore(s3, state_uri), batch, run_id)

    def state(self) -> RunState:
        """The folded ledger."""
        return self._ledger.fold()

    def progress(self) -> dict[str, Any] | None:
        """progress.json; None where there is none, or where the local cloud is just dead."""
        try:
            return self._ledger.get_document("progress.json")
        except (BotoCoreError, ClientError, json.JSONDecodeError):
            return None

    def summary(self) -> dict[str, Any] | None:
        """summary.json, or None."""
        return self._ledger.get_document("summary.json")
