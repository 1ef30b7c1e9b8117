"""Grants kept in the database: the city's roles by two persons, loans of one's own, and their list."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.access import Grant, Person, Place
from volunteerkit.approvals.cases import open_case
from volunteerkit.approvals.model import Case, StoredGrant, Workflow
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.messages import phrase
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import grant
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import next_id, possible_id
from volunteerkit.units import day_number, day_of, plain_text
from volunteerkit.workflow import Office, Route, Step

__all__ = ["CITY_ROLES", "WORKFLOW", "delegate", "give", "list_grants", "revoke", "take_back"]

CITY_ROLES: Final = ("department_officer", "centre", "auditor", "system")
"""Roles that the centre gives; organizations have their own administrators and leaders appointed elsewhere."""

_KIND: Final = "grant.change"


def __dir__() -> list[str]:
    return __all__


@command
def give(
    desk: Desk, actor_id: str, role: str, scope: str | None = None, *, since: dt.date | None = None,
    until: dt.date | None = None, volunteer: str | None = None,
) -> Case:  # fmt: skip
    """Propose to give somebody one of the city's roles, from ``since`` (default today) to ``until``, inclusive.

    Returns the case that another officer of the centre decides; the grant begins when it is granted, not
    before. ``volunteer`` is the number of the volunteer whom the actor is, if any. Nobody gives to
    themselves, nor what somebody holds on those days already. Raises NotPermitted, InvalidValue, Refused.
    """
    desk.permit("grant.change")
    proposed = _checked(desk, actor_id, role, scope, since, until)
    if role not in CITY_ROLES:
        raise InvalidValue(name="role", value=role, allowed=", ".join(CITY_ROLES))
    if volunteer is not None:
        plain_text("volunteer", volunteer)
    lender = _not_self(desk, Person(actor_id, volunteer))
    _not_held(desk, actor_id, proposed)
    facts = {
        "change": "give", "actor": actor_id, "role": role, "scope": scope,
        "since": _day(proposed.since), "until": _day(proposed.until),
    }  # fmt: skip
    subject = f"grant:{role}:{scope or ''}:{actor_id}"
    return open_case(desk, _KIND, subject, Place(), facts=facts, beneficiary=volunteer, lender=lender)


@command
def revoke(desk: Desk, grant_id: int, *, until: dt.date | None = None) -> Case:
    """Propose to end a stored grant of the city's roles after ``until``, without it at once.

    Returns the case that another officer of the centre decides. A grant ends no earlier than the day
    before that decision, whatever ``until`` says: what its holder did until then stands. Raises
    NotPermitted, NotFound, InvalidValue, and Refused when it has ended or is one's own.
    """
    row = _row(desk, grant_id)
    desk.permit_on("grant.change", "grant", grant_id, None if row is None else Place())
    assert row is not None
    if row.role not in CITY_ROLES:
        raise InvalidValue(name="role", value=row.role, allowed=", ".join(CITY_ROLES))
    if until is not None:
        _real_day("until", until)
    lender = _not_self(desk, Person(row.actor_id))
    last = until or desk.today - dt.timedelta(1)
    if row.until is not None and row.until <= day_number(last):
        raise Refused(Finding("grant_ended", {"grant": grant_id}))
    facts = {"change": "revoke", "actor": row.actor_id, "grant": grant_id, "until": _day(until)}
    return open_case(desk, _KIND, f"grant:{grant_id}", Place(), facts=facts, lender=lender)


@command
def delegate(
    desk: Desk, to_actor_id: str, role: str, scope: str | None = None, *, until: dt.date,
    since: dt.date | None = None,
) -> int:  # fmt: skip
    """Lend a stored grant of one's own from ``since`` (default today) to ``until``; return the loan's number.

    The loan is worth nothing when one's own grant ends, cannot be lent on, and whoever uses it acts for the
    lender: what the lender may not decide they may not either. Raises NotPermitted, InvalidValue, Refused
    for oneself and for what one does not hold on ``until``.
    """
    desk.permit("grant.delegate", Place(brought_by=desk.actor.id))
    loan = _checked(desk, to_actor_id, role, scope, since, until)
    if desk.is_one_of(Person(to_actor_id)):
        raise Refused(Finding("grant_self", {}))
    own = (each for each in desk.stored_grants if each.delegated_by is None)
    if not any((each.role, each.scope) == (role, scope) and each.holds_on(until) for each in own):
        raise Refused(Finding("grant_not_held", {"role": role}))
    id_ = _insert(desk, to_actor_id, loan, desk.actor.id, volunteer=desk.acting.volunteer, delegated=1)
    note(desk, "grant.delegated", f"grant:{id_}", {"role": role, "scope": scope, "actor": to_actor_id})
    return id_


@command
def take_back(desk: Desk, grant_id: int) -> None:
    """End a loan of one's own at once. Raises NotPermitted, NotFound, and Refused when it has ended."""
    row = _row(desk, grant_id)
    place = Place(brought_by=row.granted_by) if row is not None and row.delegated else None
    desk.permit_on("grant.delegate", "grant", grant_id, place)
    _end(desk, grant_id, desk.today - dt.timedelta(1))


