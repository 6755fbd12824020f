from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml

from groundswell.batches.model import Batch, batch_files
from tools.chaos.real.site import Site, prepare
from tools.stack.layout import ROOT
from workforce.crowd import Crowd


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return prepare("large", tmp_path_factory.mktemp("large") / "site", seed=1, items=70)


def test_the_large_batch_is_a_batch_of_its_own_without_a_model(large: Site) -> None:
    [file] = batch_files(large.layout.batches)
    batch = Batch.load(file)
    batch.check_files()
    assert (batch.name, large.batch, large.dag) == ("chaos", "chaos", "labeling_chaos")
    assert batch.training is None
    assert batch.endpoint is None
    assert not large.model
    assert batch.review is not None
    assert batch.spend.budget_cents == 924, "a tenth above what is certain: it will not do"
    assert large.bucket == "groundswell-chaos"
    assert -(-70 // batch.shard_items) == 4, "several tasks publish at once"


def test_its_items_and_the_crowds_answers_belong_together(large: Site) -> None:
    items = rows(large.layout.root / "include/data/chaos.csv")
    assert len(large.items) == 70 == len(set(large.items))
    assert [row["id"] for row in items] == list(large.items)
    crowd = Crowd.load(large.crowd)
    assert set(crowd.key) == set(large.items)
    assert set(crowd.labels) == {"setosa", "versicolor", "virginica"}


def test_a_seed_gives_the_same_items_again(large: Site, tmp_path: Path) -> None:
    key = "include/crowds/chaos_answers.csv"
    again = prepare("large", tmp_path / "again", seed=1, items=70)
    other = prepare("large", tmp_path / "other", seed=2, items=70)
    assert rows(again.layout.root / key) == rows(large.layout.root / key)
    assert rows(other.layout.root / key) != rows(large.layout.root / key)


def test_the_example_keeps_its_model_and_its_money(tmp_path: Path) -> None:
    site = prepare("iris", tmp_path / "site", seed=1)
    [file] = batch_files(site.layout.batches)
    changed = {"polling", "task"}
    here, there = (
        yaml.safe_load(file.read_text()),
        yaml.safe_load((ROOT / "include/batches/iris.yaml").read_text()),
    )
    assert {key: value for key, value in here.items() if key not in changed} == {
        key: value for key, value in there.items() if key not in changed
    }
    assert Batch.load(file).endpoint is not None
    assert site.model
    assert len(site.items) == 150
    assert set(Crowd.load(site.crowd).key) == set(site.items)


def test_the_site_is_a_copy(large: Site) -> None:
    assert large.layout.root != ROOT
    assert [path.name for path in (large.layout.root / "dags").iterdir()] == ["labeling.py"]
    for part in ("plugins/groundswell", "localcloud", "workforce"):
        assert (large.layout.root / part).resolve() != (ROOT / part).resolve()
