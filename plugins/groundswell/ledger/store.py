"""Where the parts of a ledger are kept: an object store with conditional writes, or a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from groundswell.errors import LedgerError


class PartStore(Protocol):
    """The little that a ledger needs of an object store. Keys are ``/``-separated and relative."""

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Write ``body`` unless ``key`` exists; return whether it was written. Atomic between writers."""

    def put(self, key: str, body: bytes) -> None:
        """Write or replace ``key``. Only for progress and summaries, never for parts."""

    def get(self, key: str) -> bytes | None:
        """Return the body of ``key``, or None where it does not exist."""

    def keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that start with ``prefix``, in lexical order."""

    def uri(self, key: str) -> str:
        """Return the address of ``key`` for people and for other programs."""


class FolderStore:
    """A :class:`PartStore` in a local folder; safe between processes of one machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, key: str) -> Path:
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise LedgerError(f"ledger key {key!r} leaves the folder {self.folder}")
        return path

    def _temporary(self, path: Path, body: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(body)
            stream.flush()
            os.fsync(stream.fileno())
        return Path(name)

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """See :class:`PartStore`. A hard link is the one atomic create-with-content of POSIX."""
        path = self._path(key)
        temporary = self._temporary(path, body)
        try:
            path.hardlink_to(temporary)
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def put(self, key: str, body: bytes) -> None:
        """See :class:`PartStore`."""
        path = self._path(key)
        self._temporary(path, body).replace(path)

    def get(self, key: str) -> bytes | None:
        """See :class:`PartStore`."""
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            return None

    def keys(self, prefix: str) -> Iterator[str]:
        """See :class:`PartStore`."""
        found = (
            path.relative_to(self.folder).as_posix()
            for path in self.folder.rglob("*")
            if path.is_file() and not path.name.startswith(".part-")
        )
        yield from sorted(key for key in found if key.startswith(prefix))

    def uri(self, key: str) -> str:
        """See :class:`PartStore`."""
        return self._path(key).as_uri()
