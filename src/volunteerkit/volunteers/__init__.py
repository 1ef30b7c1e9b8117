"""Volunteers: who they are, and how they are registered."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from volunteerkit import hooks
from volunteerkit.ledger import honour_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.privacy import found_by
from volunteerkit.store.desk import Desk
from volunteerkit.store.registering import checked_text, id_of, register_row
from volunteerkit.store.schema import head
from volunteerkit.store.vault import check_key, seal_subject
from volunteerkit.units import day_number
from volunteerkit.volunteers.identity import adult_on, read_identity
from volunteerkit.volunteers.tables import doubt, volunteer

__all__ = ["register"]


def __dir__() -> list[str]:
    return __all__


def register(
    desk: Desk,
    *,
    name: str,
    organization: str,
    number: str | None = None,
    identity_number: str | None = None,
    phone: str | None = None,
    born_on: dt.date | None = None,
) -> str:
    """Register a volunteer with an organization and return the public volunteer number.

    The name, identity number, phone and birth date go into the vault, sealed; nothing of them is stored in
    plain text. Without ``number`` a plugin chooses one, else it is ``V`` and seven digits. Raises
    NotPermitted, NotFound, InvalidValue, KeyProblem without a cipher, Refused when the number is taken.
    """
    desk.permit("volunteer.register", organization=organization)
    cipher = desk.needed_cipher()
    identity = read_identity(identity_number, desk.today) if identity_number else None
    born = born_on or (identity.born_on if identity else None)
    personal = {
        "name": checked_text("name", name, 100),
        "sex": identity.sex if identity else "",
        "born_on": born.isoformat() if born else "",
        "identity_number": identity.number if identity else "",
        "phone": phone or "",
    }
    values = {
        "organization_id": id_of(desk, organizations.organization, "organization", organization),
        "status": "approved",
        "registered_on": day_number(desk.today),
        "adult_on": adult_on(born) if born else None,
    }
    check_key(desk.connection, cipher)
    given = checked_text("number", number, 100) if number else _number(desk, organization)
    id_ = register_row(desk, volunteer, "volunteer.registered", given, values, honour_account)
    seal_subject(desk.connection, cipher, f"volunteer:{id_}", personal, found_by=found_by(personal))
    for kind in identity.doubts if identity else ("missing_id",):
        desk.connection.execute(sa.insert(doubt).values(volunteer_id=id_, kind=kind))
    return given


def _number(desk: Desk, organization: str) -> str:
    serial = desk.connection.execute(sa.select(head.c.event_seq)).scalar_one() + 1
    return hooks.choose_volunteer_number(desk, organization, serial) or f"V{serial:07d}"
