"""Which spans of different workers are the same: stars of spans that overlap a common centre."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from groundswell.errors import AnswerError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_BLOCK = 1 << 21
"""Candidate pairs that are compared in one go; bounds the memory."""

_MOST_PAIRS = 20_000_000
"""Overlapping pairs in one text beyond which the answers are refused rather than run for hours."""


class Spans(NamedTuple):
    """Spans in the unit of overlap, one row each."""

    task: Ints
    worker: Ints
    start: Ints
    end: Ints
    label: Ints


def jaccard(one: Spans, other: Spans) -> Floats:
    """Return shared length / length covered by either, row by row."""
    shared = np.minimum(one.end, other.end) - np.maximum(one.start, other.start)
    either = np.maximum(one.end, other.end) - np.minimum(one.start, other.start)
    # Where they are apart, ``either`` holds the gap too, and the shared length is negative: nothing.
    overlap: Floats = np.maximum(shared, 0) / np.maximum(either, 1)
    return overlap


def clusters(spans: Spans, threshold: float, task_names: Sequence[str]) -> Ints:
    """Return per span the number of its cluster, from 0; at most one span of a worker in each.

    The span that the most workers support best (sum over workers of the Jaccard index of their best span,
    from ``threshold`` up) becomes a centre and takes each worker's best span; then the next among the rest.
    So every member overlaps the centre by ``threshold``: no chain of half-overlapping spans holds together
    what has nothing in common. Of spans with equal overlap, the one with the centre's label is taken.

    :raises AnswerError: millions of pairs of spans overlap in one text
    """
    size = len(spans.task)
    first, second, overlap = _pairs(spans, threshold, task_names)
    graph = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(size, size))
    component = connected_components(graph, directed=False)[1].astype(np.int64)
    numbers = component.copy()
    simple = _simple(spans, component)
    neighbours: dict[int, list[tuple[int, float]]] = {}
    hard = ~simple[component[first]] if len(first) else np.zeros(0, np.bool_)
    for one, other, share in zip(
        first[hard].tolist(), second[hard].tolist(), overlap[hard].tolist(), strict=True
    ):
        neighbours.setdefault(one, []).append((other, share))
        neighbours.setdefault(other, []).append((one, share))
    following = int(component.max(initial=-1)) + 1
    star = _Stars(spans, neighbours)
    for members in star.all():
        numbers[members] = following
        following += 1
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def _simple(spans: Spans, component: Ints) -> NDArray[np.bool_]:
    """Return per component whether all of it is one span, marked once by each of several workers."""
    count = int(component.max(initial=-1)) + 1
    same = np.ones(count, np.bool_)
    for column in (spans.start, spans.end):
        least = np.full(count, np.iinfo(np.int64).max)
        np.minimum.at(least, component, column)
        same[component[column != least[component]]] = False
    _, at, times = np.unique(
        np.stack([component, spans.worker]), axis=1, return_inverse=True, return_counts=True
    )
    same[component[times[at.ravel()] > 1]] = False
    return same


def _pairs(spans: Spans, threshold: float, task_names: Sequence[str]) -> tuple[Ints, Ints, Floats]:
    """Return the pairs of spans of different workers that overlap by ``threshold`` in the same text."""
    order = np.lexsort((spans.end, spans.start, spans.task))
    sorted_spans = Spans(*(column[order] for column in spans))
    found = [
        _compared(sorted_spans, order, first, second, threshold)
        for first, second in _candidates(sorted_spans, task_names)
    ]
    if not found:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0)
    first, second, overlap = (np.concatenate(column) for column in zip(*found, strict=True))
    return first, second, overlap


def _compared(
    spans: Spans, order: Ints, first: Ints, second: Ints, threshold: float
) -> tuple[Ints, Ints, Floats]:
    overlap = jaccard(Spans(*(c[first] for c in spans)), Spans(*(c[second] for c in spans)))
    kept = (overlap >= threshold) & (spans.worker[first] != spans.worker[second])
    return order[first[kept]], order[second[kept]], overlap[kept]


def _candidates(spans: Spans, task_names: Sequence[str]) -> Iterator[tuple[Ints, Ints]]:
    """Yield, block by block, the pairs that overlap; rows are sorted by text and start."""
    size = len(spans.task)
    if size == 0:
        return
    stride = int(spans.end.max()) + 1
    key = spans.task * stride + spans.start
    until = np.searchsorted(key, spans.task * stride + spans.end, side="left")
    follows = until - np.arange(1, size + 1)
    crowded = np.bincount(spans.task, weights=follows) > _MOST_PAIRS
    if crowded.any():
        name = task_names[int(np.flatnonzero(crowded)[0])]
        raise AnswerError(
            f"item {name!r}: more than {_MOST_PAIRS:,} pairs of its spans overlap; "
            "divide the text, or leave out the worker who marked so many"
        )
    ends = np.cumsum(follows)
    begin = 0
    while begin < size:
        base = int(ends[begin] - follows[begin])
        stop = max(int(np.searchsorted(ends, base + _BLOCK, side="right")), begin + 1)
        count = follows[begin:stop]
        first = np.repeat(np.arange(begin, stop), count)
        offset = np.arange(len(first)) - np.repeat(ends[begin:stop] - count - base, count)
        yield first, first + 1 + offset
        begin = stop


class _Fit(NamedTuple):
    """A span of another worker that a centre could take."""

    overlap: float
    same: bool
    where: tuple[int, int]
    label: int
    member: int

    def order(self) -> tuple[float, bool, tuple[int, int], int]:
        """Return what sorts the best fit first: overlap, the same label, then further to the front."""
        return -self.overlap, not self.same, self.where, self.label


class _Stars:
    """Finds the stars among the spans that have neighbours."""

    def __init__(self, spans: Spans, neighbours: dict[int, list[tuple[int, float]]]) -> None:
        self._neighbours = neighbours
        nodes = sorted(neighbours)
        self._worker = dict(zip(nodes, spans.worker[nodes].tolist(), strict=True))
        self._label = dict(zip(nodes, spans.label[nodes].tolist(), strict=True))
        self._where = {
            node: (start, -end)
            for node, start, end in zip(
                nodes, spans.start[nodes].tolist(), spans.end[nodes].tolist(), strict=True
            )
        }
        self._free = set(nodes)

    def all(self) -> Iterator[list[int]]:
        """Yield the members of each star.

        Taking spans away only lowers the support of others, so that a span whose support is up to date and
        still the highest on the heap is the next centre.
        """
        heap = [(self._rank(node), node) for node in self._free]
        heapq.heapify(heap)
        while heap:
            rank, node = heapq.heappop(heap)
            if node not in self._free:
                continue
            now = self._rank(node)
            if now != rank:
                heapq.heappush(heap, (now, node))
                continue
            members = [node, *(fit.member for fit in self._best(node))]
            self._free.difference_update(members)
            yield members

    def _rank(self, node: int) -> tuple[float, int, tuple[int, int], int]:
        """Return what sorts the best centre first, whatever the order of workers."""
        best = self._best(node)
        support = math.fsum(fit.overlap for fit in best)
        agreeing = sum(fit.same for fit in best)
        return -round(support, 12), -agreeing, self._where[node], self._label[node]

    def _best(self, node: int) -> list[_Fit]:
        """Return the free span of each other worker that fits best."""
        best: dict[int, _Fit] = {}
        for other, overlap in self._neighbours[node]:
            if other in self._free:
                same = self._label[other] == self._label[node]
                fit = _Fit(overlap, same, self._where[other], self._label[other], other)
                worker = self._worker[other]
                if worker not in best or fit.order() < best[worker].order():
                    best[worker] = fit
        return list(best.values())
