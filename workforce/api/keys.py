"""Access keys held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class AccessKey:
    """One key pair and the account that it acts for; the secret is kept out of its printed form."""

    access_key: str
    secret: str
    account: str

    def __repr__(self) -> str:
        return f"AccessKey(access_key={self.access_key!r}, account={self.account!r})"


class StaticKeys:
    """A fixed set of keys (a KeyRing)."""

    def __init__(self, *keys: AccessKey) -> None:
        self._keys: Mapping[str, AccessKey] = {key.access_key: key for key in keys}

    def secret(self, access_key: str) -> str | None:
        """Return the key's secret; None when the key is unknown."""
        key = self._keys.get(access_key)
        return key.secret if key else None

    def account(self, access_key: str) -> str:
        """Return the id of the account that the key belongs to; KeyError for an unknown key."""
        return self._keys[access_key].account
