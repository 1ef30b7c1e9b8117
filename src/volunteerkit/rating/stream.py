"""A volunteer's stream out of the database: hours, grades kept, shifts missed, minutes redeemed, plugins' records."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue, PluginError
from volunteerkit.hours.bank.model import REDEEM
from volunteerkit.hours.bank.tables import credit_transfer, redemption
from volunteerkit.hours.crediting import asked_by, credit_person, person_facts, rule_records
from volunteerkit.hours.reading import cluster_rows
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.rating.tables import decision
from volunteerkit.rules import Record, Rulebook, Version
from volunteerkit.rules.deciding import UNCREDITED, Decision, decide
from volunteerkit.rules.expression import CALENDAR
from volunteerkit.rules.facts import DAY_FACTS, PERSON_FACTS
from volunteerkit.rules.ladder import UNTOLD
from volunteerkit.rules.parts import Scheme
from volunteerkit.store.desk import Desk
from volunteerkit.units import day_number, instant_of
from volunteerkit.volunteers.persons import merged_into
from volunteerkit.volunteers.tables import volunteer

__all__ = ["Run", "Streams", "awards_kept", "decided_as", "scheme_asked", "streams_of", "takes_records"]


def __dir__() -> list[str]:
    return __all__


def takes_records(version: Version) -> bool:
    """Tell whether a ladder's version looks at more than totals of credited hours.

    The others are rated by totals alone, a whole city at once.
    """
    plain = version.scheme is None or attrs.evolve(version.scheme, steps=()) == Scheme(
        version.scheme.name, ()
    )
    lasting = any(step.after or step.valid_months for step in version.steps)
    beside = {*PERSON_FACTS, *DAY_FACTS} & set(version.mentions)
    made = [part for part in version.made if part != version.scheme]
    return bool(made or version.credit or not plain or lasting or beside or version.suspended_from)


def scheme_asked(rulebook: Rulebook, version: Version, question: str) -> Scheme:
    """Return the scheme that answers a question: the main one for what the rulebook decides, else one of that name.

    Raises InvalidValue where this version has none.
    """
    schemes = [part for part in version.made if isinstance(part, Scheme)]
    main = version.scheme if question in ("", rulebook.decides) else None
    found = main or next((each for each in schemes if each.name == question), None)
    if found is None:
        known = [rulebook.decides, *(each.name for each in schemes if each != version.scheme)]
        raise InvalidValue("question_unknown", name=question, known=", ".join(known), near="")
    return found


def decided_as(rulebook: Rulebook, version: Version, scheme: Scheme) -> str:
    """Return the name under which decisions about a scheme are kept: the rulebook's id for its main one."""
    return rulebook.id if scheme == version.scheme else f"{rulebook.id}#{scheme.name}"


@attrs.frozen
class Streams:
    """Records by the volunteer's id: those of service, which the city's way of crediting sees, and all others."""

    service: Mapping[int, list[Record]]
    others: Mapping[int, list[Record]]


def streams_of(
    desk: Desk, day: dt.date, versions: Iterable[Version], person: tuple[int, ...] | None = None
) -> Streams:
    """Return everybody's records up to ``day`` as ``versions`` ask for them, or those of one ``person``.

    ``person`` are its ids, the kept one first. Grades are not among them: see `awards_kept`.
    """
    today, asked = day_number(day), tuple(versions)
    rows = list(cluster_rows(desk.connection, today, person))
    records = rule_records(desk, [row[1:] for row in rows], *asked)
    pairs = zip((row[0] for row in rows), records, strict=True)
    service = {id_: [record for _, record in some] for id_, some in groupby(pairs, key=lambda pair: pair[0])}
    others: dict[int, list[Record]] = {}
    found = (*_missed(desk, person), *_redeemed(desk, person), *_contributed(desk, day, person))
    into = _into(desk, person)
    for id_, record in found:
        if record.served_on <= today:
            others.setdefault(into.get(id_, id_), []).append(record)
    return Streams(service, others)


def _into(desk: Desk, person: tuple[int, ...] | None) -> Mapping[int, int]:
    return merged_into(desk.connection) if person is None else dict.fromkeys(person[1:], person[0])


def _mine(column: Any, person: tuple[int, ...] | None) -> Any:
    return sa.true() if person is None else column.in_(person)


def awards_kept(
    desk: Desk, scheme: Scheme, names: Iterable[str], person: tuple[int, ...] | None = None
) -> dict[int, list[Record]]:
    """Return the decisions kept under ``names`` as awards of ``scheme``, by the volunteer's id.

    A decision for less than the one it replaces takes a grade back: with all above what is left, unless the
    scheme gives each grade by itself.
    """
    words = {step.award: step.grade or str(step.award) for step in scheme.steps}
    column, into = decision.c, _into(desk, person)
    columns = (column.volunteer_id, column.id, column.decided_on, column.grade, column.replaces)
    query = sa.select(*columns).where(column.rulebook.in_(tuple(names)), _mine(column.volunteer_id, person))
    grades: dict[int, int] = {}
    found: dict[int, list[Record]] = {}
    for id_, number, on, grade, replaces in desk.connection.execute(query.order_by(column.id)):
        grades[number], before = grade, grades.get(replaces, 0)
        mine = found.setdefault(into.get(id_, id_), [])
        if grade < before:
            lost = [before] if scheme.take == "all" else [each for each in words if grade < each <= before]
            mine += [_award(number, on, "revocation", scheme, words, each) for each in lost]
        if grade and not (grade < before and scheme.take == "all"):
            mine.append(_award(number, on, "award", scheme, words, grade))
    return found


def _award(number: int, on: int, kind: str, scheme: Scheme, words: Mapping[int, str], grade: int) -> Record:
    facts = {"scheme": scheme.name, "grade": words.get(grade, str(grade))}
    return Record(number, on, -1, 0, 0, kind=kind, facts=facts)


