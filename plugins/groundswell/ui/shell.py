"""
What all pages share: templates, static files, addresses, and the protocol of fragments.

A page extends ``base.html`` and holds *fragments*, which the script loads after the page is there::

    <div data-fragment="{{ url('labelling/fragments/batches') }}">{{ states.loading("Reading") }}</div>

The script fetches ``data-fragment`` with the query of the page's own address appended (not where the element
has ``data-fixed``): filters, sorting and the page number are in the address, and a link to it shows the same.
An element of the answer may carry:

``data-refresh="15"``   load again after so many seconds (not while the tab is hidden or updates are paused);
``data-announce="…"``   on the root element: what a screen reader hears after the reader changed something.

Links and forms with ``data-live`` load the fragments anew with their query and change the address, and do not
load the page; forms stand outside the fragments, so that nobody loses what they type. Links with
``data-airflow`` lead to Airflow's own pages, out of the frame. ``<table data-sortable id="…">`` sorts by its
``<th data-sort="text|number">`` in the browser; a cell may say what it sorts by in ``data-value``.
A button with ``data-pause`` (hidden until something refreshes) stops and resumes the refreshing.
``document`` gets the event ``groundswell:shown`` (``detail.root``) when a fragment was put in.

Content-Security-Policy: scripts and styles from files only (``static/``, or a page's own folder of that
name); style attributes are allowed.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from groundswell.ui import formats

#: Where Airflow mounts the app.
PREFIX = "/groundswell"
_HERE = Path(__file__).parent
#: The pages; each has folders ``templates`` and ``static``, and its files are called ``<page>/<file>``.
PAGES = ("labelling", "throughput")


class Page(HTMLResponse):
    """HTML that cannot fail on what workers wrote: lone surrogates become replacement characters."""

    def render(self, content: Any) -> bytes:
        """Encode."""
        return str(content).encode("utf-8", "replace")


def _environment() -> Environment:
    pages = PrefixLoader({page: FileSystemLoader(_HERE / page / "templates") for page in PAGES})
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(_HERE / "templates"), pages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= formats.FILTERS
    environment.globals |= {"url": _url, "static": _static, "query": query}
    return environment


def is_fragment(request: Request) -> bool:
    """Return whether the script asks for a part of a page."""
    return request.headers.get("x-groundswell-fragment") == "1"


def page(request: Request, name: str, status: int = 200, **context: Any) -> Response:
    """
    Render a template: a whole page or a fragment.

    :param name: a shared template, or ``labelling/…``, ``throughput/…``.
    :param context: what the template uses besides ``request``, ``url``, ``static`` and ``query``.
    """
    text = templates.get_template(name).render(request=request, **context)
    return Page(text, status_code=status)


def url(request: Request, path: str = "", **parameters: Any) -> str:
    """Return the address of a page: below where Airflow mounted the app; None and "" are left out."""
    base = str(request.scope.get("root_path", "")).rstrip("/")
    return f"{base}/{path}{query(parameters)}"


def airflow_root(request: Request) -> str:
    """Return the path under which Airflow itself is served, without the last slash."""
    return str(request.scope.get("root_path", "")).rstrip("/").removesuffix(PREFIX)


def query(parameters: Mapping[str, Any]) -> str:
    """Return ``?a=b`` of what is not None or "", or ""."""
    pairs = [(name, str(value)) for name, value in parameters.items() if value not in (None, "", False)]
    return f"?{urlencode(pairs, errors='replace')}" if pairs else ""


@pass_context
def _url(context: Context, path: str = "", **parameters: Any) -> str:
    return url(context["request"], path, **parameters)


@pass_context
def _static(context: Context, name: str) -> str:
    body = _file(name)
    version = hashlib.sha256(body).hexdigest()[:12] if body is not None else None
    return url(context["request"], f"static/{name}", v=version)


@cache
def _files() -> dict[str, Path]:
    """Name -> path of every static file: what is not in this list is not served."""
    folders = {"": _HERE / "static"} | {f"{page}/": _HERE / page / "static" for page in PAGES}
    return {
        f"{prefix}{path.name}": path
        for prefix, folder in folders.items()
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in {".css", ".js", ".svg"}
    }


@cache
def _file(name: str) -> bytes | None:
    path = _files().get(name)
    return None if path is None else path.read_bytes()


def static_file(request: Request, name: str) -> Response | None:
    """Serve a static file, None where there is none; its address changes with it, so browsers may keep it."""
    body = _file(name)
    if body is None:
        return None
    kind = "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]
    kept = "private, max-age=31536000, immutable" if request.query_params.get("v") else "private, no-cache"
    return Response(body, media_type=kind, headers={"Cache-Control": kept})


templates = _environment()
