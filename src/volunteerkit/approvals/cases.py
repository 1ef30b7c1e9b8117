"""Cases in the database: reading them with where they stand today, opening and putting them somewhere."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.approvals.model import Case, Workflow
from volunteerkit.approvals.tables import case, is_open
from volunteerkit.errors import (
    AlreadyResolved,
    Finding,
    IntegrityProblem,
    InvalidValue,
    Refused,
    RetryableConflict,
)
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.grants import alias
from volunteerkit.store.posting import insert_rows, note, note_many, writing
from volunteerkit.store.registering import next_id, possible_id
from volunteerkit.store.texts import open_texts, seal_text
from volunteerkit.units import day_number, day_of, instant_of
from volunteerkit.workflow import CLOSED, Position, after_approval, forecast, stands

__all__ = [
    "already_decided",
    "close_expired",
    "end_cases",
    "find_case",
    "foresee",
    "last_case",
    "open_case",
    "open_cases",
    "put",
    "read_case",
    "selected",
    "unforeseen",
    "volunteer_now",
    "waiting_case",
    "workflow_of",
]

volunteer_now = sa.func.coalesce(alias.c.volunteer_number, case.c.volunteer)
"""The number that a case's volunteer has today, after merges; goes with `selected`."""

selected = sa.select(case, volunteer_now.label("volunteer_now")).outerjoin(
    alias, alias.c.number == case.c.volunteer
)
"""What `read_case` reads."""


# who closed a case that nobody decided
_DEADLINE, _ROUTE = "deadline", "route"
_log = logging.getLogger(__name__)


def __dir__() -> list[str]:
    return __all__


def workflow_of(desk: Desk, kind: str) -> Workflow:
    """Return the workflow of a kind of case; the kit holds one for every kind."""
    found: Workflow | None = desk.workflows.get(kind)
    if found is None:
        raise IntegrityProblem(what=f"no workflow for cases of kind {kind}")
    return found


def read_case(desk: Desk, row: Any) -> Case:
    """Return the case for a row of `selected`, with where it stands on the desk's day."""
    at = Position(row.state, row.step, bool(row.escalated), day_of(row.since))
    standing = stands(workflow_of(desk, row.kind).route, at, desk.today, desk.calendar, day_of(row.opened_on))
    if row.closed_by == _DEADLINE:
        standing = attrs.evolve(standing, automatic=True)
    place = Place(
        row.volunteer_now,
        (row.team,) if row.team else (),
        tuple(each for each in (row.organization, row.second_organization) if each),
        (row.area,) if row.area else (),
        row.opened_by,
        published=standing.state in ("notice", "objected"),
    )
    findings = tuple(Finding(**each) for each in json.loads(row.findings))
    closed_by = row.closed_by or (_DEADLINE if standing.closed else None)
    facts = json.loads(row.facts)
    said = open_texts(desk, (row.reason, facts.get("reason")))
    if "reason" in facts:
        facts["reason"] = said[facts["reason"]]
    return Case(
        row.id, row.kind, row.subject, place, facts, row.beneficiary, row.opened_by,
        row.opened_volunteer, row.opened_for, day_of(row.opened_on), row.previous_id, findings, at, standing,
        row.version, closed_by, said[row.reason],
    )  # fmt: skip


def find_case(desk: Desk, case_id: int) -> Case | None:
    """Return a case by its id, None for an unknown one; nobody's right to see it is checked here."""
    if not possible_id(case_id):
        return None
    row = desk.connection.execute(selected.where(case.c.id == case_id)).first()
    return None if row is None else read_case(desk, row)


def waiting_case(desk: Desk, kind: str, subject: str) -> Case | None:
    """Return the case of this kind about ``subject`` that was last put into a waiting state, if any.

    Its term may have run out meanwhile: see its ``state``.
    """
    query = selected.where(case.c.kind == kind, case.c.subject == subject, is_open)
    row = desk.connection.execute(query).first()
    return None if row is None else read_case(desk, row)


def last_case(desk: Desk, kind: str, subject: str) -> Case | None:
    """Return the newest case of this kind about ``subject``, waiting or closed, if any."""
    query = selected.where(case.c.kind == kind, case.c.subject == subject).order_by(case.c.id.desc())
    row = desk.connection.execute(query.limit(1)).first()
    return None if row is None else read_case(desk, row)


