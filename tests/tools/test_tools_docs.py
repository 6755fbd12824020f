"""What the pages of the documentation say of other files, held against these."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
AWS = ROOT / "plugins" / "groundswell" / "aws"

#: Services by the file whose client is called; S3 where nothing else is said.
SERVICES = {
    "cloudwatch": "cloudwatch",
    "cognito": "cognito-idp",
    "ground_truth": "sagemaker",
    "sagemaker": "sagemaker",
}
#: Actions by the call, where they are called differently.
ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "cloudwatch:FilterLogEvents": "logs:FilterLogEvents",
    "sagemaker:DescribeLogStreams": "logs:DescribeLogStreams",
    "sagemaker:GetLogEvents": "logs:GetLogEvents",
    "model:DescribeLogStreams": "logs:DescribeLogStreams",
    "model:DeleteLogStream": "logs:DeleteLogStream",
    "model:DeleteLogGroup": "logs:DeleteLogGroup",
}
CALL = re.compile(
    r"(?:conn|_client|client)\.(?:get_paginator\(\s*\"(\w+)\"|"
    r"((?:create|delete|describe|filter|get|invoke|list|put|stop|update)_\w+))"
)


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def text_of(page: Path) -> str:
    return re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in {slug(each) for each in re.findall(r"(?m)^#+ (.*)$", text_of(linked))}, target


def test_every_page_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert {
        page.name for page in (ROOT / "docs").glob("*.md") if f"(docs/{page.name})" not in readme
    } == set()


def called(*paths: str) -> set[str]:
    """Return the actions of the calls in some files."""
    found: set[str] = set()
    for path in paths:
        name = Path(path).stem
        for paged, plain in CALL.findall((AWS / path).read_text("utf-8")):
            call = "".join(part.capitalize() for part in (paged or plain).split("_"))
            action = f"{SERVICES.get(name, 'model' if name == 'model' else 's3')}:{call}"
            found.add(ACTIONS.get(action, action))
    return {action for action in found if not action.endswith(":GetPaginator")}


def allowed(page: str) -> set[str]:
    """Return the actions of the policy on a page."""
    blocks = re.findall(r"(?s)```json\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"))
    (policy,) = (block for block in blocks if '"Statement"' in block)
    found: set[str] = set()
    for statement in json.loads(policy)["Statement"]:
        actions = statement["Action"]
        found |= {actions} if isinstance(actions, str) else set(actions)
    return found


def test_the_policy_of_the_reports_allows_what_they_call() -> None:
    calls = called("hooks/cloudwatch.py", "hooks/cognito.py", "hooks/ground_truth.py", "part_store.py")
    assert allowed("reports.md") == calls | called("reporting/opening.py")


def test_the_policy_of_labelling_allows_what_it_calls() -> None:
    calls = called("hooks/sagemaker.py", "part_store.py", "files.py", "steps/model.py")
    assert allowed("deploy.md") == calls | {"iam:PassRole"}, (
        "and the role of the batch is handed to SageMaker"
    )
