"""What workers are called in reports: a pseudonym that stays, or "forgotten"."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection

#: What stands for every worker who was deleted.
FORGOTTEN = "forgotten"
#: How a pseudonym looks; also what an operator may copy from a report to name a worker.
PSEUDONYM = re.compile(r"w-[0-9a-f]{10}")
_KEY_BYTES = 32
_SHOWN = 10


def new_key() -> bytes:
    """Return a random key for pseudonyms, as it is kept: hexadecimal digits."""
    return secrets.token_hex(_KEY_BYTES).encode()


class Pseudonyms:
    """Pseudonyms under one key: the same worker is called the same on all days and in all sources.

    A pseudonym is ``w-`` and the first 10 hexadecimal digits of HMAC-SHA256(key, worker): whoever has a list
    of workers but not the key cannot tell who is who. Among 10,000 workers two share one with a chance of
    1 in 20,000.

    :param key: what :func:`new_key` gave.
    :param forgotten: the :meth:`mark` of each worker who was deleted, or its first 10 digits where only the
        pseudonym was known; the attribute of this name has them.
    """

    def __init__(self, key: bytes, forgotten: Collection[str] = ()) -> None:
        self._key = key
        self.forgotten = frozenset(forgotten)
        self._known: dict[str, str] = {"": "", FORGOTTEN: FORGOTTEN}

    def mark(self, worker: str) -> str:
        """Return the whole HMAC of a worker's raw id: what is kept of a worker who was deleted.

        The pool is no part of it: a Cognito sub is unique without its pool, and metrics name no pool.
        """
        return hmac.new(self._key, worker.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()

    def of(self, worker: str, pool: str = "") -> str:
        """Return what a worker is called in reports; "" stays "".

        :param worker: the raw id: a Cognito sub, or the workforce's worker id.
        :param pool: not needed; taken so that a caller may hand over what it has.
        """
        del pool
        if worker not in self._known:
            mark = self.mark(worker)
            gone = not self.forgotten.isdisjoint({mark, mark[:_SHOWN]})
            self._known[worker] = FORGOTTEN if gone else pseudonym_of(mark)
        return self._known[worker]

    __call__ = of

    def is_forgotten(self, worker: str) -> bool:
        """Return whether the worker with this raw id was deleted; what stands for them is nobody's id."""
        return worker != FORGOTTEN and self.of(worker) == FORGOTTEN


def pseudonym_of(mark: str) -> str:
    """Return the pseudonym that belongs to a worker's whole HMAC, or to its first digits."""
    return f"w-{mark[:_SHOWN]}"
