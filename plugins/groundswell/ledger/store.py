"""Where the parts of a ledger are kept: an object store with conditional writes, or a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Protocol

from groundswell.errors import LedgerError

#: What a write that is not done yet is called.
_UNFINISHED = ".part-"
#: Bytes of a body that are read at once.
_PIECE = 1 << 20


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

    def folders(self, prefix: str) -> Iterable[str]:
        """Return the names of the folders below ``prefix`` ("" or ending in ``/``), in lexical order."""

    def uri(self, key: str) -> str:
        """Return the address of ``key`` for people and for other programs."""


class FolderStore:
    """A :class:`PartStore` in a local folder; safe between processes of one machine.

    Every write is on the disk, with the folder's entry for it, before it is reported as done. A process that
    dies in the middle leaves a file whose name begins with ``.part-``: it is no part, and never read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def _root(self) -> Path:
        return self.folder.resolve()

    def _path(self, key: str) -> Path:
        path = (self._root / key).resolve()
        if not path.is_relative_to(self._root):
            raise LedgerError(f"ledger key {key!r} leaves the folder {self.folder}")
        return path

    def _temporary(self, path: Path, body: bytes) -> Path:
        _make_folders(path.parent)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
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
            _sync_folder(path.parent)  # also where another was first: the caller goes by what is there
        return True

    def put(self, key: str, body: bytes) -> None:
        """See :class:`PartStore`."""
        path = self._path(key)
        self._temporary(path, body).replace(path)
        _sync_folder(path.parent)

    def get(self, key: str) -> bytes | None:
        """See :class:`PartStore`."""
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def chunks(self, key: str) -> Iterator[bytes] | None:
        """Return the body of ``key`` in pieces, as it may be large; None where it does not exist."""
        try:
            stream = self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        return _pieces(stream)

    def keys(self, prefix: str) -> Iterator[str]:
        """See :class:`PartStore`. Only the folder that the prefix names is walked."""
        yield from sorted(key for key in self._walk(prefix) if key.startswith(prefix))

    def _walk(self, prefix: str) -> Iterator[str]:
        folder, _, start = prefix.rpartition("/")
        for entry in self._entries(folder):
            key = f"{folder}/{entry.name}" if folder else entry.name
            if not entry.name.startswith(start):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(f"{key}/")
            elif entry.is_file() and not entry.name.startswith(_UNFINISHED):
                yield key

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._path(folder)) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def folders(self, prefix: str) -> list[str]:
        """See :class:`PartStore`."""
        entries = self._entries(prefix.rstrip("/"))
        return sorted(entry.name for entry in entries if entry.is_dir() and self._holds(entry.path))

    def _holds(self, folder: str) -> bool:
        """Return whether there is a part below a folder: an object store has no empty folders."""
        with os.scandir(folder) as entries:
            return any(
                self._holds(entry.path) if entry.is_dir() else not entry.name.startswith(_UNFINISHED)
                for entry in entries
            )

    def uri(self, key: str) -> str:
        """See :class:`PartStore`."""
        return self._path(key).as_uri()


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while piece := stream.read(_PIECE):
            yield piece


def _make_folders(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before the next."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
