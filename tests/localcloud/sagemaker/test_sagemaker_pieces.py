"""The pure parts: documents, pages, paths, archives, statuses, metrics."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from localcloud.sagemaker.arns import Caller, parse_arn
from localcloud.sagemaker.errors import Refused
from localcloud.sagemaker.listing import listed
from localcloud.sagemaker.s3_files import S3Problem, S3Uri, pack, relative_path, unpack
from localcloud.sagemaker.store import AlreadyStored, DocumentStore
from localcloud.sagemaker.training import state
from localcloud.sagemaker.training.metrics import MAX_LINE, MAX_LINES, MetricReader

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


# --- documents ------------------------------------------------------------------------------------


def test_documents_survive_and_names_ignore_case(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path / "new" / "sagemaker.db")
    document = {"Name": "Job", "When": NOON, "Nested": [{"Since": NOON, "x": 1.5, "none": None}]}
    store.insert("job", "Job", document)
    store.close()
    again = DocumentStore(tmp_path / "new" / "sagemaker.db")
    assert again.get("job", "JOB") == document
    assert again.get("model", "Job") is None
    with pytest.raises(AlreadyStored):
        again.insert("job", "job", {})


def test_a_change_that_fails_changes_nothing(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path / "s.db")
    store.insert("job", "a", {"n": 1})

    def change(document: dict[str, Any]) -> None:
        document["n"] = 2
        raise Refused("no")

    with pytest.raises(Refused):
        store.update("job", "a", change)
    assert store.get("job", "a") == {"n": 1}
    assert store.update("job", "b", change) is None
    assert store.delete("job", "a")
    assert not store.delete("job", "a")


def test_changes_of_several_threads_are_not_lost(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path / "s.db")
    store.insert("job", "a", {"n": 0})

    def count() -> None:
        for _ in range(25):
            store.update("job", "a", lambda document: document.update(n=document["n"] + 1))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("job", "a") == {"n": 100}


# --- pages ----------------------------------------------------------------------------------------


def things(count: int) -> list[dict[str, Any]]:
    return [
        {"Name": f"thing-{n:02}", "Status": "Odd" if n % 2 else "Even", "CreationTime": after(n % 4)}
        for n in range(count)
    ]


def names(params: dict[str, Any], documents: list[dict[str, Any]]) -> list[list[str]]:
    """Return the names on all pages."""
    pages: list[list[str]] = []
    token: str | None = None
    while token is not None or not pages:
        more = {"NextToken": token} if token else {}
        page, token = listed(documents, {**params, **more}, name_key="Name", status_key="Status")
        pages.append([document["Name"] for document in page])
    return pages


def test_pages_hold_everything_once_though_times_are_equal() -> None:
    pages = names({"MaxResults": 3}, things(11))
    assert [len(page) for page in pages] == [3, 3, 3, 2]
    flat = [name for page in pages for name in page]
    assert sorted(flat) == [thing["Name"] for thing in things(11)]
    assert flat[0] == "thing-07"  # the latest, and the last name among those


def test_things_that_vanish_between_pages_hide_no_others() -> None:
    documents = things(6)
    params = {"SortBy": "Name", "SortOrder": "Ascending", "MaxResults": 2}
    page, token = listed(documents, params, name_key="Name")
    rest, _ = listed(documents[2:], {**params, "NextToken": token}, name_key="Name")
    assert [d["Name"] for d in [*page, *rest]] == ["thing-00", "thing-01", "thing-02", "thing-03"]


def test_lists_are_filtered() -> None:
    documents = things(6)
    assert names({"NameContains": "G-03"}, documents) == [["thing-03"]]
    assert sorted(names({"StatusEquals": "Odd"}, documents)[0]) == ["thing-01", "thing-03", "thing-05"]
    window = {"CreationTimeAfter": after(2), "CreationTimeBefore": after(2), "SortBy": "Name"}
    assert names(window, documents) == [["thing-02"]]


@pytest.mark.parametrize("token", ["%%%", "eyJhIjogMX0=", "WzFd"])
def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(Refused, match="NextToken"):
        listed(things(2), {"NextToken": token}, name_key="Name")


def test_arns_lead_back_to_names() -> None:
    arn = Caller("123456789012", "eu-west-1").arn("endpoint-config", "a-b")
    assert arn == "arn:aws:sagemaker:eu-west-1:123456789012:endpoint-config/a-b"
    assert parse_arn(arn) == ("endpoint-config", "a-b")
    assert parse_arn("arn:aws:sagemaker:eu-west-1:123456789012:workteam/private-crowd/t") == ("workteam", "t")
    assert parse_arn("arn:aws:sagemaker:eu-west-1:123456789012:workteam/public-crowd/default") is None
    assert parse_arn("arn:aws:sagemaker:eu-west-1:123456789012:flow-definition/f") is None


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "prefix", "expected"),
    [
        ("data/a.csv", "data/", "a.csv"),
        ("data/a.csv", "data", "a.csv"),
        ("data/deep/a.csv", "data", "deep/a.csv"),
        ("data/a.csv", "data/a.csv", "a.csv"),
        ("data-1/a.csv", "data", "data-1/a.csv"),
        ("x/data-1/a.csv", "x/da", "data-1/a.csv"),
        ("a.csv", "", "a.csv"),
    ],
)
def test_objects_lie_where_the_prefix_ends(key: str, prefix: str, expected: str) -> None:
    assert relative_path(key, prefix) == expected


def test_keys_do_not_lead_out_of_the_folder() -> None:
    with pytest.raises(S3Problem, match="would leave its folder"):
        relative_path("data/../../etc/passwd", "data/")


def test_uris_are_read_and_written() -> None:
    uri = S3Uri.parse("s3://bucket/a/b#c?d")
    assert (uri.bucket, uri.key) == ("bucket", "a/b#c?d")
    assert str(S3Uri.parse("s3://bucket").child("job", "output")) == "s3://bucket/job/output"
    assert str(S3Uri.parse("s3://bucket/out/").child("job")) == "s3://bucket/out/job"
    for wrong in ("bucket/key", "https://bucket/key", "s3:///key"):
        with pytest.raises(S3Problem, match="is not an S3 URI"):
            S3Uri.parse(wrong)


def test_archives_go_there_and_back(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a.txt").write_text("content")
    assert pack(source, tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "target")
    assert (tmp_path / "target" / "deep" / "a.txt").read_text() == "content"
    (tmp_path / "empty").mkdir()
    assert not pack(tmp_path / "empty", tmp_path / "none.tar.gz")
    assert not (tmp_path / "none.tar.gz").exists()


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/groundswell-outside.txt"])
def test_archives_write_nothing_outside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))
    folder = tmp_path / "inner" / "folder"
    with contextlib.suppress(S3Problem):  # refused, or written below the folder
        unpack(path, folder)
    outside = [p for p in tmp_path.rglob("*outside*") if folder not in p.parents]
    assert outside == []
    assert not Path("/tmp/groundswell-outside.txt").exists()


def test_a_file_that_is_no_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(b"not an archive")
    with pytest.raises(S3Problem, match=r"model.tar.gz cannot be unpacked"):
        unpack(path, tmp_path / "target")


# --- statuses and metrics -------------------------------------------------------------------------


def job(**more: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "TrainingJobStatus": "InProgress",
        "ResourceConfig": {"InstanceCount": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }
    state.enter(document, "Starting", NOON)
    return document


def test_a_job_that_fails_before_it_starts_is_not_billed() -> None:
    document = job()
    state.fail(document, "x" * 5000, after(2))
    assert (document["TrainingJobStatus"], document["SecondaryStatus"]) == ("Failed", "Failed")
    assert len(document["FailureReason"]) == 1024
    assert "BillableTimeInSeconds" not in document


def test_times_close_one_status_when_the_next_begins() -> None:
    document = job()
    state.start_clock(document, after(1))
    state.enter(document, "Training", after(1))
    state.enter(document, "Stopping", after(3))
    assert document["TrainingJobStatus"] == "Stopping"
    state.enter(document, "Stopped", after(8.6))
    assert [(s["Status"], s["EndTime"]) for s in document["SecondaryStatusTransitions"]] == [
        ("Starting", after(1)),
        ("Training", after(3)),
        ("Stopping", after(8.6)),
        ("Stopped", after(8.6)),
    ]
    assert document["TrainingJobStatus"] == "Stopped"
    assert document["BillableTimeInSeconds"] == 8


def test_a_restart_forgets_the_first_run() -> None:
    document = job()
    state.start_clock(document, after(1))
    document["FinalMetricDataList"] = [1]
    state.restart(document, after(100))
    assert "TrainingStartTime" not in document
    assert "FinalMetricDataList" not in document
    assert "run again from the beginning" in document["SecondaryStatusTransitions"][-1]["StatusMessage"]
    state.start_clock(document, after(101))
    assert state.deadline(document, 86400) == after(161)


def test_metrics_take_the_last_number_of_each_line() -> None:
    reader = MetricReader(
        [{"Name": "loss", "Regex": r"loss=(\S+)"}, {"Name": "count", "Regex": r"\d+ items"}]
    )
    reader.read("loss=0.5 then loss=0.25", after(1))
    reader.read("loss=unknown; 12 items", after(2))
    assert reader.final() == [{"MetricName": "loss", "Value": 0.25, "Timestamp": after(1)}]


CATASTROPHE = {"Name": "endless", "Regex": r"(a+)+b=(\d)"}


def test_an_expression_without_end_costs_its_own_metric_only(caplog: pytest.LogCaptureFixture) -> None:
    reader = MetricReader([CATASTROPHE, {"Name": "loss", "Regex": r"loss=(\d+)"}], limit=1.0)
    for line in ("loss=1", "a" * 60, "loss=2"):
        reader.read(line, NOON)
    ticks = []
    done = threading.Event()
    ticker = threading.Thread(target=lambda: [ticks.append(1) for _ in range(1000) if not done.wait(0.01)])
    ticker.start()
    try:
        assert [(m["MetricName"], m["Value"]) for m in reader.final()] == [("loss", 2.0)]
    finally:
        done.set()
        ticker.join()
    assert len(ticks) > 5, "other threads stood still"
    assert "metric endless left out" in caplog.text


def test_metrics_see_the_last_lines_and_the_beginning_of_each() -> None:
    reader = MetricReader([{"Name": name, "Regex": f"{name}=([0-9]+)"} for name in ("early", "late", "far")])
    reader.read("early=1", NOON)
    for _ in range(MAX_LINES):
        reader.read("late=2" + " " * MAX_LINE + "far=3", NOON)
    assert [(m["MetricName"], m["Value"]) for m in reader.final()] == [("late", 2.0)]
