"""The two HTTP interfaces of SageMaker: AWS JSON 1.1 at ``/``, and invocations."""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from localcloud.sagemaker.arns import Caller
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.invocations import Invoker, runtime_error
from localcloud.sagemaker.service import SageMaker
from workforce.api.errors import json_error
from workforce.api.service_model import ServiceModel, ValidationFailed
from workforce.api.sigv4 import KeyRing, SignatureProblem, credential_scope, single_headers, verify

__all__ = ["SageMaker", "sagemaker_app"]

logger = logging.getLogger(__name__)

SIGNING_NAME = "sagemaker"
MAX_CONTROL_BYTES = 2**20
MAX_INVOCATION_BYTES = 6 * 2**20
"""InvokeEndpoint, Amazon SageMaker Runtime API reference: 6,291,456 bytes."""
_MAX_DISCARDED = 64 * 2**20


def sagemaker_app(service: SageMaker, keys: KeyRing) -> Starlette:
    """Return the application for ``POST /`` and ``POST /endpoints/{name}/invocations``.

    ``service`` must be started and stopped by the caller.
    """
    model = ServiceModel("sagemaker")
    invoker = Invoker(service)

    async def control(request: Request) -> Response:
        try:
            body, caller = await _authenticated(request, MAX_CONTROL_BYTES, keys)
        except SignatureProblem as problem:
            return _refused(json_error(problem.code, problem.message, problem.status))
        target = request.headers.get("x-amz-target", "")
        return _numbered(await run_in_threadpool(_answer, service, model, target, body, caller))

    async def invocation(request: Request) -> Response:
        try:
            body, caller = await _authenticated(request, MAX_INVOCATION_BYTES, keys)
        except SignatureProblem as problem:
            return _refused(runtime_error(problem.code, problem.message, problem.status))
        name = request.path_params["name"]
        return _numbered(await invoker.invoke(name, request.headers, body, caller))

    return Starlette(
        routes=[
            Route("/", control, methods=["POST"]),
            Route("/endpoints/{name}/invocations", invocation, methods=["POST"]),
        ]
    )


def _numbered(response: Response) -> Response:
    """Give the response the id that SDKs report in ResponseMetadata."""
    response.headers["x-amzn-RequestId"] = str(uuid.uuid4())
    return response


def _refused(response: Response) -> Response:
    """Let the connection end: what was not read of the body must not be taken for the next request."""
    response.headers["Connection"] = "close"
    return _numbered(response)


async def _authenticated(request: Request, limit: int, keys: KeyRing) -> tuple[bytes, Caller]:
    """Return the body, of at most ``limit`` bytes, and who sent it; raises SignatureProblem.

    A signature covers the body, so all of it must be here; but nothing is read for a request that
    does not even claim one.
    """
    headers = single_headers(request.headers.raw)
    if credential_scope(headers) is None:
        return b"", _caller(request, headers, b"", keys)  # raises: it says what is missing
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            body += chunk
        elif size > _MAX_DISCARDED:
            break
        else:
            body.clear()  # the client reads our answer only once it has sent everything
    if size > limit:
        message = f"The request body is larger than {limit} bytes."
        raise SignatureProblem("RequestEntityTooLargeException", message, 413)
    content = bytes(body)
    return content, _caller(request, headers, content, keys)


def _caller(request: Request, headers: dict[str, str], body: bytes, keys: KeyRing) -> Caller:
    path = request.scope.get("raw_path") or request.url.path.encode()
    identity = verify(
        method=request.method,
        path=path.decode("ascii"),
        query=request.url.query,
        headers=headers,
        body=body,
        keys=keys,
        services=(SIGNING_NAME,),
        now=datetime.now(UTC),
    )
    return Caller(identity.account, identity.region)


def _answer(service: SageMaker, model: ServiceModel, target: str, body: bytes, caller: Caller) -> Response:
    try:
        operation = model.operation_of(target)
        result = service.call(operation, model.parse(operation, body), caller)
        return Response(model.serialise(operation, result), media_type=model.content_type)
    except ValidationFailed as error:
        return json_error(error.code, error.message)
    except ApiError as error:
        return json_error(error.code, error.message, error.status)
    except Exception:
        logger.exception("%s", target)
        # 500 is what SDKs try again; the reason is in our log, not for the caller
        return json_error("InternalFailure", "Internal error of the local SageMaker; its log says more.", 500)
