"""A43: when a record was entered, and by which calendar, is known to the rules of a city."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Actor, Claim, hours, organizations, projects, rating, statistics, volunteers
from volunteerkit.clock import Calendar

RULES = """
id = "city.late"
decides = "credit"
[parameter]
entry_days = 10
[[version]]
effective_from = 2020-01-01
citation = "示例：服务结束后十个工作日内登记，逾期不计"
coefficient = { by = "kind", percent = { training = 50 } }
[[version.transform]]
when = "known_on > working_days_after(served_on, entry_days) and not evidence"
minutes = "0"
reason = "late"
because = { zh-CN = "逾期登记。", en = "Entered too late." }
"""
CALENDAR = """
import datetime as dt
from volunteerkit import hookimpl
from volunteerkit.clock import Calendar

@hookimpl
def vk_choose_calendar():
    return Calendar(holidays=[dt.date(2026, 9, 14)])
"""
SERVED = dt.date(2026, 9, 4)  # a Friday: the tenth working day is 21 September, over one holiday
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")


@pytest.fixture
def late(make_city: Any, database_url: str, tmp_path: Path) -> tuple[Any, str]:
    (tmp_path / "逾期.toml").write_text(RULES, "utf-8")
    (tmp_path / "节假日.py").write_text(CALENDAR, "utf-8")
    city = make_city(database_url, tmp_path / "逾期.toml", tmp_path / "节假日.py")

    def begin(desk: Any) -> str:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="献血宣传", organization="O1")
        return volunteers.admit(desk, name="周兰", organization="O1")

    return city, city.at(SERVED, CENTRE, begin)


def test_a_record_entered_after_the_term_counts_nothing(late: tuple[Any, str]) -> None:
    assert Calendar(holidays=[dt.date(2026, 9, 14)]).working_days_after(SERVED, 10) == dt.date(2026, 9, 21)
    city, number = late
    claims = [
        (dt.date(2026, 9, 21), Claim(number, "P1", SERVED, 60)),
        (dt.date(2026, 9, 22), Claim(number, "P1", SERVED, 90)),
        (dt.date(2026, 9, 22), Claim(number, "P1", SERVED, 100, kind="training", evidence="签到表")),
    ]
    for day, claim in claims:
        recorded = city.at(day, CENTRE, hours.record, claim)
        city.at(day, SECOND, hours.confirm, recorded.record_id)
    today = dt.date(2026, 10, 30)
    told = city.at(today, CENTRE, hours.statement, number, rulebook="city.late")
    assert [line.credited_minutes for line in told.lines] == [60, 0, 50]
    assert [[why.values["reason"] for why in line.reasons if "reason" in why.values] for line in told.lines] == [
        [], ["late"], [],
    ]  # fmt: skip
    assert told.lines[1].reasons[0].message("zh-CN") == "由 90 分钟改计为 0 分钟。 逾期登记。"
    for kernel in (True, False):
        whole = city.at(today, CENTRE, rating.rate_city, rulebook="city.late", kernel=kernel)
        assert whole.credited_minutes == [110]
    figures = city.at(today, CENTRE, statistics.city_figures, rulebook="city.late")
    assert (figures.claimed_minutes, figures.credited_minutes) == (250, 110)
    assert set(figures.differences) == {("transform", 90), ("coefficient", 50)}
