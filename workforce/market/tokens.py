"""UniqueRequestToken: the same request twice has one effect, and the second caller learns of the first."""

from __future__ import annotations

from datetime import UTC
from uuid import uuid4

from sqlalchemy import delete, select

from workforce.market.errors import PREFIX, RequestError
from workforce.market.unit import Context, Unit
from workforce.store.tables import tokens
from workforce.store.times import DAY_MS, from_ms

_HOUR_MS = DAY_MS // 24


class Tokens:
    """Remembers tokens for their life, in the transaction of what they stand for."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def claim_hit(self, unit: Unit, account: str, operation: str, token: str | None, hit_id: str) -> None:
        """Remember that a token made a HIT; raises RequestError naming the HIT if it did so before."""
        found = self._claim(unit, account, operation, token, hit_id)
        if found is not None:
            raise RequestError(f'The HIT with ID "{found}" already exists.', f"{PREFIX}HitAlreadyExists")

    def claim_request(self, unit: Unit, account: str, operation: str, token: str | None) -> None:
        """Remember that a token was used; raises RequestError naming the first request if it was before."""
        found = self._claim(unit, account, operation, token, str(uuid4()))
        if found is not None:
            raise RequestError(
                f'The idempotency token "{token}" has already been processed. Request ID: {found}'
            )

    def claim_expiration(self, unit: Unit, account: str, hit_id: str, expire_ms: int) -> None:
        """The service makes a token of HIT and date by itself, so the same extension twice is an error."""
        date = from_ms(expire_ms).astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
        token = f"{hit_id}{date}"
        if self._claim(unit, account, "UpdateExpirationForHIT", token, hit_id) is not None:
            raise RequestError(f'The idempotency token "{token}" has already been processed.')

    def purge(self, now_ms: int) -> None:
        """Forget tokens whose life is over."""
        with self._context.store.write() as connection:
            connection.execute(delete(tokens).where(tokens.c.created_ms <= self._oldest(now_ms)))

    def _claim(self, unit: Unit, account: str, operation: str, token: str | None, result: str) -> str | None:
        """None if the token is new (and now taken), else what it stood for."""
        if token is None:
            return None
        key = (tokens.c.account_id == account) & (tokens.c.operation == operation) & (tokens.c.token == token)
        values = {
            "account_id": account,
            "operation": operation,
            "token": token,
            "created_ms": unit.now_ms,
            "result": result,
        }
        # one that outlived its 24 hours is taken over in place; a live one stays and is reported
        statement = self._context.store.insert(tokens).values(values)
        taken = unit.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["account_id", "operation", "token"],
                set_={"created_ms": unit.now_ms, "result": result},
                where=tokens.c.created_ms <= self._oldest(unit.now_ms),
            ).returning(tokens.c.token)
        ).first()
        if taken is not None:
            return None
        return str(unit.connection.execute(select(tokens.c.result).where(key)).scalar_one())

    def _oldest(self, now_ms: int) -> int:
        return now_ms - self._context.settings.token_hours * _HOUR_MS
