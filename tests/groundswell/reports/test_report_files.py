"""Tables as Parquet and CSV: same table, same bytes; back without loss; nothing that a spreadsheet runs."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pandas as pd  # noqa: TID253 (no DAG imports this)
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.errors import ReportError
from groundswell.reports import schema, tables
from groundswell.reports.columns import Column, Table

EVERYTHING = Table(
    "everything",
    "One column of each kind.",
    tuple(Column(kind, kind, f"A {kind}.") for kind in ("text", "int", "float", "flag", "time", "day")),
    ("text",),
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
rows = st.fixed_dictionaries(
    {
        "text": st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
        "int": st.none() | st.integers(-(2**63), 2**63 - 1),
        "float": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "time": st.none() | moments,
        "day": st.just("") | st.dates().map(str),
    }
)


def frame(listed: list[dict]) -> pd.DataFrame:
    return EVERYTHING.frame({name: [row[name] for row in listed] for name in EVERYTHING.names})


@settings(deadline=None, max_examples=25)
@given(st.lists(rows, max_size=6))
def test_nothing_is_lost_on_the_way_back(listed):
    wanted = frame(listed)
    csv_body, parquet = tables.to_csv(wanted, EVERYTHING), tables.to_parquet(wanted, EVERYTHING)
    pd.testing.assert_frame_equal(tables.read_csv(csv_body, EVERYTHING), wanted)
    pd.testing.assert_frame_equal(tables.read_parquet(parquet, EVERYTHING), wanted)
    assert tables.to_csv(frame(listed), EVERYTHING) == csv_body
    assert tables.to_parquet(frame(listed), EVERYTHING) == parquet


@pytest.mark.parametrize(
    "value", ["=1+1", "+1+1", "-1+1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1", '=HYPERLINK("http://x")']
)
def test_no_cell_is_run_as_a_formula(value):
    body = tables.to_csv(EVERYTHING.frame({"text": [value]}), EVERYTHING).decode()
    cell = list(csv.reader(io.StringIO(body, newline="")))[1][0]
    assert cell == f"'{value}"


def test_numbers_are_plain_decimals():
    wanted = EVERYTHING.frame({"float": [0.1, 3.0, -0.0, 1e-6, 1e21, 7.6], "int": [1, -2, None, 4, 5, 6]})
    lines = tables.to_csv(wanted, EVERYTHING).decode().split("\r\n")
    assert lines[0] == "text,int,float,flag,time,day"
    cells = [line.split(",")[2] for line in lines[1:-1]]
    assert cells == ["0.1", "3", "0", "0.000001", "1" + "0" * 21, "7.6"]
    assert lines[3] == ",,0,,,"


def test_a_file_says_what_its_columns_mean(month):
    frame = month.tables[0].workers
    written = pq.read_schema(io.BytesIO(tables.to_parquet(frame, schema.WORKERS)))
    assert written.metadata[b"table"] == b"workers"
    field = written.field("seconds_per_task")
    assert field.metadata[b"formula"] == b"active_seconds / active_tasks"
    assert str(written.field("day").type) == "date32[day]"
    header = tables.to_csv(frame, schema.WORKERS).split(b"\r\n")[0].decode().split(",")
    assert header == [name for name in schema.WORKERS.names if name != "bins"]


def test_all_tables_of_a_month_come_back(month):
    for found in month.tables[:3]:
        for table in schema.TABLES:
            frame = found.frames()[table.name]
            assert list(frame.columns) == table.names
            pd.testing.assert_frame_equal(tables.read_parquet(tables.to_parquet(frame, table)), frame)


def test_text_that_is_no_unicode_is_made_so():
    wanted = EVERYTHING.frame({"text": ["a\ud800b", None, float("nan"), 7]})
    assert list(wanted["text"]) == ["a\ufffdb", "", "", "7"]


def test_files_that_are_no_tables():
    with pytest.raises(ReportError, match="no Parquet file"):
        tables.read_parquet(b"nonsense")
    other = tables.to_parquet(EVERYTHING.empty(), EVERYTHING)
    with pytest.raises(ReportError, match="'everything'"):
        tables.read_parquet(other)
    with pytest.raises(ReportError, match="'colour'"):
        tables.read_csv(b"colour\r\nred\r\n", EVERYTHING)


def test_every_column_is_described():
    text = schema.describe()
    for table in schema.TABLES:
        assert f"### {table.name}" in text
        for column in table:
            assert f"| `{column.name}` |" in text
            assert column.meaning.endswith((".", 'otherwise "".'))
    ratios = {"agreement", "accuracy", "hourly_pay", "cost_per_label", "machine_share", "tasks_per_hour"}
    assert all(schema.measure(name).formula for name in ratios)
