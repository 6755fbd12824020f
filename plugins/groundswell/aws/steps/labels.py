"""consolidate and write_dataset: from the record of a run to labels, training data and a manifest."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from groundswell import __version__
from groundswell.aws.pages import LABEL_FIELD
from groundswell.aws.runs import LabelingRun, now_text, part_store
from groundswell.errors import DatasetError
from groundswell.ledger import Outcome, RunState
from groundswell.ledger.claims import release
from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.shards import read_items

log = logging.getLogger(__name__)


def consolidate(run: LabelingRun) -> dict[str, Any]:
    """
    Write one label per item, with its provenance, from everything that workers answered.

    Pure but for its outputs: it asks nobody, so it can be cleared and run again at any time.
    Returns the URI of the labels and the counts ``labelled`` and ``unlabelled``.
    """
    state = run.ledger.fold()
    items = read_items(run.ledger)
    rows = _label_rows(run, state, items)
    key = run.ledger.append("labels", rows)
    unlabelled = sorted(items.keys() - {row["item"] for row in rows})
    _hand_over(run, rows)
    # What workers may still answer is not asked about by another run
    release(run.store, run.batch.name, run.run_id, set(unlabelled).difference(state.open_items))
    for item in unlabelled:
        log.warning(
            "item %r has no label (%s); the next run asks again", item, state.outcomes.get(item, "open")
        )
    log.info("%d items labelled, %d not", len(rows), len(unlabelled))
    return {
        "labels_uri": run.store.uri(key) if key else None,
        "labelled": len(rows),
        "unlabelled": len(unlabelled),
    }


def _label_rows(
    run: LabelingRun, state: RunState, items: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    from groundswell.consolidation.classification.majority import majority
    from groundswell.consolidation.data import Answers

    names = list(items)
    counted = [row for item in names for row in state.counted(item)]
    answers = Answers.from_rows(
        ((row["item"], row["worker"], row["label"]) for row in counted),
        labels=run.batch.task.labels,
        tasks=names,
    )
    consensus = majority(answers)
    common = _provenance(run, state)
    return [
        {
            "item": item,
            "label": run.batch.task.labels[consensus.label[position]],
            "confidence": round(float(consensus.confidence[position]), 6),
            "n_answers": int(consensus.n_answers[position]),
            "answers": [_trace(row) for row in state.answers_of(item)],
            "outcome": state.outcomes.get(item, "open"),
            "cents": _cost(state, item),
            "values": dict(items[item]),
            **common,
        }
        for position, item in enumerate(names)
        # An item that was given up has answers too, but not what the batch asked for
        if consensus.label[position] >= 0 and state.outcomes.get(item) is Outcome.SETTLED
    ]


def _cost(state: RunState, item: str) -> int:
    paid = (state.payments.get(row["assignment"]) for row in state.answers_of(item))
    return sum(payment["cents"] for payment in paid if payment)


def _trace(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as a label's record shows it: the worker by a pseudonym."""
    worker = hashlib.sha256(f"groundswell:{row['worker']}".encode()).hexdigest()[:12]
    return {"assignment": row["assignment"], "worker": worker, LABEL_FIELD: row["label"]}


def _provenance(run: LabelingRun, state: RunState) -> dict[str, Any]:
    # The time is that of the last answer, not of this task: the same answers give the same bytes
    submitted = [row["submitted"] for row in state.answers.values()]
    return {
        "at": max(submitted, default=now_text()),
        "run_id": run.run_id,
        "method": "majority",
        "rule": run.batch.redundancy.model_dump(),
        "template_sha256": run.batch.template_hash(),
        "code_version": __version__,
    }


def _labels_prefix(run: LabelingRun) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_labels/{run.batch.name}/"


def _handed_over(run: LabelingRun) -> str:
    return f"{_labels_prefix(run)}{run.run_id}.jsonl"


def _hand_over(run: LabelingRun, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put the run's labels where the batch's dataset is written from: a later run adds to it."""
    run.store.put(_handed_over(run), encode(rows))


def all_labels(run: LabelingRun) -> list[dict[str, Any]]:
    """Return the latest label of every item that any run of the batch labelled, by item id."""
    latest: dict[str, dict[str, Any]] = {}
    for key in run.store.keys(_labels_prefix(run)):
        for row in decode(run.store.get(key) or b"", key):
            known = latest.get(row["item"])
            if known is None or (row["at"], row["run_id"]) > (known["at"], known["run_id"]):
                latest[row["item"]] = row
    return [latest[item] for item in sorted(latest)]


def write_dataset(run: LabelingRun) -> dict[str, Any]:
    """
    Write train and test CSV and the augmented manifest of all labels that the batch has so far.

    Returns their URIs, the numbers of rows, and ``job_name``: the name for a training job on exactly this
    data, so that the same data is not trained on twice.
    """
    from groundswell.manifests.splits import split

    rows = all_labels(run)
    if not rows:
        raise DatasetError(f"batch {run.batch.name!r} has no labels yet; see why in the log of consolidate")
    output = run.batch.output
    labels = {row["item"]: row["label"] for row in rows}
    train, test = split(sorted(labels), test_items=output.test_items, seed=output.seed, strata=labels)
    parts = {output.train: _csv(run, rows, set(train)), output.test: _csv(run, rows, set(test))}
    manifest = _manifest(run, rows)
    uris = {key: run.put_output(key, body) for key, body in {**parts, output.manifest: manifest}.items()}
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
    store = part_store(run.batch.output.uri, run.s3)
    store.put(key, path.read_bytes())
    return store.uri(key)
