"""Xinyu's working days: terms over holidays and worked weekends, and nothing guessed beyond the last notice."""

from __future__ import annotations

import datetime as dt

import chinese_calendar
import pytest

from volunteerkit import Kit

CALENDAR = Kit.load("xinyu").calendar


@pytest.mark.parametrize(
    ("day", "count", "due"),
    [
        (dt.date(2024, 9, 27), 10, dt.date(2024, 10, 16)),
        (dt.date(2026, 2, 11), 5, dt.date(2026, 2, 25)),
        (dt.date(2026, 4, 30), 5, dt.date(2026, 5, 11)),
        (dt.date(2026, 9, 28), 5, dt.date(2026, 10, 10)),
    ],
)
def test_terms_over_holidays(day: dt.date, count: int, due: dt.date) -> None:
    assert CALENDAR.working_days_after(day, count) == due


def test_every_day_is_what_another_library_says() -> None:
    assert CALENDAR.known_until is not None
    days = [
        dt.date(2021, 1, 1) + dt.timedelta(n)
        for n in range((CALENDAR.known_until - dt.date(2021, 1, 1)).days + 1)
    ]
    assert [day for day in days if CALENDAR.works_on(day) is not chinese_calendar.is_workday(day)] == []


def test_the_next_year_is_not_guessed() -> None:
    assert CALENDAR.known_until is not None
    assert CALENDAR.working_days_after(CALENDAR.known_until, 1) is None
