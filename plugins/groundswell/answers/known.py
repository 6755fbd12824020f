"""Labels that are known beforehand, or that experts hand back: a CSV file with ``item`` and ``label``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from groundswell.errors import DatasetError
from groundswell.manifests.csv_files import formula_free, numbered_records

_WANTED = ("item", "label")


@dataclass(frozen=True)
class KnownLabel:
    """What somebody says is an item's label.

    :param item: the item's id
    :param label: one of the batch's labels
    :param by: who says so; "" where the file has no column ``by``
    :param line: line of the file
    """

    item: str
    label: str
    by: str
    line: int


def read_known_labels(text: str, *, name: str, labels: Collection[str]) -> tuple[list[KnownLabel], list[str]]:
    """
    Read known labels, and what is wrong with the rows that are left out, one line each.

    Columns are found by their names; those that are not ``item``, ``label`` or ``by`` are passed over. White
    space around a label does not count, nor does the apostrophe that keeps a spreadsheet from running a cell.
    The same row twice counts once.

    :param text: the whole file; a byte order mark is ignored
    :param name: what to call the file in errors
    :param labels: the batch's labels
    :raises DatasetError: it is empty, is not CSV, or lacks a column
    """
    records = _records(text.removeprefix("\ufeff"), name)
    try:
        _, header = next(records)
    except StopIteration:
        raise DatasetError(f"{name}: is empty; give a header line item,label and one line per item") from None
    columns = [column.strip() for column in header]
    for wanted in _WANTED:
        if columns.count(wanted) != 1:
            raise DatasetError(
                f"{name}: line 1: has {columns.count(wanted) or 'no'} columns named {wanted!r}, among "
                f"{', '.join(columns)}; write the header item,label"
            )
    found: dict[str, KnownLabel] = {}
    problems: list[str] = []
    for line, record in records:
        problem = _problem(columns, record, labels)
        row = None if problem else _known(columns, record, line)
        first = found.get(row.item) if row else None
        if row and first and first.label != row.label:
            problem = f"{row.item!r} is {row.label!r} here and {first.label!r} on line {first.line}; keep one"
        if problem:
            problems.append(f"{name}: line {line}: {problem}")
        elif row and not first:
            found[row.item] = row
    return list(found.values()), problems


def _known(columns: Sequence[str], record: Sequence[str], line: int) -> KnownLabel:
    cells = dict(zip(columns, record, strict=True))
    by = cells.get("by", "").strip()
    return KnownLabel(cells["item"], formula_free(cells["label"].strip()), formula_free(by), line)


def _problem(columns: Sequence[str], record: Sequence[str], labels: Collection[str]) -> str | None:
    if len(record) != len(columns):
        return f"has {len(record)} values, the header has {len(columns)}; quote those that hold a comma"
    cells = dict(zip(columns, record, strict=True))
    if not cells["item"].strip():
        return "the item is blank; name it"
    label = formula_free(cells["label"].strip())
    if label not in labels:
        return f"{label!r} is not one of the labels; write one of {', '.join(map(repr, labels))}"
    return None


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record that is not blank with the line on which it starts."""
    for line, record in numbered_records(text, name, fix="save the file as CSV with commas"):
        if any(cell.strip() for cell in record):
            yield line, record
