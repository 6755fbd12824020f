"""A part store in memory: what an object store promises, without a disk's time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class MemoryStore:
    """A :class:`groundswell.ledger.PartStore`; what is in it outlives the processes that wrote it."""

    objects: dict[str, bytes] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """See :class:`groundswell.ledger.PartStore`."""
        with self._lock:
            if key in self.objects:
                return False
            self.objects[key] = body
            return True

    def put(self, key: str, body: bytes) -> None:
        """See :class:`groundswell.ledger.PartStore`."""
        with self._lock:
            self.objects[key] = body

    def get(self, key: str) -> bytes | None:
        """See :class:`groundswell.ledger.PartStore`."""
        return self.objects.get(key)

    def keys(self, prefix: str) -> list[str]:
        """See :class:`groundswell.ledger.PartStore`."""
        with self._lock:
            return sorted(key for key in self.objects if key.startswith(prefix))

    def folders(self, prefix: str) -> list[str]:
        """See :class:`groundswell.ledger.PartStore`."""
        rest = (key.removeprefix(prefix) for key in self.keys(prefix))
        return sorted({name.partition("/")[0] for name in rest if "/" in name})

    def uri(self, key: str) -> str:
        """See :class:`groundswell.ledger.PartStore`."""
        return f"memory:///{key}"
