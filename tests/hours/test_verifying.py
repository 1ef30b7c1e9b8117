"""verify names what was altered behind the ledger's back, whatever column it was; rebuild mends balances only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import IntegrityProblem, NotPermitted
from volunteerkit.hours import verify_store

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
KIT = Kit.load("xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(NOW))
RECORDS = """record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at
R1,V1,P1,,2026-11-01,09:00,11:00,2,confirmed,manual,2026-11-02 10:00
R2,V1,P1,,2026-11-02,09:00,11:00,2,pending,manual,2026-11-02 11:00
R3,V1,P1,,2026-11-03,09:00,11:00,2,rejected,manual,2026-11-03 12:00
R4,V1,P1,,2026-11-04,,,2,cancelled,,
"""
TABLES = ("vk_transfer", "vk_event", "vk_account", "vk_service_record", "vk_head")
COLUMNS = [(table, column.name) for table in TABLES for column in volunteerkit.metadata.tables[table].columns]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    folder = tmp_path_factory.mktemp("city")
    url = f"sqlite:///{folder / 'city.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        admin = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS verified WITH (FORCE)")
            connection.exec_driver_sql("CREATE DATABASE verified TEMPLATE template0")
        url = server.url("verified")
    engine = volunteerkit.create_engine(url)
    fill(engine, folder)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine, folder: Path) -> None:
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        projects.register(desk, "P2", name="没有人来", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        volunteers.admit(desk, name="新", organization="O1", number="V2")
        made = [
            hours.record(desk, Claim("V1", "P1", dt.date(2026, 10, 1), 60), key=f"k{i}") for i in range(4)
        ]
    with KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, made[0].record_id)
        hours.confirm(desk, made[1].record_id, minutes=30, reason="提前离开")
        hours.reject(desk, made[2].record_id, reason="没有签到")
        hours.reverse(desk, made[0].record_id, reason="录错了人")
        hours.reverse(desk, made[0].record_id, reason="冲正有误")
    (folder / "service_records.csv").write_text(RECORDS, "utf-8")
    KIT.import_directory(engine, CLERK, folder)
    KIT.run(engine, CLERK, lambda desk: 1, key="once")


def defenceless(connection: sa.Connection, table: str) -> None:
    """Take away, inside a transaction that is rolled back, what keeps an administrator from altering rows."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        return
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    checks = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
    for (name,) in connection.exec_driver_sql(checks, (table,)).all():
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def alterations(column: sa.Column[Any], value: Any) -> list[Any]:
    """Other values for a cell: a neighbour, and nothing for something or the word None for nothing."""
    kind = column.type.python_type
    if value is None:
        return [{int: 0, str: "None", bytes: b"None"}[kind]]
    other: list[Any] = [
        {int: lambda: value + 1000, str: lambda: value + "x", bytes: lambda: b"\0" * 32}[kind]()
    ]
    return other + ([None] if column.nullable else [])


@pytest.mark.parametrize(("table", "name"), COLUMNS, ids=lambda part: part)
def test_verify_notices_any_cell_that_was_altered(engine: sa.Engine, table: str, name: str) -> None:
    target = volunteerkit.metadata.tables[table]
    column, key = target.c[name], next(iter(target.primary_key.columns))
    tried = 0
    with engine.connect() as connection:
        assert verify_store(connection).holds
        defenceless(connection, table)
        for id_, value in connection.execute(sa.select(key, column).order_by(key)).all():
            for other in alterations(column, value):
                if other == value:
                    continue
                with connection.begin_nested() as savepoint:
                    connection.execute(sa.update(target).where(key == id_).values({name: other}))
                    found = verify_store(connection)
                    savepoint.rollback()
                assert not found.holds, (table, name, id_, other)
                tried += 1
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()  # with it the connection that ignores checks
    assert tried


