"""What can go wrong when a database is opened."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be used; the message says why and what to do."""
