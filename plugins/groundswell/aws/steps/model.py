"""evaluate: the deployed model against the held-out items; delete_logs: the streams of its jobs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from airflow.providers.amazon.aws.hooks.logs import AwsLogsHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import ClientError

from groundswell.aws.exceptions import error_code
from groundswell.aws.hooks.sagemaker import GroundswellSageMakerHook
from groundswell.aws.part_store import s3_location
from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError
from groundswell.manifests.csv_files import read_named_csv, read_tensorflow_csv

log = logging.getLogger(__name__)

TRAINING_LOGS = "/aws/sagemaker/TrainingJobs"
ENDPOINT_LOGS = "/aws/sagemaker/Endpoints"
#: Rows per request: far below the 6 MB that InvokeEndpoint takes.
ROWS = 500


def evaluate(run: LabelingRun, test_uri: str) -> dict[str, Any]:
    """
    Ask the batch's endpoint about the held-out items and about the rows of ``evaluation.predict``.

    Returns ``{"accuracy", "correct", "items", "predictions": [{"input", "label", "probability"}]}``.

    :raises AirflowFailException: where the accuracy is below ``evaluation.minimum_accuracy``.
    """
    batch = run.batch
    if batch.evaluation is None:
        raise AirflowFailException(f"{batch.file.name}: evaluation is missing")
    rows = list(_test_rows(run, test_uri))
    answers = _ask(run, [features for features, _ in rows])
    correct = sum(answer["label"] == label for answer, (_, label) in zip(answers, rows, strict=True))
    predicted = _ask(run, batch.evaluation.predict)
    result = {
        "accuracy": round(correct / len(rows), 4) if rows else None,
        "correct": correct,
        "items": len(rows),
        "predictions": [
            {"input": list(row), "label": answer["label"], "probability": answer.get("probability")}
            for row, answer in zip(batch.evaluation.predict, predicted, strict=True)
        ],
    }
    run.ledger.put_document("evaluation.json", result)
    log.info("accuracy %s on %d held-out items; %s", result["accuracy"], len(rows), result["predictions"])
    _gate(run, result["accuracy"])
    return result


def _gate(run: LabelingRun, accuracy: float | None) -> None:
    minimum = run.batch.evaluation.minimum_accuracy if run.batch.evaluation else 0.0
    if accuracy is not None and accuracy < minimum:
        raise AirflowFailException(
            f"the model is right on {accuracy:.1%} of the held-out items, below "
            f"evaluation.minimum_accuracy ({minimum:.1%}) in {run.batch.file.name}; look at the "
            "labels and the training, or lower the minimum, then clear train"
        )


def _test_rows(run: LabelingRun, test_uri: str) -> Iterator[tuple[list[float], str]]:
    bucket, key = s3_location(test_uri)
    text = run.s3.read_key(key, bucket)
    output = run.batch.output
    if output.csv_format == "tensorflow":
        rows = read_tensorflow_csv(text, name=test_uri)[1]
    else:
        _, records = read_named_csv(text, name=test_uri)
        rows = [
            ([record[column] for column in output.features], record[output.label_attribute])
            for record in records
        ]
    for number, (values, label) in enumerate(rows, start=1):
        wrong = [value for value in values if not is_number(value)]
        if wrong:
            raise DatasetError(
                f"{test_uri}: row {number}: {wrong[0]!r} is not a number, and the endpoint is asked about "
                "numbers; correct the dataset, then label the item again"
            )
        yield [float(value) for value in values], label


def is_number(text: str) -> bool:
    """Return whether a text is a number that JSON can carry, so neither infinite nor NaN."""
    try:
        return isfinite(float(text))
    except ValueError:
        return False


def _ask(run: LabelingRun, rows: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    if run.batch.endpoint is None:
        raise AirflowFailException(f"{run.batch.file.name}: endpoint is missing")
    hook = GroundswellSageMakerHook(aws_conn_id=run.batch.connections.aws)
    answers: list[dict[str, Any]] = []
    for start in range(0, len(rows), ROWS):
        instances = [list(row) for row in rows[start : start + ROWS]]
        body = hook.invoke_endpoint(
            run.batch.endpoint.name,
            json.dumps({"instances": instances}).encode(),
            content_type="application/json",
            accept="application/json",
        )
        answers.extend(_predictions(body, len(instances), run.batch.endpoint.name))
    return answers


def _predictions(body: bytes, expected: int, endpoint: str) -> list[dict[str, Any]]:
    try:
        predictions = json.loads(body)["predictions"]
    except (ValueError, KeyError, TypeError):
        predictions = None
    if (
        isinstance(predictions, list)
        and len(predictions) == expected
        and all(map(_is_prediction, predictions))
    ):
        return predictions
    raise AirflowException(
        f'endpoint {endpoint} did not answer {{"predictions": [{{"label": …}}, …]}} with {expected} entries, '
        f"but {body[:200]!r}; correct output_fn of the serving code"
    )


def _is_prediction(value: Any) -> bool:
    return isinstance(value, dict) and "label" in value


def delete_logs(
    run: LabelingRun, training: Mapping[str, Any] | None, deployed: Mapping[str, Any] | None
) -> dict[str, Any]:
    """
    Delete the log streams of what the run trained and deployed; return how many there were.

    :param training: what ``train`` returned; None where it did not run.
    :param deployed: the names that ``deploy`` pushed; None where it did not run.
    """
    client = AwsLogsHook(aws_conn_id=run.batch.connections.aws).conn
    deleted = 0
    if training:
        deleted += _delete_streams(client, TRAINING_LOGS, f"{training['training_job_name']}/")
    if deployed:
        deleted += _delete_group(client, f"{ENDPOINT_LOGS}/{deployed['endpoint_name']}")
    return {"log_streams": deleted}


def _streams(client: Any, group: str, prefix: str = "") -> list[str]:
    request = {"logGroupName": group} | ({"logStreamNamePrefix": prefix} if prefix else {})
    try:
        pages = client.get_paginator("describe_log_streams").paginate(**request)
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return []
        raise


def _delete_streams(client: Any, group: str, prefix: str) -> int:
    names = _streams(client, group, prefix)
    for name in names:
        _unless_absent(client.delete_log_stream, logGroupName=group, logStreamName=name)
    return len(names)


def _delete_group(client: Any, group: str) -> int:
    names = _streams(client, group)
    _unless_absent(client.delete_log_group, logGroupName=group)
    return len(names)


def _unless_absent(call: Any, **request: str) -> None:
    try:
        call(**request)
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
