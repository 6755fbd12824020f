"""Values that pages share for some seconds."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from groundswell.ui.sources import Kept


def test_threads_that_want_a_value_at_once_make_it_once() -> None:
    kept: Kept[int] = Kept(60.0)
    made: list[int] = []
    together = threading.Barrier(8)

    def make() -> int:
        made.append(1)
        time.sleep(0.01)  # the others are waiting by now
        return 7

    def ask(_: int) -> int:
        together.wait(10)
        return kept.get("key", make)

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [7] * 8
    assert len(made) == 1


def test_a_value_that_is_too_old_is_made_again() -> None:
    kept: Kept[int] = Kept(0.0)
    assert [kept.get("key", lambda value=value: value) for value in (1, 2)] == [1, 2]  # type: ignore[misc]


def test_nothing_is_left_behind_by_keys_that_come_once() -> None:
    """Run ids come from addresses: whoever makes them up must not fill the memory."""
    kept: Kept[int] = Kept(60.0, most=10)
    for number in range(100):
        kept.get(number, lambda: 1)
    assert len(kept._values) <= 10
    assert kept._locks == {}


def test_nothing_is_left_behind_by_values_that_could_not_be_made() -> None:
    kept: Kept[int] = Kept(60.0)

    def fail() -> int:
        raise ValueError("no such run")

    for number in range(3):
        with pytest.raises(ValueError, match="no such run"):
            kept.get(number, fail)
    assert (kept._locks, kept._values) == ({}, {})
    assert kept.get(0, lambda: 5) == 5
