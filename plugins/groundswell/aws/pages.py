"""Worker pages of a batch's items."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError
from groundswell.templates.render import TaskText, html_question, image_source, render_page

#: The form field of a worker page that carries the label.
LABEL_FIELD = "label"


def question(run: LabelingRun, item: str, values: Mapping[str, str]) -> str:
    """
    Return the HTMLQuestion XML that asks about one item.

    :raises DatasetError: where the item's image cannot be shown.
    :raises TemplateError: where the template does not fit the item, or the page is too large.
    """
    task = run.batch.task
    try:
        image = None if task.image is None else _image(run, values[task.image])
    except DatasetError as error:
        raise DatasetError(f"{run.batch.dataset.path}: item {item!r}: {error}") from error
    html = render_page(task.template, item=values, item_id=item, task=TaskText.of(task), image_src=image)
    return html_question(html, task.frame_height)


def _image(run: LabelingRun, value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "s3":
        return image_source(value, run.batch.task.image_folder)
    # Signed for the life of the HIT and the last assignment accepted in it
    seconds = run.batch.task.lifetime_seconds + run.batch.task.assignment_duration_seconds
    url = run.s3.generate_presigned_url(
        "get_object", params={"Bucket": parts.netloc, "Key": parts.path.lstrip("/")}, expires_in=seconds
    )
    return str(url)
