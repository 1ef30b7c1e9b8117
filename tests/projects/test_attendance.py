"""Check-in and check-out as the people of a shift see them, on both databases."""

from __future__ import annotations

import datetime as dt
import json
import logging
import runpy
from itertools import permutations
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Grant, Policy, Refused, personal, volunteers
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.messages import LANGUAGES
from volunteerkit.projects.attendance import (
    check_in,
    check_list,
    check_out,
    close_forgotten,
    list_attendance,
    review,
)
from volunteerkit.projects.codes import shift_code
from volunteerkit.projects.tables import attendance, participation, project, shift
from volunteerkit.store.desk import microseconds
from volunteerkit.store.schema import event, metadata

_shared = runpy.run_path(str(Path(__file__).with_name("attending.py")), run_name="attending")
NINE, LEADER, SECOND, STRANGER, GATE, CENTRE = (
    _shared[name] for name in ("NINE", "LEADER", "SECOND", "STRANGER", "GATE", "CENTRE")
)
me, minutes = _shared["me"], _shared["minutes"]
ONE = NINE + dt.timedelta(hours=4)


@pytest.fixture
def attending(planned: Any) -> Any:
    return _shared["Attending"](planned)


def refused(attending: Any, *given: Any, **named: Any) -> list[str]:
    with pytest.raises(Refused) as caught:
        attending.at(*given, **named)
    for language in LANGUAGES:
        for finding in caught.value.findings:
            said = finding.message(language)
            assert said
            assert not said.startswith(finding.code)
    return [finding.code for finding in caught.value.findings]


def scan(attending: Any, instant: dt.datetime, shift_id: int, number: str, purpose: str = "in") -> Any:
    """The volunteer scans what the leader's screen shows."""
    code = attending.at(instant, LEADER, shift_code, shift_id, purpose)
    return attending.at(
        instant, me(number), check_in if purpose == "in" else check_out, shift_id, number, code=code
    )