def open_case(
    desk: Desk,
    kind: str,
    subject: str,
    place: Place,
    *,
    facts: Mapping[str, Any] | None = None,
    beneficiary: str | None = None,
    findings: tuple[Finding, ...] = (),
    previous_id: int | None = None,
    lender: str | None = None,
) -> Case:
    """Open a case about ``subject`` and return it; a route without steps grants it at once.

    ``lender`` is who lent the grant by which the actor opens it (``desk.lender``): they decide it as little
    as the actor. ``place`` has at most two organizations, one team and one area. ``facts`` and the findings' values are
    ids, codes and whole numbers, never a personal datum; but the fact ``reason``, free words, is sealed. Raises InvalidValue, and Refused when a finding
    blocks or a case of this kind about the same thing is waiting; one whose term ran out is settled first.
    """
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    if len(place.organizations) > 2 or len(place.teams) > 1 or len(place.areas) > 1:
        raise InvalidValue(name="place", value="…", allowed="2 organizations, 1 team, 1 area")
    with writing(desk):
        before = waiting_case(desk, kind, subject)
        if before is not None and not before.standing.closed:
            raise Refused(Finding("case_waiting", {"case": before.id}))
        if before is not None:
            close_expired(desk, before)
        return _opened(desk, kind, subject, place, facts or {}, beneficiary, findings, previous_id,
                       lender or desk.actor.on_behalf_of)  # fmt: skip


def _opened(
    desk: Desk, kind: str, subject: str, place: Place, facts: Mapping[str, Any], beneficiary: str | None,
    findings: tuple[Finding, ...], previous_id: int | None, opened_for: str | None,
) -> Case:  # fmt: skip
    id_, facts = next_id(desk, case), dict(facts)
    if "reason" in facts:
        facts["reason"] = seal_text(desk, subject, f"case:{id_}", facts["reason"])
    begun = _begun(desk, kind)
    more = {"beneficiary": beneficiary, "opened_for": opened_for, "previous_id": previous_id}
    row = begun | _about(id_, subject, place, facts, findings) | more
    desk.connection.execute(sa.insert(case).values(row))
    note(desk, "case.opened", f"case:{id_}", {"kind": kind, "subject": subject, "state": begun["state"]})
    return _settled(desk, id_)


def open_cases(
    desk: Desk, kind: str, many: Sequence[tuple[str, Place, Mapping[str, Any], tuple[Finding, ...]]]
) -> None:
    """Open a case for each of ``many`` (subject, place, facts, findings), as `open_case` would, but at once.

    For subjects of which no case of this kind is waiting; no finding blocks, and no fact is a text.
    """
    if not many:
        return
    begun, first = _begun(desk, kind) | {"opened_for": desk.actor.on_behalf_of}, next_id(desk, case)
    rows = [begun | _about(id_, *each) for id_, each in enumerate(many, first)]
    insert_rows(desk.connection, case.name, list(rows[0]), [tuple(row.values()) for row in rows])
    payload = {"kind": kind, "state": begun["state"]}
    note_many(
        desk, [("case.opened", f"case:{row['id']}", payload | {"subject": row["subject"]}) for row in rows]
    )
    for row in rows if begun["state"] in CLOSED else ():
        _settled(desk, row["id"])


def _begun(desk: Desk, kind: str) -> dict[str, Any]:
    """Return the columns that all cases of a kind have when the actor opens them today."""
    route = workflow_of(desk, kind).route
    at = Position("review", 0, False, desk.today) if route.steps else after_approval(route, -1, desk.today)
    return {
        "kind": kind, "opened_by": desk.actor.id, "opened_volunteer": desk.acting.volunteer,
        "opened_on": day_number(desk.today), "version": 1, **_columns(desk, kind, at, desk.today),
        **(_closing(desk, _ROUTE) if at.state in CLOSED else {}),
    }  # fmt: skip


def _about(
    id_: int, subject: str, place: Place, facts: Mapping[str, Any], findings: tuple[Finding, ...]
) -> dict[str, Any]:
    organizations = [*place.organizations, None, None]
    # with their texts: what was told to whoever decides can be read when the plugin is long gone
    shown = [attrs.asdict(each) for each in findings]
    return {
        "id": id_, "subject": subject, "volunteer": place.volunteer, "team": next(iter(place.teams), None),
        "organization": organizations[0], "second_organization": organizations[1],
        "area": next(iter(place.areas), None), "facts": json.dumps(facts, ensure_ascii=False, sort_keys=True),
        "findings": json.dumps(shown, ensure_ascii=False, default=str),
    }  # fmt: skip


def _settled(desk: Desk, id_: int) -> Case:
    """Return a case that was just opened; one that its route closed at once is settled."""
    opened = find_case(desk, id_)
    assert opened is not None
    if opened.put.state in CLOSED:
        workflow_of(desk, opened.kind).settle(desk, opened, opened.put.state, desk.today)
    return opened


