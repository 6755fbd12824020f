"""A seeded, simulated crowd that works through the market like people do."""

from __future__ import annotations

from workforce.crowd.plan import Crowd, CrowdFileError, CrowdPlan
from workforce.crowd.runner import CrowdRunner
from workforce.crowd.simulation import CrowdStats

__all__ = ["Crowd", "CrowdFileError", "CrowdPlan", "CrowdRunner", "CrowdStats"]
