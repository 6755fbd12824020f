"""The data contract of text consolidation: free texts in, one text per task out."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.naming import (
    check_known_item,
    check_positions,
    check_row_names,
    positions,
    unique_names,
)
from groundswell.errors import AnswerError


def normal_text(text: str) -> str:
    """Return a text in Unicode's normal form C, its white space as single blanks, none at the ends.

    So an accent may be typed in one or two characters and lines may break anywhere, and it is the same text.
    Case, punctuation, compatibility forms (such as the ligature "fi") and invisible joiners are kept: in many
    transcriptions they are what was asked for.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


@dataclass(frozen=True, eq=False)
class TextAnswers:
    """Answers that are texts, the empty one included ("nothing to be read").

    :param task: position in ``task_names`` of each answer's task
    :param worker: position in ``worker_names`` of each answer's worker
    :param text: position in ``texts`` of each answer's text
    :param texts: the different texts, each as of :func:`normal_text`
    :param task_names: the tasks, those without an answer included
    :param worker_names: the workers
    :raises AnswerError: arrays that contradict, or a text that is none or is not in its normal form
    """

    task: NDArray[np.int32]
    worker: NDArray[np.int32]
    text: NDArray[np.int32]
    texts: Sequence[str]
    task_names: Sequence[str]
    worker_names: Sequence[str]

    def __post_init__(self) -> None:
        count = len(self.task)
        check_positions("task", self.task, len(self.task_names), count)
        check_positions("worker", self.worker, len(self.worker_names), count)
        check_positions("text", self.text, len(self.texts), count)
        for text in self.texts:
            if not isinstance(text, str) or text != normal_text(text):
                raise AnswerError(
                    f"answers: {str(text)[:50]!r} is not a text in its normal form; normalise it"
                )

    def __len__(self) -> int:
        return len(self.task)

    @classmethod
    def from_rows(
        cls, rows: Iterable[tuple[str, str, str]], *, tasks: Sequence[str] | None = None
    ) -> TextAnswers:
        """Build from ``(task, worker, text)`` rows.

        Texts are normalised (:func:`normal_text`), and then the same row twice counts once. A worker who gave
        one task two different texts counts with both.

        :param rows: the answers, in any order
        :param tasks: the tasks, to fix their order and to keep those without an answer; otherwise the tasks
            of the rows, sorted
        :raises AnswerError: an answer that is no text (such as the NaN of an empty cell: an empty answer is
            the empty text), a task that is unknown, or a task or worker without a name
        """
        task_names = None if tasks is None else unique_names("tasks", tasks)
        known = None if task_names is None else positions(task_names)
        answers = sorted({_checked_row(row, known) for row in rows})
        if task_names is None:
            task_names = tuple(dict.fromkeys(task for task, _, _ in answers))
        worker_names = tuple(sorted({worker for _, worker, _ in answers}))
        texts = tuple(sorted({text for _, _, text in answers}))
        task_at, worker_at, text_at = positions(task_names), positions(worker_names), positions(texts)
        return cls(
            task=np.array([task_at[task] for task, _, _ in answers], dtype=np.int32),
            worker=np.array([worker_at[worker] for _, worker, _ in answers], dtype=np.int32),
            text=np.array([text_at[text] for _, _, text in answers], dtype=np.int32),
            texts=texts,
            task_names=task_names,
            worker_names=worker_names,
        )


@dataclass(frozen=True, eq=False)
class TextConsensus:
    """One text per task.

    :param text: per task; ``None`` where there is no answer or no winner
    :param confidence: a score from 0 to 1 (see the method)
    :param words: per task, the words of the text (characters where these were aligned); empty for a method
        that chooses a whole text
    :param word_confidence: per task, each word's share of the workers' weight
    :param worker_skill: per worker the mean similarity, 0 to 1, of an answer to what the others say; NaN
        where nothing is known
    :param skill_low: lower end of its central 90 % interval, a similarity of 0.8 counting as 0.8 answers
        right and 0.2 wrong
    :param skill_high: upper end of its central 90 % interval
    :param n_answers: answers per task
    :param tied: two texts (or, aligned, two words) had equal support, and nothing but their spelling or place
        could have decided
    :param agreement: of the answers, by their similarity
    :param method: the name of the method
    :param confidence_is: always ``score`` here
    :param findings: what is odd about the answers or the result, for people
    """

    text: tuple[str | None, ...]
    confidence: NDArray[np.float64]
    words: tuple[tuple[str, ...], ...]
    word_confidence: tuple[NDArray[np.float64], ...]
    worker_skill: NDArray[np.float64]
    skill_low: NDArray[np.float64]
    skill_high: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    tied: NDArray[np.bool_]
    agreement: Agreement
    method: str
    confidence_is: Literal["score", "probability"] = "score"
    findings: tuple[Finding, ...] = ()


def _checked_row(row: tuple[str, str, str], known: dict[str, int] | None) -> tuple[str, str, str]:
    task, worker, text = row
    check_row_names(task, worker)
    if not isinstance(text, str):
        raise AnswerError(
            f"item {task!r}: worker {worker!r} gave {text!r}, which is no text; "
            "leave this answer out, or give the empty text if that was the answer"
        )
    if known is not None:
        check_known_item(task, worker, known)
    return task, worker, normal_text(text)
