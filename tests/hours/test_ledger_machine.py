"""Random sequences of every verb that posts, against a model in plain Python and on both databases (A18, A19)."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    Desk,
    Grant,
    KeyCipher,
    Kit,
    approvals,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, IdempotencyConflict, InvalidValue, Refused, VolunteerkitError
from volunteerkit.hours import bank
from volunteerkit.organizations.tables import team
from volunteerkit.projects import attendance, recruiting
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.store.desk import microseconds

ISSUED = "SELECT p.number, -a.posted_minutes FROM vk_account a JOIN vk_project p ON a.id = p.id * 16 + 2"
CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
KIT = Kit.load(
    "xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))
)


ALLOWED = {
    "confirm": ("pending",), "part": ("pending",), "reject": ("pending",), "reverse": ("confirmed",),
    "restore": ("reversed",), "adjust": ("confirmed",), "move": ("confirmed",),
}  # fmt: skip
CORRECTIONS = ("reverse", "restore", "adjust", "move")


def move(desk: Desk, record_id: int, _: int, day: dt.date | None) -> hours.Recorded:
    query = (
        "SELECT p.number FROM vk_service_record r JOIN vk_project p ON p.id = r.project_id WHERE r.id = %d"
    )
    home = desk.connection.exec_driver_sql(query % record_id).scalar()
    return hours.move(desk, record_id, "P2" if home == "P1" else "P1", reason="记错了活动", effective_on=day)


DO: dict[str, Callable[[Desk, int, int, dt.date | None], hours.Recorded]] = {
    "confirm": lambda desk, id, part, day: hours.confirm(desk, id, reason="核对属实"),
    "part": lambda desk, id, part, day: hours.confirm(desk, id, minutes=part, reason="提前离开"),
    "reject": lambda desk, id, part, day: hours.reject(desk, id, reason="没有签到"),
    "reverse": lambda desk, id, part, day: hours.reverse(desk, id, reason="录错了", effective_on=day),
    "restore": lambda desk, id, part, day: hours.restore(desk, id, reason="没录错", effective_on=day),
    "adjust": lambda desk, id, part, day: hours.adjust(desk, id, minutes=part, reason="查明", effective_on=day),
    "move": move,
}  # fmt: skip


class Ledger(RuleBasedStateMachine):
    """The honour ledger of one volunteer: what the model says, every statement and verify must say too."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = volunteerkit.create_engine("sqlite://")
        KIT.migrate(self.engine)
        with KIT.open(self.engine, CLERK) as desk:
            organizations.register(desk, "O1", name="联合会")
            for number in ("P1", "P2"):
                projects.register(desk, number, name="宣传", organization="O1")
            volunteers.register(desk, Application("兰", "O1", consent_on=desk.today), number="V1")
        with KIT.open(self.engine, CHECKER) as desk:
            volunteers.approve(desk, "V1")
        self.states: dict[int, tuple[str, int]] = {}  # record -> (state, minutes last posted or claimed)
        self.keys: dict[str, tuple[int, int]] = {}
        self.claimed: dict[int, int] = {}
        self.days: dict[int, int] = {}
        self.since: dict[int, int | None] = {}  # the day from which the last entry counts, None for today
        self.homes: dict[int, str] = {}
        self.moved: set[int] = set()
        self.made: set[int] = set()  # those that the checker's moves recorded
        self.january = True  # whether it is open
        self.reopened = False
        self.lost: set[int] = set()  # records with a dispute that was refused
        self.judges = itertools.count(1)  # nobody decides twice: who decided has handled the record
        self.past: list[tuple[int, int]] = []  # (known at, total then)

    def teardown(self) -> None:
        self.engine.dispose()

    def total(self) -> int:
        return sum(minutes for state, minutes in self.states.values() if state == "confirmed")

    @rule(minutes=st.integers(1, 1440), key=st.sampled_from(["a", "b", "c", None]), day=st.integers(0, 300))
    def record(self, minutes: int, key: str | None, day: int) -> None:
        claim = Claim("V1", "P1", dt.date(2026, 1, 1) + dt.timedelta(day), minutes)
        with KIT.open(self.engine, CLERK) as desk:
            try:
                done = hours.record(desk, claim, key=key)
            except Refused:
                assert day < 31
                assert not self.january
                return
            except IdempotencyConflict:
                assert key is not None
                assert self.keys[key] != (minutes, day)
                return
        if key in self.keys:
            assert done.replayed
            assert self.keys[key] == (minutes, day)
            return
        assert done.record_id == len(self.states) + 1
        assert day >= 31 or self.january
        self.states[done.record_id] = ("pending", minutes)
        self.claimed[done.record_id], self.days[done.record_id] = minutes, day
        self.homes[done.record_id], self.since[done.record_id] = "P1", day
        if key is not None:
            self.keys[key] = (minutes, day)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), verb=st.sampled_from(sorted(ALLOWED)), back=st.booleans())
    def decide(self, data: st.DataObject, verb: str, back: bool) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.states)))
        state, minutes = self.states[record_id]
        part = data.draw(st.integers(1, minutes if verb == "part" else 1440))
        day = dt.date(2026, 1, 1) + dt.timedelta(self.days[record_id]) if back else None
        shut = self.days[record_id] < 31 and not self.january
        shut = shut and verb != "reject" and (back or verb not in CORRECTIONS)
        with KIT.open(self.engine, CHECKER) as desk:
            try:
                done = DO[verb](desk, record_id, part, day)
            except (AlreadyResolved, Refused) as error:
                why = [finding.code for finding in error.findings] if isinstance(error, Refused) else []
                assert (
                    state not in ALLOWED[verb]
                    or shut
                    or why in (["nothing_changes"], ["second_person"], ["record_moved"], ["own_record"])
                )
                assert why != ["own_record"] or record_id in self.made
                assert why != ["nothing_changes"] or part == minutes
                assert why != ["second_person"] or part > self.claimed[record_id]
                assert why != ["record_moved"] or record_id in self.moved
                return
            except InvalidValue:  # before the day of the last correction
                assert back
                assert self.since[record_id] is None
                return
        assert state in ALLOWED[verb]
        assert not shut
        if verb in CORRECTIONS:
            assert not back or self.since[record_id] is not None
            self.since[record_id] = self.days[record_id] if back else None
        if verb == "move":
            assert done.record_id == len(self.states) + 1
            self.states[done.record_id] = ("confirmed", minutes)
            self.claimed[done.record_id] = max(self.claimed[record_id], minutes)
            self.days[done.record_id] = self.days[record_id]
            self.homes[done.record_id] = "P2" if self.homes[record_id] == "P1" else "P1"
            self.since[done.record_id] = self.since[record_id]
            self.moved.add(record_id)
            self.made.add(done.record_id)
        after = {"reject": "rejected", "reverse": "reversed", "move": "reversed"}.get(verb, "confirmed")
        self.states[record_id] = (after, part if verb in ("part", "adjust") else minutes)

    @precondition(lambda self: self.states)
    @rule(
        data=st.data(), minutes=st.integers(0, 1440), verdict=st.sampled_from(["approve", "refuse", "appeal"])
    )
    def dispute(self, data: st.DataObject, minutes: int, verdict: str) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.states)))
        state, before = self.states[record_id]
        stands = before if state == "confirmed" else 0
        own = Actor("me-V1", (Grant("volunteer"),), volunteer="V1")
        try:
            with KIT.open(self.engine, own) as desk:
                case = hours.dispute(desk, record_id, minutes, reason="记得不对").id
        except Refused as refused:
            (why,) = [finding.code for finding in refused.findings]
            assert (why == "nothing_to_dispute") == (state in ("pending", "rejected"))
            assert why != "nothing_changes" or minutes == stands
            assert why != "disputed_before" or record_id in self.lost
            assert why in ("nothing_to_dispute", "nothing_changes", "disputed_before")
            return
        assert state in ("confirmed", "reversed")
        assert minutes != stands
        if verdict != "approve":
            assert self.judged(case, "refuse") == []
            self.lost.add(record_id)
        if verdict == "appeal":
            with KIT.open(self.engine, own) as desk:
                case = hours.appeal(desk, case, reason="仍不对").id
        if verdict == "refuse":
            return
        why = self.judged(case, "approve")
        if why:
            assert record_id in self.moved
            assert why == ["record_moved"]
            assert self.judged(case, "refuse") == []
            self.lost.add(record_id)
            return
        self.states[record_id] = ("confirmed", minutes) if minutes else ("reversed", before)
        self.since[record_id] = None

    def judged(self, case: int, verdict: str) -> list[str]:
        """Decide a case as somebody new; return what stood in the way."""
        try:
            with KIT.open(self.engine, Actor.of(f"judge-{next(self.judges)}", "centre")) as desk:
                approvals.decide(desk, case, verdict, reason="查明")
        except Refused as refused:
            return [finding.code for finding in refused.findings]
        return []

    @precondition(lambda self: not self.january)
    @rule()
    def reopen_january(self) -> None:
        """Two who post nothing there open it again for an hour, which is longer than this lasts."""
        first, last = dt.date(2026, 1, 1), dt.date(2026, 1, 31)
        with KIT.open(self.engine, Actor.of("judge-0", "centre")) as desk:
            (closing,) = hours.periods(desk)
            until = desk.now + dt.timedelta(hours=1)
            case = hours.reopen_period(desk, closing.id, first, last, until=until, reason="补录")
        assert self.judged(case.id, "approve") == []
        self.january = self.reopened = True

    @precondition(lambda self: self.january and not self.reopened)
    @rule()
    def close_january(self) -> None:
        with KIT.open(self.engine, CLERK) as desk:
            hours.close_period(desk, dt.date(2026, 1, 1), dt.date(2026, 1, 31))
        self.january = False

    @rule()
    def remember(self) -> None:
        with KIT.open(self.engine, CLERK, read_only=True) as desk:
            self.past.append((hours.statement(desk, "V1").known_at, self.total()))

    @invariant()
    def everything_agrees(self) -> None:
        with KIT.open(self.engine, CLERK, read_only=True) as desk:
            found = hours.statement(desk, "V1", rulebook="plain")
            assert found.credited_minutes == found.confirmed_minutes == self.total()
            for known_at, total in self.past:
                assert (
                    hours.statement(desk, "V1", known_at=known_at, rulebook="plain").credited_minutes == total
                )
            assert hours.verify_store(desk.connection).holds
            issued = {row[0]: row[1] for row in desk.connection.exec_driver_sql(ISSUED)}
        expected = dict.fromkeys(("P1", "P2"), 0)
        for record_id, (state, minutes) in self.states.items():
            expected[self.homes[record_id]] += minutes if state == "confirmed" else 0
        assert issued == expected


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)


