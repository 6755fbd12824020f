"""Worker pages: Liquid templates rendered with escaped values and wrapped in question XML."""

from __future__ import annotations
