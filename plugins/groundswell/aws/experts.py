"""The experts' queue: items on which the crowd did not agree, for people who know.

What runs give up is written to ``experts/<batch>/queue.csv`` below the batch's output URI. Experts write
``experts/<batch>/answers.csv`` beside it (``item,label,by``); the next consolidation takes it. The record of
both is in the batch's state: per run what it queued, replaced when the run is consolidated again, an
append-only log of what experts said, and how much of that the written dataset has. An item that waits is not
asked about by later runs.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from groundswell.answers.known import read_known_labels
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.ledger.ledger import decode, encode
from groundswell.manifests.csv_files import formula_free, named_csv

if TYPE_CHECKING:
    from groundswell.consolidation.findings import Finding

log = logging.getLogger(__name__)

QUEUE, ANSWERS = "queue.csv", "answers.csv"

#: Columns of the queue before those of the dataset.
_COLUMNS = ("item", "best_label", "score", "answers", "why", "run")
#: Problems of one file that are told.
_SHOWN = 5

Row = dict[str, Any]


def _prefix(run: LabelingRun, what: str) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_experts/{run.live.name}/{what}/"


def _output_key(run: LabelingRun, name: str) -> str:
    return f"experts/{run.live.name}/{name}"


def keep_queued(run: LabelingRun, rows: Sequence[Row]) -> None:
    """
    Record which items a run hands to the experts, in the place of what it handed them before.

    :param rows: label rows with ``best_label`` and ``why`` instead of a label.
    """
    key = f"{_prefix(run, 'queued')}{run.run_id}.jsonl"
    if rows or run.store.get(key) is not None:
        run.store.put(key, encode(rows))


def asked_experts(run: LabelingRun) -> bool:
    """Return whether a run of the batch ever handed an item to the experts."""
    return any(True for _ in run.store.keys(_prefix(run, "queued")))


def queued(run: LabelingRun) -> dict[str, Row]:
    """Return item -> row of everything that runs of the batch handed to the experts, the latest by item."""
    found: dict[str, Row] = {}
    for key in run.store.keys(_prefix(run, "queued")):
        for row in decode(run.store.get(key) or b"", key):
            known = found.get(row["item"])
            if known is None or (row["at"], row["run_id"]) > (known["at"], known["run_id"]):
                found[row["item"]] = row
    return found


def expert_answers(run: LabelingRun) -> dict[str, Row]:
    """Return item -> ``label``, ``by`` and ``at`` (when it was taken) of what experts said last."""
    found: dict[str, Row] = {}
    for key in run.store.keys(_prefix(run, "answers")):
        for row in decode(run.store.get(key) or b"", key):
            found[row["item"]] = row
    # A label that the batch has no longer is none
    return {item: row for item, row in found.items() if row["label"] in run.batch.task.labels}


def waiting(run: LabelingRun, crowd: Mapping[str, Row] | None = None) -> dict[str, Row]:
    """
    Return item -> row of what waits for an expert.

    :param crowd: item -> row of the labels from workers; what they agreed on later does not wait any more.
    """
    answered = expert_answers(run)
    return {
        item: row
        for item, row in queued(run).items()
        if item not in answered and (crowd or {}).get(item, {}).get("at", "") <= row["at"]
    }


def expert_rows(run: LabelingRun, crowd: Mapping[str, Row]) -> dict[str, Row]:
    """
    Return item -> label row of what experts said, as far as the items are known.

    :param crowd: item -> row of the labels from workers.
    """
    answers = expert_answers(run)
    if not answers:
        return {}
    rows = queued(run) | dict(crowd)
    return {item: as_expert(rows[item], answer) for item, answer in answers.items() if item in rows}


def as_expert(row: Mapping[str, Any], answer: Mapping[str, Any]) -> Row:
    """Return a label row with an expert's word in it; what workers answered and cost stays."""
    kept = {key: value for key, value in row.items() if key not in {"best_label", "why"}}
    said = {"label": answer["label"], "confidence": 1.0, "posterior": {}, "method": "expert"}
    signed = {"provenance": "expert", "by": answer["by"], "at": max(row["at"], answer["at"])}
    return kept | said | signed | {"confidence_is": "score"}


def take_answers(run: LabelingRun, known: Iterable[str]) -> list[Finding]:
    """
    Record what experts handed back; return what is wrong with it.

    A row that cannot be used keeps no other from counting. Rows that were taken before change nothing, and
    stay when the file goes; an item that is handed back again with another label has the later one.

    :param known: items besides the queued ones that a label may be given to.
    :raises DatasetError: where the file as a whole cannot be read.
    """
    new, problems = _handed_back(run, known)
    _append(run, new)
    return [_unusable(problems)] if problems else []


