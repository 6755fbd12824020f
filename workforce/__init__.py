"""A self-hosted server that speaks the Mechanical Turk Requester API, with the marketplace behind it."""

from __future__ import annotations
