"""The section ``consolidation`` of a batch file: how answers become labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from groundswell.batches.options import Location
from groundswell.batches.sections import Section


class Consolidation(Section):
    """How answers become labels, and what is known beforehand. Every option may be left out.

    Attributes:
        method: how answers are weighed.
        gold: a CSV file of items whose label is known (columns ``item``, ``label``): a path, or an S3 URI.
        earlier_skill: whether what earlier runs of the batch say about the workers counts.
    """

    method: Literal["default", "majority", "weighted_majority", "one_coin", "dawid_skene", "subtypes"] = (
        "default"
    )
    gold: Location | None = None
    earlier_skill: bool = True

    @property
    def local_gold(self) -> Path | None:
        """The file of known labels on disk, or None if there is none or it is in S3."""
        return None if self.gold is None or self.gold.startswith("s3://") else Path(self.gold)
