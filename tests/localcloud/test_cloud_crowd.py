"""The simulated crowd of `--crowd` does the HITs that a requester publishes on the same port."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.cloud_process import CloudProcess

pytestmark = pytest.mark.contract

PAGE = """<!DOCTYPE html><html><body><div data-item="{item}">Which?</div>
<form action="https://www.mturk.com/mturk/externalSubmit" method="post">
<input type="hidden" name="assignmentId" value="">
<input type="radio" name="label" value="cat"><input type="radio" name="label" value="dog">
<button>Submit</button></form></body></html>"""
QUESTION = """<HTMLQuestion xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd">
<HTMLContent><![CDATA[{page}]]></HTMLContent><FrameHeight>0</FrameHeight></HTMLQuestion>"""


@pytest.fixture
def crowd_file(tmp_path: Path) -> Path:
    (tmp_path / "key.csv").write_text("item,label\none,cat\ntwo,dog\n")
    group = {
        "name": "careful",
        "count": 3,
        "skill": {"accuracy": 1.0},
        "speed": {"median": "5s", "spread": 0.0},
        "arrival": {"every": "1h", "session": "1h"},
    }
    path = tmp_path / "crowd.yaml"
    path.write_text(
        json.dumps({"seed": 7, "speed_up": 100, "answer_key": {"file": "key.csv"}, "groups": [group]})
    )
    return path


def test_crowd_answers_what_is_published(tmp_path: Path, crowd_file: Path) -> None:
    cloud = CloudProcess(tmp_path / "state", crowd=crowd_file)
    cloud.start()
    try:
        mturk = cloud.client("mturk")
        hits = [
            mturk.create_hit(
                Title="Cat or dog",
                Description="Say which",
                Reward="0.05",
                MaxAssignments=2,
                LifetimeInSeconds=3600,
                AssignmentDurationInSeconds=300,
                Question=QUESTION.format(page=PAGE.format(item=item)),
            )["HIT"]["HITId"]
            for item in ("one", "two")
        ]
        deadline = time.monotonic() + 60
        while any(mturk.get_hit(HITId=hit)["HIT"]["HITStatus"] != "Reviewable" for hit in hits):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        for hit, label in zip(hits, ("cat", "dog"), strict=True):
            answers = [a["Answer"] for a in mturk.list_assignments_for_hit(HITId=hit)["Assignments"]]
            assert len(answers) == 2
            assert all(f"<FreeText>{label}</FreeText>" in answer for answer in answers)
    finally:
        assert cloud.stop() == 0
