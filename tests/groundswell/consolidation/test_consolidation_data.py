from __future__ import annotations

import numpy as np
import pytest

from groundswell.consolidation.data import Answers, Earlier, gold_of
from groundswell.errors import AnswerError

LABELS = ("cat", "dog")


def positions(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def test_rows_become_positions_in_the_names() -> None:
    answers = Answers.from_rows(
        [("t2", "w1", "dog"), ("t1", "w2", "cat"), ("t1", "w1", "dog")],
        labels=LABELS,
        tasks=("t2", "t1", "t3"),
    )
    named = {
        (answers.task_names[t], answers.worker_names[w], answers.label_names[k])
        for t, w, k in zip(answers.task, answers.worker, answers.label, strict=True)
    }
    assert named == {("t2", "w1", "dog"), ("t1", "w2", "cat"), ("t1", "w1", "dog")}
    assert answers.task_names == ("t2", "t1", "t3")
    assert answers.label_names == LABELS
    assert answers.task.dtype == answers.worker.dtype == answers.label.dtype == np.int32


def test_the_same_row_twice_counts_once() -> None:
    assert len(Answers.from_rows([("t", "w", "cat"), ("t", "w", "cat")], labels=LABELS)) == 1


def test_the_order_of_rows_does_not_show() -> None:
    rows = [("t1", "w1", "cat"), ("t2", "w1", "dog"), ("t1", "w2", "dog")]
    one, other = (Answers.from_rows(order, labels=LABELS) for order in (rows, rows[::-1]))
    assert one.task_names == other.task_names
    assert one.task.tolist() == other.task.tolist()
    assert one.worker.tolist() == other.worker.tolist()
    assert one.label.tolist() == other.label.tolist()


def test_no_answers() -> None:
    answers = Answers.from_rows([], labels=LABELS, tasks=("t",))
    assert len(answers) == 0
    assert answers.task_names == ("t",)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            [("t", "w", "bird")],
            "item 't': worker 'w' gave the label 'bird', which is not one of 'cat', 'dog'",
        ),
        ([("x", "w", "cat")], "item 'x': worker 'w' answered an item that is not in the list"),
    ],
)
def test_unknown_names_are_named(rows: list[tuple[str, str, str]], says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        Answers.from_rows(rows, labels=LABELS, tasks=("t",))


def test_a_long_list_of_labels_is_cut_in_the_error() -> None:
    with pytest.raises(AnswerError, match="'19' and 80 more"):
        Answers.from_rows([("t", "w", "x")], labels=[str(n) for n in range(100)])


def test_names_twice_are_refused() -> None:
    with pytest.raises(AnswerError, match="'cat' is twice in labels"):
        Answers.from_rows([], labels=("cat", "cat"))
    with pytest.raises(AnswerError, match="'t' is twice in tasks"):
        Answers.from_rows([], labels=LABELS, tasks=("t", "t"))


@pytest.mark.parametrize(
    ("task", "worker", "label", "says"),
    [
        (positions(0, 0), positions(0), positions(0), "have 2, 1 and 1 entries"),
        (positions(1), positions(0), positions(0), "task holds the position 1, and there are 1 names"),
        (positions(0), positions(-1), positions(0), "worker holds the position -1"),
        (positions(0), positions(0), positions(2), "label holds the position 2"),
        (positions(0), positions(0), np.array([np.nan]), "label has the type float64"),
    ],
)
def test_arrays_are_checked(task: np.ndarray, worker: np.ndarray, label: np.ndarray, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        Answers(task, worker, label, ("t",), ("w",), LABELS)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (("t", "w", float("nan")), "gave the label nan, where the label is no text"),
        (("t", "w", -1), "gave the label -1, where the label is no text"),
        (("t", "w", ""), "where the label is empty"),
        (("t", None, "cat"), "where the worker is no text"),
        (("t", "", "cat"), "where the worker is empty"),
        ((float("nan"), "w", "cat"), "where the item is no text"),
    ],
)
def test_what_an_empty_cell_leaves_is_refused_by_name(row: tuple[object, ...], says: str) -> None:
    rows = [("t", "w", "dog"), row]
    with pytest.raises(AnswerError, match=says):
        Answers.from_rows(rows, labels=LABELS)  # type: ignore[arg-type]


def test_arrays_of_another_shape_are_refused() -> None:
    with pytest.raises(AnswerError, match=r"task has the shape \(1, 2\)"):
        Answers(np.zeros((1, 2), dtype=np.int32), positions(0), positions(0), ("t",), ("w",), LABELS)


def test_known_labels_by_name() -> None:
    answers = Answers.from_rows([("t1", "w", "dog")], labels=LABELS, tasks=("t2", "t1", "t3"))
    assert gold_of(answers, {"t1": "cat", "t3": "dog", "elsewhere": "bird"}).tolist() == [-1, 0, 1]
    with pytest.raises(AnswerError, match="item 't1': the known label 'bird' is not one of 'cat', 'dog'"):
        gold_of(answers, {"t1": "bird"})


@pytest.mark.parametrize(
    ("right", "wrong", "confusion", "says"),
    [
        (np.ones(2), np.ones(3), None, r"right has the shape \(2,\) and wrong \(3,\)"),
        (np.array([-1.0]), np.ones(1), None, "right holds a count that is negative or not finite"),
        (np.ones(1), np.array([np.nan]), None, "wrong holds a count that is negative or not finite"),
        (np.ones(1), np.ones(1), np.full((1, 2, 2), np.inf), "confusion holds a count"),
        (np.ones(1), np.ones(1), np.ones((2, 2, 2)), r"confusion has the shape \(2, 2, 2\)"),
        (np.ones(1), np.ones(1), np.ones((1, 2, 3)), r"confusion has the shape \(1, 2, 3\)"),
    ],
)
def test_earlier_skill_is_checked(
    right: np.ndarray, wrong: np.ndarray, confusion: np.ndarray | None, says: str
) -> None:
    with pytest.raises(AnswerError, match=says):
        Earlier(right, wrong, confusion)
