"""load_dataset: from a file to item shards, with every page checked before anything is published."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code
from groundswell.aws.pages import LABEL_FIELD, question
from groundswell.aws.part_store import s3_location
from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError
from groundswell.ledger.shards import claim, claimed_by_others, read_index, write_shards
from groundswell.manifests.dataset import Item, read_items
from groundswell.templates.check import check_template
from groundswell.templates.render import TaskText

log = logging.getLogger(__name__)

#: Airflow's ``[core] max_map_length``: more shards cannot be mapped over.
MOST_SHARDS = 1024


def load_dataset(run: LabelingRun, *, relabel: bool) -> list[int]:
    """
    Fix the items of the run and return the numbers of their shards; an empty list where nothing is new.

    Items that earlier runs of the batch labelled, or that are in flight there, are left out unless
    ``relabel``. A run whose items are fixed keeps them, however often the task is cleared.

    :raises GroundswellError: for a batch, dataset, image or template that will not do; nothing is published.
    """
    index = read_index(run.ledger)
    if index is None:
        items = _new_items(run, _read(run), relabel=relabel)
        _check_pages(run, items)
        claim(run.store, run.batch.name, run.run_id, (item.id for item in items))
        write_shards(run.ledger, _shards(run, items))
        index = read_index(run.ledger) or []
    total = sum(entry["items"] for entry in index)
    if total:
        log.info("%d items in %d shards", total, len(index))
    else:
        log.info("nothing new: every item of the dataset is labelled or in flight; the rest of the run skips")
    return [entry["shard"] for entry in index]


def _read(run: LabelingRun) -> list[Item]:
    batch, dataset = run.batch, run.batch.dataset
    batch.check_files()
    items = read_items(_text(run), name=dataset.path, format=dataset.format, key=dataset.key)
    columns = items[0].values.keys()
    wanted = [("output.features", column) for column in batch.output.features]
    if batch.task.image:
        wanted.append(("task.image", batch.task.image))
    for option, column in wanted:
        if column not in columns:
            raise DatasetError(
                f"{dataset.path}: has no column {column!r}, which {option} names in {batch.file.name}; "
                f"it has {', '.join(columns)}"
            )
    if batch.output.label_attribute in columns:
        raise DatasetError(
            f"{dataset.path}: already has a column {batch.output.label_attribute!r}; "
            f"rename output.label_attribute in {batch.file.name}"
        )
    return items


def _text(run: LabelingRun) -> str:
    path = run.batch.dataset.path
    try:
        return _bytes(run, path).decode()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def _bytes(run: LabelingRun, path: str) -> bytes:
    if not path.startswith("s3://"):
        return _local_bytes(path)
    bucket, key = s3_location(path)
    try:
        response = run.s3.get_conn().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error_code(error) in {"NoSuchKey", "404"}:
            raise DatasetError(
                f"{run.batch.file.name}: dataset.path: there is no object {path}; "
                "upload it, or correct the path"
            ) from error
        raise
    return bytes(response["Body"].read())


def _local_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error


def _new_items(run: LabelingRun, items: Sequence[Item], *, relabel: bool) -> list[Item]:
    if relabel:
        return list(items)
    taken = claimed_by_others(run.store, run.batch.name, run.run_id)
    return [item for item in items if item.id not in taken]


def _check_pages(run: LabelingRun, items: Sequence[Item]) -> None:
    """Render every page once: what cannot be shown must stop the run before the first HIT."""
    task = run.batch.task
    if items:
        check_template(
            task.template,
            task=TaskText.of(task),
            columns=items[0].values.keys(),
            image=task.image is not None,
            label_field=LABEL_FIELD,
        )
    for item in items:
        question(run, item.id, item.values)


def _shards(run: LabelingRun, items: Sequence[Item]) -> Iterable[list[dict[str, Any]]]:
    size = max(run.batch.shard_items, -(-len(items) // MOST_SHARDS))
    for start in range(0, len(items), size):
        yield [{"item": item.id, "values": item.values} for item in items[start : start + size]]
