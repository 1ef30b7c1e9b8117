"""The verbs of approvals: decide, withdraw, object, stay out of a case; and the lists of an office."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from volunteerkit.access import Person, holding
from volunteerkit.approvals.cases import (
    already_decided,
    close_expired,
    find_case,
    put,
    read_case,
    workflow_of,
)
from volunteerkit.approvals.model import Case, Decision, Objection
from volunteerkit.approvals.tables import case, decision, objection, recusal
from volunteerkit.errors import Finding, InvalidValue, NotPermitted, Refused
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.grants import within
from volunteerkit.store.posting import note
from volunteerkit.store.registering import checked_text
from volunteerkit.units import day_number, day_of, instant_of
from volunteerkit.workflow import OPEN, Position, after_approval

__all__ = [
    "answer_objection",
    "decide",
    "decisions",
    "object_to",
    "objections",
    "pending",
    "recuse",
    "sweep",
    "view",
    "withdraw",
]

_REACHED_BY = {
    "volunteer": case.c.volunteer,
    "brought_by": case.c.opened_by,
    "team": case.c.team,
    "organization": lambda values: sa.or_(
        case.c.organization.in_(values), case.c.second_organization.in_(values)
    ),
    "area": case.c.area,
}


def __dir__() -> list[str]:
    return __all__


def _reached(desk: Desk, action: str, case_id: int) -> Case:
    found = find_case(desk, case_id)
    desk.permit_on(action, "case", case_id, found.place if found else None)
    assert found is not None
    return found


def view(desk: Desk, case_id: int) -> Case:
    """Return a case as it stands today. Raises NotFound (also for a foreign one), NotPermitted."""
    return _reached(desk, "case.view", case_id)


def pending(desk: Desk, *, mine: bool = True, kind: str | None = None) -> tuple[Case, ...]:
    """Return the waiting cases that the actor may see, oldest first; with ``mine`` those they may decide.

    A case whose term ran out is left out, whether or not it was swept.
    """
    reached = within(desk.reach("case.view"), _REACHED_BY)
    query = sa.select(case).where(case.c.state.in_(OPEN), reached).order_by(case.c.id)
    if kind is not None:
        query = query.where(case.c.kind == kind)
    found = (read_case(desk, row) for row in desk.connection.execute(query).fetchall())
    waiting = (each for each in found if not each.standing.closed)
    return tuple(each for each in waiting if not mine or _may_decide(desk, each))


def _may_decide(desk: Desk, found: Case) -> bool:
    try:
        _authority(desk, found)
    except (NotPermitted, Refused):
        return False
    return True


def _authority(desk: Desk, found: Case) -> str | None:
    """Return on whose behalf the actor may decide the case's present step, None for their own.

    Raises NotPermitted when they hold not its office, Refused when they may not decide this very case.
    """
    workflow, at = workflow_of(desk, found.kind), found.standing.position
    cell = desk.permit(workflow.action, found.place)
    lender: str | None = None
    if at.state == "review":
        office = workflow.route.steps[at.step].office_for(found.facts, at.escalated)
        grants = [
            each
            for each in holding(desk.acting, office.role, desk.today, found.place, desk.stored_grants)
            if office.scope is None or each.scope == office.scope
        ]
        if not grants:
            raise NotPermitted(actor=desk.actor.id, action=workflow.action)
        lender = grants[0].delegated_by
    desk.separate(
        cell, "own_case", Person(found.opened_by, found.opened_volunteer),
        Person(None, found.place.volunteer), Person(found.facts.get("beneficiary_actor"), found.beneficiary),
        lender=lender,
    )  # fmt: skip
    staying_out = sa.select(recusal.c.actor_id).where(recusal.c.case_id == found.id)
    if desk.actor.id in set(desk.connection.execute(staying_out).scalars()):
        raise Refused(Finding("recused", {"case": found.id}))
    return lender or desk.actor.on_behalf_of


def _to_decide(desk: Desk, case_id: int) -> Case:
    found = _reached(desk, "case.view", case_id)
    if found.standing.closed:
        raise already_decided(desk, found)
    return found


def decide(desk: Desk, case_id: int, verdict: str, *, reason: str = "") -> Case:
    """Approve or refuse the case's present step; return the case as it stands then.

    ``verdict`` is ``"approve"`` or ``"refuse"``; a refusal needs a ``reason``. The last approval of the
    quorum moves the case on: to the next step, its public notice, or granted. Raises NotFound,
    NotPermitted, AlreadyResolved (who, when, how), InvalidValue, and Refused for whoever made the case,
    gains from it, is its subject, stays out of it or has decided this step already.
    """
    if verdict not in ("approve", "refuse"):
        raise InvalidValue(name="verdict", value=verdict, allowed="approve, refuse")
    said = checked_text("reason", reason, 500) if reason or verdict == "refuse" else ""
    found = _to_decide(desk, case_id)
    if found.state != "review":
        raise Refused(Finding("case_not_in_review", {"case": case_id, "state": found.state}))
    behalf = _authority(desk, found)
    at, route = found.standing.position, workflow_of(desk, found.kind).route
    given = _approvals(desk, found, at.step)
    if any(desk.is_one_of(Person(actor_id, volunteer)) for actor_id, volunteer in given):
        raise Refused(Finding("decided_before", {"case": case_id}))
    found = close_expired(desk, found)
    desk.connection.execute(
        sa.insert(decision).values(
            id=(desk.connection.execute(sa.select(sa.func.max(decision.c.id))).scalar() or 0) + 1,
            case_id=case_id, step=at.step, verdict=verdict, actor_id=desk.actor.id,
            volunteer=desk.acting.volunteer, on_behalf_of=behalf, reason=said, decided_at=microseconds(desk.now),
        )
    )  # fmt: skip
    if verdict == "refuse":
        after = Position("refused", at.step, at.escalated, desk.today)
    elif len(given) + 1 < route.steps[at.step].quorum:
        after = at
    else:
        after = after_approval(route, at.step, desk.today)
    return put(desk, found, after, by=desk.actor.id, reason=said)


def _approvals(desk: Desk, found: Case, step: int) -> list[tuple[str, str | None]]:
    columns = (decision.c.actor_id, decision.c.volunteer)
    query = sa.select(*columns).where(decision.c.case_id == found.id, decision.c.step == step)
    return [tuple(row) for row in desk.connection.execute(query)]


def withdraw(desk: Desk, case_id: int, *, reason: str = "") -> Case:
    """Withdraw a waiting case that one has opened or is the subject of; it can be opened anew.

    Raises NotFound, NotPermitted, AlreadyResolved.
    """
    said = checked_text("reason", reason, 500) if reason else ""
    found = _reached(desk, "case.withdraw", case_id)
    if found.standing.closed:
        raise already_decided(desk, found)
    found = close_expired(desk, found)
    at = found.standing.position
    return put(
        desk, found, Position("withdrawn", at.step, at.escalated, desk.today), by=desk.actor.id, reason=said
    )


def object_to(desk: Desk, case_id: int, *, reason: str) -> int:
    """Object to a case during its public notice; return the objection's number. The notice stops.

    Raises NotFound, NotPermitted, AlreadyResolved, Refused when no notice is running, InvalidValue.
    """
    said = checked_text("reason", reason, 500)
    found = _reached(desk, "case.object", case_id)
    if found.standing.closed:
        raise already_decided(desk, found)
    if found.state not in ("notice", "objected"):
        raise Refused(Finding("no_notice", {"case": case_id}))
    found = close_expired(desk, found)
    number = (desk.connection.execute(sa.select(sa.func.max(objection.c.id))).scalar() or 0) + 1
    desk.connection.execute(
        sa.insert(objection).values(
            id=number, case_id=case_id, actor_id=desk.actor.id, volunteer=desk.acting.volunteer, reason=said,
            objected_on=day_number(desk.today), answer="open",
        )
    )  # fmt: skip
    put(desk, found, Position("objected", found.put.step, False, desk.today), by=desk.actor.id)
    return number


def answer_objection(desk: Desk, case_id: int, number: int, answer: str, *, reason: str) -> Case:
    """Dismiss or uphold an objection: upheld refuses the case; the last one dismissed starts the notice anew.

    Only who may decide the case, and not whoever objected. Raises what `decide` raises.
    """
    if answer not in ("dismiss", "uphold"):
        raise InvalidValue(name="answer", value=answer, allowed="dismiss, uphold")
    said, found = checked_text("reason", reason, 500), _to_decide(desk, case_id)
    _authority(desk, found)
    rows = desk.connection.execute(sa.select(objection).where(objection.c.case_id == case_id)).fetchall()
    this = next((row for row in rows if row.id == number), None)
    if this is None or this.answer != "open":
        raise Refused(Finding("no_open_objection", {"case": case_id, "objection": number}))
    if desk.is_one_of(Person(this.actor_id, this.volunteer)):
        raise Refused(Finding("own_case", {}))
    word = {"dismiss": "dismissed", "uphold": "upheld"}[answer]
    guarded = sa.update(objection).where(objection.c.id == number, objection.c.answer == "open")
    desk.connection.execute(guarded.values(answer=word, answered_by=desk.actor.id, answer_reason=said))
    others_open = any(row.answer == "open" and row.id != number for row in rows)
    state = "refused" if word == "upheld" else "objected" if others_open else "notice"
    return put(desk, found, Position(state, found.put.step, False, desk.today), by=desk.actor.id, reason=said)


def recuse(desk: Desk, case_id: int, *, reason: str) -> None:
    """Stay out of a case that one could decide; there is no way back into it. Raises what `decide` raises."""
    said, found = checked_text("reason", reason, 500), _to_decide(desk, case_id)
    _authority(desk, found)
    desk.connection.execute(sa.insert(recusal).values(case_id=case_id, actor_id=desk.actor.id, reason=said))
    note(desk, "case.recused", f"case:{case_id}", {})


def decisions(desk: Desk, case_id: int) -> tuple[Decision, ...]:
    """Return what was decided in a case, in order. Raises NotFound, NotPermitted."""
    found = view(desk, case_id)
    steps = workflow_of(desk, found.kind).route.steps
    query = sa.select(decision).where(decision.c.case_id == case_id).order_by(decision.c.id)
    return tuple(
        Decision(
            steps[row.step].name if row.step < len(steps) else str(row.step), row.verdict, row.actor_id,
            row.volunteer, row.on_behalf_of, row.reason, instant_of(row.decided_at),
        )
        for row in desk.connection.execute(query)
    )  # fmt: skip


def objections(desk: Desk, case_id: int) -> tuple[Objection, ...]:
    """Return the objections to a case, in order. Raises NotFound, NotPermitted."""
    view(desk, case_id)
    query = sa.select(objection).where(objection.c.case_id == case_id).order_by(objection.c.id)
    return tuple(
        Objection(row.id, row.actor_id, row.reason, day_of(row.objected_on), row.answer)
        for row in desk.connection.execute(query)
    )


def sweep(desk: Desk, *, limit: int = 1000) -> int:
    """Write down the outcomes of cases whose term ran out, oldest first; return how many were closed.

    Nothing a reader sees changes by it: a case stands where it stands whether it was swept or not. Raises
    NotPermitted.
    """
    desk.permit("case.sweep")
    ended: Any = sa.and_(case.c.state.in_(OPEN), case.c.end_on <= day_number(desk.today))
    rows = desk.connection.execute(
        sa.select(case).where(ended).order_by(case.c.end_on, case.c.id).limit(limit)
    )
    found = [read_case(desk, row) for row in rows.fetchall()]
    return sum(close_expired(desk, each).standing.closed for each in found)
