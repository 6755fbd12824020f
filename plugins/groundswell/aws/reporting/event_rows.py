"""Rows of events as they are kept: numbered where several are alike, in an order that does not vary."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from groundswell.reports import schema
from groundswell.reports.names import FORGOTTEN

if TYPE_CHECKING:
    import pandas as pd

#: Tells events apart that are equal in all that is kept of them.
_COPY = "copy"
#: What the log tells of an event; the other columns are those of ledgers.
_FROM_LOG = tuple(schema.ACTIVITY.names[: schema.ACTIVITY.names.index("item") + 1])


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows in an order that follows from what they say."""
    return rows.sort_values(list(rows.columns), kind="stable", ignore_index=True)


def to_parquet(rows: pd.DataFrame) -> bytes:
    """Return rows as Parquet."""
    body = io.BytesIO()
    rows.to_parquet(body, index=False)
    return body.getvalue()


def numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of events from the log, and a number that tells equal rows apart: 0, 1, …."""
    rows = rows[list(_FROM_LOG)].reset_index(drop=True)
    numbers = rows.assign(**{_COPY: 0})[_COPY]
    again = rows.duplicated(keep=False)
    if again.any():
        some = rows[again]
        numbers[again] = some.groupby(list(_FROM_LOG), dropna=False, sort=False).cumcount()
    return rows.assign(**{_COPY: numbers})


def told_apart(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a part; those of several workers who were deleted may be alike, and stay as many."""
    if not rows.duplicated().any():
        return rows
    columns = list(_FROM_LOG)
    alike = rows.duplicated(columns, keep=False) & (rows["worker"] == FORGOTTEN)
    numbers = rows[_COPY].copy()
    numbers[alike] = rows[alike].groupby(columns, dropna=False, sort=False).cumcount()
    return rows.assign(**{_COPY: numbers})


def minus(rows: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are not known."""
    import pandas as pd

    if not len(known):
        return rows
    both = pd.concat([known, rows], ignore_index=True)
    return rows[~both.duplicated().to_numpy()[len(known) :]]
