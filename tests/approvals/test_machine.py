"""Cases against a plain model: random routes, calendars, days and commands, swept late or never."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Actor, Grant, Kit, Refused, approvals, fixed_clock
from volunteerkit.access import Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.approvals.tables import outcome_on
from volunteerkit.clock import Calendar
from volunteerkit.errors import AlreadyResolved, NotFound, NotPermitted
from volunteerkit.hours import verify_store
from volunteerkit.store.desk import Desk
from volunteerkit.units import day_number
from volunteerkit.workflow import CLOSED, Office, Position, Route, Step, forecast, stands

KIND = "team.registration"
FIRST = dt.date(2026, 12, 21)  # terms run over New Year
OPENER = Actor.of("opener", "centre")
PEOPLE = {
    "centre": [Actor.of(f"centre-{n}", "centre") for n in (1, 2, 3)],
    "organization_admin": [Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2, 3)],
}
DECIDERS = [actor for actors in PEOPLE.values() for actor in actors]
PUBLIC = Actor.of("citizen", "public")

days = st.dates(FIRST, FIRST + dt.timedelta(40))
calendars = st.builds(
    Calendar,
    holidays=st.frozensets(days, max_size=8),
    extra_workdays=st.frozensets(days, max_size=4),
    known_until=st.none() | st.dates(FIRST, FIRST + dt.timedelta(60)),
)


@st.composite
def steps(draw: st.DrawFn, name: str) -> Step:
    role = draw(st.sampled_from(sorted(PEOPLE)))
    term = draw(st.none() | st.integers(1, 4))
    end = draw(st.sampled_from([None, "grant", "refuse", "escalate"])) if term else None
    other = next(iter(set(PEOPLE) - {role}))
    return Step(
        name, Office(role), draw(st.integers(1, 2)), term, draw(st.booleans()), end,  # type: ignore[arg-type]
        Office(other) if end == "escalate" else None,
    )  # fmt: skip


@st.composite
def routes(draw: st.DrawFn) -> Route:
    names = ("one", "two", "three")[: draw(st.integers(0, 3))]
    return Route(KIND, tuple(draw(steps(name)) for name in names), draw(st.integers(0, 3)))


class Model:
    """One case in plain Python: where it stands is worked out day by day, as a clerk would."""

    def __init__(self, route: Route, calendar: Calendar, on: dt.date) -> None:
        self.route, self.calendar, self.day = route, calendar, on
        self.state, self.step, self.escalated, self.since = "review", 0, False, on
        self.given: dict[int, set[str]] = {}
        self.open: set[int] = set()
        self.closed_on: dt.date | None = None
        if not route.steps:
            self.step = -1
            self.approved(on)

    def has_decided(self, actor: Actor) -> bool:
        """Tell whether the actor has decided any step: nobody decides two."""
        return any(actor.id in decided for decided in self.given.values())

    def to(self, state: str, on: dt.date) -> None:
        self.state, self.since = state, on
        if state in CLOSED:
            self.closed_on = on

    def approved(self, on: dt.date) -> None:
        self.escalated = False
        if self.step + 1 < len(self.route.steps):
            self.step += 1
            self.to("review", on)
        else:
            self.to("notice" if self.route.notice_days else "granted", on)

    def due(self) -> dt.date | None:
        """Count the term's days on the calendar, one after the other."""
        if self.state == "notice":
            count, calendar_days = self.route.notice_days, False
        elif self.state == "review" and self.route.steps[self.step].days:
            step = self.route.steps[self.step]
            count, calendar_days = step.days or 0, step.calendar_days
        else:
            return None
        day, known = self.since, self.calendar.known_until or dt.date.max
        if calendar_days:
            day += dt.timedelta(count)
            while not self.calendar.works_on(day):
                day += dt.timedelta(1)
        while not calendar_days and count:
            day += dt.timedelta(1)
            count -= self.calendar.works_on(day)
        return day if day <= known else None

    def until(self, today: dt.date) -> None:
        """Let the days pass up to ``today``."""
        self.day = today
        while (due := self.due()) is not None and due < today:
            after = due + dt.timedelta(1)
            end = self.route.steps[self.step].at_deadline if self.state == "review" else "granted"
            if end == "granted":
                self.to("granted", after)
            elif end == "grant":
                self.approved(after)
            elif end == "refuse":
                self.to("refused", after)
            elif end == "escalate" and not self.escalated:
                self.escalated, self.since = True, due
            else:
                return

    def office(self) -> str:
        step = self.route.steps[self.step]
        office = step.escalate_to if self.escalated and step.escalate_to else step.office
        assert isinstance(office, Office)
        return office.role


