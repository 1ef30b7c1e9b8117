"""Records from the database as the rules take them, and crediting them under a desk's rulebook."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from volunteerkit.clock import years_after
from volunteerkit.errors import InvalidValue, did_you_mean
from volunteerkit.hours.tables import service_record
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.tables import project
from volunteerkit.rules import Credited, Record, Rulebook, Version, credit
from volunteerkit.rules.expression import CALENDAR, mentioned
from volunteerkit.rules.functions import months_after
from volunteerkit.rules.parts import Measure
from volunteerkit.store.desk import Desk
from volunteerkit.units import day_number, day_of, instant_of, plain_text

__all__ = ["asked_by", "credit_person", "credit_rulebook", "credited_of", "person_facts", "rule_records"]

# SQLite takes 32,766 values in one statement, older ones 999.
_AT_ONCE = 900
_ADULT_MONTHS = 18 * 12


def __dir__() -> list[str]:
    return __all__


def credit_rulebook(desk: Desk, name: str) -> Rulebook:
    """Return the credit rulebook with this id; raises InvalidValue with the nearest one."""
    known = [book.id for book in desk.rulebooks.values() if book.decides == "credit"]
    if name not in known:
        plain_text("rulebook", name)
        raise InvalidValue(
            "rulebook_unknown", rulebook=name, known=", ".join(sorted(known)), near=did_you_mean(name, known)
        )
    book: Rulebook = desk.rulebooks[name]
    return book


def asked_by(version: Version) -> set[str]:
    """Return every fact a version asks for anywhere: in its rules, its own way of crediting, its measures."""
    names = {*version.mentions, *(name for rule in version.every_rule for name in mentioned(rule))}
    if version.credit is not None:
        names |= set(version.credit.mentions)
    for part in version.made:
        if isinstance(part, Measure):
            names |= {part.distinct, part.per}
    return names


def rule_records(desk: Desk, rows: Sequence[tuple[Any, ...]], *versions: Version) -> list[Record]:
    """Return rows as records with the words that one of ``versions`` may ask for.

    A row is (record id, served_on, start_minute, clock_minutes, minutes, project id, organization id, method).
    """
    rare = {"kind", "known_on", "evidence"} & {name for each in versions for name in asked_by(each)}
    beside = _beside(desk, [row[0] for row in rows]) if rare else {}
    projects = _by_id(desk, {row[5] for row in rows}, project.c.id, project.c.number, project.c.category)
    organizations = _by_id(desk, {row[6] for row in rows}, organization.c.id, organization.c.number)
    return [
        Record(
            id_,
            on,
            start,
            clock,
            minutes,
            projects[place][2],
            projects[place][1],
            organizations[vouching][1],
            method,
            **beside.get(id_, {}),
        )
        for id_, on, start, clock, minutes, place, vouching, method in rows
    ]


def _by_id(desk: Desk, ids: set[int], *columns: sa.Column[Any]) -> dict[int, tuple[Any, ...]]:
    """Return rows by their ids, the first of the columns: those of a person, or all when many are wanted."""
    query = sa.select(*columns)
    if len(ids) <= _AT_ONCE:
        query = query.where(columns[0].in_(ids))
    return {row[0]: tuple(row) for row in desk.connection.execute(query)}


def _beside(desk: Desk, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what few rules ask for: the record's kind, the city's day it was entered, whether it has evidence.

    An imported record whose file did not say when it was entered counts as entered in time.
    """
    found: dict[int, dict[str, Any]] = {}
    record = service_record.c
    for i in range(0, len(ids), _AT_ONCE):
        query = sa.select(record.id, record.kind, record.entered_at, record.evidence.is_not(None))
        for id_, kind, at, proved in desk.connection.execute(
            query.where(record.id.in_(ids[i : i + _AT_ONCE]))
        ):
            found[id_] = {"kind": kind, "facts": {"evidence": bool(proved)}}
            if at is not None:
                found[id_]["known_on"] = day_number(instant_of(at).astimezone(desk.zone).date())
    return found


def person_facts(registered_on: int, adult_on: int | None) -> dict[str, int]:
    """Return a person's facts for the rules; the 60th birthday is 42 years after the 18th.

    So is the day of birth 18 years before it: nothing is opened for it, and who was born on 29 February
    counts as born on 1 March here.
    """
    facts = {"registered_on": registered_on}
    if adult_on is not None:
        facts |= {"adult_on": adult_on, "senior_on": day_number(years_after(day_of(adult_on), 42)),
                  "birth_date": months_after(adult_on, -_ADULT_MONTHS)}  # fmt: skip
    return facts


def credited_of(
    desk: Desk, rulebook: str, on: dt.date, records: list[Record], *, registered_on: int, adult_on: int | None
) -> tuple[Rulebook, Credited]:
    """Credit one person's records under the rulebook's version of day ``on``."""
    book = credit_rulebook(desk, rulebook)
    return book, credit_person(desk, book.version_on(on), records, registered_on, adult_on)


def credit_person(
    desk: Desk, version: Version, records: list[Record], registered_on: int, adult_on: int | None
) -> Credited:
    """Credit one person's records under a version, terms in working days by the city's calendar."""
    facts: dict[str, Any] = dict(person_facts(registered_on, adult_on))
    if CALENDAR in version.mentions:
        facts[CALENDAR] = desk.calendar
    return credit(version, records, facts)
