"""The verbs of approvals: decide, withdraw, object, stay out of a case; and the lists of an office."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Actor, Cell, Person, holding
from volunteerkit.approvals.cases import (
    already_decided,
    close_expired,
    find_case,
    foresee,
    put,
    read_case,
    selected,
    unforeseen,
    volunteer_now,
    workflow_of,
)
from volunteerkit.approvals.model import Case, Decision, Objection, Workflow
from volunteerkit.approvals.tables import case, decision, is_open, objection, recusal
from volunteerkit.errors import (
    AlreadyResolved,
    Finding,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
    RetryableConflict,
)
from volunteerkit.privacy import mask
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.store.posting import command, note, writing
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.sealing import insert_sealed, update_sealed
from volunteerkit.store.texts import only_masked, open_texts, seal_text
from volunteerkit.units import day_number, day_of, instant_of, plain_text, whole_number
from volunteerkit.workflow import Position, after_approval

__all__ = [
    "answer_objection",
    "decide",
    "decisions",
    "expired",
    "object_to",
    "objections",
    "pending",
    "recuse",
    "settle_expired",
    "sweep",
    "view",
    "withdraw",
]

DEADLINE: Final = Actor("deadline")
"""Who acts when a term runs out: nobody."""

_ROWS: Final = 500
_log = logging.getLogger(__name__)
_REACHED_BY = {
    "volunteer": volunteer_now,
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
    if found is not None and not _shown(desk, found):
        found = None
    cell = desk.permit_on(action, "case", case_id, found.place if found else None)
    assert found is not None
    return _as_seen(desk, found, cell)


def _as_seen(desk: Desk, found: Case, cell: Cell) -> Case:
    """Return the case with its reasons as ``cell`` shows them; a code that stands for one is no such text."""
    if not only_masked(desk, cell, found.place):
        return found
    facts = {name: mask("reason", text) if name == "reason" else text for name, text in found.facts.items()}
    reason = found.reason if found.closed_by == DEADLINE.id else mask("reason", found.reason)
    return attrs.evolve(found, facts=facts, reason=reason)


def _said(desk: Desk, found: Case, held: Iterable[str]) -> dict[str | None, str]:
    """Return the texts ``held`` of a case that the actor has viewed, as they see them."""
    return open_texts(
        desk, held, masked=only_masked(desk, desk.permit("case.view", found.place), found.place)
    )


def _shown(desk: Desk, found: Case) -> bool:
    """Tell whether the case is there at all for the actor, whose reach the matrix then decides about."""
    if not workflow_of(desk, found.kind).confidential:
        return True
    try:
        _office(desk, found)
    except (NotPermitted, Refused):
        return False
    return True


@storage_errors("database")
def view(desk: Desk, case_id: int) -> Case:
    """Return a case as it stands today. Raises NotFound (also for a foreign one), NotPermitted."""
    return _reached(desk, "case.view", case_id)


@storage_errors("database")
def pending(
    desk: Desk, *, mine: bool = True, kind: str | None = None, after: int = 0, limit: int | None = None
) -> tuple[Case, ...]:
    """Return the waiting cases that the actor may see, oldest first; with ``mine`` those they may decide.

    A case whose term ran out is left out, whether or not it was swept. For a list by pages: at most ``limit``
    cases, those whose ids follow ``after``, the id of the last one of the page before. Raises InvalidValue.
    """
    whole_number("after", after)
    if limit is not None:
        whole_number("limit", limit, 1)
    query = selected.where(is_open, within(desk.reach("case.view"), _REACHED_BY)).order_by(case.c.id)
    if kind is not None:
        query = query.where(case.c.kind == plain_text("kind", kind))
    if mine:  # neither is ever decided by the actor: see `_office` and `_may_decide`
        query = query.where(case.c.opened_by != desk.actor.id, case.c.state != "notice")
    found: list[Case] = []
    while True:
        rows = desk.connection.execute(query.where(case.c.id > after).limit(_ROWS)).fetchall()
        found += _waiting(desk, rows, mine)
        if len(rows) < _ROWS or (limit is not None and len(found) >= limit):
            return tuple(found[:limit])
        after = rows[-1].id


def _waiting(desk: Desk, rows: Sequence[Any], mine: bool) -> list[Case]:
    found = []
    for each in (read_case(desk, row) for row in rows):
        if each.standing.closed:
            continue
        with suppress(NotPermitted):
            cell = desk.permit("case.view", each.place)
            if _shown(desk, each):
                found.append(_as_seen(desk, each, cell))
    if not mine:
        return found
    involved = _involved(desk, [each.id for each in found])
    return [each for each in found if _may_decide(desk, each, involved[each.id])]


_Involved = tuple[list[Person], list[Person]]


def _involved(desk: Desk, ids: Sequence[int]) -> dict[int, _Involved]:
    """Return for each of the cases who stays out of it, and who has decided a step of it, for whom."""
    found: dict[int, _Involved] = {id_: ([], []) for id_ in ids}
    out = sa.select(recusal.c.case_id, recusal.c.actor_id, recusal.c.volunteer)
    for id_, *who in desk.connection.execute(out.where(recusal.c.case_id.in_(ids))):
        found[id_][0].append(Person(*who))
    for row in desk.connection.execute(sa.select(decision).where(decision.c.case_id.in_(ids))):
        found[row.case_id][1].extend((Person(row.actor_id, row.volunteer), Person(row.on_behalf_of)))
    return found


def _may_decide(desk: Desk, found: Case, involved: _Involved) -> bool:
    if found.state == "notice":  # only objections stop it
        return False
    try:
        _authority(desk, found, involved)
    except (NotPermitted, Refused):
        return False
    return True


def _office(desk: Desk, found: Case) -> str | None:
    """Return who lent the grant by which the actor holds the case's office, None for their own.

    Raises NotPermitted when they hold it not, Refused when the case is their own.
    """
    workflow = workflow_of(desk, found.kind)
    desk.permit(workflow.action, found.place)
    lender = _lender(desk, workflow, found)
    # Whatever the matrix says of the action: a case is there so that somebody else decides.
    parties = (
        Person(found.opened_by, found.opened_volunteer), Person(found.opened_for),
        Person(None, found.place.volunteer), Person(found.facts.get("beneficiary_actor"), found.beneficiary), *workflow.parties(found),
    )  # fmt: skip
    if desk.is_one_of(*parties, lender=lender):
        raise Refused(Finding("own_case", {}))
    return lender


def _authority(desk: Desk, found: Case, involved: _Involved | None = None) -> str | None:
    """Return on whose behalf the actor may decide the case where it stands, None for their own.

    Raises NotPermitted when they hold not its office, Refused when they may not decide this very case.
    """
    lender = _office(desk, found)
    out, decided = involved or _involved(desk, [found.id])[found.id]
    if desk.is_one_of(*out, lender=lender):
        raise Refused(Finding("recused", {"case": found.id}))
    # Of any step: who releases does not accept.
    if found.state == "review" and desk.is_one_of(*decided, lender=lender):
        raise Refused(Finding("decided_before", {"case": found.id}))
    desk.rested(workflow_of(desk, found.kind).action, found.place, found.subject, f"case:{found.id}")
    return lender or desk.actor.on_behalf_of


def _lender(desk: Desk, workflow: Workflow, found: Case) -> str | None:
    """Return who lent the grant by which the actor decides, None for their own; raises NotPermitted."""
    at = found.standing.position
    step = workflow.route.step(at.step)
    if step is None:  # no step has an office: whoever may do the action
        return desk.lender(workflow.action, found.place)
    # The notice follows a decision of either office.
    escalated = {at.escalated} if at.state == "review" else {False, True}
    offices = {step.office_for(found.facts, each) for each in escalated}
    grants = [
        each for office in offices for role in office.roles
        for each in holding(desk.holder(workflow.action), role, desk.today, found.place)
        if role != office.role or office.scope is None or each.scope == office.scope
    ]  # fmt: skip
    if not grants:
        raise NotPermitted(actor=desk.actor.id, action=workflow.action)
    return min(each.delegated_by or "" for each in grants) or None


def _given(desk: Desk, found: Case) -> list[Any]:
    """Return what was decided at the step where the case stands."""
    at = (decision.c.case_id == found.id, decision.c.step == found.standing.position.step)
    return list(desk.connection.execute(sa.select(decision).where(*at)))


def _to_decide(desk: Desk, case_id: int) -> Case:
    found = _reached(desk, "case.view", case_id)
    if found.standing.closed:
        raise already_decided(desk, found)
    return found


@command
def decide(desk: Desk, case_id: int, verdict: str, *, reason: str = "") -> Case:
    """Approve or refuse the case's present step; return the case as it stands then.

    ``verdict`` is ``"approve"`` or ``"refuse"``; a refusal needs a ``reason``. The last approval of the
    quorum moves the case on: to the next step, its public notice, or granted. Raises NotFound,
    NotPermitted, AlreadyResolved (who, when, how), InvalidValue, and Refused for whoever made the case,
    gains from it, is its subject, stays out of it or has decided a step of it already. Who acts for another,
    by a lent grant or standing in, is taken for that person too.
    """
    if verdict not in ("approve", "refuse"):
        raise InvalidValue(name="verdict", value=verdict, allowed="approve, refuse")
    said = checked_text("reason", reason, 500) if reason or verdict == "refuse" else ""
    found = _to_decide(desk, case_id)
    if found.state != "review":
        raise Refused(Finding("case_not_in_review", {"case": case_id, "state": found.state}))
    behalf = _authority(desk, found)
    found = close_expired(desk, found)
    at, route, given = found.put, workflow_of(desk, found.kind).route, len(_given(desk, found))
    id_ = next_id(desk, decision)
    said = seal_text(desk, found.subject, f"decision:{id_}", said)
    insert_sealed(
        desk, decision, id=id_, case_id=case_id, step=at.step, verdict=verdict, actor_id=desk.actor.id,
        volunteer=desk.acting.volunteer, on_behalf_of=behalf, reason=said, decided_at=microseconds(desk.now),
    )  # fmt: skip
    step = route.step(at.step)
    if verdict == "refuse":
        after = Position("refused", at.step, at.escalated, desk.today)
    elif step is not None and given + 1 < step.quorum:
        after = at
    else:
        after = after_approval(route, at.step, desk.today)
    return put(desk, found, after, by=desk.actor.id, reason=said)


def _own(desk: Desk, case_id: int) -> Case:
    """Return a case that is the actor's own to withdraw."""
    found = find_case(desk, case_id)
    if found is None or not _shown(desk, found):
        return _reached(desk, "case.withdraw", case_id)
    owners = [Person(found.opened_by, found.opened_volunteer), Person(found.opened_for)]
    if workflow_of(desk, found.kind).by_subject:
        owners.append(Person(None, found.place.volunteer))
    # what is proposed against somebody is at their place, and not theirs
    by = desk.actor.id if desk.is_one_of(*owners) else found.opened_by
    place = attrs.evolve(found.place, volunteer=None, brought_by=by)
    try:
        desk.permit_on("case.withdraw", "case", case_id, place)
    except NotFound:
        if not desk.may("case.view", found.place):
            raise
        raise NotPermitted(actor=desk.actor.id, action="case.withdraw") from None
    return found


