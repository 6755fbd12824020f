"""The annotators' web site: find work, do it in a sandboxed frame, see what was earned."""

from __future__ import annotations

from workforce.site.asgi import site_app

__all__ = ["site_app"]
