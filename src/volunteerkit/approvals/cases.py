"""Cases in the database: reading them with where they stand today, opening and putting them somewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.access import Place
from volunteerkit.approvals.model import Case, Workflow
from volunteerkit.approvals.tables import case
from volunteerkit.errors import AlreadyResolved, Finding, IntegrityProblem, Refused, RetryableConflict
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import note
from volunteerkit.units import day_number, day_of, instant_of
from volunteerkit.workflow import CLOSED, OPEN, Position, after_approval, forecast, stands

__all__ = [
    "already_decided",
    "close_expired",
    "find_case",
    "open_case",
    "put",
    "read_case",
    "waiting_case",
    "workflow_of",
]


def __dir__() -> list[str]:
    return __all__


def workflow_of(desk: Desk, kind: str) -> Workflow:
    """Return the workflow of a kind of case; the kit holds one for every kind."""
    found: Workflow | None = desk.workflows.get(kind)
    if found is None:
        raise IntegrityProblem(what=f"no workflow for cases of kind {kind}")
    return found


def read_case(desk: Desk, row: Any) -> Case:
    """Return the case for a row of the table, with where it stands on the desk's day."""
    placed = Place(
        row.volunteer,
        (row.team,) if row.team else (),
        tuple(each for each in (row.organization, row.second_organization) if each),
        (row.area,) if row.area else (),
        row.opened_by,
        published=row.state in ("notice", "objected"),
    )
    at = Position(row.state, row.step, bool(row.escalated), day_of(row.since))
    standing = stands(workflow_of(desk, row.kind).route, at, desk.today, desk.calendar)
    findings = tuple(Finding(**each) for each in json.loads(row.findings))
    return Case(
        row.id, row.kind, row.subject, attrs.evolve(placed, published=standing.state in ("notice", "objected")),
        json.loads(row.facts), row.beneficiary, row.opened_by, row.opened_volunteer, day_of(row.opened_on),
        row.previous_id, findings, at, standing, row.version, row.reason,
    )  # fmt: skip


def find_case(desk: Desk, case_id: int) -> Case | None:
    """Return a case by its id, None for an unknown one; nobody's right to see it is checked here."""
    row = desk.connection.execute(sa.select(case).where(case.c.id == case_id)).first()
    return None if row is None else read_case(desk, row)


def waiting_case(desk: Desk, kind: str, subject: str) -> Case | None:
    """Return the case of this kind about ``subject`` that was last put into a waiting state, if any.

    Its term may have run out meanwhile: see its ``state``.
    """
    query = sa.select(case).where(case.c.kind == kind, case.c.subject == subject, case.c.state.in_(OPEN))
    row = desk.connection.execute(query).first()
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
) -> Case:
    """Open a case about ``subject`` and return it; a route without steps grants it at once.

    ``facts`` and the findings' values are ids, codes and whole numbers: never a personal datum. Raises
    Refused when a finding blocks or a case of this kind about the same thing is waiting.
    """
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    before = waiting_case(desk, kind, subject)
    if before is not None and not close_expired(desk, before).standing.closed:
        raise Refused(Finding("case_waiting", {"case": before.id}))
    route = workflow_of(desk, kind).route
    at = Position("review", 0, False, desk.today) if route.steps else after_approval(route, -1, desk.today)
    organizations = [*place.organizations, None, None]
    id_ = (desk.connection.execute(sa.select(sa.func.max(case.c.id))).scalar() or 0) + 1
    shown = [
        {"code": each.code, "values": each.values, "severity": each.severity, "plugin": each.plugin}
        for each in findings
    ]
    desk.connection.execute(
        sa.insert(case).values(
            id=id_, kind=kind, subject=subject, volunteer=place.volunteer, team=next(iter(place.teams), None),
            organization=organizations[0], second_organization=organizations[1],
            area=next(iter(place.areas), None), facts=json.dumps(dict(facts or {}), ensure_ascii=False, sort_keys=True),
            beneficiary=beneficiary, opened_by=desk.actor.id, opened_volunteer=desk.acting.volunteer,
            opened_on=day_number(desk.today), previous_id=previous_id,
            findings=json.dumps(shown, ensure_ascii=False, default=str), version=1, **_columns(desk, kind, at),
        )
    )  # fmt: skip
    note(desk, "case.opened", f"case:{id_}", {"kind": kind, "subject": subject, "state": at.state})
    opened = find_case(desk, id_)
    assert opened is not None
    if opened.put.state in CLOSED:
        workflow_of(desk, kind).settle(desk, opened, opened.put.state, desk.today)
    return opened


def _columns(desk: Desk, kind: str, at: Position) -> dict[str, Any]:
    end = None if at.state in CLOSED else forecast(workflow_of(desk, kind).route, at, desk.calendar)
    return {
        "state": at.state,
        "step": at.step,
        "escalated": int(at.escalated),
        "since": day_number(at.since),
        "end_state": end and end[0],
        "end_on": end and day_number(end[1]),
    }


def put(desk: Desk, found: Case, at: Position, *, by: str, reason: str = "") -> Case:
    """Put a case somewhere, once: whoever changed it meanwhile has won. Settle it when that closes it.

    Raises AlreadyResolved when it was closed meanwhile, RetryableConflict when it only moved.
    """
    closes = at.state in CLOSED
    values = _columns(desk, found.kind, at) | {"version": found.version + 1}
    if closes:
        values |= {"closed_by": by, "closed_at": microseconds(desk.now), "reason": reason}
    guarded = sa.update(case).where(case.c.id == found.id, case.c.version == found.version)
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
    """Write down what happened by itself when terms ran out, and return the case as it stands."""
    if not found.standing.automatic:
        return found
    return put(desk, found, found.standing.position, by="deadline")


def already_decided(desk: Desk, found: Case) -> AlreadyResolved:
    """Return the error that tells who closed a case, when and how."""
    columns = (case.c.closed_by, case.c.closed_at)
    by, at = desk.connection.execute(sa.select(*columns).where(case.c.id == found.id)).one()
    if by is None:  # its term ran out and nobody has swept yet
        by, day = "deadline", found.standing.position.since.isoformat()
    else:
        day = instant_of(at).isoformat()
    return AlreadyResolved("case_decided", id=found.id, state=found.state, actor=by, at=day)
