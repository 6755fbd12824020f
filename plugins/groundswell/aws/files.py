"""Reading files that a batch file names, on disk or in S3."""

from __future__ import annotations

from pathlib import Path

from botocore.exceptions import ClientError

from groundswell.aws.exceptions import MISSING_BUCKET_CODES, error_code
from groundswell.aws.part_store import s3_location
from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError


def read_text(run: LabelingRun, path: str, *, option: str) -> str:
    """
    Return the text of a file.

    :param path: on disk, or ``s3://bucket/key``.
    :param option: the option of the batch file that names it.
    :raises DatasetError: where it is not there, cannot be read, or is not UTF-8.
    """
    try:
        return _bytes(run, path, option).decode()
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def _bytes(run: LabelingRun, path: str, option: str) -> bytes:
    if not path.startswith("s3://"):
        return _local_bytes(path)
    bucket, key = s3_location(path)
    try:
        response = run.s3.get_conn().get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        where = f"{run.batch.file.name}: {option}"
        if error_code(error) in {"NoSuchKey", "404"}:
            raise DatasetError(
                f"{where}: there is no object {path}; upload it, or correct the path"
            ) from error
        if error_code(error) in MISSING_BUCKET_CODES:
            raise DatasetError(
                f"{where}: there is no bucket {bucket}; create it, or correct the path"
            ) from error
        raise
    return bytes(response["Body"].read())


def _local_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
