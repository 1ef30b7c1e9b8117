"""What a device scanned offline: signed, taken once, whatever the order in which it arrives."""

from __future__ import annotations

import datetime as dt
import json
import random
import runpy
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from volunteerkit import Actor, Refused
from volunteerkit.errors import InvalidValue, NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.projects.attendance import check_in, check_list, check_out, close_forgotten
from volunteerkit.projects.batches import Scan, device_key, revoke_device, revoked_devices, signed, upload
from volunteerkit.projects.tables import attendance, participation, scan
from volunteerkit.store.desk import microseconds
from volunteerkit.store.schema import event, metadata

_shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")
planned_in = runpy.run_path(str(Path(__file__).with_name("conftest.py")), run_name="planned")
NINE, LEADER, GATE, CENTRE = (_shared[name] for name in ("NINE", "LEADER", "GATE", "CENTRE"))
me, minutes = _shared["me"], _shared["minutes"]
ONE = NINE + dt.timedelta(hours=4)
LATER = NINE + dt.timedelta(hours=6)


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


@attrs.define
class Gate:
    """A device that counts its scans and signs them."""

    attending: Any
    shift_id: int
    device: str = "gate-1"
    count: int = 0

    def scan(self, number: str, purpose: str, at: dt.datetime, **more: Any) -> Scan:
        self.count += 1
        key = self.attending.at(NINE, GATE, device_key, self.device)
        shift_id = more.pop("shift_id", self.shift_id)
        made = Scan(f"S-{self.count}", self.count, shift_id, number, purpose, at)
        return signed(key, self.device, attrs.evolve(made, **more))

    def upload(self, *scans: Scan, at: dt.datetime = LATER, clock: dt.datetime | None = None) -> list[Any]:
        """Return for each scan what its device is told."""
        answers = self.attending.at(at, GATE, upload, self.device, scans, clock=clock or at)
        assert [each.scan_id for each in answers] == [each.scan_id for each in scans]
        return [told(each) for each in answers]


def told(answer: Any) -> str:
    if answer.attended is None:
        for language in LANGUAGES:
            assert not answer.findings[0].message(language).startswith(answer.findings[0].code)
        return answer.findings[0].code
    said = "repeated" if answer.attended.repeated else "taken"
    return f"{said} before" if answer.replayed else said


@pytest.fixture
def gate(attending: Any) -> Gate:
    return Gate(attending, attending.shift("V1", "V2", "V3"))


def pairs(attending: Any) -> list[tuple[Any, ...]]:
    return sorted(
        (row.volunteer_id, row.in_at, row.out_at, row.in_method, row.out_method, row.flags)
        for row in attending.rows(attendance)
    )


def test_nothing_more_is_taken_of_a_device_that_was_revoked(gate: Gate, attending: Any) -> None:
    early = [gate.scan("V1", "in", NINE), gate.scan("V1", "out", NINE + minutes(60))]
    kept = gate.scan("V2", "in", NINE + minutes(5))  # scanned before it was stolen, and never handed in
    forged = gate.scan("V3", "in", NINE + minutes(1))
    assert gate.upload(*early, at=NINE + minutes(90)) == ["taken", "taken"]
    before = pairs(attending)
    attending.at(NINE + minutes(100), CENTRE, revoke_device, "gate-1", reason="张三报告设备被盗")
    assert gate.upload(*early, kept, forged) == [
        "taken before", "taken before", "device_revoked", "device_revoked",
    ]  # fmt: skip
    for verb, with_what in (
        (device_key, ("gate-1",)),
        (lambda desk: check_in(desk, gate.shift_id, "V2", device="gate-1"), ()),
        (lambda desk: check_out(desk, gate.shift_id, "V1", device="gate-1", at=NINE + minutes(70)), ()),
    ):
        with pytest.raises(Refused, match="gate-1") as caught:
            attending.at(NINE + minutes(101), GATE, verb, *with_what)
        assert [each.code for each in caught.value.findings] == ["device_revoked"]
    assert pairs(attending) == before
    assert Gate(attending, gate.shift_id, "gate-2").upload(
        *[Gate(attending, gate.shift_id, "gate-2").scan("V2", "in", NINE + minutes(110))]
    ) == ["taken"]
    attending.at(LATER, LEADER, check_in, gate.shift_id, "V3", at=NINE + minutes(1))  # the leader knows
    for table in metadata.sorted_tables:
        assert "张三" not in repr(attending.rows(table))


