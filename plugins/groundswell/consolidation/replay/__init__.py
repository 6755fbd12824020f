"""What another stopping rule would have cost: recorded answers, replayed without asking anybody.

``python -m groundswell.consolidation replay answers.csv --rule '{...}'`` is the command;
:func:`~groundswell.consolidation.replay.comparing.compare` and
:func:`~groundswell.consolidation.replay.comparing.table` do the same for programs.
"""

from __future__ import annotations

from groundswell.consolidation.replay.comparing import Row, compare, same_spend, table
from groundswell.consolidation.replay.recorded import Recorded, read_recorded
from groundswell.consolidation.replay.simulation import Bought, replay

__all__ = ["Bought", "Recorded", "Row", "compare", "read_recorded", "replay", "same_spend", "table"]
