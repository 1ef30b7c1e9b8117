"""Random check-ins, check-outs, uploads and sweeps while the clock moves, against a model in plain Python."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

import volunteerkit
from volunteerkit import KeyCipher, Kit, Policy, Refused
from volunteerkit.hours import claim_attendance, unmatched_attendance
from volunteerkit.projects.attendance import check_in, check_out, close_forgotten
from volunteerkit.projects.batches import Scan, device_key, signed, upload
from volunteerkit.projects.tables import participation
from volunteerkit.store.desk import microseconds

_here = Path(__file__)
_shared = runpy.run_path(str(_here.with_name("attending.py")), run_name="attending")
_planned = runpy.run_path(str(_here.with_name("conftest.py")), run_name="planned")
_city = runpy.run_path(str(_here.parents[1] / "conftest.py"), run_name="city")["City"]
NINE, LEADER, GATE, CENTRE = (_shared[name] for name in ("NINE", "LEADER", "GATE", "CENTRE"))
PEOPLE = ("V1", "V2")
LENGTH, EARLY, FORGOTTEN, PAIRS = 240, 60, 90, 3
POLICY = Policy(forgotten_check_out_minutes=FORGOTTEN, pairs_per_day=PAIRS, check_in_early_minutes=EARLY)


@attrs.define
class Pair:
    """One pair of the model, in minutes since the shift began."""

    came: int
    left: int | None = None
    skewed: bool = False
    claimed: tuple[int, int] | None = None

    def seen(self, now: int, gone: int | None) -> tuple[int | None, str]:
        """When it ended as seen at ``now``, and the flag for how."""
        if self.claimed or self.left is not None:
            return self.left, ""
        ends = [(self.came + FORGOTTEN, "forgotten"), *([(gone, "discharged")] if gone is not None else [])]
        at, how = min(ends)
        if at > now:
            return None, ""
        return max(self.came, at if how == "discharged" else min(at, LENGTH)), how


@attrs.define
class Person:
    """What the model knows of one person."""

    pairs: list[Pair] = attrs.Factory(list)
    gone: int | None = None

    def come(self, at: int, now: int, *, skewed: bool = False, until: tuple[int, bool] | None = None) -> str:
        if until is not None and self.gone is not None and until[0] >= self.gone:
            until = None
        for pair in self.pairs:
            left = pair.seen(now, self.gone)[0]
            if pair.came == at or (pair.came <= at and (left is None or at < left)):
                return "repeated"
            if at < pair.came and (until is None or until[0] > pair.came):
                return "repeated"
        if (
            at < -EARLY
            or at >= LENGTH
            or (self.gone is not None and at >= self.gone)
            or len(self.pairs) >= PAIRS
        ):
            return "refused"
        left, marked = until or (None, False)
        self.pairs = sorted([*self.pairs, Pair(at, left, skewed or marked)], key=lambda each: each.came)
        return "taken" if until is None else "both"

    def leave(self, at: int, now: int, *, skewed: bool = False) -> str:
        before = [pair for pair in self.pairs if pair.came <= at]
        if not before:
            return "refused"
        pair = before[-1]
        if pair.left is not None or pair.claimed or (self.gone is not None and at >= self.gone):
            return "repeated"
        if at > pair.came + FORGOTTEN:
            return "refused"
        pair.left, pair.skewed = at, pair.skewed or skewed
        return "taken"

    def hand_in(self, scans: list[tuple[str, int]], now: int) -> list[str]:
        """One device's scans in its order: never back in time, and whole pairs where a check-out follows in time."""
        last, marks = -(10**6), []
        for purpose, at in scans:
            marks.append((purpose, max(at, last), at < last))
            last = max(at, last)
        ends, begun = {}, None
        for n, (purpose, at, _) in enumerate(marks):
            if purpose == "in":
                if begun is None or at > marks[begun][1] + FORGOTTEN:
                    begun = n
            elif begun is not None:
                if at <= marks[begun][1] + FORGOTTEN:
                    ends[begun] = n
                begun = None
        answers: dict[int, str] = {}
        for n, (purpose, at, back) in enumerate(marks):
            if n in answers:
                continue
            if purpose == "out":
                answers[n] = self.leave(at, now, skewed=back)
                continue
            until = (marks[ends[n]][1], marks[ends[n]][2]) if n in ends else None
            answers[n] = self.come(at, now, skewed=back, until=until)
            if answers[n] == "both":
                answers[n] = answers[ends[n]] = "taken"
        return [answers[n] for n in range(len(marks))]


