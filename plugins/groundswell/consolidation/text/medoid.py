"""The answer that is nearest to all answers."""

from __future__ import annotations

import numpy as np

from groundswell.consolidation.classification.skill import skill_of
from groundswell.consolidation.data import Earlier
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.remarks import first_names, remarks
from groundswell.consolidation.text.data import TextAnswers, TextConsensus
from groundswell.consolidation.text.distance import Unit
from groundswell.consolidation.text.weighing import Weighed, agreement_of, weigh


def medoid(
    answers: TextAnswers, *, earlier: Earlier | None = None, unit: Unit = "characters"
) -> TextConsensus:
    """Give each task the one of its answers with the least weighted sum of distances from all of them.

    The distance is Levenshtein's, in characters or words, over the longer length (see
    :func:`~groundswell.consolidation.text.distance.distances`); workers are weighed by how near they are to
    the others (:func:`~groundswell.consolidation.text.weighing.weigh`), in the spirit of reliability-aware
    aggregation (RASA; Li and Fukumoto 2019, "A Dataset of Crowdsourced Word Sequences"), with distances of
    strings instead of embeddings. Several answers at the same least distance are a tie: ``None``, with
    ``tied``.

    ``confidence`` is the weighted mean similarity of all answers to the one that was chosen, times
    n / (n + 1) with n answers, since one worker alone is no evidence of being right. It is a score.

    :param earlier: answers of earlier batches that were right and wrong, per worker
    :raises AnswerError: ``earlier`` for another number of workers
    """
    weighed = weigh(answers, unit, earlier)
    n_tasks = len(answers.task_names)
    text: list[str | None] = [None] * n_tasks
    confidence = np.zeros(n_tasks)
    tied = np.zeros(n_tasks, np.bool_)
    for item in weighed.items:
        best = item.medoids(weighed.weights)
        support = item.support(weighed.weights)
        n = len(item.worker)
        confidence[item.task] = (1 - float(np.average(item.apart[best[0]], weights=support))) * n / (n + 1)
        tied[item.task] = len(best) > 1
        text[item.task] = None if len(best) > 1 else item.texts[int(best[0])]
    skill = skill_of(weighed.likeness, weighed.unlikeness)
    n_answers = np.bincount(answers.task, minlength=n_tasks).astype(np.int32)
    agreement = agreement_of(answers, weighed, unit)
    return TextConsensus(
        text=tuple(text),
        confidence=confidence,
        words=((),) * n_tasks,
        word_confidence=(np.zeros(0),) * n_tasks,
        worker_skill=skill.mean,
        skill_low=skill.low,
        skill_high=skill.high,
        n_answers=n_answers,
        tied=tied,
        agreement=agreement,
        method="medoid",
        findings=(*remarks(n_answers, answers.task_names, agreement), *crowded(answers, weighed)),
    )


def crowded(answers: TextAnswers, weighed: Weighed) -> tuple[Finding, ...]:
    """Return a note on the items whose rarest texts were left out."""
    if not weighed.crowded:
        return ()
    text = (
        f"{len(weighed.crowded)} items have so many different texts that the rarest were left out; "
        "an item that everybody reads differently may be one that cannot be read."
    )
    names = first_names(answers.task_names, np.array(weighed.crowded))
    return (Finding("crowded", text, "note", items=names),)
