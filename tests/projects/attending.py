"""What the tests of attendance share: people accepted for a shift, and verbs done at an instant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Grant, Policy, fixed_clock, projects
from volunteerkit.projects.tables import participation, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.registering import next_id
from volunteerkit.volunteers.tables import volunteer

NINE = dt.datetime(2026, 11, 30, 1, tzinfo=dt.UTC)
"""Nine o'clock in the city, when the shifts of these tests begin; they last four hours."""
CENTRE = Actor.of("centre-1", "centre", "system")
LEADER = Actor("admin-1", (Grant("organization_admin", "O1"),))
SECOND = Actor("admin-2", (Grant("organization_admin", "O1"),))
STRANGER = Actor("admin-9", (Grant("organization_admin", "O9"),))
GATE = Actor.of("gates", "system")


def me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


def minutes(count: float) -> dt.timedelta:
    return dt.timedelta(minutes=count)


@attrs.define
class Attending:
    """A planned city at any instant, under any policy."""

    planned: Any
    policy: Policy = attrs.Factory(Policy)

    def at(
        self, instant: dt.datetime, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any
    ) -> Any:
        city = self.planned.city
        kit = attrs.evolve(city.kit, clock=fixed_clock(instant), policy=self.policy)
        with kit.open(city.engine, actor) as desk:
            return verb(desk, *given, **named)

    def shift(
        self, *numbers: str, starts: dt.datetime = NINE, hours: float = 4, state: str = "accepted"
    ) -> int:
        """A shift with people in that state."""
        shift_id: int = self.planned.shift(starts, hours)
        for number in numbers:
            self.at(starts - dt.timedelta(days=3), CENTRE, join, shift_id, number, state)
        return shift_id

    def change(self, table: sa.Table, id: int, **values: Any) -> None:
        self.at(NINE, CENTRE, _change, table, id, values)

    def list(self, shift_id: int, instant: dt.datetime) -> Any:
        return self.at(instant, LEADER, projects.attendance.list_attendance, shift_id)

    def rows(self, table: sa.Table) -> list[Any]:
        with self.planned.city.engine.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))


def join(desk: Desk, shift_id: int, number: str, state: str) -> int:
    """Write a participation as recruiting would."""
    id_ = next_id(desk, participation)
    person = desk.connection.execute(
        sa.select(volunteer.c.id).where(volunteer.c.number == number)
    ).scalar_one()
    now = microseconds(desk.now)
    desk.connection.execute(sa.insert(participation).values(
        id=id_, shift_id=shift_id, volunteer_id=person, state=state, rank=id_, applied_at=now, changed_at=now,
        changed_by="centre-1",
    ))  # fmt: skip
    if state == "accepted":
        desk.connection.execute(
            sa.update(shift).where(shift.c.id == shift_id).values(taken=shift.c.taken + 1)
        )
    return id_


def _change(desk: Desk, table: sa.Table, id: int, values: dict[str, Any]) -> None:
    desk.connection.execute(sa.update(table).where(table.c.id == id).values(**values))


def engine_of(url: str, journal: str = "") -> sa.Engine:
    """The library's engine, or with ``journal`` one of SQLite as a portal may set it up itself."""
    if not journal:
        return volunteerkit.create_engine(url)
    engine = sa.create_engine(url)

    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "busy_timeout = 30000",
            f"journal_mode = {journal}",
            "foreign_keys = ON",
            "recursive_triggers = ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "connect", connect)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine
