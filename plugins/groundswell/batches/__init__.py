"""A batch as data: what to label, for how much, by which rule, and where the result goes."""

from __future__ import annotations
