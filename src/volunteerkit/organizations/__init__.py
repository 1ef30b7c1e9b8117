"""Organizations and teams."""

from __future__ import annotations

from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.registering import checked_text, register_row
from volunteerkit.units import day_number

__all__ = ["register"]


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
def register(desk: Desk, number: str, *, name: str, type: str = "") -> str:
    """Register an organization under the city's ``number`` for it and return that number.

    Raises NotPermitted, InvalidValue, Refused when the number is taken.
    """
    desk.permit("organization.register")
    values = {
        "name": checked_text("name", name),
        "type": checked_text("type", type) if type else "",
        "registered_on": day_number(desk.today),
        "status": "active",
    }
    given = checked_text("number", number, 100)
    register_row(desk, organization, "organization.registered", given, values)
    return given
