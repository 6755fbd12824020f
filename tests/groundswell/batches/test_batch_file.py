from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundswell.batches.model import Batch, batch_files, load_batches
from groundswell.batches.options import folder_of
from groundswell.consolidation.stopping import Agree, Confidence, Fixed, Lead, rule_from
from groundswell.errors import BatchError

IRIS = Path(__file__).parents[3] / "include" / "batches" / "iris.yaml"
_IRIS = yaml.safe_load(IRIS.read_text())

RULES = "write 'agree', 'lead', 'confidence' or 'fixed'"

Edit = Callable[[dict[str, Any]], None]


def load(tmp_path: Path, content: object, name: str = "batch.yaml") -> Batch:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
    return Batch.load(path)


def edited(**changes: object) -> dict[str, Any]:
    """The iris batch with ``section__option=value`` changed; ``...`` removes the option."""
    content: dict[str, Any] = copy.deepcopy(_IRIS)
    for option, value in changes.items():
        *sections, last = option.split("__")
        place = content
        for section in sections:
            place = place[section]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return content


def test_the_iris_batch_has_the_terms_that_were_agreed() -> None:
    batch = Batch.load(IRIS)
    assert batch.name == "iris"
    assert batch.task.title == "Classify images of flowers"
    assert batch.task.description == "Provide the species of iris in each image"
    assert batch.task.keywords == "classification, image"
    assert (batch.task.reward_cents, batch.task.reward_dollars) == (5, "0.05")
    assert batch.task.lifetime_seconds == 4 * 3600
    assert batch.task.assignment_duration_seconds == 300
    assert batch.task.auto_approval_seconds == 3 * 86400
    assert (batch.redundancy.agree, batch.redundancy.first, batch.redundancy.most) == (2, 2, 5)
    assert (batch.spend.budget_cents, batch.spend.approve_above_cents) == (4500, 4500)
    assert batch.polling.interval_seconds == 15
    assert batch.polling.max_wait_seconds == 60
    assert batch.training is not None
    assert batch.training.max_runtime_seconds == 1800
    assert batch.evaluation is not None
    assert batch.evaluation.predict == ((6.4, 3.2, 4.5, 1.5),)
    assert batch.output.object_uri(batch.output.train) == (
        "s3://groundswell-iris/trainingdata/iris_training.csv"
    )


def test_paths_are_relative_to_the_batch_file(tmp_path: Path) -> None:
    batch = load(tmp_path, edited(dataset__path="../data/x.csv"))
    assert batch.dataset.local_path == tmp_path.parent / "data" / "x.csv"
    assert batch.task.template == tmp_path.parent / "templates" / "image_classification.liquid.html"
    assert batch.file == tmp_path / "batch.yaml"


def test_a_dataset_in_s3_keeps_its_uri(tmp_path: Path) -> None:
    batch = load(tmp_path, edited(dataset__path="s3://bucket/items.csv", state="s3://bucket/state/"))
    assert batch.dataset.path == "s3://bucket/items.csv"
    assert batch.dataset.local_path is None
    assert batch.state == "s3://bucket/state"


def test_a_batch_without_training_is_fine(tmp_path: Path) -> None:
    batch = load(tmp_path, edited(training=..., endpoint=..., evaluation=...))
    assert batch.training is None
    assert batch.endpoint is None


def test_a_batch_cannot_be_changed() -> None:
    batch = Batch.load(IRIS)
    with pytest.raises(ValueError, match="frozen"):
        batch.name = "other"


