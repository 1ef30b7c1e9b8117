"""Looking at one volunteer: the mask that the cell, the office and the age ask for, and unmasking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from volunteerkit.access import Cell, holding
from volunteerkit.clock import age_on
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.personal.model import Profile
from volunteerkit.privacy import HIDDEN, PURPOSES, fields, mask, retention
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.vault import open_subject, retention_of
from volunteerkit.units import day_of
from volunteerkit.volunteers.model import CHILD_YEARS
from volunteerkit.volunteers.reading import Found, reached, status_of
from volunteerkit.volunteers.tables import tag

__all__ = ["profile", "reached", "seen", "unmask"]


def __dir__() -> list[str]:
    return __all__


def child_on(data: Mapping[str, Any], day: dt.date) -> bool:
    """Tell whether somebody with these data is under 14 on ``day``; an unknown birth date says no."""
    born = str(data.get("born_on") or "")
    return born != "" and age_on(dt.date.fromisoformat(born), day) < CHILD_YEARS


def seen(
    desk: Desk, found: Found, cell: Cell, data: Mapping[str, Any]
) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the personal fields as the actor sees them, and which of them stand in their mask."""
    if not cell.masked:
        return dict(data), frozenset()
    child, shown, masked = child_on(data, desk.today), dict[str, Any](), set[str]()
    for name, value in data.items():
        field = fields().get(name)
        if not value or (field and not child and not field.sensitive and _holds(desk, field.full, found)):
            shown[name] = value
            continue
        masked.add(name)
        text = field is not None and isinstance(value, str)
        shown[name] = mask(name, value, on=desk.today, child=child) if text else HIDDEN
    return shown, frozenset(masked)


def _holds(desk: Desk, roles: tuple[str, ...], found: Found) -> bool:
    return any(holding(desk.holder("volunteer.view"), role, desk.today, found.place) for role in roles)


@storage_errors("database")
def profile(desk: Desk, number: str) -> Profile:
    """Return a volunteer as the actor may see them: their own data in full, others' as the mask says.

    Of somebody whose data are restricted others see no personal field. Raises NotFound, NotPermitted,
    KeyProblem.
    """
    found, cell = reached(desk, "volunteer.view", number)
    state, _ = retention_of(desk.connection, found.subject)
    data: Mapping[str, Any] = {}
    if state != "restricted" or not cell.masked:
        data = open_subject(desk.connection, desk.needed_cipher(), found.subject)
    shown, masked = seen(desk, found, cell, data)
    held = (
        sa.select(tag.c.value)
        .where(tag.c.volunteer_id == found.id, tag.c.kind == "skill")
        .order_by(tag.c.value)
    )
    skills = () if state == "restricted" and cell.masked else tuple(desk.connection.execute(held).scalars())
    return Profile(
        found.number, found.organization, next(iter(found.place.teams), None), next(iter(found.place.areas), ""),
        status_of(desk, found),
        day_of(found.registered_on), state, skills, shown, masked,
    )  # fmt: skip


@command
def unmask(desk: Desk, number: str, field: str, *, purpose: str = "") -> Any:
    """Return one personal field in full; an empty text when there is none. Every use is an event.

    ``purpose`` is a code of `privacy.PURPOSES`. Raises Refused when the actor needs one and gives none or the
    data are restricted, InvalidValue for an unknown field or purpose, NotFound, NotPermitted, KeyProblem.
    """
    retention(field)
    found, cell = reached(desk, "volunteer.unmask", number)
    if purpose and (type(purpose) is not str or purpose not in PURPOSES):
        raise InvalidValue(name="purpose", value=type(purpose).__name__, allowed=", ".join(PURPOSES))
    if cell.purpose and not purpose:
        raise Refused(Finding("purpose_needed", {"field": field, "allowed": ", ".join(PURPOSES)}))
    if retention_of(desk.connection, found.subject)[0] == "restricted" and cell.purpose:
        raise Refused(Finding("restricted", {"number": found.number}))
    value = open_subject(desk.connection, desk.needed_cipher(), found.subject).get(field, "")
    note(desk, "volunteer.unmasked", found.subject, {"field": field, "purpose": purpose})
    return value
