"""Who sees what (A14): in random worlds a list, a calendar and a look at one project agree with a plain reckoning."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Actor, Grant, Kit, fixed_clock, projects
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.organizations import tables
from volunteerkit.projects.model import PROJECT_STATES
from volunteerkit.projects.tables import project, shift
from volunteerkit.store.desk import microseconds
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import membership, volunteer

DAY = dt.date(2026, 11, 23)
TODAY = day_number(DAY)
NOON = dt.datetime.combine(DAY, dt.time(4), dt.UTC)
SIZE = 5  # organizations, of which each but the first may stand below an earlier one
NUMBERS = [f"P{n}" for n in range(1, 5)]
AREAS = ["", "渝水区", "分宜县"]
SCOPED = {"team_leader": ["T1", "T2"], "organization_admin": [f"O{n}" for n in range(1, SIZE + 1)],
          "department_officer": AREAS[1:]}  # fmt: skip
ROLES = ["public", "volunteer", "centre", "auditor", "recipient", *SCOPED]


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    role = draw(st.sampled_from(ROLES))
    scope = draw(st.sampled_from(SCOPED[role])) if role in SCOPED else None
    until = draw(st.none() | st.dates(DAY - dt.timedelta(1), DAY + dt.timedelta(1)))
    return Grant(role, scope, None, until)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    one = st.integers(1, SIZE)
    above = [None, *(draw(st.none() | st.integers(1, n - 1)) for n in range(2, SIZE + 1))]
    teams = [draw(one), draw(one)]
    belongs: list[dict[str, Any]] = (
        [{"organization_id": draw(one), "team_id": None}] if draw(st.booleans()) else []
    )
    belongs += [{"organization_id": None, "team_id": each} for each in draw(st.sets(st.integers(1, 2)))]
    for row in belongs:
        row["since"], row["until"] = draw(st.sampled_from([(TODAY, None), (TODAY - 9, TODAY), (TODAY - 9, TODAY - 1),
                                                           (TODAY + 1, None)]))  # fmt: skip
    made = [
        {
            "organization_id": draw(one), "team_id": draw(st.none() | st.integers(1, 2)), "area": draw(st.sampled_from(AREAS)),
            "visible_below_id": draw(st.none() | one), "status": draw(st.sampled_from(PROJECT_STATES)),
            "published_at": draw(st.sampled_from([None, 1])), "case_id": draw(st.sampled_from([None, 1])),
            "brought_by": draw(st.sampled_from(["", "actor-1"])), "brought_volunteer": draw(st.sampled_from([None, "V1"])),
        }
        for _ in NUMBERS
    ]  # fmt: skip
    return {"above": above, "teams": teams, "belongs": belongs, "projects": made}


@pytest.fixture(scope="module")
def engine() -> Iterator[sa.Engine]:
    made = volunteerkit.create_engine("sqlite://")
    Kit.load().migrate(made)
    yield made
    made.dispose()


def write(connection: sa.Connection, world: dict[str, Any]) -> None:
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")  # nobody looks at the case
    rows = [{"id": n, "number": f"O{n}", "name": "会", "status": "active", "parent_id": above}
            for n, above in enumerate(world["above"], 1)]  # fmt: skip
    connection.execute(sa.insert(tables.organization), rows)
    rows = [{"id": n, "number": f"T{n}", "name": "队", "status": "approved", "organization_id": owner}
            for n, owner in enumerate(world["teams"], 1)]  # fmt: skip
    connection.execute(sa.insert(tables.team), rows)
    connection.execute(
        sa.insert(volunteer).values(
            id=1, number="V1", organization_id=1, status="approved", registered_on=TODAY
        )
    )
    for n, row in enumerate(world["belongs"], 1):
        role = "managing" if row["team_id"] is None else "member"
        connection.execute(sa.insert(membership).values(id=n, volunteer_id=1, role=role, **row))
    for n, row in enumerate(world["projects"], 1):
        connection.execute(sa.insert(project).values(id=n, number=f"P{n}", name="敬老", **row))
        begin = microseconds(NOON)
        times = {"starts_at": begin, "ends_at": begin + 60_000_000}
        connection.execute(sa.insert(shift).values(id=n, project_id=n, **times))


def within(world: dict[str, Any], organization: int | None, top: int) -> bool:
    """Tell whether an organization is ``top`` or stands below it."""
    while organization is not None and organization != top:
        organization = world["above"][organization - 1]
    return organization == top


def member_of(world: dict[str, Any], row: dict[str, Any]) -> int:
    found: int = row["organization_id"] or world["teams"][row["team_id"] - 1]
    return found


def sees(world: dict[str, Any], it: dict[str, Any], held: list[Grant], volunteer: str | None) -> bool:
    """Reckon by hand whether somebody sees a project."""
    if it["status"] == "deleted":
        return False
    now = [each for each in held if each.holds_on(DAY)]
    roles = {each.role for each in now}
    if roles & {"centre", "auditor"}:
        return True
    if not roles or (it["published_at"] is None and it["case_id"] is not None):
        return False
    if it["visible_below_id"] is None:
        return True
    scopes = [(each.role, each.scope) for each in now]
    if ("organization_admin", f"O{it['organization_id']}") in scopes:
        return True
    if it["team_id"] is not None and ("team_leader", f"T{it['team_id']}") in scopes:
        return True
    mine = [int(str(scope)[1:]) for role, scope in scopes if role == "organization_admin"]
    mine += [world["teams"][int(str(scope)[1:]) - 1] for role, scope in scopes if role == "team_leader"]
    if volunteer:
        mine += [member_of(world, row) for row in world["belongs"]
                 if row["since"] <= TODAY and (row["until"] is None or row["until"] >= TODAY)]  # fmt: skip
    return any(within(world, each, it["visible_below_id"]) for each in mine)


def viewed(verb: Any, desk: Any) -> set[str]:
    found = set()
    for number in NUMBERS:
        try:
            verb(desk, number)
        except (NotFound, NotPermitted):
            continue
        found.add(number)
    return found


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(world=worlds(), held=st.lists(grants(), max_size=3), number=st.sampled_from([None, "V1"]))
def test_a_list_holds_what_may_be_viewed(
    engine: sa.Engine, world: dict[str, Any], held: list[Grant], number: str | None
) -> None:
    kit = Kit.load(clock=fixed_clock(NOON))
    with engine.connect() as connection, connection.begin() as transaction:
        write(connection, world)
        desk = kit.desk(connection, Actor("actor-1", tuple(held), number))
        wanted = {f"P{n}" for n, it in enumerate(world["projects"], 1) if sees(world, it, held, number)}
        assert viewed(projects.view, desk) == wanted
        assert {each.number for each in projects.list_projects(desk)} == wanted
        assert {each.project for each in projects.calendar(desk, DAY, DAY)} == wanted
        own = {each.number for each in projects.list_applications(desk)}
        assert viewed(projects.view_application, desk) == own
        transaction.rollback()


def test_members_of_the_sub_tree_see_it_and_nobody_else(organized: Any) -> None:
    """The same once by hand, on both databases, through the verbs."""
    from volunteerkit import approvals, organizations, volunteers

    for above, number in (("O1", "O11"), ("O11", "O111"), ("O2", "O21")):
        organized.at(organized.centre, organizations.register, number, name=number, parent=above)
        organized.at(
            organized.centre, volunteers.admit, name="志愿者", organization=number, number=f"V{number[1:]}0"
        )
    number = organized.published(visible_below="O11")
    people = {
        name: Actor(f"me-{name}", (Grant("volunteer"),), volunteer=name)
        for name in ("V1", "V110", "V1110", "V210")
    }
    people["anybody"] = organized.public
    people["admin O111"] = Actor("admin-111", (Grant("organization_admin", "O111"),))
    people["admin O2"] = organized.stranger
    people["organizer"] = organized.admin
    seen = {name for name, actor in people.items() if organized.at(actor, projects.list_projects)}
    assert seen == {"V110", "V1110", "admin O111", "organizer"}
    for name, actor in people.items():
        if name in seen:
            assert organized.at(actor, projects.view, number).visible_below == "O11"
        else:
            with pytest.raises(NotFound):
                organized.at(actor, projects.view, number)
    case = organized.at(
        organized.admin, projects.request_change, number, projects.ProjectChange(visible_below="")
    )
    organized.at(organized.officer, approvals.decide, case, "approve")
    assert all(organized.at(actor, projects.list_projects) for actor in people.values())
