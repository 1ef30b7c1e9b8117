"""Volunteers: who they are, and how they are registered."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from volunteerkit import hooks, store
from volunteerkit.errors import KeyProblem
from volunteerkit.ledger import honour_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.registering import checked_text, id_of, register_row
from volunteerkit.store.schema import head
from volunteerkit.store.vault import blind, vault
from volunteerkit.units import day_number, plain_day, plain_text
from volunteerkit.volunteers.identity import adult_on, read_identity
from volunteerkit.volunteers.tables import doubt, volunteer

__all__ = ["register"]


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
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
    identity = (
        read_identity(plain_text("identity_number", identity_number), desk.today) if identity_number else None
    )
    if born_on is not None:
        plain_day("born_on", born_on)
    born = born_on or (identity.born_on if identity else None)
    personal = {
        "name": checked_text("name", name, 100),
        "sex": identity.sex if identity else "",
        "born_on": born.isoformat() if born else "",
        "identity_number": identity.number if identity else "",
        "phone": checked_text("phone", phone, 40) if phone else "",
    }
    values = {
        "organization_id": id_of(desk, organizations.organization, "organization", organization),
        "status": "approved",
        "registered_on": day_number(desk.today),
        "adult_on": adult_on(born) if born else None,
    }
    expected = store.get_meta(desk.connection, "key_print")
    if expected not in (None, cipher.key_print):
        raise KeyProblem("key_wrong", expected=expected, found=cipher.key_print)
    given = checked_text("number", _number(desk, organization) if number is None else number, 100)
    id_ = register_row(desk, volunteer, "volunteer.registered", given, values, honour_account)
    if expected is None:
        store.set_meta(desk.connection, "key_print", cipher.key_print)
    wrapped, sealed = cipher.seal(f"volunteer:{id_}", personal)
    desk.connection.execute(sa.insert(vault).values(volunteer_id=id_, wrapped_key=wrapped, sealed=sealed))
    for kind in ("identity_number", "phone"):
        if personal[kind]:
            digest = cipher.index(kind, personal[kind])
            desk.connection.execute(sa.insert(blind).values(kind=kind, digest=digest, volunteer_id=id_))
    for kind in identity.doubts if identity else ("missing_id",):
        desk.connection.execute(sa.insert(doubt).values(volunteer_id=id_, kind=kind))
    return given


def _number(desk: Desk, organization: str) -> str:
    serial = desk.connection.execute(sa.select(head.c.event_seq)).scalar_one() + 1
    chosen = hooks.choose_volunteer_number(desk, organization, serial)
    return f"V{serial:07d}" if chosen is None else chosen
