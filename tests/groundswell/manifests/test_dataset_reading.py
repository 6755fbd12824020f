from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import DatasetError
from groundswell.manifests.dataset import Format, Item, read_items

IDS = st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, max_size=8, unique=True)
TEXT = st.text(max_size=30)


def read(text: str, form: Format = "csv", key: str = "id") -> list[Item]:
    return read_items(text, name="flowers", format=form, key=key)


def test_csv() -> None:
    assert read("id,image\n1,a.svg\n2,b.svg\n") == [
        Item("1", {"id": "1", "image": "a.svg"}),
        Item("2", {"id": "2", "image": "b.svg"}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffid,image\n1,a.svg\n",
        "id,image\r\n1,a.svg\r\n",
        "id,image\r1,a.svg",
        "\n\nid,image\n\n1,a.svg\n   \n",
        'id,image\n"1","a.svg"',
    ],
)
def test_csv_as_programs_write_it(text: str) -> None:
    assert read(text) == [Item("1", {"id": "1", "image": "a.svg"})]


def test_quoted_values_may_span_lines_and_errors_still_name_the_right_one() -> None:
    text = 'id,text\n1,"one\ntwo, ""three"""\n\n1,x\n'
    with pytest.raises(DatasetError, match=r"^flowers: line 5: the id '1' is already on line 2;"):
        read(text)
    assert read(text.replace("\n1,x", "\n2,x"))[0].values["text"] == 'one\ntwo, "three"'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"flowers: is empty; give a header line"),
        ("\ufeff\n \n", r"flowers: is empty"),
        ("id,image\n", r"flowers: has a header and no items"),
        ("id,image\n\n\n", r"flowers: has a header and no items"),
        ("key,image\n1,a\n", r"flowers: has no column 'id'; it has 'key', 'image'; set the key"),
        ("key;image\n1;a\n", r"separated by semicolons; save it with commas"),
        ("key\timage\n1\ta\n", r"separated by tabs"),
        ("id,image\n1,a\n2\n", r"flowers: line 3: has 1 value, the header has 2"),
        ("id,image\n1,a,b\n", r"flowers: line 2: has 3 values, the header has 2"),
        ("id,image,id\n1,a,2\n", r"flowers: line 1: columns 1 and 3 are both named 'id'"),
        ("id,,x\n1,a,2\n", r"flowers: line 1: column 2 has no name"),
        ("id,image\n1,a\n ,b\n", r"flowers: line 3: 'id' is blank"),
        ("id,image\n1,a\n2,b\n1,c\n", r"flowers: line 4: the id '1' is already on line 2"),
        ('id,image\n1,"a\n', r"flowers: line 2: is not CSV"),
        ('id,image\n1,"a"b\n', r"flowers: line 2: is not CSV"),
    ],
)
def test_bad_csv(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read(text)


def test_jsonl_values_become_text() -> None:
    line = '{"id":17,"t":"x","f":1.5,"b":true,"n":null,"o":{"a":[1,"é"]}}'
    assert read(f"\n{line}\r\n", "jsonl") == [
        Item("17", {"id": "17", "t": "x", "f": "1.5", "b": "true", "n": "", "o": '{"a":[1,"é"]}'})
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", r"flowers: is empty; give one JSON object per line"),
        ('{"id":1}\n[1]\n', r"flowers: line 2: is not a JSON object"),
        ('{"id":1}\n{"id":\n', r"flowers: line 2: is not JSON \(.* at character \d+\)"),
        ('{"id":1}\n\n{"no":1}\n', r"flowers: line 3: has no column 'id'; it has 'no'"),
        ('{"id":1}\n{}\n', r"flowers: line 2: has no column 'id'; it has none"),
        ('{"id":"1"}\n{"id":1}\n', r"flowers: line 2: the id '1' is already on line 1"),
        ('{"id":null}\n', r"flowers: line 1: 'id' is blank"),
        ('{"id":1,"id":2}\n', r"flowers: line 1: names 'id' twice"),
        ('{"id":NaN}\n', r"flowers: line 1: holds NaN"),
        ('{"id":' + "[" * 100_000 + "\n", r"flowers: line 1: is nested too deeply"),
        ('{"id":' + "9" * 5_000 + "}\n", r"flowers: line 1: Exceeds the limit"),
    ],
)
def test_bad_jsonl(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read(text, "jsonl")


def test_a_ground_truth_manifest_is_a_dataset() -> None:
    text = (
        '{"source-ref":"s3://b/1.jpg","pet":0,"pet-metadata":{"class-name":"cat","confidence":0.91}}\n'
        '{"source":"the parcel came late","source-ref":"s3://b/2.jpg"}\n'
    )
    first, second = read(text, "manifest", "source-ref")
    assert first.id == "s3://b/1.jpg"
    assert first.values["pet"] == "0"
    assert json.loads(first.values["pet-metadata"]) == {"class-name": "cat", "confidence": 0.91}
    assert second.values["source"] == "the parcel came late"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\n", r"flowers: is empty; give one JSON object with source-ref or source"),
        ('{"id":1,"source":"x"}\n{"id":2}\n', r"flowers: line 2: has neither source-ref nor source"),
        ('{"id":1,"source":""}\n', r"flowers: line 1: source is ''"),
        ('{"id":1,"source":3}\n', r"flowers: line 1: source is 3"),
        (
            '{"id":1,"source-ref":"http://x/y"}\n',
            r"flowers: line 1: source-ref is 'http://x/y'; give an S3 URI",
        ),
        ('{"id":1,"source":"x","$y":1}\n', r"flowers: line 1: the name '\$y' starts with \$"),
    ],
)
def test_bad_manifests(text: str, says: str) -> None:
    with pytest.raises(DatasetError, match=says):
        read(text, "manifest")


def test_unknown_format() -> None:
    with pytest.raises(
        DatasetError, match="'xlsx' is not a dataset format; use one of: csv, jsonl, manifest"
    ):
        read("", "xlsx")  # type: ignore[arg-type]


@given(IDS, TEXT)
def test_csv_carries_any_text(ids: list[str], text: str) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows([["id", "text"], *([each, text] for each in ids)])
    assert read(buffer.getvalue()) == [Item(each, {"id": each, "text": text}) for each in ids]


@given(IDS, TEXT)
def test_jsonl_carries_any_text(ids: list[str], text: str) -> None:
    lines = "\n".join(json.dumps({"id": each, "text": text}, ensure_ascii=False) for each in ids)
    assert read(lines, "jsonl") == [Item(each, {"id": each, "text": text}) for each in ids]


@given(TEXT, st.sampled_from(["csv", "jsonl", "manifest"]))
def test_any_text_is_items_or_one_clear_error(text: str, form: Format) -> None:
    try:
        outcome: list[Item] | str = read(text, form)
    except DatasetError as error:
        outcome = str(error)
    assert outcome
    assert isinstance(outcome, list) or outcome.startswith("flowers: ")
