"""A portal without SQLAlchemy lends its own driver connection: the library writes there and ends nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations, volunteers
from volunteerkit.errors import IntegrityProblem, InvalidValue

KIT = Kit.load(cipher=KeyCipher(bytes(32)))
CLERK = Actor.of("clerk-7", "centre")


@pytest.fixture
def own(database_url: str) -> Iterator[Any]:
    """The portal's connection, in a transaction of its own."""
    engine = volunteerkit.create_engine(database_url)
    KIT.migrate(engine)
    engine.dispose()
    with closing(_connected(sa.make_url(database_url))) as raw:
        yield raw


def _connected(address: sa.URL) -> Any:
    if address.get_backend_name() == "sqlite":
        raw = sqlite3.connect(address.database or "", isolation_level=None)
        raw.execute("PRAGMA foreign_keys = ON")
        raw.execute("BEGIN IMMEDIATE")
        return raw
    import psycopg

    return psycopg.connect(address.set(drivername="postgresql").render_as_string(hide_password=False))


def _enter(raw: Any, url: str) -> None:
    engine = volunteerkit.create_engine(url, borrowed=lambda: raw)
    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        organizations.register(desk, "O0001", name="渝水区志愿服务联合会")
        volunteers.admit(desk, name="周兰", organization="O0001", number="V0000001")


def _names(raw: Any) -> list[tuple[str]]:
    found: list[tuple[str]] = raw.execute("SELECT name FROM vk_organization").fetchall()
    return found


def test_what_the_library_writes_is_committed_by_the_portal_with_its_own_rows(
    own: Any, database_url: str
) -> None:
    own.execute("CREATE TABLE portal_visit (page TEXT)")
    _enter(own, database_url)
    own.execute("INSERT INTO portal_visit VALUES ('register')")
    own.execute("COMMIT")
    engine = volunteerkit.create_engine(database_url)
    with engine.connect() as other:
        assert other.execute(sa.text("SELECT name FROM vk_organization")).scalars().all() == [
            "渝水区志愿服务联合会"
        ]
        assert other.execute(sa.text("SELECT page FROM portal_visit")).scalars().all() == ["register"]
    engine.dispose()


def test_what_the_portal_takes_back_is_gone_and_its_connection_stays_open(
    own: Any, database_url: str
) -> None:
    _enter(own, database_url)
    assert _names(own) == [("渝水区志愿服务联合会",)]
    own.execute("ROLLBACK")
    assert _names(own) == []


def test_a_connection_that_keeps_no_promise_is_refused(own: Any, database_url: str) -> None:
    if isinstance(own, sqlite3.Connection):
        own.execute("ROLLBACK")
    else:
        own.rollback()
        own.autocommit = True
    with pytest.raises(IntegrityProblem):
        _enter(own, database_url)
    assert _names(own) == []


def test_a_portal_that_is_not_connected_is_told_so() -> None:
    with pytest.raises(InvalidValue) as refused:
        _enter(None, "sqlite://")
    assert refused.value.message("zh-CN") == "borrowed 的值 None 不可接受。允许的是：已打开的驱动连接。"
    assert "an open connection of the driver" in refused.value.message("en")
