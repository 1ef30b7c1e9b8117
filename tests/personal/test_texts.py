"""Texts of every kind: accepted or refused alike, and kept alike, on both databases; typed errors only."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations, personal, volunteers
from volunteerkit.errors import VolunteerkitError
from volunteerkit.privacy import fields, found_by, hide, mask, normal, parts
from volunteerkit.store.vault import open_subject, seal_subject

KEY = KeyCipher(bytes(32))
CENTRE = Actor.of("centre-1", "centre")
ODD = [
    "\0", "a\0b", "\ud800", "\udfff王", "\u202e王", "\u2066x\u2069", "\u200b", "王\u200b", "\ufeff王", "e\u0301", "é",
    "ＡＢ１２", "𠮷野", "买买提·艾力", "买买提・艾力", "👨\u200d👩\u200d👧", "نازنین\u200cزهرا", "\u2028", "\t王\n", "　王　", "王" * 100_000,
    "x" * 100_000, "%_\\'\";--", "=1+1", "A´", "\x7f", "\x85", "",
]  # fmt: skip
TEXTS = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=()) | st.sampled_from("王·\0\ud800\u202e\u200b\u0301Ａ𠮷 "), max_size=40
)


@pytest.fixture(scope="module")
def engines(
    tmp_path_factory: pytest.TempPathFactory, postgresql_server: Any
) -> Iterator[tuple[sa.Engine, sa.Engine]]:
    name = f"sqlite:///{tmp_path_factory.mktemp('texts') / 'city.db'}"
    admin = sa.create_engine(postgresql_server.url("postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE texts TEMPLATE template0")
    admin.dispose()
    made = volunteerkit.create_engine(name), volunteerkit.create_engine(postgresql_server.url("texts"))
    for engine in made:
        kit = Kit.load(cipher=KEY)
        kit.migrate(engine)
        with kit.open(engine, CENTRE) as desk:
            organizations.register(desk, "O1", name="志愿者联合会")
    yield made
    for engine in made:
        engine.dispose()


def answer(engine: sa.Engine, work: Any) -> Any:
    """Return what came of ``work``, all undone: a value or a typed error's code; nothing else may come."""
    try:
        with Kit.load(cipher=KEY).open(engine, CENTRE, read_only=False) as desk:
            got = work(desk)
            raise Undone(got)
    except Undone as undone:
        return undone.args[0]
    except VolunteerkitError as error:
        return type(error).__name__, error.code


class Undone(Exception):
    """Rolls back what was tried."""


def same(engines: tuple[sa.Engine, sa.Engine], work: Any) -> Any:
    answers = [answer(engine, work) for engine in engines]
    assert answers[0] == answers[1]
    assert answers[0] is None or answers[0][:1] != ("StorageError",), answers[0]
    return answers[0]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_every_field_keeps_or_refuses_a_text_alike(engines: tuple[sa.Engine, sa.Engine], text: str) -> None:
    def sealed(desk: Any) -> Any:
        data = {name: text for name, field in fields().items() if field.storage in ("sealed", "findable")}
        seal_subject(desk.connection, KEY, "volunteer:99", data, found_by=found_by(data))
        kept = open_subject(desk.connection, KEY, "volunteer:99")
        assert kept == data
        return sorted(kept.items())

    def registered(desk: Any) -> Any:
        number = volunteers.admit(desk, name=text, organization="O1", number="V1")
        return number, personal.profile(desk, number).fields["name"], len(personal.find(desk, text))

    def named(desk: Any) -> Any:
        organizations.register(desk, "O2", name=text)
        return desk.connection.exec_driver_sql(
            "SELECT name FROM vk_organization WHERE number = 'O2'"
        ).scalar()

    for work in (sealed, registered, named):
        same(engines, work)
    for work in (
        lambda desk: [each.number for each in personal.find(desk, text)],
        lambda desk: personal.profile(desk, text).number,
        lambda desk: personal.unmask(desk, "V1", text, purpose="contact"),
        lambda desk: volunteers.admit(desk, name="兰", organization=text, number="V1"),
        lambda desk: volunteers.admit(desk, name="兰", organization="O1", number=text),
        lambda desk: volunteers.admit(desk, name="兰", organization="O1", number="V1", phone=text),
    ):
        same(engines, work)


@pytest.mark.parametrize(
    "text", ["x" * 300_000, "1" * 300_000, "x" * 300_000 + " @", "x" * 300_000 + "@", "王" * 300_000]
)
def test_a_long_text_is_hidden_in_no_time(text: str) -> None:
    started = time.process_time()
    assert hide(text) == text
    assert hide(f"{text}a@example.org") != text
    assert time.process_time() - started < 10  # letter by letter it would be minutes


def test_an_address_is_hidden_wherever_it_begins() -> None:
    long = "x" * 100
    for text in ("lan@example.org", "12900000001lan@example.org", "a@lan@example.org", f"{long}@example.org"):
        assert set(hide(text)[:-2]) == {"*"} or text.startswith(("1", "a")), hide(text)
        assert "lan" not in hide(text)
    assert hide(f"{long}@") == f"{long}@"


@given(text=TEXTS)
def test_masks_and_normal_forms_take_every_text(text: str) -> None:
    for name in fields():
        shown = mask(name, text, on=dt.date(2026, 11, 24))
        if fields()[name].mask not in ("shown", "domain", "age_band", "district") and len(text.strip()) > 1:
            assert shown != text.strip() or set(shown) <= set("*＊")
    assert normal("name", normal("name", text)) == normal("name", text)
    assert all(1 <= len(each) <= 2 for each in parts(text))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "王＊"), ("欧阳雪", "欧阳＊"), ("欧阳", "欧＊"), ("司马相如", "司马＊"), ("買", "＊"), ("买买提·艾力", "买＊"),
        ("欧阳·艾力", "欧＊"), ("John Smith", "J＊"), ("É" + "mile", "É＊"), ("E\u0301mile", "E\u0301＊"), ("𠮷野雪", "𠮷＊"),
        ("\u200b王明", "王＊"), ("", ""),
    ],
)  # fmt: skip
def test_a_name_in_its_mask(name: str, shown: str) -> None:
    assert mask("name", name) == shown
    assert mask("name", name, child=True) == ("＊" if name else "")