def test_a_device_is_revoked_once_by_the_centre(attending: Any) -> None:
    for actor in (GATE, LEADER, me("V1")):
        with pytest.raises(NotPermitted):
            attending.at(NINE, actor, revoke_device, "gate-1", reason="被盗")
    for wrong in (
        {"device": "13812345678"},
        {"device": ""},
        {"device": None},
        {"reason": " "},
        {"reason": "x" * 501},
    ):
        with pytest.raises(InvalidValue):
            attending.at(NINE, CENTRE, revoke_device, **({"device": "gate-1", "reason": "被盗"} | wrong))
    assert attending.at(NINE, CENTRE, revoked_devices) == ()
    attending.at(NINE, CENTRE, revoke_device, "gate-1", reason="被盗")
    with pytest.raises(Refused, match="gate-1"):
        attending.at(ONE, CENTRE, revoke_device, "gate-1", reason="又丢了")
    (found,) = attending.at(ONE, CENTRE, revoked_devices)
    assert (found.device, found.revoked_at, found.revoked_by) == ("gate-1", NINE, "centre-1")
    assert f"{found.revoked_at:%H:%M}" == "09:00"
    (told,) = [row for row in attending.rows(event) if row.type == "attendance.device_revoked"]
    assert told.subject == "device:gate-1"


def test_a_morning_is_uploaded_once(gate: Gate, attending: Any) -> None:
    scans = [
        gate.scan("V1", "in", NINE), gate.scan("V2", "in", NINE + minutes(5)), gate.scan("V1", "in", NINE + minutes(6)),
        gate.scan("V1", "out", ONE), gate.scan("V2", "out", ONE - minutes(60)), gate.scan("V4", "in", NINE),
    ]  # fmt: skip
    before = len(attending.rows(event))
    first = ["taken", "taken", "repeated", "taken", "taken", "check_in_not_joined"]
    assert gate.upload(*scans) == first
    assert [each.minutes for each in attending.list(gate.shift_id, LATER)] == [240, 175]
    row = attending.rows(attendance)[0]
    assert (row.in_by, row.in_at, row.in_received_at) == (
        "device:gate-1",
        microseconds(NINE),
        microseconds(LATER),
    )
    last = attending.rows(event)[-1]
    assert (last.type, last.subject, json.loads(last.payload)) == (
        "attendance.uploaded", "device:gate-1", {"taken": 5, "refused": 1},
    )  # fmt: skip
    assert len(attending.rows(event)) == before + 5
    kept = [attending.rows(attendance), attending.rows(scan)]
    assert gate.upload(*scans, at=LATER + minutes(9)) == [
        f"{each} before" if each in ("taken", "repeated") else each for each in first
    ]
    assert [attending.rows(attendance), attending.rows(scan)] == kept
    assert len(attending.rows(event)) == before + 5


def test_what_was_refused_may_come_again(gate: Gate, attending: Any) -> None:
    attending.change(participation, 1, state="waiting")
    one = gate.scan("V1", "in", NINE)
    assert gate.upload(one) == ["check_in_not_accepted"]
    assert attending.rows(scan) == []
    attending.change(participation, 1, state="accepted")
    assert gate.upload(one) == ["taken"]


@pytest.mark.parametrize(
    "change",
    [
        {"volunteer": "V2"}, {"shift_id": 2}, {"purpose": "out"}, {"at": NINE + minutes(1)}, {"sequence": 9},
        {"scan_id": "S-9"}, {"signature": b""}, {"signature": bytes(32)}, {"at": NINE + dt.timedelta(microseconds=1)},
    ],
)  # fmt: skip
def test_a_changed_scan_is_refused(gate: Gate, attending: Any, change: dict[str, Any]) -> None:
    one = gate.scan("V1", "in", NINE)
    assert gate.upload(attrs.evolve(one, **change)) == ["scan_not_signed"]
    assert attending.rows(attendance) == []
    assert gate.upload(one) == ["taken"]


def test_a_scan_of_another_device_is_refused(gate: Gate, attending: Any) -> None:
    one = gate.scan("V1", "in", NINE)
    other = attrs.evolve(gate, device="gate-2")
    assert other.upload(one) == ["scan_not_signed"]
    assert gate.upload(one) == ["taken"]
    # ids are each device's own
    assert other.upload(attrs.evolve(other, count=0).scan("V2", "in", NINE)) == ["taken"]


def test_a_scan_id_stands_for_one_scan(gate: Gate, attending: Any) -> None:
    one = gate.scan("V1", "in", NINE)
    other = gate.scan("V2", "in", NINE, scan_id="S-1")
    assert gate.upload(other, one, one) == ["scan_reused", "taken", "taken"]
    assert gate.upload(other) == ["scan_reused"]
    assert len(attending.rows(scan)) == 1