@command
def withdraw(desk: Desk, case_id: int, *, reason: str = "") -> Case:
    """Withdraw a waiting case that one has opened, or that was opened for one; it can be opened anew.

    Its subject withdraws only what is a wish of their own: a registration, a transfer, joining a team. Raises
    NotFound, NotPermitted for who may only see it, AlreadyResolved.
    """
    said = checked_text("reason", reason, 500) if reason else ""
    found = _own(desk, case_id)
    if found.standing.closed:
        raise already_decided(desk, found)
    found = close_expired(desk, found)
    after = attrs.evolve(found.put, state="withdrawn", since=desk.today)
    said = seal_text(desk, found.subject, f"withdrawal:{case_id}", said)
    return put(desk, found, after, by=desk.actor.id, reason=said)


@command
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
    number = next_id(desk, objection)
    insert_sealed(
        desk, objection, id=number, case_id=case_id, actor_id=desk.actor.id, volunteer=desk.acting.volunteer,
        reason=seal_text(desk, found.subject, f"objection:{number}", said),
        objected_on=day_number(desk.today), answer="open",
    )  # fmt: skip
    put(desk, found, Position("objected", found.put.step, False, desk.today), by=desk.actor.id)
    return number


@command
def answer_objection(desk: Desk, case_id: int, number: int, answer: str, *, reason: str) -> Case:
    """Dismiss or uphold an objection: upheld refuses the case; the last one dismissed starts the notice anew.

    Only who may decide the case, and not whoever objected. Raises what `decide` raises.
    """
    if answer not in ("dismiss", "uphold"):
        raise InvalidValue(name="answer", value=answer, allowed="dismiss, uphold")
    if type(number) is not int:  # of numbers, what cannot be one is told like an unknown one
        whole_number("number", number, 1)
    said = checked_text("reason", reason, 500)
    found = _to_decide(desk, case_id)
    lender = _authority(desk, found)
    query = sa.select(objection).where(objection.c.case_id == case_id, objection.c.answer == "open")
    waiting = {row.id: row for row in desk.connection.execute(query)}
    this = waiting.pop(number, None)
    if this is None:
        raise Refused(Finding("no_open_objection", {"case": case_id, "objection": number}))
    if desk.is_one_of(Person(this.actor_id, this.volunteer), lender=lender):
        raise Refused(Finding("own_case", {}))
    word = {"dismiss": "dismissed", "uphold": "upheld"}[answer]
    said = seal_text(desk, found.subject, f"answer:{number}", said)
    values = {"answer": word, "answered_by": desk.actor.id, "answer_reason": said}
    update_sealed(desk, objection, number, **values)
    state = "refused" if word == "upheld" else "objected" if waiting else "notice"
    after = Position(state, found.put.step, False, desk.today)
    return put(desk, found, after, by=desk.actor.id, reason=said)


