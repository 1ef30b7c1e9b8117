"""Where projects, attendance, hours and people meet: what is cancelled, merged, erased or moved in between."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import attrs
import pytest

from volunteerkit import Claim, approvals, fixed_clock, hours, organizations, personal, projects, volunteers
from volunteerkit.errors import NotPermitted
from volunteerkit.hours import bank
from volunteerkit.projects import attendance, codes, participants, recruiting


def joined(town: Any, *people: str, **more: Any) -> tuple[str, int]:
    number = town.project(town.shift(7, "08:00"), town.shift(9, "08:00"), **more)
    shift = town.shifts(number)[0]
    for who in people:
        town.at(1, "09:00", town.me(who), recruiting.join, shift, who)
    return number, shift


def served(town: Any, shift: int, *people: str) -> None:
    town.at(7, "08:00", town.admin, attendance.check_list, shift, people, whole=True)
    town.at(7, "12:00", town.admin, attendance.check_list, shift, people, "out", whole=True)


def sound(town: Any) -> None:
    with town.city.engine.connect() as connection:
        assert hours.verify_store(connection).holds
        assert bank.verify_bank(connection) == ("", "", "")
    assert town.at(30, "09:00", town.centre, hours.unmatched_attendance) == ()


def test_what_was_attended_is_neither_cancelled_nor_deleted(town: Any) -> None:
    number, shift = joined(town, "V1", "V2")
    served(town, shift, "V1")
    assert town.refused(8, "09:00", town.admin, projects.cancel, number, reason="台风") == [
        "project_has_hours"
    ]
    assert town.refused(8, "09:00", town.admin, projects.delete, number) == ["project_has_records"]
    later = town.shifts(number)[1]
    town.at(8, "09:30", town.admin, projects.cancel_shift, later, reason="台风")
    record = town.claimed(shift, 8)["V1"].record_id
    town.at(8, "10:00", town.second_admin, hours.confirm, record)
    assert town.at(8, "11:00", town.me("V1"), hours.statement, "V1").credited_minutes == 240
    sound(town)


def test_a_cancelled_shift_tells_whoever_was_accepted_and_gives_nobody_hours(town: Any) -> None:
    _, shift = joined(town, "V1", "V2")
    town.at(5, "09:00", town.admin, projects.cancel_shift, shift, reason="台风")
    listed = town.at(5, "10:00", town.admin, participants.list_participants, shift)
    assert {each.state for each in listed} == {"cancelled"}
    (mine,) = town.at(5, "10:00", town.me("V1"), recruiting.commitments, "V1")
    assert (mine.state, mine.minutes) == ("cancelled", 0)
    assert town.refused(7, "08:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
    assert town.claimed(shift, 8) == {}


def test_a_suspended_organization_leaves_what_was_attended_to_the_centre(town: Any) -> None:
    _, shift = joined(town, "V1")
    served(town, shift, "V1")
    case = town.at(8, "09:00", town.officer, organizations.propose_suspension, "O1", reason="核查账目")
    town.at(8, "10:00", town.centre, approvals.decide, case, "approve")
    with pytest.raises(NotPermitted):
        town.at(8, "11:00", town.admin, hours.claim_attendance, shift)
    (claimed,) = town.at(8, "11:30", town.centre, hours.claim_attendance, shift)
    town.at(8, "12:00", town.second_centre, hours.confirm, claimed.record_id)
    assert town.at(8, "13:00", town.me("V1"), hours.statement, "V1").credited_minutes == 240
    sound(town)


def test_who_was_merged_keeps_participations_attendance_and_credit(town: Any) -> None:
    _, shift = joined(town, "V1", "V2")
    served(town, shift, "V1", "V2")
    for each in town.claimed(shift, 8).values():
        town.at(8, "10:00", town.second_admin, hours.confirm, each.record_id)
    for who in ("V1", "V2"):
        town.at(8, "11:00", town.centre, bank.settle, who)
    later = town.shifts(town.project(town.shift(15, "08:00"), name="护河"))[0]
    town.at(8, "11:00", town.me("V2"), recruiting.join, later, "V2")
    case = town.at(9, "09:00", town.admin, volunteers.propose_merge, "V1", "V2", reason="同一个人")
    town.at(9, "10:00", town.centre, approvals.decide, case.id, "approve")
    # both lists of one morning are one person's time
    told = town.at(9, "11:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes, told.merged) == (480, 240, ("V2",))
    assert [each.shift_id for each in town.at(9, "11:00", town.me("V1"), recruiting.commitments, "V1")] == [
        later
    ]
    assert town.at(9, "11:00", town.centre, bank.settle, "V1").available_minutes == 240
    town.at(15, "08:00", town.admin, attendance.check_list, later, ["V1"], whole=True)
    town.at(15, "12:00", town.admin, attendance.check_list, later, ["V1"], "out", whole=True)
    (claimed,) = town.at(16, "09:00", town.admin, hours.claim_attendance, later)
    assert claimed.record_id is not None, claimed.findings
    town.at(16, "10:00", town.second_admin, hours.confirm, claimed.record_id)
    assert town.at(16, "11:00", town.me("V1"), hours.statement, "V1").credited_minutes == 480
    sound(town)


def test_who_left_gives_the_place_back_and_what_was_served_is_claimed(town: Any) -> None:
    number, shift = joined(town, "V1")
    later = town.shifts(number)[1]
    town.at(1, "09:00", town.me("V1"), recruiting.join, later, "V1")
    served(town, shift, "V1")
    town.at(8, "08:00", town.me("V1"), volunteers.deregister, "V1")
    assert town.at(8, "09:00", town.admin, recruiting.free_places, later).taken == 0
    assert town.refused(9, "08:00", town.admin, attendance.check_list, later, ["V1"], whole=True)
    claimed = town.claimed(shift, 9)["V1"]
    assert claimed.record_id is not None, claimed.findings
    town.at(9, "10:00", town.second_admin, hours.confirm, claimed.record_id)
    assert town.at(9, "11:00", town.centre, hours.statement, "V1").credited_minutes == 240
    late = Claim("V1", number, town.instant(9, "12:00").date(), 60)
    assert town.refused(10, "09:00", town.admin, hours.record, late) == ["volunteer_not_active"]
    sound(town)


def test_who_was_erased_leaves_attendance_without_a_name(town: Any) -> None:
    _, shift = joined(town, "V1")
    served(town, shift, "V1")
    town.at(8, "10:00", town.second_admin, hours.confirm, town.claimed(shift, 8)["V1"].record_id)
    town.at(8, "11:00", town.me("V1"), volunteers.deregister, "V1")
    case = town.at(8, "12:00", town.centre, personal.erase, "V1")
    town.at(8, "13:00", town.second_centre, approvals.decide, case.id, "approve")
    (listed,) = town.at(9, "09:00", town.admin, participants.list_participants, shift)
    assert ("张" in listed.name, listed.phone) == (False, "")
    assert [each.minutes for each in town.at(9, "09:00", town.admin, attendance.list_attendance, shift)] == [
        240
    ]
    assert town.at(9, "09:00", town.centre, hours.statement, "V1").confirmed_minutes == 240
    sound(town)


def test_who_goes_over_to_another_organization_keeps_the_place(town: Any) -> None:
    _, shift = joined(town, "V1")
    case = town.at(2, "09:00", town.me("V1"), volunteers.request_transfer, "V1", "O2")
    town.at(2, "10:00", town.second_admin, approvals.decide, case.id, "approve")
    town.at(2, "11:00", town.other_admin, approvals.decide, case.id, "approve")
    assert [each.shift_id for each in town.at(3, "09:00", town.me("V1"), recruiting.commitments, "V1")] == [
        shift
    ]
    code = town.at(7, "08:00", town.admin, codes.shift_code, shift)
    town.at(7, "08:00", town.me("V1"), attendance.check_in, shift, "V1", code=code)
    town.at(7, "12:00", town.admin, attendance.check_list, shift, ["V1"], "out", whole=True)
    claimed = town.claimed(shift, 8)["V1"]
    assert claimed.record_id is not None, claimed.findings
    town.at(8, "10:00", town.second_admin, hours.confirm, claimed.record_id)
    assert town.at(8, "11:00", town.me("V1"), hours.statement, "V1").credited_minutes == 240
    sound(town)


RECORDS = """record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at
R1,V1,{0},,2026-11-09,06:00,12:00,6,confirmed,manual,2026-11-10 10:00
R2,V4,{0},,2026-11-09,08:00,12:00,4,confirmed,manual,2026-11-10 10:00
"""


def test_a_file_brings_records_for_a_project_with_shifts(town: Any, tmp_path: Path) -> None:
    """Whoever decided about them elsewhere vouches for them: none is held or refused, overlaps count once."""
    number, shift = joined(town, "V1")
    served(town, shift, "V1")
    town.at(8, "10:00", town.second_admin, hours.confirm, town.claimed(shift, 8)["V1"].record_id)
    (tmp_path / "service_records.csv").write_text(RECORDS.format(number), "utf-8")
    kit = attrs.evolve(town.city.kit, clock=fixed_clock(town.instant(9, "09:00")))
    for _ in range(2):
        kit.import_directory(town.city.engine, town.centre, tmp_path)
    told = town.at(10, "09:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes) == (600, 360)
    assert town.at(10, "09:00", town.me("V4"), hours.statement, "V4").credited_minutes == 240
    assert town.at(10, "10:00", town.centre, hours.list_pending) == ()
    sound(town)
    assert dt.date(2026, 11, 9) in {each.served_on for each in told.lines}


def test_who_is_merged_before_anything_was_claimed_is_claimed_for_once(town: Any) -> None:
    _, shift = joined(town, "V1", "V2")
    served(town, shift, "V1", "V2")
    case = town.at(8, "09:00", town.admin, volunteers.propose_merge, "V1", "V2", reason="同一个人")
    town.at(8, "10:00", town.centre, approvals.decide, case.id, "approve")
    claimed = town.at(9, "09:00", town.admin, hours.claim_attendance, shift)
    assert [each.record_id is None for each in claimed] == [False, False], claimed
    assert {finding.code for each in claimed for finding in each.findings} == {"overlap_warning"}
    for each in claimed:
        town.at(9, "10:00", town.second_admin, hours.confirm, each.record_id)
    told = town.at(9, "11:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes) == (480, 240)
    line = told.lines[1].record_id
    dispute = town.at(9, "12:00", town.me("V1"), hours.dispute, line, 0, reason="重复登记")
    town.at(9, "13:00", town.third_admin, approvals.decide, dispute.id, "approve")
    told = town.at(9, "14:00", town.me("V1"), hours.statement, "V1")
    assert (told.confirmed_minutes, told.credited_minutes) == (240, 240)
    sound(town)


def test_who_was_erased_comes_to_nothing_any_more(town: Any) -> None:
    number, shift = joined(town, "V1")
    town.at(2, "11:00", town.me("V1"), volunteers.deregister, "V1")
    case = town.at(2, "12:00", town.centre, personal.erase, "V1")
    town.at(2, "13:00", town.second_centre, approvals.decide, case.id, "approve")
    assert town.at(3, "09:00", town.admin, recruiting.free_places, shift).taken == 0
    assert town.at(3, "10:00", town.centre, recruiting.sweep) == 1
    (listed,) = town.at(3, "11:00", town.admin, participants.list_participants, shift)
    assert (listed.state, "张" in listed.name) == ("cancelled", False)
    assert town.refused(7, "08:00", town.admin, attendance.check_list, shift, ["V1"], whole=True)
    town.at(8, "09:00", town.admin, projects.cancel, number, reason="无人参加")
    sound(town)
