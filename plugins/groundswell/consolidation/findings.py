"""What is odd about a batch's answers and its result, in plain words: no result gets worse silently."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about a result.

    :param kind: a short stable name such as ``class_shrank``, for programs
    :param text: one plain sentence with the numbers and what to do
    :param severity: ``warning``: the labels may be wrong because of it; ``note``: worth knowing
    :param items: names of the items it is about, the first few
    :param workers: names of the workers it is about, the first few
    """

    kind: str
    text: str
    severity: Literal["note", "warning"]
    items: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
