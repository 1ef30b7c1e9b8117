"""In random worlds, for random actors: a list holds exactly what may be looked at one by one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit import Actor, Grant, Kit, fixed_clock, organizations
from volunteerkit.errors import NotFound, NotPermitted
from volunteerkit.organizations import base, tables, teams
from volunteerkit.store.desk import Desk
from volunteerkit.store.grants import grant, succession
from volunteerkit.units import day_number

DAY = dt.date(2026, 11, 23)
TODAY = day_number(DAY)
NUMBERS = ["O1", "O2", "O3", "O4"]
TEAMS = ["T1", "T2", "T3"]
AREAS = ["", "渝水区", "分宜县"]
WHO = ["", "actor-1", "actor-2"]
STATES = ["pending", "refused", "withdrawn", "active", "suspended", "dissolved"]
SCOPED = {"team_leader": TEAMS, "organization_admin": NUMBERS, "department_officer": AREAS}
ROLES = ["public", "volunteer", "centre", "auditor", "recipient", *SCOPED]
AROUND = st.integers(TODAY - 2, TODAY + 2)


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    role = draw(st.sampled_from(ROLES))
    scope = draw(st.sampled_from([scope for scope in SCOPED[role] if scope])) if role in SCOPED else None
    since = draw(st.none() | st.dates(DAY - dt.timedelta(2), DAY + dt.timedelta(1)))
    return Grant(role, scope, since)


@st.composite
def subjects(draw: st.DrawFn, numbers: list[str]) -> list[dict[str, Any]]:
    made = []
    for i, number in enumerate(numbers):
        ended = draw(st.none() | AROUND)
        made.append(
            {
                "id": i + 1, "number": number, "name": number, "area": draw(st.sampled_from(AREAS)),
                "status": draw(st.sampled_from(STATES)), "brought_by": draw(st.sampled_from(WHO)),
                "brought_volunteer": draw(st.sampled_from([None, "V1"])), "ended_on": ended,
                "ending": "dissolved" if ended is not None else None,
            }
        )  # fmt: skip
    return made


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, list[dict[str, Any]]]:
    owner = st.integers(1, len(NUMBERS))
    own = draw(subjects(TEAMS))
    for row in own:
        row["organization_id"] = draw(st.none() | owner)
    moves = [{"id": i + 1, "team_id": i + 1, "organization_id": draw(owner), "since": draw(AROUND)}
             for i in range(draw(st.integers(0, len(TEAMS))))]  # fmt: skip
    stays = [{"id": i + 1, "organization_id": draw(owner), "starts_on": TODAY, "ends_on": TODAY,
              "status": "granted"} for i in range(draw(st.integers(0, 3)))]  # fmt: skip
    heirs = [{"number": number, "successor": draw(st.sampled_from(NUMBERS[i + 1 :])), "since": draw(AROUND)}
             for i, number in enumerate(NUMBERS[: draw(st.integers(0, 3))])]  # fmt: skip
    kept = [{"id": i + 1, "actor_id": "actor-1", "role": "organization_admin", "scope": draw(st.sampled_from(NUMBERS)),
             "since": draw(AROUND), "until": draw(st.none() | AROUND), "granted_by": "centre-1"}
            for i in range(draw(st.integers(0, 2)))]  # fmt: skip
    return {"organizations": draw(subjects(NUMBERS)), "teams": own, "moves": moves, "stays": stays,
            "heirs": heirs, "grants": kept}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[sa.Engine]:
    made = volunteerkit.create_engine("sqlite://")
    Kit.load().migrate(made)
    yield made
    made.dispose()


def seen(verb: Callable[..., Any], desk: Desk, *ids: Any) -> set[Any]:
    found = set()
    for id_ in ids:
        try:
            verb(desk, id_)
        except (NotFound, NotPermitted):
            continue
        found.add(id_)
    return found


def numbers(rows: Any) -> set[str]:
    return {row.number for row in rows}


@settings(max_examples=120, suppress_health_check=list(HealthCheck))
@given(world=worlds(), held=st.lists(grants(), max_size=3), volunteer=st.sampled_from([None, "V1", "V2"]))
def test_a_list_is_what_may_be_viewed(
    engine: sa.Engine, world: dict[str, Any], held: list[Grant], volunteer: str | None
) -> None:
    kit = Kit.load(clock=fixed_clock(dt.datetime.combine(DAY, dt.time(4), dt.UTC)))
    places = {"organizations": tables.organization, "teams": tables.team, "moves": tables.affiliation,
              "stays": tables.tenancy, "heirs": succession, "grants": grant}  # fmt: skip
    with engine.connect() as connection, connection.begin() as transaction:
        for name, rows in world.items():
            if rows:
                connection.execute(sa.insert(places[name]), rows)
        desk = kit.desk(connection, Actor("actor-1", tuple(held), volunteer))
        assert numbers(organizations.list_organizations(desk)) == seen(organizations.view, desk, *NUMBERS)
        assert numbers(organizations.list_applications(desk)) == seen(
            organizations.view_application, desk, *NUMBERS
        )
        assert numbers(teams.list_teams(desk)) == seen(teams.view, desk, *TEAMS)
        assert numbers(teams.list_applications(desk)) == seen(teams.view_application, desk, *TEAMS)
        ids = [row["id"] for row in world["stays"]]
        assert {each.id for each in base.list_tenancies(desk)} == seen(base.view, desk, *ids)
        transaction.rollback()
