"""A store in a folder that notes what is read of it."""

from __future__ import annotations

from pathlib import Path

from groundswell.ledger import FolderStore


class NotingStore(FolderStore):
    """Notes which keys are read, in order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.read: list[str] = []

    def get(self, key: str) -> bytes | None:
        self.read.append(key)
        return super().get(key)
