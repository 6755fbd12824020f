"""The rules of the market: HIT life cycle, seats, money, and who sees what."""

from __future__ import annotations

from workforce.market.errors import MarketError, NotImplementedYet, Refused, RequestError, ServiceFault
from workforce.market.market import Market
from workforce.market.settings import MarketSettings
from workforce.market.views import (
    AssignmentView,
    BonusView,
    Earnings,
    HitListing,
    MessageView,
    Question,
    RejectionView,
    WorkerView,
)

__all__ = [
    "AssignmentView",
    "BonusView",
    "Earnings",
    "HitListing",
    "Market",
    "MarketError",
    "MarketSettings",
    "MessageView",
    "NotImplementedYet",
    "Question",
    "Refused",
    "RejectionView",
    "RequestError",
    "ServiceFault",
    "WorkerView",
]
