"""What makes thousands of schedules affordable, and changes nothing but time."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from groundswell.batches.model import Batch


class NoThreads:
    """Stands in for the pool of readers, whose threads cost more than reading from memory."""

    def __init__(self, _: int) -> None:
        self.map = map

    def __enter__(self) -> NoThreads:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def remembering(parse: Callable[[str, Path], Batch]) -> Callable[[str, Path], Batch]:
    """Parse each text once: batches are immutable."""
    known: dict[tuple[str, Path], Batch] = {}

    def remembered(text: str, path: Path) -> Batch:
        if (text, path) not in known:
            known.clear()  # of the schedule before
            known[text, path] = parse(text, path)
        return known[text, path]

    return remembered


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Let nothing be logged: thousands of schedules mean to fail all the time."""
    before = structlog.get_config()
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        logging.disable(level)
        structlog.configure(**before)
