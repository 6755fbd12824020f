"""From the record of a run to one label per item: what workers said, what is known, what is odd about it."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from groundswell import __version__
from groundswell.aws.experts import as_expert
from groundswell.aws.pages import LABEL_FIELD
from groundswell.aws.runs import LabelingRun, now_text
from groundswell.aws.skill import EarlierSkill
from groundswell.ledger import Outcome, RunState

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers, Consensus
    from groundswell.consolidation.findings import Finding

#: Items that a finding names.
_NAMED = 20
#: Labels of an item that its row tells with how likely they are, and how likely they must be at least.
BEST_FEW, UNLIKELY = 3, 0.0005

Row = dict[str, Any]


@dataclass(frozen=True)
class Known:
    """
    Labels that need no worker.

    :param gold: item -> label of the batch's gold file.
    :param experts: item -> what an expert said (``label``, ``by``, ``at``).
    """

    gold: Mapping[str, str]
    experts: Mapping[str, Row]

    @property
    def labels(self) -> dict[str, str]:
        """Item -> known label; the gold file comes before the experts."""
        return {item: row["label"] for item, row in self.experts.items()} | dict(self.gold)

    @property
    def contradictions(self) -> list[str]:
        """The items of which gold file and experts do not say the same."""
        both = sorted(self.gold.keys() & self.experts.keys())
        return [item for item in both if self.gold[item] != self.experts[item]["label"]]


class Labelling:
    """
    Consolidates a run. It asks nobody and writes nothing.

    :param run: the run.
    :param state: its folded ledger.
    :param items: item -> columns of the dataset.
    :param known: labels that need no worker; those of other items are passed over.
    """

    def __init__(
        self, run: LabelingRun, state: RunState, items: Mapping[str, Mapping[str, str]], known: Known
    ) -> None:
        from groundswell.consolidation.calibration import calibrated
        from groundswell.consolidation.classification import METHODS
        from groundswell.consolidation.data import Answers, gold_of

        self.run = run
        self.state = state
        self.items = items
        self.known = Known(
            {item: label for item, label in known.gold.items() if item in items},
            {item: row for item, row in known.experts.items() if item in items},
        )
        names = list(items)
        self.answers: Answers = Answers.from_rows(
            ((row["item"], row["worker"], row["label"]) for item in names for row in state.counted(item)),
            labels=run.batch.task.labels,
            tasks=names,
        )
        self.gold = gold_of(self.answers, self.known.labels) if self.known.labels else None
        self.earlier = EarlierSkill.read(run, state)
        method = METHODS[run.batch.consolidation.method]
        earlier = self.earlier.of(self.answers) if self.earlier else None
        self._untold: Consensus | None = None
        if self.gold is None:
            self.consensus: Consensus = method(self.answers, earlier=earlier)
        else:
            self.consensus = calibrated(method, self.answers, gold=self.gold, earlier=earlier)
            # What the method makes of the answers without the known labels
            self._untold = method(self.answers, earlier=earlier)

    @cached_property
    def rows(self) -> list[Row]:
        """One row per item that has a label, in the order of the dataset."""
        found = []
        for position, item in enumerate(self.items):
            if item in self.known.gold:
                found.append(self._row(item, position) | _certain(self.known.gold[item]))
            elif item in self.known.experts:
                found.append(as_expert(self._row(item, position), self.known.experts[item]))
            elif self._has_label(item, position):
                found.append(self._row(item, position))
        return found

    @property
    def unsettled(self) -> list[Row]:
        """The rows of items that workers did not settle, with their best label; the doubtful first."""
        rows = (row for row in self.rows if row["provenance"] == "crowd")
        given_up = [row for row in rows if row["outcome"] == Outcome.GAVE_UP]
        return sorted(given_up, key=lambda row: (row["confidence"], row["item"]))

    @cached_property
    def for_experts(self) -> list[Row]:
        """
        One row per item for the experts' queue: given up, or settled by the rule and tied for the method.

        It has ``best_label`` (None for a tie) and ``why`` instead of a label.
        """
        if not self.run.batch.redundancy.experts:
            return []
        return [
            self._row(item, position) | {"label": None, "best_label": self._best(position), "why": why}
            for position, item in enumerate(self.items)
            if item not in self.known.labels and (why := self._why(item, position))
        ]

    def _has_label(self, item: str, position: int) -> bool:
        if self.consensus.label[position] < 0:
            return False
        # An item that was given up has answers too, but not what the batch asked for
        outcome = self.state.outcomes.get(item)
        unsettled = outcome is Outcome.GAVE_UP and self.run.batch.redundancy.labels_unsettled
        return outcome is Outcome.SETTLED or unsettled

    def _why(self, item: str, position: int) -> str | None:
        outcome = self.state.outcomes.get(item)
        if outcome is Outcome.GAVE_UP:
            return "workers did not agree"
        return "tie" if outcome is Outcome.SETTLED and self.consensus.label[position] < 0 else None

    def _best(self, position: int) -> str | None:
        label = int(self.consensus.label[position])
        return self.run.batch.task.labels[label] if label >= 0 else None

    def _row(self, item: str, position: int) -> Row:
        confidence = float(self.consensus.confidence[position])
        return {
            "item": item,
            "label": self._best(position),
            "confidence": round(min(max(confidence, 0.0), 1.0), 6),
            "confidence_is": self.consensus.confidence_is,
            "posterior": self._posterior(position),
            "n_answers": int(self.consensus.n_answers[position]),
            "answers": [_trace(row) for row in self.state.answers_of(item)],
            "outcome": self.state.outcomes.get(item, "open"),
            "cents": _cost(self.state, item),
            "values": dict(self.items[item]),
            "provenance": "crowd",
            **self._common,
        }

    @cached_property
    def _common(self) -> Row:
        # The time is that of the last answer, not of this task: the same answers give the same bytes
        submitted = [row["submitted"] for row in self.state.answers.values()]
        return {
            "at": max(submitted, default=now_text()),
            "run_id": self.run.run_id,
            "method": self.consensus.method,
            "rule": self.run.batch.redundancy.config,
            "template_sha256": self.run.batch.template_hash(),
            "code_version": __version__,
        }

    def _posterior(self, position: int) -> dict[str, float]:
        """Return the likeliest labels of an item with how likely they are; {} where the method has none."""
        posterior = self.consensus.posterior
        if posterior is None:
            return {}
        if hasattr(posterior, "indptr"):
            span = slice(posterior.indptr[position], posterior.indptr[position + 1])
            pairs = zip(posterior.indices[span].tolist(), posterior.data[span].tolist(), strict=True)
        else:
            pairs = zip(range(posterior.shape[1]), posterior[position].tolist(), strict=True)
        best = sorted((share, -label) for label, share in pairs if share >= UNLIKELY)[: -BEST_FEW - 1 : -1]
        labels = self.run.batch.task.labels
        return {labels[-label]: round(min(share, 1.0), 4) for share, label in best}

    @cached_property
    def on_known(self) -> Row | None:
        """
        How many labels that are known the method finds by itself, and how many a plain vote; None for none.

        Only items that workers answered count.
        """
        from groundswell.consolidation.classification.majority import majority

        if self.gold is None or self._untold is None:
            return None
        judged = (self.gold >= 0) & (self._untold.n_answers > 0)
        voted = majority(self.answers).label
        return {
            "known": int(judged.sum()),
            "right": int((judged & (self._untold.label == self.gold)).sum()),
            "right_by_vote": int((judged & (voted == self.gold)).sum()),
        }

    @cached_property
    def findings(self) -> list[Finding]:
        """What is odd about the answers or the labels."""
        from groundswell.consolidation.findings import Finding, look

        found = list(self.consensus.findings)
        told = {each.kind for each in found}
        found += [
            each for each in look(self.answers, self.consensus, gold=self.gold) if each.kind not in told
        ]
        if self._untold is not None:
            # Told the known labels, the method has all of them right
            by_itself = look(self.answers, self._untold, gold=self.gold)
            found += [each for each in by_itself if each.kind == "worse_than_votes"]
        if odd := self.known.contradictions:
            text = (
                f"gold file and experts give {len(odd)} items different labels, and the gold file counts; "
                "correct one of them"
            )
            found.append(Finding("known_labels_differ", text, "warning", items=tuple(odd[:_NAMED])))
        if doubtful := [row["item"] for row in self.unsettled]:
            text = (
                f"{len(doubtful)} of {len(self.items)} items have their best label though workers did not "
                "settle them: their rows have the outcome gave_up; look at the least confident first, or see "
                "redundancy.experts and redundancy.unsettled"
            )
            found.append(Finding("labelled_unsettled", text, "note", items=tuple(doubtful[:_NAMED])))
        return found

    def document(self) -> Row:
        """Return what ``consolidation.json`` tells, findings apart."""
        from groundswell.consolidation.agreement import agreement

        found = agreement(self.answers)
        provenance = Counter(row["provenance"] for row in self.rows)
        return {
            "method": self.consensus.method,
            "confidence_is": self.consensus.confidence_is,
            "items": len(self.items),
            "labelled": len(self.rows),
            "labelled_by": {name: provenance[name] for name in ("crowd", "gold", "expert")},
            "labelled_unsettled": len(self.unsettled),
            "on_known": self.on_known,
            "tied": int(self.consensus.tied.sum()),
            "earlier_runs": list(self.earlier.runs) if self.earlier else [],
            "agreement": {
                "alpha": _number(found.alpha),
                "percent": _number(found.percent),
                "by_chance": _number(found.chance),
                "items": found.n_items,
            },
            "workers": self._workers(),
        }

    def _workers(self) -> list[Row]:
        answered = Counter(self.answers.worker.tolist())
        consensus = self.consensus
        return [
            {
                "worker": worker,
                "answers": answered[position],
                "skill": _number(consensus.worker_skill[position]),
                "low": _number(consensus.skill_low[position]),
                "high": _number(consensus.skill_high[position]),
            }
            for position, worker in enumerate(self.answers.worker_names)
        ]


def _certain(label: str) -> Row:
    return {
        "label": label,
        "confidence": 1.0,
        "confidence_is": "score",
        "posterior": {},
        "method": "gold",
        "provenance": "gold",
    }


def _cost(state: RunState, item: str) -> int:
    paid = (state.payments.get(row["assignment"]) for row in state.answers_of(item))
    return sum(payment["cents"] for payment in paid if payment)


def _trace(row: Mapping[str, Any]) -> Row:
    """Return an answer as a label's record shows it: the worker by a pseudonym."""
    worker = hashlib.sha256(f"groundswell:{row['worker']}".encode()).hexdigest()[:12]
    return {"assignment": row["assignment"], "worker": worker, LABEL_FIELD: row["label"]}


def _number(value: float) -> float | None:
    """Return a number as JSON has it: NaN is none."""
    return None if math.isnan(value) else round(float(value), 4)


def as_rows(findings: list[Finding]) -> list[Row]:
    """Return findings as JSON has them."""
    return [asdict(each) for each in findings]
