"""A city as the situations know it: two organizations, people with offices in them, and a clock that is moved."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import (
    Actor,
    Application,
    Finding,
    Grant,
    Policy,
    Refused,
    approvals,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.messages import LANGUAGES
from volunteerkit.volunteers import Guardian

DAY = dt.date(2026, 11, 2)
"""The Monday on which a town begins; days of a project are counted from it."""
CENTRE, SECOND_CENTRE = (Actor.of(f"centre-{n}", "centre") for n in (1, 2))
JOB = Actor.of("job-1", "system")
ADMIN, SECOND_ADMIN, THIRD_ADMIN = (
    Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2, 3)
)
OTHER_ADMIN = Actor("admin-9", (Grant("organization_admin", "O2"),))
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
SAID = dict.fromkeys(("place", "content", "conditions", "risks", "protection"), "见通知")


@attrs.define
class Town:
    """A city whose clock is moved: ``at(7, "08:30", ADMIN, verb, …)`` is half past eight, seven days after DAY."""

    city: Any
    policy: Policy = attrs.Factory(Policy)
    centre: Actor = CENTRE
    second_centre: Actor = SECOND_CENTRE
    job: Actor = JOB
    admin: Actor = ADMIN
    second_admin: Actor = SECOND_ADMIN
    third_admin: Actor = THIRD_ADMIN
    other_admin: Actor = OTHER_ADMIN
    officer: Actor = OFFICER
    said: dict[str, str] = attrs.Factory(lambda: dict(SAID))

    def me(self, number: str) -> Actor:
        """The actor who is the volunteer with that number."""
        return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)

    def instant(self, day: int, clock: str) -> dt.datetime:
        found: dt.datetime = projects.local_time(self.city.kit.zone, DAY + dt.timedelta(day), clock)
        return found

    def at(
        self, day: int, clock: str, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any
    ) -> Any:
        kit = attrs.evolve(self.city.kit, clock=fixed_clock(self.instant(day, clock)), policy=self.policy)
        with kit.open(self.city.engine, actor) as desk:
            return verb(desk, *given, **named)

    def refused(self, day: int, clock: str, actor: Actor, verb: Any, *given: Any, **named: Any) -> list[str]:
        """Return the codes for which a verb refuses; each has its text in both languages, nothing is written."""
        before = self.written()
        with pytest.raises(Refused) as caught:
            self.at(day, clock, actor, verb, *given, **named)
        assert self.written() == before
        told: tuple[Finding, ...] = caught.value.findings
        assert all(each.code not in each.message(language) for each in told for language in LANGUAGES)
        return [each.code for each in told if each.severity != "warn"]

    def written(self) -> Any:
        with self.city.engine.connect() as connection:
            return connection.execute(sa.text("SELECT event_seq, transfer_seq FROM vk_head")).one()

    def shift(
        self, day: int, starts: str, hours: float = 4, capacity: int | None = None
    ) -> projects.ShiftForm:
        begin = self.instant(day, starts)
        return projects.ShiftForm(begin, begin + dt.timedelta(hours=hours), capacity)

    def project(self, *shifts: projects.ShiftForm, name: str = "社区敬老", **more: Any) -> str:
        """Return the number of a project that was applied for, approved and published, of days 7 to 20."""
        days = {"starts_on": DAY + dt.timedelta(7), "ends_on": DAY + dt.timedelta(20)}
        said = {"organization": "O1", "statements": SAID, "places": 10, "shifts": shifts} | days | more
        applied = self.at(0, "10:00", ADMIN, projects.apply, projects.ProjectForm(name, **said))
        self.at(0, "11:00", OFFICER, approvals.decide, applied.case, "approve")
        self.at(0, "12:00", ADMIN, projects.publish, applied.number)
        return str(applied.number)

    def approve(self, day: int, case: int, *offices: Actor) -> None:
        """Let each of the offices approve a case, one after the other."""
        for office in offices:
            self.at(day, "11:00", office, approvals.decide, case, "approve")

    def shifts(self, number: str) -> list[int]:
        return [each.id for each in self.at(0, "12:30", CENTRE, projects.view, number).shifts]

    def minor(self, born_on: dt.date, name: str = "小乐") -> str:
        """Return the number of a minor whose guardian consented, registered and approved."""
        mother = Guardian("欧阳母", "12900000001", consented_on=DAY - dt.timedelta(15))
        form = Application(name, "O1", born_on=born_on, consent_on=mother.consented_on, guardian=mother)
        number: str = self.at(-15, "09:00", ADMIN, volunteers.register, form)
        self.at(-14, "09:00", SECOND_ADMIN, volunteers.approve, number)
        return number

    def claimed(self, shift: int, day: int, clock: str = "09:00") -> dict[str, Any]:
        """Claim a shift's attendance and return what became of it, by volunteer."""
        return {each.volunteer: each for each in self.at(day, clock, ADMIN, hours.claim_attendance, shift)}


def settled(city: Any) -> Town:
    town = Town(city)
    for number, name in (("O1", "红十字会志愿服务队"), ("O2", "阳光社工服务中心")):
        town.at(-30, "09:00", CENTRE, organizations.register, number, name=name, area="渝水区")
    for n, name in enumerate(("张桂兰", "欧阳明", "李建国", "王秀英", "买买提·艾力", "陈静"), 1):
        who = {"name": name, "number": f"V{n}", "born_on": dt.date(1990, 5, n)}
        town.at(-20, "09:00", CENTRE, volunteers.admit, organization="O1", **who)
    return town


@pytest.fixture
def town(city: Any) -> Town:
    """The town on SQLite and on PostgreSQL."""
    return settled(city)


@pytest.fixture
def village(small: Any) -> Town:
    """The town in memory, for what does not depend on the database."""
    return settled(small)


@pytest.fixture(name="settle")
def make_town() -> Callable[[Any], Town]:
    """Settle a city that was made with rulebooks or plugins of its own."""
    return settled
