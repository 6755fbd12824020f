"""The crowd file: who is in the crowd, how well and how fast they work, and what they know.

Times in the file are crowd time: "90s", "5m", "4h", "3d" or a bare number of seconds. `speed_up` says
how many seconds of crowd time pass in one real second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from workforce.crowd.answer_key import read_answer_key
from workforce.crowd.errors import CrowdFileError
from workforce.crowd.explain import explain

__all__ = ["Arrival", "Behaviour", "Crowd", "CrowdFileError", "CrowdPlan", "Group", "Skill", "Speed"]

Behaviour = Literal["honest", "random_spammer", "constant_spammer", "sloppy_form"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_ROUNDING = 0.001


def _seconds(value: Any) -> Any:
    """Turn "5m" into 300.0; leave numbers alone, so that pydantic judges them."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number and s, m, h or d, such as 90s or 5m")
    return float(match[1]) * _UNITS[match[2]]


Duration = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]
PositiveDuration = Annotated[float, BeforeValidator(_seconds), Field(gt=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Skill(_Part):
    """How often a worker is right: an accuracy, a range of them, or a full confusion table.

    With an accuracy the wrong answers are spread evenly over the other choices. With a range each
    worker of the group has an own accuracy in it. A confusion table has a row per true label:
    `{versicolor: {versicolor: 0.9, virginica: 0.1}}`.
    """

    accuracy: Rate | tuple[Rate, Rate] | None = None
    confusion: Mapping[str, Mapping[str, Rate]] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.accuracy is None) == (self.confusion is None):
            raise ValueError("give either accuracy or confusion, and not both")
        if isinstance(self.accuracy, tuple) and self.accuracy[0] > self.accuracy[1]:
            raise ValueError("the range of accuracy must be [low, high]; swap the two numbers")
        for truth, row in (self.confusion or {}).items():
            total = sum(row.values())
            if abs(total - 1) > _ROUNDING:
                raise ValueError(f"the confusion row {truth!r} adds up to {total:g}; make it 1")
        return self


class Speed(_Part):
    """Seconds per answer: log-normal with this median; `spread` is the sigma of the logarithm."""

    median: PositiveDuration
    spread: Annotated[float, Field(ge=0, le=3, allow_inf_nan=False)] = 0.4


class Arrival(_Part):
    """When workers come: the first time within `first`, then about every `every`, for about `session`."""

    first: Duration = 0.0
    every: PositiveDuration
    session: PositiveDuration

    @model_validator(mode="after")
    def _room_between(self) -> Self:
        if self.session > self.every:
            raise ValueError("session is longer than every; a worker must leave before coming again")
        return self


class Group(_Part):
    """Workers of one kind."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
    count: Annotated[int, Field(ge=1, le=10_000)]
    behaviour: Behaviour = "honest"
    skill: Skill | None = None
    answer: str | None = None
    sloppy_rate: Rate | None = None
    speed: Speed
    arrival: Arrival
    return_rate: Rate = 0.0
    abandon_rate: Rate = 0.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs = {
            "honest": {"skill"},
            "random_spammer": set(),
            "constant_spammer": {"answer"},
            "sloppy_form": {"skill", "sloppy_rate"},
        }[self.behaviour]
        given = {name for name in ("skill", "answer", "sloppy_rate") if getattr(self, name) is not None}
        if missing := needs - given:
            raise ValueError(f"behaviour {self.behaviour} needs {' and '.join(sorted(missing))}; add it")
        if surplus := given - needs:
            raise ValueError(f"behaviour {self.behaviour} takes no {' or '.join(sorted(surplus))}; remove it")
        return self

    def worker_ids(self) -> list[str]:
        """The market ids of this group's workers, the same in every run."""
        stem = "A" + re.sub(r"[^A-Z0-9]", "", self.name.upper())
        return [f"{stem}{number:04d}" for number in range(1, self.count + 1)]


class AnswerKey(_Part):
    """Where the true labels are: a CSV file, found from the folder of the crowd file."""

    file: str
    item: str = "item"
    label: str = "label"


class _CrowdFile(_Part):
    seed: int
    speed_up: Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False)] = 1.0
    item_attribute: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")] = "data-item"
    answer_field: Annotated[str, Field(min_length=1)] = "label"
    answer_key: AnswerKey
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct_workers(self) -> Self:
        seen: dict[str, str] = {}
        for group in self.groups:
            for worker_id in group.worker_ids():
                if worker_id in seen:
                    raise ValueError(
                        f"groups {seen[worker_id]!r} and {group.name!r} both make worker {worker_id};"
                        " rename one of them"
                    )
                seen[worker_id] = group.name
        return self


class CrowdPlan(_Part):
    """A crowd file that has been read and checked, with its answer key."""

    seed: int
    speed_up: float
    item_attribute: str
    answer_field: str
    key: Mapping[str, str]
    groups: tuple[Group, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the answer key, sorted."""
        return tuple(sorted(set(self.key.values())))

    @property
    def workers(self) -> int:
        """How many workers the crowd has."""
        return sum(group.count for group in self.groups)


class Crowd:
    """Reads crowd files."""

    @staticmethod
    def load(path: Path) -> CrowdPlan:
        """Read and check a crowd file and its answer key; raises CrowdFileError with the fix."""
        document = _document(path)
        try:
            file = _CrowdFile.model_validate(document)
        except ValidationError as error:
            raise CrowdFileError(f"{path}: {explain(error, _CrowdFile)}") from error
        source = file.answer_key
        key = read_answer_key(path.parent / source.file, item=source.item, label=source.label)
        plan = CrowdPlan(
            seed=file.seed,
            speed_up=file.speed_up,
            item_attribute=file.item_attribute,
            answer_field=file.answer_field,
            key=key,
            groups=file.groups,
        )
        for number, group in enumerate(plan.groups):
            _check_labels(path, number, group, plan.labels)
        return plan


def _document(path: Path) -> Mapping[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CrowdFileError(f"{path}: there is no such crowd file; check the path") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CrowdFileError(f"{path}: cannot be read ({error}); make it a readable UTF-8 file") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or "cannot be parsed"
        raise CrowdFileError(f"{path}: {line}not valid YAML ({problem}); correct it there") from error
    if not isinstance(document, dict):
        raise CrowdFileError(f"{path}: must hold options such as seed and groups at its top; add them")
    return document


def _check_labels(path: Path, number: int, group: Group, labels: tuple[str, ...]) -> None:
    """Every label that a group mentions must be in the answer key, or a typing error would go unseen."""
    known = ", ".join(labels)
    if group.answer is not None and group.answer not in labels:
        raise CrowdFileError(
            f"{path}: groups[{number}].answer: {group.answer!r} is no label of the answer key;"
            f" use one of {known}"
        )
    if group.skill is None or group.skill.confusion is None:
        return
    table = group.skill.confusion
    field = f"{path}: groups[{number}].skill.confusion"
    if missing := [label for label in labels if label not in table]:
        raise CrowdFileError(f"{field}: no row for {', '.join(missing)}; add one for each label of the key")
    mentioned = {*table, *(answer for row in table.values() for answer in row)}
    if unknown := sorted(mentioned.difference(labels)):
        raise CrowdFileError(f"{field}: {', '.join(unknown)} is no label of the answer key; use only {known}")
