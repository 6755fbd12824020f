from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.consolidation.boxes import AVERAGE, OURS, Drawn, compare, groundswell, matched_average, run
from groundswell.consolidation.boxes import BoxConsensus, Boxes, BoxTable, consolidate_boxes
from groundswell.consolidation.boxes.data import Corners
from groundswell.consolidation.classification.majority import majority
from groundswell.errors import AnswerError

REAL = Path(__file__).parents[5] / "shared/data/crowd/pedestrians_boxes"
CAR: Corners = (10, 10, 50, 40)
TREE: Corners = (200, 20, 260, 140)


def consensus(
    rows: list[tuple[str, str, Corners, str | None]], seen: str = "", labels: str = ""
) -> BoxConsensus:
    return consolidate_boxes(
        Boxes.from_rows(rows, seen=[("t", worker) for worker in seen], labels=list(labels), tasks=["t"])
    )


def drawn(workers: str, box: Corners = CAR, labels: str = "") -> list[tuple[str, str, Corners, str | None]]:
    return [("t", worker, box, labels[at] if labels else None) for at, worker in enumerate(workers)]


@pytest.mark.parametrize(
    ("drew", "saw", "exists"),
    [("a", "a", True), ("a", "ab", True), ("a", "abc", False), ("ab", "abcd", True), ("ab", "abcde", False)],
)
def test_a_box_exists_where_half_of_those_who_saw_the_image_drew_it(
    drew: str, saw: str, exists: bool
) -> None:
    result = consensus(drawn(drew), saw)
    assert (len(result.boxes), len(result.doubtful)) == ((1, 0) if exists else (0, 1))
    table = result.boxes if exists else result.doubtful
    assert table.corners.tolist() == [list(CAR)]
    assert table.votes.tolist() == [len(drew)]
    assert table.n_seen.tolist() == [len(saw)]
    assert result.n_answers.tolist() == [len(saw)]
    assert result.member.tolist() == [0 if exists else -1] * len(drew)


def test_confidence_is_the_share_who_drew_it_times_their_overlap() -> None:
    rows = [("t", "a", CAR, None), ("t", "b", (10.0, 10.0, 50.0, 25.0), None)]
    result = consensus(rows, "abc")
    assert result.boxes.overlap.tolist() == pytest.approx([0.5])
    assert result.boxes.confidence.tolist() == pytest.approx([2 / 3 * 0.5])
    # As for classes, one worker alone is no evidence.
    assert consensus(drawn("a")).boxes.confidence.tolist() == [0.0]
    assert consensus(drawn("abc")).boxes.confidence.tolist() == [1.0]
    assert result.confidence_is == "score"


def test_the_class_is_that_of_the_votes() -> None:
    rows = drawn("abc", CAR, "xyy") + drawn("ab", TREE, "xy") + [("t", "c", (400, 0, 410, 9), None)] * 2
    boxes = Boxes.from_rows(rows, labels=list("xyz"))
    result = consolidate_boxes(boxes, classify=majority)
    assert result.boxes.label.tolist() == [1, -1]
    assert result.boxes.tied.tolist() == [False, True]
    assert [finding.kind for finding in result.findings] == ["boxes_twice", "box_classes_tied"]
    assert result.label_agreement is not None
    assert result.label_agreement.n_items == 2
    assert consensus(drawn("ab")).label_agreement is None


def test_boxes_without_a_class_count_for_where_they_are() -> None:
    rows = [*drawn("ab", CAR, "xx"), *drawn("c")]
    result = consolidate_boxes(Boxes.from_rows(rows, labels=["x", "y"]))
    assert result.boxes.label.tolist() == [0]
    assert result.boxes.votes.tolist() == [3]
    nameless = consolidate_boxes(Boxes.from_rows(drawn("abc"), labels=["x", "y"]))
    assert nameless.boxes.label.tolist() == [-1]
    assert nameless.boxes.tied.tolist() == [False]


def test_agreement_of_an_image() -> None:
    assert consensus(drawn("abc")).agreement.tolist() == [1.0]
    assert consensus([], "ab").agreement.tolist() == [1.0]
    assert consensus(drawn("a"), "ab").agreement.tolist() == [0.0]
    # a and b: 2 * 1 / (1 + 1); a and c, b and c: 0 of 1 + 0
    assert consensus(drawn("ab"), "abc").agreement.tolist() == pytest.approx([1 / 2])
    assert np.isnan(consensus(drawn("a")).agreement).tolist() == [True]


