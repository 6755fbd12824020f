"""Boxes: consensus of 3, 5 and 7 workers against the experts' boxes, and against two other ways to fuse.

Workers are drawn at random per image, several times over. All ways get the same boxes and the same list of
who saw what, and keep what at least half of the viewers drew.
"""

from __future__ import annotations

import csv
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.consolidation.crowds import REAL
from benchmarks.consolidation.document import flow, table
from benchmarks.consolidation.peers import PYTHON
from benchmarks.consolidation.progress import Say
from benchmarks.origin import CHECKOUT
from groundswell.consolidation.boxes import Boxes, consolidate_boxes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WORKERS = (3, 5, 7)
DRAWS = 5
FUSION_THRESHOLDS = (0.55, 0.3, 0.4, 0.5, 0.65)
"""For weighted box fusion: its default first, and others, since the best of them is shown, too."""
AVERAGE_THRESHOLD = 0.5
HALF = 0.5
WIDTH, HEIGHT = 1280.0, 720.0
OURS = "Groundswell"
AVERAGE = "matched average (Ground Truth's description)"
FUSION = "weighted box fusion, default"
BEST_FUSION = "weighted box fusion, best of five thresholds"
HEADERS = ("method", "workers", "F1 at .5", "F1 at .75", "mean IoU", "missed + false per image")


@dataclass(frozen=True)
class Drawn:
    """Boxes on images, one row each; ``worker`` is 0 for experts."""

    task: Ints
    worker: Ints
    corners: Floats
    seen: Ints


@dataclass(frozen=True)
class Figures:
    """How well boxes meet the experts' boxes."""

    f1: float
    f1_strict: float
    overlap: float
    errors: float

    def cells(self) -> list[str]:
        """Return the figures for a row."""
        return [f"{self.f1:.3f}", f"{self.f1_strict:.3f}", f"{self.overlap:.3f}", f"{self.errors:.3f}"]


def boxes_sections(rows: Sequence[Sequence[str]], draws: int) -> list[str]:
    """Return the Markdown of the table that :func:`run` gave."""
    return [
        flow(f"""
            Pedestrians in street images. Workers are drawn at random {draws} times per number of workers;
            figures are means over the draws. A box counts as right if it overlaps an expert's box by the
            stated share (greatest overlap first, one to one); the mean overlap (IoU) is that of the boxes
            right at .5. All methods keep what at least half of the workers drew who saw the image."""),
        table(HEADERS, rows),
    ]


def run(
    folder: Path = REAL / "pedestrians_boxes",
    *,
    draws: int = DRAWS,
    workers: Sequence[int] = WORKERS,
    peers_python: Path | None = PYTHON,
    say: Say = print,
) -> list[list[str]]:
    """Measure and return rows for a table with :data:`HEADERS`.

    :param folder: holds ``answers.csv``, ``seen.csv``, ``truth.csv`` and ``truth_seen.csv``
    :param peers_python: of an environment with ensemble-boxes; ``None``: without weighted box fusion
    """
    crowd, truth = read(folder)
    rows = []
    for count in workers:
        found: dict[str, list[Figures]] = {}
        for seed in range(draws):
            part = draw(crowd, truth, count, seed)
            images = np.unique(part.seen[:, 0])
            for name, (task, corners) in _fused(part, peers_python).items():
                found.setdefault(name, []).append(compare(task, corners, truth, images))
            say(f"boxes: {count} workers, draw {seed + 1} of {draws}")
        for name, figures in _with_best(found).items():
            rows.append([name, str(count), *_mean(figures).cells()])
    return rows


def read(folder: Path) -> tuple[Drawn, Drawn]:
    """Return the workers' boxes and the experts'."""
    answers, seen = _rows(folder / "answers.csv"), _rows(folder / "seen.csv")
    truth, known = _rows(folder / "truth.csv"), _rows(folder / "truth_seen.csv")
    tasks = {name: at for at, name in enumerate(sorted({row["task"] for row in [*seen, *known]}))}
    workers = {name: at for at, name in enumerate(sorted({row["worker"] for row in seen}))}

    def drawn(rows: list[dict[str, str]], looks: list[dict[str, str]]) -> Drawn:
        return Drawn(
            np.array([tasks[row["task"]] for row in rows]),
            np.array([workers.get(row.get("worker", ""), 0) for row in rows]),
            np.array([[float(row[name]) for name in ("x1", "y1", "x2", "y2")] for row in rows]),
            np.array([(tasks[row["task"]], workers.get(row.get("worker", ""), 0)) for row in looks]),
        )

    return drawn(answers, seen), drawn(truth, known)


def draw(crowd: Drawn, truth: Drawn, count: int, seed: int) -> Drawn:
    """Return the answers of ``count`` random workers per image, for images with so many and a known truth."""
    looks = crowd.seen[np.isin(crowd.seen[:, 0], truth.seen[:, 0])]
    looks = looks[np.lexsort((looks[:, 1], looks[:, 0]))]
    looks = looks[np.lexsort((np.random.default_rng(seed).random(len(looks)), looks[:, 0]))]
    rank = np.arange(len(looks)) - np.searchsorted(looks[:, 0], looks[:, 0])
    viewers = np.bincount(looks[:, 0])[looks[:, 0]]
    looks = looks[(rank < count) & (viewers >= count)]
    step = int(crowd.seen[:, 1].max()) + 1
    mine = np.isin(crowd.task * step + crowd.worker, looks[:, 0] * step + looks[:, 1])
    return Drawn(crowd.task[mine], crowd.worker[mine], crowd.corners[mine], looks)