LEADER = Actor("admin-1", (Grant("organization_admin", "O1"),))
JOBS, THIRD = Actor.of("jobs-1", "centre", "system"), Actor.of("clerk-9", "centre")


def shifts(desk: Desk) -> None:
    """Two shifts with one place each to join, one that runs and one that is over, with both volunteers in them."""
    execute, hour = desk.connection.execute, 3_600_000_000
    execute(sa.update(project).values(status="published"))
    execute(
        sa.insert(team).values(id=1, number="T1", name="清晨护学队", organization_id=1, status="approved")
    )
    for id_, begin in ((1, -1), (2, 48), (3, 72), (4, -3)):
        at = microseconds(desk.now) + begin * hour
        places = {"capacity": None if id_ in (1, 4) else 1, "taken": 2 if id_ in (1, 4) else 0}
        execute(
            sa.insert(shift).values(
                id=id_, project_id=1, starts_at=at, ends_at=at + (2 if id_ != 4 else 3) * hour, **places
            )
        )
        for person in (1, 2) if id_ in (1, 4) else ():
            execute(
                sa.insert(participation).values(
                    id=id_ * 10 + person, shift_id=id_, volunteer_id=person, state="accepted", rank=person,
                    applied_at=0, changed_at=0, changed_by="x",
                )
            )  # fmt: skip


