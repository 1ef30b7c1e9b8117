"""When what was said about a volunteer in free words may no longer be kept: some time after its matter is over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.approvals.tables import case, decision, objection, recusal
from volunteerkit.hours.tables import transfer
from volunteerkit.privacy import retention
from volunteerkit.store.desk import Desk
from volunteerkit.store.vault import vault
from volunteerkit.units import day_of, instant_of
from volunteerkit.volunteers.tables import entry, membership, period

__all__ = ["due_texts"]

_ABOUT: Final = "volunteer:"


def __dir__() -> list[str]:
    return __all__


def due_texts(desk: Desk) -> dict[int, dict[str, dt.date]]:
    """Return by volunteer id the addresses of texts that may not be kept today, and since which day not.

    Time runs from when a case was closed and a sanction that it brought is over, a period or a membership has
    ended, hours were decided, an evaluation was entered. What still runs is not due.
    """
    held = vault.c.subject.like(f"{_ABOUT}%#%")
    there = set(desk.connection.execute(sa.select(vault.c.subject).where(held)).scalars())
    rule = retention("reason")
    found: dict[int, dict[str, dt.date]] = {}
    for address, settled in _settled(desk) if there else ():
        last = rule.ends_on(settled)
        if address in there and last < desk.today:
            theirs = found.setdefault(int(address.removeprefix(_ABOUT).partition("#")[0]), {})
            theirs[address] = last + dt.timedelta(1)
    return found


def _settled(desk: Desk) -> Iterator[tuple[str, dt.date]]:
    """Yield the addresses of texts whose matter is over, each with the day on which it was."""
    for held, day in ((period.c.reason, period.c.until), (membership.c.why, membership.c.until)):
        for address, until in _rows(desk, held, day):
            yield address, day_of(until)
    for held, instant in ((transfer.c.reason, transfer.c.recorded_at), (entry.c.name, entry.c.entered_at)):
        for address, at in _rows(desk, held, instant):
            if "#commendation:" not in address:  # it is kept with the record
                yield address, _day(desk, at)
    closed = _closed(desk)
    for held, id_ in (
        (decision.c.reason, decision.c.case_id), (objection.c.reason, objection.c.case_id),
        (objection.c.answer_reason, objection.c.case_id), (recusal.c.reason, recusal.c.case_id),
        (case.c.reason, case.c.id),
    ):  # fmt: skip
        yield from ((address, closed[of]) for address, of in _rows(desk, held, id_) if of in closed)
    facts = sa.select(case.c.id, case.c.facts).where(case.c.facts.contains('"reason": '))
    for of, told in desk.connection.execute(facts):
        if of in closed:
            yield json.loads(told)["reason"], closed[of]


def _rows(desk: Desk, held: sa.Column[Any], more: sa.Column[Any]) -> Iterator[tuple[str, int]]:
    query = sa.select(held, more).where(held.startswith(_ABOUT), more.is_not(None))
    return ((row[0], row[1]) for row in desk.connection.execute(query))


def _closed(desk: Desk) -> dict[int, dt.date]:
    """Return on which day each closed case was over, with the sanction that it brought; without what still runs."""
    query = sa.select(case.c.id, case.c.closed_at).where(
        case.c.closed_at.is_not(None), case.c.subject.startswith(_ABOUT)
    )
    found = {id_: _day(desk, at) for id_, at in desk.connection.execute(query)}
    brought = sa.select(period.c.case_id, period.c.until).where(period.c.case_id.is_not(None))
    for id_, until in desk.connection.execute(brought):
        if until is None:
            found.pop(id_, None)
        elif id_ in found:
            found[id_] = max(found[id_], day_of(until))
    return found


def _day(desk: Desk, at: int) -> dt.date:
    return instant_of(at).astimezone(desk.zone).date()
