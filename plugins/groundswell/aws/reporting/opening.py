"""What every task of the reports works with: the settings, the stores, and errors that say what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException

from groundswell.aws.exceptions import clear_errors
from groundswell.aws.part_store import S3PartStore
from groundswell.batches.options import folder_of
from groundswell.ledger import PartStore
from groundswell.reports.names import Pseudonyms, new_key
from groundswell.reports.parts import RemovableFolder, RemovableStore
from groundswell.reports.settings import ReportSettings
from groundswell.reports.store import ReportStore

_KEY = "pseudonym.key"
_FORGOTTEN = "forgotten.json"


class RemovableS3(S3PartStore):
    """Objects below an ``s3://bucket/prefix`` that can be removed.

    Where the bucket keeps versions, a removed object stays as an old one: a lifecycle rule of the bucket has
    to end those.
    """

    options = "uri and private_uri in the settings file of the reports"

    def remove(self, key: str) -> None:
        """See :class:`groundswell.reports.parts.RemovableStore`."""
        with clear_errors(connection=self.connection, bucket=self.bucket, options=self.options):
            self._client.delete_object(Bucket=self.bucket, Key=self.prefix + key)

    def older(self, prefix: str, before: datetime) -> Iterator[str]:
        """See :class:`groundswell.reports.parts.RemovableStore`."""
        with clear_errors(connection=self.connection, bucket=self.bucket, options=self.options):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix + prefix
            )
            for page in pages:
                for entry in page.get("Contents", ()):
                    if entry["LastModified"] < before:
                        yield entry["Key"].removeprefix(self.prefix)

    def sweep(self, before: datetime) -> int:
        """See :class:`groundswell.reports.parts.RemovableStore`: an object of S3 is there whole, or not."""
        return 0


def removable(uri: str, s3: S3Hook) -> RemovableStore:
    """Return the store at ``s3://…`` or at a local folder, ``file:///…``."""
    return RemovableS3(uri, s3) if uri.startswith("s3://") else RemovableFolder(folder_of(uri))


@dataclass(frozen=True)
class Reports:
    """The settings of the reports, and where they are kept."""

    settings: ReportSettings

    @cached_property
    def s3(self) -> S3Hook:
        """Where S3 is."""
        return S3Hook(aws_conn_id=self.settings.connections.aws)

    @cached_property
    def private(self) -> RemovableStore:
        """The store of raw ids and names."""
        return removable(self.settings.private, self.s3)

    @cached_property
    def store(self) -> ReportStore:
        """The reports."""
        return ReportStore(removable(self.settings.uri, self.s3), self.private)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """What workers are called; the key is made by whoever needs it first, and stays.

        :raises AirflowFailException: it is lost.
        """
        key = pseudonym_key(self.private, lambda: bool(self.store.days()))
        return Pseudonyms(key, forgotten_marks(self.private))


def pseudonym_key(private: PartStore, in_use: Callable[[], bool]) -> bytes:
    """Return the key of the pseudonyms; two that make it at once agree on one.

    :param in_use: whether there are reports that name workers by it.
    """
    known = private.get(_KEY)
    if known is None and in_use():
        known = private.get(_KEY)  # made meanwhile, with the first report
        if known is None:
            raise AirflowFailException(
                f"{private.uri(_KEY)} is gone: under a new key all workers would get other names, and those "
                "who were deleted would come back; restore it from a backup or version, or begin anew with "
                "another uri in the settings file"
            )
    if known is None:
        private.put_if_absent(_KEY, new_key())
        known = private.get(_KEY)
    if not known:
        raise AirflowFailException(
            f"{private.uri(_KEY)} is empty: without the key of the pseudonyms workers would get other names; "
            "restore it from a backup or version"
        )
    return known


def forgotten_marks(private: PartStore) -> dict[str, str]:
    """Return the marks of the workers who were deleted, each with when."""
    body = private.get(_FORGOTTEN)
    return {} if body is None else dict(json.loads(body))


def put_forgotten_marks(private: PartStore, marks: Mapping[str, str]) -> None:
    """Replace the marks of the workers who were deleted."""
    private.put(_FORGOTTEN, json.dumps(dict(marks), indent=2, sort_keys=True).encode())


@contextmanager
def open_reports(path: Path | str) -> Iterator[Reports]:
    """
    Open the reports for a task, and turn what goes wrong inside into one message with the fix.

    :param path: the settings file.
    """
    with clear_errors(connection="aws"):
        settings = ReportSettings.load(Path(path))
    connection = settings.connections.aws
    try:
        # The provider would go on with whatever credentials the machine has
        BaseHook.get_connection(connection)
    except AirflowNotFoundException as error:
        raise AirflowFailException(
            f"there is no connection {connection!r}; add it to Airflow, or correct connections.aws in "
            f"{settings.file.name}"
        ) from error
    with clear_errors(connection=connection):
        yield Reports(settings)


def document(store: PartStore, key: str) -> Any:
    """Return a JSON document, or None."""
    body = store.get(key)
    return None if body is None else json.loads(body)


def put_document(store: PartStore, key: str, content: Any) -> None:
    """Write a JSON document, the same bytes for the same content; one that says so already is left alone."""
    body = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=True, allow_nan=False).encode()
    if store.get(key) != body:
        store.put(key, body)
