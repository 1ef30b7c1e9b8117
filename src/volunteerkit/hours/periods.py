"""Closed periods: days on which nothing is posted any more, unless a second person agrees to reopen them.

Whether a day is open is a function of the clock: a reopening ends by itself at the instant it names. Figures of a
closed period stay what they are; what was posted while it was reopened is left out with ``known_at``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.tables import case, decision
from volunteerkit.clock import aware
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.hours.tables import group_entry, period, service_record, transfer
from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of, next_id, possible_id
from volunteerkit.store.schema import event
from volunteerkit.store.sealing import insert_sealed
from volunteerkit.units import day_number, day_of, instant_of, plain_day
from volunteerkit.workflow import Office, Route, Step

__all__ = [
    "WORKFLOW",
    "Period",
    "close_period",
    "closed_days",
    "open_day",
    "period_state",
    "period_values",
    "periods",
    "reopen_period",
]

_REOPENING: Final = "period.reopening"
_REOPENED, _CLOSED = 1, 2


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Period:
    """Days that were closed, of ``organization`` (a number) or the whole city; both days are inclusive.

    ``reopens`` is the closing some of whose days this opens again until ``recloses_at``, an aware instant.
    """

    id: int
    organization: str | None
    first_on: dt.date
    last_on: dt.date
    closed_by: str
    reopens: int | None = None
    recloses_at: dt.datetime | None = None


def period_state(day: str, organization_id: str) -> str:
    """Return the SQL for whether something may be posted on a day: NULL, or what `open_day` reads.

    Both arguments are SQL. `period_values` are the values of its marks when the day is one.
    """
    return (
        "(SELECT MAX(CASE WHEN EXISTS (SELECT 1 FROM vk_period q WHERE q.refers_to = c.id "
        f"AND q.first_on <= {day} AND q.last_on >= {day} AND q.recloses_at > ?) THEN {_REOPENED} ELSE {_CLOSED} END) "
        f"FROM vk_period c WHERE c.refers_to IS NULL AND c.first_on <= {day} AND c.last_on >= {day} "
        f"AND (c.organization_id IS NULL OR c.organization_id = {organization_id}))"
    )


def period_values(desk: Desk, day: int | None) -> tuple[int | None, ...]:
    """Return the values of the marks in `period_state`: the day four times, and the present instant."""
    return (day, day, microseconds(desk.now), day, day)


def open_day(desk: Desk, organization_id: int, day: int, state: int | None) -> None:
    """Refuse to post on a day that is closed; every path to the ledger passes here.

    ``state`` is what `period_state` gave, None for an open day. Who asked for or agreed to a reopening does not
    post in it (separation of duties, rule 11).
    """
    if state is None:
        return
    if state == _CLOSED:
        raise Refused(Finding("period_closed", {"day": day_of(day)}))
    if desk.is_one_of(*_reopeners(desk, organization_id, day)):
        raise Refused(Finding("reopened_oneself", {"day": day_of(day)}))


def _active(desk: Desk) -> sa.ColumnElement[bool]:
    return period.c.recloses_at > microseconds(desk.now)


def _reopeners(desk: Desk, organization_id: int, day: int) -> list[Person]:
    closing = period.alias()
    which = (
        sa.select(period.c.case_id).join(closing, closing.c.id == period.c.refers_to)
        .where(_active(desk), period.c.first_on <= day, period.c.last_on >= day,
               sa.or_(closing.c.organization_id.is_(None), closing.c.organization_id == organization_id))
    )  # fmt: skip
    asked = sa.select(case.c.opened_by, case.c.opened_volunteer, case.c.opened_for).where(
        case.c.id.in_(which)
    )
    agreed = sa.select(decision.c.actor_id, decision.c.volunteer, decision.c.on_behalf_of)
    rows = [
        *desk.connection.execute(asked),
        *desk.connection.execute(agreed.where(decision.c.case_id.in_(which))),
    ]
    return [who for actor, volunteer, lender in rows for who in (Person(actor, volunteer), Person(lender))]


def _posters(desk: Desk, closing: Any, first: int, last: int) -> list[Person]:
    """Return who has posted on those days since they were closed, in an earlier reopening."""
    told = sa.select(event.c.transfer_seq).where(
        event.c.type == "period.closed", event.c.subject == f"period:{closing.id}"
    )
    posted = (
        sa.select(transfer.c.actor_id)
        .join(service_record, service_record.c.id == transfer.c.record_id)
        .where(transfer.c.seq > told.scalar_subquery(), transfer.c.effective_on.between(first, last))
    )
    groups = [
        sa.select(who).where(group_entry.c.served_on.between(first, last), at > closing.recorded_at)
        for who, at in ((group_entry.c.recorded_by, group_entry.c.recorded_at),
                        (group_entry.c.decided_by, group_entry.c.decided_at))
    ]  # fmt: skip
    if closing.organization_id is not None:
        posted = posted.where(service_record.c.organization_id == closing.organization_id)
        groups = [each.where(group_entry.c.organization_id == closing.organization_id) for each in groups]
    return [Person(actor) for (actor,) in desk.connection.execute(sa.union(posted, *groups))]


def _must_not_have_posted(desk: Desk, closing: Any, first: int, last: int) -> None:
    if desk.is_one_of(*_posters(desk, closing, first, last)):
        raise Refused(Finding("posted_in_period", {"first": day_of(first), "last": day_of(last)}))


def closed_days(desk: Desk) -> Callable[[int, int], bool]:
    """Return a function (organization id, day) that tells whether nothing may be posted there.

    For an import, which asks a million times.
    """
    rows = desk.connection.execute(sa.select(period)).fetchall()
    now = microseconds(desk.now)
    opened: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        if row.refers_to is not None and row.recloses_at > now:
            opened.setdefault(row.refers_to, []).append((row.first_on, row.last_on))
    closings = [row for row in rows if row.refers_to is None]

    def closed(organization_id: int, day: int) -> bool:
        for each in closings:
            if each.first_on <= day <= each.last_on and each.organization_id in (None, organization_id):
                if not any(first <= day <= last for first, last in opened.get(each.id, ())):
                    return True
                if desk.is_one_of(*_reopeners(desk, organization_id, day)):
                    return True
        return False

    return closed


def _range(desk: Desk, first_on: dt.date, last_on: dt.date) -> tuple[int, int]:
    first, last = plain_day("first_on", first_on), plain_day("last_on", last_on)
    if last >= desk.today:
        raise InvalidValue(name="last_on", value=last, allowed=f"< {desk.today}")
    if first > last:
        raise InvalidValue(name="first_on", value=first, allowed=f"≤ {last}")
    return day_number(first), day_number(last)


@command
def close_period(desk: Desk, first_on: dt.date, last_on: dt.date, *, organization: str | None = None) -> int:
    """Close the days from ``first_on`` to ``last_on`` for one organization or the whole city; return the closing's id.

    From then on nothing is posted on them. Raises NotPermitted, NotFound, InvalidValue for days that are not past,
    Refused when all of them are closed already.
    """
    desk.permit("period.close", organization=organization)
    first, last = _range(desk, first_on, last_on)
    where = None if organization is None else id_of(desk, _organization, "organization", organization)
    before = sa.select(period.c.id).where(
        period.c.refers_to.is_(None), period.c.first_on <= first, period.c.last_on >= last,
        sa.or_(period.c.organization_id.is_(None), period.c.organization_id == where),
    )  # fmt: skip
    known = desk.connection.execute(before).scalar()
    if known is not None:
        raise Refused(Finding("period_closed_before", {"period": known}))
    return _insert(desk, "period.closed", first, last, organization_id=where)


_organization = organization


def _insert(desk: Desk, type: str, first: int, last: int, **values: Any) -> int:
    id_ = next_id(desk, period)
    row = {"id": id_, "first_on": first, "last_on": last, **values}
    insert_sealed(desk, period, recorded_at=microseconds(desk.now), actor_id=desk.actor.id, **row)
    note(desk, type, f"period:{id_}", row)
    return id_


@command
def reopen_period(
    desk: Desk, period_id: int, first_on: dt.date, last_on: dt.date, *, until: dt.datetime, reason: str
) -> Case:
    """Ask that some days of a closing be open again until the aware instant ``until``; somebody else decides.

    Whoever asks or agrees posts nothing on those days, and has posted nothing since they were closed. Raises NotPermitted, NotFound, InvalidValue for days outside
    the closing or an instant that is past, Refused when a request is waiting.
    """
    desk.permit("period.reopen")
    said = checked_text("reason", reason, 500)
    row: Any = None
    if possible_id(period_id):
        there = sa.select(period).where(period.c.id == period_id, period.c.refers_to.is_(None))
        row = desk.connection.execute(there).first()
    if row is None:
        raise NotFound(kind="period", id=period_id)
    first, last = _range(desk, first_on, last_on)
    if first < row.first_on or last > row.last_on:
        allowed = f"{day_of(row.first_on)} … {day_of(row.last_on)}"
        raise InvalidValue(name="first_on, last_on", value=f"{first_on}, {last_on}", allowed=allowed)
    if aware("until", until) <= desk.now:
        shown, now = (f"{each.astimezone(desk.zone):%Y-%m-%d %H:%M}" for each in (until, desk.now))
        raise InvalidValue(name="until", value=shown, allowed=f"> {now}")
    _must_not_have_posted(desk, row, first, last)
    facts = {"first_on": first, "last_on": last, "recloses_at": microseconds(until), "reason": said}
    return open_case(desk, _REOPENING, f"period:{period_id}", Place(), facts=facts)


def _settle(desk: Desk, found: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    facts, id_ = found.facts, int(found.subject.partition(":")[2])
    closing = desk.connection.execute(sa.select(period).where(period.c.id == id_)).one()
    _must_not_have_posted(desk, closing, facts["first_on"], facts["last_on"])
    _insert(desk, "period.reopened", facts["first_on"], facts["last_on"], refers_to=id_,
            recloses_at=facts["recloses_at"], case_id=found.id)  # fmt: skip


WORKFLOW: Final = Workflow(Route(_REOPENING, (Step("centre", Office("centre")),)), "period.reopen", _settle)


@storage_errors("database")
def periods(desk: Desk) -> tuple[Period, ...]:
    """Return all closings and reopenings, oldest first. Raises NotPermitted."""
    desk.permit("period.close")
    query = sa.select(period, organization.c.number).outerjoin(
        organization, organization.c.id == period.c.organization_id
    )
    return tuple(
        Period(row.id, row.number, day_of(row.first_on), day_of(row.last_on), row.actor_id, row.refers_to,
               None if row.recloses_at is None else instant_of(row.recloses_at).astimezone(desk.zone))
        for row in desk.connection.execute(query.order_by(period.c.id))
    )  # fmt: skip
