"""Random lives of two credit accounts against a model in plain Python, on both databases; the race for the last minutes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
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
    Policy,
    fixed_clock,
    hookimpl,
    hours,
    organizations,
    projects,
    volunteers,
)  # fmt: skip
from volunteerkit.errors import AlreadyResolved, Refused
from volunteerkit.hours import bank

FIRST = dt.date(2026, 1, 1)
CENTRE = Actor.of("centre-1", "centre", "system")
ADMIN, OTHER = (Actor(f"admin-{n}", (Grant("organization_admin", "O1"),)) for n in (1, 2))
PEOPLE = ("V1", "V2")
FOR_EVER = dt.date.max


class Sixty:
    """A city whose minutes expire after a month or two, with a small overdraft."""

    @hookimpl
    def vk_choose_policy(self) -> Policy:
        return Policy(credit_months=1, overdraft_minutes=30, hold_days=10, gift_minutes_per_year=200)


KIT = Kit.load(Sixty(), cipher=KeyCipher(bytes(32)))


class Lot:
    def __init__(self, until: dt.date, earned: dt.date, order: int, left: int) -> None:
        self.until, self.earned, self.order, self.left = until, earned, order, left
        self.repaid = 0


class Person:
    """What the model knows of one: lots, what stands below zero, and the holds with what they took."""

    def __init__(self) -> None:
        self.lots: list[Lot] = []
        self.missing = 0  # beyond what lots held
        self.held = 0
        self.given = 0

    def usable(self, today: dt.date) -> list[Lot]:
        lots = [each for each in self.lots if each.left and each.until >= today]
        return sorted(lots, key=lambda each: (each.until, each.earned, each.order))

    def even(self, today: dt.date) -> None:
        """Let what is left make good what is missing, or take back what it made good too much."""
        self.expire(today)
        for lot in self.usable(today):
            part = max(0, min(lot.left, self.missing))
            lot.left, lot.repaid, self.missing = lot.left - part, lot.repaid + part, self.missing - part
        for lot in sorted(self.lots, key=lambda each: (each.until, each.order), reverse=True):
            part = max(0, min(lot.repaid, -self.missing))
            lot.left, lot.repaid, self.missing = lot.left + part, lot.repaid - part, self.missing + part
        self.expire(today)

    def expire(self, today: dt.date) -> None:
        for lot in self.lots:
            if lot.until < today:
                lot.left = 0

    def take(self, minutes: int, today: dt.date) -> list[tuple[Lot | None, int]]:
        found: list[tuple[Lot | None, int]] = []
        for lot in self.usable(today):
            part = min(lot.left, minutes)
            if part:
                lot.left -= part
                minutes -= part
                found.append((lot, part))
        if minutes:
            self.missing += minutes
            found.append((None, minutes))
        return found


class Bank(RuleBasedStateMachine):
    """Serve, hold, redeem, cancel, give and let time pass; no model of how it is stored."""

    url = "sqlite://"

    def __init__(self) -> None:
        super().__init__()
        self.engine = volunteerkit.create_engine(self.url)
        KIT.migrate(self.engine)
        self.today, self.orders = FIRST, 0
        self.people = {number: Person() for number in PEOPLE}
        self.holds: dict[int, tuple[str, list[tuple[Lot | None, int]], dt.date]] = {}
        self.do(CENTRE, organizations.register, "O1", name="红十字会")
        self.do(CENTRE, projects.register, "P1", name="助餐", organization="O1")
        for number in PEOPLE:
            self.do(CENTRE, volunteers.admit, name="兰", number=number, organization="O1")

    def teardown(self) -> None:
        self.engine.dispose()

    def do(self, actor: Actor, verb: Any, *given: Any, **named: Any) -> Any:
        clock = fixed_clock(dt.datetime.combine(self.today, dt.time(4), dt.UTC))
        with attrs.evolve(KIT, clock=clock).open(self.engine, actor) as desk:
            return verb(desk, *given, **named)

    def refused(self, refusal: Refused, code: str, *, because: bool) -> None:
        assert [each.code for each in refusal.findings] == [code]
        assert because

    def actor(self, number: str) -> Actor:
        return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)

    @rule(number=st.sampled_from(PEOPLE), minutes=st.integers(1, 120))
    def serve(self, number: str, minutes: int) -> None:
        """Serve a whole day's one record: the credit of a day is then simply its minutes."""
        record = self.do(ADMIN, hours.record, Claim(number, "P1", self.today, minutes)).record_id
        self.do(OTHER, hours.confirm, record)
        self.do(CENTRE, bank.settle, number)
        year, month = divmod(self.today.year * 12 + self.today.month, 12)
        until = min(dt.date(year, month + 1, 1) + dt.timedelta(self.today.day - 1),
                    dt.date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - dt.timedelta(1))  # fmt: skip
        person = self.people[number]
        self.orders += 1
        person.lots.append(Lot(until, self.today, self.orders, minutes))
        person.even(self.today)

    @rule(number=st.sampled_from(PEOPLE), minutes=st.integers(1, 150))
    def hold(self, number: str, minutes: int) -> None:
        person = self.people[number]
        there = sum(lot.left for lot in person.usable(self.today)) - person.missing + 30
        try:
            done = self.do(self.actor(number), bank.hold, number, "O1", minutes=minutes)
        except Refused as refusal:
            self.refused(refusal, "credit_too_low", because=minutes > there)
        else:
            assert minutes <= there
            self.holds[done.id] = number, person.take(minutes, self.today), self.today + dt.timedelta(10)
            person.held += minutes

    @precondition(lambda self: self.holds)
    @rule(data=st.data(), redeem=st.booleans())
    def end(self, data: Any, redeem: bool) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.holds)))
        number, _, until = self.holds[id_]
        try:
            self.do(ADMIN if redeem else self.actor(number), bank.redeem if redeem else bank.cancel, id_)
        except AlreadyResolved:
            assert self.today > until
        else:
            assert self.today <= until
            self.finish(id_, redeem)

    def finish(self, id_: int, redeem: bool) -> None:
        number, parts, _ = self.holds.pop(id_)
        person = self.people[number]
        for lot, minutes in parts:
            person.held -= minutes
            if not redeem and lot is not None:
                lot.left += minutes
            elif not redeem:
                person.missing -= minutes
        if not redeem:
            person.even(self.today)

    @rule(giver=st.sampled_from(PEOPLE), minutes=st.integers(1, 80))
    def give(self, giver: str, minutes: int) -> None:
        other = next(number for number in PEOPLE if number != giver)
        person = self.people[giver]
        there = sum(lot.left for lot in person.usable(self.today)) - person.missing
        try:
            self.do(self.actor(giver), bank.give, giver, other, minutes=minutes)
        except Refused as refusal:
            over = person.given + minutes > 200
            self.refused(
                refusal, "gifts_used_up" if over else "credit_too_low", because=over or minutes > there
            )
        else:
            assert minutes <= there
            person.given += minutes
            theirs = self.people[other]
            for lot, part in person.take(minutes, self.today):
                assert lot is not None
                self.orders += 1
                theirs.lots.append(Lot(lot.until, lot.earned, self.orders, part))
            theirs.even(self.today)

    @rule(days=st.integers(1, 20))
    def wait(self, days: int) -> None:
        self.today += dt.timedelta(days)
        for id_ in [each for each, (_, _, until) in self.holds.items() if until < self.today]:
            self.finish(id_, redeem=False)

    @invariant()
    def balances_agree(self) -> None:
        for number, person in self.people.items():
            found = self.do(self.actor(number), bank.balance, number)
            usable = sum(lot.left for lot in person.usable(self.today))
            assert found.available_minutes == usable - person.missing + 30
            assert found.held_minutes == person.held

    @invariant()
    def the_books_are_sound(self) -> None:
        with self.engine.connect() as connection:
            assert bank.verify_bank(connection) == ("", "", "")


TestBank = Bank.TestCase
TestBank.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.slow
def test_the_same_on_postgresql(postgresql_url: str) -> None:
    class OnServer(Bank):
        url = postgresql_url

        def teardown(self) -> None:
            with self.engine.begin() as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE"))
                connection.execute(sa.text("CREATE SCHEMA public"))
            super().teardown()

    some = settings(
        max_examples=4, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(OnServer, settings=some)
