"""CSV files of labelled data, in two forms, and reading them back.

Named columns: a header of column names, the label last. TensorFlow form, as in its iris files: the header
``rows,features,class names…`` (``120,4,setosa,versicolor,virginica``), then rows whose last value is the
index of the class.

Values are quoted as RFC 4180 says; lines end with a line feed. A cell that a spreadsheet would run as a
formula gets an apostrophe in front; numbers, negative ones too, stay numbers. Reading takes exactly that
apostrophe away again, so every text survives the round trip.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from groundswell.errors import DatasetError

# Leading characters that make spreadsheets evaluate a cell: OWASP's list, full-width forms included.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_ESCAPED_FORMULA = re.compile("'+[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TENSORFLOW_HEADER = 2
"""Cells before the class names in the TensorFlow form: rows and features."""


def numbered_records(text: str, name: str, *, fix: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record with the line on which it starts; a quoted value may span lines.

    :param name: what to call the file in errors
    :param fix: what to do about text that is not CSV
    :raises DatasetError: it is not CSV
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DatasetError(f"{name}: line {line}: is not CSV ({error}); {fix}") from None
        yield line, record


def named_csv(rows: Sequence[Mapping[str, str]], features: Sequence[str], label: str) -> str:
    """Write named columns: the features in the order given, then the label.

    :param rows: one mapping of column to value per item
    :raises DatasetError: a row lacks a column, or a column is named twice
    """
    columns = [*features, label]
    _check_columns(columns)
    lines = [_line(columns)]
    lines += [_line(_cells(row, columns, number)) for number, row in enumerate(rows, start=1)]
    return "".join(lines)


def tensorflow_csv(
    rows: Sequence[Mapping[str, str]], features: Sequence[str], label: str, classes: Sequence[str]
) -> str:
    """Write the TensorFlow form: the label becomes its position in ``classes``.

    :raises DatasetError: a row lacks a column, its label is not in ``classes``, or a name is twice
    """
    _check_columns([*features, label])
    index = {name: str(position) for position, name in enumerate(classes)}
    if len(index) != len(classes):
        raise DatasetError(f"classes: a name is twice in {list(classes)}; name each class once")
    lines = [_line([str(len(rows)), str(len(features)), *classes])]
    for number, row in enumerate(rows, start=1):
        *values, given = _cells(row, [*features, label], number)
        if given not in index:
            raise DatasetError(
                f"row {number}: {label} is {given!r}, which is not one of {', '.join(map(repr, classes))}; "
                "correct the label, or add the class"
            )
        lines.append(_line([*values, index[given]]))
    return "".join(lines)


def read_named_csv(text: str, *, name: str) -> tuple[list[str], list[dict[str, str]]]:
    """Read what :func:`named_csv` wrote: the columns, and one mapping per row.

    :raises DatasetError: empty, a column named twice, or a row of another length than the header
    """
    columns, *records = _records(text, name)
    _check_columns(columns)
    return columns, [
        {column: record[position] for position, column in enumerate(columns)}
        for record in _of_length(records, len(columns), name)
    ]


def read_tensorflow_csv(text: str, *, name: str) -> tuple[list[str], list[tuple[list[str], str]]]:
    """Read what :func:`tensorflow_csv` wrote: the classes, and features and class name per row.

    :raises DatasetError: empty, a header of another form, or a row that does not fit it
    """
    header, *records = _records(text, name)
    if len(header) <= _TENSORFLOW_HEADER or not all(cell.isdecimal() for cell in header[:_TENSORFLOW_HEADER]):
        raise DatasetError(
            f"{name}: line 1: is not a TensorFlow header; it reads rows,features,class names, "
            "such as 120,4,setosa,versicolor,virginica"
        )
    n_rows, n_features, classes = int(header[0]), int(header[1]), header[_TENSORFLOW_HEADER:]
    if n_rows != len(records):
        raise DatasetError(
            f"{name}: line 1: announces {n_rows} rows and the file has {len(records)}; write it again"
        )
    rows = []
    for number, record in enumerate(_of_length(records, n_features + 1, name), start=1):
        *values, given = record
        if not given.isdecimal() or int(given) >= len(classes):
            raise DatasetError(
                f"{name}: row {number}: {given!r} is not the index of one of {len(classes)} classes; "
                f"use 0 to {len(classes) - 1}"
            )
        rows.append((values, classes[int(given)]))
    return classes, rows


def formula_safe(value: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would run, unless it is a number.

    A cell that already looks like a neutralised one gets one more, so that :func:`formula_free` is exact.
    """
    if _FORMULA.match(value) and not _NUMBER.fullmatch(value):
        return f"'{value}"
    return value


def formula_free(cell: str) -> str:
    """Take away the apostrophe that :func:`formula_safe` put there."""
    return cell[1:] if _ESCAPED_FORMULA.match(cell) else cell


def _line(values: Iterable[str]) -> str:
    cells = [_quoted(formula_safe(value)) for value in values]
    # A lone empty cell would be a blank line, which readers skip.
    return (",".join(cells) if cells != [""] else '""') + "\n"


def _quoted(cell: str) -> str:
    if any(character in cell for character in ',"\r\n') or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _cells(row: Mapping[str, str], columns: Sequence[str], number: int) -> list[str]:
    missing = [column for column in columns if column not in row]
    if missing:
        raise DatasetError(
            f"row {number}: has no {missing[0]!r}; it has {', '.join(map(repr, row)) or 'nothing'}; "
            "correct the batch's features or label_attribute, or the dataset"
        )
    return [row[column] for column in columns]


def _check_columns(columns: Sequence[str]) -> None:
    for position, column in enumerate(columns):
        if column in columns[:position]:
            raise DatasetError(
                f"column {column!r} is there twice; list each feature once, and the label apart from them"
            )


def _records(text: str, name: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        records = [[formula_free(cell) for cell in record] for record in reader if record]
    except csv.Error as error:
        raise DatasetError(f"{name}: line {reader.line_num}: is not CSV ({error}); write it again") from None
    if not records:
        raise DatasetError(f"{name}: is empty; write it again")
    return records


def _of_length(records: Sequence[list[str]], length: int, name: str) -> Sequence[list[str]]:
    for number, record in enumerate(records, start=1):
        if len(record) != length:
            raise DatasetError(
                f"{name}: row {number}: has {len(record)} values instead of {length}; write the file again"
            )
    return records
