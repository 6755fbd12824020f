"""Identifiers that look like the ones clients have seen: 30 capital letters and digits, starting with 3."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_uppercase + string.digits
_LENGTH = 30


def new_id() -> str:
    """A new identifier of a HIT, HIT type, HIT group or assignment; about 150 random bits."""
    number = secrets.randbits(160)
    characters = []
    for _ in range(_LENGTH - 1):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "3" + "".join(characters)
