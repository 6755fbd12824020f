"""consolidate and write_dataset: from recorded answers to labels, training data and a manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.sdk.exceptions import AirflowFailException

from dags import labeling
from groundswell import __version__
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps.dataset import load_dataset
from groundswell.aws.steps.labels import consolidate, write_dataset
from groundswell.ledger import FolderStore
from groundswell.ledger.shards import read_items
from groundswell.manifests.csv_files import read_named_csv, read_tensorflow_csv
from tests.groundswell.aws.desk import record
from tests.groundswell.aws.paper_desk import Bucket, rows_of
from tests.groundswell.aws.paper_desk import PaperDesk as Desk

HEADER = "id,sepal_length,sepal_width,petal_length,petal_width,image"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


class TestConsolidate:
    def test_each_label_says_where_it_comes_from(self, desk: Desk) -> None:
        run = desk.run(["a", "b"], consolidation={"method": "majority"})
        record(run, {"a": ["setosa", "virginica", "setosa", None]}, at="2026-01-02T00:00:00+00:00")
        record(run, {"b": ["virginica", "virginica"]}, at="2026-01-03T00:00:00+00:00")
        result = consolidate(run)
        assert (result["labelled"], result["unlabelled"]) == (2, 0)
        a, b = (rows_of(run)[item] for item in "ab")
        assert (a["label"], a["n_answers"], a["cents"], a["outcome"]) == ("setosa", 3, 24, "settled")
        assert a["confidence"] == pytest.approx(2 / 3, abs=0.2)
        assert (b["label"], b["confidence"], b["outcome"]) == ("virginica", 1.0, "settled")
        assert a["values"]["image"] == "flower-a.svg"
        assert (a["run_id"], a["code_version"], a["method"]) == (run.run_id, __version__, "majority")
        assert (a["provenance"], a["confidence_is"]) == ("crowd", "score")
        assert a["rule"] == {"rule": "agree", "agree": 2, "first": 2, "most": 5}
        assert a["template_sha256"] == run.batch.template_hash()
        assert a["at"] == b["at"] == "2026-01-03T00:00:00+00:00", "when the last answer came"

    def test_the_default_says_how_likely_the_best_labels_are(self, desk: Desk) -> None:
        run = desk.run([*"abcd"])
        script = {"a": ["setosa"] * 3, "b": ["virginica"] * 3, "c": ["versicolor"] * 3}
        record(run, script | {"d": ["setosa", "virginica", "virginica"]})
        consolidate(run)
        rows = rows_of(run)
        assert {item: row["label"] for item, row in rows.items()} == {
            "a": "setosa",
            "b": "virginica",
            "c": "versicolor",
            "d": "virginica",
        }
        for row in rows.values():
            assert (row["method"], row["confidence_is"]) == ("default", "score")
            assert row["posterior"][row["label"]] == max(row["posterior"].values())
            assert 1 / 3 < row["confidence"] <= 1
        split = sorted(rows["d"]["posterior"], key=rows["d"]["posterior"].get, reverse=True)
        assert split[:2] == ["virginica", "setosa"]
        assert rows["d"]["confidence"] < rows["b"]["confidence"]

    def test_each_label_names_its_answers_and_not_its_workers(self, desk: Desk) -> None:
        run = desk.run(["a"])
        record(run, {"a": ["setosa", None, "setosa"]})
        consolidate(run)
        answers = rows_of(run)["a"]["answers"]
        assert [each["label"] for each in answers] == ["setosa", None, "setosa"]
        assert {each["assignment"] for each in answers} == set(run.ledger.fold().answers)
        assert len({each["worker"] for each in answers}) == 3, "workers can be told apart"
        assert "AWORKER" not in json.dumps(rows_of(run))

    def test_done_again_it_writes_the_same_bytes(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        record(run, {"a": ["setosa"], "b": ["setosa", "virginica"]})
        first = consolidate(run)
        before = desk.read(first["labels_uri"])
        assert consolidate(desk.again(run)) == first
        assert desk.read(first["labels_uri"]) == before
        assert len(list(run.store.keys(f"{run.ledger.prefix}labels/"))) == 1

    def test_a_tie_is_nobodys_label_and_the_next_run_asks_again(self, desk: Desk) -> None:
        run = desk.run(["tie", "none", "good", "unread"], consolidation={"method": "majority"})
        record(run, {"tie": ["setosa", "virginica"], "good": ["setosa"] * 2, "unread": [None, None]})
        assert consolidate(run) | {"labels_uri": ""} == {
            "labels_uri": "",
            "labelled": 1,
            "unlabelled": 3,
            "queued": 0,
        }
        again = desk.start(Path(run.batch_path))
        assert sorted(read_items(again.ledger)) == ["none", "tie", "unread"]
        record(again, {"tie": ["virginica"]}, at="2026-02-01T00:00:00+00:00")
        consolidate(again)
        assert desk.labels_of(again) == {"good": "setosa", "tie": "virginica"}

    @pytest.mark.parametrize("outcome", ["gave_up", "expired", "budget"])
    def test_what_was_given_up_is_no_label_whatever_the_answers(self, desk: Desk, outcome: str) -> None:
        run = desk.run(["a"])
        record(run, {"a": ["setosa", "setosa"]}, outcome=outcome)
        assert consolidate(run)["labelled"] == 0
        assert list(read_items(desk.start(Path(run.batch_path)).ledger)) == ["a"]

    def test_nothing_answered_is_no_label(self, desk: Desk) -> None:
        run = desk.run(["a"])
        assert consolidate(run) == {"labels_uri": None, "labelled": 0, "unlabelled": 1, "queued": 0}
        with pytest.raises(
            AirflowFailException, match="batch 'iris' has no labels yet; see why in the log of"
        ):
            labeling.write_dataset.function(run.batch_path, run_id=run.run_id)


class TestRuns:
    def test_items_in_flight_are_not_asked_about_twice(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        assert load_dataset(LabelingRun(run.batch_path, "another"), relabel=False) == []
        assert load_dataset(LabelingRun(run.batch_path, "yet-another"), relabel=True) == [0]

    def test_not_even_where_a_label_was_looked_for_too_early(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        expires = "2099-01-01T00:00:00+00:00"
        run.ledger.append(
            "hits", [{"item": "a", "hit": "3A", "hit_type": "T", "seats": 2, "expires": expires}]
        )
        assert consolidate(run)["unlabelled"] == 2, "collecting was marked as a success, say"
        assert list(read_items(desk.start(Path(run.batch_path)).ledger)) == ["b"]

    def test_a_later_run_adds_to_the_dataset(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        record(run, {"a": ["setosa"], "b": ["virginica"]})
        consolidate(run)
        later = desk.start(desk.batch_file(["a", "b", "c"]))
        assert list(read_items(later.ledger)) == ["c"]
        record(later, {"c": ["versicolor"]})
        consolidate(later)
        written = write_dataset(later)
        _, rows = read_named_csv(desk.read(written["train_uri"]), name="train")
        assert [row["species"] for row in rows] == ["setosa", "virginica", "versicolor"]
        assert len(desk.read(written["manifest_uri"]).splitlines()) == 3

    def test_labelled_again_the_latest_wins(self, desk: Desk) -> None:
        first = desk.run(["a", "b"])
        record(first, {"a": ["setosa"], "b": ["setosa"]}, at="2026-01-01T00:00:00+00:00")
        consolidate(first)
        second = desk.start(Path(first.batch_path), relabel=True)
        record(second, {"a": ["virginica"]}, at="2026-02-01T00:00:00+00:00")
        consolidate(second)
        assert desk.labels_of(second) == {"a": "virginica", "b": "setosa"}
        consolidate(desk.again(first))
        assert desk.labels_of(first) == {"a": "virginica", "b": "setosa"}, "an old run cleared stays old"

    def test_a_run_keeps_its_items_whatever_becomes_of_the_dataset(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        desk.batch_file(["a", "z"])
        assert load_dataset(desk.again(run), relabel=False) == [0]
        assert list(read_items(run.ledger)) == ["a", "b"]
        later = desk.start(Path(run.batch_path))
        assert list(read_items(later.ledger)) == ["z"]

    def test_killed_while_it_fixes_its_items(self, desk: Desk) -> None:
        path = desk.batch_file(["a"])

        class Dies(FolderStore):
            def put_if_absent(self, key: str, body: bytes) -> bool:
                if "/shards/" in key:
                    raise KeyboardInterrupt
                return super().put_if_absent(key, body)

        desk.keep_in(Dies(desk.folder / "store"))
        with pytest.raises(KeyboardInterrupt):
            load_dataset(LabelingRun(str(path), "one"), relabel=False)
        desk.keep_in(Bucket(desk.folder / "store"))
        desk.batch_file(["b"])
        assert load_dataset(LabelingRun(str(path), "one"), relabel=False) == [0]
        assert load_dataset(LabelingRun(str(path), "two"), relabel=False) == [], "b is with the first run"
        desk.batch_file(["a", "b"])
        assert load_dataset(LabelingRun(str(path), "three"), relabel=False) == [0], "a is with nobody"


class TestDataset:
    def test_named_columns_and_split(self, desk: Desk) -> None:
        items = [f"i{number:02}" for number in range(20)]
        run = desk.run(items, output__test_items=5)
        record(run, {item: ["setosa", "virginica"][number % 2 :][:1] for number, item in enumerate(items)})
        consolidate(run)
        written = write_dataset(run)
        train, test = (
            read_named_csv(desk.read(written[f"{part}_uri"]), name=part) for part in ("train", "test")
        )
        assert train[0] == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
        assert (written["train_items"], written["test_items"]) == (len(train[1]), len(test[1])) == (15, 5)
        assert write_dataset(desk.again(run)) == written
        assert written["job_name"].startswith(f"{run.job_name}-")

    def test_a_job_is_named_by_its_data(self, desk: Desk) -> None:
        run = desk.run(["a", "b"])
        record(run, {"a": ["setosa"], "b": ["setosa"]})
        consolidate(run)
        before = write_dataset(run)["job_name"]
        record(run, {"b": ["setosa", "virginica", "virginica"]}, at="2026-02-01T00:00:00+00:00")
        consolidate(desk.again(run))
        after = write_dataset(desk.again(run))["job_name"]
        assert before != after
        assert len(after) <= 63

    def test_tensorflow_form(self, desk: Desk) -> None:
        run = desk.run(["a", "b"], output__csv_format="tensorflow")
        record(run, {"a": ["virginica"], "b": ["setosa"]})
        consolidate(run)
        text = desk.read(write_dataset(run)["train_uri"])
        assert text.startswith("2,4,setosa,versicolor,virginica\n5.1,3.5,1.4,0.2,2\n")
        assert [label for _, label in read_tensorflow_csv(text, name="train")[1]] == ["virginica", "setosa"]

    def test_manifest_and_images(self, desk: Desk) -> None:
        path = desk.batch_file([], consolidation={"method": "majority"})
        rows = ["a,1,1,1,1,flower-a.svg", "b,1,1,1,1,https://example.com/b.png", "c,1,1,1,1,flower-a.svg"]
        (desk.folder / "items.csv").write_text("\n".join([HEADER, *rows]) + "\n")
        run = desk.start(path)
        record(run, dict.fromkeys("abc", ["versicolor"] * 2), at="2026-03-04T05:06:07+00:00")
        consolidate(run)
        a, b, c = (json.loads(line) for line in desk.read(write_dataset(run)["manifest_uri"]).splitlines())
        assert a["source-ref"].endswith("/images/flower-a.svg")
        assert "<svg" in desk.read(a["source-ref"])
        assert c["source-ref"] == a["source-ref"]
        assert b["source"] == "https://example.com/b.png"
        assert (a["species"], a["species-metadata"]["class-name"]) == (1, "versicolor")
        assert a["species-metadata"] == {
            "class-name": "versicolor",
            "confidence": 1.0,
            "type": "groundtruth/image-classification",
            "job-name": f"groundswell/{run.job_name}",
            "human-annotated": "yes",
            "creation-date": "2026-03-04T05:06:07.000000",
        }

    def test_a_batch_of_texts(self, desk: Desk) -> None:
        page = (Path(__file__).parents[3] / "include/templates/image_classification.liquid.html").read_text()
        (desk.folder / "text.liquid.html").write_text(
            page.replace("{{ image }}", "https://example.com/logo.png")
        )
        path = desk.batch_file([], task__template="text.liquid.html", output__features=[])
        text = path.read_text()
        for option in ("image", "image_folder"):
            text = "".join(line for line in text.splitlines(True) if not line.startswith(f"  {option}:"))
        path.write_text(text)
        (desk.folder / "items.csv").write_text("id,source\na,roses are red\n")
        run = desk.start(path)
        record(run, {"a": ["setosa"]})
        consolidate(run)
        line = json.loads(desk.read(write_dataset(run)["manifest_uri"]))
        assert (line["source"], line["id"]) == ("roses are red", "a")
        assert line["species-metadata"]["type"] == "groundtruth/text-classification"
