"""Text and the grounds that it stands on, in both themes: contrast enough to be read (WCAG 2.1, 4.5:1)."""

from __future__ import annotations

import re

import pytest

from tests.conftest import CHECKOUT

CSS = (CHECKOUT / "plugins/groundswell/ui/static/ui.css").read_text()
THEMES = {
    "light": CSS[CSS.index(":root {") :],
    "dark": CSS[CSS.index(':root[data-theme="dark"] {') :],
    "dark by the system": CSS[CSS.index(":root:not([data-theme]) {") :],
}
PAIRS = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in ("bg", "raised", "sunken")),
    *((mark, f"{mark}-soft") for mark in ("good", "warn", "bad", "accent")),
    *((mark, "raised") for mark in ("good", "warn", "bad")),
    ("on-accent", "accent"),
]


def light(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", THEMES)
def test_text_can_be_read_on_its_ground(theme: str) -> None:
    tokens = dict(re.findall(r"--([\w-]+): (#\w{6});", THEMES[theme].split("}")[0]))
    for ink, ground in PAIRS:
        low, high = sorted((light(tokens[ink]), light(tokens[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
