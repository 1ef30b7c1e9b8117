"""Random sequences of recording, confirming, rejecting and reversing against a model in plain Python."""

from __future__ import annotations

import datetime as dt

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    KeyCipher,
    Kit,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, IdempotencyConflict, Refused

CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
KIT = Kit.load(
    "xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(dt.datetime(2026, 11, 23, tzinfo=dt.UTC))
)


class Ledger(RuleBasedStateMachine):
    """The honour ledger of one volunteer: what the model says, every statement and verify must say too."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = volunteerkit.create_engine("sqlite://")
        KIT.migrate(self.engine)
        with KIT.open(self.engine, CLERK) as desk:
            organizations.register(desk, "O1", name="联合会")
            projects.register(desk, "P1", name="宣传", organization="O1")
            volunteers.register(desk, Application("兰", "O1", consent_on=desk.today), number="V1")
        with KIT.open(self.engine, CHECKER) as desk:
            volunteers.approve(desk, "V1")
        self.states: dict[int, tuple[str, int]] = {}  # record -> (state, minutes last posted or claimed)
        self.keys: dict[str, tuple[int, int]] = {}
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
            except IdempotencyConflict:
                assert key is not None
                assert self.keys[key] != (minutes, day)
                return
        if key in self.keys:
            assert done.replayed
            assert self.keys[key] == (minutes, day)
            return
        assert done.record_id == len(self.states) + 1
        self.states[done.record_id] = ("pending", minutes)
        if key is not None:
            self.keys[key] = (minutes, day)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), verb=st.sampled_from(["confirm", "part", "reject", "reverse", "restore"]))
    def decide(self, data: st.DataObject, verb: str) -> None:
        record_id = data.draw(st.sampled_from(sorted(self.states)))
        state, minutes = self.states[record_id]
        part = data.draw(st.integers(1, minutes))
        allowed = {"reverse": ("confirmed",), "restore": ("reversed",)}.get(verb, ("pending",))
        with KIT.open(self.engine, CHECKER) as desk:
            try:
                if verb == "confirm":
                    hours.confirm(desk, record_id)
                elif verb == "part":
                    hours.confirm(desk, record_id, minutes=part, reason="提前离开")
                elif verb == "reject":
                    hours.reject(desk, record_id, reason="没有签到")
                elif verb == "restore":
                    hours.restore(desk, record_id, reason="没录错", effective_on=dt.date(2026, 1, 1))
                else:
                    hours.reverse(desk, record_id, reason="录错了", effective_on=dt.date(2026, 1, 1))
            except (AlreadyResolved, Refused):
                assert state not in allowed
                return
        assert state in allowed
        after = {"confirm": "confirmed", "part": "confirmed", "reject": "rejected", "reverse": "reversed",
                 "restore": "confirmed"}[verb]  # fmt: skip
        self.states[record_id] = (after, part if verb == "part" else minutes)

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


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=12, stateful_step_count=15, deadline=None)