def altered(connection: sa.Connection, statement: str) -> str:
    defenceless(connection, statement.split()[1 if statement.startswith("UPDATE") else 2])
    connection.exec_driver_sql(statement)
    return verify_store(connection).where


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE vk_transfer SET minutes = 61 WHERE seq = 3", "transfer 3 or its record 3"),
        ("UPDATE vk_transfer SET reason = 'None' WHERE seq = 5", "transfer 5"),
        ("UPDATE vk_service_record SET clock_minutes = 121 WHERE id = 5", "transfer 10 or its record 5"),
        ("UPDATE vk_service_record SET state = 'reversed' WHERE id = 1", "record 1"),
        ("UPDATE vk_service_record SET clock_minutes = 121 WHERE id = 7", "records of batch 1 without transfers"),
        ("UPDATE vk_service_record SET state = 'cancelled' WHERE id = 7", "records of batch 1 without transfers"),
        ("DELETE FROM vk_service_record WHERE id = 8", "records of batch 1 without transfers"),
        ("UPDATE vk_event SET key = 'k9' WHERE seq = 6", "event 6"),
        ("UPDATE vk_account SET pending_minutes = 7 WHERE id = 17", "account 17"),
        ("UPDATE vk_account SET id = 999 WHERE id = 34", "account 34"),
        ("UPDATE vk_account SET id = 999 WHERE id = 17", "account 17"),
        ("INSERT INTO vk_account (id, posted_minutes, pending_minutes) VALUES (999, 0, 0)", "account 999"),
        ("DELETE FROM vk_transfer WHERE seq = 11", "head of the transfers"),
        ("UPDATE vk_head SET record_id = 9", "head of the records"),
        ("UPDATE vk_head SET event_seq = 99", "head of the events"),
        ("UPDATE vk_head SET id = 2", "head"),
        ("DELETE FROM vk_head", "head"),
    ],
)  # fmt: skip
def test_verify_says_where(engine: sa.Engine, statement: str, where: str) -> None:
    with engine.connect() as connection:
        found = altered(connection, statement)
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()
    assert found == where


@pytest.mark.parametrize(
    ("statement", "mended"),
    [
        ("UPDATE vk_account SET posted_minutes = 7, pending_minutes = 3", 4),
        ("UPDATE vk_account SET posted_minutes = posted_minutes + 1 WHERE id = 17", 1),
        ("UPDATE vk_account SET pending_minutes = pending_minutes - 1 WHERE id = 18", 1),
        ("UPDATE vk_account SET id = 999 WHERE id = 17", 2),
        ("UPDATE vk_account SET id = 999 WHERE id = 34", 2),
        ("DELETE FROM vk_account", 4),
        ("UPDATE vk_account SET posted_minutes = posted_minutes", 0),
    ],
)
def test_rebuild_makes_balances_what_the_transfers_say(
    engine: sa.Engine, statement: str, mended: int
) -> None:
    everything = sa.select(volunteerkit.metadata.tables["vk_account"]).order_by(sa.text("id"))
    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        right = connection.execute(everything).all()
        connection.exec_driver_sql(statement)
        assert hours.rebuild(desk) == mended
        assert connection.execute(everything).all() == right
        assert verify_store(connection).holds
        last = "SELECT type, actor_id, payload FROM vk_event ORDER BY seq DESC LIMIT 1"
        event = tuple(connection.exec_driver_sql(last).one())
        assert event == ("store.rebuilt", "clerk-7", f'{{"accounts":{mended}}}')
        connection.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vk_transfer SET minutes = minutes + 1 WHERE seq = 2",
        "UPDATE vk_head SET transfer_seq = transfer_seq - 1",
        "UPDATE vk_service_record SET volunteer_id = 2 WHERE id = 1",
    ],
)
def test_rebuild_refuses_when_the_transfers_themselves_were_altered(
    engine: sa.Engine, statement: str
) -> None:
    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        defenceless(connection, statement.split()[1])
        connection.exec_driver_sql(statement)
        before = connection.exec_driver_sql("SELECT * FROM vk_account ORDER BY id").all()
        with pytest.raises(IntegrityProblem):
            hours.rebuild(desk)
        assert connection.exec_driver_sql("SELECT * FROM vk_account ORDER BY id").all() == before
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()


def test_only_the_centre_rebuilds(engine: sa.Engine) -> None:
    for grant in (Grant("auditor"), Grant("volunteer"), Grant("organization_admin", "O1")):
        with pytest.raises(NotPermitted), KIT.open(engine, Actor("a", (grant,))) as desk:
            hours.rebuild(desk)
