"""Which answers a person may want to reject, and why: within the batch's caps, the most evident first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from groundswell.batches.reviewing import Review
from groundswell.consolidation.stopping import StoppingRule
from groundswell.ledger import RunState
from groundswell.review.evidence import Answers, Evidence, Row
from groundswell.review.suspicion import disagrees


@dataclass(frozen=True)
class Candidate:
    """An answer that could be rejected.

    Attributes:
        assignment: its id.
        item: what it is about.
        said: the label, or what keeps the answer from being read. A stranger's text.
        others: what the others answered, by label; empty for an answer that cannot be read.
    """

    assignment: str
    item: str
    said: str
    others: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Proposal:
    """A worker, what is held against the worker, and the answers to reject if a person agrees.

    Attributes:
        worker: the worker's id.
        evidence: how the worker answered.
        answers: what may be rejected.
        cut: further answers that the caps spare.
        why: the evidence in one plain sentence.
    """

    worker: str
    evidence: Evidence
    answers: tuple[Candidate, ...]
    cut: int
    why: str


@dataclass(frozen=True)
class Proposals:
    """What a person is asked about, the most evident worker first.

    Attributes:
        workers: one proposal per worker; none of them is empty.
        waiting: answers whose payment waits for the review, proposed or not.
        cut: answers with the same evidence that the caps spare.
    """

    workers: tuple[Proposal, ...]
    waiting: int
    cut: int

    @property
    def answers(self) -> int:
        """How many answers may be rejected."""
        return sum(len(each.answers) for each in self.workers)


def waiting(state: RunState) -> list[Row]:
    """Return the answers that are withheld: neither paid nor rejected so far."""
    return [
        state.answers[assignment]
        for assignment in sorted(state.withheld)
        if assignment in state.answers
        and assignment not in state.payments
        and assignment not in state.rejections
    ]


def propose(state: RunState, review: Review, rule: StoppingRule) -> Proposals:
    """Return which of the withheld answers a person may want to reject.

    An answer is proposed that cannot be read, or that contradicts the others where its worker disagrees with
    them too often. A suspect's answers that agree are not: nothing is wrong with them. The caps count what
    was rejected before.
    """
    answers = Answers(state, rule)
    held = waiting(state)
    evidence = {worker: answers.evidence(worker) for worker in sorted({row["worker"] for row in held})}
    ranked = sorted(
        (_rank(answers, evidence[row["worker"]], row), row)
        for row in held
        if _against(answers, evidence[row["worker"]], review, row)
    )
    kept, cut = within_caps(state, review, [row for _, row in ranked])
    spared = Counter(row["worker"] for row in cut)
    order = list(dict.fromkeys(row["worker"] for row in kept))
    return Proposals(
        workers=tuple(
            Proposal(
                worker=worker,
                evidence=evidence[worker],
                answers=tuple(_candidate(answers, row) for row in kept if row["worker"] == worker),
                cut=spared[worker],
                why=_why(evidence[worker], review),
            )
            for worker in order
        ),
        waiting=len(held),
        cut=len(cut),
    )


def within_caps(state: RunState, review: Review, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Split answers, the most evident first, into those that may still be rejected and those that may not."""
    done = Counter(row["worker"] for row in state.rejections.values())
    kept: list[Row] = []
    cut: list[Row] = []
    for row in rows:
        room = done.total() < review.most_per_run and done[row["worker"]] < review.most_per_worker
        (kept if room else cut).append(row)
        done[row["worker"]] += room
    return kept, cut


def _against(answers: Answers, evidence: Evidence, review: Review, row: Row) -> bool:
    if row["label"] is None:
        return review.unreadable
    return disagrees(evidence, review) and answers.agreement(row) == 0


def _rank(answers: Answers, evidence: Evidence, row: Row) -> tuple[bool, float, int, str, str]:
    """Order by evidence: unreadable, then the worker's agreement, then by how many others say otherwise."""
    others = answers.others(row)
    share = 1.0 if evidence.agreement is None else evidence.agreement
    against = max(others.values(), default=0) - others[str(row["label"])]
    return row["label"] is not None, share, -against, row["submitted"], row["assignment"]


def _candidate(answers: Answers, row: Row) -> Candidate:
    readable = row["label"] is not None
    others = answers.others(row) if readable else Counter[str]()
    return Candidate(
        assignment=row["assignment"],
        item=row["item"],
        said=str(row["label"] if readable else row["problem"]),
        others=tuple(sorted(others.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _why(evidence: Evidence, review: Review) -> str:
    parts = []
    if evidence.unreadable and review.unreadable:
        parts.append(f"{evidence.unreadable} of {evidence.answers} answers cannot be read")
    if disagrees(evidence, review):
        parts.append(
            f"agrees with most other workers on {evidence.agreement:.0%} of {evidence.judged} settled items "
            f"({review.agreement_below:.0%} is wanted; the same labels in any order would agree on "
            f"{evidence.by_chance:.0%})"
        )
    return "; ".join(parts)
