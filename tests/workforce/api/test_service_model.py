from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workforce.api.service_model import SerializationFailed, ServiceModel, UnknownOperation, ValidationFailed

MTURK = ServiceModel("mturk")
SAGEMAKER = ServiceModel("sagemaker")


def parse(operation: str, document: object, model: ServiceModel = MTURK) -> dict[str, object]:
    return model.parse(operation, json.dumps(document).encode())


def problems(operation: str, document: object, model: ServiceModel = MTURK) -> list[str]:
    with pytest.raises(ValidationFailed) as caught:
        parse(operation, document, model)
    return caught.value.messages


def test_knows_the_service() -> None:
    assert len(MTURK.operations) == 39
    assert MTURK.target_prefix == "MTurkRequesterServiceV20170117"
    assert MTURK.json_version == "1.1"
    assert MTURK.signing_name == "mturk-requester"
    assert SAGEMAKER.target_prefix == "SageMaker"


def test_refuses_a_service_of_another_protocol() -> None:
    with pytest.raises(ValueError, match="rest-xml"):
        ServiceModel("s3")


@pytest.mark.parametrize(
    "target",
    ["", "GetHIT", "Other.GetHIT", "MTurkRequesterServiceV20170117.", "MTurkRequesterServiceV20170117.X"],
)
def test_unknown_targets(target: str) -> None:
    with pytest.raises(UnknownOperation) as caught:
        MTURK.operation_of(target)
    assert caught.value.code == "UnknownOperationException"


def test_target_names_the_operation() -> None:
    assert MTURK.operation_of("MTurkRequesterServiceV20170117.GetHIT") == "GetHIT"


@pytest.mark.parametrize(
    "body",
    [b"[]", b'"x"', b"{", b"nope", b"\xff", b'{"a": NaN}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
)
def test_unreadable_bodies(body: bytes) -> None:
    with pytest.raises(SerializationFailed) as caught:
        MTURK.parse("ListHITs", body)
    assert caught.value.code == "SerializationException"
    assert caught.value.member is None


def test_an_empty_body_has_no_parameters() -> None:
    assert MTURK.parse("GetAccountBalance", b"") == {}


def test_unknown_members_and_nulls_are_ignored() -> None:
    assert parse("ListHITs", {"MaxResults": 5, "Surprise": 1, "NextToken": None}) == {"MaxResults": 5}


def test_message_is_in_the_words_of_aws() -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse("ListHITs", {"MaxResults": 101})
    assert caught.value.message == (
        "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 100"
    )


def test_all_broken_constraints_are_reported_together() -> None:
    found = problems("ListHITs", {"MaxResults": 0, "NextToken": ""})
    assert len(found) == 2
    with pytest.raises(ValidationFailed, match=r"^2 validation errors detected: "):
        parse("ListHITs", {"MaxResults": 0, "NextToken": ""})


def test_a_flood_of_problems_is_cut_short() -> None:
    with pytest.raises(ValidationFailed) as caught:
        parse("NotifyWorkers", {"Subject": "s", "MessageText": "m", "WorkerIds": ["x"] * 5000})
    assert len(caught.value.message) < 10_000


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({}, "Value null at 'hITId' failed to satisfy constraint: Member must not be null"),
        ({"HITId": None}, "Value null at 'hITId'"),
        ({"HITId": "abc"}, r"Member must satisfy regular expression pattern: ^[A-Z0-9]+$"),
        ({"HITId": "ABC\n"}, "regular expression pattern"),
        ({"HITId": "A" * 65}, "Member must have length less than or equal to 64"),
        ({"HITId": ""}, "Member must have length greater than or equal to 1"),
    ],
)
def test_constraints_of_strings(document: object, part: str) -> None:
    assert any(part in problem for problem in problems("GetHIT", document))


@pytest.mark.parametrize("reward", ["abc", "-1", "0.055", "1e2", " 1", "1,00", ""])
def test_rewards_that_are_no_amount(reward: str) -> None:
    assert "at 'reward'" in problems("CreateHITType", {**HIT_TYPE, "Reward": reward})[0]


HIT_TYPE = {"AssignmentDurationInSeconds": 300, "Reward": "0.05", "Title": "t", "Description": "d"}


@pytest.mark.parametrize("reward", ["0.05", "1", "1.", "12.5"])
def test_rewards_that_are(reward: str) -> None:
    assert parse("CreateHITType", {**HIT_TYPE, "Reward": reward})["Reward"] == reward


def test_nested_lists_and_enums_name_their_place() -> None:
    requirement = {"QualificationTypeId": "ABC", "Comparator": "Like", "IntegerValues": [1]}
    found = problems("CreateHITType", {**HIT_TYPE, "QualificationRequirements": [requirement]})
    assert found[0].startswith(
        "Value 'Like' at 'qualificationRequirements.1.member.comparator' failed to satisfy constraint: "
        "Member must satisfy enum value set: [LessThan, "
    )