@command
def recuse(desk: Desk, case_id: int, *, reason: str) -> None:
    """Stay out of a case that one could decide; there is no way back into it. Raises what `decide` raises."""
    said = checked_text("reason", reason, 500)
    found = _to_decide(desk, case_id)
    _authority(desk, found)
    said = seal_text(desk, found.subject, f"recusal:{case_id}:{desk.actor.id}", said)
    insert_sealed(
        desk, recusal, case_id=case_id, actor_id=desk.actor.id, volunteer=desk.acting.volunteer, reason=said
    )
    note(desk, "case.recused", f"case:{case_id}", {})


@storage_errors("database")
def decisions(desk: Desk, case_id: int) -> tuple[Decision, ...]:
    """Return what was decided in a case, in order. Raises NotFound, NotPermitted."""
    found = view(desk, case_id)
    steps = workflow_of(desk, found.kind).route.steps
    query = sa.select(decision).where(decision.c.case_id == case_id).order_by(decision.c.id)
    rows = desk.connection.execute(query).fetchall()
    said = _said(desk, found, [row.reason for row in rows])
    return tuple(
        Decision(
            steps[row.step].name if row.step < len(steps) else str(row.step), row.verdict, row.actor_id,
            row.volunteer, row.on_behalf_of, said[row.reason], instant_of(row.decided_at).astimezone(desk.zone),
        )
        for row in rows
    )  # fmt: skip


