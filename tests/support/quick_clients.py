"""Boto3 clients that cost a tenth: a test that kills a task at each of its effects makes dozens of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

import botocore.session
import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook


@contextmanager
def quick_clients() -> Iterator[None]:
    """Let all sessions share what they read of botocore's files, and hooks not search the stack.

    Within a session botocore shares it itself. Hooks look through all modules for the name of the operator,
    which they put into the User-Agent.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.session.create_loader))
        patch.setattr(AwsGenericHook, "_get_caller", lambda *_: "Tests")
        yield
