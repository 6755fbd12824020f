"""Opening a market's database for a command: one line for the operator when it cannot be."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from workforce.store import Store
from workforce.store.errors import StoreError

DEFAULT_ACCOUNT = "000000000000"


class StartProblem(Exception):
    """A command cannot start; the text is one line that says what to change."""


def open_store(url: str, *, must_exist: bool = False) -> Store:
    """Open the database; raises StartProblem with one line, the password left out.

    With ``must_exist`` a new SQLite file is not made: to read from a new one is surely a typing error.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StartProblem("--db is no database URL; use sqlite:///file.db or postgresql://...") from error
    shown = parsed.render_as_string(hide_password=True)
    if must_exist and parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise StartProblem(f"--db {shown}: there is no such file; give the URL that the server runs on")
    try:
        return Store.open(url)
    except (StoreError, SQLAlchemyError, ImportError, OSError) as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StartProblem(f"--db {shown}: {reason}") from error
