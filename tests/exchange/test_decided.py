"""A corrected file overturns no decision: what a desk decided stays, and the row says so."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Grant,
    Kit,
    Refused,
    approvals,
    organizations,
    volunteers,
)
from volunteerkit.exchange import count_flagged, flagged_rows
from volunteerkit.hours import verify_store
from volunteerkit.messages import in_language
from volunteerkit.organizations import OrganizationForm
from volunteerkit.organizations.tables import organization, team
from volunteerkit.store.vault import open_subject
from volunteerkit.volunteers.reading import find, status_of
from volunteerkit.volunteers.tables import membership, volunteer

CENTRE, SECOND, THIRD = (Actor.of(f"centre-{at}", "centre") for at in (1, 2, 3))
HEADER = "volunteer_id,name,phone,org_id,team_id,registered_at,status\n"
ORGANIZATIONS = "org_id,org_name,status\nO1,渝水区联合会,active\nO2,高新区联合会,active\n"
TEAMS = "team_id,team_name,org_id\nT1,一队,O1\nT2,二队,O1\nT3,三队,O1\n"
PEOPLE = {
    "V1": "周兰,12900000001,O1,T1,2019-03-01,approved",
    "V2": "叶怡,12900000002,O1,T1,2019-03-01,approved",
    "V3": "严竹,12900000003,O1,T1,2019-03-01,approved",
    "V4": "欧阳雪,12900000004,O1,T1,2019-03-01,approved",
}
RECENT = {"V8": "简梅,12900000008,O1,,2026-01-01,approved", "V9": "胡菊,12900000009,O1,,2026-01-01,approved"}

Put = Callable[..., dict[str, Any]]
Does = Callable[..., Any]


@pytest.fixture
def put(kit: Kit, engine: sa.Engine, tmp_path: Path) -> Put:
    """Import these volunteers with the city's organizations and teams; return the counts."""

    def imported(people: dict[str, str], orgs: str = ORGANIZATIONS, teams: str = TEAMS) -> dict[str, Any]:
        rows = "".join(f"{number},{row}\n" for number, row in people.items())
        for name, text in (("organizations", orgs), ("teams", teams), ("volunteers", HEADER + rows)):
            (tmp_path / f"{name}.csv").write_text(text, "utf-8")
        return kit.import_directory(engine, CENTRE, tmp_path).as_dict()

    return imported


@pytest.fixture
def does(kit: Kit, engine: sa.Engine) -> Does:
    def done(actor: Actor, work: Callable[[Any], Any]) -> Any:
        with kit.open(engine, actor) as desk:
            return work(desk)

    return done


def corrected(people: dict[str, str]) -> dict[str, str]:
    """The same rows with every phone mended and nothing else."""
    return {number: row.replace("129000000", "129000001") for number, row in people.items()}


def status(desk: Any, number: str) -> str:
    query = sa.select(volunteer.c.status).where(volunteer.c.number == number)
    return str(desk.connection.execute(query).scalar_one())


def places(desk: Any, number: str) -> list[tuple[str, str | None, str | None]]:
    """Role, organization and team of what lasts."""
    query = (
        sa.select(membership.c.role, organization.c.number, team.c.number)
        .join(volunteer, volunteer.c.id == membership.c.volunteer_id)
        .outerjoin(organization, organization.c.id == membership.c.organization_id)
        .outerjoin(team, team.c.id == membership.c.team_id)
        .where(volunteer.c.number == number, membership.c.until.is_(None))
        .order_by(membership.c.role, membership.c.id)
    )
    return [tuple(row) for row in desk.connection.execute(query)]


def phone(desk: Any, number: str) -> str:
    id_ = desk.connection.execute(sa.select(volunteer.c.id).where(volunteer.c.number == number)).scalar_one()
    return str(open_subject(desk.connection, desk.needed_cipher(), f"volunteer:{id_}")["phone"])


def transfer(does: Does, number: str) -> None:
    case = does(CENTRE, lambda desk: volunteers.request_transfer(desk, number, "O2"))
    for actor in (SECOND, THIRD):
        does(actor, lambda desk: approvals.decide(desk, case.id, "approve"))