def test_nothing_at_all() -> None:
    for tasks in ([], ["t", "u"]):
        result = consolidate_boxes(Boxes.from_rows([], tasks=tasks))
        assert len(result.boxes) == len(result.doubtful) == 0
        assert result.boxes.corners.shape == (0, 4)
        assert result.n_answers.tolist() == [0] * len(tasks)
        assert np.isnan(result.agreement).all()
    assert [finding.kind for finding in result.findings] == ["images_unseen"]


def test_an_image_that_all_left_empty_has_no_boxes() -> None:
    result = consensus([], "abc")
    assert len(result.boxes) == 0
    assert result.skill.n_images.tolist() == [1, 1, 1]
    assert np.isnan(result.skill.recall.mean).all()
    assert result.findings == ()


def test_a_worker_whose_only_box_is_impossible_has_seen_the_image() -> None:
    result = consensus([*drawn("ab"), ("t", "c", (1, 1, 1, 1), None), ("t", "d", (float("nan"),) * 4, None)])
    assert result.boxes.n_seen.tolist() == [4]
    assert result.member.tolist() == [0, 0, -1, -1]


def test_one_worker_is_taken_at_their_word() -> None:
    result = consensus(drawn("aa", CAR) + drawn("a", TREE))
    assert result.boxes.corners.tolist() == [list(CAR), list(TREE)]
    assert result.member.tolist() == [0, 0, 1]
    assert np.isnan(result.skill.error.mean).all()
    assert [finding.kind for finding in result.findings] == ["boxes_twice", "images_seen_once"]


@pytest.mark.parametrize("option", ["threshold", "existence"])
@pytest.mark.parametrize("value", [0.0, -1.0, 1.5, float("nan")])
def test_shares_are_checked(option: str, value: float) -> None:
    with pytest.raises(AnswerError, match=option):
        consolidate_boxes(Boxes.from_rows([]), **{option: value})


def crowd(seed: int, images: int = 60, viewers: int = 5, noise: float = 0.05) -> tuple[Drawn, Drawn]:
    """Objects alone and in clumps; workers of differing skill who miss, invent and now and then slip."""
    rng = np.random.default_rng(seed)
    spread = noise * np.exp(rng.normal(0, 0.6, 20))
    misses = rng.uniform(0.02, 0.3, 20)
    truth_task, truth, task, worker, corners, seen = [], [], [], [], [], []
    for image in range(images):
        low = rng.uniform(0, 800, (rng.poisson(3) + 1, 2))
        size = np.exp(rng.normal(4, 0.5, low.shape))
        objects = np.hstack([low, low + size])
        beside = objects + np.tile(rng.uniform(0.4, 1.0, (len(size), 2)) * size, 2)
        objects = np.vstack([objects, beside[rng.random(len(size)) < 0.4]])
        truth_task += [image] * len(objects)
        truth.append(objects)
        for viewer in rng.choice(20, viewers, replace=False).tolist():
            mine = objects[rng.random(len(objects)) > misses[viewer]]
            side = np.tile(mine[:, 2:] - mine[:, :2], 2)
            slip = np.where(rng.random((len(mine), 1)) < 0.1, 3.0, 1.0)
            boxes = mine + rng.laplace(0, spread[viewer], mine.shape) * slip * side
            alone = rng.uniform(0, 800, (rng.poisson(0.2), 2))
            boxes = np.vstack([boxes, np.hstack([alone, alone + 50])])
            task += [image] * len(boxes)
            worker += [viewer] * len(boxes)
            corners.append(boxes)
            seen.append((image, viewer))
    crowd = Drawn(np.array(task), np.array(worker), np.vstack(corners), np.array(seen))
    return crowd, Drawn(np.array(truth_task), np.zeros(0, int), np.vstack(truth), np.zeros((0, 2), int))


@pytest.mark.parametrize("viewers", [3, 5, 7])
def test_it_is_better_than_averages_of_matched_boxes(viewers: int) -> None:
    images = np.arange(60)
    ours, average = [], []
    for seed in range(3):
        answers, truth = crowd(seed, viewers=viewers)
        ours.append(vars(compare(*groundswell(answers), truth, images)))
        average.append(vars(compare(*matched_average(answers), truth, images)))
    gain = {
        name: np.mean([one[name] - other[name] for one, other in zip(ours, average, strict=True)])
        for name in ours[0]
    }
    assert gain["f1"] > 0
    assert gain["f1_strict"] > 0.005
    assert gain["overlap"] > 0.01
    assert gain["errors"] < 0


