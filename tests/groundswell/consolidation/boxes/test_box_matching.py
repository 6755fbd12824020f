from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from groundswell.consolidation.boxes.geometry import Pairs, pairs
from groundswell.consolidation.boxes.matching import clusters, linked


def match(worker: list[int], boxes: list[list[float]], label: list[int] | None = None) -> list[int]:
    corners = np.array(boxes, dtype=float)
    drawn = np.array(worker, dtype=np.int32)
    label_of = np.array(label if label is not None else [-1] * len(worker), dtype=np.int32)
    near = pairs(np.zeros(len(worker), np.int32), corners, 0.25)
    return clusters(linked(near, drawn, label_of), drawn).tolist()


def test_the_most_similar_boxes_of_different_workers_match() -> None:
    # two neighbours that overlap each other, each drawn by both workers
    assert match([0, 0, 1, 1], [[0, 0, 10, 10], [4, 0, 14, 10], [5, 0, 15, 10], [1, 0, 11, 10]]) == [
        0,
        1,
        1,
        0,
    ]


def test_a_worker_has_one_box_per_object() -> None:
    assert match([0, 0, 1], [[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10]]) == [0, 1, 0]


def test_a_chain_does_not_hold_two_boxes_of_a_worker_together() -> None:
    # a - b - c - d overlap in turn; a and d are one worker's
    boxes = [[0, 0, 10, 10], [2, 0, 12, 10], [5, 0, 15, 10], [7, 0, 17, 10]]
    found = match([0, 1, 2, 0], boxes)
    assert found[0] == found[1]
    assert found[2] == found[3] != found[0]


def test_different_classes_match_only_where_they_overlap_by_half() -> None:
    far, near = [[0, 0, 10, 10], [5, 0, 15, 10]], [[0, 0, 10, 10], [2, 0, 12, 10]]
    assert match([0, 1], far, [0, 0]) == [0, 0]
    assert match([0, 1], far, [0, 1]) == [0, 1]
    assert match([0, 1], far, [0, -1]) == [0, 0]
    assert match([0, 1], near, [0, 1]) == [0, 0]


def one_by_one(pairs: Pairs, worker: NDArray[np.int32]) -> set[frozenset[int]]:
    groups = {box: frozenset([box]) for box in range(len(worker))}
    order = np.lexsort((pairs.second, pairs.first, -pairs.overlap))
    for one, other in zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True):
        both = groups[one] | groups[other]
        if groups[one] != groups[other] and len({int(worker[box]) for box in both}) == len(both):
            groups.update(dict.fromkeys(both, both))
    return set(groups.values())


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 40))
def test_it_equals_joining_all_pairs_one_by_one(seed: int, workers: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, 25, (size, 2))
    corners = np.hstack([low, low + rng.uniform(4, 12, (size, 2))])
    worker = rng.integers(0, workers, size).astype(np.int32)
    near = linked(pairs(np.zeros(size, np.int32), corners, 0.2), worker, np.full(size, -1, np.int32))
    found = clusters(near, worker)
    as_sets = {frozenset(np.flatnonzero(found == at).tolist()) for at in range(found.max() + 1)}
    assert as_sets == one_by_one(near, worker)


def test_no_boxes_have_no_clusters() -> None:
    nothing = np.empty(0, np.int64)
    assert len(clusters(Pairs(nothing, nothing, np.empty(0)), np.empty(0, np.int32))) == 0
