"""Durable state of the market: SQLite in a file, or PostgreSQL, by URL."""

from __future__ import annotations

from workforce.store.engine import Store
from workforce.store.errors import StoreError

__all__ = ["Store", "StoreError"]
