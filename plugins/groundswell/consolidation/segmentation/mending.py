"""Which label maps can be used, and what is said of the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from groundswell.consolidation.findings import Finding
from groundswell.consolidation.segmentation.data import LabelMap

_NAMED = 5
_TEXTS = {
    "masks_unreadable": "are no tables of whole numbers with at least one pixel and were left out",
    "masks_unknown_labels": "hold labels that are not allowed and were left out",
    "masks_other_size": "have another size than most maps of their image and were left out",
}


@dataclass(frozen=True)
class Usable:
    """One image's maps.

    :param maps: ``int32[height, width]`` by worker, sorted by name, all of one size
    :param left_out: kind of trouble by worker
    """

    maps: dict[str, NDArray[np.int32]]
    left_out: dict[str, str]


def usable(answers: Mapping[str, LabelMap], n_labels: int) -> Usable:
    """Return the maps that can be used: of the size that most have, with known labels.

    Where two sizes are equally frequent, none of them can be told to be right, and none is used.
    """
    maps: dict[str, NDArray[np.int32]] = {}
    left_out: dict[str, str] = {}
    for worker in sorted(answers):
        given = np.asarray(answers[worker])
        if given.ndim != 2 or given.size == 0 or given.dtype.kind not in "biu":
            left_out[worker] = "masks_unreadable"
        elif given.min() < 0 or given.max() >= n_labels:
            left_out[worker] = "masks_unknown_labels"
        else:
            maps[worker] = given.astype(np.int32)
    sizes = Counter(one.shape for one in maps.values()).most_common(2)
    tied = len(sizes) > 1 and sizes[0][1] == sizes[1][1]
    for worker in [*maps]:
        if tied or maps[worker].shape != sizes[0][0]:
            left_out[worker] = "masks_other_size"
            del maps[worker]
    return Usable(maps, left_out)


@dataclass
class Troubles:
    """Collects what was left out over all images."""

    images: int = 0
    maps: int = 0
    by_kind: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

    def note(self, image: str, found: Usable) -> None:
        """Take down one image."""
        self.images += 1
        self.maps += len(found.maps) + len(found.left_out)
        for worker, kind in found.left_out.items():
            self.by_kind.setdefault(kind, []).append((image, worker))
        if not found.maps:
            self.unanswered.append(image)
        elif len(found.maps) == 1:
            self.alone.append(image)

    def findings(self) -> tuple[Finding, ...]:
        """Return all in plain words."""
        told = [
            Finding(
                kind=kind,
                text=f"{len(where)} of {self.maps} label maps {_TEXTS[kind]}.",
                severity="warning",
                items=tuple(dict.fromkeys(image for image, _ in where))[:_NAMED],
                workers=tuple(dict.fromkeys(worker for _, worker in where))[:_NAMED],
            )
            for kind, where in sorted(self.by_kind.items())
        ]
        for kind, images, text in (
            ("masks_missing", self.unanswered, "have no usable label map and no result"),
            ("masks_alone", self.alone, "have one label map only, which is taken as it is; ask one more"),
        ):
            if images:
                told.append(
                    Finding(
                        kind=kind,
                        text=f"{len(images)} of {self.images} images {text}.",
                        severity="warning" if len(images) > 0.05 * self.images else "note",
                        items=tuple(images[:_NAMED]),
                    )
                )
        return tuple(told)
