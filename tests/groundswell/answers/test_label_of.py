from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.answers.labels import label_of
from groundswell.errors import AnswerError

LABELS = ("setosa", "versicolor")


@pytest.mark.parametrize(
    "fields",
    [
        {"label": "setosa"},
        {"label": " setosa\n"},
        {"label": ["setosa"]},
        {"taskAnswers": '[{"label": "setosa"}]'},
        {"taskAnswers": '{"label": "setosa"}'},
        {"taskAnswers": '[{"label": {"label": "setosa"}}]'},
        {"taskAnswers": '[{"label.label": "setosa"}]'},
        {"taskAnswers": '[{"label": ["setosa"]}]'},
        {"label": "setosa", "taskAnswers": "not looked at"},
    ],
)
def test_where_a_label_can_be(fields: dict[str, str | list[str] | None]) -> None:
    assert label_of(fields, "label", LABELS) == "setosa"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "label: is missing"),
        ({"label": None}, "label: is missing"),
        ({"label": []}, "label: is missing"),
        ({"label": "  "}, "label: is empty"),
        ({"label": "Setosa"}, "label: 'Setosa' is not one of the labels"),
        ({"label": "rose\u202e\n<b>"}, r"label: 'rose\u202e\n<b>' is not one of the labels"),
        ({"label": ["setosa", "versicolor"]}, "label: has 2 labels, ['setosa', 'versicolor'], but takes one"),
        ({"taskAnswers": None}, "taskAnswers: is not text"),
        ({"taskAnswers": "{"}, "taskAnswers: is not JSON: '{'"),
        ({"taskAnswers": "[" * 100_000}, "taskAnswers: is not JSON"),
        ({"taskAnswers": "1" * 5000}, "taskAnswers: is not JSON"),
        ({"taskAnswers": "[]"}, "taskAnswers: does not hold one object: '[]'"),
        (
            {"taskAnswers": '[{"label": "setosa"}, {"label": "setosa"}]'},
            "taskAnswers: does not hold one object",
        ),
        ({"taskAnswers": "[{}]"}, "label: is missing"),
        ({"taskAnswers": '[{"label": {"labels": ["a"]}}]'}, "label: is missing"),
        ({"taskAnswers": f'[{{"label": [1, {"[" * 900}{"]" * 900}]}}]'}, "label: has 2 labels, [1, [...]]"),
        ({"taskAnswers": '[{"label": [{"a": 1}]}]'}, "label: is not text, but {...}"),
        ({"label": list("abcdef")}, "label: has 6 labels, ['a', 'b', 'c', ...], but takes one"),
        ({"taskAnswers": '[{"label": 7}]'}, "label: is not text, but 7"),
    ],
)
def test_a_label_that_cannot_be_used_is_told_briefly(
    fields: dict[str, str | list[str] | None], message: str
) -> None:
    with pytest.raises(AnswerError) as caught:
        label_of(fields, "label", LABELS)
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 120


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(LABELS),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["label", "label.label", "x"]), inner),
)
_VALUES = st.text() | st.none() | st.lists(st.text()) | _JSON.map(json.dumps)


@given(st.dictionaries(st.sampled_from(["label", "taskAnswers", "x"]), _VALUES))
def test_out_comes_an_allowed_label_or_an_answer_error(fields: dict[str, str | list[str] | None]) -> None:
    try:
        outcome = label_of(fields, "label", LABELS)
    except AnswerError as error:
        outcome = str(error)
    assert outcome in LABELS or (outcome.isprintable() and len(outcome) < 120)


@given(st.text(min_size=60))
def test_a_long_value_is_shortened(text: str) -> None:
    with pytest.raises(AnswerError) as caught:
        label_of({"label": f"x{text}x"}, "label", LABELS)
    assert "..." in str(caught.value)
    assert len(str(caught.value)) < 120
