"""Which boxes of different workers are the same object: clusters with at most one box per worker.

Single linkage with a constraint: the pair with the greatest overlap is joined first, and two clusters that
share a worker are never joined, since a worker who drew two boxes saw two objects. Where no worker drew two
of a set of linked boxes, the order does not matter and nothing is done one by one. (Moving boxes afterwards
to the consensus box that they overlap most changed no measured figure, so it is not done.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from groundswell.consolidation.boxes.geometry import Pairs

Ints = NDArray[np.int64]

OTHER_CLASS = 0.5
"""Boxes of different classes are one object only above this overlap."""


def linked(pairs: Pairs, worker: NDArray[np.int32], label: NDArray[np.int32]) -> Pairs:
    """Return the pairs that may be one object: of two workers, and of one class unless they overlap much."""
    one, other = label[pairs.first], label[pairs.second]
    same_class = (one == other) | (one < 0) | (other < 0)
    allowed = worker[pairs.first] != worker[pairs.second]
    allowed &= same_class | (pairs.overlap >= OTHER_CLASS)
    return Pairs(pairs.first[allowed], pairs.second[allowed], pairs.overlap[allowed])


def clusters(pairs: Pairs, worker: NDArray[np.int32]) -> Ints:
    """Return per box the number of its cluster, 0 to the number of clusters - 1.

    :param pairs: what :func:`linked` returned
    :param worker: per box, who drew it
    """
    size = len(worker)
    graph = coo_array((np.ones(len(pairs.first), np.int8), (pairs.first, pairs.second)), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    # Where no worker occurs twice in a component, joining never meets an obstacle: all of it is one cluster.
    seat = component * (int(worker.max(initial=0)) + 1) + worker
    _, at, times = np.unique(seat, return_inverse=True, return_counts=True)
    disputed = np.zeros(size, np.bool_)
    disputed[component[times[at] > 1]] = True
    alone = disputed[component]
    root = _joined(_rows(pairs, alone[pairs.first]), worker)
    return renumbered(np.where(alone, root + size, component))


def _joined(pairs: Pairs, worker: NDArray[np.int32]) -> Ints:
    """Join pairs, the greatest overlap first, unless the two clusters share a worker."""
    order = np.lexsort((pairs.second, pairs.first, -pairs.overlap))
    root = list(range(len(worker)))
    names = worker.tolist()
    members: dict[int, list[int]] = {}
    drawn_by: dict[int, set[int]] = {}
    for one, other in zip(pairs.first[order].tolist(), pairs.second[order].tolist(), strict=True):
        into, out = root[one], root[other]
        if into == out:
            continue
        here = drawn_by.get(into) or {names[into]}
        there = drawn_by.get(out) or {names[out]}
        if not here.isdisjoint(there):
            continue
        drawn_by[into] = here | there
        moved = members.pop(out, None) or [out]
        members.setdefault(into, [into]).extend(moved)
        for box in moved:
            root[box] = into
    return np.array(root, dtype=np.int64)


def renumbered(cluster: Ints) -> Ints:
    """Return the same clusters, numbered by their first member."""
    _, first, at = np.unique(cluster, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first, kind="stable")] = np.arange(len(first))
    renamed: Ints = number[at]
    return renamed


def _rows(pairs: Pairs, which: NDArray[np.bool_]) -> Pairs:
    return Pairs(pairs.first[which], pairs.second[which], pairs.overlap[which])
