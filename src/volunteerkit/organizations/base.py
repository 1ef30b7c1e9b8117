"""The incubation base: tenancies, desks, equipment on loan, services received, the review of an exit."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.approvals import Case
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.tables import case, outcome_on
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.organizations.model import OUTCOMES, Seat, Tenancy, checked_day, given_text
from volunteerkit.organizations.reading import must_live, reached
from volunteerkit.organizations.standing import checked_days
from volunteerkit.organizations.tables import (
    base_desk,
    base_service,
    equipment,
    loan,
    organization,
    seat,
    tenancy,
)
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, id_of, next_id, possible_id
from volunteerkit.units import day_number, day_of, whole_number

__all__ = [
    "add_desk",
    "add_equipment",
    "apply",
    "assign_desk",
    "extend",
    "lend",
    "list_tenancies",
    "note_service",
    "occupancy",
    "release_desk",
    "return_loan",
    "review_exit",
    "view",
]

TENANCY: Final = "base.tenancy"
_REACHED_BY: Final = {"organization": organization.c.number}


def __dir__() -> list[str]:
    return __all__


def _rows(day: int) -> sa.Select[Any]:
    """Return the query for tenancies; one whose case was granted without anybody sweeping counts as granted."""
    outcome: Any = sa.select(outcome_on(day)).where(case.c.id == tenancy.c.case_id).scalar_subquery()
    decided = outcome.in_(["granted", "refused", "withdrawn"])
    stands = sa.case((sa.and_(tenancy.c.status == "pending", decided), outcome), else_=tenancy.c.status)
    return sa.select(tenancy, organization.c.number.label("organization"), stands.label("stands")).join(
        organization, organization.c.id == tenancy.c.organization_id
    )


def _found(desk: Desk, action: str, tenancy_id: int) -> Any:
    row: Any = None
    if possible_id(tenancy_id):
        found = _rows(day_number(desk.today)).where(tenancy.c.id == tenancy_id)
        row = desk.connection.execute(found).first()
    desk.permit_on(action, "tenancy", tenancy_id, Place(None, (), (row.organization,)) if row else None)
    return row


def _running(desk: Desk, tenancy_id: int) -> Any:
    """Return the row of a tenancy that runs today; for a command, so it runs until the unit of work ends."""
    row, today = _found(desk, "base.manage", tenancy_id), day_number(desk.today)
    if row.stands != "granted" or not row.starts_on <= today <= row.ends_on:
        raise Refused(Finding("no_tenant", {"tenancy": tenancy_id}))
    return row


def _overlapping(desk: Desk, organization_id: int, since: int, until: int, but: int = 0) -> int | None:
    rows = _rows(day_number(desk.today)).where(
        tenancy.c.organization_id == organization_id, tenancy.c.id != but,
        tenancy.c.starts_on <= until, tenancy.c.ends_on >= since,
    )  # fmt: skip
    return next(
        (row.id for row in desk.connection.execute(rows) if row.stands in ("granted", "pending")), None
    )


@command
def apply(desk: Desk, number: str, *, starts_on: dt.date, ends_on: dt.date) -> int:
    """Apply for a place in the base for an organization, for these days (inclusive); return the tenancy's id.

    The centre decides its case. Raises NotFound, NotPermitted, and Refused when it is a tenant in that
    time, waits for a decision already or may not act.
    """
    row = reached(desk, "base.request", number)
    must_live(row)
    checked_day("starts_on", starts_on)  # neither day has a default
    until = day_number(checked_day("ends_on", ends_on))
    since, _ = checked_days(desk, starts_on, ends_on, ("starts_on", "ends_on"))
    before = _overlapping(desk, row.id, since, until)
    if before is not None:
        raise Refused(Finding("already_a_tenant", {"number": number, "tenancy": before}))
    area = (row.area,) if row.area else ()
    place, facts = Place(None, (), (number,), area), {"days": until - since + 1}
    id_ = next_id(desk, tenancy)
    opened = open_case(desk, TENANCY, f"organization:{row.id}", place, facts=facts | {"tenancy": id_})
    days = {"starts_on": since, "ends_on": until}
    desk.connection.execute(
        sa.insert(tenancy).values(id=id_, organization_id=row.id, status="pending", case_id=opened.id, **days)
    )
    if opened.standing.closed:  # a route without steps decides at once, before there was anything to decide
        settle_tenancy(desk, opened, opened.state, desk.today)
    return id_


def settle_tenancy(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    """Write what the decision means: the days asked for, beginning on the day of the decision at the earliest."""
    id_, first = case.facts["tenancy"], day_number(on)
    starts = sa.case((tenancy.c.starts_on < first, first), else_=tenancy.c.starts_on)
    late = tenancy.c.ends_on < first
    values = (
        {
            "status": sa.case((late, "refused"), else_="granted"),
            "starts_on": sa.case((late, tenancy.c.starts_on), else_=starts),
        }
        if outcome == "granted"
        else {"status": outcome}
    )
    guarded = sa.update(tenancy).where(tenancy.c.id == id_, tenancy.c.status == "pending")
    if desk.connection.execute(guarded.values(**values)).rowcount == 1 and outcome == "granted":
        note(desk, "base.tenancy_began", f"tenancy:{id_}", {"case": case.id})


@command
def extend(desk: Desk, tenancy_id: int, ends_on: dt.date) -> Tenancy:
    """Let a running tenancy end on a later day and return it.

    Raises NotFound, NotPermitted, InvalidValue, Refused when it does not run today or another one begins
    before.
    """
    row = _running(desk, tenancy_id)
    until = day_number(checked_day("ends_on", ends_on))
    if until <= row.ends_on:
        raise Refused(Finding("dates_reversed", {"since": str(day_of(row.ends_on)), "until": str(ends_on)}))
    other = _overlapping(desk, row.organization_id, row.ends_on + 1, until, but=tenancy_id)
    if other is not None:
        raise Refused(Finding("already_a_tenant", {"number": row.organization, "tenancy": other}))
    guarded = sa.update(tenancy).where(
        tenancy.c.id == tenancy_id,
        tenancy.c.status.in_(["granted", "pending"]),
        tenancy.c.ends_on == row.ends_on,
    )
    if desk.connection.execute(guarded.values(ends_on=until)).rowcount != 1:
        raise Refused(Finding("no_tenant", {"tenancy": tenancy_id}))
    note(desk, "base.tenancy_extended", f"tenancy:{tenancy_id}", {"until": until})
    return _as_tenancy(desk, _found(desk, "base.manage", tenancy_id))


@command
def add_desk(desk: Desk, number: str) -> str:
    """Add a numbered desk to the base and return its number. Raises NotPermitted, InvalidValue, Refused."""
    desk.permit("base.manage")
    given = checked_text("number", number, 100)
    if desk.connection.execute(sa.select(base_desk.c.id).where(base_desk.c.number == given)).first():
        raise Refused(Finding("already_registered", {"number": given}))
    id_ = next_id(desk, base_desk)
    desk.connection.execute(sa.insert(base_desk).values(id=id_, number=given))
    note(desk, "base.desk_changed", f"base_desk:{id_}", {})
    return given


@command
def assign_desk(desk: Desk, tenancy_id: int, number: str) -> None:
    """Give a free desk to a tenant from today on; one whose tenancy is over no longer holds it.

    Raises NotFound, NotPermitted, Refused when the desk is taken or the tenancy does not run today.
    """
    _running(desk, tenancy_id)
    id_, today = id_of(desk, base_desk, "desk", number), day_number(desk.today)
    over = sa.select(tenancy.c.id).where(tenancy.c.ends_on < today)
    free = sa.or_(base_desk.c.tenancy_id.is_(None), base_desk.c.tenancy_id.in_(over))
    guarded = sa.update(base_desk).where(base_desk.c.id == id_, free).values(tenancy_id=tenancy_id)
    if desk.connection.execute(guarded).rowcount != 1:
        raise Refused(Finding("desk_taken", {"number": number}))
    _close_seats(desk, seat.c.desk_id == id_)
    desk.connection.execute(
        sa.insert(seat).values(id=next_id(desk, seat), desk_id=id_, tenancy_id=tenancy_id, since=today)
    )
    note(desk, "base.desk_changed", f"base_desk:{id_}", {"tenancy": tenancy_id})


def _close_seats(desk: Desk, which: sa.ColumnElement[bool]) -> None:
    open_ = sa.update(seat).where(which, seat.c.until.is_(None))
    desk.connection.execute(open_.values(until=day_number(desk.today) - 1))


@command
def release_desk(desk: Desk, number: str) -> None:
    """Free a desk; today belongs to whoever takes it next. Raises NotFound, NotPermitted, Refused."""
    desk.permit("base.manage")
    id_ = id_of(desk, base_desk, "desk", number)
    guarded = sa.update(base_desk).where(base_desk.c.id == id_, base_desk.c.tenancy_id.is_not(None))
    if desk.connection.execute(guarded.values(tenancy_id=None)).rowcount != 1:
        raise Refused(Finding("desk_free", {"number": number}))
    _close_seats(desk, seat.c.desk_id == id_)
    note(desk, "base.desk_changed", f"base_desk:{id_}", {"tenancy": None})


def _count(name: str, value: int) -> int:
    return whole_number(name, value, 1, 10_000)


@command
def add_equipment(desk: Desk, number: str, *, name: str, count: int) -> str:
    """Add ``count`` pieces of equipment under a new number and return it.

    Raises NotPermitted, InvalidValue, Refused when the number is taken.
    """
    desk.permit("base.manage")
    given, said, owned = (
        checked_text("number", number, 100),
        checked_text("name", name),
        _count("count", count),
    )
    if desk.connection.execute(sa.select(equipment.c.id).where(equipment.c.number == given)).first():
        raise Refused(Finding("already_registered", {"number": given}))
    id_ = next_id(desk, equipment)
    desk.connection.execute(sa.insert(equipment).values(id=id_, number=given, name=said, owned=owned))
    note(desk, "base.equipment_changed", f"base_equipment:{id_}", {"owned": owned})
    return given


@command
def lend(desk: Desk, tenancy_id: int, number: str, count: int = 1) -> int:
    """Lend ``count`` pieces of equipment to a tenant from today; return the loan's id.

    Raises NotFound, NotPermitted, InvalidValue, Refused when fewer are free or the tenancy does not run.
    """
    _running(desk, tenancy_id)
    wanted, id_ = _count("count", count), id_of(desk, equipment, "equipment", number)
    guarded = sa.update(equipment).where(
        equipment.c.id == id_, equipment.c.lent + wanted <= equipment.c.owned
    )
    if desk.connection.execute(guarded.values(lent=equipment.c.lent + wanted)).rowcount != 1:
        free = sa.select(equipment.c.owned - equipment.c.lent).where(equipment.c.id == id_)
        left = desk.connection.execute(free).scalar_one()
        raise Refused(Finding("not_enough_equipment", {"number": number, "free": left, "count": wanted}))
    loan_id = next_id(desk, loan)
    values = {"tenancy_id": tenancy_id, "lent_on": day_number(desk.today), "count": wanted}
    desk.connection.execute(sa.insert(loan).values(id=loan_id, equipment_id=id_, **values))
    note(desk, "base.equipment_changed", f"base_equipment:{id_}", {"loan": loan_id, "lent": wanted})
    return loan_id


@command
def return_loan(desk: Desk, loan_id: int, count: int | None = None) -> None:
    """Take back ``count`` pieces of a loan, by default all that are still out.

    Raises NotFound, NotPermitted, InvalidValue, Refused when fewer are out.
    """
    desk.permit("base.manage")
    row: Any = None
    if possible_id(loan_id):
        row = desk.connection.execute(sa.select(loan).where(loan.c.id == loan_id)).first()
    if row is None:
        raise NotFound(kind="loan", id=loan_id)
    back = _count("count", count) if count is not None else row.count - row.returned
    guarded = sa.update(loan).where(loan.c.id == loan_id, loan.c.returned + back <= loan.c["count"])
    if back == 0 or desk.connection.execute(guarded.values(returned=loan.c.returned + back)).rowcount != 1:
        out = row.count - row.returned
        raise Refused(Finding("more_than_lent", {"loan": loan_id, "out": out, "count": back}))
    lent = sa.update(equipment).where(equipment.c.id == row.equipment_id)
    desk.connection.execute(lent.values(lent=equipment.c.lent - back))
    note(
        desk, "base.equipment_changed", f"base_equipment:{row.equipment_id}", {"loan": loan_id, "back": back}
    )


@command
def note_service(desk: Desk, tenancy_id: int, kind: str, *, on: dt.date | None = None) -> None:
    """Note that a tenant received a service of a kind, such as ``"财务辅导"``, on a day (default today).

    Raises NotFound, NotPermitted, InvalidValue, Refused for a day outside the tenancy or in the future.
    """
    row = _found(desk, "base.manage", tenancy_id)
    day = day_number(desk.today if on is None else checked_day("on", on))
    said = checked_text("kind", kind, 100)
    if row.stands not in ("granted", "left") or not row.starts_on <= day <= min(
        row.ends_on, day_number(desk.today)
    ):
        raise Refused(Finding("no_tenant", {"tenancy": tenancy_id}))
    values = {"tenancy_id": tenancy_id, "kind": said, "served_on": day}
    desk.connection.execute(sa.insert(base_service).values(id=next_id(desk, base_service), **values))
    note(desk, "base.served", f"tenancy:{tenancy_id}", {"on": day})


@command
def review_exit(desk: Desk, tenancy_id: int, outcome: str) -> Tenancy:
    """Review a tenant's exit: today is the first day without it; its desks are free. Return the tenancy.

    ``outcome`` is one of `volunteerkit.organizations.model.OUTCOMES`. A tenancy that is over stays at its
    own last day. Raises NotFound, NotPermitted, InvalidValue, Refused while equipment is out.
    """
    if outcome not in OUTCOMES:
        raise InvalidValue(name="outcome", value=outcome, allowed=", ".join(OUTCOMES))
    row, today = _found(desk, "base.manage", tenancy_id), day_number(desk.today)
    if row.stands != "granted" or row.starts_on > today:
        raise Refused(Finding("no_tenant", {"tenancy": tenancy_id}))
    out = _lent(desk, tenancy_id)
    if out:
        raise Refused(Finding("equipment_out", {"tenancy": tenancy_id, "out": out}))
    guarded = sa.update(tenancy).where(
        tenancy.c.id == tenancy_id, tenancy.c.status.in_(["granted", "pending"])
    )
    values = {"status": "left", "outcome": outcome, "ends_on": min(row.ends_on, today - 1)}
    if desk.connection.execute(guarded.values(**values)).rowcount != 1:
        raise Refused(Finding("no_tenant", {"tenancy": tenancy_id}))
    desk.connection.execute(
        sa.update(base_desk).where(base_desk.c.tenancy_id == tenancy_id).values(tenancy_id=None)
    )
    _close_seats(desk, seat.c.tenancy_id == tenancy_id)
    note(desk, "base.tenancy_ended", f"tenancy:{tenancy_id}", {"outcome": outcome})
    return _as_tenancy(desk, _found(desk, "base.manage", tenancy_id))


def _lent(desk: Desk, tenancy_id: int) -> int:
    out = sa.func.coalesce(sa.func.sum(loan.c["count"] - loan.c.returned), 0)
    return int(desk.connection.execute(sa.select(out).where(loan.c.tenancy_id == tenancy_id)).scalar_one())


def _as_tenancy(desk: Desk, row: Any) -> Tenancy:
    services = sa.select(base_service.c.served_on, base_service.c.kind).where(
        base_service.c.tenancy_id == row.id
    )
    received = desk.connection.execute(services.order_by(base_service.c.served_on, base_service.c.id))
    return Tenancy(
        row.id, row.organization, day_of(row.starts_on), day_of(row.ends_on), row.stands, row.outcome,
        _lent(desk, row.id), tuple((day_of(on), kind) for on, kind in received),
    )  # fmt: skip


@storage_errors("database")
def view(desk: Desk, tenancy_id: int) -> Tenancy:
    """Return a tenancy with the services received. Raises NotFound, NotPermitted."""
    return _as_tenancy(desk, _found(desk, "base.view", tenancy_id))


@storage_errors("database")
def list_tenancies(desk: Desk, *, organization: str | None = None) -> tuple[Tenancy, ...]:
    """Return the tenancies that the actor may `view`, oldest first, all or those of one organization."""
    query = _rows(day_number(desk.today)).where(within(desk.reach("base.view"), _REACHED_BY))
    if organization is not None:
        given_text("organization", organization)
        query = query.where(_REACHED_BY["organization"] == organization)
    return tuple(
        _as_tenancy(desk, row) for row in desk.connection.execute(query.order_by(tenancy.c.id)).fetchall()
    )


@storage_errors("database")
def occupancy(desk: Desk, on: dt.date | None = None) -> tuple[Seat, ...]:
    """Return who has which desk on a day (default today), by the desks' numbers.

    The centre sees every desk, free ones too; an organization its own. Raises NotPermitted, InvalidValue.
    """
    reach, day = desk.reach("base.view"), day_number(desk.today if on is None else checked_day("on", on))
    if reach.nothing:
        desk.permit("base.view")
    held = sa.and_(
        seat.c.desk_id == base_desk.c.id, seat.c.since <= day, sa.or_(seat.c.until.is_(None), seat.c.until >= day),
        tenancy.c.id == seat.c.tenancy_id, tenancy.c.ends_on >= day,
    )  # fmt: skip
    taken = sa.select(base_desk.c.number, organization.c.number.label("organization")).where(
        held, organization.c.id == tenancy.c.organization_id, within(reach, _REACHED_BY)
    )
    found = {number: whose for number, whose in desk.connection.execute(taken)}
    if reach.city:
        numbers = desk.connection.execute(sa.select(base_desk.c.number)).scalars()
        found = dict.fromkeys(numbers) | found
    return tuple(Seat(number, found[number]) for number in sorted(found))
