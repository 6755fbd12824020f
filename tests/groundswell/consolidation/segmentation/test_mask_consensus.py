from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from groundswell.consolidation.agreement import agreement
from groundswell.consolidation.data import Answers
from groundswell.consolidation.segmentation import consolidate_masks, fit_masks
from groundswell.errors import AnswerError

Maps = dict[str, dict[str, NDArray[np.int64]]]
NAMES = ("background", "cat", "dog")


def mask(*rows: str) -> NDArray[np.int64]:
    return np.array([[int(letter) for letter in row] for row in rows])


def plain_vote(answers: dict[str, NDArray[np.int64]], labels: int) -> NDArray[np.int64]:
    stack = np.stack([*answers.values()])
    winner: NDArray[np.int64] = np.stack([(stack == label).sum(axis=0) for label in range(labels)]).argmax(
        axis=0
    )
    return winner


def crowd(
    seed: int, images: int, viewers: int, labels: int, specks: float
) -> tuple[Maps, dict[str, NDArray[np.int64]]]:
    """Blobs, seen by workers who differ: bent edges, too wide or narrow, wrong single pixels."""
    rng = np.random.default_rng(seed)
    size = 40
    rows, columns = np.mgrid[:size, :size]
    habits = [
        (int(rng.choice([-1, 0, 0, 0, 2])), specks * np.exp(rng.normal()), np.exp(rng.normal(0, 0.8)))
        for _ in range(8)
    ]
    masks: Maps = {}
    truth = {}
    for image in map(str, range(images)):
        real = np.zeros((size, size), int)
        for label in range(1, labels):
            middle, radius = rng.uniform(8, size - 8, 2), rng.uniform(5, 11, 2)
            real[((rows - middle[0]) / radius[0]) ** 2 + ((columns - middle[1]) / radius[1]) ** 2 < 1] = label
        truth[image] = real
        masks[image] = {}
        for worker in rng.choice(8, viewers, replace=False).tolist():
            grown, noise, bend = habits[worker]
            shift = [ndimage.gaussian_filter(rng.normal(size=(size, size)), 5) * 12 * bend for _ in range(2)]
            seen = ndimage.map_coordinates(
                real, [rows + shift[0], columns + shift[1]], order=0, mode="nearest"
            )
            for _ in range(abs(grown)):
                seen = (ndimage.grey_dilation if grown > 0 else ndimage.grey_erosion)(seen, size=(3, 3))
            wrong = rng.random((size, size)) < noise
            masks[image][f"w{worker}"] = np.where(wrong, rng.integers(0, labels, (size, size)), seen)
    return masks, truth


@pytest.mark.parametrize(
    ("viewers", "labels", "specks"), [(3, 2, 0.03), (3, 3, 0.03), (5, 2, 0.05), (5, 3, 0.05)]
)
def test_it_is_better_than_the_plain_vote(viewers: int, labels: int, specks: float) -> None:
    wrong = wrong_votes = 0
    for seed in range(3):
        masks, truth = crowd(seed, 12, viewers, labels, specks)
        result = consolidate_masks(masks, label_names=NAMES[:labels])
        for image, real in truth.items():
            wrong += int((result.images[image].label != real).sum())
            wrong_votes += int((plain_vote(masks[image], labels) != real).sum())
    assert 0 < wrong < 0.97 * wrong_votes


def test_without_smoothing_and_with_equal_workers_it_is_the_plain_vote() -> None:
    rng = np.random.default_rng(2)
    answers = {f"w{at}": rng.integers(0, 2, (9, 11)) for at in range(3)}
    model = fit_masks({"image": answers})
    equal = model.fuse(answers, smoothing=0.0)
    # three workers, none of whom outweighs the two others together
    assert model.skill.weight.max() < 0.5 * model.skill.weight.sum()
    assert np.array_equal(equal.label, plain_vote(answers, 2))
    assert equal.tied == 0