def test_ten_from_the_start_may_have_more(tmp_path: Path) -> None:
    batch = load(tmp_path, edited(redundancy={"rule": "agree", "agree": 6, "first": 10, "most": 20}))
    assert batch.redundancy.most == 20


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ({"agree": 2, "first": 2, "most": 5}, Agree(agree=2, first=2, most=5)),
        (
            {"rule": "agree", "agree": 2, "first": 3, "most": 5, "experts": True},
            Agree(agree=2, first=3, most=5, experts=True),
        ),
        ({"rule": "lead", "lead": 3, "first": 2, "most": 7}, Lead(lead=3, first=2, most=7)),
        ({"rule": "confidence", "most": 6}, Confidence(most=6)),
        (
            {"rule": "confidence", "confidence": 0.9, "first": 1, "most": 6},
            Confidence(confidence=0.9, first=1, most=6),
        ),
        ({"rule": "fixed", "first": 3}, Fixed(first=3, most=3)),
        ({"rule": "fixed", "first": 3, "most": 4}, Fixed(first=3, most=4)),
    ],
)
def test_each_rule_of_a_batch_file_is_a_rule(tmp_path: Path, written: dict[str, Any], rule: Any) -> None:
    redundancy = load(tmp_path, edited(redundancy=written)).redundancy
    assert rule_from(redundancy.config) == rule
    assert (redundancy.first, redundancy.most, redundancy.experts) == (rule.first, rule.most, rule.experts)


@pytest.mark.parametrize(
    ("written", "labelled"),
    [
        ({"agree": 2, "first": 2, "most": 5}, False),
        ({"agree": 2, "first": 2, "most": 5, "unsettled": "label"}, True),
        ({"rule": "lead", "lead": 2, "first": 2, "most": 5}, False),
        ({"rule": "confidence", "most": 5}, True),
        ({"rule": "confidence", "most": 5, "unsettled": "again"}, False),
        ({"rule": "confidence", "most": 5, "experts": True}, False),
        ({"rule": "fixed", "first": 2}, False),
    ],
)
def test_what_is_given_up_gets_a_label_by_default_where_the_next_run_would_hardly_settle_it(
    tmp_path: Path, written: dict[str, Any], labelled: bool
) -> None:
    redundancy = load(tmp_path, edited(redundancy=written)).redundancy
    assert redundancy.labels_unsettled is labelled
    assert "unsettled" not in redundancy.config, "a rule decides whether to ask, not what comes after"


