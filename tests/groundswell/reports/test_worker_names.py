"""Pseudonyms: always the same for one worker, of no use without the key, gone for who was forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from groundswell.reports.names import FORGOTTEN, PSEUDONYM, Pseudonyms, new_key, pseudonym_of

KEY = b"one key"


@given(st.text(min_size=1).filter(lambda text: text != FORGOTTEN))
def test_every_id_has_a_pseudonym_that_stays(worker: str) -> None:
    called = Pseudonyms(KEY).of(worker)
    assert PSEUDONYM.fullmatch(called)
    assert Pseudonyms(KEY).of(worker, "any pool") == called == pseudonym_of(Pseudonyms(KEY).mark(worker))
    assert Pseudonyms(b"another key").of(worker) != called


def test_half_a_surrogate_pair_is_an_id_as_well() -> None:
    assert PSEUDONYM.fullmatch(Pseudonyms(KEY).of("\ud800"))


def test_ten_thousand_workers_have_as_many_pseudonyms() -> None:
    names = Pseudonyms(KEY)
    assert len({names.of(f"worker {number}") for number in range(10_000)}) == 10_000


def test_nobody_stays_nobody() -> None:
    assert Pseudonyms(KEY).of("") == ""
    assert Pseudonyms(KEY).of(FORGOTTEN) == FORGOTTEN
    assert not Pseudonyms(KEY).is_forgotten(FORGOTTEN)


def test_who_was_forgotten_is_known_by_the_mark_or_its_beginning() -> None:
    mark = Pseudonyms(KEY).mark("ada")
    for kept in (mark, mark[:10]):
        names = Pseudonyms(KEY, {kept: "2026-11-02"})
        assert names.of("ada") == FORGOTTEN
        assert names.is_forgotten("ada")
        assert not names.is_forgotten("bob")
    assert "ada" not in mark


def test_keys_are_never_the_same() -> None:
    assert len({new_key() for _ in range(100)}) == 100
    assert len(new_key()) == 64