def played(url: str, seed: int, length: int) -> tuple[list[str], list[str]]:
    """Play a random sequence of commands on an empty database; return what became of each, and the export."""
    draw, outcomes = random.Random(seed), []
    # what was earned in the first weeks of the year is over, the rest is not
    kit = attrs.evolve(KIT, policy=attrs.evolve(KIT.policy, credit_months=10))
    engine = volunteerkit.create_engine(url)
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        for number in ("P1", "P2"):
            projects.register(desk, number, name="宣传", organization="O1")
        for number in ("V1", "V2"):
            volunteers.admit(desk, name="兰", organization="O1", number=number)
        shifts(desk)

    def own(volunteer: str) -> Actor:
        return Actor(f"me-{volunteer}", (Grant("volunteer"),), volunteer=volunteer)

    def joined(volunteer: str) -> tuple[Any, Actor]:
        verb, shift_id = draw.choice([recruiting.join, recruiting.withdraw]), draw.randrange(2, 4)
        return lambda desk: verb(desk, shift_id, volunteer), own(volunteer)

    def attended(volunteer: str) -> tuple[Any, Actor]:
        verb = draw.choice([attendance.check_in, attendance.check_out])
        if draw.random() < 0.3:
            return lambda desk: hours.claim_attendance(desk, 4), LEADER
        return lambda desk: verb(desk, draw.choice([1, 4]), volunteer), LEADER

    def banked(volunteer: str) -> tuple[Any, Actor]:
        minutes, chosen = draw.randrange(1, 60), draw.randrange(7)
        return [
            (lambda desk: bank.settle(desk, volunteer), JOBS),
            (lambda desk: bank.hold(desk, volunteer, "O1", minutes=minutes), own(volunteer)),
            (lambda desk: bank.redeem(desk, draw.randrange(1, 4)), LEADER),
            (lambda desk: bank.cancel(desk, draw.randrange(1, 4)), LEADER),
            (lambda desk: bank.give(desk, "V1", "V2", minutes=minutes, key=str(minutes)), own("V1")),
            (bank.settle_city, JOBS),
            (lambda desk: bank.propose_refund(desk, draw.randrange(1, 4), reason="没有服务"), CLERK),
        ][chosen]

    def settled(volunteer: str) -> tuple[Any, Actor]:
        """Decide what waits for somebody, as one of two who may."""

        def decide_case(desk: Desk) -> Any:
            waiting = "SELECT id FROM vk_case WHERE state IN ('review', 'notice') ORDER BY id"
            cases = desk.connection.exec_driver_sql(waiting).scalars().all() or [1]
            return approvals.decide(desk, draw.choice(cases), verdict, reason="查明")

        verdict = draw.choice(["approve", "approve", "refuse"])
        return decide_case, Actor.of(f"judge-{draw.randrange(2)}", "centre")

    def grouped(volunteer: str) -> tuple[Any, Actor]:
        minutes, persons = draw.randrange(1, 200), draw.randrange(1, 9)
        day = dt.date(2026, 1, 1) + dt.timedelta(draw.randrange(60))
        verdict = draw.choice(["confirm", "reject"])
        return draw.choice(
            [
                (
                    lambda desk: hours.enter_group(desk, "T1", "P1", day, minutes=minutes, persons=persons),
                    LEADER,
                ),
                (
                    lambda desk: hours.decide_group(desk, draw.randrange(1, 4), verdict, reason="核对"),
                    CHECKER,
                ),
            ]
        )

    def closed(volunteer: str) -> tuple[Any, Actor]:
        first, until = dt.date(2026, 1, 1), dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
        last = dt.date(2026, 1, draw.choice([5, 10]))
        reopen = partial(hours.reopen_period, until=until, reason="补录")
        if draw.random() < 0.3:
            return lambda desk: hours.close_period(desk, first, last), CLERK
        return lambda desk: reopen(desk, draw.randrange(1, 3), first, first), THIRD

    def appealed(volunteer: str) -> tuple[Any, Actor]:
        def appeal(desk: Desk) -> Any:
            lost = f"SELECT id FROM vk_case WHERE kind = 'hours.dispute' AND state = 'refused' AND volunteer = '{volunteer}'"
            cases = desk.connection.exec_driver_sql(f"{lost} ORDER BY id").scalars().all() or [1]
            return hours.appeal(desk, draw.choice(cases), reason="仍不对")

        return appeal, own(volunteer)

    def disputed(volunteer: str) -> tuple[Any, Actor]:
        def dispute(desk: Desk) -> Any:
            query = (
                "SELECT r.id FROM vk_service_record r JOIN vk_volunteer v ON v.id = r.volunteer_id "
                f"WHERE r.state = 'confirmed' AND v.number = '{volunteer}' ORDER BY r.id"
            )
            mine = desk.connection.exec_driver_sql(query).scalars().all() or [1]
            return hours.dispute(desk, draw.choice(mine), draw.randrange(0, 90), reason="多记了")

        return dispute, own(volunteer)

    def record(desk: Desk) -> hours.Recorded:
        day = dt.date(2026, 1, 1) + dt.timedelta(draw.randrange(60))
        times = draw.choice([(), (dt.time(9), dt.time(12))])
        volunteer, kind = draw.choice(["V1", "V2"]), draw.choice(["service", "travel"])
        claim = Claim(volunteer, "P1", day, draw.randrange(60, 600), *times, kind=kind)
        return hours.record(desk, claim, key=draw.choice([None, "a", "b"]))

    def close(desk: Desk) -> int:
        return hours.close_period(desk, dt.date(2026, 1, 1), dt.date(2026, 1, draw.choice([5, 10, 20])))

    def decide(desk: Desk) -> hours.Recorded:
        day, verb = draw.choice([None, dt.date(2026, 1, 8)]), draw.choice([*sorted(DO), "confirm", "confirm"])
        rows = desk.connection.exec_driver_sql(
            "SELECT id, state FROM vk_service_record ORDER BY id"
        ).fetchall()
        likely = [row[0] for row in rows if row[1] in ALLOWED[verb]] or [1]
        chosen = draw.choice(likely) if draw.random() < 0.7 else draw.randrange(1, len(rows) + 2)
        return DO[verb](desk, chosen, draw.randrange(1, 300), day)

    for step in range(length):
        late = [(close, CLERK)] if step > length // 2 else []
        beside = draw.choice(
            [
                joined,
                attended,
                banked,
                banked,
                banked,
                disputed,
                disputed,
                appealed,
                settled,
                settled,
                settled,
                grouped,
                closed,
            ]
        )
        likely = [(record, CLERK)] * 5 + [(decide, CHECKER)] * 10 + late
        command, actor = draw.choice(likely) if step % 2 else beside(draw.choice(["V1", "V2"]))
        try:
            with kit.open(engine, actor) as desk:
                outcomes.append(str(command(desk)))
        except VolunteerkitError as error:
            outcomes.append(error.message("en"))
    with KIT.open(engine, CLERK, read_only=True) as desk:
        assert hours.verify_store(desk.connection).holds
        exported = list(hours.export_ledger(desk))
    engine.dispose()
    return outcomes, exported