def test_what_was_entered_meanwhile_stands(gate: Gate, attending: Any) -> None:
    attending.at(NINE + minutes(10), LEADER, check_list, gate.shift_id, ["V1", "V2"])
    attending.at(ONE - minutes(30), LEADER, check_out, gate.shift_id, "V1")
    scans = [
        gate.scan("V1", "in", NINE), gate.scan("V2", "in", NINE), gate.scan("V3", "in", NINE),
        gate.scan("V1", "out", ONE), gate.scan("V2", "out", ONE), gate.scan("V3", "out", ONE),
    ]  # fmt: skip
    assert gate.upload(*scans) == ["repeated", "repeated", "taken", "repeated", "taken", "taken"]
    assert [each.minutes for each in attending.list(gate.shift_id, LATER)] == [200, 230, 240]


def test_a_whole_pair_before_what_was_entered_is_taken(gate: Gate, attending: Any) -> None:
    attending.at(NINE + minutes(120), LEADER, check_in, gate.shift_id, "V1")
    early = [gate.scan("V1", "in", NINE), gate.scan("V1", "out", NINE + minutes(90))]
    assert gate.upload(*early) == ["taken", "taken"]
    attending.at(ONE, LEADER, check_out, gate.shift_id, "V1")
    assert [each.minutes for each in attending.list(gate.shift_id, LATER)] == [90, 120]


def test_a_late_check_out_takes_the_place_of_the_sweepers(gate: Gate, attending: Any) -> None:
    attending.at(NINE, LEADER, check_in, gate.shift_id, "V1")
    night = NINE + dt.timedelta(hours=13)
    attending.at(night, GATE, close_forgotten)
    assert [each.flags for each in attending.list(gate.shift_id, night)] == [("forgotten",)]
    assert gate.upload(gate.scan("V1", "out", ONE - minutes(60)), at=night) == ["taken"]
    (found,) = attending.list(gate.shift_id, night)
    assert (found.flags, found.minutes) == ((), 180)


def test_a_check_out_beyond_the_limit_is_not_taken(gate: Gate, attending: Any) -> None:
    night = NINE + dt.timedelta(hours=14)
    scans = [gate.scan("V1", "in", NINE), gate.scan("V1", "out", NINE + minutes(721)), gate.scan("V2", "in", NINE),
             gate.scan("V2", "out", NINE + minutes(720))]  # fmt: skip
    assert gate.upload(*scans, at=night) == ["taken", "check_out_too_late", "taken", "taken"]
    assert [each.flags for each in attending.list(gate.shift_id, night)] == [("forgotten",), ()]


def test_the_devices_numbers_are_the_order_whatever_its_clock_says(gate: Gate, attending: Any) -> None:
    scans = [gate.scan("V1", "in", NINE + minutes(30)), gate.scan("V1", "out", NINE)]  # set back in between
    assert gate.upload(*reversed(scans)) == ["taken", "taken"]
    (row,) = attending.rows(attendance)
    assert (row.in_at, row.out_at, row.flags) == (microseconds(NINE + minutes(30)),) * 2 + ("clock_skew",)


def test_a_wrong_clock_is_flagged_and_the_future_refused(gate: Gate, attending: Any) -> None:
    scans = [
        gate.scan("V1", "in", NINE),
        gate.scan("V2", "in", LATER + minutes(11)),
        gate.scan("V3", "in", NINE),
    ]
    assert gate.upload(*scans[:2], clock=LATER + minutes(11)) == ["taken", "instant_in_future"]
    assert gate.upload(scans[2], clock=LATER - minutes(10)) == ["taken"]
    assert [each.flags for each in attending.list(gate.shift_id, LATER)] == [("clock_skew",), ()]


def test_who_was_discharged_is_there_until_then(gate: Gate, attending: Any) -> None:
    attending.change(participation, 1, state="discharged", served_until=microseconds(NINE + minutes(60)))
    scans = [
        gate.scan("V1", "in", NINE),
        gate.scan("V1", "out", ONE),
        gate.scan("V1", "in", ONE - minutes(5)),
    ]
    assert gate.upload(*scans) == ["taken", "repeated", "check_in_not_accepted"]
    assert [each.minutes for each in attending.list(gate.shift_id, LATER)] == [60]


