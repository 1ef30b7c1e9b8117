"""Grants kept in the database, the numbers of merged volunteers, and lists filtered by what an actor reaches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from attrs import evolve

from volunteerkit.access import Grant, Reach
from volunteerkit.store.schema import id_column, integer, table
from volunteerkit.units import day_number, day_of

__all__ = [
    "alias", "all_numbers", "can_be_suspended", "grant", "inherited", "lenders_numbers", "linked_numbers", "resolved_number", "stored_grants",
    "succession", "unsuspended", "within",
]  # fmt: skip

grant = table(
    "grant",
    id_column(),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("scope", sa.Text),
    sa.Column("since", integer, nullable=False),
    sa.Column("until", integer),
    sa.Column("granted_by", sa.Text, nullable=False),
    sa.Column("granting_volunteer", sa.Text),
    sa.Column("delegated", integer, nullable=False, server_default="0"),
    sa.CheckConstraint("delegated IN (0, 1)", name="delegated"),
    sa.CheckConstraint("actor_id <> granted_by", name="not_oneself"),
    owner=("actor_id",),
)
"""Who holds which role where, from and until which day (inclusive). A revoked grant has an ``until``.

A delegated grant lends what ``granted_by`` holds: it is worth nothing when the lender's own has ended.
``granting_volunteer`` is the volunteer whom ``granted_by`` is, if any.
"""

sa.Index("ix_vk_grant_actor", grant.c.actor_id)
sa.Index("ix_vk_grant_scope", grant.c.role, grant.c.scope)

alias = table(
    "alias",
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("volunteer_number", sa.Text, nullable=False),
    owner=("volunteer_number",),
)
"""Numbers of volunteers who were merged into another one, and whose number stands for them now.

Flat: an alias of an alias points to the last. It follows from ``vk_merge``.
"""

sa.Index("ix_vk_alias_volunteer", alias.c.volunteer_number)

succession = table(
    "succession",
    sa.Column("number", sa.Text, primary_key=True),
    sa.Column("successor", sa.Text, nullable=False),
    sa.Column("since", integer, nullable=False),
)
"""Numbers of organizations that ended, who answers for their records, and from which day."""

sa.Index("ix_vk_succession_successor", succession.c.successor)


def __dir__() -> list[str]:
    return __all__


def stored_grants(connection: sa.Connection, actor_id: str) -> tuple[Grant, ...]:
    """Return the grants that the database holds for an actor, also those that begin or ended another day.

    A lent grant holds while the lender's own does, and never longer.
    """
    own, lent = _rows(connection, actor_id, 0), _rows(connection, actor_id, 1)
    found = [_as_grant(row) for row in own]
    for row in lent:
        for theirs in _rows(connection, row.granted_by, 0):
            if (theirs.role, theirs.scope) == (row.role, row.scope):
                found.append(_lent(_as_grant(row), _as_grant(theirs)))
    return tuple(found)


def _rows(connection: sa.Connection, actor_id: str, delegated: int) -> list[Any]:
    held = sa.select(grant).where(grant.c.actor_id == actor_id, grant.c.delegated == delegated)
    return list(connection.execute(held.order_by(grant.c.id)))


def _as_grant(row: Any) -> Grant:
    until = None if row.until is None else day_of(row.until)
    return Grant(row.role, row.scope, day_of(row.since), until, row.granted_by if row.delegated else None)


def _lent(lent: Grant, own: Grant) -> Grant:
    since = max(day for day in (lent.since, own.since, dt.date.min) if day is not None)
    until = min((day for day in (lent.until, own.until) if day is not None), default=None)
    return evolve(lent, since=since, until=until)


def lenders_numbers(connection: sa.Connection, actor_id: str) -> tuple[str, ...]:
    """Return the numbers of the volunteer who is that lender of grants, followed through merges."""
    query = sa.select(grant.c.granting_volunteer).where(
        grant.c.granted_by == actor_id, grant.c.granting_volunteer.is_not(None)
    )
    return tuple(
        resolved_number(connection, number) for number in connection.execute(query.distinct()).scalars()
    )


_LINKED = sa.text(  # tables of the volunteers, who are above the store
    "SELECT v.number FROM vk_volunteer_link l JOIN vk_volunteer v ON v.id = l.volunteer_id "
    "WHERE l.actor_id = :actor"
)


def linked_numbers(connection: sa.Connection, actor_id: str) -> tuple[str, ...]:
    """Return the number of the volunteer whom an actor is by registration or claim, followed through merges."""
    found = connection.execute(_LINKED, {"actor": actor_id}).scalars()
    return tuple(resolved_number(connection, number) for number in found.all())


def inherited(connection: sa.Connection, grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """Return the same grants for organizations that ended and whose records those of the grants answer for."""
    held = [each for each in grants if each.role == "organization_admin"]
    found: list[Grant] = []
    while held:
        scopes = sorted({each.scope for each in held if each.scope})
        rows = connection.execute(sa.select(succession).where(succession.c.successor.in_(scopes))).fetchall()
        held = [
            evolve(each, scope=row.number, since=max(each.since or dt.date.min, day_of(row.since)))
            for row in rows
            for each in held
            if each.scope == row.successor
        ]
        found += held
    return tuple(found)


_STOPPED = (
    "FROM vk_standing s WHERE s.change = 'suspend' AND s.state = 'in_force' AND s.since <= {day} "
    "AND (s.until IS NULL OR s.until >= {day})"
)
_LIVING = "({table}.ended_on IS NULL OR {table}.ended_on > {{day}})"
_STOPPED_OWNERS = (
    f"SELECT o.id FROM vk_organization o WHERE {_LIVING.format(table='o')} "
    f"AND o.id IN (SELECT s.organization_id {_STOPPED})"
)
_SUSPENDED = {  # tables of the organizations, who are above the store; an ended one is not suspended
    "organization_admin": (
        "SELECT 'organization_admin', x.number FROM vk_organization x WHERE x.number IN ({marks}) "
        f"AND x.id IN ({_STOPPED_OWNERS})"
    ),
    "team_leader": (
        "SELECT 'team_leader', t.number FROM vk_team t WHERE t.number IN ({marks}) "
        f"AND {_LIVING.format(table='t')} AND (t.id IN (SELECT s.team_id {_STOPPED}) "
        "OR COALESCE((SELECT a.organization_id FROM vk_team_affiliation a WHERE a.team_id = t.id AND a.since <= {day} "
        f"ORDER BY a.since DESC LIMIT 1), t.organization_id) IN ({_STOPPED_OWNERS}))"
    ),
}


@lru_cache(maxsize=256)
def _suspended(counts: tuple[tuple[str, int], ...], day: int, mark: str) -> str:
    """Return the driver's text that asks for as many scopes of each role: it is on the way of every posting."""
    return " UNION ALL ".join(
        _SUSPENDED[role].format(day=day, marks=", ".join([mark] * count)) for role, count in counts
    )


