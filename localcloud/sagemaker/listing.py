"""The common behaviour of the List operations: filters, order, pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from localcloud.sagemaker.errors import Refused
from localcloud.sagemaker.store import Document

_PAGE = 10
_TIMES = ("CreationTime", "LastModifiedTime")


def listed(
    documents: Iterable[Document],
    params: Mapping[str, Any],
    *,
    name_key: str,
    status_key: str | None = None,
    descending: bool = True,
) -> tuple[list[Document], str | None]:
    """Return one page of the documents that the request asks for, and the token of the next page.

    ``descending`` is the order of operations whose request names none. Raises Refused on a token
    that was not given out here.
    """
    chosen = [d for d in documents if _matches(d, params, name_key, status_key)]
    key = _sort_key(params, name_key, status_key)
    reverse = params.get("SortOrder", "Descending" if descending else "Ascending") == "Descending"
    chosen.sort(key=key, reverse=reverse)
    if token := params.get("NextToken"):
        last = _last_key(token)
        # goes on after the last item shown, so nothing is skipped when items vanish in between
        chosen = [d for d in chosen if (key(d) < last if reverse else key(d) > last)]
    size = params.get("MaxResults", _PAGE)
    page = chosen[:size]
    return page, _token(key(page[-1])) if len(chosen) > size else None


def _matches(document: Document, params: Mapping[str, Any], name_key: str, status_key: str | None) -> bool:
    if params.get("NameContains", "").lower() not in document[name_key].lower():
        return False
    wanted = params.get("StatusEquals")
    if wanted is not None and (status_key is None or document[status_key] != wanted):
        return False
    return all(_in_window(document, field, params) for field in _TIMES)


def _in_window(document: Document, field: str, params: Mapping[str, Any]) -> bool:
    after: datetime | None = params.get(f"{field}After")
    before: datetime | None = params.get(f"{field}Before")
    value: datetime = document.get(field) or document["CreationTime"]
    return (after is None or value >= after) and (before is None or value <= before)


def _sort_key(
    params: Mapping[str, Any], name_key: str, status_key: str | None
) -> Callable[[Document], tuple[str, str]]:
    by = params.get("SortBy", "CreationTime")

    def key(document: Document) -> tuple[str, str]:
        name = document[name_key].lower()
        if by == "Name":
            return name, ""
        first = (
            document[status_key] if by == "Status" and status_key else document["CreationTime"].isoformat()
        )
        return first, name

    return key


def _token(key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _last_key(token: str) -> tuple[str, str]:
    try:
        first, second = json.loads(base64.urlsafe_b64decode(token.encode()))
        return str(first), str(second)
    except (binascii.Error, ValueError, TypeError) as error:
        raise Refused("Invalid NextToken: pass the token of the previous page unchanged.") from error
