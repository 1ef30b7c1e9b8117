"""Brands: created, edited, ended, shown with their figures, and brought in by name from files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Actor, Claim, Grant, Refused, approvals, hours, projects, volunteers
from volunteerkit.errors import InvalidValue, NotFound, NotPermitted
from volunteerkit.exchange import flagged_rows
from volunteerkit.projects import brands
from volunteerkit.projects.tables import brand, project
from volunteerkit.statistics import brand_page

DAY = dt.date(2026, 11, 23)
SECOND = Actor.of("centre-2", "centre")
ORGANIZATIONS = "org_id,org_name,status\nO1,渝水区联合会,active\n"
HEADER = "project_id,project_name,brand,category,org_id,start_date,end_date,recruit_target,status\n"
ROWS = ("P1,社区敬老,暖阳,敬老,O1,2026-01-01,2026-12-31,20,approved", "P2,护学岗,,护学,O1,,,,approved",
        "P3,陪诊,暖阳,医疗,O1,,,,approved", "P4,春风义诊,春风,医疗,O1,,,,approved")  # fmt: skip


def test_department_and_centre_create_brands(organized: Any, codes: Any) -> None:
    made = organized.at(
        organized.officer, brands.create, "暖阳", area="渝水区", organization="O1", summary="敬老"
    )
    shown = organized.at(organized.public, brands.view, made)
    assert (made, shown.name, shown.organization, shown.area, shown.founded_on) == (
        "B0000001",
        "暖阳",
        "O1",
        "渝水区",
        DAY,
    )
    assert (
        organized.at(organized.centre, brands.create, "春风", number="B77", founded_on=dt.date(2012, 3, 5))
        == "B77"
    )
    assert organized.at(organized.public, brands.view, "B77").founded_on == dt.date(2012, 3, 5)
    for actor, named in (
        (organized.officer, {}), (organized.officer, {"area": "分宜县"}), (organized.admin, {"area": "渝水区"}),
    ):  # fmt: skip
        with pytest.raises(NotPermitted):
            organized.at(actor, brands.create, "夏雨", **named)
    for named, code in (
        ({"name": "暖阳"}, "brand_same_name"),
        ({"name": "夏雨", "number": "B77"}, "already_registered"),
    ):
        with pytest.raises(Refused) as caught:
            organized.at(organized.centre, brands.create, **named)
        assert codes(caught) == [code]
    with pytest.raises(NotFound):
        organized.at(organized.centre, brands.create, "夏雨", organization="O404")
    for named in ({"number": "陈红梅"}, {"summary": 7}, {"founded_on": "2012"}, {"area": 7}):
        with pytest.raises(InvalidValue):
            organized.at(organized.centre, brands.create, "夏雨", **named)
    assert [each.number for each in organized.at(organized.public, brands.list_brands)] == ["B0000001", "B77"]


def test_who_maintains_a_brand_edits_and_ends_it(organized: Any, codes: Any) -> None:
    made = organized.at(organized.centre, brands.create, "暖阳", organization="O1")
    organized.at(organized.admin, brands.edit, made, name="暖阳行动", summary="为老服务")
    with pytest.raises(NotFound):
        organized.at(organized.stranger, brands.edit, made, name="别家的")
    other = organized.at(organized.centre, brands.create, "春风")
    with pytest.raises(NotFound):  # the centre maintains it
        organized.at(organized.admin, brands.edit, other, name="夏雨")
    with pytest.raises(Refused) as caught:
        organized.at(organized.admin, brands.edit, made, name="春风")
    assert codes(caught) == ["brand_same_name"]
    given_up = organized.at(organized.admin, brands.edit, made, organization="")
    assert (given_up.name, given_up.summary, given_up.organization) == ("暖阳行动", "为老服务", None)
    with pytest.raises(Refused) as caught:
        organized.at(organized.centre, lambda desk: brands.end(desk, made, on=DAY - dt.timedelta(1)))
    assert codes(caught) == ["dates_in_the_past"]
    organized.at(organized.centre, brands.end, made)
    assert organized.at(organized.public, brands.view, made).ended_on == DAY
    for verb in (brands.end, brands.edit):
        with pytest.raises(Refused) as caught:
            organized.at(organized.centre, verb, made)
        assert codes(caught) == ["brand_ended"]
    assert organized.at(organized.centre, brands.create, "暖阳行动")  # its name is free again


def test_brands_are_listed_and_projects_under_them(organized: Any) -> None:
    for name, more in (("暖阳", {"organization": "O1"}), ("春风", {"area": "渝水区"}), ("夏雨", {})):
        organized.at(organized.centre, brands.create, name, **more)
    number = organized.published(brand="B0000001")
    organized.approved(name="义诊", brand="B0000001")
    assert [
        each.number for each in organized.at(organized.public, projects.list_projects, brand="B0000001")
    ] == [number]
    for named, names in (({"organization": "O1"}, ["暖阳"]), ({"area": "渝水区"}, ["春风"]), ({"limit": 1}, ["暖阳"]),
                         ({"after": "B0000002"}, ["夏雨"])):  # fmt: skip
        assert [each.name for each in organized.at(organized.public, brands.list_brands, **named)] == names
    with pytest.raises(InvalidValue):
        organized.at(organized.public, brands.list_brands, limit=0)


def test_a_brands_page_shows_what_was_done_under_it(organized: Any) -> None:
    organized.at(organized.centre, brands.create, "暖阳", number="B1")
    assert organized.at(organized.public, brand_page, "B1").confirmed_minutes == 0
    one, other = (organized.published(name=name, brand="B1") for name in ("敬老", "陪诊"))
    outside = organized.published(name="护学")
    organized.at(organized.admin, projects.apply, organized.form("未批", brand="B1"))
    gone = organized.published(name="误建", brand="B1")
    organized.at(organized.admin, projects.delete, gone)
    for volunteer, number, minutes in (
        ("V1", one, 60),
        ("V1", other, 90),
        ("V2", one, 30),
        ("V3", outside, 600),
    ):
        claim = Claim(volunteer, number, DAY + dt.timedelta(8), minutes)
        record = organized.at(organized.admin, hours.record, claim, on=DAY + dt.timedelta(9)).record_id
        organized.at(organized.second_admin, hours.confirm, record, on=DAY + dt.timedelta(9))
    waiting = Claim("V4", one, DAY + dt.timedelta(8), 600)
    organized.at(organized.admin, hours.record, waiting, on=DAY + dt.timedelta(9))
    page = organized.at(organized.public, brand_page, "B1")
    assert (page.brand.name, page.projects, page.volunteers, page.confirmed_minutes) == ("暖阳", 2, 2, 180)
    assert type(page.confirmed_minutes) is int  # a sum of PostgreSQL is a Decimal, which is no JSON
    for number, persons in ((one, 10), (outside, 99)):
        day = DAY + dt.timedelta(9)
        group = organized.at(
            organized.admin, hours.enter_group, "T1", number, day, minutes=60, persons=persons, on=day
        )
        organized.at(organized.second_admin, hours.decide_group, group, "confirm", on=day)
    page = organized.at(organized.public, brand_page, "B1")
    assert (page.volunteers, page.confirmed_minutes, page.group_minutes) == (2, 180, 600)
    assert type(page.group_minutes) is int
    merge = organized.at(organized.centre, volunteers.propose_merge, "V1", "V2", reason="同一人")
    organized.at(SECOND, approvals.decide, merge.id, "approve")
    page = organized.at(organized.public, brand_page, "B1")
    assert (page.volunteers, page.confirmed_minutes) == (1, 180)


def imported(city: Any, folder: Path, *rows: str) -> dict[str, Any]:
    (folder / "organizations.csv").write_text(ORGANIZATIONS, "utf-8")
    (folder / "projects.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    counts = city.kit.import_directory(city.engine, SECOND, folder).as_dict()
    (found,) = [file for file in counts["files"] if file["entity"] == "projects"]
    return dict(found)


def stored(city: Any) -> tuple[list[Any], list[Any]]:
    with city.engine.connect() as connection:
        rows = sa.select(project.c.number, brand.c.name).outerjoin(brand, brand.c.id == project.c.brand_id)
        named = sa.select(brand.c.number, brand.c.name).order_by(brand.c.id)
        return (
            [tuple(row) for row in connection.execute(rows.order_by(project.c.number))],
            [tuple(row) for row in connection.execute(named)],
        )


def test_a_files_brands_become_brands_once(city: Any, tmp_path: Path) -> None:
    city.at(DAY, SECOND, brands.create, "春风", number="B0000002")
    found = imported(city, tmp_path, *ROWS)
    assert (found["new"], found["updated"]) == (4, 0)
    brought = ([("P1", "暖阳"), ("P2", None), ("P3", "暖阳"), ("P4", "春风")],
               [("B0000002", "春风"), ("B0000003", "暖阳")])  # fmt: skip
    assert stored(city) == brought
    assert imported(city, tmp_path, *ROWS)["unchanged"] == 4
    assert stored(city) == brought
    moved = (ROWS[0].replace("暖阳", "夏雨"), *ROWS[1:3], ROWS[3].replace("春风,医疗", ",医疗"))
    assert imported(city, tmp_path, *moved)["updated"] == 2
    assert stored(city)[0] == [("P1", "夏雨"), ("P2", None), ("P3", "暖阳"), ("P4", None)]
    public = Actor("me", (Grant("public"),))
    assert [each.number for each in city.at(DAY, public, projects.list_projects, brand="B0000003")] == ["P3"]
    assert city.at(DAY, public, projects.view, "P1").brand is not None


def test_a_refused_row_brings_no_brand(city: Any, tmp_path: Path) -> None:
    imported(city, tmp_path, "P1,社区敬老,暖阳,敬老,O404,,,,approved")
    assert stored(city) == ([], [])


def test_a_file_does_not_overturn_what_a_desk_did_with_a_project(city: Any, tmp_path: Path) -> None:
    imported(city, tmp_path, *ROWS)
    city.at(DAY, SECOND, projects.publish, "P2")
    found = imported(city, tmp_path, ROWS[0], ROWS[1].replace("护学岗", "上学护学岗"), *ROWS[2:])
    assert (found["updated"], found["flagged"]) == (1, {"decided_here": 1})
    assert [each.place for each in city.at(DAY, SECOND, flagged_rows, "decided_here")] == ["P2"]
    shown = city.at(DAY, SECOND, projects.view, "P2")
    assert (shown.name, shown.status) == ("上学护学岗", "published")
