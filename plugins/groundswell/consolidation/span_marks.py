"""The data contract of span consolidation: marked stretches of texts in, agreed stretches out."""

from __future__ import annotations

import operator
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.agreement import Agreement
from groundswell.consolidation.findings import Finding
from groundswell.consolidation.naming import (
    check_known_item,
    check_known_label,
    check_positions,
    check_row_names,
    positions,
    unique_names,
)
from groundswell.errors import AnswerError

Mark = tuple[int, int, str]
"""A span: first character, the character after the last one (counted in code points from 0), label."""

_MOST = 2**40
"""No text is that long; positions beyond it are slips, and would not fit the arithmetic of positions."""


@dataclass(frozen=True, eq=False)
class SpanAnswers:
    """Spans that workers marked, and who looked at which text, those who marked nothing included.

    :param look_task: position in ``task_names`` of each text that somebody looked at
    :param look_worker: position in ``worker_names`` of that somebody; each pair once
    :param look: per span, its look
    :param start: per span, its first character, from 0
    :param end: per span, the character after its last one
    :param label: per span, position in ``label_names``
    :param task_names: the texts, those that nobody looked at included
    :param worker_names: the workers
    :param label_names: the allowed labels
    :param length: characters per text; -1 where unknown
    :param tokens: per text its tokens ``[k, 2]`` (start, end) in characters, ascending, if overlap is to be
        counted in tokens and boundaries are to fall on them
    :param cut: how many spans were cut to the text
    :param dropped: how many were left out, for nothing of them was left
    :raises AnswerError: arrays that contradict each other, a span outside its text or without a character
    """

    look_task: NDArray[np.int32]
    look_worker: NDArray[np.int32]
    look: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int32]
    task_names: Sequence[str]
    worker_names: Sequence[str]
    label_names: Sequence[str]
    length: NDArray[np.int64]
    tokens: tuple[NDArray[np.int64], ...] | None = None
    cut: int = 0
    dropped: int = 0

    def __post_init__(self) -> None:
        looks, count = len(self.look_task), len(self.look)
        check_positions("look_task", self.look_task, len(self.task_names), looks)
        check_positions("look_worker", self.look_worker, len(self.worker_names), looks)
        check_positions("look", self.look, looks, count)
        check_positions("label", self.label, len(self.label_names), count)
        check_positions("start", self.start, _MOST, count)
        check_positions("end", self.end, _MOST, count)
        if np.shape(self.length) != (len(self.task_names),):
            raise AnswerError("answers: length has not one entry per text; give -1 where it is unknown")
        if self.tokens is not None and len(self.tokens) != len(self.task_names):
            raise AnswerError("answers: tokens has not one entry per text; give each text's tokens")
        pairs = self.look_task.astype(np.int64) * max(1, len(self.worker_names)) + self.look_worker
        if len(np.unique(pairs)) != looks:
            raise AnswerError("answers: a worker's look at a text is there twice; put its spans together")
        length = self.length[self.look_task[self.look]]
        bad = np.flatnonzero((self.start >= self.end) | ((length >= 0) & (self.end > length)))
        if len(bad):
            at = int(bad[0])
            task, worker = self.look_task[self.look[at]], self.look_worker[self.look[at]]
            raise _bad_span(
                self.task_names[task], self.worker_names[worker], self.start[at], self.end[at], length[at]
            )

    def __len__(self) -> int:
        return len(self.look)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[tuple[str, str, Collection[Mark]]],
        *,
        labels: Sequence[str],
        texts: Mapping[str, str] | None = None,
        tasks: Sequence[str] | None = None,
        unit: Literal["characters", "tokens"] = "characters",
        repair: bool = False,
    ) -> SpanAnswers:
        """Build from ``(task, worker, [(start, end, label), ...])`` rows.

        The same span twice from one worker counts once; two rows of one worker for one text count as one,
        with the spans of both. A row without spans says that the worker found nothing.

        :param rows: the answers, in any order
        :param labels: the allowed labels
        :param texts: the text of each task, to check the spans against it, and needed for tokens
        :param tasks: the texts' names, to fix their order and to keep those that nobody looked at; otherwise
            those of the rows, sorted
        :param unit: what overlap is counted in; for tokens see :func:`tokens_of`. A span is widened to the
            tokens that it touches.
        :param repair: cut spans to the text and leave out those of which nothing is left (zero length,
            backwards, outside the text, between tokens), and count both, where otherwise the first such span
            is an error
        :raises AnswerError: see ``repair``; positions that are no whole numbers, or negative; a label or task
            that is unknown, a name twice or missing, an answer that is no list of spans, no text for a task
        """
        label_names = unique_names("labels", labels)
        task_names = None if tasks is None else unique_names("tasks", tasks)
        label_at = positions(label_names)
        known = None if task_names is None else positions(task_names)
        looks: dict[tuple[str, str], set[tuple[int, int, int]]] = {}
        for task, worker, marks in rows:
            check_row_names(task, worker)
            if known is not None:
                check_known_item(task, worker, known)
            looks.setdefault((task, worker), set()).update(_checked_marks(task, worker, marks, label_at))
        if task_names is None:
            task_names = tuple(sorted({task for task, _ in looks}))
        lengths = {task: len(texts[task]) for task in task_names if task in texts} if texts else {}
        tokens = _tokens(task_names, texts) if unit == "tokens" else None
        fitting = _Fitting(lengths, dict(zip(task_names, tokens, strict=True)) if tokens else None, repair)
        order = sorted(looks)
        kept = [sorted(fitting.fit(task, worker, looks[task, worker])) for task, worker in order]
        spans = [(look, *span) for look, found in enumerate(kept) for span in found]
        worker_names = tuple(sorted({worker for _, worker in order}))
        task_at, worker_at = positions(task_names), positions(worker_names)
        columns = list(zip(*spans, strict=True)) if spans else [(), (), (), ()]
        return cls(
            look_task=np.array([task_at[task] for task, _ in order], dtype=np.int32),
            look_worker=np.array([worker_at[worker] for _, worker in order], dtype=np.int32),
            look=np.array(columns[0], dtype=np.int32),
            start=np.array(columns[1], dtype=np.int64),
            end=np.array(columns[2], dtype=np.int64),
            label=np.array(columns[3], dtype=np.int32),
            task_names=task_names,
            worker_names=worker_names,
            label_names=label_names,
            length=np.array([lengths.get(task, -1) for task in task_names], dtype=np.int64),
            tokens=tokens,
            cut=fitting.cut,
            dropped=fitting.dropped,
        )


