"""Stores whose objects can be removed: reports hold personal data, which does not stay for ever."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from groundswell.ledger import FolderStore, PartStore


@runtime_checkable
class RemovableStore(PartStore, Protocol):
    """A :class:`groundswell.ledger.PartStore` that can forget."""

    def remove(self, key: str) -> None:
        """Remove ``key``; one that does not exist is removed already."""


class RemovableFolder(FolderStore):
    """A :class:`RemovableStore` in a local folder."""

    def remove(self, key: str) -> None:
        """See :class:`RemovableStore`."""
        self._path(key).unlink(missing_ok=True)
