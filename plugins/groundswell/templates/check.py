"""Whether a worker page template can do its work, found out before anything is published."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from pathlib import Path

from groundswell.errors import TemplateError
from groundswell.templates.outline import Form, Outline
from groundswell.templates.render import TaskText, parse_template, render_page

_ACTION = re.compile(r"https://(?:www|workersandbox)\.mturk\.com/mturk/externalSubmit")
_TASK_NAMES = ("title", "description", "question", "instructions", "labels", "language")
_CHOICES = {"radio", "checkbox", "button", "select"}
_RUNNING_ATTRIBUTES = {"style", "srcdoc"}
_ADDRESS_ATTRIBUTES = {"href", "src", "action", "formaction", "data", "xlink:href", "poster"}

_ITEM_ID = "check-1"
_IMAGE = "https://example.com/check-image.png"
_TOKEN = "gsw7k"  # noqa: S105 (a mark that is searched for in the page, not a secret)
_HOSTILE = f"{_TOKEN} x=y \"z=\" 'w=' <b c> --> ]]> </script></style></textarea></title>"


def check_template(
    template: Path, *, task: TaskText, columns: Collection[str], image: bool, label_field: str = "label"
) -> None:
    """Render a template with samples, and look whether the page can be shown, answered and evaluated.

    Args:
        template: the Liquid file.
        task: the texts of the batch.
        columns: the columns of the dataset.
        image: whether the batch has an image per item.
        label_field: name of the form field that carries the label.

    Raises:
        TemplateError: names the template and the first thing that is missing or unsafe in it.
    """
    _check_names(template, columns, image)
    item = {column: f"{column} of the item" for column in columns}
    source = _IMAGE if image else None
    page = Outline(render_page(template, item=item, item_id=_ITEM_ID, task=task, image_src=source))
    form = _check_form(template, page)
    _check_label_field(template, form, label_field, task.labels)
    _check_item(template, page, image)
    _check_escaping(template, columns, len(task.labels), source)


def _check_names(template: Path, columns: Collection[str], image: bool) -> None:
    known = {f"item.{column}" for column in columns} | {f"task.{name}" for name in _TASK_NAMES}
    known |= {"item", "task", "item_id"} | ({"image"} if image else set())
    for name, variables in parse_template(template).analyze().globals.items():
        for variable in variables:
            segments = variable.segments[:2] if name in {"item", "task"} else variable.segments[:1]
            used = ".".join(str(segment) for segment in segments)
            if used not in known and all(isinstance(segment, str) for segment in segments):
                raise TemplateError(f"{template}: {{{{ {used} }}}}: {_unknown(used, known, image)}")


def _unknown(used: str, known: Iterable[str], image: bool) -> str:
    if used == "image" and not image:
        return "the batch has no images; set task.image to the column that names them"
    kind = "the dataset has no such column" if used.startswith("item.") else "there is no such value"
    section, _, name = used.rpartition(".")
    siblings = sorted(other for other in known if other.rpartition(".")[0] == section)
    close = difflib.get_close_matches(name, [other.rpartition(".")[2] for other in siblings], n=1)
    if close:
        return f"{kind}; did you mean {f'{section}.' if section else ''}{close[0]}?"
    return f"{kind}; use one of {', '.join(siblings)}"


def _check_form(template: Path, page: Outline) -> Form:
    for form in page.forms:
        if form.tag == "crowd-form":
            return form
        if form.method == "post" and _ACTION.fullmatch(form.action):
            if not form.named("assignmentId"):
                raise TemplateError(
                    f"{template}: the form has no field assignmentId, without which nothing can be "
                    'submitted; add <input type="hidden" name="assignmentId" value="">'
                )
            return form
    raise TemplateError(
        f"{template}: there is no form that submits the answer; add "
        '<form method="post" action="https://www.mturk.com/mturk/externalSubmit">'
    )


def _check_label_field(template: Path, form: Form, label_field: str, labels: Collection[str]) -> None:
    controls = form.named(label_field)
    if not controls:
        raise TemplateError(
            f"{template}: the form has no field {label_field!r}, which carries the label; "
            f'add radio buttons or a select with name="{label_field}"'
        )
    if any(control.kind not in _CHOICES for control in controls):
        return  # filled by a script or a crowd element
    offered = {value for control in controls for value in control.values}
    for label in labels:
        if label not in offered:
            raise TemplateError(
                f"{template}: the field {label_field!r} does not offer the label {label!r}; "
                "make its choices with {% for label in task.labels %}"
            )


def _check_item(template: Path, page: Outline, image: bool) -> None:
    if image and not any(value == _IMAGE for _, _, value in page.attributes):
        raise TemplateError(
            f'{template}: the image of the item is not shown; add <img src="{{{{ image }}}}" alt="...">'
        )
    if _ITEM_ID not in page.attribute_values("data-item"):
        raise TemplateError(
            f"{template}: no element has data-item, which says what the page asks about; add "
            'data-item="{{ item_id }}" to the main element'
        )


def _check_escaping(template: Path, columns: Collection[str], n_labels: int, source: str | None) -> None:
    """Compare a page of harmless values with one of values that try to break out of their place."""
    pages = [_sample(template, value, columns, n_labels, source) for value in (_TOKEN, _HOSTILE)]
    for place, text in pages[0].code:
        if _TOKEN in text:
            raise TemplateError(
                f"{template}: a value is put into {place}, where escaping for HTML does not protect; "
                "put it into an attribute such as data-value and read it from there"
            )
    for tag, name, value in pages[0].attributes:
        running = name.startswith("on") or name in _RUNNING_ATTRIBUTES
        if _TOKEN in value and (running or (name in _ADDRESS_ATTRIBUTES and value.startswith(_TOKEN))):
            raise TemplateError(
                f"{template}: a value is put into {name} of <{tag}>, where it could run as code; "
                "put it into an attribute such as data-value instead"
            )
    if pages[0].elements != pages[1].elements:
        raise TemplateError(
            f"{template}: a value can change the structure of the page; put quotes around every attribute "
            "that has {{ }} in it, and do not use the filter safe"
        )


def _sample(
    template: Path, value: str, columns: Collection[str], n_labels: int, source: str | None
) -> Outline:
    task = TaskText(
        title=value,
        description=value,
        labels=tuple(f"{value}{number}" for number in range(n_labels)),
        question=value,
        instructions=value,
        language=value,
    )
    item = dict.fromkeys(columns, value)
    return Outline(render_page(template, item=item, item_id=value, task=task, image_src=source))
