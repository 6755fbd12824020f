"""Train and test splits that depend on ids and a seed, never on the order of rows or on a random state."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence

from groundswell.errors import DatasetError


def split(
    ids: Sequence[str], *, test_items: int, seed: int, strata: Mapping[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Split ids into train and test, both in the order of ``ids``.

    An id's rank is a hash of seed and id; the ``test_items`` lowest ranks are the test set. The same ids in
    another order, on another machine or Python, give the same sets.

    :param test_items: how many go to the test set; at least one id must be left for training
    :param strata: id -> group (usually its label). Each group gives its proportional share of the test set,
        rounded by largest remainder.
    :return: train ids, test ids
    :raises DatasetError: an id twice or without a group, or ``test_items`` out of range
    """
    _check(ids, test_items, strata)
    groups: dict[str, list[str]] = defaultdict(list)
    for identity in ids:
        groups[strata[identity] if strata is not None else ""].append(identity)
    test: set[str] = set()
    for group, quota in _quotas({name: len(members) for name, members in groups.items()}, test_items).items():
        test.update(sorted(groups[group], key=lambda identity: _rank(seed, identity))[:quota])
    return [i for i in ids if i not in test], [i for i in ids if i in test]


def _rank(seed: int, identity: str) -> tuple[bytes, str]:
    digest = hashlib.blake2b(f"{seed}\0{identity}".encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.digest(), identity


def _quotas(sizes: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Share ``wanted`` among groups in proportion to their sizes, by largest remainder.

    In whole numbers, so that no rounding of floats can move an item between machines.
    """
    total = sum(sizes.values())
    if not total:
        return {}
    quotas = {group: wanted * size // total for group, size in sizes.items()}
    remainders = sorted(sizes, key=lambda group: (-(wanted * sizes[group] % total), group))
    for group in remainders[: wanted - sum(quotas.values())]:
        quotas[group] += 1
    return quotas


def _check(ids: Sequence[str], test_items: int, strata: Mapping[str, str] | None) -> None:
    if test_items < 0:
        raise DatasetError(f"test_items: {test_items} is negative; give how many items to hold out")
    if ids and test_items >= len(ids):
        raise DatasetError(
            f"test_items: {test_items} of {len(ids)} labelled items would leave none to train on; "
            f"lower it below {len(ids)}"
        )
    if not ids and test_items:
        raise DatasetError(f"test_items: {test_items} wanted and no item is labelled; label some")
    seen: set[str] = set()
    for identity in ids:
        if identity in seen:
            raise DatasetError(f"item {identity!r} is twice in the list to split; list each item once")
        seen.add(identity)
        if strata is not None and identity not in strata:
            raise DatasetError(f"item {identity!r} has no group to split by; give its label")
