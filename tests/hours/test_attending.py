"""From attendance to hours: one record a pair, once, with the minutes served within the shift."""

from __future__ import annotations

import datetime as dt
import runpy
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Policy, Refused, hours
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.hours import claim_attendance, unmatched_attendance
from volunteerkit.hours.tables import service_record
from volunteerkit.messages import LANGUAGES
from volunteerkit.projects import participants, recruiting
from volunteerkit.projects.attendance import check_in, check_list, check_out, list_attendance, review
from volunteerkit.projects.codes import shift_code
from volunteerkit.projects.tables import attendance, participation
from volunteerkit.store.desk import microseconds
from volunteerkit.store.schema import event, metadata

_folder = Path(__file__).parents[1] / "projects"
_shared = runpy.run_path(str(_folder / "attending.py"), run_name="attending")
planned = runpy.run_path(str(_folder / "conftest.py"), run_name="planned")["planned"]
NINE, CENTRE, LEADER, SECOND, STRANGER = (
    _shared[name] for name in ("NINE", "CENTRE", "LEADER", "SECOND", "STRANGER")
)
me, minutes = _shared["me"], _shared["minutes"]
ONE = NINE + dt.timedelta(hours=4)
LATER = NINE + dt.timedelta(hours=14)


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


def served(attending: Any, shift_id: int, number: str, begin: dt.datetime, end: dt.datetime) -> None:
    attending.at(begin, LEADER, check_in, shift_id, number)
    attending.at(end, LEADER, check_out, shift_id, number)


def codes(claimed: Any) -> list[Any]:
    for each in claimed:
        for finding in each.findings:
            for language in LANGUAGES:
                assert not finding.message(language).startswith(finding.code)
    return [each.minutes if each.record_id else each.findings[0].code for each in claimed]


