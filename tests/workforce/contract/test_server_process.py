"""``python -m workforce`` as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workforce.contract.contract_server import HIT_TYPE, QUESTION, ServerProcess, boto_client, run_cli

pytestmark = pytest.mark.contract

Start = Callable[..., ServerProcess]


def database(folder: Path) -> str:
    return f"sqlite:///{folder / 'market.db'}"


def test_nothing_is_lost_when_the_server_is_killed(tmp_path: Path, start_server: Start) -> None:
    server = start_server("--port", "0", "--db", database(tmp_path))
    client = boto_client(server.url)
    parameters = {**HIT_TYPE, "LifetimeInSeconds": 3600, "Question": QUESTION}
    tokens = [f"token-{number}" for number in range(10)]
    hits = [client.create_hit(**parameters, UniqueRequestToken=token)["HIT"] for token in tokens]
    balance = client.get_account_balance()["AvailableBalance"]
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL

    again = start_server("--port", "0", "--db", database(tmp_path))
    client = boto_client(again.url)
    assert client.get_account_balance()["AvailableBalance"] == balance
    assert client.list_hits(MaxResults=100)["NumResults"] == 10
    for token, hit in zip(tokens, hits, strict=True):
        assert client.get_hit(HITId=hit["HITId"])["HIT"] == hit
        with pytest.raises(client.exceptions.RequestError) as caught:
            client.create_hit(**parameters, UniqueRequestToken=token)
        assert f'"{hit["HITId"]}" already exists' in caught.value.response["Message"]
    assert run_cli("audit", "--db", database(tmp_path)).returncode == 0


def test_counts_and_a_clean_stop(tmp_path: Path, start_server: Start) -> None:
    server = start_server("--port", "0", "--db", database(tmp_path), "--balance", "12.50")
    client = boto_client(server.url)
    assert client.get_account_balance()["AvailableBalance"] == "12.50"
    client.get_account_balance()
    client.list_hits()
    assert server.stop() == 0
    assert json.loads(run_cli("counts", "--db", database(tmp_path), "--json").stdout) == {
        "GetAccountBalance": 2,
        "ListHITs": 1,
    }
    shown = run_cli("counts", "--db", database(tmp_path)).stdout.split("\n")
    assert shown[1].split() == ["GetAccountBalance", "2"]
    assert shown[3].split() == ["total", "3"]


def test_sandbox_money(tmp_path: Path, start_server: Start) -> None:
    server = start_server("--port", "0", "--db", database(tmp_path), "--mode", "sandbox")
    assert boto_client(server.url).get_account_balance()["AvailableBalance"] == "10000.00"


def test_health_and_the_way_to_the_site(tmp_path: Path, start_server: Start) -> None:
    server = start_server("--port", "0", "--db", database(tmp_path))
    with urllib.request.urlopen(f"{server.url}/health") as response:
        assert response.status == 200
        assert json.load(response) == {"status": "ok"}
    with urllib.request.urlopen(server.url) as response:
        assert response.url.startswith(f"{server.url}/worker")
        assert "text/html" in response.headers["content-type"]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/nowhere")
    assert caught.value.code == 404


def test_keys_from_the_environment_replace_the_default(tmp_path: Path, start_server: Start) -> None:
    keys = {"WORKFORCE_ACCESS_KEY_ID": "AKIDREAL", "WORKFORCE_SECRET_ACCESS_KEY": "real secret"}
    server = start_server("--port", "0", "--db", database(tmp_path), environment=keys)
    assert boto_client(server.url, access_key="AKIDREAL", secret="real secret").get_account_balance()
    client = boto_client(server.url)
    with pytest.raises(client.exceptions.ClientError, match="UnrecognizedClientException"):
        client.get_account_balance()


def test_a_taken_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = run_cli("serve", "--port", port, "--db", database(tmp_path))
    assert (finished.returncode, finished.stdout) == (2, "")
    assert len(finished.stderr.strip().splitlines()) == 1
    assert f"port {port} on 127.0.0.1 is taken" in finished.stderr
    assert "--port" in finished.stderr


def test_endless_headers_are_refused(tmp_path: Path, start_server: Start) -> None:
    server = start_server("--port", "0", "--db", database(tmp_path))
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 4")
    with urllib.request.urlopen(f"{server.url}/health", timeout=60) as answer:
        assert answer.status == 200
