from __future__ import annotations

import json

import botocore.session
import pytest

from workforce.api import patterns
from workforce.api.errors import json_error
from workforce.api.writing import java_double


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (12.5, "12.5"),
        (9_999_999.0, "9999999.0"),
        (10_000_000.0, "1.0E7"),
        (1_558_393_704.0, "1.558393704E9"),
        (1_558_480_104.123, "1.558480104123E9"),
        (-1_558_393_704.5, "-1.5583937045E9"),
        (0.0001, "1.0E-4"),
        (1e23, "1.0E23"),
    ],
)
def test_doubles_as_java_prints_them(number: float, text: str) -> None:
    assert java_double(number) == text
    assert json.loads(text) == number


@pytest.mark.parametrize("service", ["mturk", "sagemaker"])
def test_every_pattern_of_the_model_compiles(service: str) -> None:
    resolver = botocore.session.Session().get_service_model(service)._shape_resolver
    found = {shape["pattern"] for shape in resolver._shape_map.values() if "pattern" in shape}
    assert found
    assert [pattern for pattern in found if patterns.compiled(pattern) is None] == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[A-Z]+", "ABC", "ABC\n"),
        (r"\d+", "12", "\u0661"),
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "\u00fcber 5", "a~"),
        (r"\p{L}+", "\u00e9", "5"),
        (r"[\p{Alnum}\-]+", "a-5", "\u00e9"),
        (r"([\p{L}]*)${1,128}", "abc", "a5"),
        (r"[\uD800\uDC00-\uDBFF\uDFFF]", "\U0001f33c", "a"),
        (r"(?!\s*$).+", "x", "  "),
        (r"a|^b$", "b", "ab"),
    ],
)
def test_java_patterns_match_the_whole_value(pattern: str, yes: str, no: str) -> None:
    assert patterns.matches(pattern, yes)
    assert not patterns.matches(pattern, no)


def test_a_pattern_that_python_cannot_express_refuses_nothing() -> None:
    assert patterns.compiled(r"(?<name") is None
    assert patterns.compiled(r"\p{NoSuchThing}") is None
    assert patterns.matches(r"(?<name", "anything")


def test_error_has_the_code_where_botocore_looks() -> None:
    response = json_error("ThrottlingException", "Rate exceeded", 400, {"TurkErrorCode": "X"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/x-amz-json-1.1"
    body = json.loads(response.body)
    assert body == {
        "__type": "ThrottlingException",
        "message": "Rate exceeded",
        "Message": "Rate exceeded",
        "TurkErrorCode": "X",
    }
