"""People are told by mail and Slack, with the settings of docs/reports.md and over real servers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException
from botocore.stub import ANY, Stubber

from groundswell.aws.reporting.inputs import Inputs
from groundswell.aws.reporting.notifying import notify
from groundswell.aws.reporting.opening import Reports
from groundswell.aws.reporting.publishing import publish
from tests.groundswell.aws.reporting.private_days import (
    DAY,
    NEXT_MORNING,
    SUBS,
    pseudonyms,
    reports_in,
    usual,
    write,
)
from tests.support.listeners import MailServer, WebServer, mail_server, web_server

pytestmark = pytest.mark.contract

DOCS = (Path(__file__).parents[4] / "docs/reports.md").read_text()
NAME = "<script>alert('Ann')</script>"
MAIL, SLACK = range(2)


def documented(language: str, after: str = "<!-- notify:") -> str:
    """Return the first block of code of a language after a text of the documentation."""
    found = re.search(rf"\n```{language}\n(.*?)```", DOCS.partition(after)[2], re.DOTALL)
    assert found
    return found[1]


def connection(name: str) -> dict[str, Any]:
    """Return a connection as it is documented."""
    [value] = re.findall(rf"^AIRFLOW_CONN_{name}='(.*)'$", DOCS, re.MULTILINE)
    return dict(json.loads(value))


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    with mail_server() as server:
        wanted = connection("SMTP_DEFAULT")
        # On the same machine: neither TLS nor a password
        here = {"host": "127.0.0.1", "port": server.port, "login": None, "password": None}
        extra = {**wanted["extra"], "disable_tls": True}
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps({**wanted, **here, "extra": extra}))
        yield server


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    with web_server() as server:
        wanted = connection("SLACK_DEFAULT")
        here = wanted["host"].replace("https://hooks.slack.com", server.url)
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps({**wanted, "host": here}))
        yield server


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reports, dict[str, Any]]:
    """The report of a day with a worker of an evil name, and what its run has to tell."""
    reports = reports_in(tmp_path_factory.mktemp("reported"), f"names: shown\n{documented('yaml')}")
    Inputs.of(reports).put_names({SUBS["ann"]: NAME}, DAY)
    result = publish(reports, [write(reports, DAY, usual(DAY))], NEXT_MORNING)
    assert result["totals"]["submitted"] == 9
    return reports, {**result, "anomalies": 2, "revised": ["2026-11-01"]}


Told = dict[str, Any]


def tell(reported: tuple[Reports, dict[str, Any]], number: int, run: str) -> Told:
    reports, result = reported
    return notify(reports, number, result, {"run_id": run})  # type: ignore[typeddict-item]


def names_nobody(reports: Reports, text: str) -> bool:
    return not any(each in text for each in (NAME, "alert(", *SUBS.values(), *pseudonyms(reports).values()))


def test_a_mail_with_the_numbers(reported: Any, mails: MailServer) -> None:
    told = tell(reported, MAIL, "mail")
    [mail] = mails.mails
    assert (told["day"], told["notifier"].rpartition(".")[2]) == ("2026-11-02", "SmtpNotifier")
    assert mail.sender == mail.content["From"] == "reports@example.org"
    assert mail.recipients == mail.content["To"].split(", ") == ["analysts@example.org", "lead@example.org"]
    assert mail.content["Subject"] == "Labelling of 2026-11-02: 9 tasks"
    html = mail.content.get_body(("html",))
    assert html is not None
    text = html.get_content()
    reports, result = reported
    assert "9 tasks in 1.5 minutes,\n2 anomalies. Revised: 2026-11-01." in text
    assert f'<a href="{result["report"]}">{result["report"]}</a>' in text
    assert result["report"] == reports.store.public.uri("days/2026-11-02/report.html")
    assert names_nobody(reports, mail.content.as_string() + text)


def test_a_message_in_slack_with_the_numbers(reported: Any, slack: WebServer) -> None:
    tell(reported, SLACK, "slack")
    reports, result = reported
    [posted] = slack.posted
    assert posted.path == "/services/T00000000/B00000000/XXXXXXXXXXXX"
    assert posted.headers["Content-Type"].startswith("application/json")
    assert json.loads(posted.body) == {"text": f"2026-11-02: 9 tasks, 2 anomalies, {result['report']}"}
    assert names_nobody(reports, posted.body.decode())


def test_another_try_of_a_run_tells_nobody_again(reported: Any, mails: MailServer, slack: WebServer) -> None:
    """And each notifier for itself, each run for itself."""
    first = [tell(reported, number, "again") for number in (MAIL, SLACK)]
    assert [tell(reported, number, "again") for number in (MAIL, SLACK)] == first
    assert (len(mails.mails), len(slack.posted)) == (1, 1)
    tell(reported, MAIL, "another")
    assert len(mails.mails) == 2


def test_what_fails_says_where_and_is_told_once_by_the_next_try(
    reported: Any, mails: MailServer, slack: WebServer
) -> None:
    mails.refused = {"analysts@example.org", "lead@example.org"}
    with pytest.raises(AirflowException, match=r"settings.yaml: notify.0: SmtpNotifier did not tell .*550.*"):
        tell(reported, MAIL, "failing")
    slack.answer = 403, "invalid_token"
    with pytest.raises(
        AirflowException, match=r"notify.1: SlackWebhookNotifier .*invalid_token.* is written"
    ):
        tell(reported, SLACK, "failing")
    assert mails.mails == []
    mails.refused, slack.answer = set(), (200, "ok")
    assert [tell(reported, number, "failing")["day"] for number in (MAIL, SLACK)] == ["2026-11-02"] * 2
    assert (len(mails.mails), len(slack.posted)) == (1, 2)


def test_a_connection_that_breaks_when_a_mail_was_taken_tells_twice(reported: Any, mails: MailServer) -> None:
    """As nobody can know it was taken; once per try, since the hook itself sends once."""
    mails.breaks = True
    with pytest.raises(AirflowException, match="SMTPServerDisconnected"):
        tell(reported, MAIL, "breaking")
    assert len(mails.mails) == 1
    mails.breaks = False
    tell(reported, MAIL, "breaking")
    assert len(mails.mails) == 2


def test_some_recipients_may_be_refused(reported: Any, mails: MailServer) -> None:
    mails.refused = {"lead@example.org"}
    tell(reported, MAIL, "some")
    assert [mail.recipients for mail in mails.mails] == [["analysts@example.org"]]


def test_a_connection_that_is_not_there(reported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    def absent(*_: Any) -> Any:
        raise AirflowNotFoundException("The conn_id `smtp_default` isn't defined")

    monkeypatch.setattr(SmtpHook, "get_connection", absent)
    with pytest.raises(
        AirflowException, match=r"notify.0: .*not found.* Check the arguments and the connection"
    ):
        tell(reported, MAIL, "absent")


def test_the_documented_rule_for_old_versions_is_one_of_s3() -> None:
    rules = json.loads(documented("json", "### Buckets that keep versions"))
    client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    with Stubber(client) as stub:
        stub.add_response(
            "put_bucket_lifecycle_configuration", {}, {"Bucket": ANY, "LifecycleConfiguration": ANY}
        )
        client.put_bucket_lifecycle_configuration(Bucket="groundswell-reports", LifecycleConfiguration=rules)
    [rule] = rules["Rules"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
    assert rule["Status"] == "Enabled"
