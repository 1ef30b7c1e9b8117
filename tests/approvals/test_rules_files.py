"""Approval cases of the rules files: who certifies a star of which grade, and a notice of full working days."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from volunteerkit import Actor, Grant, approvals
from volunteerkit.access import Place
from volunteerkit.clock import Calendar
from volunteerkit.errors import NotFound
from volunteerkit.workflow import Office, Step

RULES = Path(__file__).resolve().parents[3] / "shared" / "rules" / "cn_guangdong_2014.json"
COUNTY = Actor("county-1", (Grant("department_officer", "渝水区"),))
CITY = Actor.of("centre-1", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
PUBLIC = Actor.of("citizen-1", "public")
AUDITOR = Actor.of("auditor-1", "auditor")
CERTIFIERS = {"county": COUNTY, "city": CITY}


def certifier(facts: Mapping[str, Any]) -> Office:
    """Grades one to three belong to the county, four and five to the city."""
    return Office("department_officer") if facts["grade"] <= 3 else Office("centre")


def cases(key: str) -> list[Any]:
    if not RULES.is_file():
        return [pytest.param(None, marks=pytest.mark.skip("the shared rules are not beside the project"))]
    found = json.loads(RULES.read_text("utf-8"))["cases"]
    return [pytest.param(each, id=each["why"]) for each in found if key in each["expect"]]


def opened(city: Any, day: dt.date, grade: int) -> int:
    found: int = city.open(day, ADMIN, facts={"grade": grade}, place=Place("V1", (), ("O1",), ("渝水区",)))
    return found


@pytest.mark.parametrize("case", cases("certifier"))
def test_the_office_follows_from_the_grade(case: dict[str, Any], city: Callable[..., Any]) -> None:
    made = city(Step("certify", certifier))
    day, grade = dt.date.fromisoformat(case["as_of"]), case["expect"]["eligible_level"]
    number = opened(made, day, grade)
    right = CERTIFIERS[case["expect"]["certifier"]]
    for actor in CERTIFIERS.values():
        waiting = [each.id for each in made.at(day, actor, approvals.pending)]
        assert waiting == ([number] if actor is right else [])
    decided = made.at(day, right, lambda desk: approvals.decide(desk, number, "approve"))
    assert decided.state == "granted"


@pytest.mark.parametrize("case", cases("certifiable"))
def test_a_notice_has_full_working_days(case: dict[str, Any], city: Callable[..., Any]) -> None:
    made, notice = city(Step("certify", certifier), notice_days=5), case["volunteer"]["notice"]
    began = dt.date.fromisoformat(notice["from"])
    number = opened(made, began, 1)
    made.at(began, COUNTY, lambda desk: approvals.decide(desk, number, "approve"))
    if notice["objection_upheld"]:
        objection = made.at(began, PUBLIC, lambda desk: approvals.object_to(desk, number, reason="时长不实"))
        made.at(
            began,
            COUNTY,
            lambda desk: approvals.answer_objection(desk, number, objection, "uphold", reason="属实"),
        )
    last = Calendar().working_days_after(began, notice["full_working_days_elapsed"])
    assert last is not None
    seen = made.at(last + dt.timedelta(1), AUDITOR, lambda desk: approvals.view(desk, number))
    assert (seen.state == "granted") is case["expect"]["certifiable"]


def test_who_is_not_the_office_learns_nothing(city: Callable[..., Any]) -> None:
    made, day = city(Step("certify", certifier)), dt.date(2018, 12, 3)
    number = opened(made, day, 2)
    stranger = Actor("county-2", (Grant("department_officer", "分宜县"),))
    with pytest.raises(NotFound):
        made.at(day, stranger, lambda desk: approvals.decide(desk, number, "approve"))
