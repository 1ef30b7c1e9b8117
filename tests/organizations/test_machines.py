"""Random lives of organizations and teams against models in plain Python, on both databases."""

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
from volunteerkit import Actor, Grant, Kit, Refused, approvals, fixed_clock, organizations
from volunteerkit.errors import NotFound
from volunteerkit.organizations import OrganizationForm, TeamForm, teams

MONDAY = dt.date(2026, 11, 23)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
OFFICER = Actor("officer-1", (Grant("department_officer", "渝水区"),))
CITIZEN = Actor.of("citizen-1", "public")
KIT = Kit.load()
AHEAD = 4
_lives = itertools.count(1)


class Life(RuleBasedStateMachine):
    """What both machines share: a database, a day that only goes forward, units of work."""

    url = "sqlite://"

    def __init__(self) -> None:
        super().__init__()
        self.engine = volunteerkit.create_engine(self.url)
        KIT.migrate(self.engine)
        self.day, self.life = 0, next(_lives)
        self.known: dict[str, Any] = {}

    def teardown(self) -> None:
        self.engine.dispose()

    def at(self, actor: Actor, verb: Any, *given: Any, later: int = 0, **named: Any) -> Any:
        noon = dt.datetime.combine(self.on(self.day + later), dt.time(4), dt.UTC)
        with attrs.evolve(KIT, clock=fixed_clock(noon)).open(self.engine, actor) as desk:
            return verb(desk, *given, **named)

    def on(self, day: int) -> dt.date:
        return MONDAY + dt.timedelta(day)

    @rule()
    def a_day_passes(self) -> None:
        self.day += 1

    def one(self, data: st.DataObject) -> Any:
        return self.known[data.draw(st.sampled_from(sorted(self.known)))]


@attrs.define
class Model:
    """What should be so of an organization or a team."""

    number: str
    state: str
    case: int = 0
    spans: list[list[float]] = attrs.field(factory=list)
    ended: float = float("inf")
    heir: str | None = None
    proposed: tuple[int, str, int, float, str | None] | None = None
    owners: list[tuple[int, str]] = attrs.field(factory=list)
    above: str | None = None

    def status(self, day: int) -> str:
        if day >= self.ended:
            return "dissolved"
        if any(since <= day <= until for since, until in self.spans):
            return "suspended"
        return self.state

    def lift(self, day: int) -> bool:
        running = [span for span in self.spans if span[1] >= day]
        for span in running:
            span[1] = day - 1
        return bool(running)

    @property
    def lives(self) -> bool:
        return self.ended == float("inf") and self.state in ("active", "approved")


class OrganizationLife(Life):
    """Applications, decisions, suspensions and ends of organizations."""

    @precondition(lambda self: len(self.known) < 6)
    @rule()
    def apply(self) -> None:
        number = f"O{self.life}-{len(self.known)}"
        form = OrganizationForm(number, "branch", "渝水区", parent=self.root())
        made = self.at(CITIZEN, organizations.apply, form, number=number)
        self.known[number] = Model(number, "pending", made.case)

    def root(self) -> str:
        number = f"R{self.life}"
        try:
            self.at(CENTRE, organizations.view, number)
        except NotFound:
            self.at(CENTRE, organizations.register, number, name=number)
        return number

    @precondition(lambda self: self.known)
    @rule(data=st.data(), verdict=st.sampled_from(["approve", "refuse", "withdraw"]))
    def decide(self, data: st.DataObject, verdict: str) -> None:
        it = self.one(data)
        try:
            if verdict == "withdraw":
                self.at(CITIZEN, approvals.withdraw, it.case)
            else:
                self.at(OFFICER, approvals.decide, it.case, verdict, reason="如此")
        except volunteerkit.VolunteerkitError:
            assert it.state != "pending" or self.day >= 14  # then it is the centre's turn
            return
        assert it.state == "pending"
        it.state = {"approve": "active", "refuse": "refused", "withdraw": "withdrawn"}[verdict]

    @precondition(lambda self: self.known)
    @rule(data=st.data(), since=st.integers(0, AHEAD), length=st.integers(0, AHEAD) | st.none(),
          change=st.sampled_from(["suspend", "lift", "dissolve"]))  # fmt: skip
    def propose(self, data: st.DataObject, change: str, since: int, length: int | None) -> None:
        it, other = self.one(data), self.one(data)
        first = self.day + since
        until = float("inf") if length is None else first + length
        heir = other.number if change == "dissolve" and other.lives and other is not it else None
        day = {"reason": "如此", "since" if change == "suspend" else "on": self.on(first)}
        if change == "suspend":
            verb, named = (
                organizations.propose_suspension,
                {"until": None if length is None else self.on(int(until))},
            )
            fits = it.lives and it.status(self.day) == "active"
        elif change == "lift":
            verb, named, fits = organizations.propose_lifting, {}, any(span[1] >= first for span in it.spans)
            fits = fits and it.ended == float("inf")
        else:
            verb, named, fits = organizations.propose_dissolution, {"successor": heir}, it.lives
        try:
            case = self.at(CENTRE, verb, it.number, **day, **named)
        except Refused:
            assert not fits or it.proposed is not None
            return
        assert fits
        assert it.proposed is None
        it.proposed = (case, change, first, until, heir)

    @precondition(lambda self: any(it.proposed for it in self.known.values()))
    @rule(data=st.data(), granted=st.booleans())
    def settle(self, data: st.DataObject, granted: bool) -> None:
        waiting = sorted(number for number, it in self.known.items() if it.proposed)
        it = self.known[data.draw(st.sampled_from(waiting))]
        case, change, first, until, heir = it.proposed
        while heir is not None and self.known[heir].ended < float("inf"):
            heir = self.known[heir].heir if self.known[heir].heir != it.number else None
            fails = heir is None
            if fails and granted:
                with pytest.raises(Refused):
                    self.at(SECOND, approvals.decide, case, "approve")
                return
        self.at(SECOND, approvals.decide, case, "approve" if granted else "refuse", reason="如此")
        it.proposed = None
        if not granted:
            return
        since = max(first, self.day)
        if change == "suspend":
            it.spans.append([since, until])
        elif change == "lift":
            it.lift(since)
        else:
            it.ended, it.heir = since, heir

    @invariant()
    def every_day_is_as_the_model_says(self) -> None:
        for it in self.known.values():
            for later in (0, 1, AHEAD):
                found = self.at(CENTRE, organizations.view, it.number, later=later)
                assert found.status == it.status(self.day + later), it
            assert found.successor == it.heir


