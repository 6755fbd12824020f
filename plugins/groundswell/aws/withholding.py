"""Holding a payment back until a person has looked: only where the batch file has a section ``review``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from groundswell.aws.runs import LabelingRun, now_text
from groundswell.consolidation.stopping import StoppingRule
from groundswell.ledger import RunState
from groundswell.review import Answers, Evidence, reason_to_withhold

#: The approval's ``what`` from which on nothing is withheld: the review is carried out.
REVIEWED = "reviewed"

log = logging.getLogger(__name__)


class Withholding:
    """
    Decides, by what is known so far, which submitted answers are not paid at once.

    Once withheld, an answer waits for the review, also where its worker's later answers speak for the worker:
    the review pays everybody whom no person decides against.

    :param run: the run.
    :param state: the folded ledger; what is withheld is added to it.
    :param rule: says where labels alone are clear enough to hold a worker against.
    """

    def __init__(self, run: LabelingRun, state: RunState, rule: StoppingRule) -> None:
        self.run = run
        self.state = state
        over = any(row["what"] == REVIEWED for row in state.approvals)
        self.review = None if over else run.batch.review
        self._answers = Answers(state, rule) if self.review else None

    def sift(self, fetched: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[str]:
        """
        Record which of these answers wait; return the ids of all that wait.

        The record comes before the other answers are paid: one that is neither withheld nor paid is owed.

        :param fetched: item -> assignments as the workforce has them; all are in the state.
        """
        if self.review is None or self._answers is None:
            return set()
        submitted = [
            self.state.answers[each["AssignmentId"]]
            for assignments in fetched.values()
            for each in assignments
            if each["AssignmentStatus"] == "Submitted"
        ]
        self._answers.add(submitted)
        evidence: dict[str, Evidence] = {}
        rows = []
        for answer in submitted:
            worker = answer["worker"]
            if answer["assignment"] in self.state.withheld:
                continue
            if worker not in evidence:
                evidence[worker] = self._answers.evidence(worker)
            reason = reason_to_withhold(evidence[worker], self.review, answer)
            if reason is not None:
                rows.append(self._row(answer, reason))
        if rows:
            log.info("%d answers wait for a review before they are paid", len(rows))
        self.run.ledger.record("withheld", rows, self.state)
        return {answer["assignment"] for answer in submitted if answer["assignment"] in self.state.withheld}

    def _row(self, answer: Mapping[str, Any], reason: str) -> dict[str, Any]:
        kept = {key: answer[key] for key in ("assignment", "item", "worker")}
        return kept | {"reason": reason, "at": now_text()}