def compare(task: Ints, corners: Floats, truth: Drawn, images: Ints) -> Figures:
    """Return the figures of boxes on ``images``."""
    expected = np.isin(truth.task, images)
    hits = []
    for image in images.tolist():
        here = iou(corners[task == image], truth.corners[truth.task == image])
        while here.size and (best := here.max()) >= HALF:
            row, column = np.unravel_index(here.argmax(), here.shape)
            here[row], here[:, column] = -1.0, -1.0
            hits.append(best)
    overlaps = np.array(hits)
    total = len(task) + int(expected.sum())
    strict = int((overlaps >= 0.75).sum())
    return Figures(
        2 * len(hits) / total,
        2 * strict / total,
        float(overlaps.mean()),
        (total - 2 * len(hits)) / len(images),
    )


def iou(one: Floats, other: Floats) -> Floats:
    """Return the table of intersections over unions."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    area, other_area = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other))
    union = area[:, None] + other_area[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def matched_average(part: Drawn) -> tuple[Ints, Floats]:
    """Match the most similar boxes of different workers, and average them.

    As Ground Truth's documentation describes its consolidation of boxes; what it leaves open is set in its
    favour: pairs are joined the most similar first, from an overlap of .5, one box per worker, and what half
    of the viewers drew is kept.
    """
    tasks, boxes = [], []
    for image in np.unique(part.task).tolist():
        here = np.flatnonzero(part.task == image)
        viewers = int((part.seen[:, 0] == image).sum())
        for group in _matched(part.corners[here], part.worker[here].tolist()):
            if len(group) >= HALF * viewers:
                tasks.append(image)
                boxes.append(part.corners[here[group]].mean(axis=0))
    return np.array(tasks), np.array(boxes).reshape(-1, 4)


def _matched(corners: Floats, worker: list[int]) -> list[list[int]]:
    similar = np.triu(iou(corners, corners), 1)
    groups = [[box] for box in range(len(corners))]
    for at in np.argsort(-similar, axis=None, kind="stable").tolist():
        one, other = divmod(at, len(corners))
        if similar[one, other] < AVERAGE_THRESHOLD:
            break
        here, there = groups[one], groups[other]
        if here is there or {worker[box] for box in here} & {worker[box] for box in there}:
            continue
        here.extend(there)
        for box in there:
            groups[box] = here
    return list({id(group): group for group in groups}.values())


def groundswell(part: Drawn) -> tuple[Ints, Floats]:
    """Return what Groundswell makes of it."""
    names = [str(at) for at in range(int(part.seen.max()) + 1)]
    found = consolidate_boxes(
        Boxes(
            part.task.astype(np.int32),
            part.worker.astype(np.int32),
            part.corners,
            None,
            names,
            names,
            seen=part.seen.astype(np.int32),
        )
    ).boxes
    return found.task.astype(np.int64), found.corners


def _fused(part: Drawn, peers_python: Path | None) -> dict[str, tuple[Ints, Floats]]:
    found = {OURS: groundswell(part), AVERAGE: matched_average(part)}
    if peers_python is not None:
        for threshold, boxes in zip(FUSION_THRESHOLDS, _box_fusion(part, peers_python), strict=True):
            found[f"fusion {threshold}"] = boxes
    return found


def _box_fusion(part: Drawn, python: Path) -> Iterable[tuple[Ints, Floats]]:
    """Run weighted box fusion in the peers' environment, once per threshold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "boxes.npz"
        scaled = np.clip(part.corners / [WIDTH, HEIGHT, WIDTH, HEIGHT], 0.0, 1.0)
        np.savez(path, task=part.task, worker=part.worker, corners=scaled, seen=part.seen)
        thresholds = [str(threshold) for threshold in FUSION_THRESHOLDS]
        command = [str(python), "-m", "benchmarks.consolidation.boxes_peer", str(path), *thresholds]
        subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True)
        for number in range(len(thresholds)):
            with np.load(path.with_name(f"fused{number}.npz")) as arrays:
                kept = arrays["score"] >= HALF - 1e-6
                yield arrays["task"][kept], arrays["corners"][kept] * [WIDTH, HEIGHT, WIDTH, HEIGHT]


def _with_best(found: dict[str, list[Figures]]) -> dict[str, list[Figures]]:
    """Show weighted box fusion by its default and by its best threshold, which only the truth can tell."""
    fusions = [found.pop(name) for name in [*found] if name.startswith("fusion ")]
    if fusions:
        found[FUSION] = fusions[0]
        found[BEST_FUSION] = max(fusions, key=lambda figures: _mean(figures).f1)
    return found


def _mean(figures: Sequence[Figures]) -> Figures:
    columns = zip(*((each.f1, each.f1_strict, each.overlap, each.errors) for each in figures), strict=True)
    return Figures(*(float(np.mean(column)) for column in columns))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