class TeamLife(Life):
    """Registrations, parts, transfers, suspensions and ends of teams of two organizations."""

    def __init__(self) -> None:
        super().__init__()
        self.owners = [f"{letter}{self.life}" for letter in "OP"]
        for number in self.owners:
            self.at(CENTRE, organizations.register, number, name=number)

    def admin(self, number: str, id: str = "admin") -> Actor:
        return Actor(f"{id}-{number}", (Grant("organization_admin", number),))

    def owner(self, it: Model, day: int) -> str:
        return [number for since, number in it.owners if since <= day][-1]

    @precondition(lambda self: len(self.known) < 6)
    @rule(which=st.integers(0, 1))
    def made(self, which: int) -> None:
        number, owner = f"T{self.life}-{len(self.known)}", self.owners[which]
        form = TeamForm(number, organization=owner)
        done = self.at(self.admin(owner), teams.apply, form, number=number)
        self.at(self.admin(owner, "other"), approvals.decide, done.case, "approve")
        self.known[number] = Model(number, "approved", owners=[(-1, owner)])

    def below(self, it: Model) -> list[Model]:
        found = [it]
        for each in found:
            found += [other for other in self.known.values() if other.above == each.number]
        return found

    @precondition(lambda self: self.known)
    @rule(data=st.data(), out=st.booleans())
    def part(self, data: st.DataObject, out: bool) -> None:
        it, above = self.one(data), self.one(data)
        same = self.owner(it, self.day) == self.owner(above, self.day)
        fits = it.lives and (out or (above.lives and above.status(self.day) == "approved" and same
                                     and above not in self.below(it)))  # fmt: skip
        try:
            self.at(CENTRE, teams.edit, it.number, parent="" if out else above.number)
        except Refused:
            assert not fits
            return
        assert fits
        it.above = None if out else above.number

    @precondition(lambda self: self.known)
    @rule(data=st.data(), which=st.integers(0, 1), since=st.integers(0, AHEAD))
    def transfer(self, data: st.DataObject, which: int, since: int) -> None:
        it, to, first = self.one(data), self.owners[which], self.day + since
        old = self.owner(it, self.day)
        fits = it.status(self.day) == "approved" and it.lives and to != old and it.above is None
        fits = fits and all(day <= self.day for day, _ in it.owners)
        try:
            case = self.at(self.admin(old), teams.transfer, it.number, to, on=self.on(first))
        except Refused:
            assert not fits
            return
        assert fits
        self.at(self.admin(to), approvals.decide, case, "approve")
        for each in self.below(it):
            each.owners = [*(row for row in each.owners if row[0] < first), (first, to)]

    @precondition(lambda self: self.known)
    @rule(data=st.data(), since=st.integers(0, AHEAD), length=st.integers(0, AHEAD) | st.none(),
          change=st.sampled_from(["suspend", "lift", "dissolve"]))  # fmt: skip
    def stop(self, data: st.DataObject, change: str, since: int, length: int | None) -> None:
        it, first = self.one(data), self.day + since
        until = float("inf") if length is None else first + length
        if change == "suspend":
            fits = it.lives and it.status(self.day) == "approved"
            named = {"since": self.on(first), "until": None if length is None else self.on(int(until))}
        else:
            named = {"on": self.on(first)}
            fits = it.lives if change == "dissolve" else any(span[1] >= first for span in it.spans)
        try:
            self.at(CENTRE, getattr(teams, change), it.number, reason="如此", **named)
        except Refused:
            assert not fits
            return
        assert fits
        if change == "suspend":
            it.spans.append([first, until])
        elif change == "lift":
            it.lift(first)
        else:
            for each in self.below(it):
                each.ended = min(each.ended, first)

    @invariant()
    def every_day_is_as_the_model_says(self) -> None:
        for it in self.known.values():
            for later in (0, AHEAD):
                found = self.at(CENTRE, teams.view, it.number, later=later)
                assert (found.status, found.organization, found.parent) == (
                    it.status(self.day + later), self.owner(it, self.day + later), it.above,
                ), it  # fmt: skip


MACHINES = [OrganizationLife, TeamLife]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
def test_a_life_on_sqlite(machine: type[Life]) -> None:
    few = settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(machine, settings=few)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.__name__)
def test_a_life_on_postgresql(machine: type[Life], postgresql_url: str) -> None:
    there = type(machine.__name__, (machine,), {"url": postgresql_url})
    few = settings(max_examples=8, stateful_step_count=20, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(there, settings=few)
