"""Reading recorded answers: CSV files, or the ``answers`` parts of a run's ledger."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.data import Answers
from groundswell.errors import AnswerError


@dataclass(frozen=True, eq=False)
class Recorded:
    """Answers that were given, and what is true as far as it is known.

    :param answers: every answer; a worker who gave a task two labels counts with both
    :param truth: per task the position of its true label, or -1
    :param submitted: per answer, when it was given in seconds since 1970; ``None`` where that is not recorded
    """

    answers: Answers
    truth: NDArray[np.int32]
    submitted: NDArray[np.float64] | None = None

    @property
    def per_task(self) -> NDArray[np.int64]:
        """Answers of each task."""
        return np.bincount(self.answers.task, minlength=len(self.answers.task_names))

    @property
    def unheard(self) -> list[str]:
        """True labels that no worker gave."""
        names = self.answers.label_names
        given = np.bincount(self.answers.label, minlength=len(names))
        return [names[at] for at in np.unique(self.truth[self.truth >= 0]).tolist() if given[at] == 0]

    @property
    def typical(self) -> int:
        """Answers of a typical task: the median, from 1 to 20. Rules are compared with this as ``most``."""
        return int(min(20, max(1, np.median(self.per_task)))) if len(self.answers) else 1


class _Answer(NamedTuple):
    """One answer, and where it was read."""

    task: str
    worker: str
    label: str
    submitted: str
    place: str


def read_recorded(answers: Path, truth: Path | None = None) -> Recorded:
    """Read recorded answers.

    :param answers: a CSV file with the columns ``task``, ``worker``, ``label`` and, if wanted, ``submitted``
        (a time as ISO 8601 writes it, in UTC where it names no zone), others being ignored; or JSON Lines, or
        a folder of them, as the ``answers`` of a run's ledger. Spaces around a cell are no part of it.
    :param truth: a CSV file with the columns ``task`` and ``label``; tasks without an answer are left out
    :raises AnswerError: a file that cannot be read, a column that is missing, a cell that is empty or too
        long, a time that is none, a task with two true labels, or truth of other tasks only; the text says in
        which file and line
    """
    rows = _checked(_rows_of(answers))
    if not rows:
        raise AnswerError(f"{answers}: has no answers; give one row per answer: task,worker,label")
    known = {} if truth is None else _read_truth(truth)
    tasks = sorted({row.task for row in rows})
    if truth is not None and known.keys().isdisjoint(tasks):
        raise AnswerError(
            f"{truth}: has none of the items that were answered, such as {tasks[0][:80]!r}; "
            "its column task names items as the answers do"
        )
    labels = sorted({row.label for row in rows} | {known[task] for task in tasks if task in known})
    found = Answers.from_rows(((row.task, row.worker, row.label) for row in rows), labels=labels, tasks=tasks)
    label_at = {label: at for at, label in enumerate(labels)}
    return Recorded(
        answers=found,
        truth=np.array([label_at[known[task]] if task in known else -1 for task in tasks], dtype=np.int32),
        submitted=_submitted(found, rows),
    )


def _submitted(answers: Answers, rows: list[_Answer]) -> NDArray[np.float64] | None:
    """Return the answers' times in the order of the answers; ``None`` unless all have one."""
    if not all(row.submitted for row in rows):
        return None
    times = {(row.task, row.worker, row.label): _moment(row) for row in rows}
    tasks, workers, labels = answers.task_names, answers.worker_names, answers.label_names
    positions = zip(answers.task.tolist(), answers.worker.tolist(), answers.label.tolist(), strict=True)
    return np.array([times[tasks[t], workers[w], labels[k]] for t, w, k in positions])


def _moment(row: _Answer) -> float:
    try:
        moment = datetime.fromisoformat(row.submitted)
        # Else the zone of this machine would decide, and change the order where only some name theirs
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise AnswerError(
            f"{row.place}: submitted: {row.submitted[:40]!r} is not a time; "
            "write it like 2026-05-04T10:30:00+00:00, or leave the column out"
        ) from None


