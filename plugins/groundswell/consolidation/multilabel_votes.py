"""Multi-label answers as votes on (task, label) pairs, and the workers' model on these pairs.

Only pairs that somebody named are looked at one by one; all others are taken to be absent. So memory is in
proportion to the answers times the labels they name, not to tasks x labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from groundswell.consolidation.label_sets import SetAnswers

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_ROUNDS = 5
"""Expectation-maximisation stops early: converged, it is too sure where workers gave few answers each."""

_CROWD = 5.0
"""Pseudo-answers by which a label's rate is drawn to that of all labels."""

_WORKER = 4.0
"""Pseudo-answers by which a worker's rate is drawn to the crowd's."""

_COMBINED = 10.0
"""Pseudo-answers by which a worker's rate at one label is drawn to what worker and label alone suggest."""

_EDGE = 1e-6


class Counts(NamedTuple):
    """Expected numbers of answers: label belongs and given, belongs and not, does not and given, neither."""

    hit: Floats
    missed: Floats
    false: Floats
    spared: Floats


@dataclass(frozen=True, eq=False)
class Votes:
    """Who named which label, and who saw the item and did not.

    :param task: of each pair (task, label) that somebody named or that is known to belong; sorted
    :param label: of each pair
    :param yes: answers that name the label, per pair
    :param seen: answers to its task, per pair
    :param pair: of each vote, a vote being one answer on one pair
    :param worker: of each vote
    :param named: whether it names the label
    :param n_answers: per task
    :param empties: answers per task that are the empty set
    :param by_worker: answers per worker
    """

    task: Ints
    label: Ints
    yes: Floats
    seen: Floats
    pair: Ints
    worker: Ints
    named: NDArray[np.bool_]
    n_answers: Ints
    empties: Ints
    by_worker: Ints
    n_labels: int

    @classmethod
    def of(cls, answers: SetAnswers, known: Ints) -> Votes:
        """Lay the answers out as votes.

        :param known: codes ``task * labels + label`` of pairs to be looked at even if nobody named them
        """
        n_tasks, n_labels = len(answers.task_names), len(answers.label_names)
        order = np.lexsort((answers.worker, answers.task))
        size = np.diff(answers.start)
        by_task = answers.task[order].astype(np.int64)
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order))
        marked_by = np.repeat(place, size)
        code = np.repeat(answers.task.astype(np.int64), size) * n_labels + answers.label
        pairs = np.union1d(code, known).astype(np.int64)
        task, label = np.divmod(pairs, max(1, n_labels))
        n_answers = np.bincount(answers.task, minlength=n_tasks)
        first = np.cumsum(n_answers) - n_answers
        seen = n_answers[task]
        offset = np.cumsum(seen) - seen
        pair = np.repeat(np.arange(len(pairs)), seen)
        at = np.arange(len(pair)) - np.repeat(offset - first[task], seen)
        named = np.zeros(len(pair), np.bool_)
        of_mark = np.searchsorted(pairs, code)
        named[offset[of_mark] + marked_by - first[by_task[marked_by]]] = True
        return cls(
            task=task,
            label=label,
            yes=np.bincount(of_mark, minlength=len(pairs)).astype(np.float64),
            seen=seen.astype(np.float64),
            pair=pair,
            worker=answers.worker[order][at].astype(np.int64),
            named=named,
            n_answers=n_answers.astype(np.int64),
            empties=np.bincount(answers.task[size == 0], minlength=n_tasks).astype(np.int64),
            by_worker=np.bincount(answers.worker, minlength=len(answers.worker_names)).astype(np.int64),
            n_labels=n_labels,
        )

    @property
    def share(self) -> Floats:
        """Share of the answers that name the label, per pair; 0 where nobody answered."""
        return np.divide(self.yes, self.seen, out=np.zeros_like(self.yes), where=self.seen > 0)

    def counts(
        self, belongs: Floats, key: Ints, size: int, counted: NDArray[np.bool_] | None = None
    ) -> Counts:
        """Sum the votes by a key.

        :param belongs: score per pair that the label belongs
        :param key: of each vote, below ``size``
        :param counted: whether a vote counts; all do otherwise
        """
        score = belongs[self.pair]
        one = np.ones(len(score)) if counted is None else counted.astype(np.float64)
        yes = np.where(self.named, one, 0.0)
        no = one - yes
        return Counts(
            *(
                np.bincount(key, weights=weights, minlength=size).astype(np.float64)
                for weights in (yes * score, no * score, yes * (1 - score), no * (1 - score))
            )
        )


