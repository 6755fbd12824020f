"""The files that come with the iris batch, against the published data set."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from groundswell.batches.model import Batch
from groundswell.templates.check import check_template
from groundswell.templates.images import image_source
from groundswell.templates.render import TaskText, html_question, render_page

INCLUDE = Path(__file__).parents[3] / "include"
IMAGES = INCLUDE / "data" / "images"
ROWS = list(csv.DictReader((INCLUDE / "data" / "iris.csv").read_text().splitlines()))
MEASUREMENTS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def test_150_flowers_of_three_kinds_with_neutral_names() -> None:
    assert list(ROWS[0]) == ["id", *MEASUREMENTS, "image"]
    assert sorted(row["id"] for row in ROWS) == [f"iris-{number:03d}" for number in range(1, 151)]
    assert Counter(row["image"] for row in ROWS) == dict.fromkeys(
        ["flower-a.svg", "flower-b.svg", "flower-c.svg"], 50
    )


def test_the_image_follows_the_classic_order_of_the_ids() -> None:
    for row in ROWS:
        assert row["image"] == f"flower-{'abc'[(int(row['id'][5:]) - 1) // 50]}.svg"


def test_the_order_of_the_rows_gives_nothing_away() -> None:
    images = [row["image"] for row in ROWS]
    assert sum(one == two for one, two in pairwise(images)) < 75


def test_the_measurements_are_fishers() -> None:
    """Means as published with the data set; rows 35 and 38 as in Fisher's article, not as in the UCI copy."""
    means = [round(sum(float(row[name]) for row in ROWS) / 150, 2) for name in MEASUREMENTS]
    assert means == [5.84, 3.06, 3.76, 1.2]
    by_id = {row["id"]: [float(row[name]) for name in MEASUREMENTS] for row in ROWS}
    assert by_id["iris-001"] == [5.1, 3.5, 1.4, 0.2]
    assert by_id["iris-035"] == [4.9, 3.1, 1.5, 0.2]
    assert by_id["iris-038"] == [4.9, 3.6, 1.4, 0.1]
    assert by_id["iris-150"] == [5.9, 3.0, 5.1, 1.8]


@pytest.mark.parametrize("path", sorted(IMAGES.glob("*.svg")), ids=lambda path: str(path.name))
def test_a_drawing_is_small_passive_and_does_not_name_the_species(path: Path) -> None:
    text = path.read_text()
    assert len(text.encode()) < 8192
    assert {"svg", "path", "g"} < {
        element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()
    }
    for word in ("script", "href", "foreignObject", "<text", "<title", "setosa", "versicolor", "virginica"):
        assert word not in text


def test_every_flower_makes_a_question() -> None:
    batch = Batch.load(INCLUDE / "batches" / "iris.yaml")
    task = TaskText.of(batch.task)
    assert batch.dataset.local_path == INCLUDE / "data" / "iris.csv"
    check_template(batch.task.template, task=task, columns=list(ROWS[0]), image=True)
    for row in ROWS:
        html = render_page(
            batch.task.template,
            item=row,
            item_id=row["id"],
            task=task,
            image_src=image_source(row["image"], batch.task.image_folder),
        )
        assert "flower-" not in html
        assert html_question(html, batch.task.frame_height)
