from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from groundswell.batches.model import Batch
from groundswell.errors import BatchError

IRIS = Path(__file__).parents[3] / "include" / "batches" / "iris.yaml"


def load(tmp_path: Path, review: Any, **task: Any) -> Batch:
    content = yaml.safe_load(IRIS.read_text())
    content["review"] = review
    content["task"] |= task
    path = tmp_path / "batch.yaml"
    path.write_text(yaml.safe_dump(content))
    return Batch.load(path)


def test_a_batch_has_no_review_unless_it_asks_for_one(tmp_path: Path) -> None:
    assert load(tmp_path, None).review is None
    review = load(tmp_path, {"feedback": "It contradicts the others."}).review
    assert review is not None
    assert (review.agreement_below, review.minimum_answers, review.unreadable) == (0.5, 5, True)
    assert (review.most_per_worker, review.most_per_run) == (3, 10)
    assert review.answer_within == timedelta(hours=24)


@pytest.mark.parametrize(
    ("review", "message"),
    [
        ({}, r"review\.feedback: is missing"),
        ({"feedback": "x" * 1025}, r"review\.feedback: .*1024"),
        ({"feedback": "a\nb"}, r"review\.feedback: .*control characters"),
        ({"feedback": "x", "agreement_below": 1.5}, r"review\.agreement_below"),
        ({"feedback": "x", "minimum_answers": 1}, r"review\.minimum_answers"),
        ({"feedback": "x", "most_per_run": 1000}, r"review\.most_per_run"),
        ({"feedback": "x", "answer_within": "10s"}, r"review\.answer_within: must be between 1m and 29d"),
        ({"feedback": "x", "answer_within": "40h"}, r"review\.answer_within: is more than half of task"),
        ({"feedback": "x", "automatic": True}, r"review\.automatic"),
    ],
)
def test_bad_options_are_named(tmp_path: Path, review: dict[str, Any], message: str) -> None:
    with pytest.raises(BatchError, match=message) as caught:
        load(tmp_path, review)
    assert "\n" not in str(caught.value)


def test_a_longer_automatic_approval_gives_a_longer_review(tmp_path: Path) -> None:
    review = load(tmp_path, {"feedback": "x", "answer_within": "40h"}, auto_approval="80h").review
    assert review is not None
    assert review.answer_within == timedelta(hours=40)
