"""A folder of code as SageMaker's ``sourcedir.tar.gz``, the same bytes wherever and whenever it is packed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groundswell.errors import GroundswellError

_LEFT_OUT = frozenset({"__pycache__", "node_modules"})
_EXECUTABLE = 0o100


class SourceError(GroundswellError):
    """A source folder cannot be packed."""


@dataclass(frozen=True)
class SourceArchive:
    """A packed folder.

    :param digest: hash of the files' names, modes and contents
    :param content: the gzipped tar
    """

    digest: str
    content: bytes

    def key(self, prefix: str) -> str:
        """Return the S3 key below ``prefix``; another content gets another key."""
        return "/".join(part for part in (prefix.strip("/"), self.digest[:16], "sourcedir.tar.gz") if part)


def pack_source(folder: Path, entry_point: str) -> SourceArchive:
    """Pack a folder, without hidden files, caches and byte code.

    :param entry_point: the script, relative to the folder
    :raises SourceError: the folder or the script is not there
    """
    if not folder.is_dir():
        raise SourceError(f"{folder}: is not a folder; set the training source to the folder with the script")
    if not (folder / entry_point).is_file():
        names = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
        raise SourceError(
            f"{folder}: has no {entry_point!r}; it has {names}; correct the entry point or the source"
        )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _files(folder):
            content = path.read_bytes()
            info = tarfile.TarInfo(path.relative_to(folder).as_posix())
            info.size = len(content)
            info.mode = 0o755 if path.stat().st_mode & _EXECUTABLE else 0o644
            archive.addfile(info, io.BytesIO(content))  # TarInfo's own time, user and group are all 0
    # Hashed before compression, which may differ between builds of zlib.
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    return SourceArchive(digest, gzip.compress(buffer.getvalue(), mtime=0))


def encoded_hyperparameters(values: Mapping[str, Any]) -> dict[str, str]:
    """Return hyperparameters as script mode wants them: every value a JSON text."""
    return {name: json.dumps(value) for name, value in values.items()}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*"), key=lambda each: each.relative_to(folder).as_posix()):
        parts = path.relative_to(folder).parts
        left_out = any(part.startswith(".") or part in _LEFT_OUT for part in parts) or path.suffix == ".pyc"
        if path.is_file() and not left_out:
            yield path
