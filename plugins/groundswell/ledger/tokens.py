"""Names for what a call is for: the same in every retry, whatever the clock or the machine."""

from __future__ import annotations

import hashlib
import json

from groundswell.errors import LedgerError

#: MTurk's limit for ``RequesterAnnotation``, in characters.
ANNOTATION_LIMIT = 255
#: MTurk's limit for ``UniqueRequestToken``, in characters.
TOKEN_LIMIT = 64


def run_key(run_id: str) -> str:
    """Return 16 hexadecimal digits that stand for an Airflow run id in names with small alphabets."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:16]


def request_token(batch: str, run_id: str, item: str, purpose: str, ordinal: int) -> str:
    """Return the ``UniqueRequestToken`` of one mutating call.

    It is a digest of what the call is for, so that a retry, a cleared task or a twin of the task sends the
    very same token and the workforce refuses the second effect.
    """
    meaning = json.dumps([batch, run_id, item, purpose, ordinal], ensure_ascii=False)
    return hashlib.sha256(meaning.encode()).hexdigest()[:TOKEN_LIMIT]


def annotation(batch: str, run_id: str, item: str) -> str:
    """Return the ``RequesterAnnotation`` by which a HIT can be found again once its token has expired.

    Long item ids are replaced by a digest: the annotation is compared, never parsed for the id.
    """
    text = json.dumps({"batch": batch, "run": run_key(run_id), "item": item}, ensure_ascii=True)
    if len(text) <= ANNOTATION_LIMIT:
        return text
    digest = hashlib.sha256(item.encode()).hexdigest()
    text = json.dumps({"batch": batch, "run": run_key(run_id), "item_sha256": digest})
    if len(text) > ANNOTATION_LIMIT:
        raise LedgerError(f"batch name {batch!r} is too long for a HIT's annotation; shorten it")
    return text


def marked_item(text: str, batch: str, run_id: str) -> str | None:
    """Return what a HIT's annotation says of its item, or None where it is not of this run.

    For a long item id it is ``sha256 …``, since the id itself is not there.
    """
    try:
        mark = json.loads(text)
    except ValueError:
        return None  # somebody else's
    if not isinstance(mark, dict) or (mark.get("batch"), mark.get("run")) != (batch, run_key(run_id)):
        return None
    return str(mark["item"]) if "item" in mark else f"sha256 {mark.get('item_sha256')}"