def test_scans_and_uploads_are_checked(gate: Gate, attending: Any) -> None:
    one = gate.scan("V1", "in", NINE)
    for wrong in (
        {"scan_id": ""}, {"scan_id": "周小兰"}, {"scan_id": "12900000001"}, {"scan_id": 1}, {"sequence": -1},
        {"sequence": True}, {"sequence": 2**63}, {"shift_id": "1"}, {"volunteer": ""}, {"purpose": "through"},
        {"at": dt.datetime(2026, 11, 30, 9)}, {"at": None},
    ):  # fmt: skip
        with pytest.raises(InvalidValue) as caught:
            attrs.evolve(one, **wrong)
        assert "周小兰" not in str(caught.value)
    with pytest.raises(TypeError):
        attrs.evolve(one, signature="x")
    for scans in ((), [one] * 2001, "S-1", {one}, [one, "S-1"], None, 7):
        with pytest.raises(InvalidValue):
            attending.at(LATER, GATE, upload, "gate-1", scans, clock=LATER)
    for device in ("", "周小兰的手机", None):
        with pytest.raises(InvalidValue):
            attending.at(LATER, GATE, upload, device, [one], clock=LATER)
    with pytest.raises(InvalidValue):
        attending.at(LATER, GATE, upload, "gate-1", [one], clock=dt.datetime(2026, 11, 30, 9))
    for actor in (LEADER, me("V1"), Actor.of("centre-2", "centre")):
        with pytest.raises(NotPermitted):
            attending.at(LATER, actor, upload, "gate-1", [one], clock=LATER)
        with pytest.raises(NotPermitted):
            attending.at(LATER, actor, device_key, "gate-1")
    assert gate.upload(gate.scan("V1", "in", NINE, shift_id=404)) == ["scan_no_shift"]
    assert attending.rows(attendance) == []


def test_a_signature_is_shown_nowhere(gate: Gate, attending: Any) -> None:
    one = gate.scan("V1", "in", NINE)
    key = attending.at(NINE, GATE, device_key, "gate-1")
    assert repr(one.signature) not in repr(one)
    gate.upload(one)
    for table in metadata.sorted_tables:
        assert repr(key) not in repr(attending.rows(table))


def test_an_upload_is_written_whole_or_not_at_all(gate: Gate, attending: Any) -> None:
    scans = [gate.scan(f"V{n}", "in", NINE) for n in (1, 2, 3)]
    before = attending.rows(event)

    def stopped(desk: Any) -> None:
        upload(desk, "gate-1", scans, clock=desk.now)
        raise Refused

    with pytest.raises(Refused):
        attending.at(LATER, GATE, stopped)
    assert (attending.rows(attendance), attending.rows(scan), attending.rows(event)) == ([], [], before)


def test_two_thousand_scans_go_at_once(gate: Gate, attending: Any) -> None:
    key = attending.at(NINE, GATE, device_key, "gate-1")
    scans = [
        signed(
            key,
            "gate-1",
            Scan(f"S-{n}", n, gate.shift_id, f"V{n % 3 + 1}", "in", NINE + dt.timedelta(seconds=n)),
        )
        for n in range(2000)
    ]
    assert sorted(set(gate.upload(*scans))) == ["repeated", "taken"]
    assert len(attending.rows(attendance)) == 3


# Whatever the order in which a batch arrives.
MOVES = st.lists(
    st.tuples(st.sampled_from(["V1", "V2"]), st.sampled_from(["in", "out"]), st.integers(-90, 330)),
    min_size=2, max_size=8,
)  # fmt: skip


@pytest.fixture
def empty(make_city: Any) -> Any:
    """A city in memory whose attendance is emptied before every example."""
    found = planned_in["Planned"](make_city("sqlite://"))
    planned_in["prepare"](found)
    return _shared["Attending"](found)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=MOVES, seed=st.integers(0, 2**32), entered=st.integers(-30, 200) | st.none())
def test_a_batch_gives_the_same_in_any_order(moves: Any, seed: int, entered: int | None, empty: Any) -> None:
    outcomes = []
    for shuffled in (False, True):
        gate = Gate(empty, empty.shift("V1", "V2"))
        if entered is not None:
            empty.at(NINE + minutes(entered), LEADER, check_in, gate.shift_id, "V1")
        scans = [gate.scan(number, purpose, NINE + minutes(after)) for number, purpose, after in moves]
        if shuffled:
            random.Random(seed).shuffle(scans)
        answers = sorted(zip([each.sequence for each in scans], gate.upload(*scans), strict=True))
        found = [(row.volunteer_id, row.in_at, row.out_at, row.flags) for row in empty.rows(attendance)]
        outcomes.append((sorted(found), answers))
        empty.planned.city.at(NINE.date(), CENTRE, _emptied)
    assert outcomes[0] == outcomes[1]


def _emptied(desk: Any) -> None:
    for table in (scan, attendance):
        desk.connection.execute(table.delete())
