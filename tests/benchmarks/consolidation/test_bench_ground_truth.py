from __future__ import annotations

import numpy as np
import pytest

from benchmarks.consolidation.ground_truth import modified_dawid_skene
from groundswell.consolidation.data import Answers

Matrix = list[list[float]]


def by_hand(answers: Answers, rounds: int) -> np.ndarray:
    """The published description, one multiplication after the other."""
    k, n_workers = len(answers.label_names), len(answers.worker_names)
    votes: dict[int, list[tuple[int, int]]] = {}
    for task, worker, label in zip(answers.task, answers.worker, answers.label, strict=True):
        votes.setdefault(int(task), []).append((int(worker), int(label)))
    confusion = [even(0.7, k) for _ in range(n_workers)]
    crowd = 0.7
    p = {task: [1 / k] * k for task in votes}
    for _ in range(rounds):
        share = [sum(p[task][c] for task in p) / len(p) for c in range(k)]
        for task, given in votes.items():
            row = list(share)
            for worker, label in given:
                for truth in range(k):
                    row[truth] *= confusion[worker][truth][label]
            p[task] = [each / sum(row) for each in row]
        accuracies = []
        for worker in range(n_workers):
            confusion[worker], accuracy = confusion_of(worker, votes, p, k, crowd)
            accuracies.append(accuracy)
        crowd = sum(accuracies) / n_workers
    return np.array([p[task] for task in sorted(p)])


def confusion_of(
    worker: int, votes: dict[int, list[tuple[int, int]]], p: dict[int, list[float]], k: int, crowd: float
) -> tuple[Matrix, float]:
    counts = [[0.0] * k for _ in range(k)]
    for task, given in votes.items():
        for who, label in given:
            for truth in range(k):
                counts[truth][label] += p[task][truth] if who == worker else 0
    n = sum(map(sum, counts))
    accuracy = sum(counts[c][c] for c in range(k)) / n
    own, everyone = even(accuracy, k), even(crowd, k)
    for truth in range(k):
        row = [counts[truth][c] + own[truth][c] * n + everyone[truth][c] * n / 2 for c in range(k)]
        counts[truth] = [each / sum(row) for each in row]
    return counts, accuracy


def even(accuracy: float, k: int) -> Matrix:
    return [[accuracy if a == b else (1 - accuracy) / (k - 1) for b in range(k)] for a in range(k)]


def some_answers(seed: int, k: int, tasks: int = 40, workers: int = 7) -> Answers:
    random = np.random.default_rng(seed)
    truth = random.integers(k, size=tasks)
    rows = []
    for task in range(tasks):
        for worker in random.choice(workers, size=int(random.integers(1, 5)), replace=False):
            right = random.random() < 0.3 + 0.09 * worker
            rows.append((f"t{task:02}", f"w{worker}", str(truth[task] if right else random.integers(k))))
    return Answers.from_rows(rows, labels=[str(label) for label in range(k)])


@pytest.mark.parametrize("k", [2, 3, 6])
@pytest.mark.parametrize("rounds", [1, 2, 20])
def test_it_is_what_the_description_says(k: int, rounds: int) -> None:
    answers = some_answers(seed=k, k=k)
    assert modified_dawid_skene(answers, rounds) == pytest.approx(by_hand(answers, rounds), abs=1e-12)


def test_many_answers_to_one_item_do_not_underflow() -> None:
    rows = [("a", f"w{worker}", "x" if worker % 2 else "y") for worker in range(3001)]
    posterior = modified_dawid_skene(Answers.from_rows(rows, labels=["x", "y"]))
    assert np.isfinite(posterior).all()
    assert posterior.sum(axis=1) == pytest.approx(1)
