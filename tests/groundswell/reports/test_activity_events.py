"""Events of the log become rows, whatever else is in it; what is bad is counted without naming anybody."""

from __future__ import annotations

import io
import json
import locale
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from groundswell.reports import schema
from groundswell.reports.activity import LogEvent, parse, parse_blocks
from groundswell.reports.activity_rows import with_task_types
from groundswell.reports.days import bounds

SUB = "d6947aeb-0650-447a-ab5d-894db61017fd"
POOL = "us-east-2_IpicJXXXX"
DOCUMENTED = {
    "worker_id": "cd449a289e129409",
    "cognito_user_pool_id": POOL,
    "cognito_sub_id": SUB,
    "task_accepted_time": "Wed Aug 14 16:00:59 UTC 2019",
    "task_submitted_time": "Wed Aug 14 16:01:04 UTC 2019",
    "task_returned_time": "",
    "task_declined_time": "",
    "workteam_arn": "arn:aws:sagemaker:us-east-2:############:workteam/private-crowd/Sample-labeling-team",
    "labeling_job_arn": "arn:aws:sagemaker:us-east-2:############:labeling-job/metrics-demo",
    "work_requester_account_id": "############",
    "job_reference_code": "############",
    "job_type": "Private",
    "event_type": "TasksSubmitted",
    "event_timestamp": "1565798464",
}
JOB_ARN = "arn:aws:sagemaker:us-east-2:111122223333:labeling-job/"
AT = datetime(2019, 8, 14, 16, 1, 4, tzinfo=UTC)
DAY = AT.date()


def line(message: str, at: datetime = AT, **more: Any) -> LogEvent:
    return LogEvent("1", int(at.timestamp() * 1000), message, **more)


def event(at: datetime = AT, **changes: Any) -> LogEvent:
    record = {name: value for name, value in {**DOCUMENTED, **changes}.items() if value is not ...}
    return line(json.dumps(record), at)


def written(at: datetime) -> str:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    at = at.astimezone(UTC)
    return f"{weekdays[at.weekday()]} {months[at.month - 1]} {at.day:02} {at:%H:%M:%S} UTC {at.year:04}"


def submitted(at: datetime, seconds: float = 5, **changes: Any) -> LogEvent:
    return event(
        at,
        task_accepted_time=written(at - timedelta(seconds=seconds)),
        task_submitted_time=written(at),
        event_timestamp=str(int(at.timestamp())),
        **changes,
    )


def kinds(problems: Any) -> dict[str, int]:
    return {problem.kind: problem.count for problem in problems}


def test_documented_event() -> None:
    parsed = parse([event()])
    assert parsed.problems == []
    assert list(parsed.rows.columns) == schema.ACTIVITY.names
    row = parsed.rows.iloc[0].dropna().to_dict()
    assert row == {
        "source": "worker_activity",
        "kind": "submitted",
        "at": AT,
        "accepted_at": AT - timedelta(seconds=5),
        "seconds": 5.0,
        "worker": SUB,
        "pool": POOL,
        "team": "Sample-labeling-team",
        "job": "metrics-demo",
        "run": "",
        "task_type": "unknown",
        "task": "",
        "item": "",
        "answer": "",
    }


def test_documented_example_of_fourteen_tasks() -> None:
    """The log tells whole seconds; the 136.92 s of the documentation are the metric's."""
    seconds = [9, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 9, 9]
    rows = parse(submitted(AT + timedelta(minutes=n), s) for n, s in enumerate(seconds)).rows
    assert (len(rows), rows["seconds"].sum()) == (14, 137.0)


@pytest.mark.parametrize("kind", ["accepted", "returned", "declined"])
@pytest.mark.parametrize("word", ["Tasks{}", "Task{}", "TASKS{}"])
def test_other_kinds_by_analogy(kind: str, word: str) -> None:
    fields = {"task_submitted_time": "", f"task_{kind}_time": "Wed Aug 14 16:01:04 UTC 2019"}
    parsed = parse([event(event_type=word.format(kind.capitalize()), **fields)])
    assert parsed.problems == []
    row = parsed.rows.iloc[0]
    assert (row["kind"], row["at"]) == (kind, AT)
    assert row[["seconds"]].isna().all()


