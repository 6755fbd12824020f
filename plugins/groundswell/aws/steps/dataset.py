"""load_dataset: from a file to item shards, with every page checked before anything is published."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from groundswell.aws import snapshot
from groundswell.aws.experts import waiting
from groundswell.aws.files import read_text
from groundswell.aws.known import gold_labels
from groundswell.aws.pages import LABEL_FIELD, question
from groundswell.aws.runs import LabelingRun, claim_end, now_text
from groundswell.aws.steps.labels import all_labels
from groundswell.aws.steps.model import is_number
from groundswell.errors import DatasetError, ManifestError
from groundswell.ledger import shards
from groundswell.ledger.claims import claim, taken_by_others
from groundswell.ledger.shards import read_index, write_shards
from groundswell.manifests.augmented import ClassLabel, augmented_manifest, entry
from groundswell.manifests.dataset import Item, read_items
from groundswell.templates.check import check_template
from groundswell.templates.render import TaskText

log = logging.getLogger(__name__)

#: Airflow's ``[core] max_map_length``: more shards cannot be mapped over.
MOST_SHARDS = 1024


def load_dataset(run: LabelingRun, *, relabel: bool) -> list[int]:
    """
    Fix the items of the run and return the numbers of their shards; an empty list where nothing is new.

    Items that earlier runs of the batch labelled, that are in flight there, or that wait for experts are
    left out unless ``relabel``. A run whose items are fixed keeps them, however often the task is cleared.

    :raises GroundswellError: for a batch, dataset, image or template that will not do; nothing is published.
    """
    index = read_index(run.ledger)
    if index is None:
        everything = _read(run)
        _check_split(run, everything)
        items = _new_items(run, everything, relabel=relabel)
        _check_pages(run, items)
        snapshot.keep(run.ledger, run.live)
        write_shards(run.ledger, _shards(run, items))
        index = read_index(run.ledger) or []
        # From the shards, which are fixed: a claim made before them could be for what the dataset was earlier
        fixed = shards.read_items(run.ledger)
        claim(run.store, run.batch.name, run.run_id, fixed, until=claim_end(run.batch))
    elif relabel:
        log.info("the items of this run were fixed by an earlier try; a new run would ask about all again")
    total = sum(entry["items"] for entry in index)
    if total:
        log.info("%d items in %d shards", total, len(index))
    else:
        log.info("nothing new: every item of the dataset is labelled or in flight; nobody is asked")
    return [entry["shard"] for entry in index]


def _read(run: LabelingRun) -> list[Item]:
    batch, dataset = run.batch, run.batch.dataset
    batch.check_files()
    gold_labels(run)  # what cannot be read must stop the run before the first HIT
    items = read_items(
        read_text(run, dataset.path, option="dataset.path"),
        name=dataset.path,
        format=dataset.format,
        key=dataset.key,
    )
    _check_columns(run, dataset.path, items[0])
    for item in items:
        where = f"{dataset.path}: item {item.id!r}"
        _check_columns(run, where, item)
        _check_manifest(run, where, item)
        if batch.evaluation is not None:
            _check_numbers(run, where, item)
    return items


def _check_columns(run: LabelingRun, where: str, item: Item) -> None:
    """Look for columns that are missing (JSON Lines may differ) or that the label would replace."""
    batch, columns = run.batch, item.values.keys()
    wanted = [("output.features", column) for column in batch.output.features]
    if batch.task.image:
        wanted.append(("task.image", batch.task.image))
    for option, column in wanted:
        if column not in columns:
            raise DatasetError(
                f"{where}: has no column {column!r}, which {option} names in {batch.file.name}; "
                f"it has {', '.join(columns)}"
            )
    attribute = batch.output.label_attribute
    for name in (attribute, f"{attribute}-metadata"):
        if name in columns:
            raise DatasetError(
                f"{where}: already has a column {name!r}; rename output.label_attribute in {batch.file.name}"
            )


def _check_manifest(run: LabelingRun, where: str, item: Item) -> None:
    """Try the item's line of the manifest: what cannot be written must stop the run before the first HIT."""
    task, output = run.batch.task, run.batch.output
    label = ClassLabel(name=task.labels[0], confidence=1.0, created=datetime.now(UTC))
    image = None if task.image is None else item.values[task.image]
    if image is not None and not image.startswith(("s3://", "https://")):
        image = output.object_uri(f"images/{image}")
    try:
        augmented_manifest(
            [entry(item, label, source=image)],
            attribute=output.label_attribute,
            classes=task.labels,
            job_name=f"groundswell/{run.job_name}",
        )
    except ManifestError as error:
        raise DatasetError(f"{where}: {str(error).removeprefix('manifest: line 1: ')}") from error


def _check_numbers(run: LabelingRun, where: str, item: Item) -> None:
    for column in run.batch.output.features:
        if not is_number(item.values[column]):
            raise DatasetError(
                f"{where}: {column} is {item.values[column]!r}, and the endpoint is asked about numbers; "
                f"correct it, or remove evaluation from {run.batch.file.name}"
            )


def _check_split(run: LabelingRun, items: Sequence[Item]) -> None:
    wanted = run.batch.output.test_items
    if len(items) <= wanted:
        labelled = {row["item"] for row in all_labels(run)}
        most = len(labelled | {item.id for item in items})
        if most <= wanted:
            raise DatasetError(
                f"{run.batch.file.name}: output.test_items: {wanted} of {most} items would leave none to "
                f"train on; lower it below {most}"
            )


def _new_items(run: LabelingRun, items: Sequence[Item], *, relabel: bool) -> list[Item]:
    if relabel:
        return list(items)
    labelled = {row["item"] for row in all_labels(run)}
    taken = taken_by_others(run.store, run.batch.name, run.run_id, now=now_text()) - labelled
    experts = waiting(run).keys()
    new = [item for item in items if item.id not in labelled | taken | experts]
    log.info(
        "%d of %d items are new; %d are labelled, about %d other runs are asking or may still ask, "
        "%d wait for experts",
        *(len(new), len(items), len(labelled), len(taken), len(experts)),
    )
    return new


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
