"""A text put together word by word from all answers, which may be better than each of them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.data import Earlier
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.remarks import first_names, remarks
from groundswell.consolidation.text.alignment import align, vote
from groundswell.consolidation.text.data import TextAnswers, TextConsensus
from groundswell.consolidation.text.distance import Unit
from groundswell.consolidation.text.medoid import crowded
from groundswell.consolidation.text.weighing import Floats, Item, agreement_of, weigh

_MOST_WORDS = 2_000
"""Words of the longest answer up to which an item's answers are aligned; beyond, the medoid is taken."""

_MOST_CELLS = 20_000_000
"""Cells of all alignments of an item, roughly, up to which they are made."""


class _Woven(NamedTuple):
    words: tuple[str, ...]
    shares: Floats
    confidence: float
    tied: bool


def rover(
    answers: TextAnswers, *, earlier: Earlier | None = None, split: Literal["words", "characters"] = "words"
) -> TextConsensus:
    """Align the answers word by word and let the workers vote on each word.

    Recognizer Output Voting Error Reduction (Fiscus 1997): the answers are aligned one after the other with a
    network of word slots, each slot holding what the answers so far have there, nothing included; then the
    word with the most weight wins each slot, and a slot that is won by nothing is left out. Two things make
    the result independent of the order of rows: the medoid comes first, then the others by their distance
    from it; and a word is aligned at the mean cost against all answers in a slot (3 for a word against
    nothing, 4 against another word), not at that of the best match. Workers are weighed as for
    :func:`~groundswell.consolidation.text.medoid.medoid`.

    If two words have equal weight in a slot, the one that the text nearest to all has there is taken (so a
    text with a tie is still made of whole phrases), and the task is reported as ``tied``.

    Very long answers (2,000 words, or an item with too many long ones) are not aligned: the medoid is taken
    and a finding says so.

    ``confidence`` is the mean over slots of the winner's share of the weight, times n / (n + 1) with n
    answers.

    :param earlier: answers of earlier batches that were right and wrong, per worker
    :param split: ``characters`` for scripts that do not part words with blanks
    :raises AnswerError: ``earlier`` for another number of workers
    """
    unit: Unit = split
    weighed = weigh(answers, unit, earlier)
    n_tasks = len(answers.task_names)
    text: list[str | None] = [None] * n_tasks
    words: list[tuple[str, ...]] = [()] * n_tasks
    shares: list[Floats] = [np.zeros(0)] * n_tasks
    confidence = np.zeros(n_tasks)
    tied = np.zeros(n_tasks, np.bool_)
    too_long = []
    for item in weighed.items:
        woven = _woven(item, weighed.weights, split)
        if woven is None:
            too_long.append(item.task)
            best = item.medoids(weighed.weights)
            fit = 1 - float(np.average(item.apart[best[0]], weights=item.support(weighed.weights)))
            tied[item.task] = len(best) > 1
            text[item.task] = None if len(best) > 1 else item.texts[int(best[0])]
            confidence[item.task] = fit * len(item.worker) / (len(item.worker) + 1)
            continue
        words[item.task], shares[item.task] = woven.words, woven.shares
        confidence[item.task], tied[item.task] = woven.confidence, woven.tied
        text[item.task] = (" " if split == "words" else "").join(woven.words)
    skill = skill_of(weighed.likeness, weighed.unlikeness)
    n_answers = np.bincount(answers.task, minlength=n_tasks).astype(np.int32)
    agreement = agreement_of(answers, weighed, unit)
    found = (*remarks(n_answers, answers.task_names, agreement), *crowded(answers, weighed))
    return TextConsensus(
        text=tuple(text),
        confidence=confidence,
        words=tuple(words),
        word_confidence=tuple(shares),
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=n_answers,
        tied=tied,
        agreement=agreement,
        method="rover",
        findings=(*found, *_too_long(answers, too_long)),
    )


def _woven(item: Item, weights: Floats, split: str) -> _Woven | None:
    """Return the words that win, or ``None`` where aligning would take too long."""
    texts = [tuple(text.split()) if split == "words" else tuple(text) for text in item.texts]
    sizes = [len(words) for words in texts]
    if max(sizes) > _MOST_WORDS or sum(sizes) * max(sizes) > _MOST_CELLS:
        return None
    support = item.support(weights)
    order = _by_distance(item, support)
    slots = align([texts[at] for at in order], [int(times) for times in _times(item)[order]])
    won = vote(slots, support[order])
    n = len(item.worker)
    kept = [at for at, word in enumerate(won.words) if word is not None]
    share = float(won.shares.mean()) if len(won.shares) else 1.0
    return _Woven(
        tuple(word for word in won.words if word is not None), won.shares[kept], share * n / (n + 1), won.tied
    )


def _times(item: Item) -> NDArray[np.int64]:
    return np.bincount(item.choice[item.choice >= 0], minlength=len(item.texts))


def _by_distance(item: Item, support: Floats) -> list[int]:
    """Return the texts, the medoid first, then by distance from it; equal ones by weight, then spelling."""
    total, weight = np.round(item.apart @ support, 9).tolist(), np.round(support, 9).tolist()
    apart = np.round(item.apart, 9).tolist()
    first = min(range(len(item.texts)), key=lambda at: (total[at], -weight[at], item.texts[at]))
    return sorted(
        range(len(item.texts)),
        key=lambda at: (
            at != first,
            apart[first][at],
            -weight[at],
            item.texts[at],
        ),
    )


def _too_long(answers: TextAnswers, tasks: list[int]) -> tuple[Finding, ...]:
    if not tasks:
        return ()
    text = (
        f"{len(tasks)} items have answers too long to be aligned word by word, and got the answer nearest to "
        "all; divide such texts into lines or paragraphs."
    )
    return (Finding("too_long", text, "note", items=first_names(answers.task_names, np.array(tasks))),)
