from __future__ import annotations

import numpy as np
import pytest

from benchmarks.consolidation.calibration import calibration_error


def test_scores_that_come_true_have_no_error() -> None:
    score = np.repeat([0.25, 0.75], 4)
    right = np.array([1.0, 0, 0, 0, 1, 1, 1, 0])
    assert calibration_error(score, right) == pytest.approx(0)


def test_it_is_the_gap_of_each_bin_weighted_by_its_items() -> None:
    score = np.array([1.0, 1.0, 1.0, 0.55, 0.0])
    right = np.array([1.0, 1.0, 0.0, 1.0, 0.0])
    assert calibration_error(score, right) == pytest.approx((1 + 0.45 + 0) / 5)


def test_gaps_of_opposite_sign_cancel_only_within_a_bin() -> None:
    assert calibration_error(np.array([0.1, 0.9]), np.array([1.0, 0.0])) == pytest.approx(0.9)
