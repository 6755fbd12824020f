"""Stores in memory whose every call can be stopped at, for tests of what happens at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

Stop = Callable[[str, str], None]


class MemoryStore:
    """A store of which a test may take copies, and which tells of each call before it is made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: dict[str, bytes] = {}
        self.stop: Stop = lambda operation, key: None

    def put_if_absent(self, key: str, body: bytes) -> bool:
        self.stop("put_if_absent", key)
        if key in self.objects:
            return False
        self.objects[key] = body
        return True

    def put(self, key: str, body: bytes) -> None:
        self.stop("put", key)
        self.objects[key] = body

    def get(self, key: str) -> bytes | None:
        self.stop("get", key)
        return self.objects.get(key)

    def keys(self, prefix: str) -> Iterator[str]:
        self.stop("keys", prefix)
        return iter(sorted(key for key in self.objects if key.startswith(prefix)))

    def folders(self, prefix: str) -> list[str]:
        self.stop("folders", prefix)
        below = (key.removeprefix(prefix) for key in self.objects if key.startswith(prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})

    def remove(self, key: str) -> None:
        self.stop("remove", key)
        self.objects.pop(key, None)

    def older(self, prefix: str, before: datetime) -> Iterator[str]:
        return self.keys(prefix) if before > datetime.now(UTC) else iter(())

    def sweep(self, before: datetime) -> int:
        return 0

    def uri(self, key: str) -> str:
        return f"memory:///{self.name}/{key}"
