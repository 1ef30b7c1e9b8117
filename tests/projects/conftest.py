"""A city with an organization, volunteers and a published project with shifts, on both databases."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Refused, approvals, organizations, projects, volunteers
from volunteerkit.messages import LANGUAGES
from volunteerkit.organizations.tables import team
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.registering import next_id
from volunteerkit.store.schema import event
from volunteerkit.volunteers.tables import volunteer as person

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
    return found


SAID = dict.fromkeys(("place", "content", "conditions", "risks", "protection"), "见通知")


SECOND_ADMIN, STRANGER = (
    Actor(id_, (Grant("organization_admin", number),))
    for id_, number in (("admin-2", "O1"), ("admin-9", "O2"))
)
LEADER = Actor("leader-1", (Grant("team_leader", "T1"),))
OFFICER, SECOND_OFFICER = (
    Actor(id_, (Grant("department_officer", "渝水区"),)) for id_ in ("officer-1", "officer-2")
)
PUBLIC = Actor.of("citizen-1", "public")


@attrs.frozen
class Organized:
    """A city where O1 of 渝水区 and its team T1 apply for projects: two administrators, a leader, two officers."""

    city: Any
    admin: Actor = ADMIN
    second_admin: Actor = SECOND_ADMIN
    stranger: Actor = STRANGER
    leader: Actor = LEADER
    officer: Actor = OFFICER
    second_officer: Actor = SECOND_OFFICER
    centre: Actor = CENTRE
    public: Actor = PUBLIC

    def at(self, actor: Actor, verb: Callable[..., Any], *given: Any, on: dt.date = DAY, **named: Any) -> Any:
        """Do one unit of work at noon of a day in Shanghai, which is four o'clock UTC."""
        return self.city.at(on, actor, verb, *given, **named)

    def form(
        self, name: str = "社区敬老", start: int = 7, days: int = 60, **more: Any
    ) -> projects.ProjectForm:
        """Return a whole form for a project that begins ``start`` days from now."""
        first = DAY + dt.timedelta(start)
        said = {"organization": "O1", "statements": SAID, "places": 10} | more
        return projects.ProjectForm(name, starts_on=first, ends_on=first + dt.timedelta(days), **said)

    def approved(self, **more: Any) -> str:
        """Return the number of a project of the organization that the department approved."""
        applied = self.at(self.admin, projects.apply, self.form(**more))
        self.at(self.officer, approvals.decide, applied.case, "approve")
        return str(applied.number)

    def published(self, **more: Any) -> str:
        """Return the number of one that is published."""
        number = self.approved(**more)
        self.at(self.admin, projects.publish, number)
        return number

    def instant(self, day: int, clock: str) -> dt.datetime:
        """Return the instant of a time of the city's clock, so many days from now."""
        return projects.local_time(self.city.kit.zone, DAY + dt.timedelta(day), clock)

    def span(self, day: int, starts: str, hours: float, capacity: int | None = None, **more: Any) -> Any:
        """Return the form of a shift."""
        begin = self.instant(day, starts)
        return projects.ShiftForm(begin, begin + dt.timedelta(hours=hours), capacity, **more)

    def join(self, shift: int, *people: str, state: str = "accepted") -> None:
        """Let volunteers take part in a shift."""
        self.at(CENTRE, _join, shift, people, state)

    def events(self, type: str) -> list[dict[str, Any]]:
        """Return the payloads of the events of a type, in order."""
        query = sa.select(event.c.payload).where(event.c.type == type).order_by(event.c.seq)
        return self.at(
            CENTRE, lambda desk: [json.loads(each) for each in desk.connection.execute(query).scalars()]
        )


def _join(desk: Desk, shift_id: int, people: tuple[str, ...], state: str) -> None:
    now = microseconds(desk.now)
    for number in people:
        id_ = next_id(desk, participation)
        who = desk.connection.execute(sa.select(person.c.id).where(person.c.number == number)).scalar_one()
        values = {"shift_id": shift_id, "volunteer_id": who, "state": state, "rank": id_, "applied_at": now}
        written = sa.insert(participation).values(id=id_, changed_at=now, changed_by="test", **values)
        desk.connection.execute(written)
        if state == "accepted":
            taken = sa.update(shift).where(shift.c.id == shift_id).values(taken=shift.c.taken + 1)
            desk.connection.execute(taken)


def _organized(city: Any) -> Organized:
    found = Organized(city)
    for number in ("O1", "O2"):
        found.at(
            CENTRE,
            organizations.register,
            number,
            name=f"服务队{number}",
            area="渝水区",
            on=DAY - dt.timedelta(30),
        )
    group = {"id": 1, "number": "T1", "name": "清晨护学队", "organization_id": 1, "status": "approved"}
    found.at(CENTRE, lambda desk: desk.connection.execute(sa.insert(team).values(**group)))
    for n in range(1, 5):
        who = {"name": f"志愿者{n}", "number": f"V{n}", "born_on": dt.date(1990, 5, n)}
        found.at(CENTRE, volunteers.admit, organization="O1", on=DAY - dt.timedelta(20), **who)
    return found


@pytest.fixture
def organized(city: Any) -> Organized:
    """The organized city on both databases."""
    return _organized(city)


@pytest.fixture
def one(small: Any) -> Organized:
    """The organized city in memory, for what does not depend on the database."""
    return _organized(small)


@pytest.fixture
def in_zone(make_city: Callable[..., Any]) -> Callable[[str], Organized]:
    """Make an organized city in another time zone."""

    def make(zone: str) -> Organized:
        made = make_city("sqlite://")
        return _organized(attrs.evolve(made, kit=attrs.evolve(made.kit, zone=ZoneInfo(zone))))

    return make


@pytest.fixture
def codes() -> Callable[[pytest.ExceptionInfo[Refused]], list[str]]:
    """Return the codes of a refusal, whose texts are there in both languages."""

    def found(caught: pytest.ExceptionInfo[Refused]) -> list[str]:
        for language in LANGUAGES:
            assert all(each.code not in each.message(language) for each in caught.value.findings)
        return [each.code for each in caught.value.findings]

    return found
