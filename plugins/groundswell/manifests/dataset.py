"""Reading a dataset: CSV with a header, JSON Lines, or a Ground Truth manifest, into items with an id.

Every error names the file and the line, and says the fix. Line numbers count from 1 and are those that an
editor shows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from groundswell.errors import DatasetError
from groundswell.manifests.csv_files import numbered_records
from groundswell.manifests.ground_truth import JsonLineError, check_object, json_objects

Format = Literal["csv", "jsonl", "manifest"]

_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True)
class Item:
    """One thing to be labelled.

    :param id: unique in its dataset; any characters, but not blank
    :param values: all columns, the key column included. Values that were not text in JSON are JSON text here.
    """

    id: str
    values: dict[str, str]


def read_items(text: str, *, name: str, format: Format, key: str) -> list[Item]:
    """Read the items of a dataset, in the order of the file.

    :param text: the whole file; a byte order mark is ignored
    :param name: what to call the file in errors
    :param format: ``csv`` needs a header line; ``jsonl`` has one object per line; ``manifest`` is ``jsonl``
        with ``source-ref`` or ``source`` in each object, as Ground Truth reads and writes it
    :param key: the column that identifies an item
    :raises DatasetError: the file is empty or malformed, or the key is missing, blank or not unique
    """
    reader = _READERS.get(format)
    if reader is None:
        raise DatasetError(f"{name}: {format!r} is not a dataset format; use one of: {', '.join(_READERS)}")
    items: list[Item] = []
    lines: dict[str, int] = {}
    for line, values in reader(text.removeprefix("\ufeff"), name, key):
        identity = values[key]
        if not identity.strip():
            raise DatasetError(f"{name}: line {line}: {key!r} is blank; give each item an id")
        if identity in lines:
            raise DatasetError(
                f"{name}: line {line}: the {key} {identity!r} is already on line {lines[identity]}; "
                "make it unique, or choose another key column"
            )
        lines[identity] = line
        items.append(Item(id=identity, values=values))
    return items


def _read_csv(text: str, name: str, key: str) -> Iterator[tuple[int, dict[str, str]]]:
    records = _csv_records(text, name)
    try:
        _, header = next(records)
    except StopIteration:
        raise DatasetError(f"{name}: is empty; give a header line and one line per item") from None
    _check_header(header, name)
    if key not in header:
        raise DatasetError(_missing_key(name, "has", key, header) + _separator_hint(header))
    empty = True
    for line, row in records:
        empty = False
        if len(row) != len(header):
            raise DatasetError(
                f"{name}: line {line}: has {_count(len(row), 'value')}, the header has {len(header)}; "
                "add or remove values, and quote those that hold a comma"
            )
        yield line, {column: row[position] for position, column in enumerate(header)}
    if empty:
        raise DatasetError(f"{name}: has a header and no items; add one line per item")


def _csv_records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not a blank line, with the line on which it starts."""
    fix = "quote values that hold commas, quotes or line breaks, and double the quotes inside them"
    for line, record in numbered_records(text, name, fix=fix):
        if record and (len(record) > 1 or record[0].strip()):
            yield line, record


def _check_header(header: Sequence[str], name: str) -> None:
    seen: dict[str, int] = {}
    for position, column in enumerate(header, start=1):
        if not column.strip():
            raise DatasetError(f"{name}: line 1: column {position} has no name; name every column")
        if column in seen:
            raise DatasetError(
                f"{name}: line 1: columns {seen[column]} and {position} are both named {column!r}; "
                "rename one of them"
            )
        seen[column] = position


def _separator_hint(header: Sequence[str]) -> str:
    if len(header) == 1:
        for separator, plural in _SEPARATORS.items():
            if separator in header[0]:
                return f". The file seems to be separated by {plural}; save it with commas"
    return ""


def _read_jsonl(text: str, name: str, key: str) -> Iterator[tuple[int, dict[str, str]]]:
    empty = True
    try:
        for line, record in json_objects(text):
            empty = False
            yield line, _text_values(record, name, line, key)
    except JsonLineError as error:
        raise DatasetError(f"{name}: line {error.line}: {error}") from None
    if empty:
        raise DatasetError(f"{name}: is empty; give one JSON object per line")


def _read_manifest(text: str, name: str, key: str) -> Iterator[tuple[int, dict[str, str]]]:
    empty = True
    try:
        for line, record in json_objects(text):
            empty = False
            check_object(line, record)
            yield line, _text_values(record, name, line, key)
    except JsonLineError as error:
        raise DatasetError(f"{name}: line {error.line}: {error}") from None
    if empty:
        raise DatasetError(f"{name}: is empty; give one JSON object with source-ref or source per line")


def _text_values(record: Mapping[str, Any], name: str, line: int, key: str) -> dict[str, str]:
    if key not in record:
        raise DatasetError(_missing_key(name, f"line {line}: has", key, record))
    return {column: _as_text(value) for column, value in record.items()}


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _missing_key(name: str, where: str, key: str, columns: Mapping[str, Any] | Sequence[str]) -> str:
    listed = ", ".join(repr(column) for column in columns) or "none"
    return f"{name}: {where} no column {key!r}; it has {listed}; set the key to one of them"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


_READERS: dict[str, Callable[[str, str, str], Iterator[tuple[int, dict[str, str]]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "manifest": _read_manifest,
}
