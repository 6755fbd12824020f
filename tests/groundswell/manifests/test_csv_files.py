from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import DatasetError
from groundswell.manifests.csv_files import (
    formula_free,
    formula_safe,
    named_csv,
    read_named_csv,
    read_tensorflow_csv,
    tensorflow_csv,
)

ROWS = [
    {"length": "6.4", "width": "-2.8", "species": "virginica", "id": "1"},
    {"length": "5.0", "width": "2.3", "species": "setosa", "id": "2"},
]
NASTY = st.one_of(st.text(), st.text(alphabet="'=+-@\t\r\n\",1.e", max_size=6))


def test_named_columns() -> None:
    assert named_csv(ROWS, ["length", "width"], "species") == (
        "length,width,species\n6.4,-2.8,virginica\n5.0,2.3,setosa\n"
    )


def test_the_tensorflow_form() -> None:
    text = tensorflow_csv(ROWS, ["length", "width"], "species", ["setosa", "versicolor", "virginica"])
    assert text == "2,2,setosa,versicolor,virginica\n6.4,-2.8,2\n5.0,2.3,0\n"
    assert read_tensorflow_csv(text, name="t") == (
        ["setosa", "versicolor", "virginica"],
        [(["6.4", "-2.8"], "virginica"), (["5.0", "2.3"], "setosa")],
    )


@pytest.mark.parametrize("value", ["-2.8", "+3", "-.5", "-1e-5", "-1.", "7", "plain", "a=b", "", "'quoted'"])
def test_values_that_stay_as_they_are(value: str) -> None:
    assert formula_safe(value) == value


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+1-1", "-2+3", "-cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "-inf", "\uff1d1+1", "'=1"],
)
def test_formulas_are_text(value: str) -> None:
    assert formula_safe(value) == f"'{value}"


@given(NASTY)
def test_neutralising_is_exact(value: str) -> None:
    safe = formula_safe(value)
    assert formula_free(safe) == value
    assert safe == value or safe[0] == "'"


@given(st.lists(st.tuples(NASTY, NASTY), max_size=5), st.lists(NASTY, min_size=2, max_size=2, unique=True))
def test_named_columns_round_trip(values: list[tuple[str, str]], columns: list[str]) -> None:
    rows = [dict(zip(columns, pair, strict=True)) for pair in values]
    text = named_csv(rows, columns[:1], columns[1])
    assert read_named_csv(text, name="t") == (columns, rows)
    # Any reader of RFC 4180 sees the same table.
    plain = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert plain == [[formula_safe(v) for v in row] for row in [columns, *(row.values() for row in rows)]]


@given(st.lists(NASTY, min_size=1, max_size=4, unique=True), st.data())
def test_the_tensorflow_form_round_trips(classes: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries({"f": NASTY, "y": st.sampled_from(classes)}), max_size=5))
    text = tensorflow_csv(rows, ["f"], "y", classes)
    assert read_tensorflow_csv(text, name="t") == (classes, [([row["f"]], row["y"]) for row in rows])


def test_a_lone_empty_cell_is_a_row() -> None:
    text = named_csv([{"y": ""}], [], "y")
    assert read_named_csv(text, name="t") == (["y"], [{"y": ""}])


def test_bad_rows() -> None:
    with pytest.raises(DatasetError, match="row 2: has no 'colour'; it has 'length'"):
        named_csv([{"colour": "red", "y": "1"}, ROWS[0]], ["colour"], "y")
    with pytest.raises(DatasetError, match="column 'species' is there twice"):
        named_csv(ROWS, ["species"], "species")
    with pytest.raises(DatasetError, match="row 1: species is 'virginica', which is not one of 'setosa'"):
        tensorflow_csv(ROWS, ["length"], "species", ["setosa"])
    with pytest.raises(DatasetError, match="classes: a name is twice"):
        tensorflow_csv(ROWS, ["length"], "species", ["setosa", "setosa"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "t: is empty"),
        ("a,b\n1\n", "t: row 1: has 1 values instead of 2"),
        ("a,a\n", "column 'a' is there twice"),
        ('a,b\n"1\n', "t: line 2: is not CSV"),
    ],
)
def test_bad_named_files(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read_named_csv(text, name="t")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b,c\n", "t: line 1: is not a TensorFlow header"),
        ("1,2\n", "t: line 1: is not a TensorFlow header"),
        ("2,1,x\n5,0\n", "t: line 1: announces 2 rows and the file has 1"),
        ("1,1,x\n5,1\n", "t: row 1: '1' is not the index of one of 1 classes"),
        ("1,1,x\n5,x\n", "t: row 1: 'x' is not the index"),
        ("1,2,x\n5,0\n", "t: row 1: has 2 values instead of 3"),
    ],
)
def test_bad_tensorflow_files(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read_tensorflow_csv(text, name="t")
