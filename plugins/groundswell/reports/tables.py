"""Tables as files: Parquet with types and meanings, and CSV that no spreadsheet runs. Same table, same bytes.

CSV: UTF-8, RFC 4180 (CRLF, quotes where needed), a header. Whole numbers as digits; other numbers in the
fewest decimals that give the same 64-bit number back, never with an exponent, always with a point as decimal
mark; no value is an empty cell; ``true`` and ``false``; dates ``2026-11-21``; times
``2026-11-21T09:30:00Z``. A text that a spreadsheet would run as a formula gets an apostrophe in front, which
:func:`read_csv` takes away.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from groundswell.errors import ReportError
from groundswell.manifests.csv_files import formula_free, formula_safe
from groundswell.reports import schema
from groundswell.reports.columns import Kind, Table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_LARGEST_CELL = 10_000_000


def to_parquet(frame: pd.DataFrame, table: Table) -> bytes:
    """Return the table as a Parquet file, with column descriptions in the schema's metadata.

    :raises ValueError: a value cannot be of its column's type
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    frame = table.conform(frame)
    arrays = [_to_arrow(frame[column.name], column.kind) for column in table]
    body = io.BytesIO()
    rows = pa.Table.from_arrays(arrays, schema=table.arrow())
    pq.write_table(rows, body, compression="zstd", version="2.6", row_group_size=1 << 18)
    return body.getvalue()


def read_parquet(body: bytes, table: Table | None = None) -> pd.DataFrame:
    """Return what :func:`to_parquet` wrote, with the types of ``table``.

    :param table: by default the published table that the file says it is; columns that an older file lacks
        become null
    :raises ReportError: it is no Parquet file, or none of these tables
    """
    return from_arrow([read_arrow(body)], table)


def read_arrow(body: bytes) -> pa.Table:
    """Return what :func:`to_parquet` wrote as it is in the file, which is quicker than as a data frame.

    :raises ReportError: it is no Parquet file
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(body))
    except (pa.ArrowException, OSError) as error:
        raise ReportError(
            f"a table of the reports is no Parquet file ({error}); make the day again"
        ) from None


def from_arrow(parts: Sequence[pa.Table], table: Table | None = None) -> pd.DataFrame:
    """Return what :func:`read_arrow` gave, of one file or of several below each other; see read_parquet.

    :param parts: at least one
    :raises ReportError: they are none of the published tables
    """
    import pyarrow as pa

    rows = pa.concat_tables(parts, promote_options="permissive") if len(parts) > 1 else parts[0]
    if table is None:
        name = (rows.schema.metadata or {}).get(b"table", b"").decode()
        table = {known.name: known for known in (*schema.TABLES, schema.ACTIVITY)}.get(name)
        if table is None:
            raise ReportError(f"a Parquet file holds the table {name!r}, which is no table of the reports")
    there = [column for column in table if column.name in rows.column_names]
    return table.frame({column.name: _from_arrow(rows[column.name], column.kind) for column in there})


def to_csv(frame: pd.DataFrame, table: Table) -> bytes:
    """Return the table as CSV, formula-safe and lossless; columns that are Parquet only are left out.

    :raises ValueError: a value cannot be of its column's type
    """
    frame = table.conform(frame)
    columns = [column for column in table if not column.parquet_only]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.name for column in columns])
    writer.writerows(zip(*(_cells(frame[column.name], column.kind) for column in columns), strict=True))
    return text.getvalue().encode()


def read_csv(body: bytes, table: Table) -> pd.DataFrame:
    """Return what :func:`to_csv` wrote; columns that are Parquet only are null.

    :raises ReportError: it is no CSV file of this table
    """
    csv.field_size_limit(_LARGEST_CELL)
    header, *rows = csv.reader(io.StringIO(body.decode(), newline=""), strict=True)
    unknown = [name for name in header if name not in table.names]
    if unknown:
        raise ReportError(f"a CSV file has a column {unknown[0]!r}, which the table {table.name} has not")
    by_name = dict(zip(header, zip(*rows, strict=True) if rows else [()] * len(header), strict=True))
    kinds = {column.name: column.kind for column in table}
    return table.frame(
        {name: [_value(cell, kinds[name]) for cell in cells] for name, cells in by_name.items()}
    )


def number(value: float) -> str:
    """Return a number as it stands in a CSV file; "" for NaN and infinity."""
    if not np.isfinite(value):
        return ""
    return np.format_float_positional(value + 0.0, unique=True, trim="-")


def _cells(series: pd.Series, kind: Kind) -> list[str]:
    if kind in {"text", "day"}:
        return [formula_safe(value) for value in series]
    if kind == "float":
        return [number(value) for value in series.to_numpy()]
    if kind == "time":
        return [
            "" if moment is None else moment.isoformat().replace("+00:00", "Z")
            for moment in _optional(series, series.dt.to_pydatetime)
        ]
    return ["" if value is None else str(value).lower() for value in _optional(series, series.tolist)]


def _optional(series: pd.Series, values: Any) -> list[Any]:
    return [None if gone else value for gone, value in zip(series.isna(), values(), strict=True)]


def _value(cell: str, kind: Kind) -> Any:
    if kind in {"text", "day"}:
        return formula_free(cell)
    if not cell:
        return None
    if kind == "flag":
        return cell == "true"
    if kind == "time":
        return datetime.fromisoformat(cell)
    return int(cell) if kind == "int" else float(cell)


def _to_arrow(series: pd.Series, kind: Kind) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "time":
        return pa.array(series, pa.timestamp("us", tz="UTC"), from_pandas=True)
    if kind in {"text", "day"}:
        text = _whole(pa.array(series, from_pandas=True)).cast(pa.string())
        if kind == "text":
            return text
        return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text).cast(pa.date32())
    kinds = {"int": pa.int64(), "float": pa.float64(), "flag": pa.bool_()}
    return _whole(pa.array(series, kinds[kind], from_pandas=True))


def _whole(array: Any) -> pa.Array:
    return array.combine_chunks() if hasattr(array, "combine_chunks") else array


def _from_arrow(column: pa.ChunkedArray, kind: Kind) -> Any:
    import pyarrow as pa

    if kind == "day":
        return column.cast(pa.string()).to_pandas()
    if kind in {"int", "flag"}:  # through numpy, integers with nulls would lose digits
        return column.to_pylist()
    return column.to_pandas()
