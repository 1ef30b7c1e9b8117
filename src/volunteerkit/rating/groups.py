"""Stars of organizations: their facts from records and evaluations, and what a ladder says of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person
from volunteerkit.errors import InvalidValue
from volunteerkit.hours.crediting import credit_person, credit_rulebook, rule_records
from volunteerkit.hours.tables import service_record
from volunteerkit.organizations.administrators import in_office
from volunteerkit.organizations.reading import place_of, reached
from volunteerkit.organizations.tables import evaluation
from volunteerkit.rating.actions import ladder_for
from volunteerkit.rules import Assessment, assess
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import next_id
from volunteerkit.store.sealing import insert_sealed
from volunteerkit.units import day_number, day_of, plain_day, whole_number
from volunteerkit.volunteers.tables import volunteer

__all__ = ["Evaluation", "RatedOrganization", "evaluate_organization", "evaluations", "rate_organization"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class RatedOrganization:
    """One organization and what the ladder says of it; `Assessment.explain` gives the reasons."""

    organization: str
    assessment: Assessment


@attrs.frozen
class Evaluation:
    """What an organization's service was found worth: ``score`` of 100 points, on a day, by an actor."""

    score: int
    on: dt.date
    actor_id: str


@command
def evaluate_organization(desk: Desk, number: str, score: int, *, on: dt.date | None = None) -> None:
    """Record an evaluation of 0 to 100 points, dated ``on`` (default today); the earlier ones stay.

    Nobody evaluates an organization they administer. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row = reached(desk, "organization.evaluate", number)
    day = desk.today if on is None else plain_day("on", on)
    whole_number("score", score, 0, 100)
    if day > desk.today:
        raise InvalidValue(name="on", value=str(day), allowed=f"… {desk.today}")
    cell = desk.permit("organization.evaluate", place_of(row))
    offices = in_office(desk, number)
    own = Person(desk.actor.id) if any(
        each.role == "organization_admin" and each.scope == number for each in desk.actor.grants
    ) else Person()  # fmt: skip
    desk.separate(cell, "own_case", own, *(Person(each.actor_id) for each in offices))
    id_ = next_id(desk, evaluation)
    insert_sealed(
        desk, evaluation, id=id_, organization_id=row.id, score=score, evaluated_on=day_number(day),
        actor_id=desk.actor.id,
    )  # fmt: skip
    note(desk, "organization.evaluated", f"organization:{row.id}", {"score": score, "on": day_number(day)})


@storage_errors("database")
def evaluations(desk: Desk, number: str) -> tuple[Evaluation, ...]:
    """Return the evaluations of an organization, oldest first. Raises NotFound, NotPermitted."""
    row = reached(desk, "rating.assess", number)
    found = sa.select(evaluation).where(evaluation.c.organization_id == row.id)
    ordered = found.order_by(evaluation.c.evaluated_on, evaluation.c.id)
    return tuple(
        Evaluation(each.score, day_of(each.evaluated_on), each.actor_id)
        for each in desk.connection.execute(ordered)
    )


@storage_errors("database")
def rate_organization(
    desk: Desk, number: str, *, rulebook: str = "union", as_of: dt.date | None = None
) -> RatedOrganization:
    """Rate the organization with this number, with every reason.

    Its credited minutes are those of its own records, credited volunteer by volunteer under ``rulebook``.
    Without an evaluation ``evaluation_score`` is absent, and a rule that needs it is undetermined. Raises
    NotFound, NotPermitted, InvalidValue when there is no ladder or no version in force.
    """
    row = reached(desk, "rating.assess", number)
    ladder = ladder_for(desk, "organization_star")
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    if ladder is None:
        raise InvalidValue("organization_ladder_missing")
    facts = _served(desk, row.id, rulebook, day) | _evaluated(desk, row.id, day)
    if row.registered_on is not None:
        facts["registered_days"] = day_number(day) - row.registered_on
    return RatedOrganization(number, assess(ladder, facts, day))


def _served(desk: Desk, organization_id: int, rulebook: str, day: dt.date) -> dict[str, int]:
    version = credit_rulebook(desk, rulebook).version_on(day)
    record = service_record.c
    rows: Sequence[Any] = desk.connection.execute(
        sa.select(
            volunteer.c.id, volunteer.c.registered_on, volunteer.c.adult_on, record.id, record.served_on,
            record.start_minute, record.clock_minutes, record.confirmed_minutes, record.project_id,
            record.organization_id, record.method,
        )
        .join(volunteer, volunteer.c.id == record.volunteer_id)
        .where(
            record.organization_id == organization_id, record.state == "confirmed",
            record.served_on <= day_number(day),
        )
        .order_by(volunteer.c.id, record.served_on, record.start_minute, record.id)
    ).fetchall()  # fmt: skip
    records = iter(rule_records(desk, [tuple(row[3:]) for row in rows], version))
    credited = members = 0
    for (_, registered_on, adult_on), theirs in groupby(rows, key=lambda row: tuple(row[:3])):
        mine = [next(records) for _ in theirs]
        credited += credit_person(desk, version, mine, registered_on, adult_on).credited_minutes
        members += 1
    return {
        "credited_minutes": credited,
        "claimed_minutes": sum(row.confirmed_minutes for row in rows),
        "service_records": len(rows),
        "members_served": members,
        "projects": len({row.project_id for row in rows}),
    }


def _evaluated(desk: Desk, organization_id: int, day: dt.date) -> dict[str, int]:
    query = (
        sa.select(evaluation.c.score, evaluation.c.evaluated_on)
        .where(
            evaluation.c.organization_id == organization_id, evaluation.c.evaluated_on <= day_number(day)
        )
        .order_by(evaluation.c.evaluated_on.desc(), evaluation.c.id.desc())
        .limit(1)
    )  # fmt: skip
    row = desk.connection.execute(query).first()
    if row is None:
        return {}
    return {"evaluation_score": row.score, "evaluated_days": day_number(day) - row.evaluated_on}