def test_a_batch_needs_no_word_on_consolidation(tmp_path: Path) -> None:
    plain = load(tmp_path, edited()).consolidation
    assert (plain.method, plain.gold, plain.earlier_skill) == ("default", None, True)
    written = {"method": "majority", "gold": "gold.csv", "earlier_skill": False}
    batch = load(tmp_path, edited(consolidation=written))
    assert (batch.consolidation.method, batch.consolidation.earlier_skill) == ("majority", False)
    assert batch.consolidation.gold == str(tmp_path / "gold.csv")
    with pytest.raises(BatchError, match=r"consolidation\.gold: there is no file .*gold\.csv; create it"):
        batch.check_files()
    far = load(tmp_path, edited(consolidation={"gold": "s3://bucket/gold.csv"}))
    assert far.consolidation.gold == "s3://bucket/gold.csv"
    assert far.consolidation.local_gold is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"redundancy__most": 12},
            "redundancy.most: 12 is above 9: a HIT created with fewer than 10 assignments can never reach "
            "10; set most to 9 or less, or first to 10 or more",
        ),
        ({"redundancy__first": 6}, "redundancy.first: 6 is above most (5); lower first or raise most"),
        (
            {"redundancy__agree": 6},
            "redundancy.agree: 6 workers cannot agree when at most 5 are asked (most); "
            "lower agree or raise most",
        ),
        ({"redundancy__mots": 5}, "redundancy.mots: unknown option; did you mean most?"),
        ({"redundancy__rule": "luck"}, f"redundancy.rule: 'luck' is not known; {RULES}"),
        ({"redundancy__rule": ["agree"]}, f"redundancy.rule: ['agree'] is not known; {RULES}"),
        ({"redundancy__rule": None}, f"redundancy.rule: None is not known; {RULES}"),
        ({"redundancy": "agree"}, "redundancy: 'agree' is not a mapping; write `name: value` lines"),
        ({"redundancy": [2, 2, 5]}, "redundancy: [2, 2, 5] is not a mapping"),
        ({"redundancy": {"agree": 2, "first": 2}}, "redundancy.most: is missing; add it"),
        ({"redundancy__agree": True}, "redundancy.agree: True is not a whole number"),
        ({"redundancy__experts": "yes"}, "redundancy.experts: 'yes' is not true or false; write one of them"),
        ({"redundancy__expert": True}, "redundancy.expert: unknown option; did you mean experts?"),
        (
            {"redundancy": {"rule": "lead", "lead": 6, "first": 2, "most": 5}},
            "redundancy.lead: no label can be 6 answers ahead when at most 5 are asked (most); "
            "lower lead or raise most",
        ),
        ({"redundancy": {"rule": "lead", "first": 2, "most": 5}}, "redundancy.lead: is missing; add it"),
        (
            {"redundancy": {"rule": "lead", "lead": 2, "agree": 2, "first": 2, "most": 5}},
            "redundancy.agree: unknown option; remove it, the options here are experts, rule, lead, first, "
            "most, unsettled",
        ),
        (
            {"redundancy": {"rule": "confidence", "most": 5, "confidence": 1}},
            "redundancy.confidence: 1 is not below 1.0; lower it",
        ),
        (
            {"redundancy": {"rule": "confidence", "most": 5, "confidence": 0.3}},
            "redundancy.confidence: 0.3 is below 0.5; set it to 0.5 or more",
        ),
        (
            {"redundancy": {"rule": "confidence", "most": 5, "confidence": "0.9"}},
            "redundancy.confidence: '0.9' is not a number; write one without quotes",
        ),
        ({"redundancy": {"rule": "confidence"}}, "redundancy.most: is missing; add it"),
        (
            {"redundancy": {"rule": "confidence", "most": 5, "unsettled": "ask"}},
            "redundancy.unsettled: 'ask' is not known; write 'again' or 'label'",
        ),
        (
            {"redundancy": {"rule": "fixed", "first": 3, "unsettled": "label"}},
            "redundancy.unsettled: unknown option; remove it, the options here are experts, rule, first, "
            "most",
        ),
        (
            {"redundancy": {"rule": "confidence", "first": 2, "most": 12}},
            "redundancy.most: 12 is above 9: a HIT created with fewer than 10 assignments can never reach",
        ),
        ({"redundancy": {"rule": "fixed"}}, "redundancy.first: is missing; add it"),
        ({"redundancy": {"rule": "fixed", "first": "3"}}, "redundancy.first: '3' is not a whole number"),
        ({"redundancy": {"rule": "fixed", "first": 2000}}, "redundancy.first: 2000 is above 1000"),
        (
            {"redundancy": {"rule": "fixed", "first": 3, "most": 2}},
            "redundancy.first: 3 is above most (2); lower first or raise most",
        ),
        (
            {"consolidation": {"method": "best"}},
            "consolidation.method: 'best' is not known; write 'default', 'majority', 'weighted_majority', "
            "'one_coin', 'dawid_skene' or 'subtypes'",
        ),
        (
            {"consolidation": {"methd": "default"}},
            "consolidation.methd: unknown option; did you mean method?",
        ),
        ({"consolidation": {"gold": "gs://b/x"}}, "consolidation.gold: 'gs://b/x' must be a path on disk"),
        ({"consolidation": {"gold": 7}}, "consolidation.gold: 7 is not a path"),
        (
            {"consolidation": {"earlier_skill": "no"}},
            "consolidation.earlier_skill: 'no' is not true or false",
        ),
        ({"shards": 5}, "shards: unknown option; did you mean shard_items?"),
        ({"training__hyper_parameters": {}}, "unknown option; did you mean hyperparameters?"),
        (
            {"spend__zzz": 1},
            "spend.zzz: unknown option; remove it, the options here are budget, approve_above, "
            "monthly_budget, ask_overrun, answer_within, minimum_hourly, shared_account",
        ),
        ({"task__reward": ...}, "task.reward: is missing; add it"),
        (
            {"task__reward": 0.05},
            'task.reward: 0.05 is a number, which cannot hold cents exactly; write it in quotes: "0.05"',
        ),
        ({"task__reward": "0.055"}, "task.reward: '0.055' is not an amount of dollars"),
        ({"task__reward": "-1.00"}, "task.reward: '-1.00' is not an amount of dollars"),
        ({"task__reward": "0.00"}, "task.reward: must be at least one cent"),
        ({"task__lifetime": "4 hours"}, "task.lifetime: '4 hours' is not a duration"),
        ({"task__lifetime": 300}, "task.lifetime: 300 is not a duration"),
        ({"task__lifetime": "29s"}, "task.lifetime: must be between 30s and 365d"),
        ({"task__auto_approval": "31d"}, "task.auto_approval: must be between 1h and 30d"),
        ({"task__title": "x" * 129}, "task.title: is 129 characters long; shorten it to 128 or fewer"),
        ({"task__title": "two\nlines"}, "task.title: 'two\\nlines' is empty or has control characters"),
        ({"task__labels": ["a"]}, "task.labels: has 1 entries; give 2 or more"),
        ({"task__labels": ["a", "b", "a"]}, "task.labels: label 'a' is there twice; remove one of them"),
        ({"task__labels": ["yes", False]}, "task.labels.1: False is not text; write it in quotes"),
        ({"task__labels": "ab"}, "task.labels: 'ab' is not a list"),
        ({"task__image": ...}, "task.image_folder: has no use without image"),
        ({"task__template": "s3://b/x"}, "task.template: 's3://b/x' must be a path on disk"),
        ({"name": "Iris 2027"}, "name: 'Iris 2027' does not fit; use 1 to 63 lower-case letters"),
        ({"name": "a" + "-" * 62 + "b"}, "does not fit; use 1 to 63 lower-case letters"),
        ({"name": "x" * 64}, "name: "),
        ({"schedule": "every day"}, "schedule: 'every day' does not fit; write null, or a cron expression"),
        *(
            ({"state": value}, f"state: {value!r} {says}")
            for value, says in [
                ("gs://b/state", "is neither s3://bucket/prefix nor a folder; write s3://bucket/prefix,"),
                ("s3://B", "is not an S3 URI; write s3://bucket or s3://bucket/prefix"),
                ("file://host/state", "does not name a folder of this machine; write file:///absolute/path"),
                ("file:///state?x=1", "does not name a folder of this machine; write file:///absolute/path"),
                ("file://", "does not name a folder of this machine; write file:///absolute/path"),
                ("", "is neither s3://bucket/prefix nor a folder"),
                (7, "is neither s3://bucket/prefix nor a folder"),
                ("a\0b", "is neither s3://bucket/prefix nor a folder"),
            ]
        ),
        (
            {"dataset__format": "xlsx"},
            "dataset.format: 'xlsx' is not known; write 'csv', 'jsonl' or 'manifest'",
        ),
        ({"dataset": "iris.csv"}, "dataset: 'iris.csv' is not a mapping"),
        ({"shard_items": 0}, "shard_items: 0 is below 1; set it to 1 or more"),
        ({"shard_items": "500"}, "shard_items: '500' is not a whole number"),
        ({"output__train": "../train.csv"}, "output.train: '../train.csv' is not a name below output.uri"),
        (
            {"output__train": "a.csv", "output__test": "a.csv"},
            "output.train: train, test and manifest must have three different names",
        ),
        ({"output__label_attribute": "source-ref"}, "'source-ref' is a name that manifests reserve"),
        ({"output__label_attribute": "species-metadata"}, "may not end in -metadata"),
        ({"output__label_attribute": "two_words"}, "output.label_attribute: 'two_words' does not fit"),
        ({"output__label_attribute": "id"}, "output.label_attribute: is also the dataset's key column"),
        (
            {"output__label_attribute": "width", "output__features": ["width"]},
            "output.label_attribute: 'width' is among the features as well",
        ),
        ({"training": ...}, "endpoint: there is no model to serve"),
        ({"endpoint": ...}, "evaluation: there is no endpoint to ask"),
        ({"evaluation__predict": [[1, 2]]}, "evaluation.predict: [1.0, 2.0] has 2 values, but there are 4"),
        ({"evaluation__minimum_accuracy": 1.1}, "evaluation.minimum_accuracy: 1.1 is above 1"),
        ({"training__role": "role"}, "training.role: 'role' does not fit; write arn:aws:iam::"),
    ],
)
def test_bad_options_are_named_with_the_fix(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchError) as caught:
        load(tmp_path, edited(**changes))
    assert str(caught.value).startswith(f"{tmp_path / 'batch.yaml'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BatchError) as caught:
        load(tmp_path, edited(task__title=..., shard_items=0))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["task.title", "shard_items"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: iris\nname: other\n", "line 2, column 1: option 'name' is there twice, first on line 1"),
        ("task: {reward: '1', reward: '2'}", "option 'reward' is there twice"),
        ("name: [iris\ntags: x", "line 2"),
        ("a: b: c", "line 1"),
        ("", "is empty"),
        ("- a", "is not a mapping"),
        ("x: !!python/object:os.system {}", "line 1"),
        ("? [1]\n: 2", "line 1"),
        ("1: 2", "the name 1 is not text"),
    ],
)
def test_yaml_that_is_wrong_is_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BatchError, match=r"batch\.yaml: ") as caught:
        load(tmp_path, text)
    assert message in str(caught.value)


