"""Writing the augmented manifest: each object of a dataset with its label, as Ground Truth writes it.

One type of label for now, single-label image (or text) classification; see "Output Data" in the SageMaker
developer guide.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from groundswell.errors import ManifestError
from groundswell.manifests.dataset import Item
from groundswell.manifests.ground_truth import (
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_LINE_CHARACTERS,
    SOURCE,
    SOURCE_REF,
    JsonLineError,
    attribute_problem,
    check_object,
)

Task = Literal["image-classification", "text-classification"]

# Line breaks to Unicode and not to JSON: readers that split lines by Unicode's rule would cut an object.
_LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}


@dataclass(frozen=True)
class ClassLabel:
    """One consolidated label.

    :param name: the class
    :param confidence: a score from 0 to 1; 0 when only one worker answered, as in Ground Truth
    :param created: when it was consolidated; aware
    :param human: people gave it, not a model
    """

    name: str
    confidence: float
    created: datetime
    human: bool = True


@dataclass(frozen=True)
class Entry:
    """One line of a manifest: the object, and its label if it has one.

    :param source: ``source-ref`` or ``source``, and any other members, which pass through
    """

    source: Mapping[str, Any]
    label: ClassLabel | None


def entry(item: Item, label: ClassLabel | None, *, source: str | None = None) -> Entry:
    """Make an entry from a dataset's item; its columns pass through as text.

    :param source: the S3 URI of the object, or its text; by default the item's own ``source-ref`` or
        ``source`` column
    """
    members: dict[str, Any] = dict(item.values)
    if source is not None:
        members.pop(SOURCE_REF, None)
        members.pop(SOURCE, None)
        members = {SOURCE_REF if source.startswith("s3://") else SOURCE: source, **members}
    return Entry(source=members, label=label)


def augmented_manifest(
    entries: Iterable[Entry],
    *,
    attribute: str,
    classes: Sequence[str],
    job_name: str,
    task: Task = "image-classification",
) -> str:
    """Write one line per entry, in their order; an entry without a label is written unchanged.

    :param attribute: the label attribute name; the metadata goes to ``<attribute>-metadata``
    :param classes: the label is written as its position here
    :param job_name: goes to the metadata
    :raises ManifestError: a bad attribute name, a class that is not in ``classes``, a score outside 0 to 1,
        no source, the attribute is already there, or a line over Ground Truth's limits
    """
    problem = attribute_problem(attribute)
    if problem:
        raise ManifestError(f"label_attribute: {problem}")
    index = {name: position for position, name in enumerate(classes)}
    label_type = f"groundtruth/{task}"
    lines = []
    for number, each in enumerate(entries, start=1):
        try:
            check_object(number, each.source)
        except JsonLineError as error:
            raise ManifestError(f"manifest: line {number}: {error}") from None
        members = dict(each.source)
        if each.label is not None:
            members |= _labelled(number, members, each.label, attribute, index, label_type, job_name)
        lines.append(_dump(number, members))
    return "".join(lines)


def _labelled(
    number: int,
    source: Mapping[str, Any],
    label: ClassLabel,
    attribute: str,
    index: Mapping[str, int],
    label_type: str,
    job_name: str,
) -> dict[str, Any]:
    for name in (attribute, f"{attribute}-metadata"):
        if name in source:
            raise ManifestError(
                f"manifest: line {number}: the object already has {name!r}; choose another label_attribute, "
                "or leave out what is labelled already"
            )
    if label.name not in index:
        raise ManifestError(
            f"manifest: line {number}: the label {label.name!r} is not one of "
            f"{', '.join(map(repr, index))}; correct the label, or add the class"
        )
    return {
        attribute: index[label.name],
        f"{attribute}-metadata": {
            "class-name": label.name,
            "confidence": _score(number, label.confidence),
            "type": label_type,
            "job-name": job_name,
            "human-annotated": "yes" if label.human else "no",
            "creation-date": _timestamp(number, label.created),
        },
    }


def _score(number: int, confidence: float) -> float:
    value = float(confidence)  # numpy's floats are not JSON's
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ManifestError(f"manifest: line {number}: the confidence {value} is not from 0 to 1; correct it")
    return round(value, 6)


def _timestamp(number: int, created: datetime) -> str:
    if created.tzinfo is None:
        raise ManifestError(f"manifest: line {number}: the label's time has no zone; give an aware time")
    # Ground Truth writes UTC with six digits of a second and no zone.
    return created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")


def _dump(number: int, members: Mapping[str, Any]) -> str:
    for name, value in members.items():
        if len(value if isinstance(value, str) else _json(number, value)) > MAX_ATTRIBUTE_CHARACTERS:
            raise ManifestError(
                f"manifest: line {number}: {name!r} is longer than {MAX_ATTRIBUTE_CHARACTERS} characters; "
                "shorten it, or keep it in S3 and give source-ref"
            )
    line = _json(number, members)
    if len(line) > MAX_LINE_CHARACTERS:
        raise ManifestError(
            f"manifest: line {number}: is longer than {MAX_LINE_CHARACTERS} characters; pass fewer columns on"
        )
    return line + "\n"


def _json(number: int, value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ManifestError(f"manifest: line {number}: cannot be written as JSON ({error})") from None
    return text.translate(_LINE_BREAKS)