@storage_errors("database")
def list_grants(desk: Desk, actor_id: str | None = None) -> tuple[StoredGrant, ...]:
    """Return the stored grants, of one actor or of all, ended ones too, in order. Raises NotPermitted."""
    desk.permit("grant.read")
    query = sa.select(grant).order_by(grant.c.id)
    if actor_id is not None:
        query = query.where(grant.c.actor_id == plain_text("actor_id", actor_id))
    return tuple(
        StoredGrant(
            row.id, row.actor_id, row.role, row.scope, day_of(row.since),
            None if row.until is None else day_of(row.until), row.granted_by, bool(row.delegated),
        )
        for row in desk.connection.execute(query)
    )  # fmt: skip


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    facts, begins = case.facts, day_number(on)
    until = None if facts["until"] is None else day_of(facts["until"])
    if facts["change"] == "revoke":
        last = on - dt.timedelta(1)
        _end(desk, facts["grant"], last if until is None else max(until, last))
        return
    if until is not None and until < on:
        raise Refused(Finding("grant_over", {"until": until}))
    given = Grant(facts["role"], facts["scope"], day_of(max(facts["since"], begins)), until)
    _not_held(desk, facts["actor"], given)
    id_ = _insert(desk, facts["actor"], given, case.opened_by, volunteer=case.opened_volunteer)
    payload = {"role": given.role, "scope": given.scope, "actor": facts["actor"], "case": case.id}
    note(desk, "grant.given", f"grant:{id_}", payload)


WORKFLOW: Final = Workflow(
    Route(_KIND, (Step("centre", Office("centre")),)),
    "grant.change",
    _settle,
    lambda case: (Person(case.facts["actor"]),),
)
"""Somebody gives or revokes, another officer of the centre decides, and neither is the holder."""


def _not_self(desk: Desk, holder: Person) -> str | None:
    """Refuse when the actor, or whom they act for, is the holder; return who lent them the right to propose."""
    lender = desk.lender("grant.change", Place())
    if desk.is_one_of(holder, lender=lender):
        raise Refused(Finding("grant_self", {}))
    return lender


def _not_held(desk: Desk, actor_id: str, wanted: Grant) -> None:
    """Refuse a grant that adds nothing: revoking it would leave the one that was there before."""
    same = (grant.c.actor_id == actor_id, grant.c.role == wanted.role, grant.c.delegated == 0)
    last = _day(wanted.until)
    ends = sa.or_(grant.c.until.is_(None), sa.false() if last is None else grant.c.until >= last)
    query = sa.select(grant.c.id).where(*same, grant.c.scope.is_not_distinct_from(wanted.scope),
                                        grant.c.since <= _day(wanted.since), ends)  # fmt: skip
    held = desk.connection.execute(query.limit(1)).scalar()
    if held is not None:
        raise Refused(Finding("already_held", {"role": wanted.role, "grant": held}))


def _real_day(name: str, day: object) -> None:
    if type(day) is not dt.date:
        raise InvalidValue(name=name, value=day, allowed=phrase("allowed_date"))


def _day(day: dt.date | None) -> int | None:
    return None if day is None else day_number(day)


def _checked(
    desk: Desk, actor_id: str, role: str, scope: str | None, since: dt.date | None, until: dt.date | None
) -> Grant:
    plain_text("actor_id", actor_id, 100)
    begins = desk.today if since is None else since
    _real_day("since", begins)
    if until is not None:
        _real_day("until", until)
        if until < max(begins, desk.today):
            raise InvalidValue(name="until", value=until.isoformat(), allowed=f"≥ {max(begins, desk.today)}")
    return Grant(role, scope, begins, until)


def _row(desk: Desk, grant_id: int) -> Any:
    if not possible_id(grant_id):
        return None
    return desk.connection.execute(sa.select(grant).where(grant.c.id == grant_id)).first()


def _insert(
    desk: Desk, actor_id: str, given: Grant, by: str, *, volunteer: str | None, delegated: int = 0
) -> int:
    id_ = next_id(desk, grant)
    values = {
        "id": id_, "actor_id": actor_id, "role": given.role, "scope": given.scope, "since": _day(given.since),
        "until": _day(given.until), "granted_by": by, "granting_volunteer": volunteer, "delegated": delegated,
    }  # fmt: skip
    desk.connection.execute(sa.insert(grant).values(**values))
    return id_


def _end(desk: Desk, grant_id: int, last: dt.date) -> None:
    """End a grant after the day ``last``, never later than it would have ended anyway."""
    longer = sa.or_(grant.c.until.is_(None), grant.c.until > day_number(last))
    guarded = sa.update(grant).where(grant.c.id == grant_id, longer).values(until=day_number(last))
    if desk.connection.execute(guarded).rowcount != 1:
        raise Refused(Finding("grant_ended", {"grant": grant_id}))
    note(desk, "grant.revoked", f"grant:{grant_id}", {"until": day_number(last)})
