"""Whatever volunteers and organizers do, in whatever order: the rows are a plain model's, and the places are counted."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from volunteerkit import (
    Actor,
    Grant,
    KeyCipher,
    Kit,
    Policy,
    Refused,
    fixed_clock,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.projects.waiting import fill
from volunteerkit.store.desk import microseconds

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
HOUR = 3_600_000_000
CENTRE = Actor.of("centre-1", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OVERLAPS = {1: {2}, 2: {1, 3}, 3: {2}}
"""The second shift is at the time of the first and of the third; these two touch."""
GUESTS = 2
GONE = ("withdrawn", "refused")

people, shifts = st.integers(1, 5), st.integers(1, 3)


@attrs.define
class Row:
    state: str
    guests: int
    rank: int
    override: bool = False


class No(Exception):
    """The model refuses."""


@attrs.define
class Model:
    """What ought to be: rows by shift and person, capacities, and a clock of ranks."""

    rows: dict[tuple[int, int], Row] = attrs.field(factory=dict)
    capacity: dict[int, int | None] = attrs.field(factory=lambda: {1: 2, 2: 2, 3: 3})
    clock: int = 0

    def taken(self, at: int) -> int:
        return sum(
            1 + row.guests for (one, _), row in self.rows.items() if one == at and row.state == "accepted"
        )

    def busy(self, who: int, at: int) -> bool:
        return any(self.rows.get((other, who), Row("", 0, 0)).state == "accepted" for other in OVERLAPS[at])

    def fits(self, at: int, places: int) -> bool:
        most = self.capacity[at]
        return most is None or self.taken(at) + places <= most

    def fill(self, at: int) -> None:
        waiting = sorted(
            (row.rank, who) for (one, who), row in self.rows.items() if one == at and row.state == "waiting"
        )
        for _, who in waiting:
            row = self.rows[at, who]
            if self.fits(at, 1 + row.guests) and (row.override or not self.busy(who, at)):
                row.state = "accepted"

    def enter(self, at: int, who: int, guests: int) -> str:
        row = self.rows.get((at, who))
        if row is not None and row.state not in (*GONE, "invited"):
            raise No
        self.fill(at)
        override = row is not None and row.state == "invited" and row.override
        if guests > GUESTS or self.capacity[at] == 0 or (self.busy(who, at) and not override):
            raise No
        state = "accepted" if self.fits(at, 1 + guests) else "waiting"
        if row is not None and row.state == "refused":
            state = "applied"
        self.clock += 1
        self.rows[at, who] = Row(state, guests, self.clock, override)
        return state

    def leave(self, at: int, who: int, states: tuple[str, ...], after: str) -> None:
        row = self.rows.get((at, who))
        if row is None or row.state not in states:
            raise No
        had, row.state = row.state == "accepted", after
        if had:
            self.fill(at)
            elsewhere = sorted((each.rank, one) for (one, other), each in self.rows.items()
                               if other == who and each.state == "waiting" and one != at)  # fmt: skip
            for _, one in elsewhere:
                self.fill(one)

    def bring(self, at: int, who: int, guests: int) -> None:
        row = self.rows.get((at, who))
        if row is None or row.state not in ("accepted", "waiting", "applied"):
            raise No
        more = guests - row.guests
        if more > 0:
            if row.state == "accepted":
                self.fill(at)
            if guests > GUESTS or (row.state == "accepted" and not self.fits(at, more)):
                raise No
        row.guests = guests
        if more < 0 and row.state == "accepted":
            self.fill(at)

    def decide(self, at: int, who: int) -> None:
        row = self.rows.get((at, who))
        if row is None or row.state not in ("applied", "waiting") or self.busy(who, at):
            raise No
        if self.fits(at, 1 + row.guests):
            row.state = "accepted"
        elif row.state == "waiting":
            raise No
        else:
            row.state = "waiting"


class City:
    """A city with five volunteers and three shifts; every example begins there and is undone."""

    def __init__(self, engine: sa.Engine) -> None:
        policy = Policy(consecutive_minutes=None)
        self.kit = attrs.evolve(Kit.load(clock=fixed_clock(NOW), cipher=KeyCipher(bytes(32))), policy=policy)
        self.engine = engine
        self.kit.migrate(engine)
        with self.kit.open(engine, CENTRE) as desk:
            organizations.register(desk, "O1", name="红十字会志愿服务队")
            projects.register(desk, "P1", name="社区敬老", organization="O1")
            for n in range(1, 6):
                volunteers.admit(desk, name=f"志愿者{n}", number=f"V{n}", organization="O1")
            desk.connection.execute(sa.update(project).values(status="published", guests_at_most=GUESTS))
            begin = microseconds(NOW + dt.timedelta(days=7))
            times = {1: (0, 4), 2: (2, 6), 3: (4, 8)}
            rows = [
                {"id": id_, "project_id": 1, "starts_at": begin + first * HOUR, "ends_at": begin + last * HOUR,
                 "capacity": Model().capacity[id_]}
                for id_, (first, last) in times.items()
            ]  # fmt: skip
            desk.connection.execute(sa.insert(shift), rows)


def machine(city: City) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.model = Model()
            self.connection = city.engine.connect()
            self.transaction = self.connection.begin()

        def teardown(self) -> None:
            self.transaction.rollback()
            self.connection.close()

        def both(
            self, verb: Any, actor: Actor, given: tuple[Any, ...], expected: Any, *wanted: Any, **named: Any
        ) -> None:
            before = copy.deepcopy(self.model)
            try:
                answer = expected(*wanted)
            except No:
                self.model = before
                with pytest.raises(Refused):
                    verb(city.kit.desk(self.connection, actor), *given, **named)
                return
            found = verb(city.kit.desk(self.connection, actor), *given, **named)
            if answer is not None:
                assert found.state == answer

        def id(self, at: int, who: int) -> int:
            mine = sa.and_(participation.c.shift_id == at, participation.c.volunteer_id == who)
            return self.connection.execute(sa.select(participation.c.id).where(mine)).scalar() or 0

        @rule(who=people, at=shifts, guests=st.sampled_from([0, 0, 0, 1, 2, 3]))
        def join(self, who: int, at: int, guests: int) -> None:
            self.both(recruiting.join, me(who), (at, f"V{who}", guests), self.model.enter, at, who, guests)

        @rule(who=people, at=shifts)
        def withdraw(self, who: int, at: int) -> None:
            states = ("accepted", "waiting", "applied")
            self.both(
                recruiting.withdraw, me(who), (at, f"V{who}"), self.model.leave, at, who, states, "withdrawn"
            )

        @rule(who=people, at=shifts, guests=st.integers(0, 3))
        def change_guests(self, who: int, at: int, guests: int) -> None:
            self.both(
                recruiting.change_guests, me(who), (at, f"V{who}", guests), self.model.bring, at, who, guests
            )

        @rule(at=shifts, capacity=st.none() | st.integers(0, 5))
        def plan(self, at: int, capacity: int | None) -> None:
            self.connection.execute(sa.update(shift).where(shift.c.id == at).values(capacity=capacity))
            self.model.capacity[at] = capacity
            self.model.fill(at)
            fill(city.kit.desk(self.connection, ADMIN), at)

        @rule(who=people, at=shifts)
        def remove(self, who: int, at: int) -> None:
            if id_ := self.id(at, who):
                given = self.model.leave, at, who, ("accepted",), "refused"
                self.both(participants.remove, ADMIN, (id_,), *given, reason="另有任务")

        @rule(who=people, at=shifts)
        def accept(self, who: int, at: int) -> None:
            if id_ := self.id(at, who):
                self.both(participants.accept, ADMIN, (id_,), self.model.decide, at, who)

        @rule(who=people, at=shifts)
        def invite_against_all(self, who: int, at: int) -> None:
            def invited() -> None:
                row = self.model.rows.get((at, who))
                if row is not None and row.state not in GONE:
                    raise No
                self.model.clock += 1
                rank = self.model.clock if row is None else row.rank
                self.model.rows[at, who] = Row("invited", 0 if row is None else row.guests, rank, True)

            self.both(participants.invite, ADMIN, (at, f"V{who}"), invited, override="兼顾得来")

        @rule(who=people, at=shifts, said=st.sampled_from(["accept", "decline"]))
        def answer(self, who: int, at: int, said: str) -> None:
            def answered() -> str:
                row = self.model.rows.get((at, who))
                if row is None or row.state != "invited":
                    raise No
                if said == "decline":
                    row.state = "withdrawn"
                    return "withdrawn"
                return self.model.enter(at, who, row.guests)

            self.both(recruiting.answer, me(who), (at, f"V{who}", said), answered)

        @invariant()
        def the_rows_are_the_models_and_the_places_are_counted(self) -> None:
            found = {
                (row.shift_id, row.volunteer_id): row
                for row in self.connection.execute(sa.select(participation))
            }
            assert {key: (row.state, row.guests) for key, row in found.items()} == {
                key: (row.state, row.guests) for key, row in self.model.rows.items()
            }
            ranked = sorted(found, key=lambda key: found[key].rank)
            assert ranked == sorted(self.model.rows, key=lambda key: self.model.rows[key].rank)
            taken = dict(tuple(row) for row in self.connection.execute(sa.select(shift.c.id, shift.c.taken)))
            accepted = [row for row in found.values() if row.state == "accepted"]
            assert taken == {
                at: sum(1 + row.guests for row in accepted if row.shift_id == at) for at in (1, 2, 3)
            }

    return Machine


def me(who: int) -> Actor:
    return Actor(f"me-V{who}", (Grant("volunteer"),), volunteer=f"V{who}")


def test_every_order_of_steps_on_sqlite(make_city: Any) -> None:
    run_state_machine_as_test(
        machine(City(make_city("sqlite://").engine)), settings=settings(stateful_step_count=40)
    )  # type: ignore[no-untyped-call]


@pytest.mark.slow
def test_every_order_of_steps_on_postgresql(make_city: Any, postgresql_url: str) -> None:
    few = settings(max_examples=15, stateful_step_count=25)
    run_state_machine_as_test(machine(City(make_city(postgresql_url).engine)), settings=few)  # type: ignore[no-untyped-call]
