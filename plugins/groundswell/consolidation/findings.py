"""What is odd about a batch's answers and its result, in plain words: no result gets worse silently.

:func:`look` takes the answers and whatever method's result. Its tests are set so that a healthy batch has no
finding: what can be chance is not told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from groundswell.consolidation.data import Answers, Consensus
    from groundswell.consolidation.tally import Tally

_Ints = NDArray[np.int64]

LISTED = 20
"""How many items or workers a finding lists at most; its text says how many there are."""
LEAST_ITEMS = 20
"""Below this many items with answers nothing is said about shares of them."""
SURE = 3.0
"""Standard deviations by which something must be beyond chance."""
OVERRULED = 1.5
"""A method may overrule so many times as many votes as are likely to be wrong."""
SHRUNK = 0.5
"""A class has shrunk that keeps less than this share of its answers' and of its winners' number."""
UNEXPLAINED = 1.5
"""Mistakes explain a class's answers if there are at most so many times as many as mistakes would make."""
LEAST_CLASS = 0.01
LOW_ALPHA, NOISE_ALPHA = 0.2, 0.05
MOST_OF_ALL = 0.5
LEAST_OF_ONE_WORKER = 5
RARE_WORKERS = 0.3
SERIOUS_SHARE = 0.1
MANY_WITHOUT_LABEL = 0.05

