"""The rows of an item as the index keeps them: all that the state of a run is made of, without the rest."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import RunState
from groundswell.views.reading import checked

Row = dict[str, Any]

#: Kinds of rows that are about an item, and the columns of the kind that are kept besides it: what the state
#: goes by, and what is shown. A row that lacks one of them keeps those that it has.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "hits": ("hit", "seats", "expires"),
    "answers": ("assignment", "worker", "accepted", "submitted", "label", "problem"),
    "withheld": ("assignment", "reason", "at"),
    "payments": ("assignment", "cents", "at"),
    "rejections": ("assignment",),
    "reservations": ("seats", "number", "token"),
    "extensions": ("seats", "expires"),
    "outcomes": ("outcome", "seats", "rejected"),
    "expirations": (),
    "deletions": (),
}
#: Columns that only some rows have, and that the state goes by.
_SOMETIMES: dict[str, tuple[str, ...]] = {
    "reservations": ("replaces", "outcome", "rejected"),
    "extensions": ("replaces",),
    "outcomes": ("number",),
}
ABOUT_ITEMS = tuple(_COLUMNS)
_CODES = {kind: code for code, kind in enumerate(ABOUT_ITEMS)}
#: Kinds of which only the types have to be checked, so that rows like one that was good are good as well.
_LIKE_OTHERS = frozenset(_COLUMNS) - {"outcomes", "reservations"}

_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode


class Encoding:
    """Turns the rows of parts into the records of items."""

    def __init__(self) -> None:
        self._good: set[tuple[Any, ...]] = set()

    def kept(self, kind: str, row: Row, line: str, part: int, key: str) -> list[Any]:
        """Return what is kept of a row.

        Args:
            kind: its kind.
            row: the row.
            line: the row as it is in its part.
            part: number of the part, by which the whole answer can be found again.
            key: name of the part, for messages.

        Raises:
            LedgerError: the row is none that the state can take.
        """
        # Rows by the million are alike: what a row of these columns and types must have is looked at once
        alike = (kind, *row, *map(type, row.values()))
        if alike not in self._good:
            checked(kind, row, key)
            if kind in _LIKE_OTHERS:
                self._good.add(alike)
        values: list[Any] = [_CODES[kind]]
        columns, sometimes = _COLUMNS[kind], _SOMETIMES.get(kind, ())
        some = {name: row[name] for name in sometimes if name in row} if sometimes else {}
        usual = [row[name] for name in columns if name in row]
        if "token" in columns and "token" in row:
            usual[-1] = zlib.crc32(row["token"].encode(errors="surrogatepass"))  # it is long, and never shown
        if some or len(usual) < len(columns):
            values.append(dict(zip((name for name in columns if name in row), usual, strict=True)) | some)
        else:
            values += usual
        if kind == "answers":
            values += [part, zlib.crc32(line.encode())]
        return values


def as_record(rows: list[list[Any]]) -> str:
    """Return rows as text; such texts joined by commas are an item's record."""
    return _encode(rows)[1:-1]


def decoded(item: str, record: str, full: Callable[[int, str], Iterable[Row]]) -> Iterator[tuple[str, Row]]:
    """Yield (kind, row) of an item's record.

    Args:
        item: the item.
        record: what :func:`as_record` made of its rows, joined by commas.
        full: returns the whole rows of an assignment in a part. It is asked only where twins wrote different
            rows of one answer, of which the state keeps one by the whole text.
    """
    answers: dict[str, list[tuple[Row, int, int]]] = {}
    for code, *values in json.loads(f"[{record}]"):
        kind = ABOUT_ITEMS[code]
        if kind == "answers":
            *values, part, checksum = values
            row = _row(item, kind, values)
            answers.setdefault(row["assignment"], []).append((row, part, checksum))
        else:
            yield kind, _row(item, kind, values)
    for assignment, rows in answers.items():
        if len({checksum for _, _, checksum in rows}) == 1:
            yield "answers", rows[0][0]
        else:
            for part in sorted({part for _, part, _ in rows}):
                yield from (("answers", row) for row in full(part, assignment))


def _row(item: str, kind: str, values: list[Any]) -> Row:
    if len(values) == 1 and isinstance(values[0], dict):
        return values[0] | {"item": item}
    row = dict(zip(_COLUMNS[kind], values, strict=True))
    row["item"] = item
    return row


def folded(rows: Iterable[tuple[str, Row]], prefix: str) -> RunState:
    """Return the state that rows make up. Raises LedgerError for rows that the state cannot take."""
    state = RunState()
    for kind, row in rows:
        try:
            state.add(kind, row)
        except (KeyError, TypeError, ValueError) as error:
            raise LedgerError(
                f"{prefix}: a part of kind {kind} has a wrong row of item {row.get('item')!r} ({error!r}); "
                "restore it from a backup or version"
            ) from error
    return state


def plain(text: str) -> str:
    """Return a text as SQLite can hold it: lone surrogates are written as escapes, with a digest."""
    try:
        text.encode()
    except UnicodeEncodeError:
        digest = zlib.crc32(text.encode(errors="surrogatepass"))
        return f"{text.encode(errors='backslashreplace').decode()} ({digest:08x})"
    return text