def _columns(desk: Desk, kind: str, at: Position, opened: dt.date) -> dict[str, Any]:
    moved = {
        "state": at.state,
        "step": at.step,
        "escalated": int(at.escalated),
        "since": day_number(at.since),
    }
    return moved | _end(desk, kind, at, opened)


def _end(desk: Desk, kind: str, at: Position, opened: dt.date) -> dict[str, Any]:
    route = workflow_of(desk, kind).route
    end = None if at.state in CLOSED else forecast(route, at, desk.calendar, opened)
    return {"end_state": end and end[0], "end_on": end and day_number(end[1])}


def _closing(desk: Desk, by: str, reason: str = "") -> dict[str, Any]:
    return {"closed_by": by, "closed_at": microseconds(desk.now), "reason": reason}


def foresee(desk: Desk, found: Case) -> None:
    """Write down anew how a waiting case ends by itself: the calendar or the route may have changed."""
    end = _end(desk, found.kind, found.put, found.opened_on)
    changed = sa.or_(*(case.c[name].is_distinct_from(value) for name, value in end.items()))
    guarded = sa.update(case).where(case.c.id == found.id, case.c.version == found.version, changed)
    desk.connection.execute(guarded.values(**end))


def unforeseen(desk: Desk) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the waiting cases whose end is known now and was not when they were written, each with that end.

    The calendar knew less far then. A row of them has the columns ``id`` and ``version``.
    """
    for row in desk.connection.execute(sa.select(case).where(is_open, case.c.end_on.is_(None))).fetchall():
        at = Position(row.state, row.step, bool(row.escalated), day_of(row.since))
        end = _end(desk, row.kind, at, day_of(row.opened_on))
        if end["end_on"] is not None:
            yield row, end


def put(desk: Desk, found: Case, at: Position, *, by: str, reason: str = "") -> Case:
    """Put a case somewhere, once: whoever changed it meanwhile has won. Settle it when that closes it.

    ``reason`` is the address of a sealed text. Raises AlreadyResolved when it was closed meanwhile, RetryableConflict when it only moved.
    """
    closes = at.state in CLOSED
    values = _columns(desk, found.kind, at, found.opened_on) | {"version": found.version + 1}
    if closes:
        values |= _closing(desk, by, reason)
    guarded = sa.update(case).where(case.c.id == found.id, case.c.version == found.version, is_open)
    if desk.connection.execute(guarded.values(**values)).rowcount != 1:
        now = find_case(desk, found.id)
        if now is not None and now.put.state in CLOSED:
            raise already_decided(desk, now)
        raise RetryableConflict()
    payload = {"state": at.state, "step": at.step, "by": by}
    note(desk, "case.closed" if closes else "case.moved", f"case:{found.id}", payload)
    after = find_case(desk, found.id)
    assert after is not None
    if closes:
        workflow_of(desk, found.kind).settle(desk, after, at.state, at.since)
    return after


def close_expired(desk: Desk, found: Case) -> Case:
    """Write down what happened by itself when terms ran out, and return the case as it stands.

    What is granted by nobody, and can no longer be, is refused by nobody: the reason is the findings' codes.
    """
    at = found.standing.position
    if at == found.put:
        return found
    try:
        with writing(desk):
            return put(desk, found, at, by=_DEADLINE)
    except Refused as error:
        if at.state != "granted":
            raise
        codes = ", ".join(each.code for each in error.findings)
        _log.warning("case %s cannot be granted by its deadline: %s", found.id, codes)
    return put(desk, found, attrs.evolve(at, state="refused"), by=_DEADLINE, reason=codes)


def end_cases(desk: Desk, which: sa.ColumnElement[bool], *, by: str) -> None:
    """Withdraw those of the cases that still wait: what they asked for has no ground any more."""
    query = selected.where(which, is_open).order_by(case.c.id)
    for row in desk.connection.execute(query).fetchall():
        found = close_expired(desk, read_case(desk, row))
        if not found.standing.closed:
            put(desk, found, attrs.evolve(found.put, state="withdrawn", since=desk.today), by=by)


def already_decided(desk: Desk, found: Case) -> AlreadyResolved:
    """Return the error that tells who closed a case, when and how."""
    if found.closed_by == _DEADLINE:  # the same whether or not somebody has swept
        at: dt.date = found.standing.position.since
    else:
        query = sa.select(case.c.closed_at).where(case.c.id == found.id)
        at = instant_of(desk.connection.execute(query).scalar_one()).astimezone(desk.zone)
    return AlreadyResolved("case_decided", id=found.id, state=found.state, actor=found.closed_by, at=at)
