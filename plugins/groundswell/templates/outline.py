"""What a rendered worker page consists of, as far as checking it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_RAW_TEXT = {"script", "style"}
_CONTROLS = {"input", "select", "textarea", "button"}


@dataclass
class Control:
    """A form field of one name: its type, and the values that it offers."""

    name: str
    kind: str
    values: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A form, or a ``<crowd-form>``, which submits by itself."""

    tag: str
    method: str
    action: str
    controls: list[Control] = field(default_factory=list)

    def named(self, name: str) -> list[Control]:
        """The controls of that name."""
        return [control for control in self.controls if control.name == name]


class Outline(HTMLParser):
    """Elements and attributes of a page in order, its forms, and what is in places that run."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.code: list[tuple[str, str]] = []
        self.forms: list[Form] = []
        self._open_form: Form | None = None
        self._open_select: Control | None = None
        self._raw: str | None = None
        self.feed(page)
        self.close()

    def attribute_values(self, name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [value for _, attribute, value in self.attributes if attribute == name]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element, and what it means for the form around it."""
        values = {name: value or "" for name, value in attrs}
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._raw = tag if tag in _RAW_TEXT else None
        if tag in {"form", "crowd-form"}:
            self._open_form = Form(tag, values.get("method", "get").lower(), values.get("action", ""))
            self.forms.append(self._open_form)
        elif tag == "option" and self._open_select is not None:
            self._open_select.values.append(values.get("value", ""))
        elif self._open_form is not None and values.get("name"):
            self._add_control(self._open_form, tag, values)

    def _add_control(self, form: Form, tag: str, values: dict[str, str]) -> None:
        if tag not in _CONTROLS and not tag.startswith("crowd-"):
            return
        kind = values.get("type", "text").lower() if tag == "input" else tag
        control = Control(values["name"], kind)
        if "value" in values:
            control.values.append(values["value"])
        form.controls.append(control)
        if tag == "select":
            self._open_select = control

    def handle_endtag(self, tag: str) -> None:
        """Close what is open."""
        self.elements.append((f"/{tag}", ()))
        self._raw = None
        if tag in {"form", "crowd-form"}:
            self._open_form = None
        elif tag == "select":
            self._open_select = None

    def handle_data(self, data: str) -> None:
        """Keep the text of scripts and styles."""
        if self._raw is not None:
            self.code.append((f"<{self._raw}>", data))

    def handle_comment(self, data: str) -> None:
        """Keep comments: a value in one could end it."""
        self.code.append(("a comment", data))

    def handle_decl(self, decl: str) -> None:
        """Keep declarations, which belong to the structure."""
        self.elements.append((f"!{decl}", ()))
