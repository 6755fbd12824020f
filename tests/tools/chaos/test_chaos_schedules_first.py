from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tools.chaos.chaos_chunks import check_schedules, staged
from tools.chaos.stage import Stage

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    yield from staged()


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_no_schedule_costs_a_cent_or_an_answer(stage: Stage, first: int) -> None:
    check_schedules(stage, range(first, first + 20))
