"""The verbs of the time bank: settle, hold, redeem, cancel, refund, give; balances, lines and redemptions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Person, Place
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import AlreadyResolved, Finding, InvalidValue, NotFound, Refused
from volunteerkit.hours.bank.ledger import Pool, named, post
from volunteerkit.hours.bank.model import (
    CANCEL,
    GIFT,
    HOLD,
    REDEEM,
    REFUND,
    Balance,
    BankLine,
    Redemption,
    person_account,
    redeemed_account,
)
from volunteerkit.hours.bank.settling import bring_up, end_hold, lapsed
from volunteerkit.hours.bank.tables import credit_lot, credit_transfer, redemption
from volunteerkit.messages import phrase
from volunteerkit.organizations.reading import admitted_row, must_live
from volunteerkit.organizations.tables import organization
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import (
    command,
    driver,
    replayed,
    request_hash,
    take_numbers,
    write_event,
)
from volunteerkit.store.registering import checked_text, next_id, possible_id
from volunteerkit.store.texts import open_texts, seal_text
from volunteerkit.units import day_number, day_of, plain_day, plain_text, whole_number
from volunteerkit.volunteers.persons import together
from volunteerkit.volunteers.reading import Found, find, reached, status_of
from volunteerkit.volunteers.tables import volunteer
from volunteerkit.workflow import Office, Route, Step

__all__ = [
    "WORKFLOW",
    "balance",
    "cancel",
    "give",
    "hold",
    "lines",
    "propose_refund",
    "redeem",
    "redemptions",
    "settle",
    "settle_city",
]

_MOST = 100_000


def __dir__() -> list[str]:
    return __all__


@command
def settle(desk: Desk, number: str) -> Balance:
    """Bring a volunteer's credit account up to date with the honour ledger and the day; return the balance.

    Confirmed records are deposited as the city's credit rulebook credits them, reversed ones taken back, holds
    whose term is over are ended, expired lots written off. A second call changes nothing. Raises NotFound,
    NotPermitted, InvalidValue for an unknown credit rulebook.
    """
    found, _ = reached(desk, "credit.settle", number)
    bring_up(desk, found.id)
    return _balance(desk, found)


@command
def settle_city(desk: Desk, *, after: int = 0, limit: int = 500) -> int | None:
    """Settle the accounts of the next ``limit`` volunteers by id; return the id to go on ``after``, None at the end.

    For a job at night: call it in units of work of its own until it returns None. Raises NotPermitted,
    InvalidValue.
    """
    desk.permit("credit.settle")
    whole_number("after", after)
    whole_number("limit", limit, 1, 10_000)
    query = sa.select(volunteer.c.id).where(volunteer.c.id > after).order_by(volunteer.c.id).limit(limit)
    ids = desk.connection.execute(query).scalars().all()
    for id_ in ids:
        if together(desk.connection, id_)[0] == id_:  # the kept one's turn is everybody's of that person
            bring_up(desk, id_)
    return int(ids[-1]) if len(ids) == limit else None


@command
def hold(
    desk: Desk, number: str, organization_number: str, *, minutes: int, until: dt.date | None = None,
    key: str | None = None,
) -> Redemption:  # fmt: skip
    """Hold a volunteer's minutes for a service at an organization, which redeems them until a day.

    By the volunteer, or their own organization for them. Nobody else can spend held minutes; ``until``
    (inclusive) defaults to ``Policy.hold_days`` from today, and is ``Policy.longest_hold_days`` off at most. With ``key`` it is done once. Raises NotFound,
    NotPermitted, InvalidValue, IdempotencyConflict, Refused (``credit_too_low``) when there is not enough.
    """
    found, _ = reached(desk, "credit.redeem", number)
    plain_text("organization", organization_number)
    whole_number("minutes", minutes, 1, _MOST)
    last = _until(desk, until)
    request = request_hash(found.number, organization_number, minutes, until)
    if before := replayed(driver(desk.connection), "credit.held", key, request):
        return attrs.evolve(_redemption(desk, _row(desk, before["redemption"])), replayed=True)
    where = admitted_row(desk, organization_number)
    must_live(where)
    _active(desk, found)
    pool, _ = bring_up(desk, found.id)
    _enough(desk, pool, minutes)
    id_, today = next_id(desk, redemption), day_number(desk.today)
    values = {"volunteer_id": found.id, "organization_id": where.id, "minutes": minutes, "state": "held"}
    values |= {"held_on": today, "until": day_number(last), "held_by": desk.actor.id}
    desk.connection.execute(sa.insert(redemption).values(id=id_, **values))
    for taken in pool.take(minutes, on=today):
        post(desk, HOLD, person_account(taken.volunteer_id), redeemed_account(where.id), taken.minutes,
             lot=taken.lot_id, redemption=id_)  # fmt: skip
    _tell(desk, "credit.held", found.subject, {"redemption": id_, "minutes": minutes}, key, request)
    return _redemption(desk, _row(desk, id_))


def _until(desk: Desk, until: dt.date | None) -> dt.date:
    if until is None:
        return desk.today + dt.timedelta(desk.policy.hold_days)
    longest = desk.today + dt.timedelta(desk.policy.longest_hold_days)
    if not desk.today <= plain_day("until", until) <= longest:
        raise InvalidValue(name="until", value=until, allowed=f"{desk.today} … {longest}")
    return until


def _active(desk: Desk, found: Found) -> None:
    status = status_of(desk, found)
    if status not in ("approved", "provisional", "on_leave"):
        raise Refused(Finding("volunteer_not_active", {"volunteer": found.number, "status": status}))


def _enough(desk: Desk, pool: Pool, minutes: int) -> None:
    there = _available(desk, pool)
    if minutes > there:
        raise Refused(Finding("credit_too_low", {"available": max(there, 0), "minutes": minutes}))


def _available(desk: Desk, pool: Pool) -> int:
    usable: int = sum(lot.left_minutes for lot in pool.lots(usable_on=day_number(desk.today)))
    return usable - pool.debt + desk.policy.overdraft_minutes


def _tell(
    desk: Desk,
    type: str,
    subject: str,
    payload: dict[str, Any],
    key: str | None = None,
    request: bytes | None = None,
) -> None:
    execute = driver(desk.connection)
    numbers = take_numbers(execute)
    told = named(desk.connection, payload)
    write_event(execute, desk, numbers, bytes(numbers.transfer_hash), type, subject, told, key, request)


def _row(desk: Desk, id_: int) -> Any:
    query = sa.select(redemption, volunteer.c.number, organization.c.number.label("organization"))
    joined = query.join(volunteer, volunteer.c.id == redemption.c.volunteer_id).join(
        organization, organization.c.id == redemption.c.organization_id
    )
    return desk.connection.execute(joined.where(redemption.c.id == id_)).first()


def _redemption(desk: Desk, row: Any) -> Redemption:
    over = row.state == "held" and row.until < day_number(desk.today)
    return Redemption(row.id, row.number, row.organization, row.minutes, "lapsed" if over else row.state,
                      day_of(row.held_on), day_of(row.until))  # fmt: skip


def _reached_redemption(
    desk: Desk, action: str, id_: int, *, counter: bool = False
) -> tuple[Any, Redemption]:
    """Return a redemption that the actor reaches; at the ``counter`` only as the organization."""
    row = _row(desk, id_) if possible_id(id_) else None
    place = None
    if row is not None:
        found = find(desk, row.number)
        place = Place(None if counter or found is None else found.number, (), (row.organization,))
    cell = desk.permit_on(action, "redemption", id_, place)
    assert row is not None
    if counter:
        desk.separate(cell, "own_redemption", Person(row.held_by), Person(None, row.number))
    return row, _redemption(desk, row)


def _held(found: Redemption, row: Any) -> None:
    if found.state != "held":
        raise AlreadyResolved(
            "redemption_settled", id=found.id, state=phrase(f"word_redemption_state_{found.state}")
        )


@command
def redeem(desk: Desk, redemption_id: int) -> Redemption:
    """Redeem held minutes at the organization they are held for: the service was given.

    By the organization's administrator, never by whoever held them or is the volunteer. Raises NotFound,
    NotPermitted, AlreadyResolved, Refused.
    """
    row, found = _reached_redemption(desk, "credit.redeem", redemption_id, counter=True)
    _held(found, row)
    pool = Pool(desk, together(desk.connection, row.volunteer_id))
    end_hold(desk, pool, row, REDEEM, "redeemed")
    payload = {"redemption": row.id, "minutes": row.minutes}
    _tell(desk, "credit.redeemed", f"volunteer:{row.volunteer_id}", payload)
    return attrs.evolve(found, state="redeemed")


@command
def cancel(desk: Desk, redemption_id: int, *, reason: str = "") -> Redemption:
    """Give held minutes back: by the volunteer or the organization. Raises what `redeem` raises."""
    said = checked_text("reason", reason, 500) if reason else ""
    row, found = _reached_redemption(desk, "credit.redeem", redemption_id)
    _held(found, row)
    pool = Pool(desk, together(desk.connection, row.volunteer_id))
    subject = f"volunteer:{row.volunteer_id}"
    kept = seal_text(desk, subject, f"redemption:{row.id}", said) or None
    end_hold(desk, pool, row, CANCEL, "cancelled", reason=kept)
    pool.tidy(day_number(desk.today))
    _tell(desk, "credit.cancelled", subject, {"redemption": row.id, "minutes": row.minutes})
    return attrs.evolve(found, state="cancelled")


@command
def propose_refund(desk: Desk, redemption_id: int, *, reason: str) -> Case:
    """Propose to give redeemed minutes back; somebody else at the centre decides.

    Raises NotFound, NotPermitted, InvalidValue, Refused when nothing was redeemed.
    """
    row, found = _reached_redemption(desk, "credit.cancel", redemption_id)
    if found.state != "redeemed":
        raise Refused(Finding("nothing_redeemed", {"redemption": found.id, "state": found.state}))
    facts = {"redemption": row.id, "reason": checked_text("reason", reason, 500)}
    place = Place(row.number, (), (row.organization,))
    return open_case(
        desk, "credit.refund", f"volunteer:{row.volunteer_id}:redemption:{row.id}", place, facts=facts
    )


def _settle_refund(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    row = _row(desk, case.facts["redemption"])
    guarded = sa.update(redemption).where(redemption.c.id == row.id, redemption.c.state == "redeemed")
    if desk.connection.execute(guarded.values(state="refunded", settled_by=desk.actor.id)).rowcount != 1:
        raise Refused(Finding("nothing_redeemed", {"redemption": row.id, "state": row.state}))
    pool, column = Pool(desk, together(desk.connection, row.volunteer_id)), credit_transfer.c
    redeemed = sa.select(credit_transfer).where(column.redemption_id == row.id, column.code == REDEEM)
    for each in desk.connection.execute(redeemed.order_by(column.seq)).fetchall():
        post(desk, REFUND, each.credit_id, each.debit_id, each.minutes, lot=each.lot_id, refers_to=each.seq,
             redemption=row.id, on=day_number(on))  # fmt: skip
        pool.put_back(each.lot_id, each.minutes)
    pool.tidy(day_number(desk.today))
    payload = {"redemption": row.id, "minutes": row.minutes, "case": case.id}
    _tell(desk, "credit.refunded", f"volunteer:{row.volunteer_id}", payload)


WORKFLOW = Workflow(
    Route("credit.refund", (Step("centre", Office("centre")),)), "credit.cancel", _settle_refund
)
"""A refund needs two: whoever proposes it, and an officer of the centre who decides."""


@command
def give(desk: Desk, number: str, to: str, *, minutes: int, key: str | None = None) -> Balance:
    """Give minutes of one's own to another volunteer, who has them until they would have expired; return the balance.

    At most ``Policy.gift_minutes_per_year`` in a calendar year. With ``key`` it is done once. Raises NotFound,
    NotPermitted, InvalidValue, IdempotencyConflict, Refused.
    """
    found, _ = reached(desk, "credit.give", number)
    plain_text("to", to)
    whole_number("minutes", minutes, 1, _MOST)
    request = request_hash(found.number, to, minutes)
    if replayed(driver(desk.connection), "credit.given", key, request):
        return _balance(desk, found)
    other = find(desk, to)
    if other is None:
        raise NotFound(kind="volunteer", id=to)
    if other.id == found.id:
        raise Refused(Finding("gift_to_oneself", {}))
    for each in (found, other):
        _active(desk, each)
    pool, _ = bring_up(desk, found.id)
    _within_the_year(desk, pool, minutes)
    usable = _available(desk, pool) - desk.policy.overdraft_minutes  # nobody gives away what they have not
    if minutes > usable:
        raise Refused(Finding("credit_too_low", {"available": max(usable, 0), "minutes": minutes}))
    theirs = Pool(desk, together(desk.connection, other.id))
    for taken in pool.take(minutes, on=day_number(desk.today)):
        theirs.add(GIFT, person_account(taken.volunteer_id), other.id, taken.minutes, earned_on=taken.earned_on,
                   expires_on=taken.expires_on, lot=taken.lot_id)  # fmt: skip
    theirs.tidy(day_number(desk.today))
    _tell(desk, "credit.given", found.subject, {"to": other.id, "minutes": minutes}, key, request)
    return _balance(desk, found)


def _within_the_year(desk: Desk, pool: Pool, minutes: int) -> None:
    most = desk.policy.gift_minutes_per_year
    if most is None:
        return
    column, first = credit_transfer.c, day_number(desk.today.replace(month=1, day=1))
    given = sa.select(sa.func.coalesce(sa.func.sum(column.minutes), 0)).where(
        column.code == GIFT, column.debit_id.in_(map(person_account, pool.ids)), column.effective_on >= first
    )
    before = int(desk.connection.execute(given).scalar_one())
    if before + minutes > most:
        raise Refused(
            Finding("gifts_used_up", {"left": max(most - before, 0), "minutes": minutes, "limit": most})
        )


@storage_errors("database")
def balance(desk: Desk, number: str) -> Balance:
    """Return what a volunteer has in the time bank today; what lapsed or expired counts as such, swept or not.

    Records that were confirmed since the account was settled last are not in it yet. Raises NotFound,
    NotPermitted.
    """
    found, _ = reached(desk, "credit.view", number)
    return _balance(desk, found)


def _balance(desk: Desk, found: Found) -> Balance:
    ids, today = together(desk.connection, found.id), day_number(desk.today)
    pool = Pool(desk, ids)
    posted, held = pool.totals
    debt, back = pool.debt, _lapsing(desk, pool, today)
    lots = [(lot.expires_on, lot.left_minutes + back.pop(lot.id, 0)) for lot in pool.lots()]
    later = sa.select(credit_lot.c.id, credit_lot.c.expires_on).where(
        credit_lot.c.id.in_([id_ for id_ in back if id_])
    )
    lots += [(expires_on, back.pop(id_)) for id_, expires_on in desk.connection.execute(later).fetchall()]
    missing = debt - back.get(None, 0)
    if missing < 0:  # a hold below zero gives back what lots made good for it
        lots += _returned(desk, ids, -missing)
        missing = 0
    over = sum(minutes for expires_on, minutes in lots if expires_on is not None and expires_on < today)
    usable = sum(minutes for expires_on, minutes in lots if expires_on is None or expires_on >= today)
    freed = _freed(desk, pool, today)
    expiring: dict[int, int] = {}
    for expires_on, minutes in lots:
        if expires_on is not None and expires_on >= today:
            expiring[expires_on] = expiring.get(expires_on, 0) + minutes
    return Balance(
        found.number, desk.today, posted - over, held - freed, usable - missing + desk.policy.overdraft_minutes,
        tuple((day_of(day), expiring[day]) for day in sorted(expiring)),
    )  # fmt: skip


def _returned(desk: Desk, ids: Sequence[int], minutes: int) -> list[tuple[int | None, int]]:
    """Return (last day, minutes) of lots that would get back what they made good, the last to expire first."""
    column, found = credit_lot.c, list[tuple[int | None, int]]()
    repaid = sa.select(credit_lot).where(column.volunteer_id.in_(ids), column.repaid_minutes > 0)
    last_first = (sa.func.coalesce(column.expires_on, 2**31).desc(), column.id.desc())
    for lot in desk.connection.execute(repaid.order_by(*last_first)).fetchall():
        given = min(lot.repaid_minutes, minutes)
        found.append((lot.expires_on, given))
        minutes -= given
        if not minutes:
            break
    return found


def _freed(desk: Desk, pool: Pool, today: int) -> int:
    over = sa.select(sa.func.coalesce(sa.func.sum(redemption.c.minutes), 0))
    return int(
        desk.connection.execute(
            over.where(redemption.c.volunteer_id.in_(pool.ids), lapsed(today))
        ).scalar_one()
    )


def _lapsing(desk: Desk, pool: Pool, today: int) -> dict[int | None, int]:
    """Return by lot the minutes that holds whose term is over give back."""
    column = credit_transfer.c
    query = (
        sa.select(column.lot_id, sa.func.sum(column.minutes))
        .join(redemption, redemption.c.id == column.redemption_id)
        .where(redemption.c.volunteer_id.in_(pool.ids), lapsed(today), column.code == HOLD)
        .group_by(column.lot_id)
    )
    return {lot: int(minutes) for lot, minutes in desk.connection.execute(query)}


@storage_errors("database")
def redemptions(desk: Desk, number: str) -> tuple[Redemption, ...]:
    """Return a volunteer's redemptions, oldest first, as they stand today. Raises NotFound, NotPermitted."""
    found, _ = reached(desk, "credit.view", number)
    ids = together(desk.connection, found.id)
    query = sa.select(redemption.c.id).where(redemption.c.volunteer_id.in_(ids)).order_by(redemption.c.id)
    return tuple(_redemption(desk, _row(desk, id_)) for id_ in desk.connection.execute(query).scalars().all())


