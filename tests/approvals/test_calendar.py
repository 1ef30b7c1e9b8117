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


YEAR = """
[[year]]
year = 2026
citation = "通知"
holidays = [2026-10-01, 2026-10-02, 2026-10-03]
extra_workdays = [2026-10-10]
"""


def test_a_calendar_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "工作日.toml"
    file.write_text(YEAR, "utf-8-sig")
    calendar = Calendar.read(file)
    assert (calendar.known_until, calendar.works_on(dt.date(2026, 10, 10))) == (dt.date(2026, 12, 31), True)
    assert calendar.working_days_after(dt.date(2026, 9, 30), 1) == dt.date(2026, 10, 5)
    assert calendar.working_days_after(dt.date(2026, 12, 31), 1) is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2026-10-10", "2026-10-09", ["年.toml: year[0].extra_workdays", "2026-10-09", "星期六或星期日"]),
        ("2026-10-10", "2026-10-03", ["year[0].extra_workdays", "2026-10-03"]),
        ("2026-10-01", "2027-10-01", ["year[0].holidays", "2027-10-01", "2026-01-01"]),
        ("2026-10-01", '"十月一日"', ["year[0].holidays", "十月一日"]),
        ("extra_workdays", "extra_workday", ["extra_workday", "extra_workdays"]),
        ("citation", "source", ["source", "citation"]),
        ('citation = "通知"', "", ["year[0].citation"]),
        ("year = 2026", 'year = "2026"', ["year[0].year"]),
        ("year = 2026", "year = 20260", ["year[0].year", "20260"]),
        ("[[year]]", "[year]", ["年.toml", "[[year]]"]),
        ("[[year]]", "[[jahr]]", ["年.toml", "jahr", "[[year]]"]),
        ("citation =", "citation", ["不是合法的 TOML"]),
        (YEAR, "", ["[[year]]"]),
        (YEAR, "year = [1]", ["year[0]"]),
        (YEAR, YEAR + YEAR.replace("2026", "2028"), ["year[1].year", "2028", "2027"]),
    ],
)
def test_a_slip_in_the_file_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, told: list[str]
) -> None:
    file = tmp_path / "年.toml"
    assert old in YEAR
    file.write_text(YEAR.replace(old, new, 1), "utf-8")
    with pytest.raises(InvalidValue) as caught:
        Calendar.read(file)
    said = caught.value.message("zh-CN")
    assert [part for part in told if part not in said] == []