COMMANDS = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["approve", "approve", "approve", "refuse", "withdraw", "object", "dismiss", "uphold", "sweep"]),
        st.integers(0, len(DECIDERS) - 1),
        st.booleans(),
    ),
    max_size=10,
)  # fmt: skip


class World:
    """A database with one case, beside its model."""

    def __init__(self, engine: sa.Engine, route: Route, calendar: Calendar) -> None:
        self.engine, self.route, self.calendar = engine, route, calendar
        self.settled: list[tuple[str, dt.date]] = []
        workflow = Workflow(
            route, "team.decide", lambda desk, case, outcome, on: self.settled.append((outcome, on))
        )
        self.kit = attrs.evolve(Kit.load(), workflows={KIND: workflow}, calendar=calendar)
        self.kit.migrate(engine)
        self.model = Model(route, calendar, FIRST)
        self.id = self.at(
            OPENER, lambda desk: open_case(desk, KIND, new_subject(desk), Place("V1", (), ("O1",))).id
        )

    def at(self, actor: Actor, work: Any) -> Any:
        clock = fixed_clock(dt.datetime.combine(self.model.day, dt.time(4), dt.UTC))
        with attrs.evolve(self.kit, clock=clock).open(self.engine, actor) as desk:
            return work(desk)

    def run(self, verb: str, actor: Actor) -> None:
        """Run one command here and in the model; both must agree on whether it was allowed."""
        model, before = self.model, len(self.settled)
        closed = model.state in CLOSED
        try:
            if verb in ("approve", "refuse"):
                done = self.at(actor, lambda desk: approvals.decide(desk, self.id, verb, reason="理由"))
                self.decided(verb, actor)
                assert done.state == model.state
            elif verb == "withdraw":
                self.at(OPENER, lambda desk: approvals.withdraw(desk, self.id))
                assert not closed
                model.to("withdrawn", model.day)
            elif verb == "object":
                number = self.at(PUBLIC, lambda desk: approvals.object_to(desk, self.id, reason="不实"))
                assert model.state in ("notice", "objected")
                model.open.add(number)
                model.to("objected", model.day)
            elif verb in ("dismiss", "uphold"):
                number = min(model.open, default=0)
                self.at(
                    actor, lambda desk: approvals.answer_objection(desk, self.id, number, verb, reason="查")
                )
                self.answered(verb, number)
        except AlreadyResolved as error:
            assert closed
            self.tells(error)
        except NotFound:  # not published (any more)
            assert verb == "object"
            assert model.state not in ("notice", "objected")
        except (NotPermitted, Refused):
            assert len(self.settled) == before
            assert not closed
            self.refused(verb, actor)

    def tells(self, error: AlreadyResolved) -> None:
        assert error.values["state"] == self.model.state
        assert error.values["actor"]
        assert error.values["at"]

    def decided(self, verb: str, actor: Actor) -> None:
        model = self.model
        assert model.state == "review"
        assert actor in PEOPLE[model.office()]
        given = model.given.setdefault(model.step, set())
        assert not model.has_decided(actor)
        given.add(actor.id)
        if verb == "refuse":
            model.to("refused", model.day)
        elif len(given) >= self.route.steps[model.step].quorum:
            model.approved(model.day)

    def answered(self, verb: str, number: int) -> None:
        model = self.model
        assert model.state == "objected"
        model.open.remove(number)
        model.to("refused" if verb == "uphold" else "objected" if model.open else "notice", model.day)

    def refused(self, verb: str, actor: Actor) -> None:
        model = self.model
        if verb in ("approve", "refuse") and model.state == "review":
            twice = model.has_decided(actor)
            assert twice or actor not in PEOPLE[model.office()]
        elif verb in ("dismiss", "uphold") and model.open:
            step = self.route.step(model.step)
            assert step is not None
            roles = {step.office_for({}, escalated).role for escalated in (False, True)}
            assert not any(actor in PEOPLE[role] for role in roles)

    def told(self) -> tuple[Any, ...]:
        found: Case = self.at(OPENER, lambda desk: approvals.view(desk, self.id))
        return found.standing, found.place, found.closed_by, found.facts, found.reason

    def agrees(self) -> None:
        model = self.model
        found = self.at(OPENER, lambda desk: approvals.view(desk, self.id))
        at = found.standing.position
        assert (at.state, at.since) == (model.state, model.since)
        assert found.standing.due_on == model.due()
        assert found.place.published is (model.state in ("notice", "objected"))
        if model.state == "review":
            assert (at.step, at.escalated) == (model.step, model.escalated)
        waiting = {each.id for each in self.at(OPENER, lambda desk: approvals.pending(desk, mine=False))}
        assert (self.id in waiting) is (model.state not in CLOSED)
        assert self.in_sql() == self.expected_in_sql(found)
        for actor in DECIDERS:
            mine = {each.id for each in self.at(actor, approvals.pending)}
            assert (self.id in mine) is self.may_decide(actor), actor.id

    def in_sql(self) -> str:
        query = sa.select(outcome_on(day_number(self.model.day))).where(case_table.c.id == self.id)
        state: str = self.at(OPENER, lambda desk: desk.connection.execute(query).scalar_one())
        return state

    def expected_in_sql(self, found: Case) -> str:
        return found.state if found.standing.closed else found.put.state

    def may_decide(self, actor: Actor) -> bool:
        model = self.model
        if model.state == "review":
            return actor in PEOPLE[model.office()] and not model.has_decided(actor)
        if model.state == "objected":
            step = self.route.step(model.step)
            roles = (
                set(PEOPLE) if step is None else {step.office_for({}, each).role for each in (False, True)}
            )
            return any(actor in PEOPLE[role] for role in roles)
        return False


