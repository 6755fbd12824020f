"""The rules of the market: HIT life cycle, seats, money, and who sees what."""

from __future__ import annotations

from workforce.market.errors import MarketError, NotImplementedYet, Refused, RequestError, ServiceFault
from workforce.market.market import Market
from workforce.market.settings import MarketSettings
from workforce.market.views import AssignmentView, Earnings, HitListing, Question, WorkerView

__all__ = [
    "AssignmentView",
    "Earnings",
    "HitListing",
    "Market",
    "MarketError",
    "MarketSettings",
    "NotImplementedYet",
    "Question",
    "Refused",
    "RequestError",
    "ServiceFault",
    "WorkerView",
]
