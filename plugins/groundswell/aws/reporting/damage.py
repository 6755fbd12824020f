"""Inputs that are damaged: they are known by the digest in their key, told apart by day, and set aside.

What is read again from its source takes the place of the damaged object, of which a copy stays::

    inputs/<day>/quarantine/<name>/<file>.<digest>     the object as it was found, below the private URI

It goes with the other inputs of its day. Since nobody can tell whom it names, it is emptied when a worker is
forgotten.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from typing import TypeVar

from groundswell.errors import ReportError
from groundswell.ledger import PartStore
from groundswell.reports.problems import Problem

_DIGEST = re.compile(r"(?<![0-9a-f])(?P<digest>[0-9a-f]{16}|[0-9a-f]{32})\.\w+")
_KEY = re.compile(r"inputs/(?P<day>[^/]+)/(?P<name>[^/.]+)(?P<file>.*)")
#: The source of what is kept under a name.
_SOURCES = {
    "activity": "worker_activity",
    "ledger": "ledger",
    "workteam": "workteam",
    "jobs": "labeling_jobs",
}
_MENDED = (
    "What was kept of this source was damaged. It was set aside, and the day was read again: compare the "
    "numbers with those of the revision before."
)

_PARQUET = b"PAR1"

R = TypeVar("R")

log = logging.getLogger(__name__)


class DamagedInput(ReportError):
    """
    Raised for an object of the inputs that says nothing any more.

    :param key: of the object.
    :param uri: its address.
    :param what: what is wrong with it.
    """

    def __init__(self, key: str, uri: str, what: str) -> None:
        self.key = key
        found = _KEY.fullmatch(key)
        #: Its day.
        self.day = date.fromisoformat(found["day"]) if found else None
        #: Under which name it is kept: activity, ledger, workteam, jobs or sources.
        self.name = found["name"] if found else ""
        super().__init__(
            f"{uri} is damaged ({what}), and its source does not tell that day any more, or was not asked. "
            "Restore the object from a version or backup of the bucket, or remove it to do without what it "
            f"told; then trigger worker_metrics with from_day and to_day {self.day}"
        )


def check_whole(store: PartStore, key: str, body: bytes) -> None:
    """Raise DamagedInput where an object is not what was written under its key."""
    if not is_whole(key, body):
        raise DamagedInput(key, store.uri(key), f"{len(body)} bytes that are not those once written")


def is_whole(key: str, body: bytes) -> bool:
    """Return whether an object is what was written, as far as its key tells, or its form."""
    found = _DIGEST.search(key)
    if found:
        return hashlib.sha256(body).hexdigest().startswith(found["digest"])
    if key.endswith(".parquet"):
        return len(body) > len(_PARQUET) and body.startswith(_PARQUET) and body.endswith(_PARQUET)
    return _reads(json.loads, body)


def parsed(store: PartStore, key: str, read: Callable[[], R]) -> R:
    """Return what an object says. Raises DamagedInput where reading it fails."""
    try:
        return read()
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise DamagedInput(key, store.uri(key), text) from error


def set_aside(store: PartStore, key: str) -> None:
    """Keep a copy of an object before something takes its place, if it is damaged."""
    body = store.get(key)
    found = _KEY.fullmatch(key)
    if body is not None and found and not is_whole(key, body):
        digest = hashlib.sha256(body).hexdigest()[:16]
        kept = f"{folder(found['day'])}{found['name']}{found['file']}.{digest}"
        store.put_if_absent(kept, body)
        log.warning("%s is damaged, and was set aside as %s", store.uri(key), store.uri(kept))


def of_day(keys: Iterable[str], day: date) -> list[Problem]:
    """Return what was set aside of a day, as problems that its report shows.

    :param keys: those in its :func:`folder`.
    """
    names = (key.removeprefix(folder(day)) for key in keys)
    count = Counter(re.split(r"[./]", name, maxsplit=1)[0] for name in names)
    return [
        Problem("damaged input", number, f"{name}: see quarantine/", _MENDED, _SOURCES.get(name, name), day)
        for name, number in sorted(count.items())
    ]


def empty(store: PartStore, day: date) -> bool:
    """Empty what was set aside of a day; return whether there was something. That it was set aside stays."""
    some = [key for key in store.keys(folder(day)) if store.get(key)]
    for key in some:
        store.put(key, b"")
    return bool(some)


def folder(day: date | str) -> str:
    """Return where is kept what was set aside of a day."""
    return f"inputs/{day}/quarantine/"


def _reads(read: Callable[[bytes], object], body: bytes) -> bool:
    try:
        read(body)
    except (ValueError, RecursionError):
        return False
    return True
