"""Weighted box fusion's side of the comparison; runs in the peers' environment.

    python -m benchmarks.consolidation.boxes_peer FOLDER/boxes.npz THRESHOLD ...

Writes FOLDER/fused0.npz and so on, one per threshold: task, corners and score. Every viewer of an image is a
model with boxes of score 1, so that a fused box's score is the share of the viewers who drew it. Nothing of
Groundswell is imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from ensemble_boxes import weighted_boxes_fusion


def main(path: Path, thresholds: list[float]) -> None:
    """Fuse all images at all thresholds."""
    with np.load(path) as arrays:
        task, worker, corners, seen = (arrays[name] for name in ("task", "worker", "corners", "seen"))
    for number, threshold in enumerate(thresholds):
        tasks, boxes, scores = [], [], []
        for image in np.unique(task):
            here = task == image
            models = [corners[here & (worker == viewer)] for viewer in seen[seen[:, 0] == image, 1]]
            fused, score, _ = weighted_boxes_fusion(
                [model.tolist() for model in models],
                [[1.0] * len(model) for model in models],
                [[0] * len(model) for model in models],
                iou_thr=threshold,
            )
            tasks += [image] * len(fused)
            boxes += fused.tolist()
            scores += score.tolist()
        np.savez(
            path.with_name(f"fused{number}.npz"),
            task=np.array(tasks, dtype=np.int64),
            corners=np.array(boxes, dtype=np.float64).reshape(-1, 4),
            score=np.array(scores, dtype=np.float64),
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), [float(text) for text in sys.argv[2:]])
