from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from groundswell.consolidation.boxes import geometry
from groundswell.consolidation.boxes.geometry import overlap, pairs


def random_boxes(
    seed: int, size: int, images: int, grid: bool
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 20, (size, 2))
    boxes = np.hstack([low, low + rng.uniform(1, 12, (size, 2))])
    if grid:  # equal edges, touching and identical boxes
        boxes = np.round(boxes)
    return rng.integers(0, images, size).astype(np.int32), boxes


def by_hand(one: list[float], other: list[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    sizes = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(sizes) - width * height)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        ([0, 0, 10, 10], 1.0),
        ([0, 0, 10, 5], 0.5),
        ([5, 5, 15, 15], 25 / 175),
        ([10, 0, 20, 10], 0.0),
        ([2, 2, 4, 4], 0.04),
    ],
)
def test_overlap_is_intersection_over_union(other: list[float], share: float) -> None:
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    assert overlap(box, np.array([other], dtype=float)) == pytest.approx([share])


@pytest.mark.parametrize("block", [1, 7, 1 << 21])
@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("threshold", [1e-9, 0.25, 0.5])
def test_pairs_are_those_of_comparing_all_with_all(
    monkeypatch: pytest.MonkeyPatch, block: int, grid: bool, threshold: float
) -> None:
    monkeypatch.setattr(geometry, "_BLOCK", block)
    task, boxes = random_boxes(3, 60, 3, grid)
    found = pairs(task, boxes, threshold)
    got = {
        (one, other): share
        for one, other, share in zip(
            found.first.tolist(), found.second.tolist(), found.overlap.tolist(), strict=True
        )
    }
    assert len(got) == len(found.first)
    expected = {
        (one, other): share
        for one in range(60)
        for other in range(one + 1, 60)
        if task[one] == task[other]
        and (share := by_hand(boxes[one].tolist(), boxes[other].tolist())) >= threshold
    }
    assert expected
    assert got.keys() == expected.keys()
    assert all(got[pair] == pytest.approx(share) for pair, share in expected.items())


def test_no_boxes_have_no_pairs() -> None:
    found = pairs(np.empty(0, np.int32), np.empty((0, 4)), 0.25)
    assert [len(column) for column in found] == [0, 0, 0]
