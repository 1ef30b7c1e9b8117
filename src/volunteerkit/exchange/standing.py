"""How imported volunteers stand: who is pending waits for a decision, who is suspended has a period that can end.

An office can do with them whatever it can do with those who were registered at a desk.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.approvals.cases import open_cases, put, read_case, selected
from volunteerkit.approvals.tables import case, is_open
from volunteerkit.errors import Finding
from volunteerkit.exchange.table_rows import Ready
from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import note_many
from volunteerkit.store.registering import next_id
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import period

__all__ = ["OF_THE_IMPORT", "put_standing", "running_suspensions"]

OF_THE_IMPORT: Final = "imported"
"""The code that stands in the place of a reason, and for who closed a case, where a file said so."""

_KIND: Final = "volunteer.registration"
_OUTCOMES: Final = {"rejected": "refused", "deregistered": "withdrawn"}
_STEP: Final = 5000


def __dir__() -> list[str]:
    return __all__


def put_standing(
    desk: Desk, added: list[Ready], changed: list[Ready], ids: dict[str, int], left: dict[str, Set[str]]
) -> None:
    """Open and close cases and suspensions as the rows say, but for those whose status is ``left`` as it is."""
    said = [got for got in changed if "status" not in left[got[0]]]
    waiting = _waiting(desk, [ids[number] for number, _, _ in said])
    running = running_suspensions(desk, [ids[number] for number, _, _ in said])
    _open(desk, [got for got in (*added, *said)
                 if got[1]["status"] == "pending" and ids[got[0]] not in waiting], ids)  # fmt: skip
    for number, values, _ in said:
        row = waiting.get(ids[number])
        if row is not None and values["status"] != "pending":
            found = read_case(desk, row)
            state = _OUTCOMES.get(values["status"], "granted")
            put(desk, found, attrs.evolve(found.put, state=state, since=desk.today), by=OF_THE_IMPORT)
    _suspend(desk, [ids[number] for number, values, _ in (*added, *said)
                    if values["suspended"] and ids[number] not in running])  # fmt: skip
    _end(desk, [running[ids[number]] for number, values, _ in said
                if not values["suspended"] and ids[number] in running])  # fmt: skip


def _waiting(desk: Desk, volunteer_ids: list[int]) -> dict[int, Any]:
    """Return the waiting registrations of these volunteers, as rows of `selected`."""
    found: dict[int, Any] = {}
    for start in range(0, len(volunteer_ids), _STEP):
        subjects = {f"volunteer:{each}": each for each in volunteer_ids[start : start + _STEP]}
        query = selected.where(case.c.kind == _KIND, is_open, case.c.subject.in_(subjects))
        found |= {subjects[row.subject]: row for row in desk.connection.execute(query)}
    return found


def _open(desk: Desk, rows: list[Ready], ids: dict[str, int]) -> None:
    if not rows:
        return
    query = sa.select(organization.c.id, organization.c.number)
    numbers = {id_: number for id_, number in desk.connection.execute(query)}
    many = []
    for number, values, _ in rows:
        of, area = numbers[values["organization_id"]], values["district"]
        place = Place(number, (), (of,), (area,) if area else ())
        doubts = tuple(Finding(kind, {}, "warn") for kind in sorted(values["doubts"]))
        facts = {"organization": of, "area": area, "by_oneself": False}
        many.append((f"volunteer:{ids[number]}", place, facts, doubts))
    open_cases(desk, _KIND, many)


def running_suspensions(desk: Desk, volunteer_ids: list[int]) -> dict[int, Any]:
    """Return the suspensions of these volunteers that run today, as rows of the table, by volunteer."""
    found: dict[int, Any] = {}
    today = day_number(desk.today)
    now = sa.and_(period.c.since <= today, sa.or_(period.c.until.is_(None), period.c.until >= today))
    for start in range(0, len(volunteer_ids), _STEP):
        some = period.c.volunteer_id.in_(volunteer_ids[start : start + _STEP])
        query = sa.select(period).where(some, period.c.kind == "suspended", now)
        found |= {row.volunteer_id: row for row in desk.connection.execute(query)}
    return found


def _suspend(desk: Desk, volunteer_ids: list[int]) -> None:
    if not volunteer_ids:
        return
    today, first = day_number(desk.today), next_id(desk, period)
    rows = [
        {"id": id_, "volunteer_id": each, "kind": "suspended", "since": today, "reason": OF_THE_IMPORT,
         "put_by": desk.actor.id}
        for id_, each in enumerate(volunteer_ids, first)
    ]  # fmt: skip
    desk.connection.execute(sa.insert(period), rows)
    payload = {"kind": "suspended", "since": today, "until": None}
    note_many(desk, [("volunteer.period_begun", f"volunteer:{each}", payload) for each in volunteer_ids])


def _end(desk: Desk, rows: list[Any]) -> None:
    """End suspensions yesterday, or before they began; ``ended_by`` stays empty: nobody decided it at a desk."""
    events = []
    for row in rows:
        last = max(day_number(desk.today), row.since) - 1
        desk.connection.execute(sa.update(period).where(period.c.id == row.id).values(until=last))
        events.append(
            ("volunteer.period_ended", f"volunteer:{row.volunteer_id}", {"kind": "suspended", "until": last})
        )
    note_many(desk, events)