TOLD = {
    1: {
        "hours.recorded", "hours.confirmed", "hours.rejected", "hours.reversed", "hours.restored", "hours.adjusted",
        "hours.moved", "hours.group_entered", "credit.settled", "credit.held", "credit.redeemed", "credit.refunded",
        "credit.given", "attendance.checked_in", "attendance.checked_out", "participation.promoted", "period.closed",
    },
    2: {
        "hours.group_decided", "period.reopened", "credit.cancelled", "hours.moved", "hours.restored", "case.closed",
        "participation.moved",
    },
}  # fmt: skip
"""What at least happens in the sequences that are always played: together every kind of command."""


@pytest.mark.parametrize(
    "seed", [*TOLD, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(3, 101))]
)
def test_a19_the_same_commands_give_the_same_ledger_on_both_databases(
    seed: int, sqlite_url: str, postgresql_url: str
) -> None:
    first, second = played(sqlite_url, seed, 260), played(postgresql_url, seed, 260)
    assert first[0] == second[0]
    assert first[1] == second[1]
    lines = [json.loads(line) for line in first[1]]
    told = {line["type"] for line in lines if line["kind"] == "event"}
    assert TOLD.get(seed, {"hours.recorded", "case.opened", "credit.settled"}) <= told, told
    if seed in TOLD:
        codes = {line["code"] for line in lines if line["kind"] == "credit"}
        assert codes >= {"DEPOSIT", "TAKE_BACK", "HOLD", "REDEEM", "GIFT", "EXPIRE"}, codes
