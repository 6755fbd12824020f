from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc

from groundswell.consolidation.classification.skill import skill_of


def test_nothing_is_known_of_a_worker_without_answers() -> None:
    skill = skill_of(np.array([0.0, 2.0]), np.array([0.0, 0.0]))
    assert np.isnan([skill.mean[0], skill.low[0], skill.high[0]]).all()
    # Beta(2.5, 0.5)
    assert skill.mean[1] == pytest.approx(2.5 / 3)
    assert betainc(2.5, 0.5, skill.low[1]) == pytest.approx(0.05)


@pytest.mark.parametrize("wrong", [0.0, 0.4, 3.0, 9.4, 9.5, 9.6, 40.0, 4_000.0])
def test_nine_tenths_lie_between_the_ends(wrong: float) -> None:
    right = np.array([0.5, 8.0, 9.6, 30.0, 2_000.0])
    skill = skill_of(right, np.full(5, wrong))
    a, b = right + 0.5, wrong + 0.5
    assert np.allclose(betainc(a, b, skill.low), 0.05, atol=2e-3)
    assert np.allclose(betainc(a, b, skill.high), 0.95, atol=2e-3)


def test_more_answers_make_it_surer() -> None:
    right = np.array([4.0, 40.0, 400.0])
    skill = skill_of(right, right / 4)
    assert (np.diff(skill.high - skill.low) < 0).all()
    assert np.allclose(skill.mean, 0.8, atol=0.06)