def test_better_workers_outvote_worse_ones() -> None:
    rng = np.random.default_rng(3)
    masks: Maps = {}
    real = np.zeros((20, 20), int)
    real[5:15, 5:15] = 1
    noise = {"a": 0.0, "b": 0.0, "c": 0.45, "d": 0.45}
    for image in map(str, range(15)):
        masks[image] = {
            name: np.where(rng.random(real.shape) < share, 1 - real, real) for name, share in noise.items()
        }
    result = consolidate_masks(masks)
    skill = result.skill
    assert result.worker_names == ("a", "b", "c", "d")
    assert skill.overlap.low[:2].min() > skill.overlap.high[2:].max()
    # Where the bad ones are wrong together it is two against two.
    model = fit_masks(masks)
    fused = [model.fuse(maps, smoothing=0.0) for maps in masks.values()]
    assert all(np.array_equal(image.label, real) for image in fused)
    assert all(image.tied == 0 for image in fused)
    assert any(((masks[image]["c"] != real) & (masks[image]["d"] != real)).any() for image in masks)
    assert skill.n_images.tolist() == [15] * 4


def test_neighbours_remove_specks_and_fill_holes() -> None:
    masks = {
        "image": {
            "a": mask("00000", "00100", "00000", "01110", "01011"),
            "b": mask("00000", "00000", "00000", "01110", "01111"),
        }
    }
    result = consolidate_masks(masks).images["image"]
    assert result.label.tolist() == mask("00000", "00000", "00000", "01110", "01111").tolist()
    assert result.tied == 2


def test_scores_of_pixels_and_masks() -> None:
    masks = {"image": {"a": mask("0011", "0011"), "b": mask("0011", "0011"), "c": mask("0001", "0011")}}
    model = fit_masks(masks)
    result = model.fuse(masks["image"])
    weight = model.skill.weight
    share = (weight[0] + weight[1]) / weight.sum()
    assert result.label.tolist() == mask("0011", "0011").tolist()
    assert result.confidence == pytest.approx(np.array([[1, 1, share, 1], [1, 1, 1, 1]]))
    # label 1: expected intersection 3 + share, union 4; label 0: 4 of 4 + (1 - share)
    assert result.mask_confidence == pytest.approx([4 / (5 - share), (3 + share) / 4])
    assert result.n_answers == 3


def test_a_label_without_pixels_has_no_score() -> None:
    masks = {"image": {"a": mask("01", "00"), "b": mask("00", "00"), "c": mask("00", "00")}}
    result = consolidate_masks(masks).images["image"]
    assert result.label.tolist() == [[0, 0], [0, 0]]
    assert np.isnan(result.mask_confidence).tolist() == [False, True]


def test_one_worker_is_taken_at_their_word_without_a_score() -> None:
    result = consolidate_masks({"image": {"a": mask("01", "11")}})
    image = result.images["image"]
    assert image.label.tolist() == [[0, 1], [1, 1]]
    assert image.confidence.tolist() == [[0, 0], [0, 0]]
    assert image.mask_confidence.tolist() == [0, 0]
    assert [finding.kind for finding in result.findings] == ["masks_alone"]


def test_agreement_is_krippendorffs_alpha_over_pixels() -> None:
    masks, _ = crowd(4, 3, 3, 3, 0.1)
    result = consolidate_masks(masks, label_names=NAMES)
    rows = [(image, name, one.ravel()) for image, maps in masks.items() for name, one in maps.items()]
    task = np.concatenate([int(image) * 1600 + np.arange(1600) for image, _, _ in rows]).astype(np.int32)
    worker = np.repeat([int(name[1]) for _, name, _ in rows], 1600).astype(np.int32)
    label = np.concatenate([pixels for _, _, pixels in rows]).astype(np.int32)
    names = tuple(map(str, range(4800)))
    expected = agreement(Answers(task, worker, label, names, names[:8], NAMES)).alpha
    assert result.agreement == pytest.approx(expected)
    assert np.isnan(consolidate_masks({"image": {"a": mask("0"), "b": mask("0")}}).agreement)


