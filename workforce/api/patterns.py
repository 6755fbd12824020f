"""Java regular expressions of the AWS service models, translated for Python.

The models' ``pattern`` traits are written for ``java.util.regex``, where they must match the
whole value. Most compile unchanged; the differences that occur are handled here. A pattern that
still does not compile is treated as absent: a server that refuses nothing for it is of more use
than one that crashes.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
import warnings

_PROPERTY = re.compile(r"\\p\{(\w+)\}")
_SURROGATE_PAIR = re.compile(r"\\u(D[89ABab][0-9A-Fa-f]{2})\\u(D[C-Fc-f][0-9A-Fa-f]{2})")
_REPEATED_ANCHOR = re.compile(r"(?<!\\)\$\{\d+(,\d*)?\}")
_POSIX_CLASSES = {
    "Alnum": "a-zA-Z0-9",
    "Alpha": "a-zA-Z",
    "ASCII": r"\x00-\x7f",
    "Digit": "0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Punct": r"!-/:-@\[-`{-~",
    "Graph": "!-~",
    "Print": " -~",
    "Space": r"\s",
    "Blank": r" \t",
}


@functools.cache
def compiled(pattern: str) -> re.Pattern[str] | None:
    """Return the pattern for use with ``fullmatch``; None when Python cannot express it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Java's \d, \w and \s know ASCII only unless told otherwise.
            return re.compile(_translated(pattern), re.ASCII)
    except (re.error, OverflowError, RecursionError):
        return None


def matches(pattern: str, value: str) -> bool:
    """Tell whether the whole value matches; True when the pattern is not usable."""
    expression = compiled(pattern)
    return expression is None or expression.fullmatch(value) is not None


def _translated(pattern: str) -> str:
    pattern = _SURROGATE_PAIR.sub(_code_point, pattern)
    pattern = _REPEATED_ANCHOR.sub("$", pattern)
    return _expand_properties(pattern)


def _code_point(match: re.Match[str]) -> str:
    pair = chr(int(match[1], 16)) + chr(int(match[2], 16))
    character = pair.encode("utf-16", "surrogatepass").decode("utf-16")
    return f"\\U{ord(character):08x}"


def _expand_properties(pattern: str) -> str:
    r"""Replace ``\p{L}`` by a character class, with brackets only where it stands alone."""
    out: list[str] = []
    inside = False
    position = 0
    while position < len(pattern):
        prop = _PROPERTY.match(pattern, position)
        if prop:
            ranges = _class_ranges(prop[1])
            out.append(ranges if inside else f"[{ranges}]")
            position = prop.end()
            continue
        width = 2 if pattern[position] == "\\" else 1
        piece = pattern[position : position + width]
        inside = piece == "[" or (inside and piece != "]")
        out.append(piece)
        position += width
    return "".join(out)


@functools.cache
def _class_ranges(name: str) -> str:
    if name in _POSIX_CLASSES:
        return _POSIX_CLASSES[name]
    if name.startswith("Is"):
        name = name[2:]
    ranges: list[str] = []
    start: int | None = None
    for code in range(sys.maxunicode + 2):
        inside = code <= sys.maxunicode and unicodedata.category(chr(code)).startswith(name)
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = None
    if not ranges:
        raise re.error(f"unknown character property {name}")
    return "".join(ranges)
