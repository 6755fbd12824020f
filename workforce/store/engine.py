"""Opening the database."""

from __future__ import annotations


class Store:
    """The database of one market."""

    @classmethod
    def open(cls, url: str) -> Store:
        """Open `sqlite:///path`, `sqlite://` (in memory) or `postgresql://…`."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of all connections."""
        raise NotImplementedError
