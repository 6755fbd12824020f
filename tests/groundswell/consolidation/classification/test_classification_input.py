"""Every method on answers that are few, odd, or bad."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from groundswell.consolidation.classification import METHODS, Method
from groundswell.consolidation.data import Answers, Consensus, Earlier
from groundswell.errors import AnswerError

BOTH = ("cat", "dog")
MANY = tuple(f"k{k}" for k in range(1_000))

every_method = pytest.mark.parametrize("method", list(METHODS.values()), ids=list(METHODS))
modelled = pytest.mark.parametrize(
    "method",
    [m for name, m in METHODS.items() if name != "majority"],
    ids=[n for n in METHODS if n != "majority"],
)


def answers_of(*rows: tuple[str, str, str], labels: tuple[str, ...] = BOTH, tasks: int = 0) -> Answers:
    names = [f"t{t}" for t in range(tasks)] if tasks else None
    return Answers.from_rows(rows, labels=labels, tasks=names)


def check(result: Consensus, answers: Answers) -> None:
    """What holds for every result."""
    n_tasks, n_labels, n_workers = map(len, (answers.task_names, answers.label_names, answers.worker_names))
    assert result.label.shape == result.confidence.shape == result.tied.shape == (n_tasks,)
    assert result.label.dtype == result.n_answers.dtype == np.int32
    assert result.confidence.dtype == np.float64
    assert result.n_answers.tolist() == np.bincount(answers.task, minlength=n_tasks).tolist()
    assert ((result.label >= -1) & (result.label < max(n_labels, 0))).all()
    assert ((result.confidence >= 0) & (result.confidence <= 1)).all()
    assert not (result.tied & (result.label >= 0)).any()
    has = result.n_answers > 0
    assert (result.tied | (result.label >= 0))[has].all()
    assert result.worker_skill.shape == result.skill_low.shape == result.skill_high.shape == (n_workers,)
    known = ~np.isnan(result.worker_skill)
    assert (result.skill_low[known] <= result.worker_skill[known]).all()
    assert (result.worker_skill[known] <= result.skill_high[known]).all()
    assert METHODS[result.method] is not None
    assert result.confidence_is == "score"
    if result.posterior is not None:
        posterior = result.posterior.toarray() if sp.issparse(result.posterior) else result.posterior
        assert posterior.shape == (n_tasks, n_labels)
        assert np.isfinite(posterior).all()
        assert (posterior >= 0).all()
        sums = posterior.sum(axis=1)
        assert (sums <= 1 + 1e-6).all()
        if not sp.issparse(result.posterior) and n_labels:
            assert np.allclose(sums, 1, atol=1e-6)


@every_method
@pytest.mark.parametrize("labels", [BOTH, ("cat",), ("cat", "dog", "eel"), MANY])
def test_no_tasks_and_no_answers(method: Method, labels: tuple[str, ...]) -> None:
    nothing = answers_of(labels=labels)
    check(method(nothing), nothing)
    unanswered = answers_of(labels=labels, tasks=3)
    result = method(unanswered)
    check(result, unanswered)
    assert result.label.tolist() == [-1, -1, -1]
    assert result.confidence.tolist() == [0.0, 0.0, 0.0]
    assert not result.tied.any()


@every_method
def test_no_labels_at_all(method: Method) -> None:
    nothing = answers_of(labels=(), tasks=2)
    assert method(nothing).label.tolist() == [-1, -1]


@every_method
@pytest.mark.parametrize("labels", [BOTH, ("dog",), ("cat", "dog", "eel"), ("dog", *MANY)])
def test_one_answer(method: Method, labels: tuple[str, ...]) -> None:
    answers = answers_of(("t1", "w", "dog"), labels=labels, tasks=3)
    result = method(answers)
    check(result, answers)
    assert result.label.tolist() == [-1, labels.index("dog"), -1]


@every_method
def test_one_worker(method: Method) -> None:
    rows = [(f"t{t}", "w", "cat" if t % 3 else "dog") for t in range(9)]
    answers = answers_of(*rows)
    result = method(answers)
    check(result, answers)
    assert [BOTH[k] for k in result.label] == [row[2] for row in rows]


@every_method
def test_one_class(method: Method) -> None:
    rows = [(f"t{t}", f"w{w}", "cat") for t in range(3) for w in range(2)]
    answers = answers_of(*rows, labels=("cat",))
    result = method(answers)
    check(result, answers)
    assert result.label.tolist() == [0, 0, 0]
    assert result.confidence.tolist() == pytest.approx([1.0, 1.0, 1.0])


@every_method
@pytest.mark.parametrize("labels", [BOTH, ("cat", "dog", "eel"), ("cat", "dog", *MANY)])
def test_all_workers_identical(method: Method, labels: tuple[str, ...]) -> None:
    rows = [(f"t{t}", f"w{w}", "cat" if t % 2 else "dog") for t in range(6) for w in range(4)]
    answers = answers_of(*rows, labels=labels)
    result = method(answers)
    check(result, answers)
    assert result.label.tolist() == [1, 0, 1, 0, 1, 0]


@every_method
def test_a_worker_with_one_answer(method: Method) -> None:
    rows = [(f"t{t}", f"w{w}", "cat" if t % 2 else "dog") for t in range(8) for w in range(3)]
    answers = answers_of(*rows, ("t0", "once", "cat"))
    result = method(answers)
    check(result, answers)
    assert result.label.tolist() == [1, 0] * 4
    skill = dict(zip(answers.worker_names, result.worker_skill.tolist(), strict=True))
    assert skill["once"] < skill["w0"]
    width = dict(zip(answers.worker_names, (result.skill_high - result.skill_low).tolist(), strict=True))
    assert width["once"] > width["w0"]


@every_method
@pytest.mark.parametrize("labels", [BOTH, ("cat", "dog", "eel"), ("cat", "dog", *MANY)])
def test_equal_support_is_a_tie(method: Method, labels: tuple[str, ...]) -> None:
    answers = answers_of(("t0", "w0", "cat"), ("t0", "w1", "dog"), labels=labels)
    result = method(answers)
    check(result, answers)
    assert result.tied.tolist() == [True]
    assert result.label.tolist() == [-1]


@every_method
def test_a_worker_without_answers_is_unknown(method: Method) -> None:
    answers = Answers(*(np.zeros(1, dtype=np.int32) for _ in range(3)), ("t",), ("w", "idle"), BOTH)
    result = method(answers)
    check(result, answers)
    assert np.isnan([result.worker_skill[1], result.skill_low[1], result.skill_high[1]]).all()


@every_method
def test_two_labels_by_one_worker_both_count(method: Method) -> None:
    answers = answers_of(("t0", "w", "cat"), ("t0", "w", "dog"), ("t0", "v", "dog"), ("t1", "w", "dog"))
    result = method(answers)
    check(result, answers)
    assert result.n_answers.tolist() == [3, 1]


@every_method
def test_known_labels_stand(method: Method) -> None:
    rows = [(f"t{t}", f"w{w}", "cat") for t in range(4) for w in range(3)]
    answers = answers_of(*rows, tasks=6)
    gold = np.array([1, -1, -1, -1, 1, -1], dtype=np.int32)
    result = method(answers, gold=gold)
    check(result, answers)
    # t0 against all its answers, and t4 without any
    assert result.label.tolist() == [1, 0, 0, 0, 1, -1]
    assert result.confidence[[0, 4]].tolist() == [1.0, 1.0]


@every_method
def test_a_known_label_that_nobody_gave_among_many(method: Method) -> None:
    rows = [(f"t{t}", f"w{w}", f"k{t}") for t in range(4) for w in range(3)]
    answers = answers_of(*rows, labels=MANY)
    result = method(answers, gold=np.array([999, -1, -1, -1], dtype=np.int32))
    check(result, answers)
    assert result.label.tolist() == [999, 1, 2, 3]


@modelled
def test_known_labels_judge_workers(method: Method) -> None:
    # Two against two, wherever nothing is known
    rows = [
        (f"t{t}", worker, BOTH[t % 2] if worker < "c" else BOTH[1 - t % 2])
        for t in range(40)
        for worker in "abcd"
    ]
    answers = answers_of(*rows, tasks=40)
    gold = np.full(40, -1, dtype=np.int32)
    gold[:20] = np.arange(20) % 2
    result = method(answers, gold=gold)
    check(result, answers)
    assert result.label.tolist() == [t % 2 for t in range(40)]
    assert (result.worker_skill[:2] > 0.8).all()
    assert (result.worker_skill[2:] < 0.2).all()


@modelled
@pytest.mark.parametrize("confusion", [False, True])
@pytest.mark.parametrize("labels", [BOTH, ("cat", "dog", *MANY)])
def test_earlier_skill_breaks_a_tie(method: Method, confusion: bool, labels: tuple[str, ...]) -> None:
    answers = answers_of(("t0", "good", "cat"), ("t0", "poor", "dog"), labels=labels)
    right, wrong = np.array([50.0, 25.0]), np.array([0.0, 25.0])
    matrix = None
    if confusion and labels == BOTH:
        matrix = np.array([[[25.0, 0.0], [0.0, 25.0]], [[12.5, 12.5], [12.5, 12.5]]])
    result = method(answers, earlier=Earlier(right, wrong, matrix))
    check(result, answers)
    assert result.label.tolist() == [0]
    assert result.worker_skill[0] > 0.9 > result.worker_skill[1]


@modelled
def test_earlier_skill_is_known_of_workers_without_answers(method: Method) -> None:
    answers = Answers(*(np.zeros(1, dtype=np.int32) for _ in range(3)), ("t",), ("w", "idle"), BOTH)
    result = method(answers, earlier=Earlier(np.array([0.0, 9.0]), np.array([0.0, 1.0])))
    assert result.worker_skill[1] == pytest.approx(9.5 / 11)


@every_method
@pytest.mark.parametrize(
    ("gold", "says"),
    [
        (np.zeros(3, dtype=np.int32), "there are 1 items"),
        (np.array([2], dtype=np.int32), "holds the position 2"),
        (np.array([-2], dtype=np.int32), "holds the position -2"),
        (np.array([np.nan]), "has the type float64"),
    ],
)
def test_gold_that_does_not_fit(method: Method, gold: np.ndarray, says: str) -> None:
    with pytest.raises(AnswerError, match=says):
        method(answers_of(("t", "w", "cat")), gold=gold)


@modelled
def test_earlier_skill_that_does_not_fit(method: Method) -> None:
    answers = answers_of(("t", "w", "cat"))
    with pytest.raises(AnswerError, match="is for 2 workers, and the answers have 1"):
        method(answers, earlier=Earlier(np.ones(2), np.ones(2)))
    with pytest.raises(AnswerError, match="confusion is for 3 labels, and there are 2"):
        method(answers, earlier=Earlier(np.ones(1), np.ones(1), np.ones((1, 3, 3))))
