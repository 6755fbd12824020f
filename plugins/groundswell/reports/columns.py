"""What a table of the reports is: columns with type and meaning, and data frames of exactly those types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Kind = Literal["text", "int", "float", "flag", "time", "day"]

_PANDAS = {"text": "str", "int": "Int64", "float": "float64", "flag": "boolean", "day": "str"}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    :param name: as in files and data frames
    :param kind: text; int (64 bits); float (64 bits); flag; time (microseconds, UTC); day (text YYYY-MM-DD in
        data frames and CSV, a date in Parquet)
    :param meaning: one sentence for people
    :param formula: how it is computed from other columns; "" where it is counted
    :param unit: of a number
    :param parquet_only: not in CSV files
    """

    name: str
    kind: Kind
    meaning: str
    formula: str = ""
    unit: str = ""
    parquet_only: bool = False


@dataclass(frozen=True)
class Table:
    """A table: what a row is, its columns in order, and the columns that tell rows apart."""

    name: str
    about: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    def arrow(self) -> pa.Schema:
        """Return the Parquet schema, with meaning, formula and unit of each column in its metadata."""
        import pyarrow as pa

        fields = [
            pa.field(column.name, _arrow_type(column.kind), metadata=_described(column)) for column in self
        ]
        return pa.schema(fields, metadata={"table": self.name, "about": self.about})

    def empty(self) -> pd.DataFrame:
        """Return the table without rows, every column of its type."""
        return self.frame({})

    def frame(self, columns: dict[str, Any]) -> pd.DataFrame:
        """Return a data frame of these columns, each of its type; absent columns are null, texts "".

        :param columns: values by column name, all of one length; others are left out
        :raises ValueError: a value cannot be of its column's type
        """
        import pandas as pd

        given = {name: columns[name] for name in self.names if name in columns}
        length = max((len(values) for values in given.values()), default=0)
        index = pd.RangeIndex(length)
        return pd.DataFrame(
            {column.name: _series(given.get(column.name), column.kind, index) for column in self},
            index=index,
        )

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with exactly this table's columns, in order and of their types.

        Missing columns become null (texts ""), unknown ones go, text that is no Unicode (lone surrogates) is
        made so with U+FFFD, and NaN, infinity and None become null.

        :raises ValueError: a value cannot be of its column's type
        """
        return self.frame({name: frame[name] for name in self.names if name in frame.columns})


def _series(values: Any, kind: Kind, index: pd.RangeIndex) -> pd.Series:
    import numpy as np
    import pandas as pd

    if values is None:
        return _nothing(kind, index)
    if kind == "float" and isinstance(values, np.ndarray) and values.dtype == np.float64:
        return pd.Series(np.where(np.isfinite(values), values, np.nan), index=index)
    if isinstance(values, pd.Series):
        series = values.set_axis(index)
    else:
        # As objects: pandas' own text refuses lone surrogates, and whole numbers beside None would be floats
        plain = kind in {"text", "day"} or (isinstance(values, list | tuple) and kind in {"int", "flag"})
        series = pd.Series(values, index=index, dtype=object if plain else None)
    if kind == "time":
        return pd.to_datetime(series, utc=True).astype("datetime64[us, UTC]")
    if kind in {"text", "day"}:
        return _text(series)
    if kind == "float":
        numbers = pd.to_numeric(series).astype("float64")
        return numbers.where(numbers.abs() < float("inf"))
    return series.astype(_PANDAS[kind])


def _nothing(kind: Kind, index: pd.RangeIndex) -> pd.Series:
    import pandas as pd

    if kind == "time":
        return pd.Series(pd.NaT, index=index, dtype="datetime64[us, UTC]")
    if kind in {"text", "day"}:
        return pd.Series("", index=index, dtype="str")
    return pd.Series(None, index=index, dtype=_PANDAS[kind])


def _text(series: pd.Series) -> pd.Series:
    import numpy as np
    import pandas as pd

    if str(series.dtype) == "str":
        return series.fillna("")
    # Millions of rows hold a few texts: clean each once
    codes, texts = pd.factorize(series.to_numpy(object))
    clean = np.array([*(_unicode(text) for text in texts), ""], dtype=object)  # what is missing has code -1
    return pd.Series(clean[codes], index=series.index, dtype="str")


def _unicode(value: Any) -> str:
    text = str(value)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _arrow_type(kind: Kind) -> pa.DataType:
    import pyarrow as pa

    return {
        "text": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "day": pa.date32(),
    }[kind]


def _described(column: Column) -> dict[str, str]:
    said = {"meaning": column.meaning, "formula": column.formula, "unit": column.unit}
    return {name: text for name, text in said.items() if text}
