"""A ledger of version 1, with its narrower conditions, takes every correction once it is brought up to date."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Claim, KeyCipher, Kit, fixed_clock, hours, organizations, projects, volunteers
from volunteerkit.store import migrating

CLERK, CHECKER, THIRD = (Actor.of(f"clerk-{n}", "centre") for n in (7, 8, 9))
KIT = Kit.load(cipher=KeyCipher(bytes(32)), clock=fixed_clock(dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)))
NARROW = {
    ("vk_service_record", "confirmed"): "confirmed_minutes BETWEEN 0 AND claimed_minutes",
    ("vk_transfer", "code"): "code IN ('RECORD', 'CONFIRM', 'REJECT', 'REVERSE', 'IMPORT')",
}


def narrowed(connection: sa.Connection) -> None:
    """Give the tables the conditions that they had."""
    for (table, name), text in NARROW.items():
        full = f"ck_{table}_{name}"
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {full}")
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {full} CHECK ({text})")
            continue
        lines = (
            connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,))
            .scalar_one()
            .split("\n")
        )
        old = [
            f"\tCONSTRAINT {full} CHECK ({text}), " if f"CONSTRAINT {full} " in line else line
            for line in lines
        ]
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.exec_driver_sql("UPDATE sqlite_master SET sql = ? WHERE name = ?", ("\n".join(old), table))
        connection.exec_driver_sql("PRAGMA writable_schema = RESET")


def test_an_older_ledger_takes_adjustments_beyond_the_claim(database_url: str) -> None:
    engine = volunteerkit.create_engine(database_url)
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 20), 60))
    with KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, 1)
    with engine.begin() as connection:
        narrowed(connection)
    engine.dispose()

    def adjusted() -> Any:
        with KIT.open(engine, THIRD) as desk:
            return hours.adjust(desk, 1, minutes=90, reason="漏记").minutes

    with pytest.raises(volunteerkit.errors.StorageError):
        adjusted()
    with engine.begin() as connection:
        migrating._conditions(connection)
    engine.dispose()
    assert adjusted() == 90
    with engine.connect() as connection:
        assert hours.verify_store(connection).holds
        if engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    engine.dispose()
