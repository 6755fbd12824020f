"""Requester accounts and their money."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, bindparam, insert, select, update

from workforce.market.errors import MarketError, not_authorised
from workforce.market.unit import Context
from workforce.store.tables import accounts, journal
from workforce.store.times import from_ms_whole

AccountMode = Literal["ledger", "sandbox"]
_MODE = select(accounts.c.mode).where(accounts.c.account_id == bindparam("account"))


class AccountService:
    """Opens requester accounts."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def ensure_account(self, account_id: str, *, name: str, opening_cents: int, mode: AccountMode) -> None:
        """Make the account unless it exists; the opening deposit is credited once.

        A "ledger" account holds and pays money; a "sandbox" account shows a constant balance of 10,000
        dollars and never lacks any. Raises MarketError for a negative deposit or when the account exists in
        the other mode.
        """
        if opening_cents < 0:
            raise MarketError(f"account {account_id}: the opening balance must not be negative")
        with self._context.store.write() as connection:
            now_ms = self._context.now_ms()
            # RETURNING, because the row count of an INSERT is not known with every driver
            made = connection.execute(
                self._context.store.insert(accounts)
                .values(
                    account_id=account_id,
                    name=name,
                    mode=mode,
                    available_cents=opening_cents,
                    held_cents=0,
                    created_ms=now_ms,
                )
                .on_conflict_do_nothing()
                .returning(accounts.c.account_id)
            ).first()
            if made is not None:
                connection.execute(
                    insert(journal).values(
                        account_id=account_id, at_ms=now_ms, kind="opening", cents=opening_cents
                    )
                )
                return
            found = is_funded(connection, account_id)
            if found != (mode == "ledger"):
                other = "ledger" if found else "sandbox"
                raise MarketError(
                    f"account {account_id} exists in {other} mode; start with mode {other}, "
                    "or use another database"
                )
            connection.execute(update(accounts).where(accounts.c.account_id == account_id).values(name=name))

    def deposit(self, account_id: str, cents: int) -> tuple[datetime, int]:
        """Credit money to an account; returns when, and what is available then, in cents.

        Doing it again credits it again. Raises MarketError for an unknown account, one in sandbox mode, or
        an amount that is not positive.
        """
        if cents < 1:
            raise MarketError(f"account {account_id}: a deposit is one cent at least")
        with self._context.store.write() as connection:
            now_ms = self._context.now_ms()  # once it is its turn: a balance read before is without it
            if not is_funded(connection, account_id):
                raise MarketError(f"account {account_id} is in sandbox mode and never lacks money")
            available = connection.execute(
                update(accounts)
                .where(accounts.c.account_id == account_id)
                .values(available_cents=accounts.c.available_cents + cents)
                .returning(accounts.c.available_cents)
            ).scalar_one()
            entry = {"account_id": account_id, "at_ms": now_ms, "kind": "deposit", "cents": cents}
            connection.execute(insert(journal).values(entry))
        return from_ms_whole(now_ms), int(available)


def is_funded(connection: Connection, account_id: str) -> bool:
    """Whether the account keeps a ledger; raises RequestError for an account that the market lacks."""
    mode = connection.execute(_MODE, {"account": account_id}).scalar_one_or_none()
    if mode is None:
        raise not_authorised()
    return bool(mode == "ledger")
