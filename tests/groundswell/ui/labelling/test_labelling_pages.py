"""The list of batches, a batch, and a run, in every state that they can be in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from groundswell.errors import LedgerError
from groundswell.ui.labelling import running
from tests.groundswell.ui.conftest import mounted
from tests.groundswell.ui.ui_records import Deployment, Record, stamp

RUN = "scheduled__2026-11-22T05:00:00+00:00"
HOSTILE = '"><script>alert(1)</script>'


def listed(client: TestClient, **query: str) -> str:
    answer = client.get("/groundswell/labelling/fragments/batches", params=query)
    assert answer.status_code == 200, answer.text
    return answer.text


def run(client: TestClient, batch: str = "flowers", run_id: str = RUN, part: str = "fragments/run") -> str:
    answer = client.get(f"/groundswell/labelling/{part}", params={"batch": batch, "run_id": run_id})
    assert answer.status_code == 200, answer.text
    return answer.text


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


@pytest.fixture
def record(deployment: Deployment) -> Record:
    deployment.batch("flowers")
    return Record(deployment.ledger("flowers", RUN), items=12)


def test_a_deployment_without_batches_says_what_to_do(ann: TestClient) -> None:
    assert "No batches yet" in listed(ann)


def test_a_batch_without_runs_leads_to_its_dag(deployment: Deployment, ann: TestClient) -> None:
    deployment.batch("flowers", schedule='"0 6 * * *"')
    text = listed(ann)
    assert "No run yet" in text
    assert 'data-airflow href="/dags/labeling_flowers"' in text
    assert "0 6 * * *" in text
    runs = ann.get("/groundswell/labelling/fragments/batch?batch=flowers").text
    assert "No run yet" in runs


def test_a_run_that_has_published_nothing_is_being_prepared(record: Record, ann: TestClient) -> None:
    record.ledger.append("spend", [{"at": "2026-11-22T05:00:00+00:00", "certain_cents": 1, "worst_cents": 2}])
    assert "Preparing" in listed(ann)
    assert "Preparing" in run(ann)
    assert 'data-refresh="15"' in run(ann)


def test_a_run_under_way_is_counted(record: Record, ann: TestClient) -> None:
    record.write(done=0.75, given_up=2).progress(pace=40, active_workers=3)
    text = words(listed(ann))
    assert "Under way" in text
    assert "7 of 12 items settled" in text
    assert "2 given up" in text
    assert "3 open" in text
    assert "$1.44 spent of $45.00" in text
    assert "Workers now 3" in text
    assert "Expected end in 80 min" in text
    assert 'data-refresh="15"' in listed(ann)
    [tiles] = re.findall(r'<dl class="tiles totals">.*?</dl>', listed(ann), re.DOTALL)
    assert words(tiles).startswith("Runs not finished 1 Workers active now 3")


def test_why_the_end_is_not_known_is_said(record: Record, ann: TestClient) -> None:
    record.write(done=0.75).progress(pace=None, eta=None)
    for text in (words(listed(ann)), words(run(ann))):
        assert "Expected end no answer in the last hour" in text
        assert "at the pace" not in text


def test_an_end_that_should_have_come_is_not_told_as_past(record: Record, ann: TestClient) -> None:
    now = datetime.now(UTC)
    record.write(done=0.75).progress(
        updated=now - timedelta(minutes=5), eta=stamp(now - timedelta(minutes=3))
    )
    for text in (words(listed(ann)), words(run(ann))):
        assert "Expected end any moment" in text


def test_a_run_that_says_nothing_any_more_is_stale(record: Record, ann: TestClient) -> None:
    old = datetime.now(UTC) - timedelta(hours=3)
    record.write(done=0.5).progress(updated=old, active_workers=9)
    for text in (words(listed(ann)), words(run(ann))):
        assert "No news" in text
        assert "Nothing new for 3 h" in text
        assert "Expected end unknown" in text
        assert "Workers now 9" not in text
    assert "Runs not finished 1 Workers active now 0" in words(listed(ann))


@pytest.mark.parametrize("differences", [0, 1, 7])
def test_books_that_differ_are_seen_without_opening_the_run(
    record: Record, ann: TestClient, differences: int
) -> None:
    record.write(given_up=1).progress().finish(differences=differences)
    said = {0: "", 1: "differ in 1 place: see Books", 7: "differ in 7 places: see Books"}[differences]
    for text in (words(listed(ann)), words(run(ann))):
        assert said in text
        assert ("Ledger and workforce differ in" in text) == bool(differences)


@pytest.mark.parametrize(("budget", "bar", "key"), [(5, "bar bad", "key over"), (500, "bar ", "key done")])
def test_what_was_overspent_has_the_colour_that_its_key_says(
    record: Record, ann: TestClient, budget: int, bar: str, key: str
) -> None:
    record.write(done=0.5).progress(budget_cents=budget, spent_cents=100, worst_cents=200)
    html = listed(ann)
    assert f'class="{key}"></span><strong>$1.00</strong> spent' in html
    assert f'<span class="{bar}" role="img" aria-label="$1.00 spent of' in html


def test_charts_say_in_which_zone_their_times_are(record: Record, ann: TestClient) -> None:
    record.write(done=0.5).progress()
    assert words(run(ann)).split("Over time")[1].strip().startswith("Times are UTC")


def test_a_finished_run_is_summed_up(record: Record, ann: TestClient) -> None:
    record.write(given_up=1).progress().finish()
    text = words(listed(ann))
    assert "Finished" in text
    assert "Runs not finished" not in text, "nothing is under way"
    page = words(run(ann))
    assert "Labels 11" in page
    assert "Ledger and workforce agree to the cent" in page
    assert "Workers did not agree" in page
    assert "Spend allowed without asking" in page
    assert "s3://bucket/train.csv" in page
    assert "96.7% right on the test items" in page
    assert 'data-refresh="60"' in run(ann)


def test_differences_of_the_books_are_listed(record: Record, ann: TestClient) -> None:
    record.write().progress().finish(differences=60)
    text = run(ann)
    assert "60 differences" in text
    assert "the first 50" in words(text)
    assert text.count("look at the assignment") == 50


def test_a_run_is_drawn_over_time_and_told_as_a_table(record: Record, ann: TestClient) -> None:
    record.write().progress()
    text = run(ann)
    labels = re.findall(r'role="img" aria-label="([^"]* over time: [^"]*)"', text)
    assert [label.split(" over")[0] for label in labels] == ["Answers", "Items settled", "Spent"]
    assert text.count("<polyline") == 3
    assert "The same as a table" in text
    assert "style=" not in text, "the policy of the pages forbids inline styles, or will"


def test_a_batch_file_that_is_wrong_says_so_and_hides_no_other(
    record: Record, deployment: Deployment, ann: TestClient
) -> None:
    record.write().progress()
    (deployment.batches / "broken.yaml").write_text("name: [oops\n")
    [broken] = [each for each in deployment.sources().batch_list() if each.batch is None]
    assert "broken.yaml" not in listed(ann), "its DAG is not the user's to read"
    deployment.allowed.add(broken.dag_id)
    text = words(listed(ann))
    assert "Cannot be read" in text
    assert "broken.yaml: line 2" in text
    assert "items settled" in text


def test_the_dag_of_a_broken_file_is_the_one_that_the_dags_folder_makes(deployment: Deployment) -> None:
    from hashlib import sha256

    (deployment.batches / "broken.yaml").write_text("x")
    [broken] = deployment.sources().batch_list()
    assert broken.dag_id == f"broken_batch_{sha256(b'broken.yaml').hexdigest()[:12]}"


def test_a_store_that_cannot_be_read_hides_no_other_batch(record: Record, deployment: Deployment) -> None:
    record.write().progress()
    deployment.batch("far-away", connections="{mturk: mturk_default, aws: gone}")

    def open_store(uri: str, connection: str) -> Any:
        if connection == "gone":
            raise LedgerError("connection 'gone': bucket <b>x</b> does not exist; create it")
        return deployment.open_store(uri, connection)

    client = TestClient(mounted(deployment.sources(open_store=open_store)), cookies={"_token": "ann"})
    text = listed(client)
    assert "bucket &lt;b&gt;x&lt;/b&gt; does not exist; create it" in text
    assert "items settled" in words(text)
    answer = client.get("/groundswell/labelling/run?batch=far-away&run_id=x")
    assert answer.status_code == 502
    assert "create it" in answer.text


def test_batches_are_found_by_word_and_state(record: Record, deployment: Deployment, ann: TestClient) -> None:
    record.write().progress().finish()
    deployment.batch("street-scenes", description="Vehicles and cyclists")
    assert "street-scenes" in listed(ann, q="STREET cycl")
    assert "flowers" not in listed(ann, q="STREET cycl")
    assert "street-scenes" not in listed(ann, state="finished")
    assert "flowers" in listed(ann, state="finished")
    assert "No batch fits the filter" in listed(ann, q="nothing of that name")


def test_the_newest_run_stands_first_and_the_others_behind_it(
    record: Record, deployment: Deployment, ann: TestClient
) -> None:
    record.write(done=0.5).progress()
    Record(deployment.ledger("flowers", "scheduled__2026-11-20T05:00:00+00:00")).write().progress().finish()
    text = listed(ann)
    assert "Earlier runs (1)" in text
    assert text.index("2026-11-22T05") < text.index("2026-11-20T05")
    runs = ann.get("/groundswell/labelling/fragments/batch?batch=flowers").text
    assert re.findall(r"<a [^>]*>(scheduled__\S*)</a>", runs) == [RUN, "scheduled__2026-11-20T05:00:00+00:00"]


def test_the_tab_of_a_dag_run_shows_the_run(record: Record, ann: TestClient) -> None:
    record.write().progress()
    query = {"dag_id": "labeling_flowers", "run_id": RUN}
    page = ann.get("/groundswell/labelling/run", params=query)
    assert page.status_code == 200
    assert "Breadcrumb" not in page.text, "the tab has Airflow's own"
    fragment = ann.get("/groundswell/labelling/fragments/run", params=query)
    assert "items settled" in words(fragment.text)


def test_the_tab_of_a_run_that_has_written_nothing_waits_for_it(record: Record, ann: TestClient) -> None:
    query = {"dag_id": "labeling_flowers", "run_id": "manual__just+triggered"}
    assert ann.get("/groundswell/labelling/run", params=query).status_code == 200
    waiting = ann.get("/groundswell/labelling/fragments/run", params=query).text
    assert "Nothing on record yet" in waiting
    assert "data-refresh" in waiting


@pytest.mark.parametrize("dag", ["another_dag", "worker_metrics"])
def test_the_tab_of_another_dag_says_that_it_labels_nothing(ann: TestClient, dag: str) -> None:
    page = ann.get("/groundswell/labelling/run", params={"dag_id": dag, "run_id": RUN})
    assert page.status_code == 200
    assert "Not a labelling run" in page.text
    assert ("Throughput" in page.text) == (dag == "worker_metrics")


def test_what_others_wrote_is_text_wherever_it_stands(deployment: Deployment, ann: TestClient) -> None:
    deployment.batch("flowers", description=f"'{HOSTILE}'")
    record = Record(deployment.ledger("flowers", f"manual__{HOSTILE.replace('/', '')}")).write().progress()
    record.finish()
    ledger = record.ledger
    ledger.put_document(
        "consolidation.json",
        {"method": HOSTILE, "labelled": 1, "findings": [{"text": HOSTILE, "severity": HOSTILE}]},
    )
    ledger.put_document(
        "reconciliation.json", {"rows": [{"what": HOSTILE, "fix": HOSTILE}], "notes": [HOSTILE]}
    )
    ledger.append("approvals", [{"what": HOSTILE, "by": HOSTILE, "at": HOSTILE}])
    texts = [listed(ann), listed(ann, q=HOSTILE[:8])]
    for part in ("run", "fragments/run", "items", "workers"):
        texts.append(run(ann, run_id=ledger.run_id, part=part))
    texts.append(ann.get("/groundswell/labelling", params={"q": HOSTILE, "state": HOSTILE}).text)
    texts.append(ann.get("/groundswell/labelling/run", params={"dag_id": HOSTILE, "run_id": HOSTILE}).text)
    for text in texts:
        assert "<script>" not in text
        assert "alert(1)" not in re.sub(r"&#34;&gt;&lt;script&gt;alert\(1\)&lt;/?script&gt;", "", text)


def test_findings_name_workers_by_pseudonym(record: Record, ann: TestClient) -> None:
    record.write().progress().finish()
    text = run(ann)
    assert "made the same mistakes far more often" in text
    assert not [worker for worker in record.workers if worker in text]
    assert re.search(r"like w-[0-9a-f]{10} and w-[0-9a-f]{10}", words(text))


def test_an_id_within_another_id_or_a_pseudonym_is_left_alone() -> None:
    text = running._masked_text("A1, A1B and w", ["A1", "w", "A1B", ""], lambda worker: f"w-{len(worker)}")
    assert text == "w-2, w-3 and w-1"


def test_damaged_documents_are_told_of_and_not_fatal(record: Record, ann: TestClient) -> None:
    record.write().progress()
    for name in ("consolidation.json", "reconciliation.json", "progress.json"):
        record.ledger.store.put(f"{record.ledger.prefix}{name}", b"{not json")
    text = words(run(ann))
    assert "is not JSON" in text
    assert "is not JSON" in words(listed(ann))
