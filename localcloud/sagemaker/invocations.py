"""InvokeEndpoint: requests to the processes behind an endpoint.

Protocol: InvokeEndpoint, Amazon SageMaker Runtime API reference (restJson1).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from starlette.responses import Response

from localcloud.sagemaker.arns import Caller
from localcloud.sagemaker.hosting.fleet import LOG_GROUP_PREFIX, Fleet, Instance
from localcloud.sagemaker.service import SageMaker

_PREFIX = "x-amzn-sagemaker-"
_VARIANT = "x-amzn-sagemaker-target-variant"
_CUSTOM = "x-amzn-sagemaker-custom-attributes"
_PASSED = ("content-type", "accept", _CUSTOM, "x-amzn-sagemaker-inference-id", "x-amzn-sagemaker-session-id")
_BACK = (_CUSTOM, "x-amzn-sagemaker-new-session-id", "x-amzn-sagemaker-closed-session-id")
_POOL = httpx.Limits(max_connections=None, max_keepalive_connections=32)


def runtime_error(code: str, message: str, status: int, **members: Any) -> Response:
    """Return an error as the runtime API writes it."""
    return Response(
        json.dumps({"Code": code, "Message": message, **members}),
        status_code=status,
        media_type="application/json",
        headers={"x-amzn-ErrorType": code},
    )


class Invoker:
    """Forwards invocations; one for each application, used on its event loop."""

    def __init__(self, service: SageMaker) -> None:
        self._service = service
        # trust_env off: the processes are on this machine, whatever proxy the environment names
        self._http = httpx.AsyncClient(
            timeout=service.settings.invocation_timeout, limits=_POOL, trust_env=False
        )

    async def invoke(self, name: str, headers: Mapping[str, str], body: bytes, caller: Caller) -> Response:
        """Answer one InvokeEndpoint request."""
        fleet = self._service.fleet(name)
        if fleet is None:
            text = f"Endpoint {name} of account {caller.account} not found."
            return runtime_error("ValidationError", text, 400)
        try:
            return await self._invoke(fleet, name, headers, body, caller)
        finally:
            fleet.release()

    async def _invoke(
        self, fleet: Fleet, name: str, headers: Mapping[str, str], body: bytes, caller: Caller
    ) -> Response:
        target = headers.get(_VARIANT)
        instance = fleet.choose(target)
        if instance is None:
            text = f"Variant {target} of endpoint {name} of account {caller.account} not found."
            return runtime_error("ValidationError", text, 400)
        try:
            answer = await self._http.post(
                f"http://127.0.0.1:{instance.port}/invocations",
                content=body,
                headers={key: headers[key] for key in _PASSED if key in headers},
            )
        except httpx.TimeoutException:
            return _model_error(
                name,
                caller,
                0,
                "Your invocation timed out while waiting for a response from container primary. Review the "
                "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.",
            )
        except httpx.TransportError as error:
            text = f"The model of endpoint {name} cannot be reached; it may be starting again: {error!r}"
            return runtime_error("ServiceUnavailable", text, 503)
        return _answer(answer, instance, name, caller)


def _answer(answer: httpx.Response, instance: Instance, name: str, caller: Caller) -> Response:
    if not answer.is_success:
        return _model_error(name, caller, answer.status_code, answer.text)
    headers = {key: answer.headers[key] for key in _BACK if key in answer.headers}
    headers["x-Amzn-Invoked-Production-Variant"] = instance.name
    headers["Content-Type"] = answer.headers.get("content-type", "application/octet-stream")
    return Response(answer.content, headers=headers)


def _model_error(name: str, caller: Caller, status: int, message: str) -> Response:
    kind = "client" if 400 <= status < 500 else "server"
    group = f"{LOG_GROUP_PREFIX}{name}"
    text = (
        f'Received {kind} error ({status}) from primary with message "{message}". See '
        f"https://{caller.region}.console.aws.amazon.com/cloudwatch/home?region={caller.region}"
        f"#logEventViewer:group={group} in account {caller.account} for more information."
    )
    return runtime_error(
        "ModelError",
        text,
        424,
        OriginalStatusCode=status,
        OriginalMessage=message,
        LogStreamArn=f"arn:aws:logs:{caller.region}:{caller.account}:log-group:{group}",
    )
