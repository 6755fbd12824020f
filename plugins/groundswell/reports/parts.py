"""Stores whose objects can be removed: reports hold personal data, which does not stay for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

from groundswell.ledger import FolderStore, PartStore

#: What a write of a :class:`groundswell.ledger.FolderStore` is called until it is done.
_UNFINISHED = ".part-*"


@runtime_checkable
class RemovableStore(PartStore, Protocol):
    """A :class:`groundswell.ledger.PartStore` that can forget."""

    def remove(self, key: str) -> None:
        """Remove ``key``; one that does not exist is removed already."""

    def older(self, prefix: str, before: datetime) -> Iterator[str]:
        """Yield the keys that start with ``prefix`` and were last written before a moment."""

    def sweep(self, before: datetime) -> int:
        """Remove what writes that died before a moment left, which is under no key; return how many."""


class RemovableFolder(FolderStore):
    """A :class:`RemovableStore` in a local folder."""

    def remove(self, key: str) -> None:
        """See :class:`RemovableStore`."""
        self._path(key).unlink(missing_ok=True)

    def older(self, prefix: str, before: datetime) -> Iterator[str]:
        """See :class:`RemovableStore`."""
        return (key for key in self.keys(prefix) if _is_older(self._path(key), before))

    def sweep(self, before: datetime) -> int:
        """See :class:`RemovableStore`."""
        old = [path for path in self._root.rglob(_UNFINISHED) if _is_older(path, before)]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)


def _is_older(path: Path, before: datetime) -> bool:
    """Return whether a file was written before a moment; one that has gone meanwhile was not."""
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    except FileNotFoundError:
        return False
