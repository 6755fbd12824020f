"""Requirements that a HIT makes of its workers.

Of the system's qualifications two are known, because they follow from a worker's record. A requirement on
another of the system's is not met by anybody, so that guarded work is never offered silently to people it
was not meant for. Requesters' own are granted by them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workforce.market.errors import invalid

NUMBER_APPROVED = "00000000000000000040"
PERCENT_APPROVED = "000000000000000000L0"
# id to name and description
SYSTEM_TYPES = {
    "2ARFPLSP75KLA8M8DH1HTEQVJT3SY6": ("Masters", "Masters of the sandbox; nobody has it here"),
    "2F1QJWKUDD8XADTFD2Q0G6UTO95ALH": ("Masters", "Masters; nobody has it here"),
    NUMBER_APPROVED: ("Worker_NumberHITsApproved", "The number of assignments approved so far"),
    "00000000000000000060": ("Worker_Adult", "Adult content; nobody has it here"),
    "00000000000000000071": ("Worker_Locale", "Where the worker is; nobody has it here"),
    PERCENT_APPROVED: ("Worker_PercentAssignmentsApproved", "The percentage of submitted work approved"),
}
# of the old API, and still in old programs: submitted, abandoned, returned and rejected work in percent
_OLD_SYSTEM_TYPES = tuple(f"000000000000000000{code}" for code in ("00", "70", "E0", "S0"))
_PERCENT_FROM = 100  # the percentage counts as 100 until so many assignments are submitted

_MOST_REQUIREMENTS = 10
_MOST_INTEGERS = 15
_MOST_LOCALES = 30
_EXISTENCE = frozenset({"Exists", "DoesNotExist"})
_SETS = frozenset({"In", "NotIn"})
_COMPARATORS = (
    _EXISTENCE
    | _SETS
    | {
        "LessThan",
        "LessThanOrEqualTo",
        "GreaterThan",
        "GreaterThanOrEqualTo",
        "EqualTo",
        "NotEqualTo",
    }
)
Action = Literal["discover", "preview", "accept"]
_GUARDS: dict[str, frozenset[Action]] = {
    "Accept": frozenset({"accept"}),
    "PreviewAndAccept": frozenset({"preview", "accept"}),
    "DiscoverPreviewAndAccept": frozenset({"discover", "preview", "accept"}),
}


@dataclass(frozen=True)
class WorkerRecord:
    """What a worker's qualifications are worked out from.

    Counts of assignments over all requesters, and the values of what requesters have granted, by type.
    """

    submitted: int
    approved: int
    granted: Mapping[str, int] = field(default_factory=dict)


def normalise(value: object) -> list[dict[str, Any]]:
    """QualificationRequirements checked and with their defaults, as the API returns them."""
    if value is None:
        return []
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise invalid("QualificationRequirements", "must be a list")
    if len(value) > _MOST_REQUIREMENTS:
        raise invalid(
            "QualificationRequirements", f"must be at most {_MOST_REQUIREMENTS} items, got {len(value)}"
        )
    return [_requirement(item, f"QualificationRequirements[{number}]") for number, item in enumerate(value)]


def is_system_type(type_id: str) -> bool:
    """Whether a qualification type is the system's, not a requester's."""
    return type_id in SYSTEM_TYPES or type_id in _OLD_SYSTEM_TYPES


def custom_types(requirements: Sequence[Mapping[str, Any]]) -> set[str]:
    """The qualification types of requesters that requirements name."""
    return {
        one["QualificationTypeId"] for one in requirements if not is_system_type(one["QualificationTypeId"])
    }


def meets(requirements: Sequence[Mapping[str, Any]], record: WorkerRecord, action: Action) -> bool:
    """Whether a worker fulfils all requirements that guard an action."""
    guarding = (one for one in requirements if action in _GUARDS[one["ActionsGuarded"]])
    return all(_met(requirement, record) for requirement in guarding)


def _requirement(item: object, where: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise invalid(where, "must be a structure")
    type_id, comparator = item.get("QualificationTypeId"), item.get("Comparator")
    if not isinstance(type_id, str) or not type_id:
        raise invalid(f"{where}.QualificationTypeId", "is required")
    if comparator not in _COMPARATORS:
        raise invalid(f"{where}.Comparator", f"must be one of {', '.join(sorted(_COMPARATORS))}")
    values = _values(item, str(comparator), where)
    guarded, required_to_preview = _guard(item, where)
    return {
        "QualificationTypeId": type_id,
        "Comparator": comparator,
        **values,
        "RequiredToPreview": required_to_preview,
        "ActionsGuarded": guarded,
    }


def _guard(item: Mapping[str, Any], where: str) -> tuple[str, bool]:
    preview = item.get("RequiredToPreview")
    guarded = item.get("ActionsGuarded")
    if guarded is None:
        guarded = "PreviewAndAccept" if preview else "Accept"
    elif preview:
        raise invalid(where, "RequiredToPreview and ActionsGuarded exclude each other; use ActionsGuarded")
    if guarded not in _GUARDS:
        raise invalid(f"{where}.ActionsGuarded", f"must be one of {', '.join(sorted(_GUARDS))}")
    return str(guarded), bool(preview)


def _values(item: Mapping[str, Any], comparator: str, where: str) -> dict[str, Any]:
    integers, locales = list(item.get("IntegerValues") or []), list(item.get("LocaleValues") or [])
    problem = _problem(comparator, len(integers), len(locales))
    if problem:
        raise invalid(where, problem)
    found: dict[str, Any] = {}
    if integers:
        found["IntegerValues"] = [int(value) for value in integers]
    if locales:
        found["LocaleValues"] = [dict(value) for value in locales]
    return found


def _problem(comparator: str, integers: int, locales: int) -> str | None:
    if comparator in _EXISTENCE:
        return f"{comparator} takes no values" if integers or locales else None
    if bool(integers) == bool(locales):
        return f"{comparator} needs either IntegerValues or LocaleValues"
    if comparator in _SETS:
        if integers > _MOST_INTEGERS or locales > _MOST_LOCALES:
            return f"{comparator} takes at most {_MOST_INTEGERS} integers or {_MOST_LOCALES} locales"
        return None
    if integers + locales > 1:
        return f"{comparator} takes one value"
    if locales and comparator not in ("EqualTo", "NotEqualTo"):
        return f"{comparator} cannot compare locales"
    return None


def _met(requirement: Mapping[str, Any], record: WorkerRecord) -> bool:
    type_id, comparator = requirement["QualificationTypeId"], requirement["Comparator"]
    score = _score(type_id, record)
    if comparator == "DoesNotExist":
        return score is None and not is_system_type(type_id)
    if score is None or comparator == "Exists":
        return score is not None
    values = requirement.get("IntegerValues")
    return _compare(comparator, score, values) if values else False


def _score(type_id: str, record: WorkerRecord) -> int | None:
    if type_id == NUMBER_APPROVED:
        return record.approved
    if type_id == PERCENT_APPROVED:
        if record.submitted < _PERCENT_FROM:
            return 100
        return record.approved * 100 // record.submitted
    return record.granted.get(type_id)


def _compare(comparator: str, score: int, values: Sequence[int]) -> bool:
    one = values[0]
    outcomes = {
        "LessThan": score < one,
        "LessThanOrEqualTo": score <= one,
        "GreaterThan": score > one,
        "GreaterThanOrEqualTo": score >= one,
        "EqualTo": score == one,
        "NotEqualTo": score != one,
        "In": score in values,
        "NotIn": score not in values,
    }
    return outcomes[comparator]
