"""The rows of an item as the index keeps them: all that the state of a run is made of, without the rest."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import RunState
from groundswell.views.alike_rows import taken_apart
from groundswell.views.reading import check_numbers, checked, rows_of

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
CODES = {kind: code for code, kind in enumerate(ABOUT_ITEMS)}
#: Kinds of which only the types have to be checked, so that rows like one that was good are good as well.
_LIKE_OTHERS = frozenset(_COLUMNS) - {"outcomes", "reservations"}

encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode

#: A row as it is kept: number of its kind, item, then its columns; answers end in part and checksum.
Kept = list[Any]


class Encoding:
    """Turns the rows of parts into the lines of which the records of items are made."""

    def __init__(self) -> None:
        self._good: set[tuple[Any, ...]] = set()

    def lines(self, kind: str, body: bytes, part: int, key: str) -> Iterator[tuple[bytes, bytes]]:
        """Yield (item as JSON, line) for each row of a part.

        Args:
            kind: its kind.
            body: its body.
            part: its number, by which the whole answer can be found again.
            key: its name, for messages.

        Raises:
            LedgerError: a row is none that the state can take.
        """
        rows = taken_apart(kind, body)
        if rows is None:
            for text, row in rows_of(body, key):
                kept = self._kept(kind, row, text, part, key)
                yield encode(kept[1]).encode(), encode(kept).encode()
            return
        start = b"[%d," % CODES[kind]
        if kind == "answers":
            for line, tokens in zip(body.split(b"\n"), rows, strict=False):
                end = b"%d,%d]" % (part, zlib.crc32(line))
                yield tokens[0], start + b",".join(tokens) + end
        elif kind == "reservations":
            for item, seats, number, token, _ in rows:
                yield item, start + b"%b,%b,%b,%d]" % (item, seats, number, zlib.crc32(token[1:-1]))
        else:
            for tokens in rows:
                yield tokens[0], start + b",".join(tokens[:-1]) + b"]"

    def _kept(self, kind: str, row: Row, line: str, part: int, key: str) -> Kept:
        # Rows by the million are alike: what a row of these columns and types must have is looked at once
        alike = (kind, *row, *map(type, row.values()))
        if alike not in self._good:
            checked(kind, row, key)
            if kind in _LIKE_OTHERS:
                self._good.add(alike)
        else:
            check_numbers(kind, row, key)
        values: Kept = [CODES[kind], plain(row["item"])]
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


def parsed_lines(body: str | bytes) -> list[Kept]:
    """Return the rows of lines, one below the other."""
    text = body if isinstance(body, str) else body.decode("ascii")
    found: list[Kept] = json.loads("[" + text.replace("\n", ",") + "]")
    return found


def decoded(kept: Iterable[Kept], full: Callable[[int, str], Iterable[Row]]) -> Iterator[tuple[str, Row]]:
    """Yield (kind, row) of an item's record.

    Args:
        kept: its rows as they are kept.
        full: returns the whole rows of an assignment in a part. It is asked only where twins wrote different
            rows of one answer, of which the state keeps one by the whole text.
    """
    answers: dict[str, list[tuple[Row, int, int]]] = {}
    for code, item, *values in kept:
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
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        digest = zlib.crc32(text.encode(errors="surrogatepass"))
        return f"{text.encode(errors='backslashreplace').decode()} ({digest:08x})"
    return text
