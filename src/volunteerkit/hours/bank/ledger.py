"""Moving minutes in the time bank: transfers under one chain, the accounts' roll-up, and the lots.

Everything here runs behind the ledger's head (`store.posting.command`): writers take turns, so the last
transfer that is read is the last one there is. A person may be several volunteers who were merged; what is
left of their lots is one pool, used soonest to expire first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.hours.bank.model import (
    CANCEL,
    DEPOSIT,
    EXPIRE,
    EXPIRED,
    HOLD,
    REDEEM,
    person_account,
    volunteer_of,
)
from volunteerkit.hours.bank.tables import credit_account, credit_lot, credit_transfer
from volunteerkit.ledger import GENESIS, chained
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.units import day_number

__all__ = ["Pool", "Taken", "head", "moved", "named", "post"]

_COLUMNS: Final = [column.name for column in credit_transfer.columns]
_FREE: Final = sa.func.coalesce(credit_lot.c.expires_on, 2**31)


def __dir__() -> list[str]:
    return __all__


def head(connection: sa.Connection) -> tuple[int, bytes]:
    """Return the seq and the hash of the last transfer, 0 and the genesis hash before the first."""
    last = sa.select(credit_transfer.c.seq, credit_transfer.c.hash).order_by(credit_transfer.c.seq.desc())
    row = connection.execute(last.limit(1)).first()
    return (0, GENESIS) if row is None else (row.seq, bytes(row.hash))


def named(connection: sa.Connection, payload: dict[str, Any]) -> dict[str, Any]:
    """Return an event's payload with the last transfer and its hash: the events' chain then covers this one."""
    seq, last = head(connection)
    return payload | {"credit_seq": seq, "credit_hash": last.hex()}


def moved(code: str, minutes: int) -> tuple[int, int, int]:
    """Return what a transfer adds to (debit's posted, debit's held, credit's posted)."""
    if code == HOLD:
        return 0, minutes, 0
    if code == CANCEL:
        return 0, -minutes, 0
    return -minutes, -minutes if code == REDEEM else 0, minutes


def post(
    desk: Desk, code: str, debit: int, credit: int, minutes: int, *, lot: int | None = None,
    refers_to: int | None = None, record: int | None = None, redemption: int | None = None,
    on: int | None = None, reason: str | None = None, terms: tuple[int | None, ...] = (),
) -> int:  # fmt: skip
    """Write one transfer and return its seq; ``on`` is the day it counts from (default today).

    ``terms`` are the days of the lot that it makes, which its hash covers too.
    """
    connection = desk.connection
    seq, before = head(connection)
    fields = (
        seq + 1, debit, credit, minutes, code, refers_to, lot, record, redemption,
        day_number(desk.today) if on is None else on, microseconds(desk.now), desk.actor.id, reason,
    )  # fmt: skip
    posted, held, gained = moved(code, minutes)
    _add(connection, debit, posted, held)
    _add(connection, credit, gained, 0)
    row = dict(zip(_COLUMNS, (*fields, chained(before, *fields, *terms)), strict=True))
    connection.execute(sa.insert(credit_transfer).values(row))
    return seq + 1


def _add(connection: sa.Connection, account: int, posted: int, held: int) -> None:
    column = credit_account.c
    changed = sa.update(credit_account).where(column.id == account)
    values = {
        "posted_minutes": column.posted_minutes + posted,
        "held_minutes": column.held_minutes + held,
    }
    if connection.execute(changed.values(values)).rowcount == 0:
        volunteer = volunteer_of(account)
        new = {"id": account, "volunteer_id": volunteer, "posted_minutes": posted, "held_minutes": held}
        connection.execute(sa.insert(credit_account).values(new))


@attrs.frozen
class Taken:
    """Minutes taken from one lot (None: from below zero) of one volunteer's account."""

    volunteer_id: int
    lot_id: int | None
    minutes: int
    expires_on: int | None = None
    earned_on: int = 0


@attrs.define
class Pool:
    """What one person has: the lots of all their volunteer ids together, the kept one's first.

    ``debt`` is by how much the accounts stand below what the lots hold; after `even` either it is 0 or no
    lot has anything left.
    """

    desk: Desk
    ids: Sequence[int]

    def lots(self, *, usable_on: int | None = None, until: int | None = None) -> list[Any]:
        """Return lots with minutes left, soonest to expire first; by day: still usable, or already expired."""
        column = credit_lot.c
        query = sa.select(credit_lot).where(column.volunteer_id.in_(self.ids), column.left_minutes > 0)
        if usable_on is not None:
            query = query.where(sa.or_(column.expires_on.is_(None), column.expires_on >= usable_on))
        if until is not None:
            query = query.where(column.expires_on < until)
        return list(self.desk.connection.execute(query.order_by(_FREE, column.earned_on, column.id)))

    @property
    def totals(self) -> tuple[int, int]:
        """The minutes posted and held over all accounts of the person."""
        column = credit_account.c
        sums = sa.select(sa.func.coalesce(sa.func.sum(column.posted_minutes), 0),
                         sa.func.coalesce(sa.func.sum(column.held_minutes), 0))  # fmt: skip
        row = self.desk.connection.execute(sums.where(column.id.in_(map(person_account, self.ids)))).one()
        return int(row[0]), int(row[1])

    @property
    def debt(self) -> int:
        """How many minutes are missing below zero; negative when more was repaid than is owed now."""
        posted, held = self.totals
        left: int = sum(lot.left_minutes for lot in self.lots())
        return left - (posted - held)

    def even(self) -> None:
        """Let lots make good what is missing, or give back what they made good and is owed no longer."""
        debt, column = self.debt, credit_lot.c
        if debt > 0:
            for lot in self.lots():
                taken = min(lot.left_minutes, debt)
                self._change(lot.id, -taken, taken)
                debt -= taken
                if not debt:
                    return
        if debt < 0:
            repaid = sa.select(credit_lot).where(column.volunteer_id.in_(self.ids), column.repaid_minutes > 0)
            for lot in self.desk.connection.execute(
                repaid.order_by(_FREE.desc(), column.id.desc())
            ).fetchall():
                given = min(lot.repaid_minutes, -debt)
                self._change(lot.id, given, -given)
                debt += given
                if not debt:
                    return

    def tidy(self, today: int) -> int:
        """Write off what expired before a day, then `even`; return the minutes written off.

        What expired makes nothing good, and what is given back to an expired lot expires at once.
        """
        gone = self.expire(today)
        self.even()
        return gone + self.expire(today)

    def _change(self, lot_id: int, left: int, repaid: int = 0) -> None:
        column = credit_lot.c
        changed = sa.update(credit_lot).where(column.id == lot_id, column.left_minutes + left >= 0)
        values = {
            "left_minutes": column.left_minutes + left,
            "repaid_minutes": column.repaid_minutes + repaid,
        }
        done = self.desk.connection.execute(changed.values(values)).rowcount
        assert done == 1, lot_id

    def put_back(self, lot_id: int | None, minutes: int) -> None:
        """Give minutes back to the lot they were taken from."""
        if lot_id is not None:
            self._change(lot_id, minutes)

    def take(self, minutes: int, *, on: int, first: Sequence[int] = ()) -> Iterator[Taken]:
        """Take minutes out of the lots that are usable on a day and yield from where; the rest is below zero.

        Lots named by ``first`` go first.
        """
        lots = sorted(self.lots(usable_on=on), key=lambda lot: lot.id not in first)
        for lot in lots:
            taken = min(lot.left_minutes, minutes)
            self._change(lot.id, -taken)
            minutes -= taken
            yield Taken(lot.volunteer_id, lot.id, taken, lot.expires_on, lot.earned_on)
            if not minutes:
                return
        yield Taken(self.ids[0], None, minutes)

    def add(self, code: str, debit: int, volunteer_id: int, minutes: int, *, earned_on: int,
            expires_on: int | None, record: int | None = None, lot: int | None = None) -> int:  # fmt: skip
        """Bring minutes into a volunteer's account as a lot of their own; return the seq."""
        account = person_account(volunteer_id)
        seq = post(self.desk, code, debit, account, minutes, record=record, lot=lot,
                   on=earned_on if code == DEPOSIT else None, terms=(earned_on, expires_on))  # fmt: skip
        self.desk.connection.execute(
            sa.insert(credit_lot).values(
                id=seq, volunteer_id=volunteer_id, minutes=minutes, left_minutes=minutes, earned_on=earned_on,
                expires_on=expires_on,
            )
        )  # fmt: skip
        return seq

    def expire(self, today: int) -> int:
        """Write off what expired before a day; return the minutes."""
        gone = 0
        for lot in self.lots(until=today):
            self._change(lot.id, -lot.left_minutes)
            account = person_account(lot.volunteer_id)
            post(self.desk, EXPIRE, account, EXPIRED, lot.left_minutes, lot=lot.id, on=lot.expires_on + 1)
            gone += lot.left_minutes
        return gone
