"""Requester accounts and their money."""

from __future__ import annotations

from typing import Literal

AccountMode = Literal["ledger", "sandbox"]


class AccountService:
    """Opens requester accounts."""

    def ensure_account(self, account_id: str, *, name: str, opening_cents: int, mode: AccountMode) -> None:
        """Make the account unless it exists; the opening deposit is credited once."""
        raise NotImplementedError
