"""The input channels of a job, from S3 into its directory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localcloud.sagemaker.s3_files import S3Files, S3Problem, S3Uri, relative_path


class InputMissing(Exception):
    """A channel has no data; `str(error)` is the failure reason without its class."""


def download_channel(
    files: S3Files,
    channel: Mapping[str, Any],
    folder: Path,
    role: str,
    region: str,
    check: Callable[[], None],
) -> int:
    """Fetch all files of a channel into ``folder``, and return how many.

    ``check`` is called between files and may raise to stop. Raises InputMissing.
    """
    source = channel["DataSource"]["S3DataSource"]
    uri = S3Uri.parse(source["S3Uri"])
    find = _of_manifest if source["S3DataType"] == "ManifestFile" else _of_prefix
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    reason = ""
    try:
        for object_uri, relative in find(files, uri):
            check()
            files.download(object_uri, folder / relative)
            count += 1
    except (S3Problem, OSError) as error:
        if count:
            raise InputMissing(f"Data download failed: {error}") from error
        reason = f" Error message from S3: {error}"
    if not count:
        raise InputMissing(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
            f"bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and "
            f'that the role "{role}" has "s3:ListBucket" permissions on bucket "{uri.bucket}".{reason}'
        )
    return count


def _of_prefix(files: S3Files, uri: S3Uri) -> Iterator[tuple[S3Uri, str]]:
    for key in files.keys(uri):
        yield S3Uri(uri.bucket, key), relative_path(key, uri.key)


def _of_manifest(files: S3Files, uri: S3Uri) -> Iterator[tuple[S3Uri, str]]:
    """Read ``[{"prefix": "s3://bucket/some/"}, "relative/a.csv", ...]``."""
    try:
        entries = json.loads(files.read(uri))
        prefix = S3Uri.parse(entries[0]["prefix"])
        names = [name for name in entries[1:] if isinstance(name, str)]
    except (ValueError, LookupError, TypeError) as error:
        raise S3Problem(f'{uri} is not a manifest: [{{"prefix": "s3://…/"}}, "file", …] expected') from error
    for name in names:
        yield S3Uri(prefix.bucket, prefix.key + name), relative_path(name.lstrip("/"), "")
