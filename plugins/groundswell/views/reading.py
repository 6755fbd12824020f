"""Reading a ledger of any size in little memory: a few parts ahead, or one object piece by piece."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from groundswell.errors import LedgerError
from groundswell.ledger import FolderStore, Ledger, Outcome, PartStore
from groundswell.ledger.ledger import READERS

_NUMBER, _TEXT_OR_NOTHING = (int, float), (str, type(None))
#: Columns that a row of a kind must have for the state of a run to take it, and of what type.
_NEEDED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "hits": {"item": str, "hit": str, "seats": int, "expires": str},
    "answers": {"item": str, "assignment": str, "label": _TEXT_OR_NOTHING, "submitted": str, "worker": str},
    "withheld": {"item": str, "assignment": str},
    "payments": {"item": str, "assignment": str, "cents": _NUMBER},
    "rejections": {"item": str, "assignment": str},
    "reservations": {"item": str},
    "extensions": {"item": str, "seats": int, "expires": str},
    "outcomes": {"item": str, "outcome": str},
    "expirations": {"item": str},
    "deletions": {"item": str},
    "bonuses": {"token": str, "assignment": str, "cents": _NUMBER, "fee_cents": _NUMBER},
}
#: Columns that rows may have.
_OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "number": int,
    "rejected": int,
    "seats": int,
    "token": str,
    "replaces": str,
}
#: Columns with numbers, and how large one may be: a million of them still fit into 64 bits.
_NUMBERS: dict[str, tuple[str, ...]] = {
    "hits": ("seats",),
    "payments": ("cents",),
    "extensions": ("seats",),
    "reservations": ("seats", "number", "rejected"),
    "outcomes": ("seats", "number", "rejected"),
    "bonuses": ("cents", "fee_cents"),
}
_LARGEST = 10**12
_OUTCOMES = frozenset(str(each) for each in Outcome)


def part_rows(ledger: Ledger, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (kind, row) of every part of these kinds. Raises LedgerError for a part that is damaged."""
    for kind in kinds:
        for key, body in bodies(ledger.store, ledger.store.keys(f"{ledger.prefix}{kind}/")):
            for _, row in rows_of(body, key):
                yield kind, checked(kind, row, key)


def rows_of(body: bytes, key: str) -> list[tuple[str, dict[str, Any]]]:
    """Return (line, row) of the body of a part. Raises LedgerError naming the line that is damaged."""
    try:
        several = [line for line in body.decode().split("\n") if line]
        rows = json.loads(f"[{','.join(several)}]")  # far faster than line by line
        if len(rows) == len(several) and all(type(row) is dict for row in rows):
            return list(zip(several, rows, strict=True))
    except (ValueError, RecursionError):
        pass
    lines_of = enumerate(body.split(b"\n"), start=1)
    return [(line.decode(), parsed(line, key, number)) for number, line in lines_of if line]


def bodies(store: PartStore, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """Yield (key, body) of parts, no more of them ahead than are read at once.

    Raises:
        LedgerError: one is not there.
    """
    if isinstance(store, FolderStore):  # nothing to wait for: threads would cost more than reading does
        yield from ((key, _there(key, store.get(key))) for key in keys)
        return
    with ThreadPoolExecutor(READERS) as readers:
        ahead: deque[tuple[str, Future[bytes | None]]] = deque()
        for key in keys:
            ahead.append((key, readers.submit(store.get, key)))
            if len(ahead) > READERS:
                yield _body(*ahead.popleft())
        while ahead:
            yield _body(*ahead.popleft())


def _body(key: str, reading: Future[bytes | None]) -> tuple[str, bytes]:
    return key, _there(key, reading.result())


def _there(key: str, body: bytes | None) -> bytes:
    if body is None:
        raise LedgerError(f"{key} is gone; restore this object from a backup or version")
    return body


def checked(kind: str, row: dict[str, Any], key: str) -> dict[str, Any]:
    """Return a row if the state of a run can take it. Raises LedgerError naming the part, its key."""
    needed = _NEEDED.get(kind)
    if needed is None:
        return row
    for name, kinds in needed.items():
        if name not in row:
            raise LedgerError(f"{key}: a row lacks {name!r}; restore this object from a backup or version")
        if not isinstance(row[name], kinds):
            raise _wrong(key, name, row)
    for name, kinds in _OPTIONAL.items():
        if name in row and not isinstance(row[name], kinds):
            raise _wrong(key, name, row)
    check_numbers(kind, row, key)
    if kind == "reservations" and not ("outcome" in row or "token" in row):
        raise LedgerError(f"{key}: a row lacks 'token'; restore this object from a backup or version")
    if "outcome" in row and row["outcome"] not in _OUTCOMES:
        raise _wrong(key, "outcome", row)
    return row


def check_numbers(kind: str, row: dict[str, Any], key: str) -> None:
    """Raise LedgerError, naming the part, where a number of a row is none, or too large to be added up."""
    for name in _NUMBERS.get(kind, ()):
        if not abs(row.get(name, 0)) < _LARGEST:  # NaN is not less either
            raise _wrong(key, name, row)


def _wrong(key: str, name: str, row: dict[str, Any]) -> LedgerError:
    value = repr(row[name])[:100]
    return LedgerError(
        f"{key}: a row says {value} for {name!r}; restore this object from a backup or version"
    )


def parsed(line: bytes, key: str, number: int, *, after: int = 0) -> dict[str, Any]:
    """Return a line of a part as a row. Raises LedgerError where it is damaged or no object.

    Args:
        line: the line.
        key: name of the part.
        number: of the line, from 1.
        after: bytes of the part before line 1.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        where = _where(key, number, after)
        raise LedgerError(
            f"{where} is not JSON ({error}); restore this object from a backup or version"
        ) from error
    if not isinstance(row, dict):
        raise LedgerError(
            f"{_where(key, number, after)} is no JSON object; restore this object from a backup or version"
        )
    return row


def _where(key: str, number: int, after: int) -> str:
    return f"{key} line {number}" + (f" after byte {after}" if after else "")


def lines(store: PartStore, key: str, *, start: int = 0) -> Iterator[bytes]:
    """Yield the lines of an object without their ends; none where it does not exist.

    A store with a method ``chunks`` (key -> the object in pieces, or None) is read piece by piece.

    Args:
        store: where the object is.
        key: its name.
        start: bytes to leave out from the beginning.
    """
    chunks: Callable[[str], Iterable[bytes] | None] | None = getattr(store, "chunks", None)
    if chunks is None:
        body = store.get(key)
        pieces: Iterable[bytes] | None = None if body is None else [body]
    else:
        pieces = chunks(key)
    rest = b""
    for piece in pieces or ():
        if start:
            start, piece = max(0, start - len(piece)), piece[start:]
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
