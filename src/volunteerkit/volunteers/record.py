"""What stands in a volunteer's record beside service: trainings, commendations, evaluations; qualifications.

The fields are those of Order 67 of the Ministry of Civil Affairs, articles 8 to 10. Entries are never
changed; a wrong one is followed by another.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.organizations import tables as organizations
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of, next_id
from volunteerkit.store.sealing import insert_sealed
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, plain_day, whole_number
from volunteerkit.volunteers.reading import Found, reached
from volunteerkit.volunteers.tables import entry, qualification

__all__ = [
    "Qualification", "add_commendation", "add_qualification", "add_training", "evaluate", "qualifications",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Qualification:
    """What a volunteer is qualified for, from and until which day; ``valid_until`` None never ends."""

    kind: str
    obtained_on: dt.date
    valid_until: dt.date | None
    issuer: str

    def holds_on(self, day: dt.date) -> bool:
        """Tell whether it is valid on ``day``."""
        return self.obtained_on <= day and (self.valid_until is None or day <= self.valid_until)


def _writable(desk: Desk, number: str) -> Found:
    found, _ = reached(desk, "volunteer.enter", number)
    if desk.is_one_of(Person(None, found.number)):
        raise Refused(Finding("own_case", {}))
    return found


def _past(desk: Desk, name: str, day: dt.date) -> int:
    if plain_day(name, day) > desk.today:
        raise InvalidValue(name=name, value=day, allowed=f"≤ {desk.today}")
    return day_number(day)


def _enter(desk: Desk, found: Found, kind: str, on: int, name: str, **more: Any) -> None:
    id_, said = next_id(desk, entry), checked_text("name", name)
    # who was commended or judged for what tells who it is: it goes with an erasure
    if kind != "training":
        said = seal_text(desk, found.subject, f"{kind}:{id_}", said)
    insert_sealed(
        desk, entry, id=id_, volunteer_id=found.id, kind=kind, happened_on=on, name=said,
        entered_by=desk.actor.id, entered_at=microseconds(desk.now), **more,
    )  # fmt: skip
    note(desk, "volunteer.entry", found.subject, {"kind": kind, "on": on, "entry": id_})


@command
def add_training(desk: Desk, number: str, name: str, *, on: dt.date, minutes: int, organization: str) -> None:
    """Enter a training: its name, day, length in whole minutes (up to 60 days), and who held it.

    Nobody enters into their own record. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    found = _writable(desk, number)
    held_by = id_of(desk, organizations.organization, "organization", organization)
    length = whole_number("minutes", minutes, 1, 60 * 1440)
    _enter(desk, found, "training", _past(desk, "on", on), name, minutes=length, organization_id=held_by)


@command
def add_commendation(desk: Desk, number: str, name: str, *, on: dt.date, granted_by: str) -> None:
    """Enter a commendation: its name, day and the body that granted it. Raises what `add_training` raises."""
    found = _writable(desk, number)
    body = checked_text("granted_by", granted_by)
    _enter(desk, found, "commendation", _past(desk, "on", on), name, granted_by=body)


@command
def evaluate(desk: Desk, number: str, name: str, *, on: dt.date, score: int, organization: str) -> None:
    """Enter an evaluation of service quality: what was evaluated, a score from 0 to 100, by which organization.

    Raises what `add_training` raises.
    """
    found = _writable(desk, number)
    whole_number("score", score, 0, 100)
    by = id_of(desk, organizations.organization, "organization", organization)
    _enter(desk, found, "evaluation", _past(desk, "on", on), name, score=score, organization_id=by)


@command
def add_qualification(
    desk: Desk,
    number: str,
    kind: str,
    *,
    obtained_on: dt.date,
    valid_until: dt.date | None = None,
    issuer: str = "",
) -> None:
    """Note a qualification whose proof was seen. Raises what `add_training` raises, Refused for a repeat."""
    found = _writable(desk, number)
    word, on = checked_text("kind", kind, 100), _past(desk, "obtained_on", obtained_on)
    if valid_until is not None and plain_day("valid_until", valid_until) < obtained_on:
        raise InvalidValue(name="valid_until", value=valid_until, allowed=f"≥ {obtained_on}")
    same = sa.and_(qualification.c.volunteer_id == found.id, qualification.c.kind == word,
                   qualification.c.obtained_on == on)  # fmt: skip
    if desk.connection.execute(sa.select(qualification.c.id).where(same)).first() is not None:
        raise Refused(Finding("already_qualified", {"kind": word, "day": obtained_on}))
    id_ = next_id(desk, qualification)
    desk.connection.execute(
        sa.insert(qualification).values(
            id=id_, volunteer_id=found.id, kind=word, obtained_on=on,
            issuer=issuer and checked_text("issuer", issuer), checked_by=desk.actor.id,
            valid_until=None if valid_until is None else day_number(valid_until),
        )
    )  # fmt: skip
    # the row goes with an erasure, the event stays
    note(desk, "volunteer.qualified", found.subject, {"qualification": id_, "on": on})


@storage_errors("database")
def qualifications(desk: Desk, number: str, *, on: dt.date | None = None) -> tuple[Qualification, ...]:
    """Return a volunteer's qualifications, all of them or those valid on a day. Raises NotFound, NotPermitted."""
    found, _ = reached(desk, "volunteer.view", number)
    query = sa.select(qualification).where(qualification.c.volunteer_id == found.id)
    rows = desk.connection.execute(query.order_by(qualification.c.obtained_on, qualification.c.id))
    every = tuple(
        Qualification(
            row.kind,
            day_of(row.obtained_on),
            None if row.valid_until is None else day_of(row.valid_until),
            row.issuer,
        )
        for row in rows
    )
    return every if on is None else tuple(each for each in every if each.holds_on(on))
