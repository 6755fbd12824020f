from __future__ import annotations

import numpy as np
import pytest

from groundswell.consolidation.segmentation import patterns as patterns_module
from groundswell.consolidation.segmentation.patterns import patterns
from groundswell.consolidation.segmentation.smoothing import best, smoothed
from groundswell.consolidation.segmentation.weights import Record, fit, shares, votes


@pytest.mark.parametrize("most", [1, 40, 1 << 22])
@pytest.mark.parametrize("labels", [2, 300])
def test_patterns_are_the_different_columns(monkeypatch: pytest.MonkeyPatch, most: int, labels: int) -> None:
    monkeypatch.setattr(patterns_module, "_MOST_CODES", most)
    maps = np.random.default_rng(1).integers(0, labels, (4, 500)).astype(np.int32)
    found = patterns(maps)
    assert np.array_equal(found.labels[found.at].T, maps)
    columns, counts = np.unique(maps.T, axis=0, return_counts=True)
    assert sorted(map(tuple, found.labels.tolist())) == sorted(map(tuple, columns.tolist()))
    assert found.count.sum() == counts.sum() == 500
    assert np.bincount(found.at).tolist() == found.count.tolist()
    assert found.disputed.tolist() == [len(set(row)) > 1 for row in found.labels.tolist()]


def test_votes_stand_at_a_labels_first_place() -> None:
    labels = np.array([[3, 1, 3], [2, 2, 2], [0, 1, 2]], dtype=np.int32)
    weights = np.array([1.0, 2.0, 4.0])
    none = -np.inf
    assert votes(labels, weights).tolist() == [[5, 2, none], [7, none, none], [1, 2, 4]]
    assert shares(labels, weights) == pytest.approx(
        np.array([[5 / 7, 2 / 7, 0], [1, 0, 0], [1 / 7, 2 / 7, 4 / 7]])
    )


def record(maps: list[list[int]], workers: list[int]) -> Record:
    seen = patterns(np.array(maps, dtype=np.int32))
    return Record(np.array(workers, dtype=np.int32), seen.labels, seen.count)


def test_overlap_is_with_the_others_and_without_background() -> None:
    # 1 and 2 agree on four of ten pixels, and 0 has half of them
    wide, half = [1] * 4 + [0] * 6, [1] * 2 + [0] * 8
    same = [record([half, wide, wide], [0, 1, 2])] * 50
    weights, overlap = fit(same, 4, 2, 0)
    assert overlap.mean[0] == pytest.approx(0.5, abs=0.02)
    # to worker 1 the others are one for two pixels, and for two more as far as 2 outweighs 0
    assert 0.8 < overlap.mean[1] < 1.0
    assert np.isnan(overlap.mean[3])
    assert weights[1] == weights[2] > weights[3] > weights[0]
    assert (overlap.low[:3] < overlap.mean[:3]).all()
    assert (overlap.mean[:3] < overlap.high[:3]).all()
    with_background = fit(same, 4, 2, None)[1]
    assert with_background.mean[0] == pytest.approx((0.5 + 6 / 8) / 2, abs=0.02)


def test_workers_who_see_nothing_together_agree() -> None:
    weights, overlap = fit([record([[0] * 9, [0] * 9], [0, 1])] * 20, 2, 2, 0)
    assert overlap.mean == pytest.approx([1.0, 1.0], abs=0.01)
    assert weights == pytest.approx([1.0, 1.0])


def test_nobody_to_compare_with() -> None:
    for records in ([], [record([[0, 1]], [0])]):
        weights, overlap = fit(records, 1, 2, 0)
        assert np.isfinite(weights).all()
        assert np.isnan(overlap.mean).all()


def test_the_best_candidate_and_how_ties_are_broken() -> None:
    candidates = np.array([[1, 2], [2, 1], [2, 1], [1, 2]], dtype=np.int32)
    score = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0], [1.0, -np.inf]])
    rank = np.array([0, 1, 2], dtype=np.int32)
    assert best(candidates, score, rank).tolist() == [2, 1, 1, 1]
    current = np.array([1, 2, 0, 2], dtype=np.int32)
    assert best(candidates, score, rank, current).tolist() == [2, 2, 1, 1]


def by_hand(
    label: np.ndarray, candidates: dict[tuple[int, int], dict[int, float]], strength: float
) -> np.ndarray:
    """Pixel by pixel, the four grids one after another, until nothing changes."""
    label = label.copy()
    height, width = label.shape
    for _ in range(10):
        before = label.copy()
        for grid in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for (row, column), scores in candidates.items():
                if (row % 2, column % 2) != grid:
                    continue
                total = dict(scores)
                for down in (-1, 0, 1):
                    for right in (-1, 0, 1):
                        at = (row + down, column + right)
                        if (down, right) == (0, 0) or not (0 <= at[0] < height and 0 <= at[1] < width):
                            continue
                        if label[at] in total:
                            total[label[at]] += strength * (1 if 0 in (down, right) else 0.5**0.5)
                label[row, column] = max(total, key=lambda name, total=total: total[name])
        if np.array_equal(before, label):
            break
    return label


@pytest.mark.parametrize("strength", [0.1, 0.5, 2.0])
def test_smoothing_equals_going_pixel_by_pixel(strength: float) -> None:
    rng = np.random.default_rng(5)
    height, width = 7, 9
    label = rng.integers(0, 3, (height, width)).astype(np.int32)
    pixel = np.flatnonzero(rng.random(height * width) < 0.6)
    candidates = np.array([rng.permutation(3)[:2] for _ in pixel], dtype=np.int32)
    score = rng.normal(size=candidates.shape)
    known = {
        divmod(int(at), width): dict(zip(names, values, strict=True))
        for at, names, values in zip(pixel, candidates.tolist(), score.tolist(), strict=True)
    }
    rank = np.arange(3, dtype=np.int32)
    found = smoothed(label, pixel, candidates, score, rank, strength)
    assert np.array_equal(found, by_hand(label, known, strength))
    assert not np.array_equal(found, label)
    free = np.ones(label.size, bool)
    free[pixel] = False
    assert np.array_equal(found.ravel()[free], label.ravel()[free])
