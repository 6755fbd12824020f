from __future__ import annotations

import numpy as np
import pytest

from groundswell.consolidation.boxes.data import Boxes, Corners
from groundswell.consolidation.boxes.mending import Mended, mend
from groundswell.errors import AnswerError

NAN, INF = float("nan"), float("inf")
FINE: Corners = (1.0, 2.0, 5.0, 8.0)


def mended(
    *boxes: Corners, workers: str = "", labels: str = "", size: tuple[float, float] | None = None
) -> Mended:
    rows = [
        ("image", workers[at] if workers else f"w{at}", box, labels[at] if labels else None)
        for at, box in enumerate(boxes)
    ]
    return mend(
        Boxes.from_rows(
            rows, labels=sorted(set(labels)), tasks=["image"], sizes=None if size is None else {"image": size}
        )
    )


def kinds(result: Mended) -> list[str]:
    return [finding.kind for finding in result.findings]


@pytest.mark.parametrize(
    ("box", "size", "left", "kind"),
    [
        ((NAN, 0, 5, 5), None, None, "boxes_not_numbers"),
        ((0, 0, INF, 5), None, None, "boxes_not_numbers"),
        ((0, -INF, 5, 5), (10, 10), None, "boxes_not_numbers"),
        ((0, 0, 1e300, 1e300), None, None, "boxes_not_numbers"),
        ((3, 3, 3, 9), None, None, "boxes_without_area"),
        ((3, 3, 9, 3), None, None, "boxes_without_area"),
        ((3, 3, 3, 3), (10, 10), None, "boxes_without_area"),
        ((0, 0, 1e-200, 1e-200), None, None, "boxes_without_area"),
        ((5, 8, 1, 2), None, FINE, "boxes_swapped"),
        ((5, 2, 1, 8), None, FINE, "boxes_swapped"),
        ((-3, -4, 5, 8), (10, 10), (0, 0, 5, 8), "boxes_cut"),
        ((1, 2, 50, 80), (10, 20), (1, 2, 10, 20), "boxes_cut"),
        ((1, 2, 50, 80), (NAN, 20), (1, 2, 50, 20), "boxes_cut"),
        ((11, 2, 15, 8), (10, 10), None, "boxes_outside"),
        ((10, 2, 15, 8), (10, 10), None, "boxes_outside"),
        ((-5, 2, 0, 8), (10, 10), None, "boxes_outside"),
    ],
)
def test_what_happens_to_an_impossible_box(
    box: Corners, size: tuple[float, float] | None, left: Corners | None, kind: str
) -> None:
    result = mended(FINE, box, size=size)
    assert kinds(result) == [kind]
    assert result.findings[0].items == ("image",)
    assert result.findings[0].workers == ("w1",)
    assert result.findings[0].text.startswith("1 of 2 boxes ")
    expected = [FINE] if left is None else sorted([FINE, left])
    assert result.corners.tolist() == [list(corners) for corners in expected]
    assert (result.stands_for[1] == -1) == (left is None)


def test_good_boxes_stay_as_they_are() -> None:
    result = mended(FINE, (0, 0, 10, 10), (-5, 0, 5, 5))
    assert result.corners.tolist() == [[-5, 0, 5, 5], [0, 0, 10, 10], [1, 2, 5, 8]]
    assert result.row.tolist() == [2, 1, 0]
    assert result.stands_for.tolist() == [2, 1, 0]
    assert result.findings == ()


def test_a_box_that_was_cut_and_swapped_is_told_as_both() -> None:
    result = mended((5, 8, -1, 2), size=(10, 10))
    assert sorted(kinds(result)) == ["boxes_cut", "boxes_swapped"]
    assert result.corners.tolist() == [[0, 2, 5, 8]]


