"""The answer document: form fields to QuestionFormAnswers XML, byte for byte as recorded from the service."""

from __future__ import annotations

import re
from collections.abc import Sequence

NAMESPACE = (
    "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/QuestionFormAnswers.xsd"
)
# sent along by every form, and not answers
RESERVED = frozenset({"assignmentId", "hitId", "turkSubmitTo", "workerId"})

# what XML 1.0 cannot carry, not even escaped
_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def answer_xml(fields: Sequence[tuple[str, str]]) -> str:
    """The document for a submitted form, in the order of the fields.

    Of several fields with one name the first is kept, as the service documents that only one is. Characters
    that XML cannot carry become U+FFFD: a worker's submission is never lost to them.
    """
    seen: set[str] = set()
    lines = [
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>',
        f'<QuestionFormAnswers xmlns="{NAMESPACE}">',
    ]
    for name, value in fields:
        if not name or name in RESERVED or name in seen:
            continue
        seen.add(name)
        text = f"<FreeText>{_text(value)}</FreeText>" if value else "<FreeText/>"
        identifier = f"<QuestionIdentifier>{_text(name)}</QuestionIdentifier>"
        lines += ["<Answer>", identifier, text, "</Answer>"]
    lines.append("</QuestionFormAnswers>")
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    return _IMPOSSIBLE.sub(_REPLACEMENT, value).translate(_ESCAPES)
