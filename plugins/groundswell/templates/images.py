"""The address of an item's image, as a worker's browser can load it."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from groundswell.errors import DatasetError

MAX_INLINE_BYTES = 40_000
"""Largest image file that goes into the page; in base64 it leaves about 11 KB of a question for the page."""

_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
}
_HTTPS = re.compile(r"https://[^/\s\"'<>\\^`{|}]+(?:/[^\s\"'<>\\^`{|}]*)?", re.ASCII)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SHOWN = 80


def image_source(value: str, folder: Path | None) -> str:
    """Turn what a dataset says about an image into the ``src`` of an ``<img>``.

    Args:
        value: an https URL, which stays as it is, or a file name relative to ``folder``, which becomes a
            ``data:`` URI, so that the page shows without any server and its name gives nothing away.
        folder: the batch's image folder; None if it has none.

    Raises:
        DatasetError: for anything else: other schemes, paths that leave the folder, files that are missing,
            empty, too large, or of an unknown type. The caller adds the item.
    """
    if _HTTPS.fullmatch(value):
        return value
    shown = repr(value if len(value) <= _SHOWN else f"{value[: _SHOWN - 3]}...")
    if not value.strip():
        raise DatasetError("the image is empty; give a file name or an https URL")
    if value.startswith("https://"):
        raise DatasetError(f"image {shown} is not a valid URL; percent-encode the characters that need it")
    if _SCHEME.match(value):
        raise DatasetError(
            f"image {shown} cannot be opened by a worker's browser; give an https URL, "
            "or a file name in task.image_folder"
        )
    if folder is None:
        raise DatasetError(
            f"image {shown} is a file name, but the batch has no task.image_folder; "
            "add that option, or give https URLs"
        )
    return _inline(_file_in(folder, value, shown), shown)


def _file_in(folder: Path, value: str, shown: str) -> Path:
    root = folder.resolve()
    try:
        path = (root / value).resolve()
        inside = path.is_relative_to(root)
        is_file = inside and path.is_file()
    except (OSError, ValueError, RuntimeError):  # a NUL, a name that is too long, a circle of links
        inside, is_file = True, False
    if not inside:
        raise DatasetError(f"image {shown} is outside {folder}; move the file into that folder")
    if not is_file:
        raise DatasetError(
            f"image {shown}: there is no such file in {folder}; add it, or correct the dataset"
        )
    return path


def _inline(path: Path, shown: str) -> str:
    kind = _TYPES.get(path.suffix.lower())
    if kind is None:
        raise DatasetError(f"image {shown} is not of a known type; use one of {', '.join(sorted(_TYPES))}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"image {shown} cannot be read: {error.strerror or error}") from None
    if not content:
        raise DatasetError(f"image {shown} is an empty file; replace it")
    if len(content) > MAX_INLINE_BYTES:
        raise DatasetError(
            f"image {shown} has {len(content):,} bytes; at most {MAX_INLINE_BYTES:,} fit into a page: "
            "make it smaller, or serve it by https and give the URL"
        )
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
