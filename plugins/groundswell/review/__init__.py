"""Who should be looked at before being paid, and on what evidence. Pure: nothing here asks or rejects."""

from __future__ import annotations

from groundswell.review.evidence import Answers, Evidence
from groundswell.review.proposals import Candidate, Proposal, Proposals, propose
from groundswell.review.suspicion import reason_to_withhold, suspects

__all__ = [
    "Answers",
    "Candidate",
    "Evidence",
    "Proposal",
    "Proposals",
    "propose",
    "reason_to_withhold",
    "suspects",
]
