"""Two deployments label on one account under the same batch name and run id, and keep apart."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from dags import labeling
from groundswell.aws import reconciling, stopping
from groundswell.aws.deployment import approval_delay
from groundswell.aws.janitor.findings import Kind
from groundswell.aws.publishing import _intend, hit_type_properties, publish_shard
from groundswell.aws.reconciling import reconcile
from groundswell.aws.runs import LabelingRun
from groundswell.aws.steps import spend
from groundswell.batches.options import StateUri
from groundswell.errors import LedgerError
from tests.groundswell.aws.desk import Served, served_market
from tests.groundswell.aws.janitor.broom import Broom

pytestmark = pytest.mark.contract

RUN_ID = "scheduled__2026-11-22T00:00:00+00:00"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served_market(tmp_path_factory.mktemp("market")) as served:
        yield served


@pytest.fixture
def brooms(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Broom, Broom]]:
    monkeypatch.setattr(reconciling, "SETTLE", ())
    served[1].offset *= 0
    (tmp_path / "staging").mkdir()
    production = Broom(served, tmp_path, monkeypatch)
    staging = Broom(served, tmp_path / "staging", monkeypatch)
    staging.name = production.name
    yield production, staging
    production.sweep()


def begin(broom: Broom, *items: str, **changes: Any) -> LabelingRun:
    # Ledgers of both lie in folders of their own, as the batch file says
    path = broom.batch_file(items, name=broom.name, state=f"file://{broom.folder}/store", **changes)
    shards = broom.load(path, RUN_ID, relabel=True)
    run = LabelingRun(str(path), RUN_ID)
    spend.reserve(run, labeling.plan_spend.function(str(path), shards, run_id=RUN_ID), spend.AUTOMATIC)
    return broom.again(run)


@pytest.mark.parametrize("look_up", [False, True])
@pytest.mark.parametrize("changes", [{}, {"task__reward": "0.50"}], ids=["alike", "another reward"])
def test_a_hit_of_another_deployment_is_not_taken_for_ours(
    brooms: tuple[Broom, Broom], look_up: bool, changes: dict[str, Any]
) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a", **changes)
    publish_shard(theirs, 0)
    with pytest.raises(LedgerError, match="another deployment uses this account") as caught:
        publish_shard(ours, 0, look_up=look_up)
    assert brooms[0].hit_of(theirs, "a") in str(caught.value)
    assert ours.ledger.fold().hits == {}
    assert len(brooms[0].hits_of(theirs, "a")) == 1


def test_nor_is_another_made_beside_it_once_the_token_is_forgotten(brooms: tuple[Broom, Broom]) -> None:
    theirs, ours = begin(brooms[0], "a", task__lifetime="3d"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    brooms[0].clock.offset = timedelta(hours=30)
    with pytest.raises(LedgerError, match="another deployment uses this account"):
        publish_shard(ours, 0, look_up=True)
    assert len(brooms[0].hits_of(theirs, "a")) == 1


def test_nor_is_one_that_the_other_deployment_has_deleted_by_now(brooms: tuple[Broom, Broom]) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    hit = brooms[0].hit_of(theirs, "a")
    theirs.mturk.expire(hit)
    assert theirs.mturk.delete_hit(hit) == "deleted"
    with pytest.raises(LedgerError, match="another deployment uses this account"):
        publish_shard(ours, 0)
    assert ours.ledger.fold().hits == {}


def test_what_is_our_own_is_found_again(brooms: tuple[Broom, Broom]) -> None:
    run = begin(brooms[0], "a", "b", task__lifetime="3d")
    publish_shard(run, 0)
    hits = run.ledger.fold().hits
    brooms[0].lose(run, "hits")
    publish_shard(brooms[0].again(run), 0)
    assert {item: row["hit"] for item, row in run.ledger.fold().hits.items()} == {
        item: row["hit"] for item, row in hits.items()
    }
    brooms[0].lose(run, "hits", "intents")
    brooms[0].clock.offset = timedelta(hours=30)
    publish_shard(brooms[0].again(run), 0, look_up=True)
    assert run.ledger.fold().hits.keys() == hits.keys()
    assert len(brooms[0].hits_of(run, "a")) == 1


def test_nor_does_anything_else_touch_it(brooms: tuple[Broom, Broom]) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    hit = brooms[0].hit_of(theirs, "a")
    _intend(ours, ours.ledger.fold(), {"a": None})
    found = brooms[1].repair(ours.batch_path, brooms[1].rules(unsure=(Kind.ORPHAN_HIT,)))
    assert {str(each.kind) for each in found} <= {"month_hold", "stale_claims"}
    brooms[1].survey(ours.batch_path)
    assert any("1 HITs are left alone: they are of another deployment" in note for note in brooms[1].notes)
    stopping.stop(brooms[1].again(ours), by="rita")
    assert brooms[0].status(hit) == "Assignable"
    looked = reconcile(brooms[1].again(ours))
    assert [row.what for row in looked.rows if row.what != "funds"] == []
    assert any("another deployment" in note for note in looked.notes)


def test_the_brake_leaves_it_on_the_market_also_where_our_ledger_cannot_be_read(
    brooms: tuple[Broom, Broom],
) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    shard = brooms[1].folder / "store" / ours.ledger.prefix / "shards" / "index.jsonl"
    shard.write_text("{")
    with pytest.raises(LedgerError, match=r"\. 0 HITs of run"):
        stopping.stop(brooms[1].again(ours), by="rita")
    assert brooms[0].status(brooms[0].hit_of(theirs, "a")) == "Assignable"


def test_their_hits_do_not_prove_that_ours_was_in_this_account(brooms: tuple[Broom, Broom]) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    row = {"item": "a", "hit": "3NEVERWASHERE", "hit_type": "3TYPE", "seats": 2}
    ours.ledger.append("hits", [row | {"expires": "2026-11-22T00:00:00+00:00"}])
    [zombie] = [each for each in brooms[1].survey(ours.batch_path) if each.kind is Kind.ZOMBIE]
    assert not zombie.safe
    assert "is it the one that published it?" in zombie.evidence


def test_a_run_that_lost_what_it_began_with_knows_its_hits(brooms: tuple[Broom, Broom]) -> None:
    """Its HITs stayed on the market as another deployment's, and its items were given to the next run."""
    broom, run = brooms[0], begin(brooms[0], "a")
    publish_shard(run, 0)
    hit = broom.hit_of(run, "a")
    broom.lose(run, "hits")
    kept(broom, run).unlink()
    assert Kind.ORPHAN_HIT in {each.kind for each in broom.repair(run.batch_path)}
    assert broom.status(hit) != "Assignable"