def test_months_are_read_in_english_whatever_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    known = locale.setlocale(locale.LC_TIME)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_TIME, name)
        except locale.Error:
            continue
        try:
            moments = [datetime(2024, month, 29, 23, 59, 59, tzinfo=UTC) for month in range(1, 13)]
            assert list(parse(map(submitted, moments)).rows["at"]) == moments
        finally:
            locale.setlocale(locale.LC_TIME, known)


@pytest.mark.parametrize(
    ("changes", "kind", "example"),
    [
        ({"event_type": ...}, "missing field", "event_type"),
        ({"event_type": None}, "missing field", "event_type"),
        ({"event_type": 5}, "malformed field", "event_type 5"),
        ({"event_type": "TasksPaused"}, "unknown event type", "TasksPaused"),
        ({"event_type": "<script>alert(1)</script>"}, "unknown event type", "<script>alert(1)</script>"),
        ({"task_submitted_time": ""}, "missing field", "task_submitted_time"),
        ({"task_submitted_time": ...}, "missing field", "task_submitted_time"),
        ({"task_submitted_time": 15657984}, "malformed field", "task_submitted_time 15657984"),
        ({"task_submitted_time": "2019-08-14T16:01:04Z"}, "time in another format", "2019-08-14T16:01:04Z"),
        ({"task_submitted_time": "Wed Aug 14 16:01:04 PDT 2019"}, "time in another format", None),
        ({"task_submitted_time": "Wed Aug 14 16:01:60 UTC 2019"}, "time in another format", None),
        ({"task_submitted_time": "Wed Aug 14 24:01:04 UTC 2019"}, "time in another format", None),
        ({"task_submitted_time": "Thu Feb 30 16:01:04 UTC 2019"}, "time in another format", None),
        ({"task_submitted_time": "Mit Okt 14 16:01:04 UTC 2019"}, "time in another format", None),
        ({"task_submitted_time": "Wed Aug 14 16:01:04 UTC 0000"}, "time in another format", None),
        ({"task_submitted_time": "Wed Aug 14 16:01:04 UTC ٢٠١٩"}, "time in another format", None),
        ({"cognito_sub_id": ""}, "missing field", "cognito_sub_id"),
        ({"cognito_sub_id": {"a": "alice"}}, "malformed field", "cognito_sub_id: dict of length 14"),
        ({"cognito_sub_id": "alice\ud800"}, "malformed field", "cognito_sub_id: str of length 6"),
        ({"cognito_sub_id": "a" * 300}, "malformed field", "cognito_sub_id: str of length 300"),
        ({"cognito_user_pool_id": ...}, "missing field", "cognito_user_pool_id"),
        ({"workteam_arn": "Sample-team"}, "malformed field", "workteam_arn 'Sample-team'"),
        ({"workteam_arn": [1]}, "malformed field", "workteam_arn [1]"),
        ({"labeling_job_arn": "arn:aws:sagemaker:us-east-2:1:labeling-job/"}, "malformed field", None),
        ({"labeling_job_arn": "arn:aws:sagemaker:us-east-2:1:labeling-job/a/b"}, "malformed field", None),
        ({"labeling_job_arn": ""}, "missing field", "labeling_job_arn"),
    ],
)
def test_bad_events_are_put_aside(changes: dict[str, Any], kind: str, example: str | None) -> None:
    parsed = parse([event(**changes), event()])
    assert len(parsed.rows) == 1
    [problem] = parsed.problems
    assert (problem.kind, problem.count, problem.day, problem.source) == (kind, 1, DAY, "worker_activity")
    assert example is None or problem.example == example
    assert problem.what_to_do
    assert "{" not in problem.what_to_do


@pytest.mark.parametrize(
    "message",
    [
        "",
        "null",
        "[]",
        '"text"',
        "{",
        "NaN",
        "[" * 50_000,
        '{"a": ' + "1" * 5000 + "}",
        "\x00\ud800",
        "{}" * 2,
    ],
)
def test_lines_that_are_no_events(message: str) -> None:
    parsed = parse([line(message), event()])
    assert len(parsed.rows) == 1
    assert kinds(parsed.problems) == {"not JSON": 1}


