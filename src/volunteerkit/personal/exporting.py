"""A copy of everything about oneself, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from volunteerkit.errors import Finding, NotPermitted, Refused
from volunteerkit.ledger import honour_account
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import command, note
from volunteerkit.store.schema import metadata
from volunteerkit.store.texts import is_address, texts_about
from volunteerkit.store.vault import open_subject, open_subjects
from volunteerkit.units import day_of, instant_of
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import Found, find
from volunteerkit.volunteers.tables import link, volunteer

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
    key is a table with the rows that are the person's (`store.schema.table`). What was said of them in free
    words stands where it was said. Days are dates, instants are UTC; digests and keys are left out. Raises
    NotPermitted, Refused for an actor who is no volunteer, KeyProblem.
    """
    found = own_row(desk, "privacy.export")
    cipher, ids = desk.needed_cipher(), together(desk.connection, found.id)
    subjects = [f"volunteer:{each}" for each in ids]
    everything: dict[str, Any] = {"personal": open_subject(desk.connection, cipher, found.subject)}
    held = open_subjects(desk.connection, cipher, subjects[1:])
    if held:
        everything["personal_merged"] = list(held.values())
    names, said = _names(desk, ids, subjects), texts_about(desk, subjects)
    for table in metadata.sorted_tables:
        rows = _rows(desk, table, names, said)
        if rows:
            everything[table.name.removeprefix("vk_")] = rows
    note(desk, "privacy.exported", found.subject, {})
    return json.dumps(everything, ensure_ascii=False, sort_keys=True)


def _names(desk: Desk, ids: Sequence[int], subjects: Sequence[str]) -> dict[str, Sequence[Any]]:
    """Return what one person is called in the tables, by the columns that are no foreign keys."""
    people = sa.select(volunteer.c.number).where(volunteer.c.id.in_(ids)).order_by(volunteer.c.id)
    numbers = list(desk.connection.execute(people).scalars())
    linked = sa.select(link.c.actor_id).where(link.c.volunteer_id.in_(ids))
    actors = sorted({desk.actor.id, *desk.connection.execute(linked).scalars()})
    return {
        "id": [honour_account(each) for each in ids], "number": numbers, "volunteer_number": numbers,
        "beneficiary": numbers, "subject": subjects, "actor_id": actors,
    }  # fmt: skip


def _theirs(table: sa.Table, names: Mapping[str, Sequence[Any]]) -> sa.ColumnElement[bool]:
    """Return the SQL for the rows of ``table`` that are the person's, by themselves or by what they belong to."""
    about: list[sa.ColumnElement[bool]] = []
    for name in table.info.get("owner", ()):
        column = table.c[name]
        if name in names:
            about.append(column.in_(names[name]))
        for key in column.foreign_keys:
            about.append(column.in_(sa.select(key.column).where(_theirs(key.column.table, names))))
        if name == "subject":  # it may name more than the person: volunteer:12:team:3
            about += [column.startswith(f"{each}:", autoescape=True) for each in names[name]]
    return sa.or_(sa.false(), *about)


def _rows(
    desk: Desk, table: sa.Table, names: Mapping[str, Sequence[Any]], said: Mapping[str, str]
) -> list[dict[str, Any]]:
    columns = [column for column in table.c if not isinstance(column.type, sa.LargeBinary)]
    query = sa.select(*columns).where(_theirs(table, names)).order_by(*table.primary_key.columns)
    return [
        {name: _plain(name, value, said) for name, value in row._mapping.items()}
        for row in (desk.connection.execute(query) if table.info.get("owner") else ())
    ]


def _plain(name: str, value: Any, said: Mapping[str, str]) -> Any:
    if isinstance(value, int) and name.endswith(("_on", "since", "until")):
        return day_of(value).isoformat()
    if isinstance(value, int) and name.endswith("_at"):
        return instant_of(value).isoformat()
    if name == "facts":
        return {key: _plain("", each, said) for key, each in json.loads(value).items()}
    return said.get(value, "") if isinstance(value, str) and is_address(value) else value
