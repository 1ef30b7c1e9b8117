"""Brands and activity projects."""

from __future__ import annotations

from volunteerkit.ledger import issuer_account
from volunteerkit.organizations import tables as organizations
from volunteerkit.projects.tables import project
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command
from volunteerkit.store.registering import checked_text, id_of, register_row

__all__ = ["register"]


def __dir__() -> list[str]:
    return __all__


@command
def register(desk: Desk, number: str, *, name: str, organization: str, category: str = "") -> str:
    """Register a project of the organization with that number, with the account its minutes come from.

    Raises NotPermitted, NotFound, InvalidValue, Refused when the number is taken.
    """
    desk.permit("project.register", organization=organization)
    values = {
        "name": checked_text("name", name),
        "category": checked_text("category", category) if category else "",
        "organization_id": id_of(desk, organizations.organization, "organization", organization),
        "status": "approved",
    }
    given = checked_text("number", number, 100)
    register_row(desk, project, "project.registered", given, values, issuer_account)
    return given
