"""A crowd file is either understood, or refused with file, field and fix."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workforce.crowd import Crowd, CrowdFileError

INCLUDE = Path(__file__).parents[3] / "include" / "crowds"
GROUP: dict[str, Any] = {
    "name": "good",
    "count": 3,
    "skill": {"accuracy": 0.9},
    "speed": {"median": "10s"},
    "arrival": {"every": "10m", "session": "5m"},
}


def group(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**GROUP, **changes}.items() if value is not ...}


def table(**rows: dict[str, float]) -> dict[str, Any]:
    full = {label: {label: 1.0} for label in ("setosa", "versicolor", "virginica")}
    return {"confusion": {**full, **rows}}


def test_the_iris_crowd_is_the_one_the_example_promises() -> None:
    plan = Crowd.load(INCLUDE / "iris.yaml")
    assert plan.workers == 25
    assert {g.behaviour for g in plan.groups} == {
        "honest",
        "random_spammer",
        "constant_spammer",
        "sloppy_form",
    }
    truth = [plan.key[f"iris-{number:03d}"] for number in range(1, 151)]
    assert truth == ["setosa"] * 50 + ["versicolor"] * 50 + ["virginica"] * 50
    assert all(g.abandon_rate == 0 for g in plan.groups), "an abandoned seat blocks its HIT for five minutes"


def test_durations_and_numbers_are_seconds(write_crowd: Callable[..., Path]) -> None:
    plan = Crowd.load(write_crowd(group(speed={"median": 2.5}, arrival={"every": "1.5h", "session": "90 s"})))
    assert plan.groups[0].speed.median == 2.5
    assert (plan.groups[0].arrival.every, plan.groups[0].arrival.session) == (5400, 90)


BAD: list[tuple[list[dict[str, Any]], dict[str, Any], list[str]]] = [
    ([], {"seed": "x"}, ["seed", "'x'"]),
    ([], {"speed_up": 0}, ["speed_up", "greater than 0"]),
    ([], {"speed_up": float("nan")}, ["speed_up"]),
    ([], {"sped_up": 3}, ["sped_up", "did you mean speed_up"]),
    ([], {"answer_key": {"path": "key.csv"}}, ["answer_key.file", "is missing; add it"]),
    ([], {"answer_key": {"file": "none.csv"}}, ["none.csv", "no such answer key", "answer_key.file"]),
    ([], {"answer_key": {"file": "key.csv", "label": "species"}}, ["key.csv", "'species'", "item, label"]),
    ([], {"groups": []}, ["groups", "at least 1"]),
    ([], {"item_attribute": "data item"}, ["item_attribute"]),
    ([group(count=0)], {}, ["groups[0].count", "1 or more"]),
    ([group(name="Good Ones")], {}, ["groups[0].name"]),
    ([group(), group()], {}, ["'good' and 'good'", "AGOOD0001", "rename"]),
    ([group(behaviour="lazy")], {}, ["groups[0].behaviour", "'honest'", "'lazy'"]),
    ([group(skill=...)], {}, ["groups[0]", "honest needs skill"]),
    ([group(behaviour="constant_spammer", skill=...)], {}, ["constant_spammer needs answer"]),
    ([group(behaviour="random_spammer")], {}, ["random_spammer takes no skill", "remove it"]),
    ([group(behaviour="sloppy_form")], {}, ["needs sloppy_rate"]),
    (
        [group(behaviour="constant_spammer", skill=..., answer="virginca")],
        {},
        ["groups[0].answer", "'virginca'", "setosa, versicolor, virginica"],
    ),
    ([group(skill={"accuracy": 1.2})], {}, ["groups[0].skill.accuracy", "1 or less"]),
    ([group(skill={"accuracy": [0.9, 0.8]})], {}, ["groups[0].skill", "swap"]),
    ([group(skill={})], {}, ["groups[0].skill", "either accuracy or confusion"]),
    ([group(skill={"acuracy": 0.9})], {}, ["groups[0].skill.acuracy", "did you mean accuracy"]),
    ([group(skill=table(setosa={"setosa": 0.5}))], {}, ["'setosa' adds up to 0.5", "make it 1"]),
    ([group(skill={"confusion": {"setosa": {"setosa": 1}}})], {}, ["no row for versicolor, virginica"]),
    ([group(skill=table(rose={"rose": 1}))], {}, ["rose is no label", "use only setosa"]),
    ([group(speed={"median": "ten"})], {}, ["groups[0].speed.median", "'ten' is not a duration", "90s"]),
    ([group(speed={"median": "0s"})], {}, ["groups[0].speed.median", "greater than 0"]),
    ([group(speed={})], {}, ["groups[0].speed.median", "is missing"]),
    ([group(arrival={"every": "1m", "session": "2m"})], {}, ["groups[0].arrival", "session is longer"]),
    ([group(return_rate=-0.1)], {}, ["groups[0].return_rate", "0 or more"]),
]


@pytest.mark.parametrize(("groups", "options", "words"), BAD)
def test_a_mistake_is_named_with_its_place_and_its_fix(
    write_crowd: Callable[..., Path], groups: list[dict[str, Any]], options: dict[str, Any], words: list[str]
) -> None:
    path = write_crowd(*groups, **options)
    with pytest.raises(CrowdFileError) as caught:
        Crowd.load(path)
    message = str(caught.value)
    assert str(path.parent) in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: [1", ["line 1", "not valid YAML"]),
        ("a: 1\nb: 2: 3\n", ["line 2", "not valid YAML"]),
        ("- 1\n", ["must hold options"]),
        ("", ["must hold options"]),
    ],
)
def test_what_is_no_yaml_mapping_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    path = tmp_path / "crowd.yaml"
    path.write_text(text)
    with pytest.raises(CrowdFileError) as caught:
        Crowd.load(path)
    assert all(word in str(caught.value) for word in [str(path), *words])


def test_a_missing_crowd_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CrowdFileError, match=r"none\.yaml: there is no such crowd file"):
        Crowd.load(tmp_path / "none.yaml")


def test_a_binary_crowd_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crowd.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CrowdFileError, match="UTF-8"):
        Crowd.load(tmp_path / "crowd.yaml")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("item,label\na,setosa\na,setosa\n", ["line 3", "'a'", "keep one"]),
        ("item,label\na,\n", ["line 2", "empty"]),
        ("item,label\na\n", ["line 2", "empty"]),
        ("item,label\n", ["no answers"]),
        ("", ["line 1", "'item'", "nothing"]),
    ],
)
def test_a_wrong_answer_key_is_named_by_line(
    write_crowd: Callable[..., Path], rows: str, words: list[str]
) -> None:
    path = write_crowd(group())
    (path.parent / "key.csv").write_text(rows)
    with pytest.raises(CrowdFileError) as caught:
        Crowd.load(path)
    assert all(word in str(caught.value) for word in ["key.csv", *words])