def _checked(rows: Iterator[_Answer]) -> list[_Answer]:
    """Refuse empty cells, and drop rows that were written twice."""
    first: dict[tuple[str, str, str], _Answer] = {}
    for row in rows:
        for column in ("task", "worker", "label"):
            if not getattr(row, column):
                raise AnswerError(f"{row.place}: {column} is empty; fill it in, or delete the row")
        first.setdefault((row.task, row.worker, row.label), row)
    return list(first.values())


def _read_truth(path: Path) -> dict[str, str]:
    known: dict[str, str] = {}
    for place, cells in _csv_rows(path, ("task", "label")):
        task, label = cells["task"], cells["label"]
        if not task or not label:
            raise AnswerError(
                f"{place}: {'label' if task else 'task'} is empty; fill it in, or delete the row"
            )
        if known.setdefault(task, label) != label:
            raise AnswerError(f"{place}: task {task!r} has two true labels, {known[task]!r} and {label!r}")
    return known


def _rows_of(path: Path) -> Iterator[_Answer]:
    if path.is_dir():
        parts = sorted(path.glob("*.jsonl"))
        if not parts:
            raise AnswerError(
                f"{path}: has no .jsonl files; give the answers of a run's ledger, or a CSV file"
            )
        for part in parts:
            yield from _ledger_rows(part)
    elif path.suffix == ".jsonl":
        yield from _ledger_rows(path)
    else:
        for place, cells in _csv_rows(path, ("task", "worker", "label")):
            yield _Answer(cells["task"], cells["worker"], cells["label"], cells.get("submitted", ""), place)


def _ledger_rows(path: Path) -> Iterator[_Answer]:
    """Yield the answers of a part; those that could not be read have no label and are left out."""
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise AnswerError(f"{place}: is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise AnswerError(f"{place}: is not the record of an answer; it lacks item, worker and label")
        if row.get("label", "") is not None:
            yield _ledger_row(row, place)


def _ledger_row(row: Mapping[str, Any], place: str) -> _Answer:
    for name in ("item", "worker", "label"):
        if not isinstance(row.get(name), str):
            raise AnswerError(
                f"{place}: {name}: {str(row.get(name))[:40]!r} is not a text; give an answer's record"
            )
    submitted = row.get("submitted")
    return _Answer(
        row["item"], row["worker"], row["label"], submitted if isinstance(submitted, str) else "", place
    )


def _csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each row's place, as file and line, and its cells by column."""
    # Not splitlines: it also splits at form feeds and other marks that a cell may hold
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    columns: list[str] | None = None
    try:
        for cells in reader:
            place = f"{path}:{reader.line_num}"
            if columns is None:
                columns = _columns(cells, needed, place)
            elif cells:
                yield place, _row(columns, cells, place)
    except csv.Error as error:
        raise AnswerError(f"{path}:{reader.line_num}: is not CSV: {error}") from None
    if columns is None:
        raise AnswerError(f"{path}:1: is empty; the first line names the columns: {','.join(needed)}")


def _columns(cells: list[str], needed: tuple[str, ...], place: str) -> list[str]:
    columns = [cell.strip().lower() for cell in cells]
    for name in needed:
        if columns.count(name) != 1:
            raise AnswerError(
                f"{place}: names the column {name!r} {'twice' if name in columns else 'nowhere'}; "
                f"the first line names the columns: {','.join(needed)}"
            )
    return columns


def _row(columns: list[str], cells: list[str], place: str) -> dict[str, str]:
    if len(cells) != len(columns):
        raise AnswerError(f"{place}: has {len(cells)} cells, and there are {len(columns)} columns")
    return dict(zip(columns, map(str.strip, cells), strict=True))


def _text(path: Path) -> str:
    try:
        # With a byte order mark, as spreadsheets write it, the first column would have another name
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise AnswerError(f"{path}:{line}: is not text in UTF-8; save it as that") from None
    except OSError as error:
        raise AnswerError(f"{path}: cannot be read: {error.strerror or error}") from None
