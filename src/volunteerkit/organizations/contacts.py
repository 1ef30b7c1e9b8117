"""Whom to ask at an organization: kept in the vault, shown in the mask, read in full for a purpose."""

from __future__ import annotations

from typing import Final

import attrs
import sqlalchemy as sa

from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.organizations.model import WAITING, Contact
from volunteerkit.organizations.reading import reached
from volunteerkit.organizations.tables import organization, status_on
from volunteerkit.privacy import PURPOSES, mask, retention
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.vault import open_subject, seal_subject, vault
from volunteerkit.units import day_number, day_of

__all__ = ["contact", "forget_contact", "forget_contacts", "put_contact", "unmask_contact"]

FIELDS: Final = tuple(field.name for field in attrs.fields(Contact))


def __dir__() -> list[str]:
    return __all__


def put_contact(desk: Desk, id_: int, given: Contact) -> None:
    """Keep ``given`` in the place of the contact before, whose key is destroyed; an empty one leaves none."""
    data = {name: value for name, value in attrs.asdict(given).items() if value}
    if not data:
        forget_contact(desk, id_)
        return
    # found by nothing: who looks for a volunteer by name or phone does not find organizations
    seal_subject(desk.connection, desk.needed_cipher(), f"organization:{id_}", data, found_by={})


def forget_contact(desk: Desk, id_: int) -> bool:
    """Destroy the contact of an organization and its key; tell whether there was one. Other texts stay."""
    gone = sa.delete(vault).where(vault.c.subject == f"organization:{id_}")
    return desk.connection.execute(gone).rowcount > 0


@storage_errors("database")
def contact(desk: Desk, number: str) -> Contact:
    """Return whom to ask at an organization, in the canonical mask; empty fields when nobody was named.

    Raises NotFound, NotPermitted, KeyProblem.
    """
    row = reached(desk, "organization.view_contact", number)
    held = open_subject(desk.connection, desk.needed_cipher(), f"organization:{row.id}")
    return Contact.masked(**{name: mask(name, held.get(name, "")) for name in FIELDS})


@command
def unmask_contact(desk: Desk, number: str, field: str, *, purpose: str = "") -> str:
    """Return the ``name``, ``phone`` or ``email`` of an organization's contact in full. Every use is an event.

    ``purpose`` is a code of `privacy.PURPOSES`. Raises Refused without a purpose, InvalidValue for an unknown
    field or purpose, NotFound, NotPermitted, KeyProblem.
    """
    if type(field) is not str or field not in FIELDS:  # it may be a datum in the wrong place
        raise InvalidValue(name="field", value=type(field).__name__, allowed=", ".join(FIELDS))
    row = reached(desk, "organization.unmask_contact", number)
    if purpose and (type(purpose) is not str or purpose not in PURPOSES):
        raise InvalidValue(name="purpose", value=type(purpose).__name__, allowed=", ".join(PURPOSES))
    if not purpose:
        raise Refused(Finding("purpose_needed", {"field": field, "allowed": ", ".join(PURPOSES)}))
    held = open_subject(desk.connection, desk.needed_cipher(), f"organization:{row.id}")
    note(
        desk, "organization.contact_unmasked", f"organization:{row.id}", {"field": field, "purpose": purpose}
    )
    return str(held.get(field, ""))


@command
def forget_contacts(desk: Desk) -> int:
    """Destroy the contacts of organizations that ended longer ago than a phone is kept; return how many.

    So are those of applications that were refused or withdrawn. Run it daily, as `approvals.sweep`. Raises
    NotPermitted.
    """
    desk.permit("organization.forget_contacts")
    stands = status_on(organization, day_number(desk.today))
    subject = sa.literal("organization:").concat(sa.cast(organization.c.id, sa.Text))
    query = (
        sa.select(organization.c.id, organization.c.ended_on)
        .join(vault, vault.c.subject == subject)
        .where(sa.or_(organization.c.ended_on.is_not(None), stands.in_([each for each in WAITING if each != "pending"])))
        .order_by(organization.c.id)
    )  # fmt: skip
    count = 0
    for id_, ended_on in desk.connection.execute(query).fetchall():
        if ended_on is None or retention("phone").ends_on(day_of(ended_on)) < desk.today:
            forget_contact(desk, id_)
            note(desk, "privacy.erased", f"organization:{id_}", {"fields": list(FIELDS)})
            count += 1
    return count
