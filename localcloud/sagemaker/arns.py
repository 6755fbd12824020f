"""Amazon Resource Names of the resources that are served here."""

from __future__ import annotations

import re
from dataclasses import dataclass

TRAINING_JOB = "training-job"
MODEL = "model"
ENDPOINT_CONFIG = "endpoint-config"
ENDPOINT = "endpoint"
WORKFORCE = "workforce"
WORKTEAM = "workteam"
LABELING_JOB = "labeling-job"
KINDS = frozenset({TRAINING_JOB, MODEL, ENDPOINT_CONFIG, ENDPOINT, WORKTEAM})
"""Kinds whose tags can be listed; workforces take tags but do not list them."""

_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:\d{12}:(?P<kind>[a-z-]+)/(?P<name>[^/]+)")
_TEAM = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:\d{12}:(?P<kind>workteam)/private-crowd/(?P<name>[^/]+)"
)


@dataclass(frozen=True)
class Caller:
    """Whose request it is: the account and region that go into the names of what it makes."""

    account: str = "000000000000"
    region: str = "us-east-1"

    def arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"


def parse_arn(arn: str) -> tuple[str, str] | None:
    """Return (kind, name), None when it is not the ARN of a kind that carries tags here."""
    found = _TEAM.fullmatch(arn) or _ARN.fullmatch(arn)
    if found is None or found["kind"] not in KINDS:
        return None
    return found["kind"], found["name"]