def has_new_answers(run: LabelingRun, known: Iterable[str]) -> bool:
    """
    Return whether experts said something that the batch's dataset does not have yet.

    :param known: as in :func:`take_answers`.
    :raises DatasetError: where the file as a whole cannot be read.
    """
    new, problems = _handed_back(run, known)
    if problems:
        log.warning("%s", _unusable(problems).text)
    # What was taken by a run that died before it wrote the dataset is in no file that says so
    return bool(new) or answers_digest(run) != _written(run)


def answers_digest(run: LabelingRun) -> str:
    """Return a short text that stands for all that experts said last."""
    answers = expert_answers(run)
    rows = [(item, answers[item]["label"], answers[item]["by"]) for item in sorted(answers)]
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:16] if rows else ""


def keep_written(run: LabelingRun, digest: str) -> None:
    """
    Record that the dataset has what experts said.

    :param digest: of what they had said before the dataset was put together.
    """
    if digest != _written(run):
        run.store.put(_prefix(run, "written") + "latest.jsonl", encode([{"answers": digest}]))


def _written(run: LabelingRun) -> str:
    key = _prefix(run, "written") + "latest.jsonl"
    return "".join(str(row["answers"]) for row in decode(run.store.get(key) or b"", key))


def _handed_back(run: LabelingRun, known: Iterable[str]) -> tuple[list[Row], list[str]]:
    """Return what experts handed back that is new, and what is wrong with the rest."""
    store, key = run.outputs, _output_key(run, ANSWERS)
    body = store.get(key)
    if body is None:
        return [], []
    rows, problems = read_known_labels(
        body.decode(errors="replace"), name=store.uri(key), labels=run.batch.task.labels
    )
    items = queued(run).keys() | set(known)
    before, new = expert_answers(run), []
    for row in rows:
        item = row.item if row.item in items else formula_free(row.item)
        if item not in items:
            problems.append(
                f"{store.uri(key)}: line {row.line}: no run of the batch has an item {row.item!r}; correct it"
            )
        elif _said(before.get(item)) != (row.label, row.by):
            new.append({"item": item, "label": row.label, "by": row.by, "at": now_text()})
    return new, problems


def _said(row: Row | None) -> tuple[str, str] | None:
    return None if row is None else (row["label"], row["by"])


def _append(run: LabelingRun, rows: Sequence[Row]) -> None:
    if rows:
        log.info("%d labels from experts", len(rows))
        prefix = _prefix(run, "answers")
        number = len(list(run.store.keys(prefix)))
        while not run.store.put_if_absent(f"{prefix}{number:06d}.jsonl", encode(rows)):
            number += 1


def _unusable(problems: Sequence[str]) -> Finding:
    from groundswell.consolidation.findings import Finding

    shown = "; ".join(problems[:_SHOWN])
    more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return Finding(
        kind="expert_answers_unusable",
        text=f"{len(problems)} rows that experts handed back are left out: {shown}{more}",
        severity="warning",
    )


def write_queue(run: LabelingRun, rows: Mapping[str, Row]) -> str | None:
    """
    Write ``queue.csv``, a file that spreadsheets may open; return its URI, None where there never was one.

    :param rows: what waits, by item.
    """
    store, key = run.outputs, _output_key(run, QUEUE)
    if not rows and store.get(key) is None:
        return None
    columns = list(dict.fromkeys(column for row in rows.values() for column in row["values"]))
    names = {column: f"values.{column}" if column in _COLUMNS else column for column in columns}
    records = [
        _record(row) | {names[column]: row["values"].get(column, "") for column in columns}
        for _, row in sorted(rows.items())
    ]
    header = [*_COLUMNS, *names.values()]
    return run.put_output(key, named_csv(records, header[:-1], header[-1]))


def _record(row: Mapping[str, Any]) -> dict[str, str]:
    given: dict[str, int] = {}
    for answer in row["answers"]:
        label = answer["label"] or "(unreadable)"
        given[label] = given.get(label, 0) + 1
    told = sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "item": row["item"],
        "best_label": row["best_label"] or "",
        "score": f"{row['confidence']:.3f}",
        "answers": ", ".join(f"{label}: {count}" for label, count in told),
        "why": row["why"],
        "run": row["run_id"],
    }