def joint(votes: Votes, known: NDArray[np.bool_], truth: Floats, earlier: Floats | None) -> Floats:
    """Return the score per pair that the label belongs, by a model of how workers hit and miss labels.

    Two coins per worker and label (Dawid and Skene 1979 on the answers "belongs" and "does not"; the two-coin
    model of Raykar et al. 2010, "Learning From Crowds"): sensitivity P(named | belongs) and false alarms
    P(named | does not). What ties the labels together is the worker: at a label where he has given few
    answers, his rates are drawn to logit(rate of the label) + logit(rate of the worker) - logit(rate of the
    crowd at the worker's labels), by Beta priors at each level. From the shares of the votes, five rounds of
    expectation-maximisation.

    :param known: per pair, whether it is known
    :param truth: per pair, 1 where it is known to belong
    :param earlier: workers x 4 pseudo-counts, in the order of :class:`Counts`
    """
    # Squared odds: in the plain shares, the many labels that one worker named by mistake add up to as many
    # that seem to be missed by the others.
    odds = votes.share**2
    belongs = np.where(known, truth, odds / (odds + (1 - votes.share) ** 2))
    if len(votes.pair) == 0:
        return belongs
    n_workers = len(votes.by_worker)
    code, group = np.unique(votes.worker * votes.n_labels + votes.label[votes.pair], return_inverse=True)
    worker, label = np.divmod(code, votes.n_labels)
    answered = max(1, int((votes.n_answers > 0).sum()))
    before = np.zeros((n_workers, 4)) if earlier is None else earlier
    for _ in range(_ROUNDS):
        counts = votes.counts(belongs, group, len(code))
        looked_at = np.bincount(group, minlength=len(code))
        spared = counts.spared + votes.by_worker[worker] - looked_at
        sens = _rates(counts.hit, counts.missed, worker, label, before[:, 0], before[:, 1], 0.8)
        alarm = _rates(counts.false, spared, worker, label, before[:, 2], before[:, 3], 0.05)
        given = np.log(sens / alarm)
        withheld = np.log((1 - sens) / (1 - alarm))
        evidence = np.where(votes.named, given[group], withheld[group])
        total = np.bincount(votes.label, weights=belongs, minlength=votes.n_labels)
        named = np.unique(votes.label)
        usual = float(total.sum()) / (answered * len(named))
        prior = np.clip((total + usual) / (answered + 1), _EDGE, 1 - _EDGE)
        odds = logit(prior)[votes.label] + np.bincount(
            votes.pair, weights=evidence, minlength=len(votes.task)
        )
        belongs = np.where(known, truth, expit(odds))
    return belongs


def _rates(
    times: Floats,
    not_times: Floats,
    worker: Ints,
    label: Ints,
    earlier: Floats,
    not_earlier: Floats,
    usual: float,
) -> Floats:
    """Return the rate per (worker, label), drawn to what the worker, the label and the crowd suggest."""
    tries = times + not_times
    overall = _drawn(times.sum(), tries.sum(), usual, _CROWD)
    by_label = _drawn(
        np.bincount(label, times).astype(np.float64),
        np.bincount(label, tries).astype(np.float64),
        overall,
        _CROWD,
    )
    here = by_label[label]
    n = len(earlier)
    worker_tries = np.bincount(worker, tries, minlength=n)
    at_labels = np.full(n, overall)
    weighted = np.bincount(worker, tries * here, minlength=n)
    np.divide(weighted, worker_tries, out=at_labels, where=worker_tries > 0)
    at_labels = np.clip(at_labels, _EDGE, 1 - _EDGE)
    own = _drawn(
        np.bincount(worker, times, minlength=n) + earlier,
        worker_tries + earlier + not_earlier,
        at_labels,
        _WORKER,
    )
    suggested = expit(logit(here) + (logit(own) - logit(at_labels))[worker])
    return np.clip(_drawn(times, tries, suggested, _COMBINED), _EDGE, 1 - _EDGE)


def _drawn(times: Floats, tries: Floats, to: Floats | float, by: float) -> Floats:
    drawn: Floats = np.clip((times + by * to) / (tries + by), _EDGE, 1 - _EDGE)
    return drawn
