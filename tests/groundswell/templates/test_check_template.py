from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.errors import TemplateError
from groundswell.templates.check import check_template
from groundswell.templates.render import TaskText

INCLUDE = Path(__file__).parents[3] / "include"
TASK = TaskText(title="t", description="d", labels=("cat", "dog"))
ACTION = "https://www.mturk.com/mturk/externalSubmit"
GOOD = f"""<!DOCTYPE html><main data-item="{{{{ item_id }}}}"><form method="post" action="{ACTION}">
<input type="hidden" name="assignmentId"><img src="{{{{ image }}}}" alt="">
{{% for label in task.labels %}}<input type="radio" name="label" value="{{{{ label }}}}">{{% endfor %}}
<p>{{{{ item.note }}}}</p></form></main>"""


def check(folder: Path, text: str, *, image: bool = True) -> None:
    path = folder / "page.html"
    path.write_text(text)
    check_template(path, task=TASK, columns=["id", "note"], image=image)


def test_the_template_that_comes_with_the_project() -> None:
    template = INCLUDE / "templates" / "image_classification.liquid.html"
    check_template(template, task=TASK, columns=["id"], image=True)


def test_a_template_with_all_that_is_needed(tmp_path: Path) -> None:
    check(tmp_path, GOOD)
    check(tmp_path, GOOD.replace("www.mturk", "workersandbox.mturk"))
    check(tmp_path, GOOD.replace('<img src="{{ image }}" alt="">', ""), image=False)


def test_other_ways_to_choose(tmp_path: Path) -> None:
    start, end = GOOD.index("{% for"), GOOD.index("{% endfor %}") + len("{% endfor %}")
    for choice in (
        '<select name="label">{% for x in task.labels %}<option value="{{ x }}">{% endfor %}</select>',
        '{% for x in task.labels %}<button name="label" value="{{ x }}">{{ x }}</button>{% endfor %}',
        '<input type="hidden" name="label">',
        '<textarea name="label"></textarea>',
    ):
        check(tmp_path, GOOD[:start] + choice + GOOD[end:])


def test_a_crowd_form_submits_by_itself(tmp_path: Path) -> None:
    check(
        tmp_path,
        '<crowd-form data-item="{{ item_id }}"><img src="{{ image }}">'
        '<crowd-classifier name="label"></crowd-classifier></crowd-form>',
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (ACTION, "https://example.com/", "there is no form that submits the answer"),
        ('method="post"', 'method="get"', "there is no form that submits the answer"),
        ("<form", "<div", "there is no form that submits the answer"),
        ('name="assignmentId"', "", "the form has no field assignmentId"),
        ('name="label"', 'name="species"', "the form has no field 'label'"),
        ('value="{{ label }}"', 'value="cat"', "the field 'label' does not offer the label 'dog'"),
        ('src="{{ image }}"', 'src="x.png"', "the image of the item is not shown"),
        ("data-item=", "data-thing=", "no element has data-item"),
        ("{{ item_id }}", "1", "no element has data-item"),
        (
            "item.note",
            "item.noet",
            "{{ item.noet }}: the dataset has no such column; did you mean item.note?",
        ),
        ("item.note", "item.zzz", "the dataset has no such column; use one of item.id, item.note"),
        ("item.note", "task.titel", "{{ task.titel }}: there is no such value; did you mean task.title?"),
        ("item.note", "note", "{{ note }}: there is no such value"),
        ("{{ item.note }}", "{{ item.note", "line 4"),
        ("<p>", '<img src="{{ item.note }}"><p>', "src of <img>, where it could run as code"),
        ('"{{ label }}"', "{{ label }}", "a value can change the structure of the page"),
        ("{{ item.note }}", "{{ item.note | safe }}", "a value can change the structure of the page"),
        ("<p>", "<p title={{ item.note }}>", "a value can change the structure of the page"),
        ("<p>", "<{{ item.note }}>", "a value can change the structure of the page"),
        ("<p>", "<p {{ item.note }}>", "a value can change the structure of the page"),
        ("<p>", "<script>var x = '{{ item.note }}'</script><p>", "a value is put into <script>"),
        ("<p>", "<style>p { color: {{ item.note }} }</style><p>", "a value is put into <style>"),
        ("<p>", "<!-- {{ item.note }} --><p>", "a value is put into a comment"),
        ("<p>", "<p onclick=\"f('{{ item.note }}')\">", "onclick of <p>, where it could run as code"),
        ("<p>", '<p style="color: {{ item.note }}">', "style of <p>, where it could run as code"),
        ("<p>", '<a href="{{ item.note }}">', "href of <a>, where it could run as code"),
    ],
)
def test_what_is_missing_or_unsafe_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(TemplateError) as caught:
        check(tmp_path, GOOD.replace(old, new))
    assert str(caught.value).startswith(f"{tmp_path / 'page.html'}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_that_the_batch_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"\{\{ image \}\}: the batch has no images; set task\.image"):
        check(tmp_path, GOOD, image=False)