def test_one_workers_copies_count_once() -> None:
    near = (1.0, 2.0, 5.0, 8.1)
    result = mended(near, FINE, FINE, FINE, workers="aaab")
    assert len(result.row) == 2
    assert kinds(result) == ["boxes_twice"]
    assert result.findings[0].text.startswith("2 of 4 boxes ")
    # all three of worker a stand for the same box
    assert result.stands_for[0] == result.stands_for[1] == result.stands_for[2] != result.stands_for[3]


def test_boxes_of_one_worker_that_differ_are_not_copies() -> None:
    assert len(mended(FINE, (1, 2, 5, 7), workers="aa").row) == 2
    assert len(mended(FINE, FINE, workers="aa", labels="xy").row) == 2


def test_a_thousand_copies_cost_no_pairs() -> None:
    # as pairs these would be half a billion
    count = 30_000
    boxes = Boxes(
        np.zeros(count, np.int32), np.zeros(count, np.int32), np.tile([FINE], (count, 1)), None, ["t"], ["w"]
    )
    assert len(mend(boxes).row) == 1


def test_rows_in_any_order_are_mended_alike() -> None:
    boxes = [FINE, (1.0, 2.0, 5.0, 8.1), (1.0, 2.0, 5.1, 8.1), (0.0, 0.0, 3.0, 3.0)]
    one, other = mended(*boxes, workers="aaaa"), mended(*boxes[::-1], workers="aaaa")
    assert one.corners.tolist() == other.corners.tolist()
    assert one.stands_for.tolist() == other.stands_for.tolist()[::-1]


def boxes(**changes: object) -> Boxes:
    given: dict[str, object] = {
        "task": np.zeros(1, np.int32),
        "worker": np.zeros(1, np.int32),
        "corners": np.array([FINE]),
        "label": None,
        "task_names": ["t"],
        "worker_names": ["w"],
        "label_names": ["x"],
        **changes,
    }
    return Boxes(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"corners": np.zeros((2, 4))}, "give one of each per box"),
        ({"corners": np.zeros((1, 3))}, "x1, y1, x2, y2"),
        ({"worker": np.zeros(2, np.int32)}, "give one of each per box"),
        ({"task": np.ones(1, np.int32)}, "task 0 is the position 1, and there are 1 names"),
        ({"worker": np.full(1, -1, np.int32)}, "worker 0 is the position -1"),
        ({"task": np.zeros(1)}, "integer positions"),
        ({"label": np.ones(1, np.int32)}, "positions run from -1 to 0"),
        ({"label": np.full(1, -2, np.int32)}, "the position -2"),
        ({"label": np.zeros(2, np.int32)}, "give one per box"),
        ({"seen": np.zeros(2, np.int32)}, "pairs of task and worker"),
        ({"seen": np.array([[0, 1]], np.int32)}, "seen's worker 0 is the position 1"),
        ({"seen": np.array([[2, 0]], np.int32)}, "seen's task 0 is the position 2"),
        ({"sizes": np.ones((2, 2))}, "width and height of each"),
        ({"sizes": np.array([[10.0, 0.0]])}, "image 't' is 10 x 0 pixels"),
        ({"sizes": np.array([[-1.0, NAN]])}, "positive size"),
    ],
)
def test_what_is_no_set_of_boxes_is_refused(changes: dict[str, object], message: str) -> None:
    assert len(boxes()) == 1
    with pytest.raises(AnswerError, match=message):
        boxes(**changes)


def test_rows_with_unknown_names_are_refused() -> None:
    with pytest.raises(AnswerError, match=r"image 't': worker 'w' gave a box the label 'dog'"):
        Boxes.from_rows([("t", "w", FINE, "dog")], labels=["cat"])
    with pytest.raises(AnswerError, match="image 'u': worker 'w' answered an image that is not in the list"):
        Boxes.from_rows([], seen=[("u", "w")], tasks=["t"])
    with pytest.raises(AnswerError, match="a name is twice in labels"):
        Boxes.from_rows([], labels=["cat", "cat"])