@pytest.mark.parametrize(
    ("operation", "document", "member"),
    [
        ("GetHIT", {"HITId": 5}, "hITId"),
        ("ListHITs", {"MaxResults": "5"}, "maxResults"),
        ("ListHITs", {"MaxResults": True}, "maxResults"),
        ("ListHITs", {"MaxResults": 5.5}, "maxResults"),
        ("ListHITs", {"MaxResults": 2**31}, "maxResults"),
        ("CreateHITType", {**HIT_TYPE, "QualificationRequirements": {}}, "qualificationRequirements"),
        (
            "CreateHITType",
            {**HIT_TYPE, "QualificationRequirements": [1]},
            "qualificationRequirements.1.member",
        ),
        ("ApproveAssignment", {"AssignmentId": "A", "OverrideRejection": "true"}, "overrideRejection"),
        ("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": "tomorrow"}, "expireAt"),
        ("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": True}, "expireAt"),
        ("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": 1e300}, "expireAt"),
        ("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": [0]}, "expireAt"),
        ("CreateHITType", {**HIT_TYPE, "Title": "a\u0000b"}, "title"),
        ("CreateHITType", {**HIT_TYPE, "Title": "\ud800"}, "title"),
    ],
)
def test_wrong_types_name_the_member(operation: str, document: object, member: str) -> None:
    with pytest.raises(SerializationFailed) as caught:
        parse(operation, document)
    assert caught.value.member == member
    assert f"'{member}'" in caught.value.message


def test_whole_floats_are_integers() -> None:
    value = parse("ListHITs", {"MaxResults": 5.0})["MaxResults"]
    assert value == 5
    assert isinstance(value, int)


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1795262400.5, datetime(2026, 11, 21, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-21T12:00:00Z", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T13:00:00+01:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("2026-11-21T12:00:00", datetime(2026, 11, 21, 12, tzinfo=UTC)),
        ("Sat, 21 Nov 2026 12:00:00 GMT", datetime(2026, 11, 21, 12, tzinfo=UTC)),
    ],
)
def test_timestamps_as_clients_write_them(given_value: object, expected: datetime) -> None:
    moment = parse("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": given_value})["ExpireAt"]
    assert moment == expected
    assert isinstance(moment, datetime)
    assert moment.utcoffset() == timedelta(0)


TRAINING = {
    "TrainingJobName": "job-1",
    "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "image"},
    "RoleArn": "arn:aws:iam::000000000000:role/sagemaker-role",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "HyperParameters": {"epochs": "5"},
}


def test_sagemaker_request_is_accepted() -> None:
    assert parse("CreateTrainingJob", TRAINING, SAGEMAKER) == TRAINING


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"TrainingJobName": "no_underscore"}, "trainingJobName"),
        ({"TrainingJobName": "no-end-"}, "trainingJobName"),
        ({"RoleArn": None}, "roleArn"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 0}}, "stoppingCondition.maxRuntimeInSeconds"),
        ({"ResourceConfig": {"InstanceType": "m5", "VolumeSizeInGB": 1}}, "resourceConfig.instanceType"),
        ({"HyperParameters": {"epochs": "x" * 2501}}, "hyperParameters.epochs.member"),
        ({"HyperParameters": {str(n): "" for n in range(101)}}, "hyperParameters"),
        ({"Tags": [{"Key": "k~", "Value": "v"}]}, "tags.1.member.key"),
        ({"Tags": [{"Key": "k", "Value": "v"}, None]}, "tags.2.member"),
    ],
)
def test_sagemaker_constraints(change: dict[str, object], place: str) -> None:
    found = problems("CreateTrainingJob", {**TRAINING, **change}, SAGEMAKER)
    assert [problem for problem in found if f"at '{place}'" in problem] == found
    assert found


def test_unions_have_exactly_one_member() -> None:
    operation, member = next(
        (operation, name)
        for operation in sorted(SAGEMAKER.operations)
        for name, shape in _members(operation)
        if getattr(shape, "is_tagged_union", False)
    )
    found = problems(operation, {member: {}}, SAGEMAKER)
    assert any("Union must have exactly one member set" in problem for problem in found)


def _members(operation: str) -> list[tuple[str, object]]:
    shape = SAGEMAKER._model.operation_model(operation).input_shape
    return list(shape.members.items()) if shape is not None else []


def test_response_is_compact_with_java_timestamps_and_plain_slashes() -> None:
    hit = {
        "HITId": "A1",
        "CreationTime": datetime(2019, 5, 20, 23, 8, 24, tzinfo=UTC),
        "Title": "a/b \u00e9",
        "Keywords": None,
        "MaxAssignments": 2,
        "QualificationRequirements": [],
        "Internal": "secret",
    }
    expected = (
        '{"HIT":{"HITId":"A1","CreationTime":1.558393704E9,"Title":"a/b \u00e9",'
        '"MaxAssignments":2,"QualificationRequirements":[]}}'
    )
    assert MTURK.serialise("GetHIT", {"HIT": hit, "Other": 1}) == expected.encode()


def test_a_timestamp_without_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="aware"):
        MTURK.serialise("GetHIT", {"HIT": {"CreationTime": datetime(2026, 1, 1)}})


def test_empty_outputs() -> None:
    assert MTURK.serialise("ApproveAssignment", {}) == b"{}"
    assert SAGEMAKER.serialise("DeleteModel", {}) == b""


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(-14, 14))
def test_every_moment_survives_the_wire_to_the_millisecond(moment: datetime, zone: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(hours=zone)))
    body = json.loads(MTURK.serialise("GetHIT", {"HIT": {"Expiration": aware}}))
    assert abs(body["HIT"]["Expiration"] - aware.timestamp()) <= 0.000_51


documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["HITId", "Title", "QualificationRequirements", "MaxResults", "ExpireAt", "Reward"]
            ),
            inner,
        )
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(MTURK.operations)), documents)
def test_no_document_breaks_the_reader(operation: str, document: object) -> None:
    try:
        values = MTURK.parse(operation, json.dumps(document).encode())
    except ValidationFailed as problem:
        assert problem.message  # noqa: PT017 - any refusal will do, any other exception will not
    else:
        assert isinstance(values, dict)
