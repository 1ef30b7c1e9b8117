"""The figures of a city: hours by month and by organization, share of active volunteers."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.hours.crediting import credit_person, credit_rulebook, rule_records
from volunteerkit.hours.groups import group_minutes
from volunteerkit.hours.reading import cluster_rows
from volunteerkit.hours.tables import group_entry, service_record
from volunteerkit.organizations.tables import organization
from volunteerkit.rating.actions import credited_people
from volunteerkit.rules import CreditLine, Record
from volunteerkit.rules.plan import scales
from volunteerkit.rules.rulebook import Version
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.units import day_number, day_of, plain_day
from volunteerkit.volunteers.persons import everybody, merged_into

__all__ = ["CityFigures", "city_figures"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class CityFigures:
    """Counts up to a day, in whole minutes.

    ``by_month`` is (``"2026-03"``, claimed, credited); ``by_organization`` (name, claimed, credited,
    volunteers), most first; ``differences`` (reason code, minutes) explains claimed minus credited.

    ``group_minutes`` are those of unnamed persons (minutes times persons of confirmed group entries), and
    ``group_by_organization`` (name, these minutes), most first. No other figure has them in it.
    """

    registered: int
    active: int
    claimed_minutes: int
    credited_minutes: int
    by_month: tuple[tuple[str, int, int], ...]
    by_organization: tuple[tuple[str, int, int, int], ...]
    differences: tuple[tuple[str, int], ...]
    group_minutes: int
    group_by_organization: tuple[tuple[str, int], ...]


@storage_errors("database")
def city_figures(desk: Desk, *, rulebook: str = "union", as_of: dt.date | None = None) -> CityFigures:
    """Count the whole city under a credit rulebook; raises NotPermitted, InvalidValue.

    The database sums what was confirmed; only the records of those whose minutes a rule changed are walked
    over, to take off what it took, where and why. Totals equal those of `rating.rate_city`.
    """
    desk.permit("statistics.read")
    day, connection = desk.today if as_of is None else plain_day("as_of", as_of), desk.connection
    book = credit_rulebook(desk, rulebook)
    people = everybody(connection)
    credited = credited_people(desk, book, day, people)
    months, vouching, served = _confirmed(desk, day)
    reasons: defaultdict[str, int] = defaultdict(int)
    changed = {
        person[0]: (person[2], person[3])
        for person, claimed, counted in zip(
            people, credited["claimed_minutes"], credited["credited_minutes"], strict=True
        )
        if claimed != counted or (claimed and scales(book.version_on(day))[1] > 1)
    }
    for row, record, line in _changed_lines(desk, book.version_on(day), day, changed):
        lost = record.claimed_minutes - line.credited_minutes
        if lost:
            months[_month(record.served_on)][1] -= lost
            vouching[row[7]][1] -= lost
            _explain(reasons, record, line)
    names = {row[0]: row[1] for row in connection.execute(sa.select(organization.c.id, organization.c.name))}
    groups = group_minutes(desk, group_entry.c.served_on <= day_number(day))
    ranked = sorted(vouching, key=lambda id_: (-vouching[id_][1], id_))
    return CityFigures(
        len(people), sum(1 for minutes in credited["claimed_minutes"] if minutes),
        sum(credited["claimed_minutes"]), sum(credited["credited_minutes"]),
        tuple((f"{month // 12}-{month % 12 + 1:02d}", months[month][0], months[month][1]) for month in sorted(months)),
        tuple((names[id_], vouching[id_][0], vouching[id_][1], served[id_]) for id_ in ranked),
        tuple(sorted(reasons.items())), sum(groups.values()),
        tuple((names[id_], groups[id_]) for id_ in sorted(groups, key=lambda id_: (-groups[id_], id_))),
    )  # fmt: skip


_Sums = dict[int, list[int]]


def _confirmed(desk: Desk, day: dt.date) -> tuple[_Sums, _Sums, dict[int, int]]:
    """Return confirmed minutes by month and by organization, twice each, and volunteers by organization."""
    record = service_record.c
    counted = (record.state == "confirmed", record.served_on <= day_number(day))
    minutes = sa.func.sum(record.confirmed_minutes)
    months: _Sums = defaultdict(lambda: [0, 0])
    by_day = sa.select(record.served_on, minutes).where(*counted).group_by(record.served_on)
    for on, total in desk.connection.execute(by_day):
        month = months[_month(on)]
        month[:] = month[0] + int(total), month[1] + int(total)
    people = sa.func.count(record.volunteer_id.distinct())
    by_organization = sa.select(record.organization_id, minutes, people).where(*counted)
    rows = desk.connection.execute(by_organization.group_by(record.organization_id)).all()
    twice = _counted_twice(desk, counted)
    served = {row[0]: row[2] - twice.get(row[0], 0) for row in rows}
    return months, {row[0]: [int(row[1])] * 2 for row in rows}, served


def _counted_twice(desk: Desk, counted: tuple[sa.ColumnElement[bool], ...]) -> dict[int, int]:
    """Return by how many an organization has fewer persons than volunteers: some of them are merged."""
    into = merged_into(desk.connection)
    if not into:
        return {}
    columns = (service_record.c.organization_id, service_record.c.volunteer_id)
    rows = desk.connection.execute(sa.select(*columns).where(*counted).distinct()).all()
    persons = Counter(id_ for id_, _ in {(row[0], into.get(row[1], row[1])) for row in rows})
    return {id_: count - persons[id_] for id_, count in Counter(row[0] for row in rows).items()}


def _changed_lines(
    desk: Desk, version: Version, day: dt.date, people: Mapping[int, tuple[int, int | None]]
) -> Iterator[tuple[tuple[Any, ...], Record, CreditLine]]:
    """Yield every record of these people as a row and as a record, with what became of it."""
    ids = {id_: [id_] for id_ in people}
    for merged, kept in merged_into(desk.connection).items():
        if kept in ids:
            ids[kept].append(merged)
    rows = [
        row for each in ids.values() for row in cluster_rows(desk.connection, day_number(day), tuple(each))
    ]
    records = rule_records(desk, [row[1:] for row in rows], version)
    for id_, pairs in groupby(zip(rows, records, strict=True), key=lambda pair: pair[0][0]):
        mine = list(pairs)
        credited = credit_person(desk, version, [record for _, record in mine], *people[id_])
        if credited.scaled != credited.claimed_minutes * credited.scale:
            lines = {line.record_id: line for line in credited.lines}
            for row, record in mine:
                yield row, record, lines[record.record_id]


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
