"""What a source said last of a day: of several readings at the same time, the one that began last stays.

Two runs of the reports may read a source for the same day, and the one that read first may write last. So a
reading takes a number before it reads, a later one a higher number, and leaves what it read under its number.
The highest number counts, whoever writes when; whoever has written removes what is older::

    readings/<number>                                          who takes a number writes this, once
    inputs/<day>/<name>/<number>-<digest>.<suffix>             what a reading gave
    inputs/<day>/<name>.<suffix>                               the same of earlier versions: number 0

The digest is the one of the content, by which a damaged object is known.
"""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime

from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting.damage import check_whole, set_aside
from groundswell.ledger import PartStore
from groundswell.reports.parts import RemovableStore

#: Below the private URI: the numbers of readings.
READINGS = "readings/"
_NAME = re.compile(r"(?P<number>\d{15})-[0-9a-f]{16}\.\w+")
_TWINS = 50


def begin(store: PartStore) -> int:
    """
    Return the number of a reading that begins now: higher than those of all that began before.

    Numbers are milliseconds by the clock, unless that is behind a number that is taken: so they go on rising
    also where the taken ones were removed.
    """
    while True:
        names = (key.removeprefix(READINGS) for key in store.keys(READINGS))
        taken = max((int(name) for name in names if name.isdecimal()), default=0)
        number = max(taken + 1, time.time_ns() // 1_000_000)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if store.put_if_absent(f"{READINGS}{number:015d}", now.encode()):
            return number


def old_readings(store: RemovableStore, before: datetime) -> list[str]:
    """Return the keys of numbers that were taken before a moment and are needed no more."""
    return sorted(set(store.older(READINGS, before)) - {max(store.keys(READINGS), default="")})


class Snapshots:
    """
    What sources said last, by prefix: ``inputs/<day>/<name>``.

    :param store: the store below the private URI.
    """

    def __init__(self, store: RemovableStore) -> None:
        self._store = store

    def get(self, prefix: str) -> tuple[str, bytes] | None:
        """Return key and content of what is there, or None.

        :raises DamagedInput: it is damaged.
        """
        for _ in range(_TWINS):
            if not (keys := self.keys(prefix)):
                return None
            if (body := self._store.get(keys[-1])) is not None:
                check_whole(self._store, keys[-1], body)
                return keys[-1], body
            # Another reading took its place meanwhile
        raise AirflowException(
            f"{self._store.uri(prefix)} is being written by others all the time; try again"
        )

    def put(self, prefix: str, number: int, body: bytes, suffix: str) -> None:
        """Leave what a reading gave, unless one that began later has left something; the older goes.

        :param suffix: of the key, such as ``.json``.
        """
        key = f"{prefix}/{number:015d}-{hashlib.sha256(body).hexdigest()[:16]}{suffix}"
        self._store.put(key, body)
        for each in self.keys(prefix):
            if number_of(each, prefix) > number:
                self._store.remove(key)
            elif each != key:
                set_aside(self._store, each)
                self._store.remove(each)

    def drop_older(self, prefix: str) -> None:
        """Remove what readings left that died before they removed it."""
        for key in self.keys(prefix)[:-1]:
            self._store.remove(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of what was left under a prefix; the last one counts."""
        found = [key for key in self._store.keys(prefix) if number_of(key, prefix) >= 0]
        return sorted(found, key=lambda key: (number_of(key, prefix), key))

    def names(self, folder: str) -> list[str]:
        """Return the names under which there is something in a folder, which ends in ``/``, in order."""
        rest = (key.removeprefix(folder) for key in self._store.keys(folder))
        return sorted({re.split(r"[./]", name, maxsplit=1)[0] for name in rest})


def number_of(key: str, prefix: str) -> int:
    """Return the number under which a key was left; -1 for a key of something else."""
    rest = key.removeprefix(prefix)
    if rest.startswith("."):
        return 0
    name = _NAME.fullmatch(rest.removeprefix("/"))
    return int(name["number"]) if name and rest.startswith("/") else -1
