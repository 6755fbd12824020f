from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from groundswell.consolidation.boxes.corners import (
    PRIOR_BOXES,
    fit,
    groups,
    locate,
    smoothed_median,
)


def median(values: list[float], weights: list[float]) -> float:
    order = np.argsort(values)
    return float(smoothed_median(np.array(values)[order], np.array(weights)[order]))


@pytest.mark.parametrize(
    ("values", "weights", "expected"),
    [
        ([7.0], [3.0], 7.0),
        ([1.0, 3.0], [1.0, 1.0], 2.0),
        # quantiles .3 to .7 of thirds: 1/12 of the first, 10/12 of the second, 1/12 of the third
        ([0.0, 12.0, 1200.0], [1.0, 1.0, 1.0], 10.0 + 100.0),
        # more than .7 of the weight decides alone
        ([0.0, 1.0, 100.0], [8.0, 1.0, 1.0], 0.0),
        # less than .3 on the far side counts for nothing
        ([5.0, 5.0, 5.0, 1e9], [1.0, 1.0, 1.0, 1.0], 5.0),
        ([1.0, 2.0, 3.0], [1.0, 0.0, 1.0], 2.0),
    ],
)
def test_smoothed_medians(values: list[float], weights: list[float], expected: float) -> None:
    assert median(values, weights) == pytest.approx(expected)


def integral(values: list[float], weights: list[float]) -> float:
    """The definition: the mean of the weighted quantiles between .3 and .7."""
    order = np.argsort(values)
    upto = np.cumsum(np.array(weights)[order]) / np.sum(weights)
    at = 0.3 + 0.4 * (np.arange(20_000) + 0.5) / 20_000
    return float(np.array(values)[order][np.minimum(np.searchsorted(upto, at), len(values) - 1)].mean())


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(0.01, 10), st.floats(0, 50)), min_size=1, max_size=9)
)
def test_it_is_the_mean_of_the_middle_quantiles_and_grows_with_each_value(
    drawn: list[tuple[float, float, float]],
) -> None:
    values, weights, more = (list(column) for column in zip(*drawn, strict=True))
    found = median(values, weights)
    assert found == pytest.approx(integral(values, weights), abs=0.05)
    assert min(values) - 1e-9 <= found <= max(values) + 1e-9
    assert median([a + b for a, b in zip(values, more, strict=True)], weights) >= found - 1e-9


@settings(max_examples=30)
@given(arrays.arrays(np.float64, (5,), elements=st.integers(0, 3).map(float)), st.permutations(range(5)))
def test_the_order_of_equal_values_does_not_matter(values: np.ndarray, order: list[int]) -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    assert median(values.tolist(), weights.tolist()) == pytest.approx(
        median(values[order].tolist(), weights[order].tolist())
    )


def crowd(
    noise: list[float], objects: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = rng.uniform(20, 200, (objects, 2))
    low = rng.uniform(0, 500, (objects, 2))
    truth = np.hstack([low, low + size])
    drawn = truth[:, None] + rng.laplace(0, 1, (objects, len(noise), 4)) * np.array(noise)[
        None, :, None
    ] * np.tile(size, 2).reshape(objects, 1, 4)
    cluster = np.repeat(np.arange(objects), len(noise))
    worker = np.tile(np.arange(len(noise), dtype=np.int32), objects)
    return truth, drawn.reshape(-1, 4), cluster, worker


def test_errors_are_found_and_better_workers_count_more() -> None:
    noise = [0.02, 0.04, 0.04, 0.08, 0.16]
    truth, drawn, cluster, worker = crowd(noise, 400, 1)
    collected = groups(cluster, worker, drawn)
    scales = fit(collected, 5)
    assert scales.boxes.tolist() == [400] * 5
    # An error holds that of the others' consensus, too, so the best look a little worse than they are.
    assert scales.error[1:] == pytest.approx(noise[1:], rel=0.4)
    assert noise[0] < scales.error[0] < scales.error[1:].min()
    weighted = np.abs(locate(collected, scales.weights, 400) - truth).mean()
    assert weighted < 0.85 * np.abs(locate(collected, np.ones(5), 400) - truth).mean()


def test_the_middle_of_three_is_not_taken_for_perfect() -> None:
    _, drawn, cluster, worker = crowd([0.05, 0.05, 0.05], 3, 2)
    error = fit(groups(cluster, worker, drawn), 3).error
    assert error.max() / error.min() < 1.5


def test_few_boxes_say_little() -> None:
    # worker 1 is far off, once
    drawn = np.array([[0.0, 0, 10, 10], [5.0, 5, 15, 15]] + [[0.0, 0, 10, 10], [0.1, 0, 10, 10]] * 20)
    cluster = np.repeat(np.arange(21), 2)
    worker = np.array([0, 1] + [0, 2] * 20, dtype=np.int32)
    error = fit(groups(cluster, worker, drawn), 4).error
    usual = (41 * 0 + sum([0.5 * 8, 40 * 0.01 / 4 * 4])) / (42 * 4)
    assert error[1] == pytest.approx((PRIOR_BOXES * usual + 0.5) / (PRIOR_BOXES + 1), rel=0.2)
    assert error[3] == pytest.approx(usual, rel=0.3)  # never seen: the crowd's


def test_nobody_to_compare_with() -> None:
    drawn = np.array([[0.0, 0, 10, 10], [20.0, 0, 30, 10]])
    collected = groups(np.arange(2), np.zeros(2, np.int32), drawn)
    scales = fit(collected, 1)
    assert scales.boxes.tolist() == [0]
    assert locate(collected, scales.weights, 2).tolist() == drawn.tolist()


def test_large_clusters_work_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, drawn, cluster, worker = crowd([0.05] * 30, 40, 3)
    whole = locate(groups(cluster, worker, drawn), np.ones(30), 40)
    monkeypatch.setattr("groundswell.consolidation.boxes.corners._BLOCK", 400)
    parts = groups(cluster, worker, drawn)
    assert len(parts) > 1
    assert locate(parts, np.ones(30), 40).tolist() == whole.tolist()
    assert np.abs(whole - truth).mean() < 3
    assert fit(parts, 30).error == pytest.approx(0.05, rel=0.3)
