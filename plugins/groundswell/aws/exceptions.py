"""What operators raise, and how errors of AWS, the workforce and the core become messages for people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
)

from groundswell.errors import GroundswellError

#: Codes that mean "these credentials will not do": trying again cannot help.
CREDENTIAL_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "NotAuthorized",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
#: Codes that AWS also gives to credentials that are right but may not do this.
PERMISSION_CODES = frozenset({"AccessDenied", "AccessDeniedException", "NotAuthorized"})
INCOMPLETE_CREDENTIALS = (NoCredentialsError, PartialCredentialsError)
MISSING_BUCKET_CODES = frozenset({"NoSuchBucket"})
BUCKET_OPTIONS = "state and output.uri in the batch file"


class WorkforceUnreachable(AirflowException):
    """Raised when an endpoint does not answer; Airflow may try the task again."""


def error_code(error: ClientError) -> str:
    """Return the AWS error code of a client error ("RequestError", "NoSuchBucket", …)."""
    return str(error.response.get("Error", {}).get("Code", ""))


def turk_code(error: ClientError) -> str:
    """Return the part of ``TurkErrorCode`` after ``AWS.MechanicalTurk.``, or ""."""
    return str(error.response.get("TurkErrorCode", "")).removeprefix("AWS.MechanicalTurk.")


def turk_message(error: ClientError) -> str:
    """Return the workforce's message of a RequestError or ServiceFault."""
    return str(error.response.get("Message") or error.response.get("Error", {}).get("Message", ""))


def already_processed(error: ClientError) -> bool:
    """Return whether the workforce refused a call because an earlier one with its token had the effect."""
    message = turk_message(error)
    return "already been processed" in message or turk_code(error) == "IdempotencyTokenAlreadyProcessed"


def _explain_client_error(error: ClientError, connection: str, bucket: str, options: str) -> AirflowException:
    code, message = error_code(error), turk_message(error)
    if code in CREDENTIAL_CODES:
        policy = ", and whether its policy allows this call (docs/deploy.md lists what is needed)"
        return AirflowFailException(
            f"connection {connection!r}: {error.operation_name} was refused ({code}: {message}); "
            f"check login, password and region of the connection{policy if code in PERMISSION_CODES else ''}"
        )
    if code in MISSING_BUCKET_CODES:
        bucket = error.response.get("Error", {}).get("BucketName") or bucket
        return AirflowFailException(
            f"connection {connection!r}: bucket {bucket} does not exist; create it, or correct {options}"
        )
    if turk_code(error) == "InsufficientFunds":
        return AirflowFailException(
            f"connection {connection!r}: {error.operation_name}: {message}; add funds and state them by "
            "record_deposit, then clear this task"
        )
    return AirflowException(f"connection {connection!r}: {error.operation_name} failed: {code}: {message}")


def _explain_botocore_error(error: BotoCoreError, connection: str) -> AirflowException:
    """Explain what kept a call from being answered: wrong settings stay wrong, the rest may heal."""
    if isinstance(error, INCOMPLETE_CREDENTIALS):
        return AirflowFailException(
            f"connection {connection!r} has no credentials; set login (access key) and password (secret key)"
        )
    if isinstance(error, NoRegionError):
        return AirflowFailException(
            f'connection {connection!r} names no region; set "region_name" in the connection\'s extra'
        )
    if isinstance(error, ParamValidationError):
        return AirflowFailException(f"connection {connection!r}: {' '.join(str(error).split())}")
    if isinstance(error, EndpointConnectionError):
        return WorkforceUnreachable(
            f"connection {connection!r}: {error}; check that the server runs and that endpoint_url in the "
            "connection's extra is right"
        )
    return WorkforceUnreachable(f"connection {connection!r}: {error}")


@contextmanager
def clear_errors(
    *, connection: str, bucket: str = "named in the batch file", options: str = BUCKET_OPTIONS
) -> Iterator[None]:
    """Turn errors of the core and of botocore into one message that names the connection and the fix.

    :param connection: the id of the Airflow connection that the block talks through.
    :param bucket: the bucket that the block works in; not every S3 service names it in its errors.
    :param options: the options in which the bucket is named, and in which file.
    """
    try:
        yield
    except GroundswellError as error:
        raise AirflowFailException(str(error)) from error
    except ClientError as error:
        raise _explain_client_error(error, connection, bucket, options) from error
    except BotoCoreError as error:
        raise _explain_botocore_error(error, connection) from error
    except ValueError as error:
        if not str(error).startswith("Invalid endpoint"):
            raise
        raise AirflowFailException(
            f"connection {connection!r}: {error}; write endpoint_url in the connection's extra as "
            "http://host:port or https://host"
        ) from error


def failed(event: dict[str, Any]) -> AirflowException:
    """Return the exception for a trigger's event that reports a failure."""
    return AirflowException(str(event.get("message", "the trigger reported a failure without a message")))