def test_neither_order_nor_names_nor_types_matter() -> None:
    masks, _ = crowd(6, 5, 4, 3, 0.05)
    plain = consolidate_masks(masks, label_names=NAMES)
    turned = {
        image: {f"z{9 - int(name[1])}": one.astype(np.uint8) for name, one in reversed(maps.items())}
        for image, maps in reversed(masks.items())
    }
    other = consolidate_masks(turned, label_names=NAMES)
    for image in masks:
        assert np.array_equal(plain.images[image].label, other.images[image].label)
        np.testing.assert_allclose(plain.images[image].confidence, other.images[image].confidence, rtol=1e-6)
    np.testing.assert_allclose(plain.skill.weight, other.skill.weight[::-1])
    binary, _ = crowd(6, 3, 3, 2, 0.05)
    whole = consolidate_masks(binary)
    bools = consolidate_masks(
        {image: {name: one == 1 for name, one in maps.items()} for image, maps in binary.items()}
    )
    assert all(np.array_equal(whole.images[image].label, bools.images[image].label) for image in binary)


FINE = mask("01", "11")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (mask("011", "111"), "masks_other_size"),
        (np.zeros((0, 0), int), "masks_unreadable"),
        (np.zeros((2, 2, 3), int), "masks_unreadable"),
        (np.array([[0.0, float("nan")], [1.0, 1.0]]), "masks_unreadable"),
        (np.array([["0", "1"], ["1", "1"]]), "masks_unreadable"),
        (np.array([[0, -1], [1, 1]]), "masks_unknown_labels"),
        (np.array([[0, 2], [1, 1]]), "masks_unknown_labels"),
        (np.array([[0, 255], [1, 1]], dtype=np.uint8), "masks_unknown_labels"),
        (np.array([[0, 2**63], [1, 1]], dtype=np.uint64), "masks_unknown_labels"),
    ],
)
def test_a_map_that_cannot_be_used_is_left_out_and_told(wrong: NDArray[np.int64], kind: str) -> None:
    result = consolidate_masks({"image": {"a": FINE, "b": FINE, "c": wrong}})
    image = result.images["image"]
    assert image.label.tolist() == FINE.tolist()
    assert image.n_answers == 2
    (finding,) = result.findings
    assert (finding.kind, finding.items, finding.workers) == (kind, ("image",), ("c",))
    assert finding.text.startswith("1 of 3 label maps ")
    assert result.skill.n_images.tolist() == [1, 1, 0]
    assert np.isnan(result.skill.overlap.mean[2])


def test_two_sizes_without_a_majority_give_no_result() -> None:
    result = consolidate_masks({"image": {"a": FINE, "b": mask("0")}, "other": {}})
    assert result.images["image"].label.shape == (0, 0)
    assert [image.n_answers for image in result.images.values()] == [0, 0]
    assert [finding.kind for finding in result.findings] == ["masks_other_size", "masks_missing"]


def test_an_empty_mask_is_an_answer() -> None:
    empty = np.zeros((2, 2), int)
    result = consolidate_masks({"image": {"a": FINE, "b": empty, "c": empty}})
    assert result.images["image"].label.tolist() == empty.tolist()
    assert result.findings == ()
    both = consolidate_masks({"image": {"a": empty, "b": empty}})
    assert both.images["image"].confidence.tolist() == [[1, 1], [1, 1]]


def test_no_images() -> None:
    result = consolidate_masks({})
    assert result.images == {}
    assert result.worker_names == ()
    assert np.isnan(result.agreement)
    assert result.findings == ()


def test_options_are_checked() -> None:
    with pytest.raises(AnswerError, match="background is 2, and there are 2 labels"):
        fit_masks({}, background=2)
    for smoothing in (-1.0, float("nan"), float("inf")):
        with pytest.raises(AnswerError, match="smoothing"):
            consolidate_masks({}, smoothing=smoothing)
    with pytest.raises(AnswerError, match="worker 'b' is new"):
        fit_masks({"image": {"a": FINE}}).fuse({"b": FINE})


def test_images_are_loaded_one_after_another() -> None:
    alive: list[str] = []

    class Loading(dict[str, dict[str, NDArray[np.int64]]]):
        def __getitem__(self, name: str) -> dict[str, NDArray[np.int64]]:
            alive.append(name)
            return {"a": FINE, "b": FINE}

    images = Loading({"x": {}, "y": {}})
    model = fit_masks(images)
    assert set(alive) == {"x", "y"}
    assert model.fuse(images["x"]).label.tolist() == FINE.tolist()