def test_examples_name_nobody() -> None:
    """Neither by an id that looks like one nor by the field that holds it, nor by half of it."""
    cut = json.dumps({**DOCUMENTED, "cognito_sub_id": "alice", "event_type": "x"})[:150]
    lines = [
        cut,
        "mail to alice@example.org of " + POOL,
        "x" * 380 + " " + SUB,
        SUB * 1000,
        "A2SUAM1J7GNN3SFU99",
    ]
    problems = parse(
        [*map(line, lines), event(), event(), event(event_type=SUB), event(worker_id=5)]
    ).problems
    for problem in problems:
        assert len(problem.example) <= 200
        for secret in ("alice", SUB[:8], POOL, "cd449a289e129409", "A2SUAM"):
            assert secret not in problem.example


def test_the_same_message_is_one_event() -> None:
    first, second = event(), event()._replace(event_id="2", timestamp_ms=event().timestamp_ms + 60_000)
    other = submitted(AT, 6)
    parsed = parse([first, second, other, first])
    assert len(parsed.rows) == 2
    assert kinds(parsed.problems) == {"duplicate delivery": 2}


def test_the_same_message_in_another_block() -> None:
    events = [submitted(AT + timedelta(minutes=n)) for n in range(10)]
    blocks = list(parse_blocks([*events, *events], block=7))
    assert [len(block.rows) for block in blocks] == [7, 3, 0]
    assert sum(problem.count for block in blocks for problem in block.problems) == 10


def test_negative_seconds_are_unknown() -> None:
    parsed = parse([event(task_accepted_time="Wed Aug 14 16:02:59 UTC 2019")])
    assert parsed.rows["seconds"].isna().all()
    assert parsed.rows["accepted_at"].notna().all()
    assert kinds(parsed.problems) == {"submitted before accepted": 1}


@pytest.mark.parametrize(
    ("value", "problems"),
    [("", {}), (..., {}), ("yesterday", {"unknown acceptance": 1}), (7, {"unknown acceptance": 1})],
)
def test_the_acceptance_is_not_needed(value: Any, problems: dict[str, int]) -> None:
    parsed = parse([event(task_accepted_time=value)])
    assert (len(parsed.rows), kinds(parsed.problems)) == (1, problems)
    assert parsed.rows[["accepted_at", "seconds"]].isna().all(axis=None)


@pytest.mark.parametrize("value", ["", ..., None, "soon", "-5", "9" * 400, 1.5, [], "1565790000"])
def test_event_timestamp_only_confirms(value: Any) -> None:
    parsed = parse([event(event_timestamp=value)])
    assert (len(parsed.rows), kinds(parsed.problems)) == (1, {"times contradict": 1})


def test_event_timestamp_may_be_a_number() -> None:
    assert parse([event(event_timestamp=1565798464)]).problems == []


def test_times_of_the_future() -> None:
    """More than an hour after it came in; the log's own time may be as wrong as the event's."""
    came_in = int(AT.timestamp() * 1000)
    hour = 3_600_000
    message = event().message
    assert len(parse([LogEvent("1", came_in + 9 * hour, message, came_in - hour)]).rows) == 1
    parsed = parse([LogEvent("1", came_in, message, came_in - hour - 1000)])
    assert (len(parsed.rows), kinds(parsed.problems)) == (0, {"time in the future": 1})


def test_teams_without_a_user_pool_have_worker_ids() -> None:
    row = parse([event(cognito_user_pool_id="", cognito_sub_id="")]).rows.iloc[0]
    assert (row["worker"], row["pool"]) == ("cd449a289e129409", "")


@pytest.mark.parametrize(
    ("arn", "team"),
    [
        ("arn:aws-cn:sagemaker:cn-north-1:1:workteam/vendor-crowd/some-vendor", "some-vendor"),
        ("arn:aws:sagemaker:us-east-1:394669845002:workteam/public-crowd/default", "public"),
    ],
)
def test_teams_of_other_crowds(arn: str, team: str) -> None:
    assert list(parse([event(workteam_arn=arn)]).rows["team"]) == [team]


