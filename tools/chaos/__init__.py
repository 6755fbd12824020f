"""Do faults, kills and repetitions ever cost a cent or an answer? Thousands of seeded schedules say."""

from __future__ import annotations