def new_subject(desk: Desk) -> str:
    count = desk.connection.execute(sa.select(sa.func.count()).select_from(case_table)).scalar_one()
    return f"team:{count + 1}"


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 100), ("postgresql", 10)])
def test_cases_do_what_a_plain_model_does(kind: str, examples: int, request: pytest.FixtureRequest) -> None:
    url = "sqlite://" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    engine = volunteerkit.create_engine(url)

    @settings(
        max_examples=max(examples, settings.default.max_examples if settings.default.max_examples > 100 else 0),
        suppress_health_check=[HealthCheck.too_slow], database=None,
    )  # fmt: skip
    @given(routes(), calendars, COMMANDS)
    def sequence(route: Route, calendar: Calendar, commands: list[tuple[int, str, int, bool]]) -> None:
        world = World(engine, route, calendar)
        for later, verb, who, sweep_first in commands:
            world.model.until(world.model.day + dt.timedelta(later))
            note(f"{world.model.day} {verb} {DECIDERS[who].id}")
            world.agrees()
            if sweep_first or verb == "sweep":
                before = world.told()
                world.at(OPENER, approvals.sweep)
                assert world.told() == before
            world.run(verb, DECIDERS[who])
            world.agrees()
        world.at(OPENER, approvals.sweep)
        closed = world.model.state in CLOSED
        assert world.settled == ([(world.model.state, world.model.closed_on)] if closed else [])
        world.at(OPENER, approvals.sweep)
        assert len(world.settled) == closed
        if not closed:  # out of the way of the next sequence
            world.at(OPENER, lambda desk: approvals.withdraw(desk, world.id))

    sequence()
    with engine.connect() as connection:
        assert verify_store(connection).holds
    engine.dispose()


@given(routes(), calendars, st.integers(0, 3), st.booleans(), st.sampled_from(["review", "notice"]), days)
def test_where_a_case_stands_does_not_depend_on_when_one_looks(
    route: Route, calendar: Calendar, step: int, escalated: bool, state: str, since: dt.date
) -> None:
    """Looking in between, and putting the case where it then stands, changes nothing later on."""
    if not route.steps or (state == "notice" and not route.notice_days):
        return
    at = Position(state, min(step, len(route.steps) - 1), escalated and state == "review", since)
    for later in range(0, 60, 7):
        day = since + dt.timedelta(later)
        between = stands(route, at, day, calendar)
        last = stands(route, at, since + dt.timedelta(90), calendar)
        again = stands(route, between.position, since + dt.timedelta(90), calendar)
        assert (again.position, again.due_on) == (last.position, last.due_on)
        end = forecast(route, at, calendar)
        assert between.closed is (end is not None and end[1] <= day)
        if between.closed:
            assert end == (between.state, between.position.since)