@dataclass(frozen=True, eq=False)
class SpanConsensus:
    """The agreed spans of all texts, sorted by text, start, end and label.

    :param task: position in ``task_names`` of each span's text
    :param start: its first character
    :param end: the character after its last one
    :param label: position in ``label_names``; -1 where its labels are tied
    :param confidence: a score from 0 to 1 (see :func:`~groundswell.consolidation.spans.spans`)
    :param posterior: spans x labels, or ``None`` where the method for the labels has none
    :param support: how many workers marked it
    :param seen: how many looked at its text
    :param tied: its labels had equal support
    :param worker_skill: per worker the probability of being right about a span that somebody marked in a text
        they looked at: having marked it if it is one, and not if not; NaN where nothing is known
    :param skill_low: lower end of its central 90 % interval
    :param skill_high: upper end of its central 90 % interval
    :param n_answers: workers who looked, per text
    :param agreement: of the characters' (or tokens') labels, "none" included, each counted as an item
    :param f1_exact: mean agreement of two workers on one text as F1, spans and labels being the same
    :param f1_overlap: the same where it is enough that spans were taken for the same one
    :param method: how boundaries were found, and the method for the labels
    :param confidence_is: always ``score`` here
    :param findings: what is odd about the answers or the result, for people
    :param label_names: the allowed labels
    """

    task: NDArray[np.int32]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    label: NDArray[np.int32]
    confidence: NDArray[np.float64]
    posterior: Any
    support: NDArray[np.int32]
    seen: NDArray[np.int32]
    tied: NDArray[np.bool_]
    worker_skill: NDArray[np.float64]
    skill_low: NDArray[np.float64]
    skill_high: NDArray[np.float64]
    n_answers: NDArray[np.int32]
    agreement: Agreement
    f1_exact: float
    f1_overlap: float
    method: str
    label_names: Sequence[str]
    confidence_is: Literal["score", "probability"] = "score"
    findings: tuple[Finding, ...] = ()

    def spans_of(self, task: int) -> tuple[tuple[int, int, str | None], ...]:
        """Return (start, end, label) of the spans of the text at a position; ``None`` for a tied label."""
        found = np.flatnonzero(self.task == task)
        return tuple(
            (
                int(self.start[i]),
                int(self.end[i]),
                None if self.label[i] < 0 else self.label_names[int(self.label[i])],
            )
            for i in found
        )


