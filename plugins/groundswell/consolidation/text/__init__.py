"""One text per item from several workers' texts: the nearest answer, or one put together word by word."""

from __future__ import annotations

from groundswell.consolidation.text.data import TextAnswers, TextConsensus, normal_text
from groundswell.consolidation.text.medoid import medoid
from groundswell.consolidation.text.rover import rover

__all__ = ["TextAnswers", "TextConsensus", "medoid", "normal_text", "rover"]
