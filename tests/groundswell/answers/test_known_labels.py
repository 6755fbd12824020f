"""Reading labels that are known beforehand."""

from __future__ import annotations

import pytest

from groundswell.answers.known import KnownLabel, read_known_labels
from groundswell.errors import DatasetError

LABELS = ("cat", "dog", "-1")


def read(text: str) -> tuple[list[KnownLabel], list[str]]:
    return read_known_labels(text, name="gold.csv", labels=LABELS)


def test_columns_are_found_by_name() -> None:
    rows, problems = read("\ufeffby,note,label,item\r\nAda,,cat,a\r\n,x, dog ,b c\r\n\r\nAda,,cat,a\r\n")
    assert rows == [KnownLabel("a", "cat", "Ada", 2), KnownLabel("b c", "dog", "", 3)]
    assert problems == []


def test_a_cell_may_have_been_made_safe_for_spreadsheets() -> None:
    [row], _ = read("item,label\na,'-1\n")
    assert row.label == "-1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "gold.csv: is empty; give a header line item,label and one line per item"),
        ("\n \n", "gold.csv: is empty"),
        ("item;label\na;cat\n", "gold.csv: line 1: has no columns named 'item', among item;label; write the"),
        ("item,label,item\n", "gold.csv: line 1: has 2 columns named 'item'"),
        ('item,label\n"a,cat\n', "gold.csv: line 2: is not CSV"),
    ],
)
def test_a_file_that_is_something_else_is_refused(text: str, says: str) -> None:
    with pytest.raises(DatasetError) as caught:
        read(text)
    assert str(caught.value).startswith(says)


def test_rows_that_cannot_be_used_are_told_by_line() -> None:
    rows, problems = read('item,label\na,cat\na,dog\n ,cat\nb,cow\nc\n"d\ne",dog\nf,\n')
    assert [(row.item, row.line) for row in rows] == [("a", 2), ("d\ne", 7)]
    assert problems == [
        "gold.csv: line 3: 'a' is 'dog' here and 'cat' on line 2; keep one",
        "gold.csv: line 4: the item is blank; name it",
        "gold.csv: line 5: 'cow' is not one of the labels; write one of 'cat', 'dog', '-1'",
        "gold.csv: line 6: has 1 values, the header has 2; quote those that hold a comma",
        "gold.csv: line 9: '' is not one of the labels; write one of 'cat', 'dog', '-1'",
    ]
