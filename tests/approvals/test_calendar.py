"""Counting working days as the Civil Code does, on the cases of the record rules and by its laws."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volunteerkit.clock import Calendar, years_after
from volunteerkit.errors import InvalidValue

RULES = Path(__file__).resolve().parents[3] / "shared" / "rules" / "cn_order67_record.json"
WEEK = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def cases() -> list[Any]:
    if not RULES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip("the shared rules are not beside the project"))]
    found = json.loads(RULES.read_text("utf-8"))["cases"]
    return [pytest.param(each, id=each["why"]) for each in found if "calendar" in each.get("facts", {})]


def calendar_of(facts: dict[str, Any]) -> Calendar:
    return Calendar(
        holidays=map(dt.date.fromisoformat, facts["holidays"]),
        extra_workdays=map(dt.date.fromisoformat, facts["extra_workdays"]),
        weekend={WEEK.index(day) for day in facts["weekend"]},
    )


@pytest.mark.parametrize("case", cases())
def test_ten_working_days_after_the_activity(case: dict[str, Any]) -> None:
    facts, expected = case["facts"], case["expect"]
    due = calendar_of(facts["calendar"]).working_days_after(dt.date.fromisoformat(facts["activity_end"]), 10)
    assert due is not None
    assert due.isoformat() == expected["due"]
    assert (dt.date.fromisoformat(facts["recorded_on"]) <= due) is expected["on_time"]


days = st.dates(dt.date(2020, 1, 1), dt.date(2030, 12, 31))
calendars = st.builds(
    Calendar,
    holidays=st.frozensets(days, max_size=30),
    extra_workdays=st.frozensets(days, max_size=30),
    weekend=st.sets(st.integers(0, 6), max_size=6),
)


@given(calendars, days, st.integers(1, 30))
def test_the_nth_working_day_is_one_and_n_lie_up_to_it(calendar: Calendar, day: dt.date, count: int) -> None:
    due = calendar.working_days_after(day, count)
    assert due is not None
    assert calendar.works_on(due)
    between = [day + dt.timedelta(n) for n in range(1, (due - day).days + 1)]
    assert sum(map(calendar.works_on, between)) == count


@given(calendars, days, st.integers(0, 60))
def test_a_term_in_days_ends_on_the_first_working_day_from_its_last(
    calendar: Calendar, day: dt.date, count: int
) -> None:
    last, due = day + dt.timedelta(count), calendar.days_after(day, count)
    assert due is not None
    assert calendar.works_on(due)
    assert not any(calendar.works_on(last + dt.timedelta(n)) for n in range((due - last).days))


@given(days, st.integers(1, 30), days)
def test_nothing_beyond_the_published_holidays_is_guessed(day: dt.date, count: int, until: dt.date) -> None:
    due = Calendar(known_until=until).working_days_after(day, count)
    free = Calendar().working_days_after(day, count)
    assert free is not None
    assert due == (free if free <= until else None)


def test_a_weekend_of_seven_days_is_refused() -> None:
    with pytest.raises(InvalidValue):
        Calendar(weekend=range(7))


def test_a_birthday_on_29_february() -> None:
    assert years_after(dt.date(2008, 2, 29), 14) == dt.date(2022, 3, 1)
    assert years_after(dt.date(2008, 2, 29), 16) == dt.date(2024, 2, 29)
