"""What is shown instead of a page: each problem says what is wrong and what to do about it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response
from markupsafe import Markup
from starlette.exceptions import HTTPException

from groundswell.ui import shell

#: The look of the one page that strangers get; it loads nothing, so it is in the page.
_STYLE = (
    ":root{color-scheme:light dark}body{margin:0;display:grid;min-height:100vh;place-items:center;"
    "font:15px/1.6 system-ui,sans-serif}main{max-width:44ch;padding:24px}h1{font-size:22px;margin:0 0 8px}"
)
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()


class PageProblem(Exception):
    """
    A page cannot be shown.

    :param status: HTTP status.
    :param title: what is wrong, in a few words.
    :param text: the same in a sentence or two.
    :param fix: what the reader can do.
    """

    def __init__(self, status: int, title: str, text: str, fix: str = "") -> None:
        super().__init__(title)
        self.status, self.title, self.text, self.fix = status, title, text, fix


class NotFound(PageProblem):
    """There is no such page, batch, run or item."""

    def __init__(self, what: str, name: str, fix: str = "") -> None:
        shown = name if len(name) <= 120 else f"{name[:119]}…"
        text = f"There is no {what} “{shown}” here." if shown else f"There is no such {what}."
        super().__init__(404, f"No such {what}", text, fix or "Check the address, or start from the list.")


class Forbidden(PageProblem):
    """The user is known but may not read the DAG."""

    def __init__(self, what: str, dag_id: str) -> None:
        super().__init__(
            403,
            "You may not see this",
            f"To see {what} you need to be able to read the DAG “{dag_id}” in Airflow.",
            "Ask an administrator of this Airflow for read access to that DAG.",
        )


class Unavailable(PageProblem):
    """A store or service did not answer, or refused."""

    def __init__(self, text: str) -> None:
        super().__init__(
            502,
            "The data cannot be read",
            text,
            "Try again in a moment. If it stays so, check the connection and the store that the message "
            "names.",
        )


def on_page_problem(request: Request, error: Exception) -> Response:
    """Answer a :class:`PageProblem`."""
    return _answer(request, cast("PageProblem", error))


def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what FastAPI and Airflow's sign-in raise."""
    error = cast("HTTPException", error)
    if error.status_code == 401 or (error.status_code == 403 and not hasattr(request.state, "page_user")):
        return _sign_in(request, error.status_code)
    problem = PageProblem(error.status_code, "This cannot be shown", str(error.detail))
    if error.status_code == 405:
        problem = PageProblem(405, "These pages only show", "Nothing can be changed here, only looked at.")
    return _answer(request, problem, dict(error.headers or {}))


def on_invalid_address(request: Request, error: Exception) -> Response:
    """Answer an address whose parameters are missing or malformed."""
    names: list[str] = []
    for each in getattr(error, "errors", list)():
        names.append(str(each.get("loc", ("", "?"))[-1]))
    listed = ", ".join(sorted(set(names)))
    text = f"Something in the address is missing or malformed: {listed}."
    return _answer(request, PageProblem(400, "Not an address of this page", text, "Start from the list."))


def broken(request: Request, reference: str) -> Response:
    """Answer an error that nobody foresaw."""
    text = "This page ran into an error that nobody foresaw. Nothing was changed by it."
    fix = f"Try again. If it comes back, the api-server's log tells more under the reference {reference}."
    return _answer(request, PageProblem(500, "Something broke", text, fix))


def _answer(request: Request, problem: PageProblem, headers: dict[str, str] | None = None) -> Response:
    context: dict[str, Any] = {"problem": problem, "title": problem.title}
    name = "problem_fragment.html" if shell.is_fragment(request) else "problem.html"
    response = shell.page(request, name, status=problem.status, **context)
    response.headers.update(headers or {})
    return response


def _sign_in(request: Request, status: int) -> Response:
    """Ask to sign in. The page stands alone: not even the style sheet is served to strangers."""
    root = shell.airflow_root(request)
    login = f"{root}/api/v2/auth/login?{urlencode({'next': f'{root}/'})}"
    name = "sign_in_fragment.html" if shell.is_fragment(request) else "sign_in.html"
    response = shell.page(request, name, status=status, login=login, style=Markup(_STYLE))  # noqa: S704
    response.headers["WWW-Authenticate"] = "Bearer"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; frame-ancestors 'self'"
    )
    return response
