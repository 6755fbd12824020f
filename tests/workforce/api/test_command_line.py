"""Commands that end by themselves, run within the test."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from workforce.cli import main
from workforce.clock import ManualClock
from workforce.market import Market
from workforce.market.accounts import AccountService
from workforce.serving import KEY_VARIABLES
from workforce.store import Store

ACCOUNT = "000000000000"
Complaint = Callable[..., str]


@pytest.fixture
def database(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'market.db'}"


@pytest.fixture
def market(database: str) -> Market:
    market = Market(Store.open(database))
    market.requester.accounts.ensure_account(ACCOUNT, name="R", opening_cents=1000, mode="ledger")
    return market


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def complaint(capsys: pytest.CaptureFixture[str]) -> Complaint:
    """Run a command that must not start; returns the one line that it prints."""

    def run(*arguments: str) -> str:
        assert main(arguments) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert len(printed.err.strip().splitlines()) == 1
        return printed.err

    return run


@pytest.mark.parametrize("command", ["serve", "counts", "audit"])
@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("market.db", "no database URL"),
        ("mysql://u:hunter2@h/d", "mysql"),
        ("sqlite:////nowhere/market.db", "/nowhere"),
        ("postgresql://u:hunter2@127.0.0.1:1/d", "127.0.0.1"),
    ],
)
def test_a_bad_database(complaint: Complaint, command: str, url: str, part: str) -> None:
    port = ("--port", "0") if command == "serve" else ()
    line = complaint(command, *port, "--db", url)
    assert part in line
    assert "hunter2" not in line


def test_a_bad_crowd_file(complaint: Complaint, tmp_path: Path, database: str) -> None:
    crowd = tmp_path / "crowd.yaml"
    assert str(crowd) in complaint("serve", "--port", "0", "--db", database, "--crowd", str(crowd))
    crowd.write_text("seed: x\n")
    line = complaint("serve", "--port", "0", "--db", database, "--crowd", str(crowd))
    assert str(crowd) in line
    assert "seed" in line
    assert not (tmp_path / "market.db").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.com"])
def test_an_open_host_needs_keys(complaint: Complaint, database: str, host: str) -> None:
    assert KEY_VARIABLES[0] in complaint("serve", "--port", "0", "--db", database, "--host", host)


def test_half_a_key_is_an_error(complaint: Complaint, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLES[0], "x")
    assert "or neither" in complaint("serve", "--port", "0", "--db", database)


def test_a_host_that_is_not_ours(
    complaint: Complaint, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in KEY_VARIABLES:
        monkeypatch.setenv(name, "x")
    line = complaint("serve", "--port", "0", "--db", database, "--host", "192.0.2.1")
    assert "cannot listen on 192.0.2.1" in line


def test_a_bad_public_url(complaint: Complaint, database: str) -> None:
    line = complaint("serve", "--port", "0", "--db", database, "--public-url", "http://h/path")
    assert "--public-url" in line


@pytest.mark.parametrize("command", ["counts", "audit"])
def test_reading_commands_do_not_make_a_database(
    complaint: Complaint, command: str, tmp_path: Path, database: str
) -> None:
    assert "no such file" in complaint(command, "--db", database)
    assert not (tmp_path / "market.db").exists()


@pytest.mark.parametrize("option", ["--balance=ten", "--balance=1.005", "--balance=-1", "--balance=NaN"])
@pytest.mark.parametrize("port", ["--port=1"])
def test_a_bad_balance(capsys: pytest.CaptureFixture[str], database: str, option: str, port: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--db", database, option, port])
    assert caught.value.code == 2
    assert "is no amount" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["x", "-1", "65536"])
def test_a_bad_port(capsys: pytest.CaptureFixture[str], database: str, port: str) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--db", database, f"--port={port}"])
    assert "is no port" in capsys.readouterr().err


def test_counts(capsys: pytest.CaptureFixture[str], market: Market, database: str) -> None:
    for operation in ("GetHIT", "GetHIT", "CreateHIT"):
        market.count_call(ACCOUNT, operation)
    market.run_timers()
    assert main(["counts", "--db", database, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"CreateHIT": 1, "GetHIT": 2}
    assert main(["counts", "--db", database]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["operation", "calls"], ["GetHIT", "2"], ["CreateHIT", "1"], ["total", "3"]]


def test_audit(capsys: pytest.CaptureFixture[str], market: Market, database: str) -> None:
    assert main(["audit", "--db", database]) == 0
    assert "agree" in capsys.readouterr().out
    assert main(["audit", "--db", database, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_audit_of_an_unknown_account(complaint: Complaint, market: Market, database: str) -> None:
    assert "111111111111" in complaint("audit", "--db", database, "--account", "111111111111")


def test_a_difference_found_is_status_1(
    capsys: pytest.CaptureFixture[str], market: Market, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Market, "audit", lambda *_: ["the journal says 5, the account 6"])
    assert main(["audit", "--db", database]) == 1
    assert capsys.readouterr().out == "the journal says 5, the account 6\n"


def test_a_deposit_is_credited_booked_and_told(
    market: Market, database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deposit", "--db", database, "25.00"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"account {ACCOUNT}: 25.00 deposited at 20")
    assert told.endswith("; 35.00 available\n")
    balance = market.requester.call("GetAccountBalance", ACCOUNT, {})
    assert balance["AvailableBalance"] == "35.00"
    assert market.audit(ACCOUNT) == []


@pytest.mark.parametrize(
    "amount", ["0", "-5.00", "1.005", "x", "1e3", "1_000", "1,00", "1.000", "nan", "\uff11.00", "9" * 30]
)
def test_no_amount_is_no_deposit(market: Market, database: str, amount: str) -> None:
    try:
        status = main(["deposit", "--db", database, "--", amount])
    except SystemExit as error:
        status = error.code
    assert status == 2
    assert market.requester.call("GetAccountBalance", ACCOUNT, {})["AvailableBalance"] == "10.00"


def test_a_deposit_that_the_database_refuses_is_one_line(
    market: Market, database: str, complaint: Complaint, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("insert", {}, Exception("database is locked"))

    monkeypatch.setattr(AccountService, "deposit", locked)
    line = complaint("deposit", "--db", database, "25.00")
    assert "database is locked; look at the balance before you do it again" in line


def test_a_deposit_is_dated_when_it_is_its_turn_to_write(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A balance that was read while it waited for the server's writing is without it."""
    clock, store = ManualClock(datetime(2026, 11, 22, 14, tzinfo=UTC)), Store.open(database)
    accounts = Market(store, clock=clock).requester.accounts
    accounts.ensure_account(ACCOUNT, name="R", opening_cents=1000, mode="ledger")
    write = store.write

    def after_others() -> AbstractContextManager[Connection]:
        clock.advance(25)
        return write()

    monkeypatch.setattr(store, "write", after_others)
    assert accounts.deposit(ACCOUNT, 100) == (clock.now(), 1100)


def test_a_sandbox_takes_no_deposit(complaint: Complaint, database: str) -> None:
    Market(Store.open(database)).requester.accounts.ensure_account(
        ACCOUNT, name="R", opening_cents=0, mode="sandbox"
    )
    assert "sandbox mode" in complaint("deposit", "--db", database, "25.00")
    assert "not authorized" in complaint("deposit", "--db", database, "25.00", "--account", "1")
