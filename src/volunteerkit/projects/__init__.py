"""Brands and activity projects."""

from __future__ import annotations

from volunteerkit.errors import Refused
from volunteerkit.ledger import issuer_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.organizations.reading import cannot_take_in
from volunteerkit.projects import attendance, batches, codes
from volunteerkit.projects.tables import project
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command
from volunteerkit.store.registering import checked_text, id_of, register_row

__all__ = ["attendance", "batches", "codes", "register"]


def __dir__() -> list[str]:
    return __all__


@command
def register(desk: Desk, number: str, *, name: str, organization: str, category: str = "") -> str:
    """Register a project of the organization with that number, with the account its minutes come from.

    Raises NotPermitted, NotFound, InvalidValue, Refused when the number is taken or the organization is not
    active.
    """
    desk.permit("project.register", organization=organization)
    id_ = id_of(desk, organizations.organization, "organization", organization)
    stopped = cannot_take_in(desk, organization, desk.today)
    if stopped:
        raise Refused(*stopped)
    values = {
        "name": checked_text("name", name),
        "category": checked_text("category", category) if category else "",
        "organization_id": id_,
        "status": "approved",
    }
    given = checked_text("number", number, 100)
    register_row(desk, project, "project.registered", given, values, issuer_account)
    return given
