"""Keeps web pages away from the APIs: their keys are public, so only who asks can be checked.

A browser on this machine reaches loopback for any page that it shows. It says so with ``Origin`` and
with Fetch Metadata ("Fetch Metadata Request Headers", W3C), which a page cannot forge; SDKs, curl and
Airflow send neither. A page that makes its own name resolve to loopback (DNS rebinding) is our own
origin to the browser; ``Host`` gives that one away.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection

from localcloud.routing import Request, Route

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d{1,5})?", re.IGNORECASE)
_FOREIGN = frozenset({"cross-site", "same-site"})
_READING = frozenset({"GET", "HEAD"})
_SUBMIT = "/mturk/externalSubmit"
_STATIC = "/worker/static/"
_FRAME = "/worker/question/"
_MEDIA = frozenset({"image", "audio", "video"})


def refusal(request: Request, route: Route, allowed_hosts: Collection[str]) -> str | None:
    """Return why ``request`` must not be served, None when it may be.

    ``allowed_hosts`` are names, in lower case, by which this server is known besides those of loopback.
    """
    if not is_known_host(request.header("host"), allowed_hosts):
        return (
            f"The local cloud is not known as {request.header('host')[:100]!r}; use http://localhost, "
            "or start it with --allowed-host NAME."
        )
    if _is_foreign(request) and not _may_be_foreign(request, route):
        return "The local cloud does not take this request from a web page of another origin."
    return None


def is_known_host(host: str, allowed_hosts: Collection[str]) -> bool:
    """Tell whether a ``Host`` header names loopback or one of ``allowed_hosts``."""
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match.group(1).lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost") or name in allowed_hosts:
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_foreign(request: Request) -> bool:
    if request.header("sec-fetch-site").lower() in _FOREIGN:
        return True
    origin = request.headers.get("origin")
    return origin is not None and origin.lower() != f"http://{request.header('host')}".lower()


def _may_be_foreign(request: Request, route: Route) -> bool:
    """Allow what the site needs from its sandboxed frames, whose origin is opaque, and plain links."""
    if route is Route.EMULATOR:
        return _is_embedded_object(request)
    if request.signed or request.target:
        return False
    if route is Route.WORKFORCE and request.path == _SUBMIT:
        return True
    if request.method not in _READING:
        return False
    if route is Route.WORKFORCE and request.path.startswith(_STATIC):
        return True
    return route in (Route.WORKFORCE, Route.HOME, Route.HEALTH) and _is_navigation(request)


def _is_navigation(request: Request) -> bool:
    if request.header("sec-fetch-mode") != "navigate":
        return False
    # a question's page may load itself again; no other page of ours is for frames of strangers
    return request.header("sec-fetch-dest") == "document" or request.path.startswith(_FRAME)


def _is_embedded_object(request: Request) -> bool:
    """Tell whether a page shows an S3 object by its presigned URL, as <img> does; it cannot read it."""
    return (
        request.method == "GET"
        and "origin" not in request.headers
        and request.header("sec-fetch-mode") == "no-cors"
        and request.header("sec-fetch-dest") in _MEDIA
        and request.presigned_for_s3
        and request.path != "/"
        # the query protocol works with GET too, and the emulator goes by this parameter
        and "action" not in request.parameters
    )
