"""The figures of a city: hours by month and by organization, share of active volunteers."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import attrs
import sqlalchemy as sa

from volunteerkit.hours.crediting import credit_rulebook, person_facts, rule_records
from volunteerkit.hours.reading import cluster_rows
from volunteerkit.organizations.tables import organization
from volunteerkit.rules import CreditLine, Record, credit
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.units import day_number, day_of, plain_day
from volunteerkit.volunteers.tables import volunteer

__all__ = ["CityFigures", "city_figures"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class CityFigures:
    """Counts up to a day, in whole minutes.

    ``by_month`` is (``"2026-03"``, claimed, credited); ``by_organization`` (name, claimed, credited,
    volunteers), most first; ``differences`` (reason code, minutes) explains claimed minus credited.
    """

    registered: int
    active: int
    claimed_minutes: int
    credited_minutes: int
    by_month: tuple[tuple[str, int, int], ...]
    by_organization: tuple[tuple[str, int, int, int], ...]
    differences: tuple[tuple[str, int], ...]


@storage_errors("database")
def city_figures(desk: Desk, *, rulebook: str = "union", as_of: dt.date | None = None) -> CityFigures:
    """Count the whole city, record by record, under a credit rulebook; raises NotPermitted, InvalidValue.

    Months and organizations need what became of every record, so this walks over the records; totals
    equal those of `rating.rate_city`.
    """
    desk.permit("statistics.read")
    day = desk.today if as_of is None else plain_day("as_of", as_of)
    version = credit_rulebook(desk, rulebook).version_on(day)
    names = {
        row[0]: row[1] for row in desk.connection.execute(sa.select(organization.c.id, organization.c.name))
    }
    people = {row[0]: (row[1], row[2]) for row in desk.connection.execute(
        sa.select(volunteer.c.id, volunteer.c.registered_on, volunteer.c.adult_on))}  # fmt: skip
    months: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    vouching: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    served: defaultdict[int, set[int]] = defaultdict(set)
    reasons: defaultdict[str, int] = defaultdict(int)
    claimed = credited = active = 0
    rows = list(cluster_rows(desk.connection, day_number(day)))
    records = rule_records(desk, [row[1:] for row in rows])
    position = 0
    while position < len(rows):
        person, first = rows[position][0], position
        while position < len(rows) and rows[position][0] == person:
            position += 1
        mine = records[first:position]
        found = credit(version, mine, person_facts(*people[person]))
        claimed, credited, active = (
            claimed + found.claimed_minutes,
            credited + found.credited_minutes,
            active + 1,
        )
        by_id = (
            {line.record_id: line for line in found.lines}
            if found.scaled != found.claimed_minutes * found.scale
            else {}
        )
        for row, record in zip(rows[first:position], mine, strict=True):
            minutes = by_id[record.record_id].credited_minutes if by_id else record.claimed_minutes
            for column in (months[_month(record.served_on)], vouching[row[7]]):
                column[0] += record.claimed_minutes
                column[1] += minutes
            served[row[7]].add(person)
            if by_id and minutes != record.claimed_minutes:
                _explain(reasons, record, by_id[record.record_id])
    ranked = sorted(vouching, key=lambda id_: (-vouching[id_][1], id_))
    return CityFigures(
        len(people), active, claimed, credited,
        tuple((f"{month // 12}-{month % 12 + 1:02d}", months[month][0], months[month][1]) for month in sorted(months)),
        tuple((names[id_], vouching[id_][0], vouching[id_][1], len(served[id_])) for id_ in ranked),
        tuple(sorted(reasons.items())),
    )  # fmt: skip


def _month(day: int) -> int:
    date = day_of(day)
    return date.year * 12 + date.month - 1


def _explain(reasons: dict[str, int], record: Record, line: CreditLine) -> None:
    """Put a record's whole difference under its reason; with several, what the clock lacks goes first."""
    lost = record.claimed_minutes - line.credited_minutes
    codes = [reason.code for reason in line.reasons]
    if "clock_shorter" in codes and len(codes) > 1:
        short = record.claimed_minutes - record.clock_minutes
        reasons["clock_shorter"] += short
        lost -= short
        codes.remove("clock_shorter")
    if codes and lost:
        reasons[codes[0]] += lost