@storage_errors("database")
def objections(desk: Desk, case_id: int) -> tuple[Objection, ...]:
    """Return the objections to a case, in order. Raises NotFound, NotPermitted."""
    found = view(desk, case_id)
    query = sa.select(objection).where(objection.c.case_id == case_id).order_by(objection.c.id)
    rows = desk.connection.execute(query).fetchall()
    said = _said(desk, found, [row.reason for row in rows])
    return tuple(
        Objection(row.id, row.actor_id, said[row.reason], day_of(row.objected_on), row.answer) for row in rows
    )


@command
def sweep(desk: Desk, *, limit: int = 1000) -> int:
    """Write down the outcomes of cases whose term ran out, oldest first; return how many were closed.

    At most ``limit`` are closed. Nothing a reader sees changes by it: a case stands where it stands whether
    it was swept or not, and the kit does this by itself with the first desk of a day. A case that
    cannot be settled as granted is refused, with the codes as its reason; the others go on. Raises NotPermitted.
    """
    desk.permit("case.sweep")
    waiting = selected.where(is_open).order_by(case.c.end_on, case.c.id)
    closed = 0
    for row in desk.connection.execute(waiting).fetchall():
        found = read_case(desk, row)
        if not found.standing.closed:
            foresee(desk, found)
        elif closed < limit and _closed(desk, found):
            closed += 1
    return closed


def expired(desk: Desk) -> bool:
    """Tell whether the term of any waiting case ran out by the desk's day."""
    today = day_number(desk.today)
    ended = sa.and_(is_open, case.c.end_on <= today)
    if desk.connection.execute(sa.select(case.c.id).where(ended).limit(1)).first() is not None:
        return True
    return any(end["end_on"] <= today for _, end in unforeseen(desk))


def settle_expired(desk: Desk) -> bool:
    """Close the cases whose term ran out by the desk's day, whoever is at the desk; tell if there were any."""
    if not expired(desk):
        return False
    with writing(desk):
        for row, end in unforeseen(desk):
            guarded = sa.update(case).where(case.c.id == row.id, case.c.version == row.version)
            desk.connection.execute(guarded.values(**end))
    clock = attrs.evolve(desk, actor=DEADLINE)
    ended = sa.and_(is_open, case.c.end_on <= day_number(desk.today))
    for row in desk.connection.execute(selected.where(ended).order_by(case.c.end_on, case.c.id)).fetchall():
        _closed(clock, read_case(clock, row))
    return True


def _closed(desk: Desk, found: Case) -> bool:
    try:
        with writing(desk):
            close_expired(desk, found)
    except (AlreadyResolved, Refused, RetryableConflict) as error:
        _log.warning("case %s cannot be settled: %s", found.id, error.code)
        return False
    return True
