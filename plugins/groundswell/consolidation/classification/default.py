"""The default: an average of methods that fail on different crowds, behind a guard.

There is no best model of crowds. Confusion matrices see which classes a worker takes for which, and lose to a
vote where mistakes go together, since they take what the crowd agrees on for the truth. Subtypes of items
explain such mistakes, and need more answers. One number per worker is learnt from few answers, and cannot see
that a class is hard. Each is sure of itself where it is wrong. But they are wrong on different crowds, and
where they differ on an item, what most of them say is right more often than what any of them says:

    q_i[k] = (sum over the kept models m of q_i[k; m] / number of them + VOTE * v_i[k]) / (1 + VOTE)

* the models are :mod:`~.dawid_skene` with pooled priors, :mod:`~.subtypes` and :mod:`~.one_coin`
* a model is left out whose result lost a class that the vote sees plainly (:mod:`~.guard`)
* v_i[k] is label k's share of the votes. A share is never as sure as a model: it decides where models
  contradict each other, keeps a narrow majority of them from overruling a clear vote, and is all that is left
  where every model lost a class. There and elsewhere, ties of the vote fall to the better workers
  (:mod:`~.weighted`)

This is a linear opinion pool (M. Stone, "The Opinion Pool", Annals of Mathematical Statistics 32(4), 1961).
Weights learnt from the likelihood would prefer the model that is surest, also where it is wrong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from groundswell.consolidation.classification.candidates import too_many_labels
from groundswell.consolidation.classification.dawid_skene import dawid_skene
from groundswell.consolidation.classification.em import EQUAL, elect
from groundswell.consolidation.classification.guard import Guard, told
from groundswell.consolidation.classification.one_coin import one_coin
from groundswell.consolidation.classification.subtypes import subtypes
from groundswell.consolidation.classification.weighted import weighted_majority
from groundswell.consolidation.data import Answers, Consensus, Earlier
from groundswell.consolidation.findings import LEAST_ITEMS, LISTED, Finding
from groundswell.consolidation.tally import Tally

VOTE = 0.5
"""What the vote counts beside the average of the models."""

TIES = 0.01
"""The part of the vote that is the weighted one: it decides ties, and no others up to 100 answers."""

DISPUTED = 0.25
"""Above this share of items on which the members name different labels, the result says so."""

_MODELS = (dawid_skene, subtypes, one_coin)
"""In the order in which the skill of workers is taken from them: the first that was kept."""


def default(
    answers: Answers, *, gold: NDArray[np.int32] | None = None, earlier: Earlier | None = None
) -> Consensus:
    """Consolidate by the average of the methods.

    Ties of the vote are decided by the workers' skill, and what is left tied has no label. ``confidence`` is
    a score: it says how far the members agree, and how sure they are.

    :param gold: a task whose label is known has it for certain, and teaches every member
    :param earlier: earlier answers of the workers, as priors of every member
    :raises AnswerError: gold or earlier skill do not fit the answers
    """
    vote = weighted_majority(answers, gold=gold, earlier=earlier)
    tally = Tally.of(answers)
    known = np.full(len(answers.task_names), -1, dtype=np.int32) if gold is None else gold
    guard = Guard(tally, known)
    pool = _Pool(vote, _votes(tally, known >= 0, vote.posterior))
    findings: list[Finding] = []
    for model in _MODELS:
        if model is subtypes and too_many_labels(answers, 2):
            continue  # then it is what dawid_skene is
        member = model(answers, gold=gold, earlier=earlier)
        collapses = guard.collapses(member.posterior)
        if collapses:
            findings.extend(told(member.method, collapse, answers) for collapse in collapses)
        else:
            pool.add(member)
    return pool.consensus(findings, answers)


class _Pool:
    """The members' posteriors, added up, and on which items they differ."""

    def __init__(self, vote: Consensus, shares: Any) -> None:
        self._vote = vote
        self._shares = shares
        self._sum: Any = None
        self._members = 0
        self._label = np.full(len(vote.label), -1, dtype=np.int32)
        self._disputed = np.zeros(len(vote.label), dtype=np.bool_)
        self._skill = vote

    def add(self, member: Consensus) -> None:
        """Add a model's posterior."""
        if not self._members:
            self._skill = member
        self._sum = member.posterior if self._sum is None else _plus(self._sum, member.posterior)
        self._members += 1
        named = member.label >= 0
        self._disputed |= named & (self._label >= 0) & (self._label != member.label)
        self._label[named] = member.label[named]

    def consensus(self, findings: list[Finding], answers: Answers) -> Consensus:
        """Average, and elect each task's label."""
        vote, skill = self._vote, self._skill
        posterior = self._shares
        if self._sum is not None:
            posterior = _plus(self._sum / self._members, self._shares * VOTE) / (1 + VOTE)
        label, confidence, tied = _elect(posterior)
        # Without an answer or a known label there is a prior, and no label
        open_ = (vote.n_answers == 0) & (vote.label < 0)
        label[open_], confidence[open_], tied[open_] = -1, 0.0, False
        return Consensus(
            label=label,
            confidence=confidence,
            posterior=posterior,
            worker_skill=skill.worker_skill,
            skill_low=skill.skill_low,
            skill_high=skill.skill_high,
            n_answers=vote.n_answers,
            tied=tied,
            method="default",
            findings=(*findings, *self._dispute(answers, confidence)),
        )

    def _dispute(self, answers: Answers, confidence: NDArray[np.float64]) -> tuple[Finding, ...]:
        answered = int((self._vote.n_answers > 0).sum())
        at = np.flatnonzero(self._disputed)
        if answered < LEAST_ITEMS or len(at) <= DISPUTED * answered:
            return ()
        least_sure = at[np.argsort(confidence[at], kind="stable")[:LISTED]]
        finding = Finding(
            kind="methods_disagree",
            text=(
                f"the methods that are averaged name different labels for {len(at)} of {answered} items "
                f"({len(at) / answered:.0%}), so workers may mean different things by the labels; "
                "check some of the listed items, and make the instructions clearer or ask more workers"
            ),
            severity="warning",
            items=tuple(answers.task_names[task] for task in least_sure.tolist()),
        )
        return (finding,)


