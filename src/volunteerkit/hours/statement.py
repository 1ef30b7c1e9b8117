"""Statements: what stood in a volunteer's honour account on any day, as known at any moment."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from volunteerkit.access import Place
from volunteerkit.errors import InvalidValue
from volunteerkit.hours.crediting import credited_of, rule_records
from volunteerkit.ledger import CONFIRM, IMPORT, REVERSE, honour_account
from volunteerkit.rules import CreditLine
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import driver
from volunteerkit.units import day_number, day_of

__all__ = ["Statement", "StatementLine", "statement"]

_PERSON = (
    "SELECT v.id, o.number, v.registered_on, v.adult_on, t.number FROM vk_volunteer v "
    "JOIN vk_organization o ON o.id = v.organization_id LEFT JOIN vk_team t ON t.id = v.team_id "
    "WHERE v.number = ?"
)
# A record's last posting transfer, as known at a seq and effective by a day, says what it stands at.
_POSTED = (
    "SELECT r.id, r.external_id, r.served_on, r.start_minute, r.clock_minutes, r.claimed_minutes, r.project_id, "
    "r.organization_id, r.method, t.minutes, t.credit_id, t.seq, t.code, t.reason, p.number FROM vk_transfer t "
    "JOIN vk_service_record r ON r.id = t.record_id JOIN vk_project p ON p.id = r.project_id "
    "WHERE r.volunteer_id = ? AND t.code IN (?, ?, ?) AND t.effective_on <= ? AND t.seq <= ? ORDER BY t.seq"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class StatementLine:
    """One record: raw minutes (``claimed_minutes``, ``confirmed_minutes``) beside what the rule credits.

    ``reasons`` say why credited and confirmed minutes differ; ``seq`` is the transfer that put it there.
    """

    record_id: int
    served_on: dt.date
    project: str
    claimed_minutes: int
    confirmed_minutes: int
    credited_minutes: int
    seq: int
    reasons: tuple[Any, ...] = ()


@attrs.frozen
class Statement:
    """A volunteer's account: lines by day of service, and totals in whole minutes.

    ``known_at`` is the ledger's seq up to which it knows; the same as_of and known_at give the same
    statement for ever.
    """

    volunteer: str
    as_of: dt.date
    known_at: int
    rulebook: str
    digest: str
    confirmed_minutes: int
    credited_minutes: int
    lines: tuple[StatementLine, ...]


def statement(
    desk: Desk,
    volunteer: str,
    *,
    as_of: dt.date | None = None,
    known_at: int | None = None,
    rulebook: str = "union",
) -> Statement:
    """Return the statement of the volunteer with this number.

    ``as_of`` is the last day that counts (default today), ``known_at`` the last transfer known (default
    all). A reversal counts from the day it is effective. Raises NotFound, NotPermitted, InvalidValue.
    """
    execute = driver(desk.connection)
    person = execute(_PERSON, (volunteer,)).fetchone()
    place = None if person is None else Place(volunteer, [person[4]] if person[4] else (), (person[1],))
    desk.permit_on("hours.statement", "volunteer", volunteer, place)
    assert person is not None
    latest = execute("SELECT transfer_seq FROM vk_head", ()).fetchone()[0]
    if known_at is not None and not 0 <= known_at <= latest:
        raise InvalidValue(name="known_at", value=known_at, allowed=f"0 … {latest}")
    day, seq = as_of or desk.today, latest if known_at is None else known_at
    standing: dict[int, tuple[Any, ...]] = {}
    for row in execute(_POSTED, (person[0], CONFIRM, IMPORT, REVERSE, day_number(day), seq)):
        if row[10] == honour_account(person[0]):
            standing[row[0]] = tuple(row)
        else:
            standing.pop(row[0], None)
    # A reversal may take effect on a later day than the record: then the service day has the last word.
    rows = sorted(
        (row for row in standing.values() if row[2] <= day_number(day)),
        key=lambda row: (row[2], row[3], row[0]),
    )
    records = rule_records(
        desk, [(row[0], row[2], row[3], row[4], row[9], row[6], row[7], row[8]) for row in rows]
    )
    book, credited = credited_of(desk, rulebook, day, records, registered_on=person[2], adult_on=person[3])
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
            by_record[row[0]].reasons,
        )  # fmt: skip
        for row in rows
    )
    return Statement(volunteer, day, seq, book.id, book.version_on(day).digest, credited.claimed_minutes,
                     credited.credited_minutes, lines)  # fmt: skip
