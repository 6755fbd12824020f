from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.consolidation.crowds import REDUNDANCY, real_crowds, synthetic
from benchmarks.consolidation.measuring import measure


def test_a_synthetic_crowd_has_different_workers_per_item_and_the_same_number_of_answers_each() -> None:
    crowd = synthetic(20_000)
    pairs = np.stack([crowd.answers.task, crowd.answers.worker])
    assert np.unique(pairs, axis=1).shape[1] == len(crowd.answers) == 20_000
    assert set(np.bincount(crowd.answers.task)) == {REDUNDANCY}
    assert set(np.bincount(crowd.answers.worker)) == {200}
    right = np.mean(crowd.answers.label == crowd.truth[crowd.answers.task])
    assert right == pytest.approx((0.4 + 0.95) / 2, abs=0.03)


def test_it_is_the_same_every_time_and_another_with_another_seed() -> None:
    first, again, other = synthetic(1_000), synthetic(1_000), synthetic(1_000, seed=5)
    assert np.array_equal(first.answers.label, again.answers.label)
    assert not np.array_equal(first.answers.label, other.answers.label)


def test_real_crowds_are_read_with_their_truth_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name, header in {"b": "task,worker,label", "boxes": "task,worker,x1"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "answers.csv").write_text(f"{header}\n10,3,1\n2,3,0\n2,4,0\n")
        (tmp_path / name / "truth.csv").write_text("task,label\n2,2\n99,0\n")
    (crowd,) = real_crowds(tmp_path)
    assert crowd.name == "b"
    assert crowd.answers.task_names == ("2", "10")
    assert crowd.answers.label_names == ("0", "1", "2")
    assert crowd.truth.tolist() == [2, -1]


def test_added_memory_is_the_peak_of_the_work_and_not_what_was_there() -> None:
    before = np.ones(30_000_000, dtype=np.uint8)

    def work() -> float:
        return float(np.ones(60 << 17).sum())  # 60 MiB

    result, cost = measure(work, runs=2)
    assert result == 60 << 17
    assert 50 < cost.added_mib < 75
    assert cost.before_mib > len(before) / 2**20
    assert 0 < cost.seconds < 10
    assert cost.runs == 2
