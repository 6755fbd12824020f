"""The requester's side: one method per API operation, behind `call`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from workforce.market.accounts import AccountService


class RequesterService:
    """Runs API operations for requester accounts."""

    accounts: AccountService

    def call(self, operation: str, account: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Run one API operation, for example "CreateHIT"; raises RequestError or ServiceFault."""
        raise NotImplementedError