_COMPARE = "look at the listed items, and compare with method: majority or with known labels (gold)"
_INVERTED = (
    "answer against the others more than chance does; they may have mistaken the question or the choices: "
    "ask them, and look at the instructions"
)
_GUESSING = (
    "agree with the others no more than by chance; check some of their answers, and ask other workers instead"
)


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about a result.

    :param kind: a short stable name such as ``class_shrank``, for programs
    :param text: one plain sentence with the numbers and what to do
    :param severity: ``warning``: the labels may be wrong because of it; ``note``: worth knowing
    :param items: names of the items it is about, the first few
    :param workers: names of the workers it is about, the first few
    """

    kind: str
    text: str
    severity: Literal["note", "warning"]
    items: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class _Scene:
    """What is looked at."""

    answers: Answers
    consensus: Consensus
    tally: Tally
    gold: NDArray[np.int32]

    @property
    def answered(self) -> int:
        return len(self.tally.first)

    @property
    def overruled(self) -> _Ints:
        """Items that have both a winner of the vote and a label, and they differ; largest lead first."""
        winner, label = self.tally.winner, self.consensus.label
        at = np.flatnonzero((winner >= 0) & (label >= 0) & (winner != label) & (self.gold < 0))
        return at[np.argsort(-self.tally.lead[at], kind="stable")]

    def items(self, at: Sequence[int] | _Ints) -> tuple[str, ...]:
        return tuple(self.answers.task_names[int(each)] for each in at[:LISTED])

    def workers(self, at: Sequence[int] | _Ints) -> tuple[str, ...]:
        return tuple(self.answers.worker_names[int(each)] for each in at[:LISTED])


def look(
    answers: Answers, consensus: Consensus, *, gold: NDArray[np.int32] | None = None
) -> tuple[Finding, ...]:
    """Look at the answers and a result for what a person should know.

    :param consensus: the result of any method on these answers
    :param gold: per item the label that is known for certain, or -1; these are the method's to take over, and
        no finding is made of it
    :returns: warnings first. The same for every order of the answers.
    """
    from groundswell.consolidation.tally import Tally

    known = np.full(len(answers.task_names), -1, dtype=np.int32) if gold is None else gold
    scene = _Scene(answers, consensus, Tally.of(answers), known)
    found = [finding for check in _CHECKS for finding in check(scene)]
    return tuple(sorted(found, key=lambda finding: finding.severity != "warning"))


def _overruled(scene: _Scene) -> Iterator[Finding]:
    """Does the method overrule more votes than can be wrong?"""
    tally, overruled = scene.tally, scene.overruled
    voted = np.flatnonzero((tally.winner >= 0) & (tally.n_answers > 1) & (scene.gold < 0))
    if len(voted) < LEAST_ITEMS:
        return
    doubt = tally.doubt[voted]
    likely, spread = float(doubt.sum()), float(np.sqrt((doubt * (1 - doubt)).sum()))
    overruled = overruled[tally.n_answers[overruled] > 1]
    if len(overruled) > OVERRULED * likely + SURE * spread + 1:
        name = scene.consensus.method
        yield Finding(
            "overrules_votes",
            f"{name} gives {_of(len(overruled), len(voted), 'items')} another label than most "
            f"of its workers did, but only about {likely:.0f} votes are likely to be wrong; {_COMPARE}.",
            "warning",
            items=scene.items(overruled),
        )


def _shrunk(scene: _Scene) -> Iterator[Finding]:
    """Did a class vanish, or nearly, that people named often?"""
    tally, label = scene.tally, scene.consensus.label
    labelled = np.flatnonzero((label >= 0) & (tally.n_answers > 0))
    if len(labelled) < LEAST_ITEMS or np.isnan(tally.accuracy):
        return
    size = len(labelled)
    result = np.bincount(label[labelled], minlength=tally.n_labels)
    winner = tally.winner[labelled]
    winners = np.bincount(winner[winner >= 0], minlength=tally.n_labels)
    wrong = (1 - tally.accuracy) / max(1, tally.n_labels - 1)
    by_mistake = result / size * tally.accuracy + (1 - result / size) * wrong
    limit = SHRUNK * np.minimum(winners, tally.shares * size)
    shrunk = (
        (result < limit - SURE * np.sqrt(limit))
        & (tally.shares > LEAST_CLASS)
        & (tally.shares > UNEXPLAINED * by_mistake)
    )
    for at in np.flatnonzero(shrunk):
        lost = labelled[(winner == at) & (label[labelled] != at)]
        name = scene.answers.label_names[int(at)]
        yield Finding(
            "class_shrank",
            f"{name!r} got {tally.shares[at]:.1%} of the answers and won the vote on {winners[at]} items but "
            f"labels {_of(int(result[at]), size, 'items')}, which mistakes do not explain; {_COMPARE}.",
            "warning",
            items=scene.items(lost[np.argsort(-tally.lead[lost], kind="stable")]),
        )


def _worse_on_gold(scene: _Scene) -> Iterator[Finding]:
    """Is the result worse than the vote where the label is known?"""
    from scipy.special import bdtr

    judged = np.flatnonzero((scene.gold >= 0) & (scene.tally.n_answers > 0))
    right = scene.consensus.label[judged] == scene.gold[judged]
    voted = scene.tally.winner[judged] == scene.gold[judged]
    lost, won = int((voted & ~right).sum()), int((right & ~voted).sum())
    if lost > won and bdtr(won, lost + won, 0.5) < 0.05:  # McNemar's test, exact
        yield Finding(
            "worse_than_votes",
            f"Of {len(judged)} items whose label is known {scene.consensus.method} has {right.sum()} right, "
            f"the plain vote {voted.sum()}; use method: majority for this batch.",
            "warning",
            items=scene.items(judged[voted & ~right]),
        )


def _workers(scene: _Scene) -> Iterator[Finding]:
    """Are there workers who guess, or answer against the others?"""
    from groundswell.consolidation.guessing import agreement

    if len(scene.answers) == 0:
        return
    seen = agreement(scene.answers, scene.tally, scene.consensus.label)
    for at, kind, what in (
        (seen.inverted, "inverted_workers", _INVERTED),
        (seen.guessers, "guessing_workers", _GUESSING),
    ):
        if not len(at):
            continue
        at = at[np.argsort(-seen.answers[at], kind="stable")]
        given = int(np.isin(scene.answers.worker, at).sum())
        share = given / len(scene.answers)
        serious = scene.consensus.method == "majority" or share > SERIOUS_SHARE
        yield Finding(
            kind,
            f"{_count(len(at), 'worker')} with {given} answers ({share:.1%} of all) {what}.",
            "warning" if serious else "note",
            workers=scene.workers(at),
        )


def _copies(scene: _Scene) -> Iterator[Finding]:
    """Are there workers who make the same mistakes?"""
    from groundswell.consolidation.copies import copies

    right = np.where(scene.gold >= 0, scene.gold, scene.consensus.label)
    pairs = copies(scene.answers, scene.tally, right)
    if not pairs:
        return
    members = tuple(dict.fromkeys(worker for pair in pairs for worker in pair.workers))
    first = pairs[0]
    one, two = scene.workers(first.workers)
    yield Finding(
        "copied_answers",
        f"{_count(len(pairs), 'pair')} of workers made the same mistakes far more often than two people do, "
        f"like {one} and {two} ({first.common} of {first.either} mistakes on {first.shared} shared items, "
        f"{_roughly(first.expected)} expected); they may copy, or be one person who counts double: compare "
        "their answers before you pay.",
        "warning",
        workers=scene.workers(members),
    )


def _little_agreement(scene: _Scene) -> Iterator[Finding]:
    """Do people agree at all (Krippendorff's alpha for nominal data)?"""
    observed, by_chance, total = scene.tally.paired
    if total < 2 * LEAST_ITEMS or by_chance >= 1:
        return
    alpha = (observed - by_chance) / (1 - by_chance)
    error = float(np.sqrt(observed * (1 - observed) / total)) / (1 - by_chance)
    if alpha + SURE * error < LOW_ALPHA:
        yield Finding(
            "low_agreement",
            f"Two workers give an item the same label {observed:.0%} of the time, by chance {by_chance:.0%} "
            f"(Krippendorff's alpha {alpha:.2f}); check whether instructions and choices are clear.",
            "warning" if alpha - SURE * error < NOISE_ALPHA else "note",
        )


def _one_worker(scene: _Scene) -> Iterator[Finding]:
    """Does all depend on one person?"""
    counts = np.bincount(scene.answers.worker, minlength=len(scene.answers.worker_names))
    if scene.answered < LEAST_ITEMS or not len(counts) or counts.max() <= MOST_OF_ALL * len(scene.answers):
        return
    at = [int(counts.argmax())]
    name = scene.workers(at)[0]
    yield Finding(
        "one_worker",
        f"{name} gave {counts.max() / len(scene.answers):.0%} of all {len(scene.answers)} answers, so the "
        "result is mostly one person's opinion; let more workers answer, or check some items yourself.",
        "warning",
        workers=(name,),
    )


def _too_few(scene: _Scene) -> Iterator[Finding]:
    """Are there enough answers per item and per worker to judge either?"""
    alone = np.flatnonzero((scene.tally.n_answers == 1) & (scene.gold < 0))
    if len(alone):
        yield Finding(
            "single_answer",
            f"{_of(len(alone), scene.answered, 'items')} have one answer, which nobody has checked; "
            "ask at least two workers per item (redundancy: first: 2) where a mistake matters.",
            "note",
            items=scene.items(alone),
        )
    counts = np.bincount(scene.answers.worker, minlength=len(scene.answers.worker_names))
    few = np.flatnonzero((counts > 0) & (counts < LEAST_OF_ONE_WORKER))
    given = int(counts[few].sum())
    if scene.answered >= LEAST_ITEMS and given > RARE_WORKERS * len(scene.answers):
        yield Finding(
            "little_known_workers",
            f"{_count(len(few), 'worker')} gave fewer than {LEAST_OF_ONE_WORKER} answers each, together "
            f"{given / len(scene.answers):.0%} of all, too few to tell how good they are; larger batches and "
            "consolidation: earlier_skill help.",
            "note",
            workers=scene.workers(few[np.argsort(-counts[few], kind="stable")]),
        )


def _repeated(scene: _Scene) -> Iterator[Finding]:
    """Did somebody give one item several answers?"""
    n_workers = max(1, len(scene.answers.worker_names))
    code = scene.answers.task.astype(np.int64) * n_workers + scene.answers.worker
    seen, counts = np.unique(code, return_counts=True)
    twice = seen[counts > 1]
    if len(twice):
        yield Finding(
            "several_answers",
            f"{_count(len(twice), 'time')} a worker gave one item more than one label, and all count; "
            "leave out those that do not hold.",
            "warning",
            items=scene.items(np.unique(twice // n_workers)),
            workers=scene.workers(np.unique(twice % n_workers)),
        )


def _without_label(scene: _Scene) -> Iterator[Finding]:
    """Are there items without a label?"""
    consensus, total = scene.consensus, len(scene.consensus.label)
    tied = np.flatnonzero(consensus.tied & (consensus.label < 0))
    unanswered = np.flatnonzero((scene.tally.n_answers == 0) & (consensus.label < 0))
    for at, kind, what, do in (
        (tied, "ties", "are tied and have no label", "ask one more worker each, or decide them yourself"),
        (unanswered, "no_answer", "have no answer and no label", "run the batch again to ask for them"),
    ):
        if len(at):
            many = len(at) > MANY_WITHOUT_LABEL * total
            text = f"{_of(len(at), total, 'items')} {what}; {do}."
            yield Finding(kind, text, "warning" if many else "note", items=scene.items(at))


_CHECKS: tuple[Callable[[_Scene], Iterator[Finding]], ...] = (
    _worse_on_gold,
    _shrunk,
    _overruled,
    _copies,
    _workers,
    _little_agreement,
    _one_worker,
    _repeated,
    _without_label,
    _too_few,
)
"""In the order in which findings of one severity are told."""


def _of(number: int, total: int, what: str) -> str:
    return f"{number} of {total} {what} ({number / max(1, total):.1%})"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _roughly(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"
