"""Whose answers should wait for a person."""

from __future__ import annotations

from groundswell.batches.reviewing import Review
from groundswell.consolidation.stopping import StoppingRule
from groundswell.ledger import RunState
from groundswell.review.evidence import Answers, Evidence, Row


def disagrees(evidence: Evidence, review: Review) -> bool:
    """Return whether a worker agrees with the others less than the batch wants, on enough items to say so."""
    if evidence.agreement is None or evidence.judged < review.minimum_answers:
        return False
    return evidence.agreement < review.agreement_below


def suspects(state: RunState, review: Review, rule: StoppingRule) -> dict[str, Evidence]:
    """Return the evidence of each worker whose answers should not be paid unseen, by worker id."""
    answers = Answers(state, rule)
    found = {worker: answers.evidence(worker) for worker in answers.workers}
    return {
        worker: evidence
        for worker, evidence in found.items()
        if disagrees(evidence, review) or (review.unreadable and evidence.unreadable)
    }


def reason_to_withhold(evidence: Evidence, review: Review, row: Row) -> str | None:
    """Return why an answer should wait for a person, or None where it is to be paid at once.

    :param evidence: what its worker's answers say so far.
    """
    if row["label"] is None:
        return "unreadable" if review.unreadable else None
    return "disagreement" if disagrees(evidence, review) else None