def tokens_of(text: str) -> NDArray[np.int64]:
    """Return the tokens of a text as ``[k, 2]`` (start, end) in characters.

    A token is a run of characters that are neither white space nor punctuation nor symbols; a punctuation
    mark, a symbol, and a wide character (as in Chinese and Japanese) are tokens by themselves. Combining
    marks stay with their letter. Scripts that write words together otherwise (Thai) are not divided.
    """
    return np.array(list(_token_bounds(text)), dtype=np.int64).reshape(-1, 2)


def _token_bounds(text: str) -> Iterator[tuple[int, int]]:
    begin = None
    for at, character in enumerate(text):
        alone = _stands_alone(character)
        if begin is not None and (alone or character.isspace()):
            yield begin, at
            begin = None
        if alone:
            yield at, at + 1
        elif begin is None and not character.isspace():
            begin = at
    if begin is not None:
        yield begin, len(text)


def _stands_alone(character: str) -> bool:
    if character.isspace():
        return False
    return unicodedata.category(character)[0] in "PS" or unicodedata.east_asian_width(character) in "WF"


def _tokens(task_names: Sequence[str], texts: Mapping[str, str] | None) -> tuple[NDArray[np.int64], ...]:
    for task in task_names:
        if texts is None or task not in texts:
            raise AnswerError(f"item {task!r}: tokens need its text, and there is none; give texts[{task!r}]")
    return tuple(tokens_of(texts[task]) for task in task_names) if texts else ()


def _checked_marks(
    task: str, worker: str, marks: Collection[Mark], label_at: dict[str, int]
) -> Iterator[tuple[int, int, int]]:
    if isinstance(marks, (str, bytes)) or not isinstance(marks, Collection):
        raise AnswerError(
            f"item {task!r}: worker {worker!r} gave {marks!r}, which is not a list of spans; "
            "give a list, the empty one where nothing is marked"
        )
    for mark in marks:
        try:
            start, end, label = mark
            first, last = operator.index(start), operator.index(end)
        except (TypeError, ValueError):
            raise AnswerError(
                f"item {task!r}: worker {worker!r} gave the span {mark!r}; "
                "give (start, end, label), with whole numbers for start and end"
            ) from None
        check_known_label(task, worker, label, label_at)
        yield first, last, label_at[label]


@dataclass(eq=False)
class _Fitting:
    """Checks spans against the texts, or cuts them to size."""

    lengths: Mapping[str, int]
    tokens: Mapping[str, NDArray[np.int64]] | None
    repair: bool
    cut: int = 0
    dropped: int = 0

    def fit(
        self, task: str, worker: str, spans: Iterable[tuple[int, int, int]]
    ) -> Iterator[tuple[int, int, int]]:
        """Yield the spans that stay."""
        length = self.lengths.get(task, -1)
        for start, end, label in spans:
            most = length if length >= 0 else _MOST - 1
            first, last = (max(start, 0), min(end, most)) if self.repair else (start, end)
            empty = first >= last or (self.tokens is not None and not self._touches(task, first, last))
            if not self.repair and (empty or first < 0 or last > most):
                raise _bad_span(task, worker, start, end, length)
            self.dropped += empty
            if not empty:
                self.cut += (first, last) != (start, end)
                yield first, last, label

    def _touches(self, task: str, start: int, end: int) -> bool:
        bounds = self.tokens[task] if self.tokens is not None else np.empty((0, 2))
        return bool(((bounds[:, 0] < end) & (bounds[:, 1] > start)).any())


def _bad_span(task: str, worker: str, start: int, end: int, length: int) -> AnswerError:
    if start >= end:
        what = "holds no character"
    elif length >= 0 and (start < 0 or end > length):
        what = f"is outside the text of {length} characters"
    elif start < 0 or end >= _MOST:
        what = "is outside any text"
    else:
        what = "touches no token"
    return AnswerError(
        f"item {task!r}: worker {worker!r} marked {int(start)} to {int(end)}, which {what}; "
        "leave this span out, or read the answers with repair=True"
    )
