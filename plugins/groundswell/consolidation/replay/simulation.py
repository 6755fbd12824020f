"""One replay: recorded answers are handed out in some order, and a rule says when to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers
from groundswell.consolidation.stopping import ASK, Standing, StoppingRule
from groundswell.consolidation.stopping.early import EarlyModel


@dataclass(frozen=True, eq=False)
class Bought:
    """What a rule would have bought.

    :param answers: the answers bought; the tasks are those of the record
    :param code: per task how it ended: settled, given up, or (``ASK``) still asking when its record ran out
    :param ran_out: tasks whose record is too short: still asking, or fewer answers than ``first``
    """

    answers: Answers
    code: NDArray[np.int8]
    ran_out: NDArray[np.bool_]


def drawn_order(answers: Answers, seed: int) -> NDArray[np.int64]:
    """Return per answer its turn within its task, from 0, in an order drawn at random.

    :param seed: of the order; the same seed gives the same order, whatever the order of the rows was
    """
    # Sorted first, so that the draw is made for an answer and not for the row where it stood
    canonical = np.lexsort((answers.label, answers.worker, answers.task))
    key = np.empty(len(answers))
    key[canonical] = np.random.default_rng(seed).random(len(answers))
    return _turns(answers, key)


def recorded_order(answers: Answers, submitted: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return per answer its turn within its task, as they came in."""
    return _turns(answers, submitted)


def replay(answers: Answers, rule: StoppingRule, turn: NDArray[np.int64]) -> Bought:
    """Replay a rule: ``first`` answers for each task, then one more for each task it asks about, and so on.

    Each round judges by all answers bought so far, and a rule that needs a model of the workers gets one that
    was fitted to them.

    :param answers: every recorded answer
    :param turn: per answer its turn within its task, from 0
    """
    recorded = np.bincount(answers.task, minlength=len(answers.task_names))
    taken = np.minimum(rule.first, recorded)
    code = np.full(len(taken), ASK, dtype=np.int8)
    going = np.ones(len(taken), dtype=np.bool_)
    while True:
        bought = _part(answers, turn < taken[answers.task])
        model = EarlyModel.fit(bought) if rule.needs_model else None
        judged = rule.judge(Standing(bought, taken.astype(np.int32), model))
        # Like the collector: what was settled once is not taken up again
        code[going] = judged[going]
        going &= (code == ASK) & (taken < recorded)
        if not going.any():
            return Bought(bought, code, (code == ASK) | (recorded < rule.first))
        taken[going] += 1


def _turns(answers: Answers, key: NDArray[np.float64]) -> NDArray[np.int64]:
    order = np.lexsort((answers.worker, key, answers.task))
    start = np.flatnonzero(np.diff(answers.task[order], prepend=-1))
    sizes = np.diff(start, append=len(answers))
    turn = np.empty(len(answers), dtype=np.int64)
    turn[order] = np.arange(len(answers)) - np.repeat(start, sizes)
    return turn


def _part(answers: Answers, chosen: NDArray[np.bool_]) -> Answers:
    return Answers(
        answers.task[chosen],
        answers.worker[chosen],
        answers.label[chosen],
        answers.task_names,
        answers.worker_names,
        answers.label_names,
    )