@storage_errors("database")
def lines(
    desk: Desk, number: str, *, known_at: int | None = None, after: int = 0, limit: int = 1000
) -> tuple[BankLine, ...]:
    """Return the movements of a volunteer's credit account by seq, as they were known at a seq of the credit ledger.

    ``after`` and ``limit`` give pages. A hold is no movement yet. Raises NotFound, NotPermitted, InvalidValue.
    """
    found, _ = reached(desk, "credit.view", number)
    for name, value in (("known_at", known_at), ("after", after)):
        if value is not None:
            whole_number(name, value)
    whole_number("limit", limit, 1, 10_000)
    accounts = [person_account(id_) for id_ in together(desk.connection, found.id)]
    column = credit_transfer.c
    query = sa.select(credit_transfer, credit_lot.c.expires_on).outerjoin(
        credit_lot, credit_lot.c.id == sa.func.coalesce(column.lot_id, column.seq)
    )
    wanted = [sa.or_(column.debit_id.in_(accounts), column.credit_id.in_(accounts)),
              column.code.not_in((HOLD, CANCEL)), column.seq > after]  # fmt: skip
    if known_at is not None:
        wanted.append(column.seq <= known_at)
    rows = desk.connection.execute(query.where(*wanted).order_by(column.seq).limit(limit)).fetchall()
    said = open_texts(desk, (row.reason for row in rows))
    return tuple(
        BankLine(
            row.seq, row.code, day_of(row.effective_on), row.minutes if row.credit_id in accounts else -row.minutes,
            row.record_id, None if row.expires_on is None else day_of(row.expires_on), said[row.reason],
        )
        for row in rows
    )  # fmt: skip