def _votes(tally: Tally, known: NDArray[np.bool_], weighted: Any) -> Any:
    """Return the shares of the votes, ties decided by the weighted ones; tasks x labels like those.

    :param known: the tasks whose label is known; they keep their row, as those without answers do
    """
    counted = (tally.n_answers > 0) & ~known
    part = np.where(counted, TIES, 1.0)
    at = np.flatnonzero(counted[tally.task])
    task, label = tally.task[at], tally.label[at]
    share = (1 - TIES) * tally.votes[at] / tally.n_answers[task]
    if sp.issparse(weighted):
        rows = sp.csr_array((share, (task, label)), shape=weighted.shape)
        return rows + sp.csr_array(weighted.multiply(part[:, np.newaxis]))
    result = weighted * part[:, np.newaxis]
    result[task, label] += share
    return result


def _plus(one: Any, other: Any) -> Any:
    """Add two posteriors; dense if either is."""
    if sp.issparse(one) == sp.issparse(other):
        return one + other
    return one.toarray() + other if sp.issparse(one) else one + other.toarray()


def _elect(posterior: Any) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """Return each task's likeliest label (-1 if two are equal), its posterior, and whether two are equal."""
    if not sp.issparse(posterior):
        if posterior.shape[1] == 0:
            n_tasks = len(posterior)
            return np.full(n_tasks, -1, dtype=np.int32), np.zeros(n_tasks), np.zeros(n_tasks, dtype=np.bool_)
        return elect(np.asarray(posterior, dtype=np.float64))
    label = np.full(posterior.shape[0], -1, dtype=np.int32)
    confidence = np.zeros(posterior.shape[0])
    tied = np.zeros(posterior.shape[0], dtype=np.bool_)
    rows = np.flatnonzero(np.diff(posterior.indptr))
    if len(rows):
        first = posterior.indptr[rows]
        best = np.maximum.reduceat(posterior.data, first)
        size = np.diff(posterior.indptr)[rows]
        is_best = np.repeat(best, size) - posterior.data <= EQUAL * np.repeat(best, size)
        single = np.add.reduceat(is_best, first, dtype=np.int64) == 1
        won = np.maximum.reduceat(np.where(is_best, posterior.indices, -1), first)
        label[rows] = np.where(single, won, -1)
        confidence[rows], tied[rows] = best, ~single
    return label, confidence, tied
