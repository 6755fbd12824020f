"""Worker pages from Liquid templates.

Values are escaped for HTML text and quoted attributes; ``check_template`` makes sure that a template uses
them nowhere else. A template sees:

- ``item``: the item's columns (``item.note``), and ``item_id``;
- ``task``: ``title``, ``description``, ``question``, ``instructions``, ``labels``, ``language``;
- ``image``: the address of the item's image, if the batch has images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from liquid import BoundTemplate, Environment, StrictUndefined
from liquid.exceptions import LiquidError, UndefinedError

from groundswell.batches.sections import Task
from groundswell.errors import TemplateError
from groundswell.templates.images import image_source
from groundswell.templates.question import html_question, unsendable_character

__all__ = ["TaskText", "html_question", "image_source", "parse_template", "render_page"]

_ENVIRONMENT = Environment(autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True)
class TaskText:
    """What a page says that is the same for all items of a batch."""

    title: str
    description: str
    labels: tuple[str, ...]
    question: str = "Which label fits?"
    instructions: str = ""
    language: str = "en"

    @classmethod
    def of(cls, task: Task) -> TaskText:
        """The texts of a batch's task."""
        return cls(
            title=task.title,
            description=task.description,
            labels=task.labels,
            question=task.question,
            instructions=task.instructions,
            language=task.language,
        )


def render_page(
    template: Path,
    *,
    item: Mapping[str, str],
    item_id: str,
    task: TaskText,
    image_src: str | None,
) -> str:
    """Render the page that asks for one item.

    A value comes back verbatim from the parsed page, except that line ends become line feeds, as every XML
    and HTML parser makes them. Characters that XML 1.0 cannot carry (control characters, lone surrogates,
    U+FFFE and U+FFFF) are refused rather than replaced: a worker should not judge what is not in the dataset.

    Args:
        template: the Liquid file.
        item: the item's columns.
        item_id: the item's key.
        task: the texts of the batch.
        image_src: what ``image_source`` returned, or None for a batch without images.

    Raises:
        TemplateError: names the template, the item, and the field that is unknown or cannot be sent.
    """
    where = f"{template}: item {item_id!r}"
    values = _values(where, item=item, item_id=item_id, task=task, image_src=image_src)
    try:
        page = parse_template(template).render(**values)
    except UndefinedError as error:
        raise TemplateError(
            f"{where}: {_detail(error)}; a page can use {', '.join(_known_names(values))}"
        ) from None
    except LiquidError as error:
        raise TemplateError(f"{where}: {_detail(error)}") from None
    except RecursionError:
        raise TemplateError(f"{where}: the template nests too deeply; simplify it") from None
    return page


def parse_template(template: Path) -> BoundTemplate:
    """Read and parse a template; unchanged text is parsed once per process.

    Raises:
        TemplateError: names the template, and the line of a syntax error.
    """
    try:
        text = template.read_bytes().decode("utf-8")
    except OSError as error:
        raise TemplateError(
            f"{template}: cannot be read: {error.strerror or error}; fix task.template"
        ) from None
    except UnicodeDecodeError as error:
        raise TemplateError(f"{template}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    try:
        return _parse(text)
    except LiquidError as error:
        raise TemplateError(f"{template}: {_detail(error)}") from None
    except RecursionError:
        raise TemplateError(f"{template}: the template nests too deeply; simplify it") from None


@lru_cache(maxsize=64)
def _parse(text: str) -> BoundTemplate:
    return _ENVIRONMENT.from_string(text)


def _values(
    where: str, *, item: Mapping[str, str], item_id: str, task: TaskText, image_src: str | None
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "item": {name: _sendable(where, f"item.{name}", value) for name, value in item.items()},
        "item_id": _sendable(where, "item_id", item_id),
        "task": {
            "title": _sendable(where, "task.title", task.title),
            "description": _sendable(where, "task.description", task.description),
            "question": _sendable(where, "task.question", task.question),
            "instructions": _sendable(where, "task.instructions", task.instructions),
            "labels": [_sendable(where, "task.labels", label) for label in task.labels],
            "language": _sendable(where, "task.language", task.language),
        },
    }
    if image_src is not None:
        values["image"] = _sendable(where, "image", image_src)
    return values


def _sendable(where: str, field: str, value: str) -> str:
    character = unsendable_character(value)
    if character:
        raise TemplateError(
            f"{where}: field {field} has the character {character}, which a page cannot carry; "
            "remove it from the dataset or the batch file"
        )
    return value.replace("\r\n", "\n").replace("\r", "\n")


def _known_names(values: Mapping[str, Any]) -> list[str]:
    names = []
    for name, value in values.items():
        names += [f"{name}.{key}" for key in value] if isinstance(value, dict) else [name]
    return names


def _detail(error: LiquidError) -> str:
    """The message of a Liquid error on one line, with the line of the template if it is known."""
    context = error.context()
    line = f"line {context[0]}: " if context else ""
    return line + " ".join(str(error.message).split())
