"""Positions and shifts: when they are, how many places they have, and what a change does to who takes part."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from volunteerkit import Refused, projects
from volunteerkit.errors import InvalidValue, NotFound
from volunteerkit.projects import PositionForm, ProjectForm, ShiftForm

DAY = dt.date(2026, 11, 23)
NOON = dt.datetime(2026, 11, 30, 4, tzinfo=dt.UTC)
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


def test_a_night_shift_lasts_four_hours_and_belongs_to_its_first_day(organized: Any) -> None:
    """A19: 22:00 to 02:00 lasts four hours; what ends at midnight belongs to the day it began."""
    number = organized.approved()
    night = organized.at(organized.admin, projects.add_shift, number, organized.span(8, "22:00", 4))
    assert (night.minutes, night.day) == (240, DAY + dt.timedelta(8))
    evening = organized.at(organized.admin, projects.add_shift, number, organized.span(9, "20:00", 4))
    assert (evening.minutes, evening.day) == (240, DAY + dt.timedelta(9))
    assert f"{evening.ends_at:%H:%M}" == "00:00"
    assert [each.id for each in organized.at(organized.admin, projects.view_application, number).shifts] == [
        night.id,
        evening.id,
    ]


def test_a_naive_time_is_refused() -> None:
    """A22: no time without a zone passes the border."""
    with pytest.raises(InvalidValue) as caught:
        ShiftForm(dt.datetime(2026, 12, 1, 9), NOON)
    assert caught.value.values["name"] == "starts_at"
    with pytest.raises(InvalidValue) as caught:
        ShiftForm(NOON, dt.datetime(2026, 12, 1, 9))
    assert caught.value.values["name"] == "ends_at"


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "name"),
    [
        (NOON, NOON, "ends_at"),
        (NOON, NOON - dt.timedelta(minutes=1), "ends_at"),
        (NOON.replace(year=201), NOON, "starts_at.year"),
        (NOON, NOON.replace(year=9999), "ends_at.year"),
        (NOON.replace(second=1), NOON + dt.timedelta(hours=1), "starts_at"),
        (NOON, NOON + dt.timedelta(hours=1, microseconds=1), "ends_at"),
    ],
)
def test_a_span_that_is_none_is_refused_by_the_name_of_its_field(
    one: Any, starts_at: dt.datetime, ends_at: dt.datetime, name: str
) -> None:
    number = one.approved()
    with pytest.raises(InvalidValue) as caught:
        one.at(one.admin, projects.add_shift, number, ShiftForm(starts_at, ends_at))
    assert caught.value.values["name"] == name
    assert one.at(one.admin, projects.view_application, number).shifts == ()


@pytest.mark.parametrize("field", ["starts_on", "ends_on", "apply_from", "apply_until"])
def test_a_year_that_nobody_means_is_refused_by_the_name_of_its_field(one: Any, field: str) -> None:
    """A23: the years 0201 and 20255 are refused with the name of the field."""
    with pytest.raises(InvalidValue) as caught:
        one.at(one.admin, projects.apply, attrs.evolve(one.form(), **{field: dt.date(201, 1, 1)}))
    assert caught.value.values == {"name": f"{field}.year", "value": "0201", "allowed": "2000 … 2199"}


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK])
def test_an_hour_that_the_clock_shows_twice_must_be_told_apart(in_zone: Any, zone: ZoneInfo) -> None:
    """A21: a local time that occurs twice is told apart or refused by name."""
    city = in_zone(zone.key)
    autumn = dt.date(2027, 10, 31) if zone is BERLIN else dt.date(2027, 11, 7)
    clock = "02:30" if zone is BERLIN else "01:30"
    with pytest.raises(InvalidValue) as caught:
        projects.local_time(zone, autumn, clock)
    assert caught.value.code == "time_twice"
    first, second = (projects.local_time(zone, autumn, clock, fold=fold) for fold in (0, 1))
    assert second - first == dt.timedelta(hours=1)
    number = city.approved(days=400)
    hour, minute = (int(each) for each in clock.split(":"))
    naive = dt.datetime.combine(autumn, dt.time(hour, minute, tzinfo=zone))
    with pytest.raises(InvalidValue) as caught:
        city.at(city.admin, projects.add_shift, number, ShiftForm(naive, second + dt.timedelta(hours=2)))
    assert (caught.value.code, caught.value.values["name"]) == ("time_twice", "starts_at")
    for begin in (first, naive.replace(fold=1)):  # an offset says it, and fold=1 does
        made = city.at(
            city.admin, projects.add_shift, number, ShiftForm(begin, second + dt.timedelta(hours=2))
        )
        assert made.starts_at.astimezone(dt.UTC) == begin.astimezone(dt.UTC)


def test_an_hour_that_the_clock_never_shows_is_refused(in_zone: Any) -> None:
    city = in_zone("Europe/Berlin")
    spring = dt.datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN)
    with pytest.raises(InvalidValue) as caught:
        projects.local_time(BERLIN, spring.date(), "02:30")
    assert caught.value.code == "time_missing"
    with pytest.raises(InvalidValue) as caught:
        city.at(
            city.admin, projects.add_shift, city.approved(days=200), ShiftForm(spring, spring.replace(hour=6))
        )
    assert (caught.value.code, caught.value.values["near"]) == ("time_missing", "03:30")


def test_another_zones_instant_counts_by_the_citys_clock(one: Any) -> None:
    """A22: the zone of the place decides, not that of whoever writes."""
    begin = dt.datetime(2026, 12, 1, 14, tzinfo=NEW_YORK)  # three in the morning of the next day in Shanghai
    made = one.at(
        one.admin, projects.add_shift, one.approved(), ShiftForm(begin, begin + dt.timedelta(hours=1))
    )
    assert (made.day, f"{made.starts_at:%H:%M}") == (dt.date(2026, 12, 2), "03:00")


def test_places_are_counted_and_none_is_less_than_none(organized: Any) -> None:
    number = organized.published()
    made = organized.at(organized.admin, projects.add_shift, number, organized.span(8, "09:00", 3, 2))
    assert made.free == 2
    organized.join(made.id, "V1", "V2")
    full = organized.at(organized.public, projects.view, number).shifts[0]
    assert (full.taken, full.free) == (2, 0)
    fewer = organized.at(organized.admin, projects.edit_shift, made.id, organized.span(8, "09:00", 3, 1))
    assert (fewer.capacity, fewer.taken, fewer.free) == (1, 2, 0)  # nobody was sent away
    more = organized.at(organized.admin, projects.edit_shift, made.id, organized.span(8, "09:00", 3))
    assert (more.capacity, more.taken, more.free) == (None, 2, None)
    closed = organized.at(organized.admin, projects.edit_shift, made.id, organized.span(8, "09:00", 3, 0))
    assert (closed.taken, closed.free) == (2, 0)


def test_more_places_let_in_who_waits(organized: Any) -> None:
    number = organized.published()
    made = organized.at(organized.admin, projects.add_shift, number, organized.span(8, "09:00", 3, 1))
    organized.join(made.id, "V1")
    organized.join(made.id, "V2", "V3", "V4", state="waiting")
    more = organized.at(organized.admin, projects.edit_shift, made.id, organized.span(8, "09:00", 3, 3))
    assert (more.taken, more.free) == (3, 0)
    assert len(organized.events("participation.promoted")) == 2


def test_a_list_shows_what_is_free(organized: Any) -> None:
    numbers = [organized.published(name=name) for name in ("护学", "义诊", "宣讲")]
    for number, capacity in zip(numbers, (1, None, 3), strict=True):
        made = organized.at(
            organized.admin, projects.add_shift, number, organized.span(8, "09:00", 3, capacity)
        )
        organized.join(made.id, "V1")
    listed = organized.at(organized.public, projects.list_projects)
    assert [(each.name, each.free) for each in listed] == [("护学", 0), ("义诊", None), ("宣讲", 2)]
    for free, names in ((True, ["义诊", "宣讲"]), (False, ["护学"])):
        found = organized.at(organized.public, projects.list_projects, free=free)
        assert [each.name for each in found] == names


def test_only_time_place_and_name_are_told_to_who_takes_part(one: Any) -> None:
    number = one.published()
    made = one.at(one.admin, projects.add_shift, number, one.span(8, "09:00", 3, 5))
    one.join(made.id, "V1", "V2")
    one.join(made.id, "V3", state="waiting")
    one.join(made.id, "V4", state="withdrawn")
    one.at(one.admin, projects.edit_shift, made.id, one.span(8, "09:00", 3, 9))
    one.at(one.admin, projects.edit_shift, made.id, one.span(8, "10:00", 3, 9))
    told = [each["notify"] for each in one.events("project.planned") if each["change"] == "edited"]
    assert told == [[], [1, 2, 3]]


def test_a_cancelled_shift_empties_its_waiting_list(organized: Any) -> None:
    number = organized.published()
    made = organized.at(organized.admin, projects.add_shift, number, organized.span(8, "09:00", 3, 1))
    organized.join(made.id, "V1")
    organized.join(made.id, "V2", "V3", state="waiting")
    organized.at(organized.admin, projects.cancel_shift, made.id, reason="场地停电")
    assert organized.events("project.planned")[-1]["notify"] == [1, 2, 3]
    (shown,) = organized.at(organized.public, projects.view, number).shifts
    assert (shown.cancelled, shown.taken) == (True, 0)
    with pytest.raises(Refused):
        organized.at(organized.admin, projects.cancel_shift, made.id)
    with pytest.raises(Refused):
        organized.at(organized.admin, projects.edit_shift, made.id, organized.span(8, "10:00", 3))


def test_what_began_is_changed_no_more(one: Any, codes: Any) -> None:
    number = one.published()
    made = one.at(one.admin, projects.add_shift, number, one.span(8, "09:00", 3))
    running = DAY + dt.timedelta(8)
    for verb, given in ((projects.cancel_shift, ()), (projects.edit_shift, (one.span(8, "15:00", 3),))):
        with pytest.raises(Refused) as caught:
            one.at(one.admin, verb, made.id, *given, on=running)
        assert codes(caught) == ["in_the_past"]


def test_shifts_lie_within_the_projects_days(one: Any, codes: Any) -> None:
    number = one.approved(start=7, days=1)
    for day in (6, 9):
        with pytest.raises(Refused) as caught:
            one.at(one.admin, projects.add_shift, number, one.span(day, "09:00", 3))
        assert codes(caught) == ["shift_outside"]
    assert one.at(one.admin, projects.add_shift, number, one.span(8, "22:00", 4)).minutes == 240


def test_positions_are_added_changed_and_taken_away(organized: Any, codes: Any) -> None:
    number = organized.approved()
    made = organized.at(organized.admin, projects.add_position, number, PositionForm("陪护", age_from=18))
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.add_position, number, PositionForm(" 陪护 "))
    assert codes(caught) == ["position_twice"]
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.add_position, number, PositionForm("更衣室引导", sex="F"))
    assert codes(caught) == ["sex_without_ground"]
    lawful = PositionForm("更衣室引导", sex="F", sex_ground="《女职工劳动保护特别规定》")
    other = organized.at(organized.admin, projects.add_position, number, lawful)
    changed = organized.at(
        organized.admin, projects.edit_position, made.id, PositionForm("陪护", age_from=16)
    )
    assert (changed.id, changed.age_from) == (made.id, 16)
    organized.at(organized.admin, projects.add_shift, number, organized.span(8, "09:00", 3, position="陪护"))
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, projects.cancel_position, made.id)
    assert codes(caught) == ["position_used"]
    organized.at(organized.admin, projects.cancel_position, other.id)
    assert [
        each.name for each in organized.at(organized.admin, projects.view_application, number).positions
    ] == ["陪护"]
    with pytest.raises(Refused) as caught:
        organized.at(
            organized.admin, projects.add_shift, number, organized.span(9, "09:00", 3, position="护理")
        )
    assert codes(caught) == ["position_unknown"]


def test_a_foreign_shift_is_an_unknown_one(one: Any) -> None:
    made = one.at(one.admin, projects.add_shift, one.published(), one.span(8, "09:00", 3))
    for id_ in (made.id, 404):
        with pytest.raises(NotFound) as caught:
            one.at(one.stranger, projects.cancel_shift, id_)
        assert caught.value.values == {"kind": "shift", "id": id_}


def test_the_calendar_shows_a_range_of_days(organized: Any) -> None:
    number = organized.published()
    for day, clock in ((8, "00:00"), (8, "23:59"), (9, "00:00"), (10, "09:00")):
        organized.at(organized.admin, projects.add_shift, number, organized.span(day, clock, 1))
    since = DAY + dt.timedelta(8)
    found = organized.at(organized.public, projects.calendar, since, since + dt.timedelta(1))
    assert [f"{each.starts_at:%d %H:%M}" for each in found] == ["01 00:00", "01 23:59", "02 00:00"]
    assert {(each.project, each.project_name, each.organization, each.organization_name, each.place) for each in found} == {
        (number, "社区敬老", "O1", "服务队O1", "见通知")
    }  # fmt: skip
    assert organized.at(organized.public, projects.calendar, since, since, organization="O2") == ()
    organized.approved(name="未发布", shifts=(organized.span(8, "09:00", 1),))
    assert len(organized.at(organized.public, projects.calendar, since, since)) == 2
    for until in (since - dt.timedelta(1), since + dt.timedelta(366), dt.date.max):
        with pytest.raises(InvalidValue):
            organized.at(organized.public, projects.calendar, since, until)


def test_a_shift_too_long_for_minors_is_told(one: Any) -> None:
    young, old = PositionForm("小讲解员", age_from=12), PositionForm("讲解员", age_from=18)
    shifts = (one.span(8, "09:00", 3, position="小讲解员"), one.span(8, "09:00", 4, position="小讲解员"),
              one.span(8, "19:00", 2, position="小讲解员"), one.span(8, "09:00", 9, position="讲解员"))  # fmt: skip
    found = one.at(one.admin, projects.check_application, one.form(positions=(young, old), shifts=shifts))
    assert [(each.code, each.values["place"], each.severity) for each in found] == [
        ("shift_unfit_for_minors", 2, "warn"), ("shift_unfit_for_minors", 3, "warn"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (lambda: PositionForm("x", age_from=9, age_to=8), "age_to"),
        (lambda: PositionForm("x", sex="female"), "sex"),
        (lambda: ShiftForm(NOON, NOON, capacity=-1), "capacity"),
        (lambda: ShiftForm(NOON, NOON, capacity=True), "capacity"),
        (lambda: ShiftForm(NOON, NOON, latitude_e6=90_000_001), "latitude_e6"),
        (lambda: ProjectForm("x", "O1", NOON, DAY), "starts_on"),
        (lambda: ProjectForm("x", "O1", DAY, DAY, {"plaec": "x"}), "statements"),
        (lambda: ProjectForm("x", "O1", DAY, DAY, {"place": 7}), "statements.place"),
        (lambda: ProjectForm("x", "O1", DAY, DAY, places=0), "places"),
        (lambda: ProjectForm("x", "O1", DAY, DAY, acceptance="autom"), "acceptance"),
        (lambda: ProjectForm("x", "O1", DAY, DAY, shifts=(PositionForm("x"),)), "shifts"),
        (lambda: ProjectForm("x\0", "O1", DAY, DAY), "name"),
    ],
)
def test_a_form_checks_what_it_is_given(made: Any, name: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        made()
    assert caught.value.values["name"] == name
    if name in ("statements", "acceptance"):
        assert caught.value.values["allowed"] in ("place", "auto")
