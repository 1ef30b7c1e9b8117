"""A copy of everything about oneself, as JSON."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from volunteerkit.errors import Finding, NotPermitted, Refused
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, note
from volunteerkit.store.schema import metadata
from volunteerkit.store.vault import blind, open_subject, open_subjects, vault
from volunteerkit.units import day_of, instant_of
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import Found, find
from volunteerkit.volunteers.tables import volunteer

__all__ = ["export_own", "own_row"]


def __dir__() -> list[str]:
    return __all__


def own_row(desk: Desk, action: str) -> Found:
    """Return the actor as a volunteer, permitted to do ``action``; raises NotPermitted, Refused."""
    if desk.reach(action).nothing:
        raise NotPermitted(actor=desk.actor.id, action=action)
    number = desk.acting.volunteer
    found = find(desk, number) if number else None
    if found is None:
        raise Refused(Finding("not_a_person", {"actor": desk.actor.id}))
    desk.permit(action, found.place)
    return found


@command
def export_own(desk: Desk) -> str:
    """Return everything that is stored about the actor's own person, as a JSON object of tables and rows.

    ``personal`` are the data from the vault, ``personal_merged`` those of merged registrations; every other
    key is a table whose rows name the person by id, number or subject. Days are dates, instants are UTC; digests and keys are left out. Raises NotPermitted,
    Refused for an actor who is no volunteer, KeyProblem.
    """
    found = own_row(desk, "privacy.export")
    cipher, ids = desk.needed_cipher(), together(desk.connection, found.id)
    everything: dict[str, Any] = {"personal": open_subject(desk.connection, cipher, found.subject)}
    held = open_subjects(desk.connection, cipher, [f"volunteer:{each}" for each in ids[1:]])
    if held:
        everything["personal_merged"] = list(held.values())
    people = sa.select(volunteer.c.number).where(volunteer.c.id.in_(ids))
    numbers = list(desk.connection.execute(people.order_by(volunteer.c.id)).scalars())
    for table in metadata.sorted_tables:
        rows = _rows(desk, table, ids, numbers)
        if rows:
            everything[table.name.removeprefix("vk_")] = rows
    note(desk, "privacy.exported", found.subject, {})
    return json.dumps(everything, ensure_ascii=False, sort_keys=True)


def _rows(desk: Desk, table: sa.Table, ids: tuple[int, ...], numbers: list[str]) -> list[dict[str, Any]]:
    """Return the rows of a table that are about a volunteer: every slice names them in one of these ways."""
    if table in (vault, blind):
        return []
    subjects = [f"volunteer:{each}" for each in ids]
    names: dict[str, Any] = {"volunteer_id": ids, "volunteer": numbers, "subject": subjects}
    about = [table.c[name].in_(values) for name, values in names.items() if name in table.c]
    if table.name == "vk_volunteer":
        about = [table.c.id.in_(ids)]
    if not about:
        return []
    columns = [column for column in table.c if not isinstance(column.type, sa.LargeBinary)]
    order = list(table.primary_key.columns)
    query = sa.select(*columns).where(sa.or_(*about)).order_by(*order)
    return [
        {name: _plain(name, value) for name, value in row._mapping.items()}
        for row in desk.connection.execute(query)
    ]


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, int) and name.endswith(("_on", "since", "until")):
        return day_of(value).isoformat()
    if isinstance(value, int) and name.endswith("_at"):
        return instant_of(value).isoformat()
    return value
