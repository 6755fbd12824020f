"""Money that people put into an account while runs are under way, as they state it.

The Requester API does not tell deposits, and a rise of the balance alone could be anything: so a person says
how much, and when. Each statement is an object of its own, ``_deposits/<receipt>.jsonl``, never changed; what
was stated wrongly is put right by another one, of a negative amount if need be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from groundswell.batches.units import dollars, parse_money, to_cents
from groundswell.errors import LedgerError
from groundswell.ledger.ledger import decode, encode
from groundswell.ledger.store import PartStore

# Batch names start with a letter or digit, so no ledger lives here
_ROOT = "_deposits/"
_RECEIPT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True)
class Deposit:
    """One deposit.

    Attributes:
        receipt: the person's id of it; a receipt counts once, however often it is stated.
        account: the Airflow connection of the account that got it.
        cents: how much; negative for money that was taken out.
        at: when (ISO 8601, UTC).
    """

    receipt: str
    account: str
    cents: int
    at: str


def read_deposit(params: Mapping[str, Any], account: str, *, now: datetime) -> Deposit:
    """Read a deposit from the parameters of a DAG run: ``receipt``, ``amount`` and ``at`` ("": now).

    Raises:
        LedgerError: names what is wrong, with the fix, on one line.
    """
    receipt, amount = str(params["receipt"]).strip(), str(params["amount"]).strip()
    if _RECEIPT.fullmatch(receipt) is None:
        raise LedgerError(f"receipt: {receipt!r} is no id; use up to 63 letters, digits, dots, hyphens")
    try:
        cents = to_cents(parse_money(amount.removeprefix("-"))) * (-1 if amount.startswith("-") else 1)
    except ValueError as error:  # its advice is for batch files
        raise LedgerError(
            f"amount: {amount!r} is not an amount of dollars; write digits and at most two decimals, without "
            "sign of currency, commas or quotes: 25.00, or -25.00 for what was taken out"
        ) from error
    if not cents:
        raise LedgerError("amount: is nothing; write what the account got, such as 25.00")
    return Deposit(receipt, account, cents, _moment(str(params["at"]).strip(), now))


def _moment(text: str, now: datetime) -> str:
    try:
        moment = datetime.fromisoformat(text) if text else now
        if moment.tzinfo is None:
            raise LedgerError(f"at: {text!r} has no time zone; write 2026-11-22T14:30+00:00")
        if moment > now:
            raise LedgerError(f"at: {text} is in the future; state a deposit once it is there")
        return moment.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise LedgerError(f"at: {text!r} is no time; write 2026-11-22T14:30+00:00") from error


def state(store: PartStore, deposit: Deposit, *, by: str | None, stated: str, at_known: bool) -> Deposit:
    """Write a deposit down, unless that was done before; return it as it is kept.

    :param by: the person who states it, as far as it is known.
    :param stated: when (ISO 8601, UTC).
    :param at_known: whether a person said when the deposit was made; otherwise it was "just now", which is
        another moment each time that a task is tried.

    Raises:
        LedgerError: where the receipt stands for another amount, account or time.
    """
    key = f"{_ROOT}{deposit.receipt}.jsonl"
    if store.put_if_absent(key, encode([asdict(deposit) | {"by": by, "stated": stated}])):
        return deposit
    [known] = _read(store, key)
    same = (known.account, known.cents) == (deposit.account, deposit.cents)
    back = f"{'-' if known.cents > 0 else ''}{abs(known.cents) // 100}.{abs(known.cents) % 100:02d}"
    if not same or (at_known and known.at != deposit.at):
        raise LedgerError(
            f"receipt {deposit.receipt}: was stated as {dollars(known.cents)} for connection "
            f"{known.account!r} at {known.at}, and is kept; to put that right, take it back under another "
            f"receipt ({back} at {known.at}), and state it anew under a third"
        )
    return known


def stated(store: PartStore, account: str) -> list[Deposit]:
    """Return what was stated of an account, by receipt."""
    found = [deposit for key in sorted(store.keys(_ROOT)) for deposit in _read(store, key)]
    return [deposit for deposit in found if deposit.account == account]


def _read(store: PartStore, key: str) -> list[Deposit]:
    names = ("receipt", "account", "cents", "at")
    return [Deposit(**{name: row[name] for name in names}) for row in decode(store.get(key) or b"", key)]
