"""What the first building of an index and keeping it up to date have in common."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator

from groundswell.ledger import Ledger
from groundswell.views.given_labels import GivenLabels
from groundswell.views.loose_rows import LOOSE
from groundswell.views.reading import bodies
from groundswell.views.record_rows import ABOUT_ITEMS, Encoding, Row
from groundswell.views.sums import Sums

#: Kinds that are read, in this order: items first, so that they are numbered as in the dataset.
READ = ("items", *LOOSE, *ABOUT_ITEMS)
#: Parts that are asked for at once.
_PARTS = 2_048


class Work:
    """One process's work on an index.

    :param db: the index.
    :param ledger: the run's.
    :param sums: the sums.
    :param full: see :func:`groundswell.views.record_rows.decoded`.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        ledger: Ledger,
        sums: Sums,
        full: Callable[[int, str], Iterable[Row]],
    ) -> None:
        self._db = db
        self._ledger = ledger
        self._sums = sums
        self._full = full
        self._encoding = Encoding()
        self._labels = GivenLabels(db, ledger)

    def _unread(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Yield (number, kind, key, body) of some parts that are not read yet, in the order of reading."""
        todo = self._db.execute(
            "SELECT id, kind, key FROM parts WHERE done = 0 ORDER BY kind, id LIMIT ?", (_PARTS,)
        ).fetchall()
        found = bodies(self._ledger.store, (key for _, _, key in todo))
        for (number, kind, key), (_, body) in zip(todo, found, strict=True):
            yield number, READ[kind], key, body