def can_be_suspended(grants: Iterable[Grant]) -> bool:
    """Tell whether any of the grants is an office of an organization or a team."""
    return any(each.role in _SUSPENDED for each in grants)


def unsuspended(connection: sa.Connection, grants: Iterable[Grant], day: dt.date) -> tuple[Grant, ...]:
    """Return the grants but those for an organization, a team or an organization's team suspended on ``day``.

    One statement, and none where no grant is such an office.
    """
    held = tuple(grants)
    scopes = {role: {each.scope for each in held if each.role == role and each.scope} for role in _SUSPENDED}
    counts = tuple((role, len(some)) for role, some in scopes.items() if some)
    if not counts:
        return held
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    given = tuple(each for some in scopes.values() for each in sorted(some))
    rows = connection.exec_driver_sql(_suspended(counts, day_number(day), mark), given)
    stopped = {tuple(row) for row in rows}
    return held if not stopped else tuple(each for each in held if (each.role, each.scope) not in stopped)


def resolved_number(connection: sa.Connection, number: str) -> str:
    """Return the number that stands for ``number`` today: itself, unless it was merged into another."""
    query = sa.select(alias.c.volunteer_number).where(alias.c.number == number)
    found: str | None = connection.execute(query).scalar()
    return found or number


def all_numbers(connection: sa.Connection, number: str) -> frozenset[str]:
    """Return ``number`` and those that were merged into it: what `resolved_number` answers with it."""
    merged = sa.select(alias.c.number).where(alias.c.volunteer_number == number)
    return frozenset((number, *connection.execute(merged).scalars()))


def within(reach: Reach, columns: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """Return the SQL condition for rows that ``reach`` covers.

    ``columns`` maps what a row can be reached by (``volunteer``, ``brought_by``, ``team``,
    ``organization``, ``area``, ``published``) to a column, or to a function from the reached values to a
    condition (for what stands in another table). What is not mapped is not reached; nothing reached is
    literally false, never an empty list.
    """
    if reach.city:
        return sa.true()
    wanted: dict[str, tuple[Any, ...]] = {
        "volunteer": (reach.volunteer,) if reach.volunteer else (),
        "brought_by": (reach.brought_by,) if reach.brought_by else (),
        "team": tuple(sorted(reach.teams)),
        "organization": tuple(sorted(reach.organizations)),
        "area": tuple(sorted(reach.areas)),
    }
    parts = []
    for name, values in wanted.items():
        column = columns.get(name)
        if values and column is not None:
            parts.append(column(values) if callable(column) else column.in_(values))
    if reach.published and "published" in columns:
        parts.append(columns["published"])
    return sa.or_(*parts) if parts else sa.false()