def test_what_the_ledger_has_is_ours_whatever_its_type_says(brooms: tuple[Broom, Broom]) -> None:
    broom, run = brooms[0], begin(brooms[0], "a")
    publish_shard(run, 0)
    row = json.loads(kept(broom, run).read_text())
    kept(broom, run).write_text(json.dumps(row | {"home": "s3://elsewhere"}))
    assert Kind.OPEN_HIT in {each.kind for each in broom.survey(run.batch_path)}
    assert not any("another deployment" in note for note in broom.notes)


def test_what_a_run_began_with_is_damaged_and_the_brake_works(brooms: tuple[Broom, Broom]) -> None:
    broom, run = brooms[0], begin(brooms[0], "a")
    publish_shard(run, 0)
    hit = broom.hit_of(run, "a")
    broom.lose(run, "hits")
    kept(broom, run).write_text("{")
    stopping.stop(broom.again(run), by="rita")
    assert broom.status(hit) != "Assignable"


def test_a_batch_file_of_long_ago_hides_no_other_run(brooms: tuple[Broom, Broom]) -> None:
    broom, run = brooms[0], begin(brooms[0], "a")
    publish_shard(run, 0)
    broom.lose(run, "hits")
    other = broom.again(LabelingRun(run.batch_path, "another"))
    broom.load(Path(run.batch_path), other.run_id, relabel=True)
    spend.reserve(other, spend.plan(other), spend.AUTOMATIC)
    publish_shard(other, 0)
    broom.lose(other, "hits")
    row = json.loads(kept(broom, other).read_text())
    kept(broom, other).write_text(json.dumps(row | {"yaml": "name: x"}))
    found = {each.kind: each.run for each in broom.repair(run.batch_path)}
    assert found[Kind.UNREADABLE_LEDGER] == other.run_id
    assert found[Kind.ORPHAN_HIT] == run.run_id


def test_hits_of_another_deployment_are_not_those_of_a_ledger_that_is_lost(
    brooms: tuple[Broom, Broom],
) -> None:
    theirs, ours = begin(brooms[0], "a"), begin(brooms[1], "a")
    publish_shard(theirs, 0)
    hit = brooms[0].hit_of(theirs, "a")
    shutil.rmtree(brooms[1].folder / "store" / ours.batch.name / ours.run_id)
    [found] = [each for each in brooms[1].repair(ours.batch_path) if each.kind is Kind.UNKNOWN_RUN_HIT]
    assert "of another deployment" in found.evidence
    assert found.result.startswith("left")
    assert brooms[0].status(hit) == "Assignable"


def test_the_same_place_written_otherwise_is_the_same_deployment() -> None:
    check = TypeAdapter(StateUri).validate_python
    assert check("s3://bucket") == check("s3://bucket/")
    assert check("file:///a/b") == check("/a/b/") == check("file:///a//c/../b/")


def kept(broom: Broom, run: LabelingRun) -> Path:
    return broom.folder / "store" / run.batch.name / run.run_id / "batch.jsonl"


def test_a_run_that_began_before_the_state_was_noted_keeps_its_hit_type(
    brooms: tuple[Broom, Broom],
) -> None:
    run = begin(brooms[0], "a")
    path = kept(brooms[0], run)
    row = json.loads(path.read_text())
    properties = hit_type_properties(run)
    del row["home"]
    path.write_text(json.dumps(row) + "\n")
    old = brooms[0].again(run)
    assert hit_type_properties(old) != properties
    assert approval_delay(old) == old.batch.task.auto_approval_seconds + int(old.key, 16) % 3600