def test_a_file_that_is_not_utf8_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "batch.yaml"
    with pytest.raises(BatchError, match="cannot be read: No such file"):
        Batch.load(path)
    path.write_bytes(b"name: \xff")
    with pytest.raises(BatchError, match="is not UTF-8"):
        Batch.load(path)


def test_check_files_names_every_missing_file(tmp_path: Path) -> None:
    batch = load(tmp_path, edited(dataset__path="s3://bucket/items.csv"))
    with pytest.raises(BatchError) as caught:
        batch.check_files()
    options = [line.split(": ")[1] for line in str(caught.value).splitlines()]
    assert options == ["task.template", "task.image_folder", "training.source", "training.entry_point"]


def test_the_template_hash_follows_the_template(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    batch = load(tmp_path, edited(task__template="page.html"))
    with pytest.raises(BatchError, match=r"task.template: .*page.html cannot be read"):
        batch.template_hash()
    page.write_text("one")
    first = batch.template_hash()
    page.write_text("two")
    assert len(first) == 64
    assert batch.template_hash() != first


def test_load_batches_takes_yaml_files_by_name_and_refuses_a_name_twice(tmp_path: Path) -> None:
    load(tmp_path, edited(name="b"), "2.yaml")
    load(tmp_path, edited(name="a"), "3.yml")
    (tmp_path / "notes.txt").write_text("not a batch")
    assert [batch.name for batch in load_batches(tmp_path)] == ["b", "a"]
    assert [path.name for path in batch_files(tmp_path)] == ["2.yaml", "3.yml"]
    load(tmp_path, edited(name="a"), "4.yaml")
    with pytest.raises(BatchError, match=r"4\.yaml: name: 'a' is taken by .*3\.yml"):
        load_batches(tmp_path)
    with pytest.raises(BatchError, match="there is no such folder"):
        load_batches(tmp_path / "none")


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        ("state", "{base}/state"),
        ("../over here/state", "{parent}/over here/state"),
        ("/srv/state", "/srv/state"),
        ("file:///srv/state/", "/srv/state"),
        ("file:///srv/a%20b%23", "/srv/a b#"),
        ("100%/#1", "{base}/100%/#1"),
    ],
)
def test_state_in_a_local_folder(tmp_path: Path, written: str, folder: str) -> None:
    batch = load(tmp_path, edited(state=written))
    expected = folder.format(base=tmp_path, parent=tmp_path.parent)
    assert batch.state.startswith("file:///")
    assert folder_of(batch.state) == Path(expected)
    again = load(tmp_path, edited(state=batch.state))
    assert again.state == batch.state, "what it became is a way to write it"
