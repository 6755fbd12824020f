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

#: Kinds of rows that are about an item, and the columns that rows of the kind usually have besides it.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "hits": ("hit", "hit_type", "seats", "expires"),
    "answers": ("assignment", "worker", "accepted", "submitted", "label", "problem"),
    "withheld": ("assignment", "worker", "reason", "at"),
    "payments": ("assignment", "cents", "at"),
    "rejections": ("assignment", "worker", "feedback", "at"),
    "reservations": ("token", "purpose", "seats", "number", "at"),
    "extensions": ("hit", "seats", "token", "expires"),
    "outcomes": ("outcome", "seats", "rejected"),
    "expirations": ("hit", "at"),
    "deletions": ("hit", "at"),
}
ABOUT_ITEMS = tuple(_COLUMNS)
_CODES = {kind: code for code, kind in enumerate(ABOUT_ITEMS)}
#: Columns of an answer that are not kept: what the worker's form sent can be long, and is in the ledger.
_LEFT_OUT = frozenset({"answer", "hit"})


def encoded(kind: str, row: Row, line: bytes, part: int, key: str) -> str:
    """Return a row without its item as text; such texts joined by commas are an item's record.

    Args:
        kind: its kind.
        row: the row.
        line: the row as it is in its part.
        part: number of the part, by which the whole answer can be found again.
        key: name of the part, for messages.

    Raises:
        LedgerError: the row lacks something.
    """
    checked(kind, row, key)
    columns, code = _COLUMNS[kind], _CODES[kind]
    kept = row.keys() - _LEFT_OUT if kind == "answers" else row.keys()
    values: list[Any] = [code]
    if len(kept) == len(columns) + 1 and all(name in row for name in columns):
        values += [row[name] for name in columns]
    else:
        values.append({name: value for name, value in row.items() if name in kept and name != "item"})
    if kind == "answers":
        values += [part, zlib.crc32(line)]
    return json.dumps(values, ensure_ascii=True, separators=(",", ":"))


def decoded(item: str, record: str, full: Callable[[int, str], Iterable[Row]]) -> Iterator[tuple[str, Row]]:
    """Yield (kind, row) of an item's record.

    Args:
        item: the item.
        record: what :func:`encoded` made of its rows, joined by commas.
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
    return dict(zip(_COLUMNS[kind], values, strict=True)) | {"item": item}


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
