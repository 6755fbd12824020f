"""Schedules in chunks, so that processes can share them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.chaos.schedule import schedule_of
from tools.chaos.simulation import play
from tools.chaos.stage import Stage


def staged() -> Iterator[Stage]:
    """The servers and clients of a test file."""
    with Stage() as stage:
        yield stage


def check_schedules(stage: Stage, seeds: range) -> None:
    """Play schedules; tell how to replay those after which something is wrong."""
    wrong = []
    for seed in seeds:
        played = play(stage, schedule_of(seed))
        if not played.ok:
            wrong.append(f"python -m tools.chaos fast --replay {seed} -v: {played.verdict.problems[0]}")
    if wrong:
        pytest.fail("\n".join(wrong))
