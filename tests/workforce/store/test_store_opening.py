from __future__ import annotations

import os
import secrets
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.exc import IntegrityError

from workforce.store import Store, StoreError
from workforce.store.tables import meta, questions, session_epochs
from workforce.store.times import from_ms, from_ms_whole, to_ms, whole_second_ms

ROOT = Path(__file__).parents[3]


def pragma(store: Store, name: str) -> object:
    with store.read() as connection:
        return connection.execute(text(f"pragma {name}")).scalar()


def test_sqlite_is_set_up_to_last(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    assert (pragma(store, "journal_mode"), pragma(store, "foreign_keys")) == ("wal", 1)
    assert (pragma(store, "synchronous"), pragma(store, "busy_timeout")) == (2, 30_000)
    store.close()
    quicker = Store.open(f"sqlite:///{tmp_path}/m.db?synchronous=normal")
    assert pragma(quicker, "synchronous") == 1
    quicker.close()


def test_foreign_keys_hold(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    with pytest.raises(IntegrityError), store.write() as connection:
        connection.execute(insert(questions).values(hit_seq=1, body="x"))
    store.close()


def test_what_was_written_is_there_after_reopening_and_the_secret_stays(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db"
    first = Store.open(url)
    with first.write() as connection:
        connection.execute(insert(meta).values(key="k", value="v"))
    first.close()
    second = Store.open(url)
    with second.read() as connection:
        assert connection.execute(select(meta.c.value).where(meta.c.key == "k")).scalar_one() == "v"
    assert second.secret == first.secret
    assert len(second.secret) == 32
    second.close()


def test_a_failed_transaction_leaves_nothing() -> None:
    store = Store.open("sqlite://")

    def fail() -> None:
        with store.write() as connection:
            connection.execute(insert(meta).values(key="k", value="v"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with store.read() as connection:
        assert connection.execute(select(meta.c.value).where(meta.c.key == "k")).first() is None
    store.close()


def test_readers_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/m.db")
    seen: list[int] = []

    def read() -> None:
        with store.read() as connection:
            seen.append(len(connection.execute(select(meta)).all()))

    with store.write() as connection:
        connection.execute(insert(meta).values(key="k", value="v"))
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(timeout=10)
        assert seen == [2], "the reader saw the state before the transaction, at once"
    store.close()


def test_memory_is_shared_by_threads() -> None:
    store = Store.open("sqlite://")

    def write(number: int) -> None:
        with store.write() as connection:
            connection.execute(insert(meta).values(key=f"k{number}", value="v"))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert len(connection.execute(select(meta)).all()) == 10
    store.close()


def test_two_processes_may_open_at_once(tmp_path: Path) -> None:
    code = f"from workforce.store import Store; print(Store.open('sqlite:///{tmp_path}/m.db').secret.hex())"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(3)
    ]
    printed = {process.communicate(timeout=60)[0] for process in started}
    assert len(printed) == 1
    assert all(len(secret.strip()) == 64 for secret in printed)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a database URL"),
        ("mysql://h/d", "not supported"),
        ("sqlite:////no/such/folder/m.db", "does not exist"),
        ("sqlite://?synchronous=OFF", "NORMAL, FULL or EXTRA"),
        ("postgresql://nobody:hidden@127.0.0.1:1/x?connect_timeout=2", "cannot open the database"),
    ],
)
def test_bad_urls_are_explained(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as caught:
        Store.open(url)
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_not_a_database(tmp_path: Path) -> None:
    (tmp_path / "m.db").write_text("hello" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/m.db")


def test_tables_of_another_version(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/m.db").close()
    with sqlite3.connect(tmp_path / "m.db") as connection:
        connection.execute("update meta set value = '0' where key = 'schema'")
    connection.close()
    with pytest.raises(StoreError, match="version 0"):
        Store.open(f"sqlite:///{tmp_path}/m.db")


def test_times() -> None:
    moment = datetime(2026, 11, 21, 12, 0, 0, 999_999, tzinfo=UTC)
    assert from_ms(to_ms(moment)) == moment - timedelta(microseconds=999)
    assert from_ms_whole(to_ms(moment)) == moment.replace(microsecond=0)
    assert to_ms(moment.astimezone(timezone(timedelta(hours=5)))) == to_ms(moment)
    assert to_ms(datetime(1970, 1, 1, tzinfo=UTC)) == 0
    assert whole_second_ms(-1) == -1000


@pytest.mark.skipif(
    "WORKFORCE_TEST_POSTGRES_URL" not in os.environ,
    reason="set WORKFORCE_TEST_POSTGRES_URL to a PostgreSQL URL to run these tests on it too",
)
def test_postgresql_tables_are_made_by_whoever_comes_first() -> None:
    url = os.environ["WORKFORCE_TEST_POSTGRES_URL"]
    schema = f"test_{secrets.token_hex(6)}"
    admin = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with admin.begin() as connection:
        connection.execute(text(f"create schema {schema}"))
    opened: list[Store] = []
    place = f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{schema}"
    threads = [threading.Thread(target=lambda: opened.append(Store.open(place))) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({store.secret for store in opened}) == 1
        assert [store.dialect for store in opened] == ["postgresql"] * 3
    finally:
        for store in opened:
            store.close()
        with admin.begin() as connection:
            connection.execute(text(f"drop schema {schema} cascade"))
        admin.dispose()


def test_a_database_made_before_sign_out_was_kept_gets_its_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db"
    older = Store.open(url)
    with older.write() as connection:
        session_epochs.drop(connection)
    older.close()
    newer = Store.open(url)
    with newer.read() as connection:
        assert connection.execute(select(session_epochs)).all() == []
    newer.close()
