"""consolidate and write_dataset: from the record of a run to labels, training data and a manifest."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groundswell.aws.experts import (
    answers_digest,
    asked_experts,
    expert_answers,
    expert_rows,
    has_new_answers,
    keep_queued,
    keep_written,
    take_answers,
    waiting,
    write_queue,
)
from groundswell.aws.known import gold_labels
from groundswell.aws.labelling import Known, Labelling, as_rows
from groundswell.aws.runs import LabelingRun
from groundswell.aws.skill import keep_skill
from groundswell.errors import DatasetError
from groundswell.ledger import Outcome, RunState
from groundswell.ledger.claims import release
from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.shards import read_items

if TYPE_CHECKING:
    from groundswell.consolidation.findings import Finding

log = logging.getLogger(__name__)


#: The document beside the ledger: how labels came about, and what is odd about them.
DOCUMENT = "consolidation.json"

#: Items without a label that the log names.
_NAMED = 50


def has_something_to_label(run: LabelingRun) -> bool:
    """
    Return whether a run has answers to label, or experts said what the dataset does not have yet.

    A run for which nothing was new published nothing; one that took what experts said may do so again.

    :raises DatasetError: where the file that experts handed back cannot be read.
    """
    if run.ledger.fold("hits").hits or run.ledger.get_document(DOCUMENT) is not None:
        return True
    if read_items(run.ledger):
        return False  # its spend was not approved: it is skipped, and the next run takes what experts said
    return _asks_experts(run) and has_new_answers(run, _crowd_labels(run))


def consolidate(run: LabelingRun) -> dict[str, Any]:
    """
    Write one label per item, with its provenance, from everything that workers and experts said.

    It asks nobody, so it can be cleared and run again at any time, also with another method. What it writes
    besides: ``consolidation.json``, the workers' skill for later runs, and the experts' queue.

    Returns the URI of the labels and the counts ``labelled``, ``unlabelled`` and ``queued``.

    :raises DatasetError: where the gold file cannot be used.
    """
    state = run.ledger.fold()
    items = read_items(run.ledger)
    crowd = _crowd_labels(run)
    odd = _take_experts_word(run, items.keys() | crowd.keys())
    found = Labelling(run, state, items, Known(gold_labels(run), expert_answers(run)))
    key = run.ledger.append("labels", found.rows)
    _hand_over(run, found.rows)
    keep_skill(run, state, found.answers, found.consensus, found.gold)
    # Before the items are anybody's again: no other run may take them for its own
    keep_queued(run, found.for_experts)
    queued, waits = {row["item"] for row in found.for_experts}, waiting(run, _crowd_labels(run))
    queue_uri = write_queue(run, waits)
    unlabelled = sorted(items.keys() - {row["item"] for row in found.rows})
    # What workers may still answer is not asked about by another run
    release(run.store, run.batch.name, run.run_id, set(unlabelled).difference(state.open_items))
    findings = [*odd, *found.findings]
    document = found.document() | {
        "unlabelled": len(unlabelled),
        "queued": len(queued),
        "waiting_for_experts": len(waits),
        "queue_uri": queue_uri,
        "findings": as_rows(findings),
    }
    uri = run.ledger.put_document(DOCUMENT, run.context() | document)
    _tell(state, findings, unlabelled, queued)
    log.info("%d items labelled, %d not; %s", len(found.rows), len(unlabelled), uri)
    return {
        "labels_uri": run.store.uri(key) if key else None,
        "labelled": len(found.rows),
        "unlabelled": len(unlabelled),
        "queued": len(queued),
    }


def _take_experts_word(run: LabelingRun, items: Collection[str]) -> list[Finding]:
    return take_answers(run, items) if _asks_experts(run) else []


def _asks_experts(run: LabelingRun) -> bool:
    return run.batch.redundancy.experts or asked_experts(run)


def _tell(
    state: RunState, findings: Sequence[Finding], unlabelled: Sequence[str], queued: Collection[str]
) -> None:
    for item in unlabelled[:_NAMED]:
        then = "it waits for an expert" if item in queued else "the next run asks again"
        log.warning("item %r has no label (%s); %s", item, state.outcomes.get(item, "open"), then)
    if len(unlabelled) > _NAMED:
        log.warning("%d more items have no label", len(unlabelled) - _NAMED)
    for each in findings:
        log.log(logging.WARNING if each.severity == "warning" else logging.INFO, "%s", each.text)


def _labels_prefix(run: LabelingRun) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_labels/{run.batch.name}/"


def _handed_over(run: LabelingRun) -> str:
    return f"{_labels_prefix(run)}{run.run_id}.jsonl"


def _hand_over(run: LabelingRun, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the run's labels where the batch's dataset is written from: a later run adds to it."""
    run.store.put(_handed_over(run), encode(rows))


