"""NextToken: where a list was left off, sealed so that it fits only the list it came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Any

from workforce.market.errors import RequestError

_CURSOR = struct.Struct(">qq")
_SEAL_BYTES = 32

Cursor = tuple[int, int]


class Pages:
    """Makes and reads tokens. They hold a position only, so pages stay right while the list changes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def token(self, cursor: Cursor, *bound_to: str) -> str:
        """A token for what comes after `cursor` in the list that `bound_to` describes."""
        body = _CURSOR.pack(*cursor)
        return base64.urlsafe_b64encode(self._seal(body, bound_to) + body).decode()

    def cursor(self, token: str | None, *bound_to: str) -> Cursor | None:
        """The position in a token, None for the first page; raises RequestError for another list's token."""
        if token is None:
            return None
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (UnicodeEncodeError, binascii.Error) as error:
            raise _wrong() from error
        seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
        if len(body) != _CURSOR.size or not hmac.compare_digest(seal, self._seal(body, bound_to)):
            raise _wrong()
        first, second = _CURSOR.unpack(body)
        return first, second

    def page(
        self, name: str, found: list[dict[str, Any]], last: Cursor | None, bound_to: tuple[str, ...]
    ) -> dict[str, Any]:
        """A page of results; each with something on it has a token, also the last one: clients rely on it."""
        page: dict[str, Any] = {"NumResults": len(found), name: found}
        if last is not None:
            page["NextToken"] = self.token(last, *bound_to)
        return page

    def _seal(self, body: bytes, bound_to: tuple[str, ...]) -> bytes:
        message = b"\x00".join([body, *(part.encode() for part in bound_to)])
        return hmac.new(self._secret, message, hashlib.sha256).digest()


def _wrong() -> RequestError:
    return RequestError(
        "NextToken: it is not one that this operation returned for these parameters; "
        "call again without it to start from the first page"
    )