def test_what_was_decided_at_a_desk_stays_and_the_row_is_flagged(put: Put, does: Does) -> None:
    put(PEOPLE)
    does(CENTRE, lambda desk: volunteers.deregister(desk, "V1"))
    transfer(does, "V2")
    does(CENTRE, lambda desk: volunteers.add_to_team(desk, "V3", "T2"))
    for number, name in (("V8", "简梅"), ("V9", "胡菊")):
        given = Application(name, "O1", phone=f"1290000000{number[1]}", born_on=dt.date(1990, 3, 15),
                            consent_on=dt.date(2026, 1, 1))  # fmt: skip
        does(CENTRE, lambda desk, given=given, number=number: volunteers.register(desk, given, number=number))
    does(SECOND, lambda desk: volunteers.refuse(desk, "V8", reason="材料不全"))
    counts = put(corrected(PEOPLE | RECENT))
    found = does(
        CENTRE, lambda desk: {each: (status(desk, each), places(desk, each)) for each in PEOPLE | RECENT}
    )
    assert found == {
        "V1": ("deregistered", [("managing", "O1", None)]),
        "V2": ("approved", [("managing", "O2", None)]),
        "V3": ("approved", [("managing", "O1", None), ("member", None, "T1"), ("member", None, "T2")]),
        "V4": ("approved", [("managing", "O1", None), ("member", None, "T1")]),
        "V8": ("refused", [("managing", "O1", None)]),
        "V9": ("pending", [("managing", "O1", None)]),
    }
    assert {does(CENTRE, lambda desk, each=each: phone(desk, each))[:9] for each in PEOPLE | RECENT} == {
        "129000001"
    }
    assert counts["flagged"]["decided_here"] == 4
    rows = does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))
    assert [row.volunteer for row in rows] == ["V1", "V2", "V8", "V9"]
    with in_language("zh-CN"):
        assert "已保留办理结果" in does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))[0].meaning
    does(SECOND, lambda desk: volunteers.approve(desk, "V9"))
    right = PEOPLE | RECENT | {"V1": PEOPLE["V1"].replace("T1", "").replace("approved", "已注销")}
    put(right)
    assert [row.volunteer for row in does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))] == [
        "V2",
        "V8",
    ]
    assert does(CENTRE, lambda desk: count_flagged(desk, "decided_here")) == {"decided_here": 2}


def test_what_nobody_decided_otherwise_the_file_says(put: Put, does: Does) -> None:
    put(PEOPLE)
    row = "欧阳雪,12900000004,O2,T2,2019-03-01,deregistered"
    assert "decided_here" not in put(PEOPLE | {"V4": row})["flagged"]
    assert does(CENTRE, lambda desk: (status(desk, "V4"), places(desk, "V4"))) == (
        "deregistered", [("managing", "O2", None), ("member", None, "T2")],
    )  # fmt: skip


def test_no_membership_ends_before_it_begins(put: Put, does: Does) -> None:
    for place in ("O1,T1", "O2,T2", "O1,T3", "O2,"):
        put(PEOPLE | {"V4": f"欧阳雪,12900000004,{place},2019-03-01,approved"})
    with_days = sa.select(membership.c.role, membership.c.since, membership.c.until).join(
        volunteer, volunteer.c.id == membership.c.volunteer_id
    )
    rows = does(
        CENTRE, lambda desk: desk.connection.execute(with_days.where(volunteer.c.number == "V4")).fetchall()
    )
    assert all(until is None or until >= since - 1 for _, since, until in rows)
    assert len([role for role, _, _ in rows if role == "managing"]) == 2
    assert does(CENTRE, lambda desk: places(desk, "V4")) == [("managing", "O2", None)]


def test_an_organization_and_a_team_keep_what_was_decided_about_them(put: Put, does: Does) -> None:
    put(PEOPLE)
    case = does(CENTRE, lambda desk: organizations.teams.transfer(desk, "T1", "O2"))
    for place in ("O1", "O2"):
        office = Actor(f"office-{place}", (Grant("organization_admin", place),))
        does(office, lambda desk: approvals.decide(desk, case, "approve"))
    counts: Any = put(PEOPLE, teams=TEAMS.replace("一队", "一分队"))
    (teams,) = [file for file in counts["files"] if file["entity"] == "teams"]
    assert (teams["updated"], teams["flagged"]) == (1, {"decided_here": 1})
    form = OrganizationForm(
        "白鹭书社", kind="hosted_group", hosted_by="O1", area="渝水区", consent="渝志函1号"
    )
    does(CENTRE, lambda desk: organizations.apply(desk, form, number="O3"))
    for name in ("白鹭书社", "白鹭读书社"):
        put(PEOPLE, orgs=f"{ORGANIZATIONS}O3,{name},active\n", teams=TEAMS.replace("一队", "一分队"))
        rows = does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))
        assert [(row.place, row.volunteer, row.record) for row in rows] == [("O3", "", ""), ("T1", "", "")]
        assert does(CENTRE, lambda desk: count_flagged(desk, "decided_here")) == {"decided_here": 2}
    put(PEOPLE, orgs=f"{ORGANIZATIONS}O3,白鹭书社,pending\n", teams=TEAMS.replace("一队,O1", "一队,O2"))
    assert does(CENTRE, lambda desk: flagged_rows(desk, "decided_here")) == []
    put(PEOPLE, teams=TEAMS.replace("一队", "一分队"))
    shown = does(CENTRE, lambda desk: organizations.teams.view(desk, "T1"))
    assert (shown.name, shown.organization) == ("一分队", "O2")


