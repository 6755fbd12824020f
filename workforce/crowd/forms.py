"""Reads a rendered question as a browser would: the item it shows, its form, and what can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bs4 import BeautifulSoup, Tag

from workforce.crowd.errors import UnreadableTask
from workforce.markup import Unfinished, tags

Kind = Literal["hidden", "text", "radio", "checkbox", "select"]

_SUBMIT_PATH = "/mturk/externalSubmit"
_NO_VALUE = {"button", "reset", "image", "file", "submit"}


@dataclass
class FormField:
    """One name of a form; `value` is what it holds untouched (None: nothing is sent)."""

    name: str
    kind: Kind
    value: str | None
    required: bool = False
    options: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RenderedTask:
    """What a worker sees: the item's id (if the page carries one) and the form, in document order."""

    item: str | None
    fields: Mapping[str, FormField]

    def choices(self, name: str) -> list[str]:
        """What may be chosen in a field; empty for free text. Raises UnreadableTask without the field."""
        if name not in self.fields:
            has = ", ".join(self.fields) or "none"
            raise UnreadableTask(f"the form has no field {name!r} (it has: {has})")
        return list(self.fields[name].options)

    def filled(self, answers: Mapping[str, str | None]) -> list[tuple[str, str]]:
        """The fields that a browser would send; an answer of None leaves its field out."""
        pairs: list[tuple[str, str]] = []
        for name, item in self.fields.items():
            value = answers.get(name, item.value)
            if value is not None:
                pairs.append((name, value))
        return pairs


def read_task(html: str, item_attribute: str) -> RenderedTask:
    """Read a page; raises UnreadableTask when there is no form to submit, or the page is too odd to parse."""
    try:
        for _ in tags(html):
            pass
        return _read(html, item_attribute)
    except UnreadableTask:
        raise
    except Unfinished as error:  # the parser below would look at the rest of it again and again
        raise UnreadableTask("the page ends inside of a tag, a comment or a script") from error
    except Exception as error:  # parsers raise whatever they like on what requesters write
        problem = " ".join(str(error).split())[:200]
        raise UnreadableTask(f"the page cannot be parsed: {type(error).__name__}: {problem}") from error


def _read(html: str, item_attribute: str) -> RenderedTask:
    page = BeautifulSoup(html, "html.parser")
    marked = page.select_one(f"[{item_attribute}]")
    item = str(marked[item_attribute]).strip() if marked else None
    form = _form(page)
    fields: dict[str, FormField] = {}
    for control in form.find_all(["input", "select", "textarea", "button"]):
        if control.get("name") and not control.has_attr("disabled"):
            _add(fields, control)
    return RenderedTask(item or None, fields)


def _form(page: BeautifulSoup) -> Tag:
    forms = page.find_all("form")
    if not forms:
        raise UnreadableTask("the page has no form")
    return next((form for form in forms if _SUBMIT_PATH in str(form.get("action", ""))), forms[0])


def _add(fields: dict[str, FormField], control: Tag) -> None:
    name, required = str(control["name"]), control.has_attr("required")
    if control.name == "select":
        _add_select(fields, control, name, required)
    elif control.name == "textarea":
        fields.setdefault(name, FormField(name, "text", control.get_text(), required))
    elif control.name == "input":
        _add_input(fields, control, name, required)


def _add_select(fields: dict[str, FormField], control: Tag, name: str, required: bool) -> None:
    options = [option for option in control.find_all("option") if not option.has_attr("disabled")]
    values = [_option_value(option) for option in options]
    chosen = next((_option_value(option) for option in options if option.has_attr("selected")), None)
    value = chosen if chosen is not None else next(iter(values), None)
    fields.setdefault(name, FormField(name, "select", value, required, [value for value in values if value]))


def _option_value(option: Tag) -> str:
    if option.has_attr("value"):
        return str(option["value"])
    # Only its own text: an option whose end tag was left out seems to hold the ones that follow
    return "".join(option.find_all(string=True, recursive=False)).strip()


def _add_input(fields: dict[str, FormField], control: Tag, name: str, required: bool) -> None:
    kind = str(control.get("type", "text")).lower()
    if kind in _NO_VALUE:
        return
    if kind in ("radio", "checkbox"):
        _add_option(fields, control, name, "radio" if kind == "radio" else "checkbox")
    elif kind == "hidden":
        fields.setdefault(name, FormField(name, "hidden", str(control.get("value", ""))))
    else:
        fields.setdefault(name, FormField(name, "text", str(control.get("value", "")), required))


def _add_option(
    fields: dict[str, FormField], control: Tag, name: str, kind: Literal["radio", "checkbox"]
) -> None:
    """Radio buttons and check boxes of one name are one field with several options."""
    group = fields.setdefault(name, FormField(name, kind, None))
    value = str(control.get("value", "on"))
    group.options.append(value)
    group.required = group.required or control.has_attr("required")
    if control.has_attr("checked"):
        group.value = value
