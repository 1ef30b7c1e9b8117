"""Random lives of projects against a model in plain Python, on both databases."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    Refused,
    approvals,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, NotFound, NotPermitted
from volunteerkit.projects import ProjectChange, ProjectForm, ShiftForm

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
SAID = dict.fromkeys(("place", "content", "conditions", "risks", "protection"), "见通知")
KIT = Kit.load(cipher=KeyCipher(bytes(32)))
TAKING = ("approved", "published", "closing", "closed", "archived")
_lives = itertools.count(1)


@attrs.define
class Model:
    """What should be so of a project."""

    number: str
    name: str
    starts: int
    ends: int
    status: str
    case: int
    shifts: dict[int, int] = attrs.field(factory=dict)
    cancelled: set[int] = attrs.field(factory=set)
    change: tuple[int, str] | None = None
    closing: int = 0
    hours: int = 0
    was: str = ""

    def over(self, day: int) -> bool:
        """Tell whether it is over at noon: shifts are in the morning."""
        last = max((day for id_, day in self.shifts.items() if id_ not in self.cancelled), default=None)
        return day >= (self.ends if last is None else last)


class ProjectLife(RuleBasedStateMachine):
    """Applications, decisions, plans, changes, hours, cancellations and reports of one organization's projects."""

    url = "sqlite://"

    def __init__(self) -> None:
        super().__init__()
        self.engine = volunteerkit.create_engine(self.url)
        KIT.migrate(self.engine)
        self.day, self.known = 0, dict[str, Model]()
        self.life = next(_lives)
        self.owner = f"O{self.life}"
        self.admin = Actor("admin-1", (Grant("organization_admin", self.owner),))
        self.person = f"V{self.life}-1"
        self.at(CENTRE, organizations.register, self.owner, name="红十字会", area="渝水区")
        self.at(CENTRE, volunteers.admit, name="志愿者", organization=self.owner, number=self.person)

    def teardown(self) -> None:
        self.engine.dispose()

    def at(self, actor: Actor, verb: Any, *given: Any, **named: Any) -> Any:
        noon = dt.datetime.combine(self.on(self.day), dt.time(4), dt.UTC)
        with attrs.evolve(KIT, clock=fixed_clock(noon)).open(self.engine, actor) as desk:
            return verb(desk, *given, **named)

    def on(self, day: int) -> dt.date:
        return MONDAY + dt.timedelta(day)

    def one(self, data: st.DataObject) -> Model:
        return self.known[data.draw(st.sampled_from(sorted(self.known)))]

    def tried(self, fits: bool, actor: Actor, verb: Any, *given: Any, **named: Any) -> Any:
        """Do it, and see that it is refused exactly when it does not fit."""
        try:
            done = self.at(actor, verb, *given, **named)
        except (Refused, NotFound, AlreadyResolved):
            assert not fits, (verb, self.day)
            return None
        assert fits, (verb, self.day)
        return done if done is not None else True

    def decided(self, case: int, verdict: str) -> None:
        try:
            self.at(OFFICER, approvals.decide, case, verdict, reason="如此")
        except NotPermitted:  # the term is over
            self.at(SECOND, approvals.decide, case, verdict, reason="如此")

    @rule(days=st.integers(1, 3))
    def days_pass(self, days: int) -> None:
        self.day += days

    @precondition(lambda self: len(self.known) < 4)
    @rule(start=st.integers(-1, 4), length=st.integers(0, 5))
    def apply(self, start: int, length: int) -> None:
        number, first = f"P{self.life}-{len(self.known)}", self.day + start
        form = ProjectForm(number, self.owner, self.on(first), self.on(first + length), SAID, places=5)
        made = self.tried(start >= 0, self.admin, projects.apply, form, number=number)
        if made:
            self.known[number] = Model(number, number, first, first + length, "pending", made.case)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "approve", "refuse"]))
    def decide(self, data: st.DataObject, verdict: str) -> None:
        it = self.one(data)
        if it.status == "pending":
            self.decided(it.case, verdict)
            it.status = "approved" if verdict == "approve" else "refused"
        elif it.status != "deleted":
            self.tried(False, SECOND, approvals.decide, it.case, verdict, reason="如此")

    @precondition(lambda self: self.known)
    @rule(data=st.data(), day=st.integers(-1, 6))
    def add_shift(self, data: st.DataObject, day: int) -> None:
        it = self.one(data)
        when = self.day + day
        begin = dt.datetime.combine(self.on(when), dt.time(1), dt.UTC)  # nine to eleven, and it is noon
        form = ShiftForm(begin, begin + dt.timedelta(hours=2), 2)
        fits = it.status in ("pending", "approved", "published") and it.starts <= when <= it.ends and day > 0
        made = self.tried(fits, self.admin, projects.add_shift, it.number, form)
        if made:
            it.shifts[made.id] = when

    @precondition(lambda self: any(it.shifts for it in self.known.values()))
    @rule(data=st.data())
    def cancel_shift(self, data: st.DataObject) -> None:
        with_shifts = sorted(number for number, it in self.known.items() if it.shifts)
        it = self.known[data.draw(st.sampled_from(with_shifts))]
        id_ = data.draw(st.sampled_from(sorted(it.shifts)))
        fits = it.status in ("pending", "approved", "published") and id_ not in it.cancelled
        fits = fits and it.shifts[id_] > self.day
        if self.tried(fits, self.admin, projects.cancel_shift, id_):
            it.cancelled.add(id_)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        it = self.one(data)
        first = min((day for id_, day in it.shifts.items() if id_ not in it.cancelled), default=self.day + 1)
        fits = it.status == "approved" and it.starts >= self.day and first > self.day
        if self.tried(fits, self.admin, projects.publish, it.number):
            it.status = "published"

    @precondition(lambda self: self.known)
    @rule(data=st.data(), name=st.sampled_from(["敬老日", "护学岗"]))
    def change(self, data: st.DataObject, name: str) -> None:
        it = self.one(data)
        if it.status == "pending":
            if self.tried(it.name != name, self.admin, projects.edit, it.number, ProjectChange(name=name)):
                it.name = name
            return
        fits = it.status in ("approved", "published") and it.change is None and it.name != name
        case = self.tried(fits, self.admin, projects.request_change, it.number, ProjectChange(name=name))
        if case:
            it.change = (case, name)

    @precondition(lambda self: any(it.change for it in self.known.values()))
    @rule(data=st.data(), granted=st.booleans())
    def settle_change(self, data: st.DataObject, granted: bool) -> None:
        waiting = sorted(number for number, it in self.known.items() if it.change)
        it = self.known[data.draw(st.sampled_from(waiting))]
        assert it.change is not None
        case, name = it.change
        if it.status not in ("approved", "published") and granted:  # reported on meanwhile
            for actor in (OFFICER, SECOND):
                with pytest.raises((Refused, NotPermitted)):
                    self.at(actor, approvals.decide, case, "approve")
            return
        self.decided(case, "approve" if granted else "refuse")
        it.change = None
        it.name = name if granted else it.name

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def record(self, data: st.DataObject) -> None:
        it = self.one(data)
        claim = Claim(self.person, it.number, self.on(self.day), 30)
        if self.tried(it.status in TAKING, self.admin, hours.record, claim):
            it.hours += 1

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        it = self.one(data)
        fits = it.status in ("approved", "published") and not it.hours
        if self.tried(fits, self.admin, projects.cancel, it.number, reason="台风"):
            it.status, it.change = "cancelled", None
            it.cancelled |= set(it.shifts)

    @precondition(lambda self: self.known)
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "refuse", ""]))
    def report(self, data: st.DataObject, verdict: str) -> None:
        it = self.one(data)
        fits = it.status == "published" and it.over(self.day)
        case = self.tried(fits, self.admin, projects.report, it.number, persons=3, minutes=60, result="已办")
        if case:
            it.status, it.closing = "closing", case
        if it.status == "closing" and verdict:
            self.decided(it.closing, verdict)
            it.status = "closed" if verdict == "approve" else "published"

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def archive(self, data: st.DataObject) -> None:
        it = self.one(data)
        fits = it.status in ("refused", "withdrawn", "closed", "cancelled")
        if self.tried(fits, self.admin, projects.archive, it.number):
            it.status = "archived"

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        it = self.one(data)
        if self.tried(it.status != "deleted" and not it.hours, self.admin, projects.delete, it.number):
            it.status, it.change = "deleted", None

    @invariant()
    def every_project_is_as_the_model_says(self) -> None:
        living = {number for number, it in self.known.items() if it.status != "deleted"}
        listed = self.at(self.admin, projects.list_applications)
        assert {each.number: each.status for each in listed} == {
            number: self.known[number].status for number in living
        }
        for number in living:
            it, found = self.known[number], self.at(self.admin, projects.view_application, number)
            assert found.name == it.name
            assert {each.id: each.cancelled for each in found.shifts} == {
                id_: id_ in it.cancelled for id_ in it.shifts
            }
        for number in set(self.known) - living:
            with pytest.raises(NotFound):
                self.at(self.admin, projects.view_application, number)


def test_a_life_on_sqlite() -> None:
    few = settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(ProjectLife, settings=few)


@pytest.mark.slow
def test_a_life_on_postgresql(postgresql_url: str) -> None:
    there = type("ProjectLife", (ProjectLife,), {"url": postgresql_url})
    few = settings(max_examples=6, stateful_step_count=20, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(there, settings=few)
