"""What runs of a batch learnt about its workers, kept for later runs.

Each consolidated run keeps one document: per worker, about how many answers were right and wrong, by that
run's answers alone. Later runs read the documents of those that began before them, each worth half of the one
after it, so that a worker whose habits changed is found out within a run or two; and no more of them than a
few answers' worth, so that what a worker does now decides.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundswell.aws.runs import LabelingRun
from groundswell.ledger import RunState

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from groundswell.consolidation.data import Answers, Consensus, Earlier

#: Earlier runs that are read, and what an answer of each counts compared with one of the run after it.
LATEST, DISCOUNT = 12, 0.5
#: Answers that all that is known about a worker from earlier counts for, at most.
MOST = 20.0
#: Labels up to which it is kept which label a worker takes for which.
FEW_LABELS = 20

_DIGITS = 3

log = logging.getLogger(__name__)


def _prefix(run: LabelingRun) -> str:
    # Batch names start with a letter or digit, so no ledger lives here
    return f"_skill/{run.live.name}/"


def began(state: RunState) -> str:
    """Return when a run began (ISO 8601, UTC), by what never changes in its ledger; "" for not yet."""
    times = [row["at"] for row in [state.plan, *state.approvals] if row]
    return min(times or [row["submitted"] for row in state.answers.values()], default="")


@dataclass(frozen=True)
class EarlierSkill:
    """
    What earlier runs say about workers, discounted.

    :param workers: worker -> ``right`` and ``wrong`` answers, and ``confusion`` (true label -> given label ->
        answers) where it was kept.
    :param runs: the runs that it is from, the latest first.
    """

    workers: Mapping[str, Mapping[str, Any]]
    runs: tuple[str, ...]

    @classmethod
    def read(cls, run: LabelingRun, state: RunState) -> EarlierSkill | None:
        """Return what runs of the batch learnt that began before this one; None for nothing."""
        if not run.batch.consolidation.earlier_skill:
            return None
        own, documents = began(state), []
        for key in run.store.keys(_prefix(run)):
            document = _document(run, key)
            if document and document["run_id"] != run.run_id and document["began"] < own:
                documents.append(document)
        documents.sort(key=lambda each: (each["began"], each["run_id"]), reverse=True)
        documents = documents[:LATEST]
        if not documents:
            return None
        workers: dict[str, dict[str, Any]] = {}
        for age, document in enumerate(documents, start=1):
            for worker, counts in document["workers"].items():
                _add(workers.setdefault(worker, _nothing()), counts, DISCOUNT**age)
        return cls(workers, tuple(each["run_id"] for each in documents))

    def of(self, answers: Answers) -> Earlier:
        """Return it for the workers and labels of these answers, as the methods take it."""
        import numpy as np

        from groundswell.consolidation.data import Earlier

        label_at = {label: position for position, label in enumerate(answers.label_names)}
        size = len(label_at) if len(label_at) <= FEW_LABELS else 0
        right, wrong = np.zeros(len(answers.worker_names)), np.zeros(len(answers.worker_names))
        confusion = np.zeros((len(answers.worker_names), size, size))
        for position, worker in enumerate(answers.worker_names):
            known = self.workers.get(worker)
            if known is None:
                continue
            share = min(1.0, MOST / max(known["right"] + known["wrong"], 1e-9))
            right[position], wrong[position] = known["right"] * share, known["wrong"] * share
            for truth, row in known["confusion"].items():
                for given, count in row.items():
                    if size and truth in label_at and given in label_at:
                        confusion[position, label_at[truth], label_at[given]] += count * share
        return Earlier(right=right, wrong=wrong, confusion=confusion if size else None)


def _document(run: LabelingRun, key: str) -> dict[str, Any] | None:
    try:
        document = json.loads(run.store.get(key) or b"")
        return document if {"run_id", "began", "workers"} <= document.keys() else None
    except (ValueError, AttributeError):
        log.warning("%s is damaged and not used: clear consolidate of its run to write it again", key)
        return None


def _nothing() -> dict[str, Any]:
    return {"right": 0.0, "wrong": 0.0, "confusion": {}}


def _add(total: dict[str, Any], counts: Mapping[str, Any], weight: float) -> None:
    for what in ("right", "wrong"):
        total[what] += counts[what] * weight
    for truth, row in counts.get("confusion", {}).items():
        known = total["confusion"].setdefault(truth, {})
        for given, count in row.items():
            known[given] = known.get(given, 0.0) + count * weight


def keep_skill(
    run: LabelingRun,
    state: RunState,
    answers: Answers,
    consensus: Consensus,
    gold: NDArray[np.int32] | None,
) -> None:
    """
    Keep what a consolidated run says about its workers, in the place of what it said before.

    :param answers: the run's answers.
    :param consensus: what they came to.
    :param gold: per item the known label that it was told, or -1.
    """
    key = f"{_prefix(run)}{run.run_id}.json"
    workers = _evidence(answers, consensus, gold)
    if workers or run.store.get(key) is not None:
        document = {"run_id": run.run_id, "began": began(state), "workers": workers}
        run.store.put(key, json.dumps(document, sort_keys=True).encode())


def _evidence(
    answers: Answers, consensus: Consensus, gold: NDArray[np.int32] | None
) -> dict[str, dict[str, Any]]:
    """
    Return what a run says about each worker.

    An item that nobody else answered says nothing, unless its label is known: its label is the worker's own.
    """
    import numpy as np

    telling = (consensus.n_answers > 1) if gold is None else (consensus.n_answers > 1) | (gold >= 0)
    counted = (telling & (consensus.label >= 0))[answers.task]
    task, worker, label = (each[counted] for each in (answers.task, answers.worker, answers.label))
    n_workers, n_labels = len(answers.worker_names), len(answers.label_names)
    given = np.bincount(worker, minlength=n_workers)
    if n_labels > FEW_LABELS:
        right = np.bincount(worker, weights=_share(consensus, task, label), minlength=n_workers)
        confusion = None
    else:
        confusion = np.empty((n_workers, n_labels, n_labels))
        for truth in range(n_labels):
            shares = _share(consensus, task, np.full(len(task), truth))
            cells = np.bincount(worker * n_labels + label, weights=shares, minlength=n_workers * n_labels)
            confusion[:, truth] = cells.reshape(n_workers, n_labels)
        right = confusion.diagonal(axis1=1, axis2=2).sum(axis=1)
    return {
        answers.worker_names[position]: {
            "right": round(float(right[position]), _DIGITS),
            "wrong": round(float(given[position] - right[position]), _DIGITS),
            "confusion": {} if confusion is None else _named(confusion[position], answers.label_names),
        }
        for position in np.flatnonzero(given).tolist()
    }


def _share(consensus: Consensus, task: NDArray[np.int32], label: NDArray[Any]) -> NDArray[np.float64]:
    """Return how likely these labels are for these tasks."""
    import numpy as np

    if consensus.posterior is None:
        return np.asarray(consensus.label[task] == label, dtype=np.float64)
    found = consensus.posterior[task, label]
    dense = found.toarray() if hasattr(found, "toarray") else found
    return np.asarray(dense, dtype=np.float64).ravel()


def _named(cells: NDArray[np.float64], labels: Sequence[str]) -> dict[str, dict[str, float]]:
    rows = {
        truth: {
            given: round(float(count), _DIGITS)
            for given, count in zip(labels, row, strict=True)
            if count >= 10**-_DIGITS
        }
        for truth, row in zip(labels, cells, strict=True)
    }
    return {truth: row for truth, row in rows.items() if row}
