"""A city with one kind of case on a route of the test's choosing, at any day, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, Kit, fixed_clock
from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.clock import Calendar
from volunteerkit.store.desk import Desk
from volunteerkit.workflow import Route, Step

KIND = "team.registration"
FIRST = dt.date(2026, 1, 1)
"""A day before all cases of the tests."""


def noon(day: dt.date) -> dt.datetime:
    """Return noon of a day in the city's zone."""
    return dt.datetime.combine(day, dt.time(4), dt.UTC)


@attrs.frozen
class City:
    """A kit, a database, and what was settled there; ``fail`` makes settling raise."""

    kit: Kit
    engine: sa.Engine
    settled: list[tuple[int, str, dt.date]]

    def on(self, day: dt.date) -> Kit:
        return attrs.evolve(self.kit, clock=fixed_clock(noon(day)))

    def at(self, day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        with self.on(day).open(self.engine, actor) as desk:
            return work(desk)

    def unswept(self, day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        """Do ``work`` at a desk that was opened before any term ran out: nothing was settled for it."""
        with self.on(FIRST).open(self.engine, actor) as desk:
            return work(attrs.evolve(desk, now=noon(day)))

    def unswept_desk(self, connection: sa.Connection, day: dt.date, actor: Actor) -> Desk:
        """Return such a desk on the portal's own transaction."""
        return attrs.evolve(self.on(FIRST).desk(connection, actor), now=noon(day))

    def open(self, day: dt.date, actor: Actor, **more: Any) -> int:
        given = {"subject": "team:1", "place": Place("V1", (), ("O1",), ("渝水区",))} | more
        found: int = self.at(day, actor, lambda desk: open_case(desk, KIND, **given).id)
        return found

    def with_calendar(self, calendar: Calendar) -> City:
        return attrs.evolve(self, kit=attrs.evolve(self.kit, calendar=calendar))

    def with_route(self, *steps: Step, notice_days: int = 0) -> City:
        workflow = attrs.evolve(self.kit.workflows[KIND], route=Route(KIND, steps, notice_days))
        return attrs.evolve(self, kit=attrs.evolve(self.kit, workflows={KIND: workflow}))

    def events(self) -> int:
        with self.engine.connect() as connection:
            return connection.exec_driver_sql("SELECT count(*) FROM vk_event").scalar_one()


@pytest.fixture
def city(database_url: str) -> Iterator[Callable[..., City]]:
    engine = volunteerkit.create_engine(database_url)

    def make(
        *steps: Step,
        notice_days: int = 0,
        calendar: Calendar | None = None,
        settle: Callable[..., None] | None = None,
        parties: Callable[[Case], tuple[Person, ...]] | None = None,
        action: str = "team.decide",
    ) -> City:
        settled: list[tuple[int, str, dt.date]] = []

        def keep(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
            settled.append((case.id, outcome, on))

        more = {} if parties is None else {"parties": parties}
        workflow = Workflow(Route(KIND, steps, notice_days), action, settle or keep, **more)
        kit = attrs.evolve(Kit.load(), workflows={KIND: workflow}, calendar=calendar or Calendar())
        kit.migrate(engine)
        return City(kit, engine, settled)

    yield make
    engine.dispose()
