"""Checks AWS Signature Version 4 of requests, with botocore's own signer as the reference.

Protocol: "Create a signed AWS API request", AWS IAM User Guide. Only the Authorization header
form with a signed payload is taken, which is what SDKs send to JSON services; presigned URLs,
unsigned and chunked payloads are not.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW = timedelta(minutes=15)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
_CREDENTIAL = re.compile(r"[\w.@=+-]{1,128}/\d{8}/[a-zA-Z0-9-]{1,64}/[a-z0-9-]{1,64}/aws4_request", re.ASCII)
_ONCE = frozenset({"authorization", "content-type", "date", "host"})
_TARGET = re.compile(r"/[!\"$-~]*")  # visible ASCII without a fragment
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)


@dataclass(frozen=True)
class Identity:
    """Who signed a request: the key, the account it belongs to, and the scope of the signature."""

    access_key: str
    account: str
    region: str
    service: str


class SignatureProblem(Exception):
    """The request is not signed, or not well; ``status`` and ``code`` are what AWS answers."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


class KeyRing(Protocol):
    """The access keys that a server knows."""

    def secret(self, access_key: str) -> str | None:
        """Return the key's secret; None when the key is unknown."""
        ...

    def account(self, access_key: str) -> str:
        """Return the id of the account that the key belongs to."""
        ...


@dataclass(frozen=True)
class _Authorization:
    access_key: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


class _Verifier(SigV4Auth):  # type: ignore[misc]
    """botocore's signer, told which headers were signed instead of choosing them itself."""

    def __init__(self, secret: str, authorization: _Authorization) -> None:
        credentials = Credentials(authorization.access_key, secret)
        super().__init__(credentials, authorization.service, authorization.region)
        self._signed = authorization.signed_headers

    def headers_to_sign(self, request: Any) -> Any:
        chosen = HTTPHeaders()
        for name in self._signed:
            chosen[name] = request.headers[name]
        return chosen


