"""Records of items that hardly change any more, some together and compressed: a quarter of the size."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from typing import Any

from groundswell.views.record_rows import Kept, encode

#: Items of a pack: what is read of it for one item, and how well it compresses, depend on this.
ITEMS = 64
#: Packs whose text is kept while items of the same ones are gone through.
_KEPT = 16


def packed(lines: Iterable[bytes]) -> bytes:
    """Return lines as a pack: each ``[item, …]`` in JSON."""
    return zlib.compress(b"\n".join(lines), 1)


def found_in(body: bytes, item: str) -> list[Any]:
    """Return what a pack has about an item, without the item; [] where it has nothing."""
    return _find(zlib.decompress(body).split(b"\n"), item)


def _find(lines: Iterable[bytes], item: str) -> list[Any]:
    start = b"[" + encode(item).encode() + b","
    found = [line for line in lines if line.startswith(start)]
    return json.loads(found[0])[1:] if found else []


class Packs:
    """The packs of an index, by number.

    :param db: the index.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._lines: dict[int, list[bytes]] = {}

    def rows(self, pack: int, item: str) -> list[Kept]:
        """Return the rows of an item; 0 is no pack."""
        if not pack:
            return []
        if pack not in self._lines:
            if len(self._lines) >= _KEPT:
                self._lines.clear()
            [body] = self._db.execute("SELECT body FROM packs WHERE id = ?", (pack,)).fetchone()
            self._lines[pack] = zlib.decompress(body).split(b"\n")
        return _find(self._lines[pack], item)