def test_a_number_that_was_drawn_is_no_telephone_number(
    put: Put, does: Does, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(PEOPLE)
    given = Application(
        "简梅", "O1", phone="12900000008", born_on=dt.date(1990, 3, 15), consent_on=dt.date(2026, 1, 1)
    )
    monkeypatch.setattr("secrets.randbelow", lambda below: 299993662 % below)
    number = does(CENTRE, lambda desk: volunteers.register(desk, given))
    assert len(number) == 11
    counts: Any = put(PEOPLE | {number: "简梅,12900000009,O1,,2026-01-01,pending"})
    assert counts["files"][-1]["refused"] == {}
    assert does(CENTRE, lambda desk: phone(desk, number)) == "12900000009"


WAITING = {
    "V1": "周兰,12900000001,O1,T1,2019-03-01,pending",
    "V2": "叶怡,12900000002,O1,T1,2019-03-01,待审核",
    "V3": "严竹,12900000003,O1,T1,2019-03-01,suspended",
    "V4": "欧阳雪,12900000004,O1,T1,2019-03-01,已暂停",
}
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))


def standing(desk: Any) -> dict[str, str]:
    found = [find(desk, number) for number in WAITING]
    return {each.number: status_of(desk, each) for each in found if each is not None}


def everything(desk: Any) -> dict[str, list[str]]:
    return {
        name: sorted(map(repr, desk.connection.execute(sa.select(part))))
        for name, part in volunteerkit.metadata.tables.items()
    }


def test_who_is_imported_as_pending_waits_for_a_decision(put: Put, does: Does) -> None:
    put(WAITING)
    cases = does(ADMIN, approvals.pending)
    assert [(each.place.volunteer, each.kind, each.opened_by) for each in cases] == [
        ("V1", "volunteer.registration", "centre-1"), ("V2", "volunteer.registration", "centre-1"),
    ]  # fmt: skip
    assert does(ADMIN, lambda desk: cases[0].opened_on == desk.today)
    assert [each.code for each in cases[0].findings] == ["missing_id"]
    with pytest.raises(Refused):  # whoever imported them does not decide about them
        does(CENTRE, lambda desk: volunteers.approve(desk, "V1"))
    does(ADMIN, lambda desk: volunteers.approve(desk, "V1"))
    does(SECOND, lambda desk: volunteers.refuse(desk, "V2", reason="材料不全"))
    assert does(CENTRE, standing) == {"V1": "approved", "V2": "refused", "V3": "suspended", "V4": "suspended"}
    before = does(CENTRE, everything)
    put(WAITING)
    assert does(CENTRE, everything) == before
    put(corrected(WAITING))
    assert does(CENTRE, standing) == {"V1": "approved", "V2": "refused", "V3": "suspended", "V4": "suspended"}
    assert [row.volunteer for row in does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))] == [
        "V1",
        "V2",
    ]
    with does(CENTRE, lambda desk: desk.connection.engine).connect() as connection:
        assert verify_store(connection).holds


def test_who_is_imported_as_suspended_has_a_period_that_can_be_ended(put: Put, does: Does) -> None:
    put(WAITING)
    assert does(CENTRE, standing)["V3"] == "suspended"
    does(ADMIN, lambda desk: volunteers.end_period(desk, "V3", "suspended"))
    assert does(CENTRE, standing)["V3"] == "approved"
    put(corrected(WAITING))
    assert does(CENTRE, standing) == {"V1": "pending", "V2": "pending", "V3": "approved", "V4": "suspended"}
    assert [row.volunteer for row in does(CENTRE, lambda desk: flagged_rows(desk, "decided_here"))] == ["V3"]
    does(ADMIN, lambda desk: volunteers.suspend(desk, "V3", reason="缺勤"))
    put(WAITING)  # as it was decided here as well
    assert does(CENTRE, lambda desk: count_flagged(desk, "decided_here")) == {}


def test_a_later_file_says_how_those_stand_about_whom_nobody_decided(put: Put, does: Does) -> None:
    put(PEOPLE)
    assert does(ADMIN, approvals.pending) == ()
    put(WAITING)
    assert len(does(ADMIN, approvals.pending)) == 2
    put(
        WAITING | {"V2": "叶怡,12900000002,O1,T1,2019-03-01,rejected", "V1": PEOPLE["V1"], "V4": PEOPLE["V4"]}
    )
    assert does(CENTRE, standing) == {"V1": "approved", "V2": "rejected", "V3": "suspended", "V4": "approved"}
    assert does(ADMIN, approvals.pending) == ()
    does(CENTRE, lambda desk: volunteers.deregister(desk, "V1"))
    does(SECOND, lambda desk: volunteers.reactivate(desk, "V1"))  # approved before, though not here
    put(WAITING)
    assert does(CENTRE, standing) == {"V1": "approved", "V2": "pending", "V3": "suspended", "V4": "suspended"}
    assert does(CENTRE, lambda desk: count_flagged(desk, "decided_here")) == {"decided_here": 1}
    assert does(ADMIN, lambda desk: volunteers.approve(desk, "V2")).state == "granted"
