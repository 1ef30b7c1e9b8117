"""A city with volunteers: two organizations, who acts for them, and the ways that most tests go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Application, Grant, Kit, organizations, projects, volunteers
from volunteerkit.store.desk import Desk
from volunteerkit.volunteers.reading import find, status_of

MONDAY = dt.date(2026, 11, 23)
CENTRE = Actor.of("centre-1", "centre")
OLD, OLD2 = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))


@attrs.frozen
class City:
    """The city that was ``made``, with applicants; everything happens on `MONDAY` unless a day is given."""

    made: Any

    @property
    def kit(self) -> Kit:
        found: Kit = self.made.kit
        return found

    @property
    def engine(self) -> sa.Engine:
        return self.made.engine

    def at(self, *given: Any, **named: Any) -> Any:
        return self.made.at(*given, **named)

    def adult(self, **more: Any) -> Application:
        """Return the application of somebody born in 1990 at O1, with whatever else is given."""
        given: dict[str, Any] = {"born_on": dt.date(1990, 5, 1), "consent_on": MONDAY}
        return Application("兰𠮷", "O1", **(given | more))

    def approved(self, **more: Any) -> str:
        """Register an applicant at O1, approve them, and return the number."""
        number: str = self.at(MONDAY, OLD, volunteers.register, self.adult(**more))
        self.at(MONDAY, OLD2, volunteers.approve, number)
        return number

    def status(self, number: str, day: dt.date = MONDAY) -> str:
        def read(desk: Desk) -> str:
            found = find(desk, number)
            assert found is not None
            return status_of(desk, found)

        return str(self.at(day, CENTRE, read))

    def manager(self, number: str, day: dt.date) -> str:
        return str(self.at(day, CENTRE, lambda desk: getattr(find(desk, number), "organization", "")))


@pytest.fixture
def make_city(make_city: Callable[..., Any]) -> Callable[..., City]:
    def make(url: str, *plugins: Any) -> City:
        return City(make_city(url, *plugins))

    return make


@pytest.fixture
def two(city: City) -> City:
    """A city with the organizations O1 and O2 and a project of each."""

    def begin(desk: Desk) -> None:
        for number in ("O1", "O2"):
            organizations.register(desk, number, name=f"{number}志愿服务队")
            projects.register(desk, f"P{number}", name="献血宣传", organization=number)

    city.at(MONDAY, CENTRE, begin)
    return city
