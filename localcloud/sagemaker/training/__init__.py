"""Training jobs: requests, the container contract, and the processes that train."""

from __future__ import annotations
