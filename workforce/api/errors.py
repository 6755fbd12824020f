"""Error responses in the shape that AWS clients parse."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

AMZ_JSON = "application/x-amz-json-1.1"


def json_error(code: str, message: str, status: int = 400, extra: Mapping[str, str] = {}) -> Response:
    """Return an AWS JSON 1.1 error.

    The code goes into ``__type`` (botocore ignores the ``x-amzn-ErrorType`` header alone), the
    text into ``message`` and ``Message`` since services differ and clients read either; ``extra``
    holds further members, such as ``TurkErrorCode``.
    """
    body = {"__type": code, "message": message, "Message": message, **extra}
    content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Response(content, status_code=status, media_type=AMZ_JSON, headers={"x-amzn-ErrorType": code})
