"""What a platform team would make with Terraform: the buckets and the roles that batches and reports name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.stack.environment import LOGIN, PASSWORD, REGION

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


@dataclass(frozen=True)
class Wanted:
    """Buckets and IAM role names that are used."""

    buckets: frozenset[str]
    roles: frozenset[str]


def wanted_by(*folders: Path) -> Wanted:
    """Collect them from every settings file; a file that cannot be read is Airflow's to report."""
    buckets, roles = set(), set()
    for path in sorted(path for folder in folders for path in folder.glob("*.yaml")):
        try:
            content = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError, UnicodeDecodeError):
            continue
        for text in _strings(content):
            if text.startswith("s3://"):
                buckets.add(text.removeprefix("s3://").partition("/")[0])
            elif text.startswith("arn:") and ":role/" in text:
                roles.add(text.rpartition("/")[2])
    return Wanted(frozenset(buckets), frozenset(roles))


def client(service: str, endpoint_url: str) -> Any:
    """A boto3 client of the local cloud, independent of the developer's AWS settings."""
    import boto3
    from botocore.config import Config

    config = Config(retries={"max_attempts": 3, "mode": "standard"}, proxies={})
    return boto3.Session(aws_access_key_id=LOGIN, aws_secret_access_key=PASSWORD, region_name=REGION).client(
        service, endpoint_url=endpoint_url, config=config
    )


def provision(endpoint_url: str, wanted: Wanted) -> list[str]:
    """Create what is missing; returns the names of what was created. Safe to repeat."""
    return [
        *_create_buckets(client("s3", endpoint_url), wanted.buckets),
        *_create_roles(client("iam", endpoint_url), wanted.roles),
    ]


def _create_buckets(s3: Any, names: frozenset[str]) -> Iterator[str]:
    existing = {bucket["Name"] for bucket in s3.list_buckets().get("Buckets", [])}
    for name in sorted(names - existing):
        s3.create_bucket(Bucket=name)
        yield f"s3://{name}"


def _create_roles(iam: Any, names: frozenset[str]) -> Iterator[str]:
    for name in sorted(names):
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        except iam.exceptions.EntityAlreadyExistsException:
            continue
        yield f"role/{name}"


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)
