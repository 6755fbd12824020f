from __future__ import annotations

from typing import Any

import pytest

TYPE = {
    "Title": "t",
    "Description": "d",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 30,
}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("Title", ["x" * 128], ["x" * 129, "", None, "a\x00b", "\ud800", 5]),
        ("Description", ["x" * 2000], ["x" * 2001, "", None]),
        ("Keywords", ["", "x" * 1000, None], ["x" * 1001]),
        (
            "Reward",
            ["0", "5", "1.5", "1000000.00"],
            ["abc", "0.001", "-1", "", None, 5, "1000000.01", "9" * 99],
        ),
        ("AssignmentDurationInSeconds", [30, 31_536_000], [29, 31_536_001, 0, -1, None, "60", True]),
        ("AutoApprovalDelayInSeconds", [0, 2_592_000, None], [-1, 2_592_001]),
    ],
)
def test_hit_type_fields(memory_desk: Any, field: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert memory_desk.call("CreateHITType", **(TYPE | {field: value}))
    for value in bad:
        error = memory_desk.refused("CreateHITType", **(TYPE | {field: value}))
        assert str(error).startswith(field), value
        assert error.turk_code == "AWS.MechanicalTurk.InvalidParameterValue"


def _sized(html: str, size: int) -> str:
    return html.replace("</form>", "x" * (size - len(html)) + "</form>")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("LifetimeInSeconds", [30, 31_536_000], [29, 31_536_001, None]),
        ("MaxAssignments", [1, 100_000, None], [0, -1, 1_000_000_001]),
        ("RequesterAnnotation", ["x" * 255, "", None], ["x" * 256, "\x00"]),
        ("UniqueRequestToken", ["x" * 64, None], ["x" * 65, ""]),
    ],
)
def test_hit_fields(
    memory_desk: Any, html_question: str, field: str, good: list[Any], bad: list[Any]
) -> None:
    base = {"HITTypeId": memory_desk.hit_type(), "LifetimeInSeconds": 60, "Question": html_question}
    for value in good:
        assert memory_desk.call("CreateHITWithHITType", **(base | {field: value}))
    for value in bad:
        assert str(memory_desk.refused("CreateHITWithHITType", **(base | {field: value}))).startswith(field)


def test_question_size_is_in_bytes(memory_desk: Any, html_question: str) -> None:
    base = {"HITTypeId": memory_desk.hit_type(), "LifetimeInSeconds": 60}
    assert memory_desk.call("CreateHITWithHITType", Question=_sized(html_question, 65_535), **base)
    too_long = _sized(html_question, 65_535).replace("xx", "xü", 1)
    for question in (too_long, None, ""):
        error = memory_desk.refused("CreateHITWithHITType", Question=question, **base)
        assert str(error).startswith("Question")
    assert "65535 bytes" in str(memory_desk.refused("CreateHITWithHITType", Question=too_long, **base))


@pytest.mark.parametrize("value", [0, -1, 1_000_000_001, None])
def test_additional_assignments(memory_desk: Any, value: Any) -> None:
    hit = memory_desk.hit(1)
    error = memory_desk.refused(
        "CreateAdditionalAssignmentsForHIT", HITId=hit, NumberOfAdditionalAssignments=value
    )
    assert str(error).startswith("NumberOfAdditionalAssignments")


@pytest.mark.parametrize("value", [0, 101, -1, "10"])
def test_page_size(memory_desk: Any, value: Any) -> None:
    assert str(memory_desk.refused("ListHITs", MaxResults=value)).startswith("MaxResults")


@pytest.mark.parametrize("feedback", ["x" * 1025, "a\x07b", "\x0b", "\x1f", "\x00"])
def test_feedback(memory_desk: Any, feedback: str) -> None:
    assignment = memory_desk.submit("AWA", memory_desk.hit(1))
    for operation in ("ApproveAssignment", "RejectAssignment"):
        error = memory_desk.refused(operation, AssignmentId=assignment, RequesterFeedback=feedback)
        assert str(error).startswith("RequesterFeedback")
    assert str(memory_desk.refused("RejectAssignment", AssignmentId=assignment)).startswith(
        "RequesterFeedback"
    )
    memory_desk.call(
        "ApproveAssignment", AssignmentId=assignment, RequesterFeedback="tab\tline\r\n" + "x" * 1000
    )


@pytest.mark.parametrize("worker", ["", "A", "B1", "a1", "A1\n", "A" + "1" * 64, "A-1", "A é"])
def test_worker_ids(memory_desk: Any, worker: str) -> None:
    from workforce.market import Refused

    with pytest.raises(Refused) as caught:
        memory_desk.market.workers.ensure_worker(worker)
    assert caught.value.reason == "invalid"
    with pytest.raises(Refused, match="does not exist"):
        memory_desk.market.workers.available(worker)


def test_a_worker_is_made_once(memory_desk: Any) -> None:
    first = memory_desk.market.workers.ensure_worker("A" + "Z9" * 31 + "Z")
    memory_desk.clock.advance(60)
    assert memory_desk.market.workers.ensure_worker(first.worker_id) == first


def test_an_answer_too_large_is_refused_and_may_be_sent_again(memory_desk: Any) -> None:
    from workforce.market import Refused

    assignment = memory_desk.accept("AWA", memory_desk.hit(1))
    with pytest.raises(Refused, match="larger than"):
        memory_desk.market.workers.submit(assignment, [("label", "x" * 1_100_000)])
    assert memory_desk.market.workers.submit(assignment, [("label", "x")]).status == "Submitted"
