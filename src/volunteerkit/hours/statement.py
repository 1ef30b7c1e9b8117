"""Statements: what stood in a volunteer's honour account on any day, as known at any moment."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.hours.crediting import credit_rulebook, credited_of, rule_records
from volunteerkit.hours.disputes import disputed_records
from volunteerkit.ledger import GENESIS, POSTING_CODES, chained, honour_account
from volunteerkit.rules import CreditLine
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import Execute, driver
from volunteerkit.units import day_number, day_of, plain_day, whole_number
from volunteerkit.volunteers.persons import everybody, together
from volunteerkit.volunteers.reading import number_given, reached
from volunteerkit.volunteers.tables import volunteer as volunteers

__all__ = ["Statement", "StatementLine", "statement"]

# The sum of a record's posting transfers, as known at a seq and effective by a day, is what it stands at.
_POSTED = (
    "SELECT r.id, r.external_id, r.served_on, r.start_minute, r.clock_minutes, r.claimed_minutes, r.project_id, "
    "r.organization_id, r.method, t.minutes, t.credit_id, t.seq, t.code, t.reason, p.number, r.kind, p.name FROM vk_transfer t "
    "JOIN vk_service_record r ON r.id = t.record_id JOIN vk_project p ON p.id = r.project_id "
    "WHERE r.volunteer_id IN ({people}) AND t.code IN ({codes}) AND t.effective_on <= ? AND t.seq <= ? ORDER BY t.seq"
)
_HEAD = "SELECT hash FROM vk_transfer WHERE seq = ?"


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class StatementLine:
    """One record: raw minutes (``claimed_minutes``, ``confirmed_minutes``) beside what the rule credits.

    ``reasons`` say why credited and confirmed minutes differ; ``seq`` is the transfer that put it there. A
    ``disputed`` line counts as it stands until somebody decides; the tag is of now, whatever ``known_at`` is;
    so is ``project_name``, which is for showing and no part of what two statements are compared by.
    """

    record_id: int
    served_on: dt.date
    project: str
    claimed_minutes: int
    confirmed_minutes: int
    credited_minutes: int
    seq: int
    kind: str = "service"
    disputed: bool = False
    reasons: tuple[Any, ...] = ()
    project_name: str = attrs.field(default="", eq=False)


@attrs.frozen
class Statement:
    """A volunteer's account: lines by day of service, and totals in whole minutes.

    ``known_at`` is the ledger's seq up to which it knows, ``head`` the hash of that transfer; the same as_of and known_at give the same
    statement for ever. ``merged`` are the numbers of volunteers who are the same person, and counted in.
    """

    volunteer: str
    as_of: dt.date
    known_at: int
    rulebook: str
    digest: str
    confirmed_minutes: int
    credited_minutes: int
    lines: tuple[StatementLine, ...]
    merged: tuple[str, ...] = ()
    head: str = ""

    @property
    def content_hash(self) -> str:
        """SHA-256 over day, ``known_at`` and ``head``, rulebook and every line, for a certificate to carry (L17).

        Whoever asks for the same statement again, whatever was corrected since, gets the same one.
        """
        lines = [
            f"{line.record_id} {line.served_on} {line.project} {line.kind} {line.confirmed_minutes} {line.credited_minutes}"
            for line in self.lines
        ]
        totals = (self.confirmed_minutes, self.credited_minutes)
        fields = (
            self.volunteer,
            self.as_of,
            self.known_at,
            self.head,
            self.rulebook,
            self.digest,
            *totals,
            *lines,
        )
        return chained(b"", *fields).hex()


@storage_errors("database")
def statement(
    desk: Desk,
    volunteer: str,
    *,
    as_of: dt.date | None = None,
    known_at: int | None = None,
    rulebook: str = "union",
    since: dt.date | None = None,
) -> Statement:
    """Return the statement of the volunteer with this number.

    ``as_of`` is the last day that counts (default today), ``known_at`` the last transfer known (default
    all). A reversal counts from the day it is effective. With ``since`` only service from that day on is shown
    and summed; what the rule credits for it is the same as without.

    Merged volunteers are one person: either number gives the kept one's statement, over the records of all
    of them. A ``known_at`` that the ledger had reached when they were merged knows nothing of it: either
    number says what it said then. A merge moves no minutes, so the head of the ledger stands still: a
    statement read between it and the next transfer shows it without ``known_at`` only.
    Raises NotFound, NotPermitted, InvalidValue.
    """
    number_given(volunteer)
    reached(desk, "hours.statement", volunteer)
    execute = driver(desk.connection)
    seq = _seq(execute("SELECT transfer_seq FROM vk_head", ()).fetchone()[0], known_at)
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    ids, (_, number, registered_on, adult_on), merged = _people(desk, volunteer, known_at)
    rows = _standing(execute, ids, day_number(day), seq)
    version = credit_rulebook(desk, rulebook).version_on(day)
    records = rule_records(
        desk, [(row[0], row[2], row[3], row[4], row[9], row[6], row[7], row[8]) for row in rows], version
    )
    book, credited = credited_of(desk, rulebook, day, records, registered_on=registered_on, adult_on=adult_on)
    disputed = disputed_records(desk, (number, *merged))
    by_record: dict[int, CreditLine] = {line.record_id: line for line in credited.lines}
    lines = tuple(
        StatementLine(
            row[0],
            day_of(row[2]),
            row[14],
            row[5],
            row[9],
            by_record[row[0]].credited_minutes,
            row[11],
            row[15],
            row[0] in disputed,
            by_record[row[0]].reasons,
            row[16],
        )  # fmt: skip
        for row in rows
    )
    if since is not None:
        first = plain_day("since", since)
        lines = tuple(line for line in lines if line.served_on >= first)
    head = execute(_HEAD, (seq,)).fetchone()
    return Statement(
        number, day, seq, book.id, book.version_on(day).digest, sum(line.confirmed_minutes for line in lines),
        sum(line.credited_minutes for line in lines), lines, merged, bytes(head[0] if head else GENESIS).hex(),
    )  # fmt: skip


def _standing(execute: Execute, ids: tuple[int, ...], day: int, seq: int) -> list[tuple[Any, ...]]:
    """Return the rows of `_POSTED` of records that stand, in order, each with the minutes at which it stands."""
    query = _POSTED.format(people=", ".join("?" * len(ids)), codes=", ".join("?" * len(POSTING_CODES)))
    accounts = {honour_account(id_) for id_ in ids}
    standing: dict[int, tuple[Any, ...]] = {}
    for row in execute(query, (*ids, *POSTING_CODES, day, seq)):
        stood = standing[row[0]][9] if row[0] in standing else 0
        standing[row[0]] = (*row[:9], stood + (row[9] if row[10] in accounts else -row[9]), *row[10:])
    # A reversal may take effect on a later day than the record: then the service day has the last word.
    rows = (row for row in standing.values() if row[9] > 0 and row[2] <= day)
    return sorted(rows, key=lambda row: (row[2], row[3], row[0]))


def _seq(latest: int, known_at: int | None) -> int:
    return latest if known_at is None else whole_number("known_at", known_at, 0, latest)


def _people(
    desk: Desk, number: str, known_at: int | None
) -> tuple[tuple[int, ...], tuple[int, str, int, int | None], tuple[str, ...]]:
    """Return who was one person with this number: ids, the person as one row, the merged ones' numbers."""
    asked = desk.connection.execute(sa.select(volunteers.c.id).where(volunteers.c.number == number))
    _, *others = ids = together(desk.connection, asked.scalar_one(), known_at)
    merged = sa.select(volunteers.c.number).where(volunteers.c.id.in_(others)).order_by(volunteers.c.number)
    numbers = tuple(desk.connection.execute(merged).scalars()) if others else ()
    return ids, everybody(desk.connection, ids)[0], numbers
