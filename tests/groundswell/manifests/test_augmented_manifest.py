from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.errors import ManifestError
from groundswell.manifests.augmented import ClassLabel, Entry, augmented_manifest, entry
from groundswell.manifests.dataset import Item, read_items

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CAT = ClassLabel(name="cat", confidence=0.91, created=NOON)


def write(*entries: Entry, attribute: str = "pet") -> str:
    return augmented_manifest(entries, attribute=attribute, classes=["cat", "dog"], job_name="pets-1")


def test_the_shape_of_ground_truth() -> None:
    assert write(Entry({"source-ref": "s3://b/1.jpg", "batch": 7}, CAT)) == (
        '{"source-ref":"s3://b/1.jpg","batch":7,"pet":0,"pet-metadata":{"class-name":"cat","confidence":0.91,'
        '"type":"groundtruth/image-classification","job-name":"pets-1","human-annotated":"yes",'
        '"creation-date":"2026-11-21T12:00:00.000000"}}\n'
    )


def test_text_and_machine_labels_say_so() -> None:
    text = augmented_manifest(
        [Entry({"source": "late"}, ClassLabel("dog", 0.5, NOON, human=False))],
        attribute="mood",
        classes=["cat", "dog"],
        job_name="j",
        task="text-classification",
    )
    metadata = json.loads(text)["mood-metadata"]
    assert metadata["type"] == "groundtruth/text-classification"
    assert metadata["human-annotated"] == "no"


def test_times_are_utc_and_floats_may_be_numpys() -> None:
    created = datetime(2026, 11, 21, 13, 0, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    line = json.loads(write(Entry({"source": "x"}, ClassLabel("cat", np.float64(2 / 3), created))))
    assert line["pet-metadata"]["creation-date"] == "2026-11-21T12:00:00.000005"
    assert line["pet-metadata"]["confidence"] == 0.666667


def test_an_object_without_a_label_is_written_unchanged() -> None:
    assert write(Entry({"source": "x", "n": [1]}, None)) == '{"source":"x","n":[1]}\n'


def test_an_item_becomes_an_entry() -> None:
    item = Item("1", {"id": "1", "image": "a.svg", "source": "field notes"})
    assert entry(item, None, source="s3://b/a.svg").source == {
        "source-ref": "s3://b/a.svg",
        "id": "1",
        "image": "a.svg",
    }
    assert entry(item, None, source="a text").source["source"] == "a text"
    assert entry(item, None).source == item.values


@given(
    st.lists(
        st.tuples(
            st.text(min_size=1).filter(lambda text: text.strip()), st.sampled_from(["cat", "dog", None])
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda pair: pair[0],
    )
)
def test_what_is_written_is_read_as_a_dataset(pairs: list[tuple[str, str | None]]) -> None:
    text = write(
        *[
            Entry({"source": each}, None if label is None else ClassLabel(label, 1.0, NOON))
            for each, label in pairs
        ]
    )
    # No reader that splits lines by Unicode's rule may cut an object in two.
    assert len(text.splitlines()) == len(pairs)
    items = read_items(text, name="m", format="manifest", key="source")
    assert [item.id for item in items] == [each for each, _ in pairs]
    classes = {"0": "cat", "1": "dog"}
    assert [classes.get(item.values.get("pet", "")) for item in items] == [label for _, label in pairs]


@pytest.mark.parametrize(
    ("source", "label", "says"),
    [
        ({"id": 1}, CAT, "manifest: line 2: has neither source-ref nor source"),
        ({"source-ref": "cat.jpg"}, CAT, "manifest: line 2: source-ref is 'cat.jpg'; give an S3 URI"),
        ({"source": "x", "pet": 1}, CAT, "manifest: line 2: the object already has 'pet'"),
        ({"source": "x", "pet-metadata": {}}, CAT, "manifest: line 2: the object already has 'pet-metadata'"),
        (
            {"source": "x"},
            ClassLabel("bird", 1, NOON),
            "manifest: line 2: the label 'bird' is not one of 'cat', 'd",
        ),
        ({"source": "x"}, ClassLabel("cat", float("nan"), NOON), "manifest: line 2: the confidence nan"),
        ({"source": "x"}, ClassLabel("cat", 1.5, NOON), "manifest: line 2: the confidence 1.5"),
        ({"source": "x"}, ClassLabel("cat", 1, datetime(2026, 1, 1)), "manifest: line 2: .* has no zone"),
        ({"source": "x" * 20_001}, CAT, "manifest: line 2: 'source' is longer than 20000"),
        ({"source": "x", **{str(n): "y" * 19_990 for n in range(6)}}, CAT, "line 2: is longer than 100000"),
        ({"source": "x", "n": float("inf")}, CAT, "manifest: line 2: cannot be written as JSON"),
        ({"source": "x", "n": {1, 2}}, CAT, "manifest: line 2: cannot be written as JSON"),
    ],
)
def test_bad_lines(source: dict[str, Any], label: ClassLabel, says: str) -> None:
    with pytest.raises(ManifestError, match=says):
        write(Entry({"source": "fine"}, CAT), Entry(source, label))


@pytest.mark.parametrize(
    "attribute",
    ["source", "source-ref", "pet-metadata", "-pet", "pet-", "pet_name", "", "p" * 128, "map-ref"],
)
def test_bad_attribute_names(attribute: str) -> None:
    with pytest.raises(ManifestError, match="label_attribute: "):
        write(attribute=attribute)


@pytest.mark.parametrize("attribute", ["p", "a--b", "p" * 127, "9lives"])
def test_good_attribute_names(attribute: str) -> None:
    assert write(attribute=attribute) == ""
