"""Errors in the shape that the AWS client of each protocol parses.

Protocols: AWS JSON 1.0/1.1 and REST JSON ("__type" and "message"), the query protocol
(``ErrorResponse``), S3's REST XML (``Error``) and Smithy RPC v2 CBOR, which CloudWatch clients use.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from xml.sax.saxutils import escape

from localcloud.routing import Request


class Protocol(Enum):
    """How the client that sent a request wants to read an error."""

    JSON = "json"
    QUERY = "query"
    S3 = "s3"
    CBOR = "cbor"


@dataclass(frozen=True)
class Answer:
    """A complete response."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def protocol_of(request: Request) -> Protocol:
    """Find out the protocol from what SDKs send."""
    if request.header("smithy-protocol") == "rpc-v2-cbor":
        return Protocol.CBOR
    content_type = request.header("content-type")
    if request.target or "json" in content_type:
        return Protocol.JSON
    if content_type.startswith("application/x-www-form-urlencoded"):
        return Protocol.QUERY
    return Protocol.S3 if request.service in ("s3", "s3express", None) else Protocol.JSON


def error_answer(
    request: Request, status: int, code: str, message: str, extra: Mapping[str, str] | None = None
) -> Answer:
    """Build the error ``code`` for the client that sent ``request``."""
    request_id = str(uuid.uuid4())
    protocol = protocol_of(request)
    content_type, body = _BODIES[protocol](code, message, request_id)
    headers = {
        "content-type": content_type,
        "content-length": str(len(body)),
        "x-amzn-requestid": request_id,
        "x-amz-request-id": request_id,
        **(extra or {}),
    }
    if protocol is Protocol.JSON:
        headers["x-amzn-errortype"] = code
    if protocol is Protocol.CBOR:
        headers["smithy-protocol"] = "rpc-v2-cbor"
    encoded = tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())
    return Answer(status, encoded, b"" if request.method == "HEAD" else body)


def _json(code: str, message: str, request_id: str) -> tuple[str, bytes]:
    return "application/x-amz-json-1.1", json.dumps({"__type": code, "message": message}).encode()


def _query(code: str, message: str, request_id: str) -> tuple[str, bytes]:
    kind = "Receiver" if code in ("ServiceUnavailable", "InternalFailure") else "Sender"
    body = (
        f"<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return "text/xml", body.encode()


def _s3(code: str, message: str, request_id: str) -> tuple[str, bytes]:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
    )
    return "application/xml", body.encode()


def _cbor(code: str, message: str, request_id: str) -> tuple[str, bytes]:
    pairs = (("__type", code), ("message", message))
    return "application/cbor", b"\xa2" + b"".join(_cbor_text(text) for pair in pairs for text in pair)


def _cbor_text(text: str) -> bytes:
    """Encode a text string, RFC 8949 major type 3, with a two-byte length."""
    raw = text.encode()[:0xFFFF]
    return b"\x79" + len(raw).to_bytes(2, "big") + raw


_BODIES = {Protocol.JSON: _json, Protocol.QUERY: _query, Protocol.S3: _s3, Protocol.CBOR: _cbor}
