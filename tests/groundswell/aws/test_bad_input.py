"""Bad input stops the run before the first HIT, with one message that names the place and the fix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dags import labeling
from groundswell.aws.operators.mturk import MTurkPublishHitsOperator
from groundswell.aws.runs import LabelingRun
from tests.groundswell.aws.desk import Desk, complete, operator

pytestmark = pytest.mark.contract

HEADER = "id,sepal_length,sepal_width,petal_length,petal_width,image"
ROW = "5.1,3.5,1.4,0.2,flower-a.svg"


# the dataset


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "items.csv: is empty; give a header line and one line per item"),
        (f"{HEADER}\n", "items.csv: has a header and no items; add one line per item"),
        (f"{HEADER.replace('id', 'name', 1)}\na,{ROW}\n", "items.csv: has no column 'id'; it has 'name', "),
        (f"{HEADER}\na,{ROW}\nb,{ROW}\na,{ROW}\n", "line 4: the id 'a' is already on line 2; make it unique"),
        (f"{HEADER}\na,{ROW}\n ,{ROW}\n", "items.csv: line 3: 'id' is blank; give each item an id"),
        (f"{HEADER}\na,{ROW}\nb,{ROW},oh\n", "line 3: has 7 values, the header has 6; add or remove values"),
        (
            f"{HEADER}\na,{ROW}\nb,5.1\n".encode("utf-16"),
            "items.csv: byte 0 is not UTF-8; save the file as UTF-8",
        ),
        (
            f"{HEADER},species\na,{ROW},setosa\n",
            "items.csv: already has a column 'species'; rename output.label_attribute in batch.yaml",
        ),
        (
            f"{HEADER},species-metadata\na,{ROW},{{}}\n",
            "already has a column 'species-metadata'; rename output.label_attribute in batch.yaml",
        ),
        (
            f"{HEADER.replace('petal_width', 'width')}\na,{ROW}\n",
            "items.csv: has no column 'petal_width', which output.features names in batch.yaml; it has id, ",
        ),
        (
            f"{HEADER.replace('image', 'picture')}\na,{ROW}\n",
            "items.csv: has no column 'image', which task.image names in batch.yaml; it has id, ",
        ),
        (
            f"{HEADER},$price\na,{ROW},1\n",
            "items.csv: item 'a': the name '$price' starts with $, which is reserved; rename it",
        ),
        (
            f"{HEADER},notes\na,{ROW},\nb,{ROW},{'long ' * 5000}\n",
            "items.csv: item 'b': 'notes' is longer than 20000 characters; shorten it",
        ),
    ],
    ids=lambda value: value[-30:] if isinstance(value, str) else "utf-16",
)
def test_dataset_that_will_not_do(desk: Desk, content: str | bytes, says: str) -> None:
    path = desk.batch_file([])
    desk.dataset(content)
    message = desk.refusal(desk.load, path)
    assert str(desk.folder / "items.csv") in message
    assert says in message


def test_dataset_is_missing(desk: Desk) -> None:
    path = desk.batch_file(["a"], dataset__path="gone.csv")
    assert desk.refusal(desk.load, path) == (
        f"{path}: dataset.path: there is no file {desk.folder / 'gone.csv'}; "
        "create it, or fix the path, which is relative to the batch file"
    )


def test_dataset_that_cannot_be_read(desk: Desk) -> None:
    path = desk.batch_file(["a"])
    read = Path.read_bytes

    def refuse(self: Path) -> bytes:
        if self.suffix == ".csv":
            raise PermissionError(13, "Permission denied")
        return read(self)

    with desk.monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        message = desk.refusal(desk.load, path)
    assert message == f"{desk.folder / 'items.csv'}: cannot be read: Permission denied"


def test_objects_of_json_lines_may_not_differ(desk: Desk) -> None:
    rows = ['{"id": "a", "sepal_length": 1, "image": "flower-a.svg"}', '{"id": "b", "sepal_length": 2}']
    desk.dataset("\n".join(rows), "items.jsonl")
    dataset = {"path": "items.jsonl", "format": "jsonl", "key": "id"}
    path = desk.batch_file(["a"], dataset=dataset, output__features=["sepal_length"])
    message = desk.refusal(desk.load, path)
    assert message == (
        f"{desk.folder / 'items.jsonl'}: item 'b': has no column 'image', which task.image names in "
        "batch.yaml; it has id, sepal_length"
    )


def test_text_needs_a_source_for_the_manifest(desk: Desk) -> None:
    page = desk.edit_template("{{ image }}", "https://example.com/logo.png")
    path = desk.batch_file(["a"], task__template=page)
    without_images(path)
    assert "item 'a': has neither source-ref nor source; add the S3 URI of the object, or its text" in (
        desk.refusal(desk.load, path)
    )


def test_features_that_the_endpoint_could_not_take(desk: Desk) -> None:
    path = desk.batch_file(["a"])
    desk.dataset(f"{HEADER}\na,{ROW}\nb,5.1,wide,1.4,0.2,flower-a.svg\n")
    assert desk.load(path) == [0], "a batch that only labels takes any text"
    complete(path)
    assert desk.refusal(desk.load, path) == (
        f"{desk.folder / 'items.csv'}: item 'b': sepal_width is 'wide', and the endpoint is asked about "
        "numbers; correct it, or remove evaluation from batch.yaml"
    )


def test_too_few_items_for_the_split(desk: Desk) -> None:
    path = desk.batch_file(["a", "b"], output__test_items=2)
    assert desk.refusal(desk.load, path) == (
        "batch.yaml: output.test_items: 2 of 2 items would leave none to train on; lower it below 2"
    )


# the batch file


def without_images(path: Path) -> None:
    batch = yaml.safe_load(path.read_text())
    del batch["task"]["image"], batch["task"]["image_folder"]
    path.write_text(yaml.safe_dump(batch))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"task__rewards": "0.05"}, "task.rewards: unknown option; did you mean reward?"),
        ({"colour": "red"}, "colour: unknown option; remove it, the options here are name, "),
        ({"task__labels": ["setosa"]}, "task.labels: has 1 entries; give 2 or more"),
        ({"task__labels": ["a", "b", "a"]}, "task.labels: label 'a' is there twice; remove one of them"),
        ({"task__reward": "0.00"}, 'task.reward: must be at least one cent; write "0.01" or more'),
        ({"spend__budget": 45.0}, "spend.budget: "),
        (
            {"output__label_attribute": "id"},
            "output.label_attribute: is also the dataset's key column; rename",
        ),
        ({"redundancy__most": 12}, "redundancy.most: 12 is above 9: "),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_batch_file_that_will_not_do(desk: Desk, changes: dict[str, Any], says: str) -> None:
    path = desk.batch_file(["a"], **changes)
    assert desk.refusal(desk.load, path).startswith(f"{path}: {says}")


def test_every_task_refuses_a_batch_file_that_is_gone(desk: Desk) -> None:
    path = str(desk.folder / "gone.yaml")
    missing = f"{path}: cannot be read: No such file or directory"
    assert desk.refusal(labeling.plan_spend.function, path, [0], run_id="r") == missing
    assert desk.refusal(labeling.consolidate.function, path, run_id="r") == missing
    assert desk.refusal(labeling.write_dataset.function, path, run_id="r") == missing
    assert desk.refusal(operator(MTurkPublishHitsOperator, path, "r", shard=0).execute, {}) == missing


# images and the worker page


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("nowhere.svg", "image 'nowhere.svg': there is no such file in "),
        ("../iris.csv", "image '../iris.csv' is outside "),
        ("/etc/passwd", "image '/etc/passwd' is outside "),
        ("", "the image is empty; give a file name or an https URL"),
        (
            "http://example.com/a.png",
            "cannot be opened by a worker's browser; give an https URL, or a file name",
        ),
        ("s3://bucket", "is not the URI of an object; write s3://bucket/key"),
        ("..", "is outside "),
    ],
)
def test_image_that_cannot_be_shown(desk: Desk, image: str, says: str) -> None:
    path = desk.batch_file([])
    desk.dataset(f"{HEADER}\na,{ROW}\nb,5.1,3.5,1.4,0.2,{image}\n")
    message = desk.refusal(desk.load, path)
    assert message.startswith(f"{desk.folder / 'items.csv'}: item 'b': ")
    assert says in message


def test_images_in_s3_of_a_batch_that_lives_longer_than_a_signed_link(desk: Desk) -> None:
    path = desk.batch_file([], task__lifetime="7d")
    desk.dataset(f"{HEADER}\na,5.1,3.5,1.4,0.2,s3://bucket/a.png\n")
    assert "item 'a': images in S3 are shown by signed links, which last 7 days at most; shorten " in (
        desk.refusal(desk.load, path)
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            'name="label"',
            'name="answer"',
            "the form has no field 'label', which carries the label; add radio",
        ),
        ("{{ image }}", "https://example.com/a.png", "the image of the item is not shown; add <img src="),
        ('name="assignmentId"', 'name="assignment"', "the form has no field assignmentId, without which"),
        (
            'data-item="{{ item_id }}"',
            "",
            "no element has data-item, which says what the page asks about; add",
        ),
        ("externalSubmit", "submit", "there is no form that submits the answer; add"),
        ("{{ task.title }}", "{{ task.tilte }}", "{{ task.tilte }}: there is no such value; did you mean"),
        (
            "{{ task.title }}",
            "{{ item.colour }}",
            "{{ item.colour }}: the dataset has no such column; use one",
        ),
        ("{{ task.title }}", "{{ task.title", "line 7: unexpected"),
        (
            "{%- for label in task.labels %}",
            '{%- assign some = "a,b" | split: "," %}{%- for label in some %}',
            "the field 'label' does not offer the label 'setosa'; make its choices with",
        ),
    ],
    ids=["label", "image", "assignmentId", "item", "form", "typo", "column", "syntax", "choices"],
)
def test_template_that_will_not_do(desk: Desk, old: str, new: str, says: str) -> None:
    template = desk.edit_template(old, new)
    path = desk.batch_file(["a"], task__template=template)
    message = desk.refusal(desk.load, path)
    assert message.startswith(f"{template}: ")
    assert says in message


def test_value_that_a_page_cannot_carry(desk: Desk) -> None:
    items = [f"item-{number}" for number in range(30)]
    path = desk.batch_file(items)
    rows = [
        f"{item},{ROW}" if item != "item-17" else f"{item},5.1\x0b,3.5,1,1,flower-a.svg" for item in items
    ]
    desk.dataset("\n".join([HEADER, *rows]))
    message = desk.refusal(desk.load, path)
    assert (
        "item 'item-17': field item.sepal_length has the character U+000B, which a page cannot carry"
        in message
    )


def test_page_that_is_too_large(desk: Desk) -> None:
    template = desk.edit_template("</main>", "<p hidden>{{ item.notes }}</p></main>")
    path = desk.batch_file([], task__template=template)
    wide = "<" * 15_000
    desk.dataset(f"{HEADER},notes\na,{ROW},short\nb,{ROW},{wide}\n")
    message = desk.refusal(desk.load, path)
    assert message.startswith(f"{template}: item 'b': the question has ")
    assert "the limit is 65,535; shorten the template" in message


# money


def test_budget_below_the_plan(desk: Desk) -> None:
    spend = {"budget": "0.23", "approve_above": "9.00", "ask_overrun": False}
    path = desk.batch_file(["a", "b"], spend=spend)
    shards = desk.load(path, "r")
    message = desk.refusal(labeling.plan_spend.function, str(path), shards, run_id="r")
    assert message == (
        "spend.budget: $0.23 is below the $0.24 that the first answers cost; raise it, or lower "
        "redundancy.first, task.reward or the number of items, or set spend.ask_overrun: true"
    )


def test_balance_below_the_plan(desk: Desk) -> None:
    path = desk.batch_file(
        ["a"], task__reward="600.00", spend={"budget": "9999.00", "approve_above": "9999.00"}
    )
    shards = desk.load(path, "r")
    message = desk.refusal(labeling.plan_spend.function, str(path), shards, run_id="r")
    assert message.startswith(
        "account balance: $1,000.00 is below the plan: 1 items x 2 answers x ($600.00 + "
    )
    assert "deposit $440.00 or more" in message


# and when all is well


def test_good_input_is_published(desk: Desk) -> None:
    path = desk.batch_file(["a", "b"])
    run_id = desk.up_to_publishing(path)
    assert len([hit for hit in desk.all_hits() if hit["HITStatus"] == "Assignable"]) == 2
    assert desk.load(path, run_id) == [0], "cleared, it keeps its items"


def test_publishing_refuses_a_shard_whose_image_went_away(desk: Desk) -> None:
    images = desk.folder / "images"
    images.mkdir()
    for name in ("a.svg", "b.svg"):
        (images / name).write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    path = desk.batch_file([], task__image_folder=str(images))
    desk.dataset(f"{HEADER}\na,1,1,1,1,a.svg\nb,1,1,1,1,b.svg\n")
    desk.load(path, "late")
    desk.reserve(LabelingRun(str(path), "late"))
    (images / "b.svg").unlink()
    before = len(desk.all_hits())
    with pytest.raises(Exception, match=r"item 'b': image 'b\.svg': there is no such file") as caught:
        operator(MTurkPublishHitsOperator, path, "late", shard=0).execute({})
    assert type(caught.value).__name__ == "AirflowFailException"
    assert len(desk.all_hits()) == before