def test_a_shift_becomes_one_claim_a_pair(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3")
    served(attending, shift_id, "V1", NINE - minutes(30), ONE + minutes(30))
    served(attending, shift_id, "V2", NINE + minutes(15), NINE + minutes(75.5))
    served(attending, shift_id, "V2", NINE + minutes(120), ONE - minutes(30))
    claimed = attending.at(ONE + minutes(60), LEADER, claim_attendance, shift_id)
    assert [(each.volunteer, each.minutes) for each in claimed] == [("V1", 240), ("V2", 60), ("V2", 90)]
    rows = attending.rows(service_record)
    assert [
        (row.claimed_minutes, row.state, row.method, row.start_minute, row.clock_minutes) for row in rows
    ] == [
        (240, "pending", "checkin", 9 * 60, 240),
        (60, "pending", "checkin", 9 * 60 + 15, 60),
        (90, "pending", "checkin", 11 * 60, 90),
    ]
    assert [row.record_id for row in attending.rows(attendance)] == [each.record_id for each in claimed]
    # somebody else confirms them, as every claim
    with pytest.raises(Refused):
        attending.at(LATER, LEADER, hours.confirm, claimed[0].record_id)
    assert attending.at(LATER, SECOND, hours.confirm, claimed[0].record_id).state == "confirmed"


def states(attending: Any) -> list[str]:
    return [row.state for row in attending.rows(participation)]


def test_confirmed_attendance_completes_the_participation(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3", "V4")
    for number in ("V1", "V2", "V3"):
        served(attending, shift_id, number, NINE, ONE)
    first, second, third = attending.at(ONE, LEADER, claim_attendance, shift_id)
    assert states(attending) == ["accepted"] * 4
    attending.at(LATER, SECOND, hours.reject, first.record_id, reason="不在场")
    assert states(attending) == ["accepted"] * 4
    attending.at(LATER, SECOND, participants.mark, 3, "missed", reason="中途离开未归")
    for each in (second, third):
        attending.at(LATER, SECOND, hours.confirm, each.record_id, key=f"confirm {each.record_id}")
    assert states(attending) == ["accepted", "completed", "missed", "accepted"]  # V4 did not come
    before = len(attending.rows(event))
    attending.at(LATER, SECOND, hours.confirm, second.record_id, key=f"confirm {second.record_id}")
    assert len(attending.rows(event)) == before
    (told,) = [
        row
        for row in attending.rows(event)
        if row.type == "participation.moved" and "completed" in row.payload
    ]
    assert (told.subject, told.actor_id) == ("volunteer:2", SECOND.id)
    third_person = Actor("admin-3", (Grant("organization_admin", "O1"),))
    attending.at(LATER, third_person, hours.reverse, second.record_id, reason="录错")
    assert states(attending)[1] == "completed"  # somebody else says so: `participants.mark`
    with attending.planned.city.engine.connect() as connection:
        assert hours.verify_store(connection).holds


def test_who_was_discharged_stays_so_and_a_second_pair_changes_nothing(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    served(attending, shift_id, "V1", NINE, NINE + minutes(60))
    served(attending, shift_id, "V2", NINE, NINE + minutes(60))
    served(attending, shift_id, "V2", NINE + minutes(90), ONE)
    attending.at(NINE + minutes(70), SECOND, participants.mark, 1, "discharged", until=NINE + minutes(60))
    for each in attending.at(ONE, LEADER, claim_attendance, shift_id):
        attending.at(LATER, SECOND, hours.confirm, each.record_id)
    assert states(attending) == ["discharged", "completed"]


def test_hours_without_a_check_in_complete_nothing(attending: Any) -> None:
    attending.shift("V1")
    claim = hours.Claim("V1", "P1", NINE.date(), 240, dt.time(9), dt.time(13))
    made = attending.at(LATER, LEADER, hours.record, claim)
    attending.at(LATER, SECOND, hours.confirm, made.record_id)
    assert states(attending) == ["accepted"]


def test_done_twice_there_is_one_record(attending: Any) -> None:
    """A49: what is done at the end of an activity is done once."""
    shift_id = attending.shift("V1", "V2")
    served(attending, shift_id, "V1", NINE, ONE)
    assert len(attending.at(ONE, LEADER, claim_attendance, shift_id)) == 1
    before = len(attending.rows(event))
    assert attending.at(ONE, LEADER, claim_attendance, shift_id) == ()
    assert attending.at(LATER, CENTRE, claim_attendance, shift_id) == ()
    assert len(attending.rows(service_record)) == 1
    assert len(attending.rows(event)) == before


def test_before_its_end_a_shift_gives_nothing(attending: Any) -> None:
    shift_id = attending.shift("V1")
    assert attending.at(NINE - minutes(90), LEADER, claim_attendance, shift_id) == ()
    served(attending, shift_id, "V1", NINE, NINE + minutes(60))
    assert attending.at(ONE - minutes(1), LEADER, claim_attendance, shift_id) == ()
    with pytest.raises(NotFound):
        attending.at(ONE, LEADER, claim_attendance, "1")
    assert attending.at(ONE - minutes(1), CENTRE, unmatched_attendance) == ()
    assert [each.code for each in attending.at(ONE, CENTRE, unmatched_attendance)] == ["attendance_unclaimed"]
    assert codes(attending.at(ONE, LEADER, claim_attendance, shift_id)) == [60]


def test_the_event_of_a_claim_says_how_many_records_it_made(attending: Any) -> None:
    attending.policy = Policy(forgotten_check_out_minutes=60)
    shift_id = attending.shift("V1", "V2", "V3")
    served(attending, shift_id, "V1", NINE, NINE + minutes(30))
    served(attending, shift_id, "V2", NINE, NINE + minutes(30))
    attending.at(NINE, LEADER, check_in, shift_id, "V3")  # who forgot to check out waits for a review
    assert codes(attending.at(ONE, LEADER, claim_attendance, shift_id))[:2] == [30, 30]
    told = [row.payload for row in attending.rows(event) if row.type == "attendance.claimed"]
    assert told == ['{"records":2}']
    attending.at(ONE, LEADER, claim_attendance, shift_id)
    assert [row.payload for row in attending.rows(event) if row.type == "attendance.claimed"] == told


def test_who_did_not_come_gets_nothing(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    assert attending.at(LATER, LEADER, claim_attendance, shift_id) == ()
    served(attending, shift_id, "V1", NINE, ONE)
    attending.change(participation, 1, state="excused")
    assert codes(attending.at(LATER, LEADER, claim_attendance, shift_id)) == ["attendance_counts_not"]
    assert attending.rows(service_record) == []


def test_what_waits_is_claimed_after_its_review(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3", "V4")
    attending.at(NINE, me("V1"), check_in, shift_id, "V1", evidence="照片")
    attending.at(ONE, me("V1"), check_out, shift_id, "V1", evidence="照片")
    attending.at(NINE, LEADER, check_list, shift_id, ["V2", "V3", "V4"])
    attending.at(NINE + minutes(0.5), LEADER, check_out, shift_id, "V4")
    assert codes(attending.at(ONE, LEADER, claim_attendance, shift_id)) == [
        "attendance_waits", "still_there", "still_there", "attendance_without_minutes",
    ]  # fmt: skip
    assert codes(attending.at(LATER, LEADER, claim_attendance, shift_id))[:3] == ["attendance_waits"] * 3
    for id_, accept in ((1, True), (2, True), (3, False)):
        attending.at(LATER, SECOND, review, id_, accept=accept, reason="问过队长")
    assert codes(attending.at(LATER, LEADER, claim_attendance, shift_id)) == [
        240, 240, "attendance_counts_not", "attendance_without_minutes",
    ]  # fmt: skip


def test_who_was_discharged_gets_the_part_served(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.at(NINE, LEADER, check_in, shift_id, "V1")
    attending.change(participation, 1, state="discharged", served_until=microseconds(NINE + minutes(70)))
    assert codes(attending.at(ONE, LEADER, claim_attendance, shift_id)) == [70]
    (row,) = attending.rows(attendance)
    assert (row.out_at, row.out_method) == (microseconds(NINE + minutes(70)), "discharged")


def test_only_the_pairs_that_are_named(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    for number in ("V1", "V2"):
        served(attending, shift_id, number, NINE, ONE)
    assert [each.volunteer for each in attending.at(ONE, LEADER, claim_attendance, shift_id, only=[2])] == [
        "V2"
    ]
    for wrong in (["2"], "2", [True], [None]):
        with pytest.raises(InvalidValue, match="only"):
            attending.at(ONE, LEADER, claim_attendance, shift_id, only=wrong)


def test_time_outside_of_the_shift_counts_by_a_manager_with_a_reason(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    served(attending, shift_id, "V1", NINE - minutes(30), ONE + minutes(45))
    served(attending, shift_id, "V2", NINE, ONE)
    leads = Actor("leads-1", (Grant("team_leader", "T1"),))
    team = metadata.tables["vk_team"]
    attending.at(
        NINE,
        CENTRE,
        lambda desk: desk.connection.execute(
            sa.insert(team).values(id=1, number="T1", name="一队", organization_id=1, status="approved")
        ),
    )
    attending.change(metadata.tables["vk_project"], 1, team_id=1)
    with pytest.raises(NotPermitted):
        attending.at(LATER, leads, claim_attendance, shift_id, beyond="布置会场")
    own = Actor("own-1", (Grant("organization_admin", "O1"),), volunteer="V1")
    with pytest.raises(Refused):
        attending.at(LATER, own, claim_attendance, shift_id, beyond="布置会场")
    with pytest.raises(InvalidValue):
        attending.at(LATER, LEADER, claim_attendance, shift_id, beyond=" ")
    assert attending.rows(service_record) == []
    (beyond,) = attending.at(LATER, LEADER, claim_attendance, shift_id, only=[1], beyond="为张三布置会场")
    # one reason is enough: whoever confirms it needs no other
    assert (codes([beyond]), beyond.findings) == ([315], ())
    assert attending.at(LATER, SECOND, hours.confirm, beyond.record_id).minutes == 315
    assert codes(attending.at(LATER, leads, claim_attendance, shift_id)) == ["attendance_foreign"]
    assert codes(attending.at(LATER, LEADER, claim_attendance, shift_id)) == [240]
    assert [row.flags for row in attending.rows(attendance)] == ["beyond", ""]
    for table in metadata.sorted_tables:
        assert "张三" not in repr(attending.rows(table))


def test_minutes_of_two_lists_count_once(attending: Any) -> None:
    shift_id = attending.shift("V1")
    served(attending, shift_id, "V1", NINE, NINE + minutes(120))
    served(attending, shift_id, "V1", NINE + minutes(150), ONE)
    attending.change(attendance, 2, in_at=microseconds(NINE + minutes(60)))  # as an old file may have it
    claimed = attending.at(ONE, LEADER, claim_attendance, shift_id)
    assert sum(each.minutes for each in claimed) == 240


@pytest.mark.parametrize("beyond", [None, "收拾会场"])
@pytest.mark.parametrize("accept", [True, False])
def test_a_review_makes_no_minute_count_twice(attending: Any, beyond: str | None, accept: bool) -> None:
    shift_id = attending.shift("V1")
    for verb, at in ((check_in, NINE), (check_out, NINE + minutes(60))):
        first = attending.at(at, me("V1"), verb, shift_id, "V1", evidence="照片")
    served(attending, shift_id, "V1", NINE + minutes(120), ONE)
    over = {"accept": accept, "reason": "核对", "out_at": NINE + minutes(180)}
    attending.at(LATER, LEADER, review, first.attendance_id, **over)
    claimed = attending.at(LATER, LEADER, claim_attendance, shift_id, beyond=beyond)
    assert [each.minutes for each in claimed] == ([180, 60] if accept else [0, 120])


@pytest.mark.parametrize(
    ("zone", "starts", "length", "expected"),
    [
        ("Asia/Shanghai", "2026-11-30T22:00+08:00", 240, (dt.date(2026, 11, 30), 240, 22 * 60, 240)),
        ("Asia/Shanghai", "1988-07-01T00:30+09:00", 60, (dt.date(1988, 7, 1), 60, 30, 60)),
        ("America/New_York", "2026-11-01T01:30-04:00", 60, (dt.date(2026, 11, 1), 60, -1, 0)),
        ("America/New_York", "2026-11-01T00:30-04:00", 180, (dt.date(2026, 11, 1), 180, 30, 120)),
    ],
)
def test_a_claim_has_the_minutes_of_utc_and_the_day_of_the_city(
    attending: Any, zone: str, starts: str, length: int, expected: tuple[Any, ...]
) -> None:
    import zoneinfo

    import attrs

    from volunteerkit.units import day_of

    begin = dt.datetime.fromisoformat(starts).astimezone(dt.UTC)
    city = attending.planned.city
    there = attrs.evolve(city, kit=attrs.evolve(city.kit, zone=zoneinfo.ZoneInfo(zone)))
    attending.planned = attrs.evolve(attending.planned, city=there)
    attending.change(metadata.tables["vk_volunteer"], 1, registered_on=0)
    shift_id = attending.shift("V1", starts=begin, hours=length / 60)
    end = begin + minutes(length)
    served(attending, shift_id, "V1", begin, end)
    assert codes(attending.at(end, LEADER, claim_attendance, shift_id)) == [length]
    (row,) = attending.rows(service_record)
    assert (day_of(row.served_on), row.claimed_minutes, row.start_minute, row.clock_minutes) == expected


def test_a_pair_after_midnight_belongs_to_the_shifts_day_without_a_clock(attending: Any) -> None:
    begin = dt.datetime.fromisoformat("2026-11-30T22:00+08:00")
    shift_id = attending.shift("V1", starts=begin)
    served(attending, shift_id, "V1", begin + minutes(150), begin + minutes(240))
    attending.at(begin + minutes(240), LEADER, claim_attendance, shift_id)
    (row,) = attending.rows(service_record)
    assert (row.claimed_minutes, row.start_minute) == (90, -1)
    assert attending.list(shift_id, LATER + minutes(900))[0].served_on == dt.date(2026, 11, 30)


def test_a_foreign_shift_is_an_unknown_one(attending: Any) -> None:
    shift_id = attending.shift("V1")
    for actor, id in ((STRANGER, shift_id), (LEADER, 404), (LEADER, "1"), (me("V1"), shift_id)):
        with pytest.raises(NotFound):
            attending.at(ONE, actor, claim_attendance, id)
    with pytest.raises(NotPermitted):
        attending.at(ONE, Actor("nobody"), claim_attendance, shift_id)


def test_whoever_is_suspended_that_day_is_told(attending: Any) -> None:
    from volunteerkit import volunteers

    shift_id = attending.shift("V1", "V2")
    for number in ("V1", "V2"):
        served(attending, shift_id, number, NINE, ONE)
    attending.at(ONE, CENTRE, volunteers.suspend, "V1", reason="核查")
    assert codes(attending.at(ONE, LEADER, claim_attendance, shift_id)) == ["volunteer_not_active", 240]


def test_from_joining_to_confirmed_hours(attending: Any) -> None:
    shift_id, before = attending.shift(), NINE - dt.timedelta(days=3)
    joined = {
        number: attending.at(before, me(number), recruiting.join, shift_id, number).participation_id
        for number in ("V1", "V2", "V3")
    }
    attending.at(NINE - dt.timedelta(days=2), me("V3"), recruiting.withdraw, shift_id, "V3")
    answers = attending.at(NINE, LEADER, check_list, shift_id, ["V1", "V2", "V3"])
    assert [type(each).__name__ for each in answers] == ["Attended", "Attended", "Refused"]
    two = {"until": NINE + minutes(90)}
    attending.at(NINE + minutes(120), SECOND, participants.mark, joined["V2"], "discharged", **two)
    attending.at(ONE, LEADER, check_out, shift_id, "V1")
    attending.at(ONE, SECOND, participants.mark, joined["V1"], "completed")
    claimed = attending.at(ONE, LEADER, claim_attendance, shift_id)
    assert [(each.volunteer, each.minutes, each.findings) for each in claimed] == [
        ("V1", 240, ()),
        ("V2", 90, ()),
    ]
    for each in claimed:
        attending.at(LATER, SECOND, hours.confirm, each.record_id)
    assert found(attending) == []


def test_a_deleted_projects_shift_is_an_unknown_one(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.change(metadata.tables["vk_project"], 1, status="deleted")
    for verb, given in ((check_in, ["V1"]), (list_attendance, []), (shift_code, []), (claim_attendance, [])):
        with pytest.raises(NotFound):
            attending.at(ONE, LEADER, verb, shift_id, *given)


# The nightly check.


def found(attending: Any) -> list[str]:
    findings = attending.at(LATER, CENTRE, unmatched_attendance)
    for finding in findings:
        for language in LANGUAGES:
            assert not finding.message(language).startswith(finding.code)
    return [finding.code for finding in findings]


def test_the_nightly_check_finds_what_does_not_agree(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3")
    for number in ("V1", "V2", "V3"):
        served(attending, shift_id, number, NINE, ONE)
    assert found(attending) == ["attendance_unclaimed"] * 3
    claimed = attending.at(ONE, LEADER, claim_attendance, shift_id)
    for each in claimed[:2]:
        attending.at(ONE, SECOND, hours.confirm, each.record_id)
    attending.at(ONE, SECOND, hours.reject, claimed[2].record_id, reason="重复")
    attending.at(ONE, SECOND, hours.reverse, claimed[1].record_id, reason="录错了")
    assert found(attending) == []
    attending.change(service_record, claimed[2].record_id, state="confirmed", confirmed_minutes=240)
    assert found(attending) == ["attendance_posted"]
    attending.change(service_record, claimed[2].record_id, state="rejected", confirmed_minutes=0)
    attending.change(attendance, 1, record_id=None, flags="refused")
    assert found(attending) == ["attendance_missing"]
    attending.change(attendance, 1, record_id=404)
    assert found(attending) == ["attendance_astray", "attendance_missing"]


def test_an_unreviewed_pair_is_nothing_that_disagrees(attending: Any) -> None:
    attending.policy = Policy(forgotten_check_out_minutes=60)
    shift_id = attending.shift("V1")
    attending.at(NINE, LEADER, check_in, shift_id, "V1")
    assert found(attending) == []
    with pytest.raises(NotPermitted):
        attending.at(ONE, LEADER, unmatched_attendance)