def _crowd_labels(run: LabelingRun) -> dict[str, dict[str, Any]]:
    """
    Return item -> row of the latest label that any run of the batch handed over.

    A label that workers did not settle never takes the place of one that is settled or known.
    """
    latest: dict[str, dict[str, Any]] = {}
    for key in run.store.keys(_labels_prefix(run)):
        for row in decode(run.store.get(key) or b"", key):
            known = latest.get(row["item"])
            if known is None or _precedence(row) > _precedence(known):
                latest[row["item"]] = row
    return latest


def _precedence(row: Mapping[str, Any]) -> tuple[bool, str, str]:
    sure = row["outcome"] != Outcome.GAVE_UP or row.get("provenance", "crowd") != "crowd"
    return sure, row["at"], row["run_id"]


def all_labels(run: LabelingRun) -> list[dict[str, Any]]:
    """
    Return the label of every item that any run of the batch or an expert labelled, by item id.

    What the gold file said at the time counts most, then an expert's word, then the latest run.
    """
    crowd = _crowd_labels(run)
    experts = expert_rows(run, crowd)
    gold = {item: row for item, row in crowd.items() if row.get("provenance") == "gold"}
    latest = crowd | experts | gold
    return [latest[item] for item in sorted(latest)]


def write_dataset(run: LabelingRun) -> dict[str, Any]:
    """
    Write train and test CSV and the augmented manifest of all labels that the batch has so far.

    Returns their URIs, the numbers of rows, and ``job_name``: the name for a training job on exactly this
    data, so that the same data is not trained on twice.
    """
    from groundswell.manifests.splits import split

    experts = answers_digest(run)
    rows = all_labels(run)
    if not rows:
        raise DatasetError(f"batch {run.batch.name!r} has no labels yet; see why in the log of consolidate")
    output = run.batch.output
    labels = {row["item"]: row["label"] for row in rows}
    train, test = split(sorted(labels), test_items=output.test_items, seed=output.seed, strata=labels)
    parts = {output.train: _csv(run, rows, set(train)), output.test: _csv(run, rows, set(test))}
    manifest = _manifest(run, rows)
    uris = {key: run.put_output(key, body) for key, body in {**parts, output.manifest: manifest}.items()}
    keep_written(run, experts)
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    return {
        "train_uri": uris[output.train],
        "test_uri": uris[output.test],
        "manifest_uri": uris[output.manifest],
        "train_items": len(train),
        "test_items": len(test),
        "job_name": f"{run.job_name}-{digest}",
    }


def _csv(run: LabelingRun, rows: Sequence[Mapping[str, Any]], chosen: set[str]) -> str:
    from groundswell.manifests.csv_files import named_csv, tensorflow_csv

    output = run.batch.output
    label = output.label_attribute
    records = [{**row["values"], label: row["label"]} for row in rows if row["item"] in chosen]
    if output.csv_format == "tensorflow":
        return tensorflow_csv(records, output.features, label, run.batch.task.labels)
    return named_csv(records, output.features, label)


def _manifest(run: LabelingRun, rows: Sequence[Mapping[str, Any]]) -> str:
    from groundswell.manifests.augmented import ClassLabel, augmented_manifest, entry
    from groundswell.manifests.dataset import Item

    sources = image_uris(run, rows)
    entries = [
        entry(
            Item(id=row["item"], values=row["values"]),
            ClassLabel(
                name=row["label"], confidence=row["confidence"], created=datetime.fromisoformat(row["at"])
            ),
            source=sources.get(row["item"]),
        )
        for row in rows
    ]
    return augmented_manifest(
        entries,
        attribute=run.batch.output.label_attribute,
        classes=run.batch.task.labels,
        job_name=f"groundswell/{run.job_name}",
        task="image-classification" if run.batch.task.image else "text-classification",
    )


def image_uris(run: LabelingRun, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """
    Return item -> S3 URI of its image, uploading files of the image folder to ``images/`` of the output.

    A manifest refers to objects in S3 (``source-ref``); an image at an https URL becomes a ``source``.
    """
    task = run.batch.task
    if task.image is None:
        return {}
    uploaded: dict[str, str] = {}
    uris: dict[str, str] = {}
    for row in rows:
        value = row["values"][task.image]
        if value.startswith(("s3://", "https://")):
            uris[row["item"]] = value
        else:
            if value not in uploaded:
                uploaded[value] = _upload(run, Path(str(task.image_folder)) / value, f"images/{value}")
            uris[row["item"]] = uploaded[value]
    return uris


def _upload(run: LabelingRun, path: Path, key: str) -> str:
    store = run.outputs
    store.put(key, path.read_bytes())
    return store.uri(key)
