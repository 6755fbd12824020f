"""What must not matter, and what must help."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.consolidation.classification import METHODS, Method
from groundswell.consolidation.data import Answers

every_method = pytest.mark.parametrize("method", list(METHODS.values()), ids=list(METHODS))

TASKS, WORKERS, LABELS = 7, 5, 4
Row = tuple[int, int, int]
rows_of_answers = st.lists(
    st.tuples(st.integers(0, TASKS - 1), st.integers(0, WORKERS - 1), st.integers(0, LABELS - 1)),
    max_size=30,
    unique=True,
)


def answers_of(rows: list[Row], labels: int = LABELS) -> Answers:
    task, worker, label = (np.array([row[i] for row in rows], dtype=np.int32) for i in range(3))
    names = [tuple(map(str, range(n))) for n in (TASKS, WORKERS, labels)]
    return Answers(task, worker, label, *names)


@every_method
@given(
    rows_of_answers,
    st.permutations(range(TASKS)),
    st.permutations(range(WORKERS)),
    st.permutations(range(LABELS)),
    st.randoms(use_true_random=False),
)
@settings(max_examples=15, deadline=None)
def test_other_names_and_another_order_change_nothing_but_names(
    method: Method, rows: list[Row], tasks: list[int], workers: list[int], labels: list[int], random: object
) -> None:
    plain = method(answers_of(rows))
    renamed_rows = [(tasks[t], workers[w], labels[k]) for t, w, k in rows]
    random.shuffle(renamed_rows)  # type: ignore[attr-defined]
    renamed = method(answers_of(renamed_rows))
    assert [labels[k] if k >= 0 else -1 for k in plain.label] == renamed.label[tasks].tolist()
    # To the last bit
    assert plain.confidence.tolist() == renamed.confidence[tasks].tolist()
    assert plain.tied.tolist() == renamed.tied[tasks].tolist()
    np.testing.assert_array_equal(plain.worker_skill, renamed.worker_skill[workers])
    if plain.posterior is not None:
        np.testing.assert_array_equal(plain.posterior, renamed.posterior[tasks][:, labels])


@every_method
def test_exactly_symmetric_answers_stay_tied(method: Method) -> None:
    """Two classes with mirrored answers: rounding must not decide, however many rounds there are."""
    rows = [(t, (t + i) % WORKERS, i % 2) for t in range(TASKS) for i in range(4)]
    mirrored = [(t, w, 1 - k) for t, w, k in rows]
    both = [*rows, *((t, w, k) for t, w, k in mirrored)]
    result = method(answers_of(both, labels=2))
    assert result.tied.all()


@every_method
@given(rows_of_answers)
@settings(max_examples=8, deadline=None)
def test_a_duplicate_row_counts_once(method: Method, rows: list[Row]) -> None:
    named = [(f"t{t}", f"w{w}", str(k)) for t, w, k in rows]
    labels = list(map(str, range(LABELS)))
    once = method(Answers.from_rows(named, labels=labels))
    twice = method(Answers.from_rows(named + named[: len(named) // 2], labels=labels))
    assert once.label.tolist() == twice.label.tolist()
    assert once.confidence.tolist() == twice.confidence.tolist()


def sensible_crowd(seed: int, labels: int) -> tuple[list[Row], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, 60)
    skill = rng.uniform(0.6, 0.9, 8)
    rows = []
    for t in range(60):
        for w in rng.choice(8, 4, replace=False).tolist():
            wrong = (truth[t] + rng.integers(1, labels)) % labels
            rows.append((t, w, int(truth[t] if rng.random() < skill[w] else wrong)))
    return rows, truth


@every_method
@given(st.integers(0, 10_000), st.integers(2, 4))
@settings(max_examples=6, deadline=None)
def test_a_perfect_worker_never_hurts(method: Method, seed: int, labels: int) -> None:
    rows, truth = sensible_crowd(seed, labels)
    perfect = [*rows, *((t, 8, int(k)) for t, k in enumerate(truth))]

    def right(rows: list[Row]) -> int:
        task, worker, label = (np.array([row[i] for row in rows], dtype=np.int32) for i in range(3))
        names = [tuple(map(str, range(n))) for n in (60, 9, labels)]
        return int((method(Answers(task, worker, label, *names)).label == truth).sum())

    assert right(perfect) >= right(rows)


def test_models_beat_the_vote_on_a_crowd_of_unequal_workers() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, 500)
    skill = np.array([0.95] * 3 + [0.45] * 12)
    task = np.repeat(np.arange(500), 5)
    worker = np.concatenate([rng.choice(15, 5, replace=False) for _ in range(500)])
    right = rng.random(2500) < skill[worker]
    label = np.where(right, truth[task], (truth[task] + rng.integers(1, 3, 2500)) % 3)
    names = [tuple(map(str, range(n))) for n in (500, 15, 3)]
    answers = Answers(task.astype(np.int32), worker.astype(np.int32), label.astype(np.int32), *names)
    accuracy = {name: float((method(answers).label == truth).mean()) for name, method in METHODS.items()}
    assert accuracy["weighted_majority"] > accuracy["majority"]
    for name in ("one_coin", "dawid_skene", "subtypes"):
        assert accuracy[name] > accuracy["majority"] + 0.05
    skills = METHODS["dawid_skene"](answers)
    inside = (skills.skill_low <= skill) & (skill <= skills.skill_high)
    assert inside.mean() > 0.6
    assert (skills.worker_skill[:3].min() > skills.worker_skill[3:]).all()