class Morning(RuleBasedStateMachine):
    """One shift of two people; every example has a day of its own in the same city."""

    url: ClassVar[str] = "sqlite://"
    attending: ClassVar[Any] = None
    day: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        kind = type(self)
        if kind.attending is None:
            engine = volunteerkit.create_engine(self.url)
            kit = Kit.load(cipher=KeyCipher(bytes(32)))
            kit.migrate(engine)
            planned = _planned["Planned"](_city(kit, engine))
            _planned["prepare"](planned)
            kind.attending = _shared["Attending"](planned, POLICY)
        kind.day += 1
        self.starts = NINE + dt.timedelta(days=kind.day)
        self.shift_id = self.attending.shift(*PEOPLE, starts=self.starts)
        self.now = -EARLY - 5
        self.people = {number: Person() for number in PEOPLE}
        self.key = self.do(GATE, device_key, "gate-1")
        self.count = 0

    def instant(self, minute: int) -> dt.datetime:
        return self.starts + dt.timedelta(minutes=minute)

    def do(self, actor: Any, verb: Any, *given: Any, **named: Any) -> Any:
        return self.attending.at(self.instant(self.now), actor, verb, *given, **named)

    def said(self, verb: Any, number: str) -> str:
        try:
            return "repeated" if self.do(LEADER, verb, self.shift_id, number).repeated else "taken"
        except Refused:
            return "refused"

    @rule(minutes=st.integers(1, 50))
    def wait(self, minutes: int) -> None:
        self.now += minutes

    @rule(number=st.sampled_from(PEOPLE))
    def come(self, number: str) -> None:
        assert self.said(check_in, number) == self.people[number].come(self.now, self.now)

    @rule(number=st.sampled_from(PEOPLE))
    def leave(self, number: str) -> None:
        assert self.said(check_out, number) == self.people[number].leave(self.now, self.now)

    @rule()
    def sweep(self) -> None:
        self.do(GATE, close_forgotten)

    @rule(number=st.sampled_from(PEOPLE))
    def discharge(self, number: str) -> None:
        if self.people[number].gone is None:
            self.people[number].gone = self.now
            values = {"state": "discharged", "served_until": microseconds(self.instant(self.now))}
            self.attending.change(participation, self.participation(number), **values)

    def participation(self, number: str) -> int:
        rows = [row for row in self.attending.rows(participation) if row.shift_id == self.shift_id]
        return int(rows[PEOPLE.index(number)].id)

    @rule(
        moves=st.lists(
            st.tuples(st.sampled_from(PEOPLE), st.sampled_from(["in", "out"]), st.integers(0, 150)),
            min_size=1,
            max_size=5,
        ),
        order=st.randoms(use_true_random=False),
    )
    def hand_in(self, moves: list[tuple[str, str, int]], order: Any) -> None:
        scans = []
        for number, purpose, ago in moves:
            self.count += 1
            at = self.instant(self.now - ago)
            one = Scan(f"S-{self.shift_id}-{self.count}", self.count, self.shift_id, number, purpose, at)
            scans.append(signed(self.key, "gate-1", one))
        expected: dict[str, str] = {}
        for number in PEOPLE:
            mine = [n for n, move in enumerate(moves) if move[0] == number]
            told = self.people[number].hand_in(
                [(moves[n][1], self.now - moves[n][2]) for n in mine], self.now
            )
            expected |= {scans[n].scan_id: each for n, each in zip(mine, told, strict=True)}
        order.shuffle(scans)
        answers = self.do(GATE, upload, "gate-1", scans, clock=self.instant(self.now))
        found = {
            each.scan_id: "refused"
            if each.attended is None
            else "repeated"
            if each.attended.repeated
            else "taken"
            for each in answers
        }
        assert found == expected
        known = [
            each for each in scans if found[each.scan_id] != "refused"
        ]  # what was refused may come again
        if known:
            again = self.do(GATE, upload, "gate-1", known, clock=self.instant(self.now))
            assert all(each.replayed for each in again)

    @rule()
    def claim(self) -> None:
        claimed = self.do(LEADER, claim_attendance, self.shift_id)
        expected = []
        for number in PEOPLE:
            for pair in self.people[number].pairs:
                left, how = pair.seen(self.now, self.people[number].gone)
                if self.now < LENGTH or pair.claimed or left is None or how == "forgotten":
                    continue
                minutes = min(left, LENGTH) - max(pair.came, 0)
                if minutes > 0:
                    pair.left, pair.claimed = left, (minutes, how == "discharged")
                    expected.append((number, minutes))
        found = sorted((each.volunteer, each.minutes) for each in claimed if each.record_id)
        assert found == sorted(expected)

    @invariant()
    def everybody_sees_the_same(self) -> None:
        expected = []
        for number in PEOPLE:
            for pair in self.people[number].pairs:
                left, how = pair.seen(self.now, self.people[number].gone)
                if pair.claimed:
                    how = "discharged" if pair.claimed[1] else ""
                flags = {how, "clock_skew" if pair.skewed else ""} - {""}
                minutes = 0 if left is None else max(0, min(left, LENGTH) - max(pair.came, 0))
                out = None if left is None else self.instant(left)
                expected.append((number, self.instant(pair.came), out, minutes, flags, bool(pair.claimed)))
        found = self.do(LEADER, volunteerkit.projects.attendance.list_attendance, self.shift_id)
        assert expected == [
            (each.volunteer, each.in_at, each.out_at, each.minutes, {*each.flags}, each.record_id is not None)
            for each in found
        ]

    def teardown(self) -> None:
        self.now = max(self.now, LENGTH + FORGOTTEN + 1)
        self.claim()
        assert self.do(CENTRE, unmatched_attendance) == ()


FEW = settings(
    max_examples=25, stateful_step_count=25, suppress_health_check=list(HealthCheck), deadline=None
)


def test_a_morning_on_sqlite() -> None:
    run_state_machine_as_test(type("MorningHere", (Morning,), {}), settings=FEW)


@pytest.mark.slow
def test_a_morning_on_postgresql(postgresql_url: str) -> None:
    there = type("MorningThere", (Morning,), {"url": postgresql_url})
    few = settings(FEW, max_examples=8, stateful_step_count=15)
    try:
        run_state_machine_as_test(there, settings=few)
    finally:
        there.attending.planned.city.engine.dispose()
