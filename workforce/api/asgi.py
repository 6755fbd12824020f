"""The Requester API over HTTP: ``POST /`` with ``X-Amz-Target``."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from workforce.api.errors import json_error
from workforce.api.service_model import SerializationFailed, ServiceModel, UnknownOperation, ValidationFailed
from workforce.api.sigv4 import Identity, KeyRing, SignatureProblem, single_headers, verify
from workforce.api.writing import value_text
from workforce.market import Market, RequestError, ServiceFault

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 1_048_576
# Fewer than the connections that SQLAlchemy's pool gives out, so that no call waits for one in vain.
MAX_MARKET_THREADS = 12
_INVALID_PARAMETER = "AWS.MechanicalTurk.InvalidParameterValue"
_TEMPORARILY_UNABLE = "The server is temporarily unable to process your request. Try your call again."

Endpoint = Callable[[Request], Awaitable[Response]]


def api_app(market: Market, keys: KeyRing) -> Starlette:
    """Return an application that answers API calls on ``POST /`` and nothing else."""
    return Starlette(routes=[Route("/", api_endpoint(market, keys), methods=["POST"])])


def api_endpoint(market: Market, keys: KeyRing) -> Endpoint:
    """Return the handler of API calls, for an application that has other routes as well."""
    handler = _Requests(market, keys, ServiceModel("mturk"))
    return handler.answer


class _BodyTooLarge(Exception):
    """The request has more than MAX_BODY_BYTES."""


class _Requests:
    def __init__(self, market: Market, keys: KeyRing, model: ServiceModel) -> None:
        self._market = market
        self._keys = keys
        self._model = model
        self._threads = CapacityLimiter(MAX_MARKET_THREADS)

    async def answer(self, request: Request) -> Response:
        """Answer one call; never raises."""
        request_id = str(uuid.uuid4())
        try:
            body = await _read_body(request)
        except _BodyTooLarge:
            problem = f"The request body is larger than {MAX_BODY_BYTES} bytes."
            response = json_error("RequestEntityTooLargeException", problem, 413)
        except ClientDisconnect:
            response = Response(status_code=400)
        else:
            # The market is synchronous, and checking a large body takes a while too.
            response = await to_thread.run_sync(
                self._respond, request, body, request_id, limiter=self._threads
            )
        response.headers["x-amzn-RequestId"] = request_id
        return response

    def _respond(self, request: Request, body: bytes, request_id: str) -> Response:
        try:
            headers = single_headers(request.headers.raw)
            identity = self._identify(request, headers, body)
            operation = self._model.operation_of(headers.get("x-amz-target", ""))
            return self._perform(operation, identity, body)
        except SignatureProblem as problem:
            return json_error(problem.code, problem.message, problem.status)
        except UnknownOperation as problem:
            return json_error(problem.code, problem.message)
        except ValidationFailed as problem:
            return _refusal_of(problem)
        except RequestError as error:
            return _turk_error("RequestError", str(error), error.turk_code, 400)
        except ServiceFault as error:
            return _turk_error("ServiceFault", str(error), None, 500)
        except Exception:
            logger.exception("request %s failed", request_id)
            return _turk_error("ServiceFault", _TEMPORARILY_UNABLE, None, 500)

    def _identify(self, request: Request, headers: Mapping[str, str], body: bytes) -> Identity:
        return verify(
            method=request.method,
            path=request.scope.get("raw_path", b"/").decode("latin-1"),
            query=request.scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            keys=self._keys,
            services={self._model.signing_name},
            now=datetime.now(UTC),
        )

    def _perform(self, operation: str, identity: Identity, body: bytes) -> Response:
        self._market.count_call(identity.account, operation)
        params = self._model.parse(operation, body)
        result = self._market.requester.call(operation, identity.account, params)
        content = self._model.serialise(operation, result)
        return Response(content, media_type=self._model.content_type)


async def _read_body(request: Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _BodyTooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _refusal_of(problem: ValidationFailed) -> Response:
    """Answer a request that the model refuses.

    Clients of this service know only RequestError, so every bad parameter comes as one. A body
    without parameters to speak of, since it is not a JSON object, never reaches AWS's service
    code and has AWS's own error.
    """
    if isinstance(problem, SerializationFailed) and problem.member is None:
        return json_error(problem.code, problem.message)
    return _turk_error("RequestError", problem.message, _INVALID_PARAMETER, 400)


def _turk_error(kind: str, message: str, turk_code: str | None, status: int) -> Response:
    """Return one of the two modelled errors; real messages end with the time in milliseconds."""
    body = {"__type": kind, "Message": f"{message} ({time.time_ns() // 1_000_000})"}
    if turk_code:
        body["TurkErrorCode"] = turk_code
    content = value_text(body).encode("utf-8", "replace")
    headers = {"x-amzn-ErrorType": kind}
    return Response(content, status_code=status, media_type="application/x-amz-json-1.1", headers=headers)
