"""From several answers per item to one label with a score, and which items need one more answer."""

from __future__ import annotations
