"""Series of shifts by RFC 5545 rules: the same time of the clock all year, and edits that spare who takes part."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volunteerkit import Refused, projects
from volunteerkit.errors import InvalidValue
from volunteerkit.projects.times import occurrences

DAY = dt.date(2026, 11, 23)


def clocks(city: Any, number: str) -> list[str]:
    return [f"{each.starts_at:%m-%d %H:%M}" for each in city.at(city.admin, projects.view_application, number).shifts
            if not each.cancelled]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", ["12-01", "12-02", "12-03"]),
        ("RRULE:FREQ=WEEKLY;COUNT=3", ["12-01", "12-08", "12-15"]),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=3", ["12-01", "12-15", "12-29"]),
        ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4", ["12-01", "12-03", "12-08", "12-10"]),
        ("freq=weekly;until=20261215", ["12-01", "12-08", "12-15"]),
        ("FREQ=WEEKLY;UNTIL=20261215T070000Z", ["12-01", "12-08", "12-15"]),
        ("FREQ=WEEKLY;UNTIL=20261215T065959Z", ["12-01", "12-08"]),
        ("FREQ=WEEKLY;COUNT=4\nEXDATE:20261208,20261222T150000", ["12-01", "12-15"]),
        ("FREQ=WEEKLY;COUNT=2\nEXDATE;TZID=Asia/Shanghai:20261208T160000", ["12-01", "12-08"]),
        ("FREQ=MONTHLY;BYDAY=1TU;COUNT=2", ["12-01", "01-05"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=2", ["12-31", "01-31"]),
        ("FREQ=WEEKLY", [f"{dt.date(2026, 12, 1) + dt.timedelta(7 * n):%m-%d}" for n in range(9)]),
    ],
)
def test_rules_are_read_as_rfc_5545_says(one: Any, rule: str, days: list[str]) -> None:
    number = one.approved(days=69)
    made = one.at(one.admin, projects.add_series, number, rule, one.span(8, "15:00", 2, 5))
    found = clocks(one, number)
    if rule == "FREQ=WEEKLY":  # without an end of its own it goes to the project's last day
        assert found[: len(days)] == [f"{day} 15:00" for day in days]
        last = one.at(one.admin, projects.view_application, number).shifts[-1]
        assert dt.date(2027, 2, 7) - last.day < dt.timedelta(7)
    else:
        assert found == [f"{day} 15:00" for day in days]
    assert one.at(one.admin, projects.view_series, made.id) == made
    shifts = one.at(one.admin, projects.view_application, number).shifts
    assert {(each.minutes, each.capacity, each.series) for each in shifts} == {(120, 5, made.id)}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_three_o_clock_stays_three_o_clock(in_zone: Any, zone: str) -> None:
    """A20: a weekly series stays at its local time across both changes of the clock."""
    city = in_zone(zone)
    number = city.approved(days=400)
    city.at(city.admin, projects.add_series, number, "FREQ=WEEKLY", city.span(8, "15:00", 2))
    shifts = city.at(city.admin, projects.view_application, number).shifts
    assert {f"{each.starts_at:%H:%M}" for each in shifts} == {"15:00"}
    assert len({each.starts_at.utcoffset() for each in shifts}) == 2  # summer came, and went
    changes = sum(a.starts_at.utcoffset() != b.starts_at.utcoffset() for a, b in itertools.pairwise(shifts))
    assert changes == 2
    assert {each.minutes for each in shifts} == {120}


def test_a_series_meets_the_hours_that_are_twice_or_never(in_zone: Any) -> None:
    city = in_zone("Europe/Berlin")
    number = city.approved(days=400)
    for rule, code in (
        ("FREQ=DAILY;UNTIL=20270401", "time_missing"),
        ("FREQ=MONTHLY;BYDAY=-1SU", "time_missing"),
    ):
        with pytest.raises(InvalidValue) as caught:
            city.at(city.admin, projects.add_series, number, rule, city.span(8, "02:30", 2))
        assert caught.value.code == code
    nights = "FREQ=DAILY\nEXDATE:20270328"
    with pytest.raises(InvalidValue) as caught:
        city.at(city.admin, projects.add_series, number, nights, city.span(8, "02:30", 2))
    assert (caught.value.code, caught.value.values["value"]) == ("time_twice", "2027-10-31 02:30")
    assert clocks(city, number) == []
    city.at(city.admin, projects.add_series, number, nights, city.span(8, "02:30", 2), fold=1)
    autumn = [each for each in city.at(city.admin, projects.view_application, number).shifts
              if each.day == dt.date(2027, 10, 31)]  # fmt: skip
    assert [f"{each.starts_at:%H:%M %z}" for each in autumn] == ["02:30 +0100"]


@pytest.mark.parametrize(
    ("rule", "name", "allowed"),
    [
        ("FREQ=WEKLY", "rule.FREQ", "WEEKLY"),
        ("FREQ=HOURLY", "rule.FREQ", None),
        ("FREQ=WEEKLY;BYDAY=XX", "rule.BYDAY", None),
        ("FREQ=WEEKLY;BYDAY=1MO", "rule.BYDAY", "FREQ=MONTHLY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "rule.BYMONTHDAY", "FREQ=MONTHLY"),
        ("FREQ=WEEKLY;INTERVAL=0", "rule.INTERVAL", None),
        ("FREQ=WEEKLY;COUNT=0", "rule.COUNT", None),
        ("FREQ=WEEKLY;COUNT=501", "rule.COUNT", None),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20261231", "rule", None),
        ("FREQ=WEEKLY;UNTIL=31.12.2026", "rule.UNTIL", None),
        ("FREQ=WEEKLY;COUNT=2\nEXDATE:heute", "rule.EXDATE", None),
        ("FREQ=WEEKLY;CONT=2", "rule", "COUNT"),
        ("FREQ=WEEKLY;FREQ=DAILY", "rule", None),
        ("每周一", "rule", None),
        ("COUNT=2", "rule", None),
        ("", "rule", None),
        (7, "rule", None),
        ("FREQ=" + "W" * 30_000, "rule", None),
    ],
)
def test_a_rule_that_is_none_is_refused_by_its_part(
    one: Any, rule: Any, name: str, allowed: str | None
) -> None:
    number = one.approved()
    with pytest.raises(InvalidValue) as caught:
        one.at(one.admin, projects.add_series, number, rule, one.span(8, "15:00", 2))
    assert caught.value.values["name"] == name
    assert allowed is None or caught.value.values["allowed"] == allowed
    assert clocks(one, number) == []


def test_a_series_has_five_hundred_shifts_at_most(one: Any, codes: Any) -> None:
    number = one.approved(days=600)
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.add_series, number, "FREQ=DAILY", one.span(8, "15:00", 2))
    assert codes(caught) == ["series_too_long"]
    made = one.at(one.admin, projects.add_series, number, "FREQ=DAILY;COUNT=500", one.span(8, "15:00", 2))
    assert len(made.shifts) == 500
    with pytest.raises(Refused) as caught:
        one.at(
            one.admin,
            projects.add_series,
            number,
            "FREQ=DAILY;COUNT=1\nEXDATE:20261201",
            one.span(8, "15:00", 2),
        )
    assert codes(caught) == ["series_empty"]
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.add_series, number, "FREQ=MONTHLY;COUNT=30", one.span(8, "15:00", 2))
    assert set(codes(caught)) == {"shift_outside"}


def test_an_edit_spares_who_takes_part_what_was_changed_and_what_began(organized: Any) -> None:
    """A48: only what is to come, nobody takes part in and nobody edited alone is changed."""
    number = organized.published()
    first = organized.span(8, "15:00", 2, 5)
    made = organized.at(organized.admin, projects.add_series, number, "FREQ=WEEKLY;COUNT=6", first)
    began, joined, waited, changed, gone, left = made.shifts
    organized.join(joined, "V1")
    organized.join(waited, "V2", state="waiting")
    organized.join(left, "V3", state="withdrawn")  # who left again takes no part
    organized.at(organized.admin, projects.edit_shift, changed, organized.span(29, "10:00", 1, 5))
    organized.at(organized.admin, projects.cancel_shift, gone)
    on = DAY + dt.timedelta(9)
    touched = organized.at(
        organized.admin,
        projects.edit_series,
        made.id,
        starts="16:30",
        minutes=90,
        capacity=7,
        name="加场",
        on=on,
    )
    assert touched == (left,)
    shown = {
        each.id: each for each in organized.at(organized.admin, projects.view_application, number).shifts
    }
    for id_ in (began, joined, waited):
        assert (f"{shown[id_].starts_at:%H:%M}", shown[id_].minutes, shown[id_].capacity) == ("15:00", 120, 5)
    it = shown[left]
    assert (f"{it.starts_at:%H:%M}", it.minutes, it.capacity, it.name) == ("16:30", 90, 7, "加场")
    assert not it.edited  # by the series, not by itself
    assert f"{shown[changed].starts_at:%H:%M}" == "10:00"
    assert shown[gone].cancelled


def test_a_series_keeps_its_days_when_its_time_changes(in_zone: Any) -> None:
    city = in_zone("Europe/Berlin")
    number = city.approved(days=200)
    made = city.at(city.admin, projects.add_series, number, "FREQ=WEEKLY;COUNT=20", city.span(8, "15:00", 2))
    days = [each.day for each in city.at(city.admin, projects.view_application, number).shifts]
    assert city.at(city.admin, projects.edit_series, made.id, starts="00:30") == made.shifts
    shifts = city.at(city.admin, projects.view_application, number).shifts
    assert [each.day for each in shifts] == days
    assert {f"{each.starts_at:%H:%M}" for each in shifts} == {"00:30"}


@pytest.mark.parametrize(
    ("given", "name"),
    [({"starts": "24:00"}, "starts"), ({"starts": 15}, "starts"), ({"minutes": 0}, "minutes"),
     ({"minutes": 1.5}, "minutes"), ({"capacity": -1}, "capacity"), ({"name": 7}, "name")],
)  # fmt: skip
def test_an_edit_of_a_series_checks_what_it_is_given(one: Any, given: dict[str, Any], name: str) -> None:
    made = one.at(
        one.admin, projects.add_series, one.approved(), "FREQ=WEEKLY;COUNT=2", one.span(8, "15:00", 2)
    )
    with pytest.raises(InvalidValue) as caught:
        one.at(one.admin, projects.edit_series, made.id, **given)
    assert caught.value.values["name"] == name


def test_an_edit_of_a_series_that_changes_nothing_is_refused(one: Any, codes: Any) -> None:
    made = one.at(
        one.admin, projects.add_series, one.approved(), "FREQ=WEEKLY;COUNT=2", one.span(8, "15:00", 2)
    )
    with pytest.raises(Refused) as caught:
        one.at(one.admin, projects.edit_series, made.id)
    assert codes(caught) == ["nothing_changed"]


@settings(max_examples=50)
@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Australia/Lord_Howe"]),
    st.integers(4, 23), st.integers(1, 3), st.integers(1, 60), st.dates(dt.date(2026, 1, 1), dt.date(2030, 1, 1)),
)  # fmt: skip
def test_the_clock_is_the_same_every_time(
    zone: str, hour: int, interval: int, count: int, first: dt.date
) -> None:
    from zoneinfo import ZoneInfo

    begin = dt.datetime.combine(first, dt.time(hour))
    rule = f"FREQ=DAILY;INTERVAL={interval};COUNT={count}"
    found = [each.astimezone(ZoneInfo(zone)) for each in occurrences(rule, begin, first, ZoneInfo(zone))]
    assert [each.replace(tzinfo=None, fold=0) for each in found] == [
        begin + dt.timedelta(interval * n) for n in range(count)
    ]