@pytest.mark.skipif(not REAL.is_dir(), reason="the set of real boxes is not here")
def test_it_is_better_than_averages_on_real_boxes() -> None:
    rows = run(REAL, draws=1, peers_python=None, say=lambda _: None)
    assert len(rows) == 6
    for ours, average in zip(rows[::2], rows[1::2], strict=True):
        assert (ours[0], average[0]) == (OURS, AVERAGE)
        assert all(float(one) > float(other) for one, other in zip(ours[2:5], average[2:5], strict=True))
        assert float(ours[5]) < float(average[5])


def as_boxes(part: Drawn, order: np.ndarray | None = None, workers: np.ndarray | None = None) -> Boxes:
    order = np.arange(len(part.task)) if order is None else order
    workers = np.arange(20) if workers is None else workers
    names = [str(at) for at in range(60)]
    return Boxes(
        part.task[order].astype(np.int32),
        workers[part.worker[order]].astype(np.int32),
        part.corners[order],
        (part.worker[order] % 3 - 1).astype(np.int32),
        names,
        names[:20],
        ("x", "y"),
        np.column_stack([part.seen[:, 0], workers[part.seen[:, 1]]]).astype(np.int32),
    )


def assert_same(one: BoxTable, other: BoxTable) -> None:
    for name, column in vars(one).items():
        np.testing.assert_allclose(vars(other)[name], column, rtol=1e-9, err_msg=name)


def test_neither_order_nor_names_of_workers_matter() -> None:
    answers, _ = crowd(3)
    rng = np.random.default_rng(0)
    order, workers = rng.permutation(len(answers.task)), rng.permutation(20)
    plain = consolidate_boxes(as_boxes(answers))
    again = consolidate_boxes(as_boxes(answers, order))
    renamed = consolidate_boxes(as_boxes(answers, None, workers))
    for name, column in vars(plain.boxes).items():
        assert np.array_equal(column, vars(again.boxes)[name], equal_nan=True), name
    assert plain.member[order].tolist() == again.member.tolist()
    assert_same(plain.boxes, renamed.boxes)
    assert_same(plain.doubtful, renamed.doubtful)
    np.testing.assert_allclose(plain.skill.error.mean, renamed.skill.error.mean[workers])
    np.testing.assert_allclose(plain.skill.recall.low, renamed.skill.recall.low[workers])


def test_shifted_and_stretched_images_give_shifted_and_stretched_boxes() -> None:
    answers, _ = crowd(4)
    plain = consolidate_boxes(as_boxes(answers))
    moved = Drawn(answers.task, answers.worker, answers.corners * [2, 3, 2, 3] + [7, -5, 7, -5], answers.seen)
    changed = consolidate_boxes(as_boxes(moved))
    np.testing.assert_allclose(changed.boxes.corners, plain.boxes.corners * [2, 3, 2, 3] + [7, -5, 7, -5])
    np.testing.assert_allclose(changed.boxes.confidence, plain.boxes.confidence)


def test_boxes_have_width_and_height_and_their_members_are_near() -> None:
    answers, _ = crowd(5, noise=0.1)
    result = consolidate_boxes(as_boxes(answers))
    corners = result.boxes.corners
    assert (corners[:, 2:] > corners[:, :2]).all()
    inside = result.member >= 0
    middle, own = (
        (boxes[:, :2] + boxes[:, 2:]) / 2
        for boxes in (corners[result.member[inside]], answers.corners[inside])
    )
    size = corners[result.member[inside], 2:] - corners[result.member[inside], :2]
    assert (np.abs(own - middle) < 2 * size).all()
    votes = np.bincount(result.member[inside], minlength=len(corners))
    assert votes.tolist() == result.boxes.votes.tolist()


