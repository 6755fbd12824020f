"""One AWS JSON service as botocore models it: requests are parsed and validated, results written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import botocore.session

from workforce.api.reading import SerializationFailed, ShapeReader, UnknownOperation, ValidationFailed
from workforce.api.writing import json_text

__all__ = ["SerializationFailed", "ServiceModel", "UnknownOperation", "ValidationFailed"]


class ServiceModel:
    """The model of one service of protocol ``json``, such as ``mturk`` or ``sagemaker``.

    Instances are immutable after construction and may be used by several threads.
    """

    def __init__(self, service: str) -> None:
        self._model = botocore.session.Session().get_service_model(service)
        protocol = self._model.metadata.get("protocol")
        if protocol != "json":
            raise ValueError(f"{service} speaks {protocol}; only services of protocol json are served")
        self.service = service
        self.operations: frozenset[str] = frozenset(self._model.operation_names)
        self.target_prefix: str = self._model.metadata["targetPrefix"]
        self.json_version: str = self._model.metadata["jsonVersion"]
        self.signing_name: str = self._model.signing_name

    @property
    def content_type(self) -> str:
        """The media type of requests and responses."""
        return f"application/x-amz-json-{self.json_version}"

    def operation_of(self, target: str) -> str:
        """Return the operation that an ``X-Amz-Target`` header names; raises UnknownOperation."""
        prefix, _, operation = target.rpartition(".")
        if prefix != self.target_prefix:
            problem = f"Unknown target '{target[:100]}': expected {self.target_prefix}.<Operation>"
            raise UnknownOperation([problem])
        self._require(operation)
        return operation

    def parse(self, operation: str, body: bytes) -> dict[str, Any]:
        """Return the parameters of a request; timestamps become aware UTC datetimes.

        Unknown members are ignored and nulls count as absent, as AWS does. Raises ValidationFailed
        with all broken constraints, or its kinds SerializationFailed (unreadable document, wrong
        JSON type) and UnknownOperation.
        """
        self._require(operation)
        document = _document(body)
        shape = self._model.operation_model(operation).input_shape
        if shape is None:
            return {}
        reader = ShapeReader()
        values: dict[str, Any] = reader.read(shape, document)
        if reader.problems:
            raise ValidationFailed(reader.problems)
        return values

    def serialise(self, operation: str, result: Mapping[str, Any]) -> bytes:
        """Return the response body: compact JSON with the output shape's members only.

        An operation without an output shape has an empty body. Timestamps are epoch seconds as
        Java prints doubles; they must be aware datetimes, else ValueError.
        """
        self._require(operation)
        shape = self._model.operation_model(operation).output_shape
        return b"" if shape is None else json_text(shape, result).encode()

    def _require(self, operation: str) -> None:
        if operation not in self.operations:
            raise UnknownOperation([f"The operation '{operation[:100]}' does not exist in {self.service}"])


def _document(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        document = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SerializationFailed("The request body is not valid JSON") from error
    if not isinstance(document, dict):
        raise SerializationFailed("The request body must be a JSON object")
    return document


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
