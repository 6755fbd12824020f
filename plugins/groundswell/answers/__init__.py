"""Worker answers as they come from the requester API, turned into plain values."""

from __future__ import annotations
