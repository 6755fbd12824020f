"""The scripts that run inside the "container" of an endpoint; they import nothing of this project."""

from __future__ import annotations
