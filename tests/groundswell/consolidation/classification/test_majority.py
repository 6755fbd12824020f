from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.consolidation.classification.majority import majority
from groundswell.consolidation.data import Answers, Consensus

CLASSES = ("a", "b", "c")


def vote(*labels: str, tasks: int = 1) -> Consensus:
    rows = [("t0", f"w{n}", label) for n, label in enumerate(labels)]
    return majority(Answers.from_rows(rows, labels=CLASSES, tasks=[f"t{n}" for n in range(tasks)]))


@pytest.mark.parametrize(
    ("labels", "label", "confidence", "tied"),
    [
        (("b", "b"), 1, 1.0, False),
        (("b", "a", "b"), 1, 2 / 3, False),
        (("c", "a", "c", "b"), 2, 0.5, False),
        (("a", "b"), -1, 0.0, True),
        (("a", "b", "b", "a", "c"), -1, 0.0, True),
        # Ground Truth writes 0 when only one worker annotated.
        (("c",), 2, 0.0, False),
        ((), -1, 0.0, False),
    ],
)
def test_votes(labels: tuple[str, ...], label: int, confidence: float, tied: bool) -> None:
    result = vote(*labels)
    assert result.label.tolist() == [label]
    assert result.confidence.tolist() == pytest.approx([confidence])
    assert result.tied.tolist() == [tied]
    assert result.n_answers.tolist() == [len(labels)]
    assert result.posterior is None


def test_tasks_without_answers_keep_their_place() -> None:
    result = vote("a", "a", tasks=3)
    assert result.label.tolist() == [0, -1, -1]
    assert result.n_answers.tolist() == [2, 0, 0]


def test_skill_is_agreement_with_winners_that_had_company() -> None:
    rows = [
        *[("t0", worker, "a") for worker in ("w0", "w1")],
        ("t0", "w2", "b"),
        *[("t1", worker, "c") for worker in ("w0", "w2", "w1")],
        ("t2", "w3", "a"),  # alone: says nothing about w3
        *[("t3", "w0", "a"), ("t3", "w1", "b")],  # tied: counts for nobody
    ]
    answers = Answers.from_rows(rows, labels=CLASSES)
    skill = dict(zip(answers.worker_names, majority(answers).worker_skill.tolist(), strict=True))
    # Beta(right + 1/2, wrong + 1/2): two of two right, one of two right, nothing known
    assert skill["w0"] == skill["w1"] == pytest.approx(2.5 / 3)
    assert skill["w2"] == pytest.approx(0.5)
    assert np.isnan(skill["w3"])


def test_known_labels_win_and_judge_workers() -> None:
    rows = [("t0", "w0", "a"), ("t1", "w0", "b"), ("t1", "w1", "a")]
    answers = Answers.from_rows(rows, labels=CLASSES, tasks=["t0", "t1", "t2"])
    result = majority(answers, gold=np.array([2, 1, 0], dtype=np.int32))
    assert result.label.tolist() == [2, 1, 0]
    assert result.confidence.tolist() == [1.0, 1.0, 1.0]
    assert not result.tied.any()
    assert result.worker_skill.tolist() == pytest.approx([0.5, 0.25])


rows_of_answers = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 3)), max_size=60, unique_by=lambda r: r[:2]
)


@given(rows_of_answers)
def test_it_equals_counting_by_hand(rows: list[tuple[int, int, int]]) -> None:
    named = [(f"t{t}", f"w{w}", f"k{k}") for t, w, k in rows]
    tasks = [f"t{t}" for t in range(7)]
    labels = [f"k{k}" for k in range(4)]
    result = majority(Answers.from_rows(named, labels=labels, tasks=tasks))
    for position, task in enumerate(tasks):
        votes = Counter(label for name, _, label in named if name == task)
        best = max(votes.values(), default=0)
        leaders = [label for label, count in votes.items() if count == best]
        assert result.n_answers[position] == votes.total()
        assert result.tied[position] == (len(leaders) > 1)
        if len(leaders) == 1:
            assert labels[result.label[position]] == leaders[0]
            expected = best / votes.total() if votes.total() > 1 else 0.0
            assert result.confidence[position] == pytest.approx(expected)
        else:
            assert result.label[position] == -1
            assert result.confidence[position] == 0.0


@given(rows_of_answers, st.permutations(range(4)), st.permutations(range(6)))
def test_other_names_and_another_order_change_nothing_but_names(
    rows: list[tuple[int, int, int]], labels: list[int], workers: list[int]
) -> None:
    tasks = [str(t) for t in range(7)]
    plain = majority(
        Answers.from_rows([(str(t), str(w), str(k)) for t, w, k in rows], labels=list("0123"), tasks=tasks)
    )
    renamed = majority(
        Answers.from_rows(
            [(str(t), str(workers[w]), str(labels[k])) for t, w, k in reversed(rows)],
            labels=list("0123"),
            tasks=tasks,
        )
    )
    assert [labels[k] if k >= 0 else -1 for k in plain.label] == renamed.label.tolist()
    assert plain.confidence.tolist() == renamed.confidence.tolist()
    assert plain.tied.tolist() == renamed.tied.tolist()


def test_many_classes_need_no_dense_table() -> None:
    # 200,000 tasks x 1,000 classes as a table would be 1.6 GB
    rng = np.random.default_rng(1)
    n_tasks, n_labels = 200_000, 1_000
    task = np.repeat(np.arange(n_tasks, dtype=np.int32), 3)
    truth = rng.integers(0, n_labels, n_tasks, dtype=np.int32)
    names = tuple(map(str, range(n_tasks)))
    answers = Answers(
        task,
        rng.integers(0, 50, len(task), dtype=np.int32),
        truth[task],
        names,
        names[:50],
        names[:n_labels],
    )
    assert (majority(answers).label == truth).all()
