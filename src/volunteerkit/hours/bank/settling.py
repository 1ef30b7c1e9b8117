"""Bringing a person's credit account up to date: what lapsed, what was credited or reversed, what expired.

The credit ledger follows the honour ledger: for every confirmed record it holds what the city's credit
rulebook credits. Doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from volunteerkit.clock import months_after
from volunteerkit.hours.bank.ledger import Pool, named, post
from volunteerkit.hours.bank.model import BANK, CANCEL, DEPOSIT, HOLD, TAKE_BACK, person_account
from volunteerkit.hours.bank.tables import credit_transfer, redemption
from volunteerkit.hours.crediting import credit_person, credit_rulebook, rule_records
from volunteerkit.hours.reading import cluster_rows
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import note
from volunteerkit.units import day_number, day_of
from volunteerkit.volunteers.persons import everybody, together

__all__ = ["bring_up", "end_hold", "lapsed"]


def __dir__() -> list[str]:
    return __all__


def lapsed(today: int) -> sa.ColumnElement[bool]:
    """Return the SQL for redemptions that nobody redeemed in time, whether or not that was written down."""
    return sa.and_(redemption.c.state == "held", redemption.c.until < today)


def bring_up(desk: Desk, volunteer_id: int) -> tuple[Pool, dict[str, int]]:
    """Bring the person's account up to date and return their pool with what changed, in minutes by name."""
    ids = together(desk.connection, volunteer_id)
    pool, today = Pool(desk, ids), day_number(desk.today)
    changed = {"lapsed": _lapse(desk, pool, today)}
    # what expired makes no reversal good
    gone = pool.expire(today)
    changed["deposited"], changed["taken_back"] = _follow(desk, pool)
    changed["expired"] = gone + pool.tidy(today)
    moved = {name: minutes for name, minutes in changed.items() if minutes}
    if moved:
        below = max(pool.debt, 0)
        payload = moved | ({"below_zero": below} if below else {})
        note(desk, "credit.settled", f"volunteer:{ids[0]}", named(desk.connection, payload))
    return pool, changed


def _lapse(desk: Desk, pool: Pool, today: int) -> int:
    over = sa.select(redemption).where(redemption.c.volunteer_id.in_(pool.ids), lapsed(today))
    gone = 0
    for row in desk.connection.execute(over.order_by(redemption.c.id)).fetchall():
        end_hold(desk, pool, row, CANCEL, "lapsed", on=row.until + 1)
        gone += row.minutes
    return gone


def end_hold(
    desk: Desk,
    pool: Pool,
    row: Any,
    code: str,
    state: str,
    *,
    on: int | None = None,
    reason: str | None = None,
) -> None:
    """End every transfer that holds minutes for a redemption, by REDEEM or CANCEL, and write its state."""
    column = credit_transfer.c
    held = sa.select(credit_transfer).where(column.redemption_id == row.id, column.code == HOLD)
    for each in desk.connection.execute(held.order_by(column.seq)).fetchall():
        post(desk, code, each.debit_id, each.credit_id, each.minutes, lot=each.lot_id, refers_to=each.seq,
             redemption=row.id, on=on, reason=reason)  # fmt: skip
        if code == CANCEL:
            pool.put_back(each.lot_id, each.minutes)
    guarded = sa.update(redemption).where(redemption.c.id == row.id, redemption.c.state == "held")
    done = desk.connection.execute(guarded.values(state=state, settled_by=desk.actor.id)).rowcount
    assert done == 1, row.id


def _follow(desk: Desk, pool: Pool) -> tuple[int, int]:
    """Deposit what is credited and not yet there, take back what is credited no longer."""
    wanted, owners = _wanted(desk, pool.ids)
    there = _deposited(desk, pool.ids)
    deposited = taken_back = 0
    for record in sorted({*wanted, *there}):
        served_on, credited = wanted.get(record, (0, 0))
        more = credited - there.get(record, 0)
        if more > 0:
            pool.add(DEPOSIT, BANK, owners[record], more, earned_on=served_on, expires_on=_expiry(desk, served_on),
                     record=record)  # fmt: skip
            deposited += more
        elif more < 0:
            _take_back(desk, pool, record, -more)
            taken_back -= more
    return deposited, taken_back


def _wanted(desk: Desk, ids: Sequence[int]) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """Return (day, minutes) that each confirmed record is credited with, and whose record it is."""
    since = day_number(desk.policy.credit_since)
    rows = list(cluster_rows(desk.connection, day_number(desk.today), tuple(ids)))
    version = credit_rulebook(desk, desk.policy.credit_rulebook).version_on(desk.today)
    records = rule_records(desk, [row[1:] for row in rows], version)
    _, _, registered_on, adult_on = everybody(desk.connection, tuple(ids))[0]
    credited = credit_person(desk, version, records, registered_on, adult_on)
    wanted = {
        line.record_id: (line.served_on, line.credited_minutes)
        for line in credited.lines
        if line.served_on >= since and line.credited_minutes
    }
    return wanted, {row[1]: row[0] for row in rows}


def _deposited(desk: Desk, ids: Sequence[int]) -> dict[int, int]:
    column, accounts = credit_transfer.c, [person_account(id_) for id_ in ids]
    signed = sa.case((column.code == DEPOSIT, column.minutes), else_=-column.minutes)
    query = (
        sa.select(column.record_id, sa.func.sum(signed))
        .where(
            column.record_id.is_not(None),
            sa.or_(column.credit_id.in_(accounts), column.debit_id.in_(accounts)),
        )
        .group_by(column.record_id)
    )
    return {record: int(minutes) for record, minutes in desk.connection.execute(query)}


def _take_back(desk: Desk, pool: Pool, record: int, minutes: int) -> None:
    column = credit_transfer.c
    own = sa.select(column.seq).where(column.record_id == record, column.code == DEPOSIT)
    lots = desk.connection.execute(own).scalars().all()
    for taken in pool.take(minutes, on=day_number(desk.today), first=lots):
        post(desk, TAKE_BACK, person_account(taken.volunteer_id), BANK, taken.minutes, lot=taken.lot_id,
             record=record)  # fmt: skip


def _expiry(desk: Desk, served_on: int) -> int | None:
    months = desk.policy.credit_months
    return None if months is None else day_number(months_after(day_of(served_on), months))
