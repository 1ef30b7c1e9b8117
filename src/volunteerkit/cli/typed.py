"""Reading what an office types: roles, numbers, ids. What may be a personal datum is not repeated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING

from volunteerkit import messages
from volunteerkit.access import ROLES, Actor, Grant
from volunteerkit.cli.common import City, both
from volunteerkit.errors import InvalidValue, NotFound, did_you_mean
from volunteerkit.privacy import HIDDEN
from volunteerkit.units import fold

if TYPE_CHECKING:
    from volunteerkit.store.desk import Desk

__all__ = ["actor_of", "check_scope", "id_of", "instant_of", "known_number", "number_of", "role_of", "shown"]

_KINDS = {"team_leader": "team", "organization_admin": "organization", "volunteer": "volunteer"}
_SCOPES = {
    "team_leader": "T0001",
    "organization_admin": "O0001",
    "department_officer": "渝水区",
    "volunteer": "V0000001",
}


def __dir__() -> list[str]:
    return __all__


def role_of(text: str) -> tuple[str, str | None]:
    """Return role and scope of ``ROLE[:SCOPE]``; raises InvalidValue."""
    role, _, scope = fold(text).strip().partition(":")
    if role not in ROLES:
        raise InvalidValue("role_unknown", role=role, near=did_you_mean(role, ROLES), known=", ".join(ROLES))
    if bool(scope) != (role in _SCOPES):
        example = f"{role}:{_SCOPES[role]}" if role in _SCOPES else role
        raise InvalidValue("role_form", role=role, example=example)
    return role, scope or None


def actor_of(id: str, roles: Iterable[str]) -> Actor:
    """Return the actor with roles in the form ``ROLE[:SCOPE]``; a volunteer's scope is their own number.

    Raises InvalidValue.

    >>> actor_of("clerk-1", ["organization_admin:O0001"]).grants[0].scope
    'O0001'
    """
    parted = [role_of(text) for text in roles]
    volunteer = next((scope for role, scope in parted if role == "volunteer"), None)
    grants = tuple(Grant(role, None if role == "volunteer" else scope) for role, scope in parted)
    return Actor(id, grants, volunteer)


def shown(typed: str) -> str:
    """Return what was typed in a place that asks for no personal datum, hidden if it may be one all the same."""
    from volunteerkit.privacy import hide

    return typed if typed.isascii() and hide(typed) == typed else HIDDEN


def _missing(kind: str, typed: str) -> NotFound:
    """Return the error for what was typed in place of a number; perhaps it was a name, a phone or an identity number."""
    from volunteerkit.privacy import hide

    if any(letter.isdigit() for letter in typed):
        told = HIDDEN if hide(typed) != typed else typed
    else:  # where a volunteer is asked for, any word may be a name, in whatever letters
        told = HIDDEN if kind == "volunteer" else shown(typed)
    error = NotFound(kind=kind, id=told)
    if kind == "volunteer" and told != typed:
        error.add_note(
            both(
                "按姓名或电话查找，请用 volunteerkit find。",
                "To look for a name or a phone use volunteerkit find.",
            )
        )
    return error


def number_of(kind: str, typed: str) -> str:
    """Return a typed number in its one form; raises NotFound for what cannot be one."""
    from volunteerkit.exchange.cells import Cell, read_id

    try:
        number = read_id(typed)
    except Cell:
        raise _missing(kind, typed) from None
    if _missing(kind, number).values["id"] != number:
        raise _missing(kind, number)
    return number


def id_of(kind: str, typed: str) -> int:
    """Return a typed id of a case or a grant; raises NotFound."""
    number = number_of(kind, typed)
    if not (number.isascii() and number.isdigit()):
        raise _missing(kind, number)
    return int(number)


def instant_of(city: City, option: str, typed: str) -> dt.datetime:
    """Return the aware instant of a typed day and time, which is the city's unless it says another zone.

    Raises InvalidValue: also for a day alone, of which nobody can tell whether its beginning or its end is meant.
    """
    from volunteerkit.exchange.cells import Cell, read_instant

    try:
        if ":" not in fold(typed):
            raise Cell("instant_unreadable")
        return read_instant(typed, (), city.kit.zone)
    except Cell:
        allowed = messages.phrase("allowed_instant")
        raise InvalidValue(name=option, value=shown(typed), allowed=allowed) from None


def known_number(desk: Desk, kind: str, typed: str) -> str:
    """Return the number of a volunteer, an organization or a team; raises NotFound with the nearest there is."""
    import sqlalchemy as sa

    from volunteerkit.organizations.tables import organization, team
    from volunteerkit.volunteers.tables import volunteer

    number = number_of(kind, typed)
    column = {"volunteer": volunteer, "organization": organization, "team": team}[kind].c.number
    known = sa.select(column)
    if desk.connection.execute(known.where(column == number)).first():
        return number
    missing = _missing(kind, number)
    alike = column.startswith(number[:-2], autoescape=True) | column.endswith(number[-3:], autoescape=True)
    if near := did_you_mean(number, desk.connection.execute(known.where(alike).limit(1000)).scalars()):
        missing.add_note(str(near).strip())
    raise missing


def check_scope(desk: Desk, role: str, scope: str | None) -> None:
    """See that what a role is held for is there; raises NotFound, or InvalidValue for a district."""
    import sqlalchemy as sa

    from volunteerkit.organizations.tables import organization
    from volunteerkit.volunteers.tables import volunteer

    if scope is None:
        return
    if role in _KINDS:
        known_number(desk, _KINDS[role], scope)
        return
    areas = sa.union(
        *(sa.select(column).where(column != "") for column in (organization.c.area, volunteer.c.district))
    )
    known = sorted(desk.connection.execute(areas).scalars())
    if known and scope not in known:  # before anything is entered, any district may come
        near = did_you_mean(scope, known)
        raise InvalidValue("area_unknown", area=scope, near=near, known=", ".join(known[:20]))
