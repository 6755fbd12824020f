"""Private labelling teams, played: the traces that Ground Truth leaves in Cognito, Logs and CloudWatch.

``python -m localcloud.teams --endpoint URL`` writes them through the AWS API; `simulate` gives the same
events without any network, and `truth_of` what they add up to.
"""

from __future__ import annotations

from localcloud.teams.lines import Event
from localcloud.teams.plan import Plan, PlanError, default_plan, load_plan
from localcloud.teams.simulation import Account, simulate
from localcloud.teams.truth import Row, Truth, truth_of

__all__ = [
    "Account",
    "Event",
    "Plan",
    "PlanError",
    "Row",
    "Truth",
    "default_plan",
    "load_plan",
    "simulate",
    "truth_of",
]
