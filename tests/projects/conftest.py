"""A city with an organization, volunteers and a published project with shifts, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, organizations, projects, volunteers
from volunteerkit.projects.tables import project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.registering import next_id

DAY = dt.date(2026, 11, 23)
CENTRE = Actor.of("centre-1", "centre", "system")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))


def volunteer(number: str) -> Actor:
    """The actor who is the volunteer with that number."""
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


@attrs.frozen
class Planned:
    """A city where organization O1 has volunteers V1 … and the published project P1."""

    city: Any

    def at(self, actor: Actor, verb: Callable[..., Any], *given: Any, on: dt.date = DAY, **named: Any) -> Any:
        """Do one unit of work at noon of a day in the city's zone."""
        return self.city.at(on, actor, verb, *given, **named)

    def shift(
        self, starts: dt.datetime, hours: float = 4, capacity: int | None = None, number: str = "P1"
    ) -> int:
        """Write a shift; ``starts`` is an aware instant."""
        return self.at(CENTRE, _shift, number, starts, hours, capacity)


def _shift(desk: Desk, number: str, starts: dt.datetime, hours: float, capacity: int | None) -> int:
    id_ = next_id(desk, shift)
    begin = microseconds(starts)
    project_id = desk.connection.execute(
        sa.select(project.c.id).where(project.c.number == number)
    ).scalar_one()
    values = {"project_id": project_id, "starts_at": begin, "ends_at": begin + int(hours * 3_600_000_000)}
    desk.connection.execute(sa.insert(shift).values(id=id_, capacity=capacity, **values))
    return id_


def _publish(desk: Desk, number: str) -> None:
    written = sa.update(project).where(project.c.number == number)
    desk.connection.execute(written.values(status="published", published_at=microseconds(desk.now)))


@pytest.fixture
def planned(city: Any) -> Planned:
    found = Planned(city)
    prepare(found)
    return found


def prepare(found: Planned) -> None:
    found.at(CENTRE, organizations.register, "O1", name="红十字会志愿服务队", on=DAY - dt.timedelta(30))
    for n in range(1, 7):
        who = {"name": f"志愿者{n}", "number": f"V{n}", "born_on": dt.date(1990, 5, n)}
        found.at(CENTRE, volunteers.admit, organization="O1", on=DAY - dt.timedelta(20), **who)
    found.at(CENTRE, projects.register, "P1", name="社区敬老", organization="O1", category="敬老")
    found.at(CENTRE, _publish, "P1")
