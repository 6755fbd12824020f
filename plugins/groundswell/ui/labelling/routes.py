"""The addresses of the Labelling page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from groundswell.ui import shell

router = APIRouter()


@router.get("")
def batches(request: Request) -> Response:
    """All batches."""
    return shell.page(request, "labelling/batches.html")
