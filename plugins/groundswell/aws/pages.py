"""Worker pages of a batch's items."""

from __future__ import annotations

from collections.abc import Mapping

from groundswell.aws.part_store import s3_location
from groundswell.aws.runs import LabelingRun
from groundswell.errors import DatasetError, TemplateError
from groundswell.templates.render import TaskText, html_question, image_source, render_page

#: The form field of a worker page that carries the label.
LABEL_FIELD = "label"
#: The longest that S3 lets a signed link last.
MOST_SIGNED_SECONDS = 7 * 86_400


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
    try:
        return html_question(html, task.frame_height)
    except TemplateError as error:
        raise TemplateError(f"{task.template}: item {item!r}: {error}") from error


def _image(run: LabelingRun, value: str) -> str:
    if not value.startswith("s3://"):
        return image_source(value, run.batch.task.image_folder)
    bucket, key = s3_location(value)
    if not bucket or not key:
        raise DatasetError(f"image {value!r} is not the URI of an object; write s3://bucket/key")
    url = run.s3.generate_presigned_url(
        "get_object", params={"Bucket": bucket, "Key": key}, expires_in=_signed_seconds(run)
    )
    return str(url)


def _signed_seconds(run: LabelingRun) -> int:
    """Return how long workers need a link: each further worker who is asked may renew the HIT's lifetime."""
    task, redundancy = run.batch.task, run.batch.redundancy
    renewals = redundancy.most - redundancy.first
    needed = task.lifetime_seconds + task.assignment_duration_seconds
    if needed > MOST_SIGNED_SECONDS:
        raise DatasetError(
            "images in S3 are shown by signed links, which last 7 days at most; shorten task.lifetime in "
            f"{run.batch.file.name}, or serve the images by https"
        )
    return min(needed + renewals * task.lifetime_seconds, MOST_SIGNED_SECONDS)
