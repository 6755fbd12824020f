"""What a source said last of a day: of several readings at the same time, the one that began last stays.

Two runs of the reports may read a source for the same day, and the one that read first may write last. So a
reading takes a number before it reads, a later one a higher number, and leaves what it read under its number.
The highest number counts, whoever writes when; whoever has written removes what is older::

    readings/<number>                                          who takes a number writes this, once
    readings/<number>.done                                     and this when all that was read is stored
    inputs/<day>/<name>/<number>-<digest>.<suffix>             what a reading gave
    inputs/<day>/<name>.<suffix>                               the same of earlier versions: number 0

The digest is the one of the content, by which a damaged object is known. What says the same as before stays
where it is, so that a day that is only looked at is not written: unless a reading in between, which may be at
work yet, could still store something older.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from airflow.sdk.exceptions import AirflowException

from groundswell.aws.reporting.damage import check_whole, set_aside
from groundswell.ledger import PartStore
from groundswell.reports.parts import RemovableStore

#: Below the private URI: the numbers of readings.
READINGS = "readings/"
_DONE = ".done"
_NAME = re.compile(r"(?P<number>\d{15})-[0-9a-f]{16}\.\w+")
_TWINS = 50


@dataclass(frozen=True)
class Reading:
    """A reading that has begun.

    Attributes:
        number: higher than those of all that began before.
        others: the numbers of those that began before and may still be at work.
    """

    number: int
    others: frozenset[int] = frozenset()

    def may_keep(self, number: int) -> bool:
        """Return whether nobody who is older than this reading may replace what has a number."""
        return number <= self.number and not any(other > number for other in self.others)


def begin(store: PartStore) -> Reading:
    """
    Return a reading that begins now.

    Numbers are milliseconds by the clock, unless that is behind a number that is taken: so they go on rising
    also where the taken ones were removed. Whoever finds a higher one afterwards takes another: so who begins
    later sees all that have a lower number.
    """
    while True:
        number = max(max(_taken(store), default=0) + 1, time.time_ns() // 1_000_000)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        if not store.put_if_absent(_key_of(number), now.encode()):
            continue
        taken = _taken(store)
        if number == max(taken, default=number):
            others = (other for other, done in taken.items() if not done and other != number)
            return Reading(number, frozenset(others))
        end(store, Reading(number))


def end(store: PartStore, reading: Reading) -> None:
    """Say that a reading has stored all that it read."""
    store.put(f"{_key_of(reading.number)}{_DONE}", b"")


def _taken(store: PartStore) -> dict[int, bool]:
    """Return the numbers that are taken, each with whether its reading has ended."""
    names = sorted(key.removeprefix(READINGS) for key in store.keys(READINGS))
    whole = (name.partition(".") for name in names)
    return {int(number): bool(done) for number, _, done in whole if number.isdecimal()}


def _key_of(number: int) -> str:
    return f"{READINGS}{number:015d}"


def old_readings(store: RemovableStore, before: datetime) -> list[str]:
    """Return the keys of numbers that were taken before a moment and are needed no more."""
    return sorted(set(store.older(READINGS, before)) - {max(store.keys(READINGS), default="")})


class Snapshots:
    """
    What sources said last, by prefix: ``inputs/<day>/<name>``.

    :param store: the store below the private URI.
    :param folder: where all of one folder, which ends in ``/``, is read: it is listed once, and again where
        something has gone meanwhile.
    """

    def __init__(self, store: RemovableStore, folder: str | None = None) -> None:
        self._store, self._folder = store, folder
        self._known: list[str] | None = None

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
            self._known = None  # another reading took its place meanwhile
        raise AirflowException(
            f"{self._store.uri(prefix)} is being written by others all the time; try again"
        )

    def put(self, prefix: str, reading: Reading, body: bytes, suffix: str) -> None:
        """Leave what a reading gave, unless one that began later has left something; the older goes.

        :param suffix: of the key, such as ``.json``.
        """
        name = f"{hashlib.sha256(body).hexdigest()[:16]}{suffix}"
        if self._says(prefix, reading, body, name):
            return
        key = f"{prefix}/{reading.number:015d}-{name}"
        self._store.put(key, body)
        for each in self.keys(prefix):
            if number_of(each, prefix) > reading.number:
                self._store.remove(key)
            elif each != key:
                set_aside(self._store, each)
                self._store.remove(each)

    def _says(self, prefix: str, reading: Reading, body: bytes, name: str) -> bool:
        """Return whether what is there is the same, whole, and may stay."""
        there = self.keys(prefix)
        if len(there) != 1 or not there[0].endswith(f"-{name}"):
            return False
        return reading.may_keep(number_of(there[0], prefix)) and self._store.get(there[0]) == body

    def drop_older(self, prefix: str) -> None:
        """Remove what readings left that died before they removed it."""
        for key in self.keys(prefix)[:-1]:
            self._store.remove(key)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys of what was left under a prefix; the last one counts."""
        found = [key for key in self.listed(prefix) if number_of(key, prefix) >= 0]
        return sorted(found, key=lambda key: (number_of(key, prefix), key))

    def listed(self, prefix: str) -> list[str]:
        """Return all keys that begin so."""
        if self._folder is None:
            return list(self._store.keys(prefix))
        if self._known is None:
            self._known = list(self._store.keys(self._folder))
        return [key for key in self._known if key.startswith(prefix)]

    def names(self, folder: str) -> list[str]:
        """Return the names under which there is something in a folder, which ends in ``/``, in order."""
        rest = (key.removeprefix(folder) for key in self.listed(folder))
        return sorted({re.split(r"[./]", name, maxsplit=1)[0] for name in rest})


def number_of(key: str, prefix: str) -> int:
    """Return the number under which a key was left; -1 for a key of something else."""
    rest = key.removeprefix(prefix)
    if rest.startswith("."):
        return 0
    name = _NAME.fullmatch(rest.removeprefix("/"))
    return int(name["number"]) if name and rest.startswith("/") else -1
