"""Checks: named answers of every type, what is missing for them, and days no calendar knows yet."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Kit
from volunteerkit.clock import Calendar
from volunteerkit.errors import InvalidValue
from volunteerkit.rules import Rulebook, Ruling, assess, check
from volunteerkit.units import day_number

BOOK = Rulebook.loads("""
id = "city.record"
decides = "check"
parameter = { days = 10 }
[fact.ended_on]
type = "date"
zh-CN = "结束日期"
en = "last day"
[fact.recorded_on]
type = "date"
zh-CN = "记录日期"
en = "day of recording"
[fact.content]
type = "bool"
zh-CN = "写明服务内容"
en = "shows the content"
[fact.unit]
type = "bool"
zh-CN = "写明记录单位"
en = "shows the unit"
[fact.fee]
type = "int"
default = 0
zh-CN = "收费"
en = "fee"
[[version]]
effective_from = 2021-02-01
citation = "示例"
[version.answer]
due = "working_days_after(ended_on, days)"
on_time = "recorded_on <= working_days_after(ended_on, days)"
valid = "content and unit and fee == 0"
fee_back = "greatest(fee, 0)"
says = "choose(fee > 0, '退费', '无')"
""")
ENDED = day_number(dt.date(2024, 9, 27))
HOLIDAYS = [dt.date(2024, 10, n) for n in (1, 2, 3, 4, 7)]
NATIONAL = Calendar(holidays=HOLIDAYS, extra_workdays=[dt.date(2024, 9, 29), dt.date(2024, 10, 12)])


def ask(*answers: str, **facts: Any) -> Ruling:
    return check(BOOK, facts, dt.date(2024, 10, 20), answers=answers or None)


@pytest.mark.parametrize(("day", "on_time"), [(15, True), (16, True), (17, False)])
def test_a_term_over_a_long_holiday(day: int, on_time: bool) -> None:
    recorded = day_number(dt.date(2024, 10, day))
    found = ask("due", "on_time", ended_on=ENDED, recorded_on=recorded, calendar=NATIONAL)
    assert found.answers == (("due", dt.date(2024, 10, 16)), ("on_time", on_time))
    assert found.missing == ()
    assert found.as_dict()["answers"] == {"due": "2024-10-16", "on_time": on_time}


def test_a_year_that_was_not_published_leaves_the_term_open() -> None:
    ending = Calendar(known_until=dt.date(2024, 9, 30))
    found = ask("due", "on_time", ended_on=ENDED, recorded_on=ENDED, calendar=ending)
    assert found.answers == (("due", None), ("on_time", None))
    assert found.missing == ("calendar",)


def test_what_is_missing_are_absent_facts_and_those_that_are_not_so() -> None:
    assert ask("valid", content=True, unit=True).missing == ()
    assert ask("valid", content=False, unit=True) == ask("valid", content=False, unit=True, other=5)
    assert ask("valid", content=False, unit=True).answers == (("valid", False),)
    assert ask("valid", content=False, unit=True).missing == ("content",)
    assert ask("valid", content=False).missing == ("content", "unit")
    # one No decides, whatever the absent fact is; without a No it stays open
    assert ask("valid", content=False).answers == (("valid", False),)
    assert ask("valid", content=True).answers == (("valid", None),)
    assert ask("due").missing == ("calendar", "ended_on")


def test_numbers_and_words_with_declared_defaults() -> None:
    assert ask("fee_back", "says").answers == (("fee_back", 0), ("says", "无"))
    assert ask("fee_back", "says", fee=10).answers == (("fee_back", 10), ("says", "退费"))


def test_a_parameter_has_another_value_where_the_caller_says_so() -> None:
    found = ask("due", ended_on=ENDED, calendar=NATIONAL, days=1)
    assert found.answers == (("due", dt.date(2024, 9, 29)),)


def test_all_answers_at_once_and_one_that_does_not_exist() -> None:
    assert [name for name, _ in ask().answers] == ["due", "on_time", "valid", "fee_back", "says"]
    with pytest.raises(InvalidValue) as caught:
        ask("duo")
    assert caught.value.code == "answer_unknown"
    assert "due" in caught.value.message("zh-CN")
    with pytest.raises(InvalidValue):
        check(BOOK, {}, dt.date(2021, 1, 31))


def test_a_ladder_with_a_term_is_told_without_its_calendar() -> None:
    book = Rulebook.loads("""
    id = "city.star"
    decides = "star"
    [fact.asked_on]
    type = "date"
    zh-CN = "申请日期"
    en = "asked on"
    [fact.heard_on]
    type = "date"
    zh-CN = "答复日期"
    en = "heard on"
    [[version]]
    effective_from = 2021-02-01
    citation = "示例"
    step = [{ award = 1, when = "heard_on > working_days_after(asked_on, 5) and service_days >= 0" }]
    """)
    facts = {"asked_on": ENDED, "heard_on": ENDED + 20, "service_days": 1, "calendar": NATIONAL}
    found = assess(book, facts, dt.date(2024, 10, 20))
    assert found.grade == 1
    assert "✓ heard_on > working_days_after(asked_on, 5)  [asked_on = 2024-09-27, heard_on = 2024-10-17]" in (
        found.explain("en")
    )
    assert "Calendar" not in found.explain("en") + str(found.as_dict())
    del facts["calendar"]
    absent = assess(book, facts, dt.date(2024, 10, 20))
    assert (absent.grade, absent.missing) == (None, ("calendar",))
    assert "calendar of working days (calendar)" in absent.explain("en")
    late = assess(
        book, {**facts, "calendar": Calendar(known_until=dt.date(2024, 9, 30))}, dt.date(2024, 10, 20)
    )
    assert (late.grade, late.missing) == (None, ("calendar",))


def test_a_city_may_have_several_checks(tmp_path: Path) -> None:
    text = 'id = "city.{}"\ndecides = "check"\n[[version]]\neffective_from = 2021-02-01\ncitation = "示例"\n'
    for name in ("甲", "乙"):
        (tmp_path / f"{name}.toml").write_text(
            text.format(name) + 'answer = { fits = "service_days > 1" }', "utf-8"
        )
    kit = Kit.load(tmp_path / "甲.toml", tmp_path / "乙.toml")
    assert {"city.甲", "city.乙"} <= set(kit.rulebooks)
