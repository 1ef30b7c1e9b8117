"""The conditions of 2013 for registered volunteers, on the cases of the rules file and on the days themselves."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

import volunteerkit
from volunteerkit import Actor, Kit, Refused, fixed_clock, organizations, volunteers
from volunteerkit.volunteers import Application, Guardian

RULES = Path(__file__).resolve().parents[4] / "shared" / "rules" / "cn_registration_2013.json"
NEEDS = {
    "guardian_consent_needed": "guardian_consent",
    "registration_2013.school": "school_procedure",
    "registration_2013.age": "age_14",
}


def cases() -> list[Any]:
    if not RULES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip("the shared rules are not beside the project"))]
    found = json.loads(RULES.read_text("utf-8"))["cases"]
    return [pytest.param(each, id=each["why"]) for each in found if "may_register" in each["expect"]]


def blocking(day: dt.date, application: Application) -> dict[str, str]:
    """Return what is in the way of an application, through the door a form uses."""
    noon = dt.datetime.combine(day, dt.time(4), dt.UTC)
    kit = Kit.load("xinyu", "registration_2013", clock=fixed_clock(noon))
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, Actor.of("centre-1", "centre")) as desk:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        found = volunteers.check_registration(desk, application)
    engine.dispose()
    return {each.code: each.message("zh-CN") for each in found if each.severity == "block"}


def application(born_on: dt.date, day: dt.date, **more: Any) -> Application:
    return Application("兰", "O1", born_on=born_on, consent_on=day, **more)


@pytest.mark.parametrize("case", cases())
def test_who_may_register(case: dict[str, Any]) -> None:
    day, given = dt.date.fromisoformat(case["as_of"]), dict(case["volunteer"])
    consented = (
        Guardian("母", "12900000001", consented_on=day) if given.pop("guardian_consent", None) else None
    )
    born_on = dt.date.fromisoformat(given.pop("birth_date"))
    found = blocking(day, application(born_on, day, guardian=consented, **given))
    assert [NEEDS[code] for code in found] == case["expect"]["needs"]
    assert (not found) is case["expect"]["may_register"]


@pytest.mark.parametrize(
    ("day", "codes"),
    [
        (dt.date(2024, 9, 9), {"registration_2013.age"}),
        (dt.date(2024, 9, 10), {"registration_2013.school"}),
        (dt.date(2028, 9, 9), {"registration_2013.school"}),
        (dt.date(2028, 9, 10), set[str]()),
    ],
)
def test_the_birthday_itself_counts(day: dt.date, codes: set[str]) -> None:
    mother = Guardian("母", "12900000001", consented_on=day)
    assert set(blocking(day, application(dt.date(2010, 9, 10), day, student=True, guardian=mother))) == codes


def test_a_refusal_says_in_both_languages_what_to_do() -> None:
    day = dt.date(2024, 9, 10)
    mother = Guardian("母", "12900000001", consented_on=day)
    found = blocking(day, application(dt.date(2012, 1, 1), day, guardian=mother))
    assert found == {"registration_2013.age": "未满 14 周岁，不能成为注册志愿者。满 14 周岁以后再申请。"}


def test_an_unknown_age_is_left_to_the_office() -> None:
    day = dt.date(2024, 9, 10)
    assert blocking(day, Application("兰", "O1", consent_on=day, student=True)) == {}


def test_the_age_of_an_identity_number_counts_too() -> None:
    from volunteerkit.volunteers.identity import check_character

    body = "36059920120501002"  # an unassigned area
    day = dt.date(2024, 9, 10)
    mother = Guardian("母", "12900000001", consented_on=day)
    given = Application(
        "兰", "O1", identity_number=body + check_character(body), consent_on=day, guardian=mother
    )
    assert set(blocking(day, given)) == {"registration_2013.age"}


def test_a_refusal_is_one_error_with_every_reason() -> None:
    day = dt.date(2024, 9, 10)
    kit = Kit.load(
        "xinyu", "registration_2013", clock=fixed_clock(dt.datetime(2024, 9, 10, 4, tzinfo=dt.UTC))
    )
    assert {plugin.name for plugin in kit.plugins} == {"xinyu", "registration_2013"}
    with pytest.raises(Refused) as caught:
        raise Refused(*_findings(kit, day))
    assert "school's own procedure" in caught.value.message("en")


def _findings(kit: Kit, day: dt.date) -> tuple[volunteerkit.Finding, ...]:
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, Actor.of("centre-1", "centre")) as desk:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        return volunteers.check_registration(desk, application(dt.date(2008, 1, 1), day, student=True))
