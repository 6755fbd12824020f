"""Chance that depends only on what it is for, so that runs are reproducible whatever the timing."""

from __future__ import annotations

import hashlib
import random


def chance(seed: int, *parts: str) -> random.Random:
    """A generator that is a function of the seed and the parts alone, on every machine and version."""
    text = "\x1f".join((str(seed), *parts))
    return random.Random(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))