def test_skill_tells_good_workers_from_bad_ones() -> None:
    rng = np.random.default_rng(6)
    rows: list[tuple[str, str, Corners, str | None]] = []
    seen = []
    for image in range(60):
        objects = [np.array([x, 50.0, x + 60.0, 120.0]) for x in (0, 100, 200)]
        for worker, noise in (("good", 1), ("usual", 3), ("other", 3), ("sloppy", 9)):
            rows += [
                (str(image), worker, tuple((box + rng.normal(0, noise, 4)).tolist()), None) for box in objects
            ]
        rows += [(str(image), "inventive", (x, 300.0, x + 40.0, 350.0), None) for x in rng.uniform(0, 500, 2)]
        seen.append((str(image), "lazy"))
    boxes = Boxes.from_rows(rows, seen=seen)
    result = consolidate_boxes(boxes)
    at = {name: boxes.worker_names.index(name) for name in ("good", "usual", "sloppy", "inventive", "lazy")}
    skill = result.skill
    assert skill.error.mean[at["good"]] < skill.error.mean[at["usual"]] < skill.error.mean[at["sloppy"]]
    assert skill.error.high[at["good"]] < skill.error.low[at["sloppy"]]
    assert (skill.error.low < skill.error.mean)[at["good"]]
    assert np.isnan(skill.error.mean[at["lazy"]])
    assert skill.recall.mean[at["good"]] > 0.95
    assert skill.recall.high[at["lazy"]] < 0.1
    assert skill.precision.high[at["inventive"]] < 0.1
    assert np.isnan(skill.precision.mean[at["lazy"]])
    named = {finding.kind: finding.workers for finding in result.findings}
    named.pop("boxes_twice", None)
    assert named == {"workers_miss_boxes": ("inventive", "lazy"), "workers_draw_alone": ("inventive",)}


def test_intervals_narrow_with_evidence() -> None:
    few, many = (consolidate_boxes(as_boxes(crowd(8, images=count)[0])).skill for count in (5, 60))
    for name in ("recall", "precision", "error"):
        narrow, wide = (getattr(skill, name) for skill in (many, few))
        assert np.nanmean(narrow.high - narrow.low) < np.nanmean(wide.high - wide.low)


def test_thousands_of_boxes_in_one_image() -> None:
    rng = np.random.default_rng(9)
    side = 60
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2) * 12.0
    objects = np.hstack([grid, grid + 10])
    count = len(objects)
    boxes = Boxes(
        np.zeros(3 * count, np.int32),
        np.repeat(np.arange(3, dtype=np.int32), count),
        np.tile(objects, (3, 1)) + rng.normal(0, 0.5, (3 * count, 4)),
        None,
        ["t"],
        ["a", "b", "c"],
    )
    result = consolidate_boxes(boxes)
    assert len(result.boxes) == count
    assert result.boxes.votes.tolist() == [3] * count
    assert len(result.doubtful) == 0


edges = st.one_of(
    st.integers(-3, 12).map(float), st.sampled_from([float("nan"), float("inf"), 1e9, -1e9, 1e-12])
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("tu"),
            st.sampled_from("abcd"),
            st.tuples(edges, edges, edges, edges),
            st.sampled_from("xy"),
        ),
        max_size=25,
    ),
    st.booleans(),
)
def test_any_boxes_give_sound_results(rows: list[tuple[str, str, Corners, str]], sized: bool) -> None:
    sizes = {"t": (10.0, 10.0), "u": (5.0, float("nan"))} if sized else None
    boxes = Boxes.from_rows(rows, seen=[("t", "e")], labels=["x", "y"], tasks=["t", "u"], sizes=sizes)
    result = consolidate_boxes(boxes)
    for table in (result.boxes, result.doubtful):
        assert (table.corners[:, 2:] > table.corners[:, :2]).all()
        assert ((table.confidence >= 0) & (table.confidence <= 1 + 1e-9)).all()
        assert (table.votes <= table.n_seen).all()
        assert ((table.label >= -1) & (table.label < 2)).all()
    assert (2 * result.boxes.votes >= result.boxes.n_seen).all()
    assert (2 * result.doubtful.votes < result.doubtful.n_seen).all()
    skill = result.skill
    for estimate in (skill.recall, skill.precision, skill.error):
        known = ~np.isnan(estimate.mean)
        assert (estimate.low[known] <= estimate.mean[known] + 1e-12).all()
        assert (estimate.high[known] >= estimate.mean[known] - 1e-12).all()
    with np.errstate(invalid="ignore"):
        assert not ((result.agreement < 0) | (result.agreement > 1 + 1e-9)).any()