def _missed(desk: Desk, person: tuple[int, ...] | None) -> Iterator[tuple[int, Record]]:
    """Yield the shifts somebody was accepted for and missed without a word, on the day of the shift."""
    query = (
        sa.select(participation.c.volunteer_id, participation.c.id, shift.c.starts_at, project.c.number,
                  project.c.category, organization.c.number)
        .join(shift, shift.c.id == participation.c.shift_id)
        .join(project, project.c.id == shift.c.project_id)
        .join(organization, organization.c.id == project.c.organization_id)
        .where(participation.c.state == "missed", _mine(participation.c.volunteer_id, person))
    )  # fmt: skip
    for id_, number, at, place, category, vouching in desk.connection.execute(query):
        on = day_number(instant_of(at).astimezone(desk.zone).date())
        yield id_, Record(number, on, -1, 0, 0, category, place, vouching, "missed", "absence",
                          facts={"grade": "missed"})  # fmt: skip


def _redeemed(desk: Desk, person: tuple[int, ...] | None) -> Iterator[tuple[int, Record]]:
    """Yield what was redeemed in the time bank; ``quantity`` are minutes."""
    moved = credit_transfer.c
    query = (
        sa.select(redemption.c.volunteer_id, redemption.c.id, sa.func.max(moved.effective_on), redemption.c.minutes,
                  organization.c.number)
        .join(credit_transfer, moved.redemption_id == redemption.c.id)
        .join(organization, organization.c.id == redemption.c.organization_id)
        .where(redemption.c.state == "redeemed", moved.code == REDEEM, _mine(redemption.c.volunteer_id, person))
        .group_by(redemption.c.volunteer_id, redemption.c.id, redemption.c.minutes, organization.c.number)
    )  # fmt: skip
    for id_, number, on, minutes, vouching in desk.connection.execute(query):
        yield id_, Record(number, on, -1, 0, 0, organization=vouching, kind="redemption", quantity=minutes)


def _contributed(desk: Desk, day: dt.date, person: tuple[int, ...] | None) -> Iterator[tuple[int, Record]]:
    """Yield what plugins contribute; a wrong value names its plugin."""
    hook = "vk_records"
    if not desk.hooks.get(hook):
        return
    query = sa.select(volunteer.c.number, volunteer.c.id).where(_mine(volunteer.c.id, person))
    ids = {number: id_ for number, id_ in desk.connection.execute(query.order_by(volunteer.c.id))}
    for plugin, answer in desk.hooks[hook]:
        for pair in answer(volunteers=tuple(ids), until=day):
            if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], Record)):
                raise PluginError(plugin=plugin, hook=hook, problem=type(pair).__name__)
            number, record = pair
            whole = (record.served_on, record.start_minute, record.clock_minutes, record.claimed_minutes)
            if any(type(each) is not int for each in (*whole, record.quantity)) or record.claimed_minutes < 0:
                raise PluginError(plugin=plugin, hook=hook, problem="Record")
            if number in ids:
                yield ids[number], record


@attrs.frozen
class Run:
    """One version of a ladder run over volunteers' streams on a day; hours count by its own way, else ``crediting``.

    ``awards`` are the grades kept, by the volunteer's id.
    """

    desk: Desk
    rulebook: Rulebook
    version: Version
    crediting: Version
    day: dt.date
    streams: Streams
    awards: tuple[Mapping[int, list[Record]], ...]
    asked: frozenset[str]

    @classmethod
    def of(
        cls,
        desk: Desk,
        rulebook: Rulebook,
        crediting: Version,
        day: dt.date,
        streams: Streams,
        person: tuple[int, ...] | None = None,
        *,
        kept_for: Iterable[Rulebook] = (),
    ) -> Run:
        """Make a run; grades kept for the rulebooks ``kept_for`` count as if this one had given them."""
        version, books = rulebook.version_on(day), (rulebook, *kept_for)
        schemes = [part for part in version.made if isinstance(part, Scheme)]
        awards = tuple(
            awards_kept(desk, scheme, {decided_as(each, version, scheme) for each in books}, person)
            for scheme in schemes
        )
        asked = frozenset(asked_by(version) | asked_by(version.credit or crediting))
        return cls(desk, rulebook, version, crediting, day, streams, awards, asked)

    def decide(self, id_: int, registered_on: int, adult_on: int | None) -> Decision:
        """Decide about one volunteer; raises InvalidValue where crediting lacks a fact of the person."""
        facts: dict[str, Any] = {
            name: value
            for name, value in person_facts(registered_on, adult_on).items()
            if name in self.asked or name == "registered_on"
        }
        if CALENDAR in self.asked:
            facts[CALENDAR] = self.desk.calendar
        service, others = self.streams.service.get(id_, []), self.streams.others.get(id_, [])
        if self.version.credit is None and any(record.kind not in UNCREDITED for record in others):
            # the city's way of crediting is one of hours: it says nothing of what a plugin brings
            credited = credit_person(self.desk, self.crediting, service, registered_on, adult_on)
            facts |= {name: getattr(credited, name) for name in _TOTALS}
        granted = [record for each in self.awards for record in each.get(id_, [])]
        records = [*service, *others, *granted]
        try:
            found = decide(self.rulebook, self.day, records=records, facts=facts, crediting=self.crediting)
        except InvalidValue as error:
            if error.code != "fact_missing":
                raise
            # nothing is known of what counts: everything that needs it stays open
            found = decide(self.rulebook, self.day, facts=facts)
        return attrs.evolve(found, untold=UNTOLD)


_TOTALS = ("credited_minutes", "claimed_minutes", "service_days", "service_records")