def test_task_types_come_from_the_jobs() -> None:
    names = ["cats", "dogs", "cats", "gone"]
    rows = parse(submitted(AT, n, labeling_job_arn=JOB_ARN + name) for n, name in enumerate(names)).rows
    jobs = [
        {"job": "cats", "task_type": "image-classification"},
        {"job": "dogs", "task_type": None},
        {"job": "gone"},
        {"job": "other", "task_type": "text-classification"},
    ]
    found = with_task_types(rows, jobs)
    assert list(found["task_type"]) == ["image-classification", "unknown", "image-classification", "unknown"]
    assert found.drop(columns="task_type").equals(rows.drop(columns="task_type"))
    assert with_task_types(rows, []).equals(rows)
    assert with_task_types(rows[:0], jobs).equals(rows[:0])


def test_window_and_days() -> None:
    """Rows of other days are left out; so are problems, which are counted when their own day is read."""
    zone = ZoneInfo("Asia/Kolkata")
    first, last = date(2019, 8, 13), date(2019, 8, 14)
    start, end = bounds(first, last, zone)
    events = [
        submitted(start - timedelta(seconds=1)),
        submitted(start),
        submitted(end - timedelta(seconds=1)),
        submitted(end),
        event(start - timedelta(seconds=1), event_type="a"),
        event(start, event_type="b"),
        event(end, event_type="c"),
    ]
    [parsed] = parse_blocks(events, zone=zone, window=(start, end), days=(first, last))
    assert list(parsed.rows["at"]) == [start, end - timedelta(seconds=1)]
    assert [(problem.example, problem.day) for problem in parsed.problems] == [("b", first)]


def test_rows_that_came_late_are_told_apart_by_the_day_on_which_they_came() -> None:
    """Whatever the length of the window: late is what came more days after its own than are waited for."""
    first, last = date(2019, 8, 13), date(2019, 8, 14)
    window = bounds(first, last, ZoneInfo("UTC"))
    came = int(AT.timestamp() * 1000)
    late = submitted(AT - timedelta(days=4))._replace(timestamp_ms=came)
    in_time = submitted(AT - timedelta(days=3))._replace(timestamp_ms=came)
    here = submitted(AT)
    [parsed] = parse_blocks([late, in_time, here], window=window, days=(first, last), late_days=3)
    assert list(parsed.rows["at"]) == [AT]
    assert parsed.problems == []
    assert {day: list(rows["at"]) for day, rows in parsed.late.items()} == {DAY: [AT - timedelta(days=4)]}
    [parsed] = parse_blocks([late], window=window, days=(first, first), late_days=3)
    assert parsed.late == {}, "it is told when its own day is read"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(sorted(DOCUMENTED)), JSON | st.just(...), max_size=4),
    st.text(max_size=50),
)
def test_every_event_is_a_row_or_a_problem(changes: dict[str, Any], garbage: str) -> None:
    parsed = parse([event(**changes), line(garbage)])
    kept = {"submitted before accepted", "unknown acceptance", "times contradict"}
    aside = sum(problem.count for problem in parsed.problems if problem.kind not in kept)
    assert len(parsed.rows) + aside == 2
    parsed.rows.to_parquet(io.BytesIO())
    for problem in parsed.problems:
        assert len(problem.example.encode()) <= 800
        assert len(problem.example) <= 200
        assert problem.example.isprintable()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2**31), st.integers(-100, 10_000)), max_size=20), st.randoms())
def test_times_and_seconds_come_back(tasks: list[tuple[int, int]], random: Any) -> None:
    moments = [(datetime.fromtimestamp(at, UTC), seconds) for at, seconds in set(tasks)]
    events = [submitted(at, seconds) for at, seconds in moments if at.timestamp() >= seconds]
    expected = sorted((e.timestamp_ms // 1000) for e in events)
    parsed = parse(events)
    assert sorted(int(at.timestamp()) for at in parsed.rows["at"]) == expected
    known = parsed.rows["seconds"].dropna()
    assert sorted(known) == sorted(float(s) for at, s in moments if s >= 0 and at.timestamp() >= s)
    random.shuffle(events)
    assert parse(events).problems == parsed.problems
