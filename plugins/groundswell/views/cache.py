"""The folder of the indexes: private, and no larger than it may be."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore
from groundswell.reports.names import new_key
from groundswell.views.index import LIMIT_BYTES, RunIndex, masked
from groundswell.views.index_file import IndexFile

#: An index that nobody asked for so long is removed, in seconds.
_UNUSED = 30 * 86_400.0
#: A folder is looked through no more often than so, in seconds.
_BETWEEN = 600.0
_SWEPT = ".swept"
_NAMES_KEY = "names.key"


class IndexCache:
    """Indexes of runs in one folder, which only this user may read: workers' ids are in them.

    Everything in it can be deleted at any time.

    :param folder: made when needed.
    :param limit_bytes: what all indexes together may take; those that nobody asked for the longest go first.
    :param pseudonym: turns a worker's id into what people see.
    """

    def __init__(
        self, folder: Path, *, limit_bytes: int = LIMIT_BYTES, pseudonym: Callable[[str], str] = masked
    ) -> None:
        self.folder = folder
        self._limit = limit_bytes
        self._pseudonym = pseudonym

    def index(self, state: str, batch: str, run_id: str) -> RunIndex:
        """Return the index of a run.

        :param state: URI of the store of the batch's ledgers.
        :raises LedgerError: the folder is not ours alone, or cannot be written.
        """
        path = self._path(state, batch, run_id)
        try:
            self._make_private()
            path.with_suffix(".used").touch(mode=0o600)
            self._sweep_sometimes(keep=path)
        except OSError as error:
            raise LedgerError(
                f"{self.folder} cannot be written ({error.strerror}); it is to hold indexes of runs: give "
                "this process the right to write it and space on its disk, or name another folder"
            ) from error
        return RunIndex(path, pseudonym=self._pseudonym, limit_bytes=self._limit)

    def holds(self, state: str, batch: str, run_id: str) -> bool:
        """Return whether there is an index of a run, without making one."""
        return self._path(state, batch, run_id).exists()

    def _path(self, state: str, batch: str, run_id: str) -> Path:
        name = sha256(f"{state}\n{batch}\n{run_id}".encode(errors="surrogatepass")).hexdigest()[:32]
        return self.folder / f"{name}.sqlite"

    def names_key(self) -> bytes:
        """Return a secret of this folder, made once: for pseudonyms that all processes agree on.

        :raises LedgerError: the folder is not ours alone.
        """
        self._make_private()
        store = FolderStore(self.folder)
        store.put_if_absent(_NAMES_KEY, new_key())
        return store.get(_NAMES_KEY) or new_key()

    def sweep(self, *, keep: Path | None = None) -> list[Path]:
        """Remove what nobody asked for in a month, and as much more as is over the limit; return what went.

        :param keep: never removed.
        """
        now, gone = time.time(), []
        used = sorted((_used(path), path) for path in self.folder.glob("*.sqlite"))
        sizes = {path: _size(path) for _, path in used}
        total = sum(sizes.values())
        for at, path in used:
            if path == keep or (now - at < _UNUSED and total <= self._limit):
                continue
            file = IndexFile(path, self._limit)
            with file.lock() as ours:
                if ours:  # nobody is just bringing it up to date
                    file.discard()
                    path.with_suffix(".used").unlink(missing_ok=True)
                    total -= sizes[path]
                    gone.append(path)
        return gone

    def _sweep_sometimes(self, keep: Path) -> None:
        mark = self.folder / _SWEPT
        try:
            if time.time() - mark.stat().st_mtime < _BETWEEN:
                return
        except FileNotFoundError:
            pass
        mark.touch(mode=0o600)
        self.sweep(keep=keep)

    def _make_private(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise LedgerError(
                f"{self.folder} is another user's, or no folder; it is to hold workers' ids: remove it, or "
                "name another folder"
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            self.folder.chmod(0o700)


def _used(path: Path) -> float:
    for each in (path.with_suffix(".used"), path):
        try:
            return each.stat().st_mtime
        except FileNotFoundError:
            continue
    return 0.0


def _size(path: Path) -> int:
    size = 0
    for each in (path, path.with_name(f"{path.name}-wal")):
        with contextlib.suppress(FileNotFoundError):  # another process may remove it meanwhile
            size += each.stat().st_size
    return size
