"""Stopping rules: is an item's answer settled, should one more worker be asked, or is it time to give up.

A rule is a pure function of the answers, so a run can be replayed with another rule without asking anybody
(:mod:`groundswell.consolidation.replay`). Rules are data: :func:`rule_from` reads the ``redundancy`` section
of a batch file. Importing this package costs nothing: numpy is imported where many items are judged at once.
"""

from __future__ import annotations

from groundswell.consolidation.stopping.reading import rule_from
from groundswell.consolidation.stopping.rules import (
    ASK,
    DEFAULT_CONFIDENCE,
    DEFAULT_FIRST,
    GIVE_UP,
    SETTLED,
    Agree,
    Confidence,
    Decision,
    Fixed,
    Lead,
    Standing,
    StoppingRule,
)

__all__ = [
    "ASK",
    "DEFAULT_CONFIDENCE",
    "DEFAULT_FIRST",
    "GIVE_UP",
    "SETTLED",
    "Agree",
    "Confidence",
    "Decision",
    "Fixed",
    "Lead",
    "Standing",
    "StoppingRule",
    "rule_from",
]