def credential_scope(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return (region, service) that an Authorization header claims, unverified; None without one."""
    try:
        authorization = _parse_authorization(_lower(headers))
    except SignatureProblem:
        return None
    return authorization.region, authorization.service


def single_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return a request's headers by lower-case name; raises SignatureProblem when one is ambiguous.

    ``raw`` is the list as received (ASGI's ``headers``). Whatever a signature covers or a request is
    carried out by may come once only, or the value that was verified need not be the one that is used.
    Other headers that come again are joined by commas, as HTTP has it.
    """
    return _single((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)


def verify(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    keys: KeyRing,
    services: Collection[str],
    now: datetime,
) -> Identity:
    """Return who signed the request; raises SignatureProblem when it is not validly signed.

    ``path`` and ``query`` are as on the request line, still percent-encoded. ``services`` are the
    signing names that this server answers for. The signature's time may be 15 minutes from ``now``.
    ``headers`` should come from ``single_headers``, and the request be carried out by the same ones.
    """
    given = _single(headers.items())
    authorization = _parse_authorization(given)
    _check_signed_headers(authorization, given)
    timestamp = _check_time(authorization, given, now)
    if authorization.service not in services:
        names = " or ".join(f"'{name}'" for name in sorted(services))
        raise _invalid(f"Credential should be scoped to correct service: {names}.")
    secret = keys.secret(authorization.access_key)
    if secret is None:
        problem = "The security token included in the request is invalid."
        raise SignatureProblem("UnrecognizedClientException", problem)
    expected = _signature(method, path, query, given, body, secret, authorization, timestamp)
    if not hmac.compare_digest(expected.encode(), authorization.signature.encode()):
        raise _invalid(_MISMATCH)
    return Identity(
        access_key=authorization.access_key,
        account=keys.account(authorization.access_key),
        region=authorization.region,
        service=authorization.service,
    )


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _single(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    repeated: set[str] = set()
    for name, value in ((name.lower(), value) for name, value in headers):
        if name in found:
            repeated.add(name)
            value = f"{found[name]},{value}"
        found[name] = value
    if not repeated:
        return found
    for name in sorted(repeated):
        if name in _ONCE or name.startswith("x-amz-"):
            raise _repeated(name)
    signed = re.search(r"SignedHeaders=([^,\s]*)", found.get("authorization", ""))
    for name in signed[1].lower().split(";") if signed else ():
        if name in repeated:
            raise _repeated(name)
    return found


def _repeated(name: str) -> SignatureProblem:
    return _incomplete(f"The header '{name[:100]}' is in the request more than once; send it once.")


def _parse_authorization(headers: Mapping[str, str]) -> _Authorization:
    value = headers.get("authorization", "")
    if not value:
        raise SignatureProblem("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = value.partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm[:40]}'; it must be {ALGORITHM}.")
    fields = dict(_field(part) for part in rest.split(",") if part.strip())
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not fields.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    if not _CREDENTIAL.fullmatch(fields["Credential"]):
        raise _incomplete("Credential must be <access key>/<date>/<region>/<service>/aws4_request.")
    access_key, date, region, service, _ = fields["Credential"].rsplit("/", 4)
    signed = tuple(fields["SignedHeaders"].lower().split(";"))
    return _Authorization(access_key, date, region, service, signed, fields["Signature"])


def _field(part: str) -> tuple[str, str]:
    name, _, value = part.strip().partition("=")
    return name, value


def _check_signed_headers(authorization: _Authorization, headers: Mapping[str, str]) -> None:
    signed = set(authorization.signed_headers)
    absent = sorted(signed - headers.keys())
    if absent:
        raise _incomplete(f"SignedHeaders names '{absent[0][:100]}', which the request does not have.")
    needed = {"host"} | {name for name in headers if name.startswith("x-amz-")}
    unsigned = sorted(needed - signed)
    if unsigned:
        raise _incomplete(f"'{unsigned[0]}' must be a 'SignedHeader' in the AWS Authorization.")


def _check_time(authorization: _Authorization, headers: Mapping[str, str], now: datetime) -> str:
    moment = _request_time(headers)
    timestamp = moment.strftime(_TIMESTAMP)
    if authorization.date != timestamp[:8]:
        raise _invalid(
            f"Date '{authorization.date}' in Credential scope is not that of the request, '{timestamp}'."
        )
    if moment < now - CLOCK_SKEW:
        limit = (now - CLOCK_SKEW).strftime(_TIMESTAMP)
        shown = f"({now.strftime(_TIMESTAMP)} - 15 min.)"
        raise _invalid(f"Signature expired: {timestamp} is now earlier than {limit} {shown}")
    if moment > now + CLOCK_SKEW:
        limit = (now + CLOCK_SKEW).strftime(_TIMESTAMP)
        shown = f"({now.strftime(_TIMESTAMP)} + 15 min.)"
        raise _invalid(f"Signature not yet current: {timestamp} is still later than {limit} {shown}")
    return timestamp


def _request_time(headers: Mapping[str, str]) -> datetime:
    text = headers.get("x-amz-date") or headers.get("date")
    if not text:
        raise _incomplete("Authorization header requires a 'X-Amz-Date' or a 'Date' header.")
    try:
        return datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError as error:
        raise _incomplete("Date must be in ISO-8601 'basic format', such as 20261121T201500Z.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _signature(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    authorization: _Authorization,
    timestamp: str,
) -> str:
    if not _TARGET.fullmatch(path + query):
        raise _invalid(_MISMATCH)
    url = f"http://localhost{path}" + (f"?{query}" if query else "")  # the host line comes from the header
    request = AWSRequest(method=method, url=url, data=body, headers=dict(headers))
    request.context["timestamp"] = timestamp
    if "x-amz-content-sha256" in headers:
        # The signer believes this header; it is the sender's claim, so put the truth in its place
        # for the payload line. If it was signed with another value, the signatures differ.
        request.headers.replace_header("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    signer = _Verifier(secret, authorization)
    canonical = signer.canonical_request(request)
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


def _invalid(message: str) -> SignatureProblem:
    return SignatureProblem("InvalidSignatureException", message)


def _incomplete(message: str) -> SignatureProblem:
    return SignatureProblem("IncompleteSignatureException", message)