def test_a_morning_with_everybodys_way_in(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3", "V4")
    assert scan(attending, NINE - minutes(5), shift_id, "V1").in_at == NINE - minutes(5)
    attending.at(NINE, LEADER, check_in, shift_id, "V2")
    attending.at(NINE + minutes(1), GATE, check_in, shift_id, "V3", device="gate-1", at=NINE)
    attending.at(NINE + minutes(30), me("V4"), check_in, shift_id, "V4", evidence="与队友的合影：照片 3")
    scan(attending, ONE + minutes(5), shift_id, "V1", "out")
    attending.at(ONE - minutes(60), LEADER, check_out, shift_id, "V2")
    attending.at(ONE, GATE, check_out, shift_id, "V3", device="gate-1")
    attending.at(ONE, me("V4"), check_out, shift_id, "V4", evidence="合影")
    found = attending.list(shift_id, ONE + minutes(10))
    assert [
        (each.volunteer, each.in_method, each.out_method, each.minutes, each.flags) for each in found
    ] == [
        ("V1", "code", "code", 240, ()),
        ("V2", "leader", "leader", 180, ()),
        ("V3", "device", "device", 240, ()),
        ("V4", "self", "self", 210, ("self_reported",)),
    ]
    assert [each.waiting for each in found] == [False, False, False, True]
    third = attending.rows(attendance)[2]
    assert (third.in_at, third.in_received_at) == (microseconds(NINE), microseconds(NINE + minutes(1)))
    assert (third.in_by, attending.rows(attendance)[0].in_by) == ("device:gate-1", "me-V1")


def test_instants_are_read_in_the_zone_of_the_city(attending: Any) -> None:
    shift_id = attending.shift("V1")
    came = scan(attending, NINE, shift_id, "V1")
    again = scan(attending, NINE + minutes(1), shift_id, "V1")
    left = scan(attending, ONE, shift_id, "V1", "out")
    (found,) = attending.list(shift_id, ONE)
    told = (came.in_at, again.in_at, left.in_at, left.out_at, found.starts_at, found.ends_at, found.in_at,
            found.out_at, found.in_received_at)  # fmt: skip
    assert {f"{each:%H:%M %z}" for each in told} == {"09:00 +0800", "13:00 +0800"}


def test_a_person_there_has_no_minutes_yet(attending: Any) -> None:
    shift_id = attending.shift("V1")
    scan(attending, NINE, shift_id, "V1")
    (found,) = attending.list(shift_id, ONE)
    assert (found.out_at, found.minutes, found.distance_ok) == (None, 0, None)


@pytest.mark.parametrize(
    "state", ["applied", "waiting", "refused", "withdrawn", "cancelled", "invited", "missed", "excused"]
)
def test_only_the_accepted_check_in(attending: Any, state: str) -> None:
    shift_id = attending.shift("V1", state=state)
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V1") == ["check_in_not_accepted"]
    assert attending.rows(attendance) == []


def test_what_speaks_against_a_check_in(attending: Any) -> None:
    shift_id = attending.shift("V1")
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V2") == ["check_in_not_joined"]
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V404") == ["check_in_not_joined"]
    assert refused(attending, NINE - minutes(61), LEADER, check_in, shift_id, "V1") == ["check_in_too_early"]
    assert refused(attending, ONE, LEADER, check_in, shift_id, "V1") == ["check_in_over"]
    other = attending.shift("V2")
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V2") == ["check_in_elsewhere"]
    attending.at(NINE - minutes(60), LEADER, check_in, shift_id, "V1")
    attending.change(shift, other, cancelled_at=microseconds(NINE))
    assert refused(attending, NINE, LEADER, check_in, other, "V2") == ["check_in_cancelled"]
    attending.change(project, 1, status="cancelled")
    assert "check_in_not_open" in refused(attending, NINE, LEADER, check_in, other, "V2")
    assert len(attending.rows(attendance)) == 1


def test_who_is_suspended_does_not_check_in(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.at(NINE - minutes(300), CENTRE, volunteers.suspend, "V1", reason="核查")
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V1") == ["volunteer_not_active"]


def test_a_repeated_scan_says_so_and_writes_nothing(attending: Any) -> None:
    shift_id = attending.shift("V1")
    first = scan(attending, NINE, shift_id, "V1")
    before = len(attending.rows(event))
    again = scan(attending, NINE + minutes(2), shift_id, "V1")
    assert (again.repeated, again.attendance_id, again.in_at) == (True, first.attendance_id, NINE)
    scan(attending, ONE, shift_id, "V1", "out")
    twice = scan(attending, ONE + minutes(1), shift_id, "V1", "out")
    assert (twice.repeated, twice.out_at) == (True, ONE)
    assert len(attending.rows(attendance)) == 1
    assert len(attending.rows(event)) == before + 1


def test_who_was_not_checked_in_is_not_checked_out(attending: Any) -> None:
    shift_id = attending.shift("V1")
    assert refused(attending, NINE, LEADER, check_out, shift_id, "V1") == ["not_checked_in"]
    assert refused(attending, NINE, LEADER, check_out, shift_id, "V2") == ["not_checked_in"]
    attending.at(NINE, LEADER, check_in, shift_id, "V1")
    early = {"at": NINE - minutes(1)}
    assert refused(attending, NINE, LEADER, check_out, shift_id, "V1", **early) == ["not_checked_in"]


def test_the_fourth_pair_of_a_day_is_refused(attending: Any) -> None:
    """A71: three pairs a day, the fourth is refused."""
    first, second = attending.shift("V1", "V2"), attending.shift("V1", starts=ONE)
    for n, (shift_id, begin) in enumerate([(first, NINE), (first, NINE + minutes(60)), (second, ONE)]):
        attending.at(begin, LEADER, check_in, shift_id, "V1")
        attending.at(begin + minutes(20 + n), LEADER, check_out, shift_id, "V1")
    assert refused(attending, ONE + minutes(60), LEADER, check_in, second, "V1") == ["pairs_enough"]
    attending.at(ONE - minutes(60), LEADER, check_in, first, "V2")
    attending.policy = Policy(pairs_per_day=None)
    attending.at(ONE + minutes(60), LEADER, check_in, second, "V1")
    assert [each.minutes for each in attending.list(first, ONE)][:2] == [20, 21]


def test_a_merged_persons_pairs_are_counted_together(attending: Any) -> None:
    first, second = attending.shift("V1"), attending.shift("V2", starts=ONE)
    attending.policy = Policy(pairs_per_day=1)
    attending.at(NINE, LEADER, check_in, first, "V1")

    def merge(desk: Any) -> None:
        alias = metadata.tables["vk_alias"]
        values = {"number": "V2", "volunteer_number": "V1"}
        others = {column.name: 1 for column in alias.c if column.name not in values and not column.nullable}
        desk.connection.execute(sa.insert(alias).values(**values, **others))

    attending.at(NINE, CENTRE, merge)
    for number in ("V1", "V2"):
        assert refused(attending, ONE, LEADER, check_in, second, number) == ["pairs_enough"]


def test_everybody_may_do_what_the_matrix_says(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    with pytest.raises(NotFound):
        attending.at(NINE, me("V2"), check_in, shift_id, "V1", evidence="合影")
    with pytest.raises(NotFound):
        attending.at(NINE, STRANGER, check_in, shift_id, "V1")
    for actor in (Actor.of("centre-2", "centre"), Actor.of("a", "auditor"), Actor("nobody")):
        with pytest.raises(NotPermitted):
            attending.at(NINE, actor, check_in, shift_id, "V1")
    with pytest.raises(NotPermitted):
        attending.at(NINE, LEADER, check_in, shift_id, "V1", device="gate-1")
    with pytest.raises(InvalidValue, match="device"):
        attending.at(NINE, GATE, check_in, shift_id, "V1")
    with pytest.raises(NotFound):
        attending.at(NINE, LEADER, check_in, 404, "V1")
    assert refused(attending, NINE, me("V1"), check_in, shift_id, "V1") == ["code_needed"]
    both = Actor("both-1", (Grant("organization_admin", "O1"), Grant("volunteer")), volunteer="V1")
    assert refused(attending, NINE, both, check_in, shift_id, "V1") == ["code_needed"]
    assert refused(attending, NINE, both, check_in, shift_id, "V2", evidence="合影") == ["only_oneself"]
    code = attending.at(NINE, LEADER, shift_code, shift_id)
    assert refused(attending, NINE, LEADER, check_in, shift_id, "V2", code=code) == ["only_oneself"]
    assert attending.rows(attendance) == []
    with pytest.raises(NotFound):
        attending.at(NINE, STRANGER, list_attendance, shift_id)


def test_whoever_leads_and_is_a_program_too_may_enter_a_list(attending: Any) -> None:
    shift_id = attending.shift("V1")
    for n, grants in enumerate(permutations((Grant("system"), Grant("organization_admin", "O1")))):
        done = attending.at(NINE + minutes(n), Actor("both-1", grants), check_in, shift_id, "V1")
        assert done.repeated is (n == 1)


def test_a_team_leader_checks_in_the_teams_own(attending: Any) -> None:
    shift_id = attending.shift("V1")
    team = metadata.tables["vk_team"]
    attending.at(
        NINE,
        CENTRE,
        lambda desk: desk.connection.execute(
            sa.insert(team).values(id=1, number="T1", name="一队", organization_id=1, status="approved")
        ),
    )
    leads = Actor("leads-1", (Grant("team_leader", "T1"),))
    with pytest.raises(NotFound):
        attending.at(NINE, leads, check_in, shift_id, "V1")
    attending.change(project, 1, team_id=1)
    assert attending.at(NINE, leads, check_in, shift_id, "V1").in_at == NINE


def test_a_shift_of_an_unpublished_project_is_an_unknown_one(attending: Any) -> None:
    shift_id = attending.shift("V1")
    assert refused(attending, NINE, me("V2"), check_in, shift_id, "V2", evidence="合影") == [
        "check_in_not_joined"
    ]
    attending.change(project, 1, published_at=None, status="approved")
    with pytest.raises(NotFound):
        attending.at(NINE, me("V2"), check_in, shift_id, "V2", evidence="合影")


def test_a_list_gives_each_their_answer_or_is_refused_whole(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    names = ["V1", "V3", "V2"]
    assert refused(attending, NINE, LEADER, check_list, shift_id, names, whole=True) == [
        "check_in_not_joined"
    ]
    assert attending.rows(attendance) == []
    before = attending.rows(event)
    answers = attending.at(NINE, LEADER, check_list, shift_id, names)
    assert [type(each).__name__ for each in answers] == ["Attended", "Refused", "Attended"]
    assert len(attending.rows(event)) == len(before) + 2
    again = attending.at(NINE, LEADER, check_list, shift_id, ["V1", "V2", "V1"])
    assert [each.repeated for each in again] == [True] * 3
    out = attending.at(ONE, LEADER, check_list, shift_id, ["V1", "V2"], "out", whole=True)
    assert [each.out_at for each in out] == [ONE, ONE]
    for wrong in ([], "V1", ["V1"] * 501):
        with pytest.raises(InvalidValue):
            attending.at(NINE, LEADER, check_list, shift_id, wrong)
    with pytest.raises(InvalidValue, match="in, out"):
        attending.at(NINE, LEADER, check_list, shift_id, ["V1"], "through")


# Where a phone was is compared, and kept nowhere.
PLACE = {"latitude_e6": 27_817_000, "longitude_e6": 114_917_000}
CANARY = (27.818123457, 114.918765431)
FAR = (27.718123457, 114.818765431)


def test_only_whether_the_phone_was_near_is_kept(attending: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shift_id = attending.shift("V1", "V2", "V3", "V4")
    attending.at(NINE, LEADER, check_in, shift_id, "V4", here=CANARY)
    attending.change(shift, shift_id, **PLACE)
    told = [
        attending.at(NINE, LEADER, check_in, shift_id, number, here=here)
        for number, here in (("V1", CANARY), ("V2", FAR), ("V3", None))
    ]
    assert [each.distance_ok for each in told] == [True, False, None]
    assert [each.distance_ok for each in attending.list(shift_id, NINE)] == [True, False, None, None]
    with pytest.raises(InvalidValue) as caught:
        attending.at(NINE, LEADER, check_in, shift_id, "V1", here=(FAR[0], 914.818765431))
    with pytest.raises(Refused) as late:
        attending.at(NINE, LEADER, check_in, shift_id, "V5", here=FAR)
    everything = [
        repr(told),
        str(caught.value),
        repr(caught.value),
        str(late.value),
        repr(late.value),
        caplog.text,
    ]
    with attending.planned.city.engine.connect() as connection:
        for table in metadata.sorted_tables:
            everything.append(repr(list(connection.execute(sa.select(table)))))
    text = "".join(everything)
    for digits in ("8123457", "8765431", "818123", "918765", "718123", "914.8"):
        assert digits not in text


@pytest.mark.parametrize(
    "here",
    [
        (91, 0),
        (0, 181),
        (float("nan"), 0),
        (0, float("inf")),
        ("27", "114"),
        (True, 1),
        (1,),
        [1, 2],
        "1,2",
        {},
    ],
)
def test_what_is_no_place_is_refused(attending: Any, here: Any) -> None:
    shift_id = attending.shift("V1")
    with pytest.raises(InvalidValue, match="here"):
        attending.at(NINE, LEADER, check_in, shift_id, "V1", here=here)


@pytest.mark.parametrize(
    ("north", "east", "near"),
    [(0.0044, 0, True), (0.0046, 0, False), (0, 0.0050, True), (0, 0.0052, False)],
)
def test_a_place_counts_as_reached_within_500_metres(
    attending: Any, north: float, east: float, near: bool
) -> None:
    # a degree is 111.2 km; at 27.8° north one of longitude is 98.4 km
    shift_id = attending.shift("V1")
    attending.change(shift, shift_id, **PLACE)
    here = (27.817 + north, 114.917 + east)
    assert attending.at(NINE, LEADER, check_in, shift_id, "V1", here=here).distance_ok is near


def test_the_other_side_of_the_date_line_is_near(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.change(shift, shift_id, latitude_e6=0, longitude_e6=179_999_000)
    assert attending.at(NINE, LEADER, check_in, shift_id, "V1", here=(0, -179.999)).distance_ok is True


# Whoever forgets to check out.


def test_a_forgotten_check_out_is_closed_as_a_reader_sees_it(attending: Any) -> None:
    """A32: a missing check-out is closed at the limit and flagged for review."""
    shift_id = attending.shift("V1", "V2", "V3")
    attending.policy = Policy(forgotten_check_out_minutes=180)
    for number, late in (("V1", -60), ("V2", 120)):
        attending.at(NINE + minutes(late), LEADER, check_in, shift_id, number)
    assert [each.out_at for each in attending.list(shift_id, NINE + minutes(119))] == [None, None]
    seen = attending.list(shift_id, ONE + minutes(60))
    # never later than the limit, nor than the shift's end
    assert [each.out_at for each in seen] == [NINE + minutes(120), ONE]
    assert [each.flags for each in seen] == [("forgotten",)] * 2
    assert [each.minutes for each in seen] == [120, 120]
    assert all(each.waiting for each in seen)
    assert [row.out_at for row in attending.rows(attendance)] == [None, None]
    assert attending.at(ONE + minutes(60), GATE, close_forgotten) == 2
    assert attending.at(ONE + minutes(61), GATE, close_forgotten) == 0
    assert attending.list(shift_id, ONE + minutes(60)) == seen
    assert [row.type for row in attending.rows(event)[-2:]] == ["attendance.closed"] * 2


def test_a_check_out_is_taken_until_the_limit(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    attending.policy = Policy(forgotten_check_out_minutes=300)
    attending.at(NINE, LEADER, check_list, shift_id, ["V1", "V2"])
    assert attending.at(ONE + minutes(60), LEADER, check_out, shift_id, "V1").out_at == ONE + minutes(60)
    assert refused(attending, ONE + minutes(61), LEADER, check_out, shift_id, "V2") == ["check_out_too_late"]
    attending.at(ONE + minutes(90), GATE, close_forgotten)
    late = attending.at(ONE + minutes(90), LEADER, check_out, shift_id, "V2", at=ONE - minutes(30))
    assert (late.out_at, late.flags) == (ONE - minutes(30), ())


def test_a_new_pair_after_a_forgotten_one(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.policy = Policy(forgotten_check_out_minutes=60)
    attending.at(NINE, LEADER, check_in, shift_id, "V1")
    again = attending.at(NINE + minutes(90), LEADER, check_in, shift_id, "V1")
    assert again.repeated is False
    attending.at(NINE + minutes(120), LEADER, check_out, shift_id, "V1")
    found = attending.list(shift_id, ONE)
    assert [(each.minutes, each.flags) for each in found] == [(60, ("forgotten",)), (30, ())]


def test_who_is_discharged_early_has_served_their_part(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3")
    attending.at(NINE, LEADER, check_list, shift_id, ["V1", "V2"])
    attending.at(NINE + minutes(30), LEADER, check_out, shift_id, "V2")
    gone = microseconds(NINE + minutes(90))
    for id_ in (1, 2, 3):
        attending.change(participation, id_, state="discharged", served_until=gone)
    found = attending.list(shift_id, NINE + minutes(100))
    assert [(each.minutes, each.flags, each.waiting) for each in found] == [
        (90, ("discharged",), False),
        (30, (), False),
    ]
    assert attending.at(NINE + minutes(100), LEADER, check_out, shift_id, "V1").repeated
    late = NINE + minutes(100)
    assert refused(attending, late, LEADER, check_in, shift_id, "V3") == ["check_in_not_accepted"]
    assert refused(attending, late, LEADER, check_in, shift_id, "V2") == ["check_in_not_accepted"]
    assert attending.at(late, GATE, close_forgotten) == 1
    assert attending.list(shift_id, late) == found


# Reviews.


def test_what_waits_is_reviewed_by_somebody_else(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3")
    for number in ("V1", "V2"):
        attending.at(NINE, me(number), check_in, shift_id, number, evidence="照片")
    attending.at(NINE, LEADER, check_in, shift_id, "V3")
    say = {"accept": True, "reason": "队长张三说他在场"}
    assert refused(attending, NINE, SECOND, review, 1, **say) == ["still_there"]
    for number in ("V1", "V2"):
        attending.at(ONE, me(number), check_out, shift_id, number, evidence="照片")
    own = Actor("own-1", (Grant("organization_admin", "O1"),), volunteer="V1")
    assert refused(attending, ONE, own, review, 1, **say) == ["own_attendance"]
    same = Actor("me-V1", (Grant("organization_admin", "O1"),))
    assert refused(attending, ONE, same, review, 1, **say) == ["own_attendance"]
    with pytest.raises(NotFound):
        attending.at(ONE, STRANGER, review, 1, **say)
    with pytest.raises(NotPermitted):
        attending.at(ONE, me("V1"), review, 1, **say)
    for wrong in (NINE - minutes(1), ONE + minutes(60 * 24)):
        assert refused(attending, ONE, SECOND, review, 1, **say, out_at=wrong) == ["out_outside"]
    attending.at(ONE, SECOND, review, 1, **say, out_at=ONE - minutes(60))
    attending.at(ONE, SECOND, review, 2, accept=False, reason="照片不是当天的")
    assert refused(attending, ONE, SECOND, review, 1, **say) == ["nothing_to_review"]
    attending.at(ONE, LEADER, check_out, shift_id, "V3")
    assert refused(attending, ONE, SECOND, review, 3, **say) == ["nothing_to_review"]
    found = attending.list(shift_id, ONE)
    assert [(each.minutes, each.flags, each.waiting) for each in found] == [
        (180, ("self_reported", "reviewed"), False),
        (240, ("self_reported", "refused"), False),
        (240, (), False),
    ]


@pytest.mark.parametrize("way", ["leader", "self"])
def test_a_refused_report_occupies_no_time(attending: Any, way: str) -> None:
    shift_id = attending.shift("V1")
    attending.policy = Policy(pairs_per_day=1)
    for verb, at in ((check_in, NINE), (check_out, ONE)):
        attending.at(at, me("V1"), verb, shift_id, "V1", evidence="照片")
    by, given = (LEADER, {}) if way == "leader" else (me("V1"), {"evidence": "队长的说明"})
    asked = (ONE, by, check_in, shift_id, "V1")
    assert attending.at(*asked, at=NINE + minutes(60), **given).repeated  # it waits, and stands until then
    attending.at(ONE, SECOND, review, 1, accept=False, reason="照片不是当天的")
    assert refused(attending, ONE, by, check_out, shift_id, "V1", **given) == ["not_checked_in"]
    done = attending.at(*asked, at=NINE + minutes(60), **given)
    assert (done.attendance_id, done.repeated) == (2, False)
    attending.at(ONE, by, check_out, shift_id, "V1", **given)
    assert [each.minutes for each in attending.list(shift_id, ONE) if "refused" not in each.flags] == [180]
    over = {"accept": False, "reason": "也不对"}
    if way == "self":  # and so on, as often as it is refused
        attending.at(ONE, SECOND, review, 2, **over)
        assert not attending.at(*asked, at=NINE, **given).repeated


def test_a_forgotten_check_out_is_reviewed_before_or_after_the_sweeper(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2")
    attending.at(NINE, LEADER, check_list, shift_id, ["V1", "V2"])
    later = NINE + dt.timedelta(hours=13)
    attending.at(later, SECOND, review, 1, accept=True, reason="在场", out_at=ONE - minutes(30))
    attending.at(later, GATE, close_forgotten)
    attending.at(later, SECOND, review, 2, accept=True, reason="在场")
    assert [each.minutes for each in attending.list(shift_id, later)] == [210, 240]
    assert attending.at(later, LEADER, check_out, shift_id, "V1", at=ONE).repeated  # what was reviewed stands


@pytest.mark.parametrize(
    "wrong", [{"accept": 1}, {"reason": ""}, {"reason": "x" * 501}, {"out_at": dt.datetime(2026, 11, 30, 9)}]
)
def test_a_review_is_checked(attending: Any, wrong: dict[str, Any]) -> None:
    shift_id = attending.shift("V1")
    attending.at(NINE, LEADER, check_in, shift_id, "V1")
    with pytest.raises(InvalidValue):
        attending.at(
            NINE + dt.timedelta(hours=13), SECOND, review, 1, **({"accept": True, "reason": "在场"} | wrong)
        )


def test_what_was_said_is_sealed_and_told_to_the_person(attending: Any) -> None:
    shift_id = attending.shift("V1")
    attending.at(NINE, me("V1"), check_in, shift_id, "V1", evidence="与张三在一起")
    later = NINE + dt.timedelta(hours=13)
    attending.at(later, SECOND, review, 1, accept=False, reason="张三说没看见他")
    for table in metadata.sorted_tables:
        assert "张三" not in repr(attending.rows(table))
    own = json.loads(attending.at(later, me("V1"), personal.export_own))
    (row,) = own["attendance"]
    assert (row["flags"], row["in_evidence"], row["review"]) == (
        "self_reported,forgotten,refused", "与张三在一起", "张三说没看见他",
    )  # fmt: skip


# Clocks.


def test_a_devices_clock_may_be_wrong(attending: Any) -> None:
    shift_id = attending.shift("V1", "V2", "V3", "V4")
    ways = {"device": "gate-1"}
    behind = attending.at(NINE + minutes(30), GATE, check_in, shift_id, "V1", at=NINE, **ways)
    assert (behind.in_at, behind.flags) == (NINE, ("clock_skew",))
    # a little ahead: nobody is heard of before they came
    ahead = attending.at(NINE, GATE, check_in, shift_id, "V2", at=NINE + minutes(9), **ways)
    assert (ahead.in_at, ahead.flags) == (NINE, ())
    future = NINE + minutes(11)
    assert refused(attending, NINE, GATE, check_in, shift_id, "V3", at=future, **ways) == [
        "instant_in_future"
    ]
    assert attending.at(NINE, LEADER, check_in, shift_id, "V4", at=NINE - minutes(40)).flags == ()
    assert len(attending.rows(attendance)) == 3


@pytest.mark.parametrize(
    "at", [dt.datetime(2026, 11, 30, 9), dt.date(2026, 11, 30), "2026-11-30T09:00+08:00", 1_796_000_000]
)
def test_an_instant_without_a_zone_is_refused(attending: Any, at: Any) -> None:
    shift_id = attending.shift("V1")
    for verb in (check_in, check_out):
        with pytest.raises(InvalidValue, match="at"):
            attending.at(NINE, LEADER, verb, shift_id, "V1", at=at)


@pytest.mark.parametrize(
    "ways", [{"code": "x", "evidence": "y"}, {"code": "x", "device": "gate-1"}, {"code": "x", "at": NINE},
             {"device": ""}, {"device": "周小兰的手机"}, {"device": "12900000001"}, {"device": 7}, {"evidence": ""},
             {"evidence": "x" * 501}],
)  # fmt: skip
def test_a_check_in_is_known_in_one_way(attending: Any, ways: dict[str, Any]) -> None:
    shift_id = attending.shift("V1")
    actor = GATE if "device" in ways else me("V1")
    with pytest.raises(InvalidValue) as caught:
        attending.at(NINE, actor, check_in, shift_id, "V1", **ways)
    assert "周小兰" not in str(caught.value)
    assert "12900000001" not in str(caught.value)


@pytest.mark.parametrize(
    ("zone", "starts", "hours", "day"),
    [
        ("Asia/Shanghai", "2026-11-30T22:00+08:00", 4, dt.date(2026, 11, 30)),  # over midnight
        ("Asia/Shanghai", "2026-11-30T20:00+08:00", 4, dt.date(2026, 11, 30)),  # until midnight exactly
        ("Asia/Shanghai", "1988-07-01T00:30+09:00", 2, dt.date(1988, 7, 1)),  # summer time: UTC+9
        ("America/New_York", "2026-11-01T00:30-04:00", 3, dt.date(2026, 11, 1)),  # an hour comes twice
        ("America/New_York", "2026-03-08T01:30-05:00", 2, dt.date(2026, 3, 8)),  # an hour is missing
    ],
)
def test_lengths_are_counted_in_utc_and_days_in_the_city(
    attending: Any, zone: str, starts: str, hours: float, day: dt.date
) -> None:
    import zoneinfo

    begin = dt.datetime.fromisoformat(starts)
    city = attending.planned.city
    attending.planned = attrs.evolve(
        attending.planned, city=attrs.evolve(city, kit=attrs.evolve(city.kit, zone=zoneinfo.ZoneInfo(zone)))
    )
    shift_id = attending.shift("V1", starts=begin, hours=hours)
    attending.at(begin, LEADER, check_in, shift_id, "V1")
    end = begin.astimezone(dt.UTC) + dt.timedelta(hours=hours)
    attending.at(end, LEADER, check_out, shift_id, "V1")
    (found,) = attending.list(shift_id, end)
    assert (found.served_on, found.minutes) == (day, hours * 60)


@pytest.mark.parametrize(("clock", "day"), [("03:59", 29), ("04:00", 30), ("23:00", 30)])
def test_a_day_begins_when_the_city_says(attending: Any, clock: str, day: int) -> None:
    attending.policy = Policy(day_begins_minute=240)
    begin = dt.datetime.fromisoformat(f"2026-11-30T{clock}+08:00")
    shift_id = attending.shift("V1", starts=begin)
    attending.at(begin, LEADER, check_in, shift_id, "V1")
    assert attending.list(shift_id, begin)[0].served_on == dt.date(2026, 11, day)


def test_an_event_tells_of_every_pair_and_of_nobody(attending: Any) -> None:
    shift_id = attending.shift("V1")
    before = len(attending.rows(event))
    attending.at(NINE, me("V1"), check_in, shift_id, "V1", evidence="照片")
    attending.at(ONE, LEADER, check_out, shift_id, "V1")
    found = attending.rows(event)[before:]
    assert [(row.type, row.subject, row.actor_id, json.loads(row.payload)) for row in found] == [
        ("attendance.checked_in", "attendance:1", "me-V1", {"shift": shift_id, "method": "self"}),
        ("attendance.checked_out", "attendance:1", "admin-1", {"shift": shift_id, "method": "leader"}),
    ]
