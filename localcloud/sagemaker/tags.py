"""The operations on tags of any resource."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.sagemaker.arns import Caller, parse_arn
from localcloud.sagemaker.errors import Refused
from localcloud.sagemaker.store import Document, DocumentStore

MAX_TAGS = 50


class Tags:
    """AddTags, ListTags and DeleteTags."""

    def __init__(self, store: DocumentStore) -> None:
        self._store = store

    def add(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Set tags, and return all that the resource has now."""

        def change(document: Document) -> None:
            tags = {tag["Key"]: tag for tag in [*document.get("Tags", []), *params["Tags"]]}
            if len(tags) > MAX_TAGS:
                raise Refused(f"A resource may have at most {MAX_TAGS} tags.")
            document["Tags"] = list(tags.values())

        return {"Tags": self._change(params["ResourceArn"], change)["Tags"]}

    def list(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Return the tags of a resource."""
        arn = params["ResourceArn"]
        document = self._store.get(*self._resource(arn))
        if document is None:
            raise self._missing(arn)
        return {"Tags": document.get("Tags", [])}

    def delete(self, params: Mapping[str, Any], _caller: Caller) -> Document:
        """Remove tags by their keys; keys that are not there are passed over."""

        def change(document: Document) -> None:
            document["Tags"] = [t for t in document.get("Tags", []) if t["Key"] not in params["TagKeys"]]

        self._change(params["ResourceArn"], change)
        return {}

    def _change(self, arn: str, change: Callable[[Document], None]) -> Document:
        document = self._store.update(*self._resource(arn), change)
        if document is None:
            raise self._missing(arn)
        return document

    def _resource(self, arn: str) -> tuple[str, str]:
        parsed = parse_arn(arn)
        if parsed is None:
            raise self._missing(arn)
        return parsed

    def _missing(self, arn: str) -> Refused:
        return Refused(f'Could not find resource "{arn}".')
