"""What becomes of a volunteer: suspension, leave, cancellation, the blacklist, and the way back.

Every period has days: what holds today follows from them, so nothing has to run at midnight.
"""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from volunteerkit.access import Person
from volunteerkit.approvals import Case, Workflow
from volunteerkit.approvals.cases import end_cases, last_case, open_case
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.registering import checked_text, next_id
from volunteerkit.store.schema import event, of_standing
from volunteerkit.store.texts import seal_text
from volunteerkit.store.vault import closed, put_retention, release
from volunteerkit.units import day_number, day_of, instant_of, plain_day
from volunteerkit.volunteers.model import PERIODS
from volunteerkit.volunteers.reading import (
    Found,
    by_managing,
    find,
    lasting,
    led_alone,
    periods_of,
    reached,
    status_of,
)
from volunteerkit.volunteers.tables import membership, period, volunteer
from volunteerkit.workflow import Office, Route, Step

__all__ = [
    "GONE", "WORKFLOWS", "blacklist", "consent_withdrawn", "deregister", "end_period", "end_requests", "propose_blacklist", "put_on_probation",
    "put_status", "reactivate", "suspend", "take_leave",
]  # fmt: skip

GONE = ("deregistered", "refused", "rejected")
"""Statuses of those whose data are only kept; ``rejected`` is how a city's file says ``refused``."""


def __dir__() -> list[str]:
    return __all__


def _reached(desk: Desk, action: str, number: str) -> Found:
    found, cell = reached(desk, action, number, managing=True)
    desk.separate(cell, "own_case", Person(None, found.number))
    return found


def _begin(
    desk: Desk,
    found: Found,
    kind: str,
    since: dt.date,
    until: dt.date | None,
    reason: str,
    case_id: int | None = None,
) -> None:
    plain_day("since", since)
    if until is not None and plain_day("until", until) < since:
        raise InvalidValue(name="until", value=until, allowed=f"≥ {since}")
    registered = day_of(found.registered_on)
    if since < registered:
        raise InvalidValue(name="since", value=since, allowed=f"≥ {registered}")
    if kind != "on_leave" and until is not None and until < desk.today:  # nothing is forbidden afterwards
        raise InvalidValue(name="until", value=until, allowed=f"≥ {desk.today}")
    if status_of(desk, found) not in ("approved", *PERIODS):
        raise Refused(Finding("volunteer_not_active", {"volunteer": found.number, "status": found.status}))
    for other in periods_of(desk, found.id):
        last = other.until or dt.date.max
        if last < other.since:  # cancelled before it began
            continue
        if other.kind == kind and other.since <= (until or dt.date.max) and since <= last:
            raise Refused(
                Finding("period_overlaps", {"kind": kind, "since": other.since, "until": other.until or "…"})
            )
    id_ = next_id(desk, period)
    desk.connection.execute(
        sa.insert(period).values(
            id=id_, volunteer_id=found.id, kind=kind, since=day_number(since), until=until and day_number(until),
            reason=seal_text(desk, found.subject, f"period:{id_}", reason), put_by=desk.actor.id, case_id=case_id,
        )
    )  # fmt: skip
    payload = {"kind": kind, "since": day_number(since), "until": until and day_number(until)}
    note(desk, "volunteer.period_begun", f"volunteer:{found.id}", payload)


@command
def suspend(
    desk: Desk, number: str, *, reason: str, since: dt.date | None = None, until: dt.date | None = None
) -> None:
    """Suspend an approved volunteer from ``since`` (default today) to ``until`` (inclusive, default open).

    Nobody suspends themselves. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    found = _reached(desk, "volunteer.suspend", number)
    _begin(
        desk,
        found,
        "suspended",
        desk.today if since is None else since,
        until,
        checked_text("reason", reason, 500),
    )


@command
def put_on_probation(desk: Desk, number: str, *, until: dt.date, reason: str) -> None:
    """Make an approved volunteer provisional until a day (inclusive). Raises what `suspend` raises."""
    found = _reached(desk, "volunteer.suspend", number)
    _begin(desk, found, "provisional", desk.today, until, checked_text("reason", reason, 500))


@command
def take_leave(
    desk: Desk, number: str, *, since: dt.date, until: dt.date | None = None, reason: str = ""
) -> None:
    """Take leave: the volunteer joins nothing on those days. Raises what `suspend` raises."""
    found = _reached(desk, "volunteer.leave", number)
    _begin(desk, found, "on_leave", since, until, checked_text("reason", reason, 500) if reason else "")


_ENDS = {
    "on_leave": "volunteer.leave",
    "suspended": "volunteer.suspend",
    "provisional": "volunteer.suspend",
}


@command
def end_period(desk: Desk, number: str, kind: str, *, last_day: dt.date | None = None) -> None:
    """End a ``suspended``, ``on_leave`` or ``provisional`` period with ``last_day`` (default yesterday).

    It is the earliest that runs or is to come; one that is to come is cancelled, and none gets longer. Raises
    NotFound, NotPermitted, InvalidValue, Refused when there is none.
    """
    if not isinstance(kind, str) or kind not in _ENDS:
        raise InvalidValue(name="kind", value=kind, allowed=", ".join(_ENDS))
    found = _reached(desk, _ENDS[kind], number)
    _end(desk, found, kind, None if last_day is None else plain_day("last_day", last_day))


def _end(desk: Desk, found: Found, kind: str, last_day: dt.date | None) -> None:
    """End the earliest period that runs or is to come, by default yesterday; one to come then never begins."""
    today = day_number(desk.today)
    open_ = sa.and_(
        period.c.volunteer_id == found.id, period.c.kind == kind,
        sa.or_(period.c.until.is_(None), sa.and_(period.c.until >= today, period.c.until >= period.c.since)),
    )  # fmt: skip
    query = sa.select(period.c.id, period.c.since, period.c.until).where(open_)
    row = desk.connection.execute(query.order_by(period.c.since).limit(1)).first()
    if row is None:
        raise Refused(Finding("no_period_running", {"kind": kind}))
    last = max(today, row.since) - 1 if last_day is None else day_number(last_day)
    if last < row.since - 1:
        raise InvalidValue(name="last_day", value=last_day, allowed=f"≥ {day_of(row.since - 1)}")
    if row.until is not None and last > row.until:
        raise InvalidValue(name="last_day", value=last_day, allowed=f"≤ {day_of(row.until)}")
    ended = sa.update(period).where(period.c.id == row.id, open_)
    if desk.connection.execute(ended.values(until=last, ended_by=desk.actor.id)).rowcount != 1:
        raise Refused(Finding("no_period_running", {"kind": kind}))
    note(desk, "volunteer.period_ended", f"volunteer:{found.id}", {"kind": kind, "until": last})


@command
def deregister(desk: Desk, number: str, *, reason: str = "") -> None:
    """Cancel a volunteer's registration; titles and records survive it.

    By the volunteer, the managing organization or the centre. Memberships end yesterday, but for the
    managing one: the record stays with the organization that vouched for it. What they asked for is withdrawn.
    Raises NotFound, NotPermitted, Refused when it is cancelled already, and for who alone leads a team in which
    others stay: somebody else is appointed first.
    """
    found = _reached(desk, "volunteer.leave", number)
    if reason:
        checked_text("reason", reason, 500)
    alone = led_alone(desk, found.id)
    if alone is not None:
        raise Refused(Finding("last_leader", {"team": alone}))
    put_status(desk, found.id, ("approved", "suspended"), "deregistered")
    held = sa.and_(
        membership.c.volunteer_id == found.id, membership.c.role != "managing", lasting(desk.today)
    )
    yesterday = day_number(desk.today) - 1
    desk.connection.execute(sa.update(membership).where(held).values(until=yesterday, why="deregistered"))
    end_requests(desk, found, by="volunteer_left")


def end_requests(desk: Desk, found: Found, *, by: str, at: str | None = None) -> None:
    """Withdraw what waits for a volunteer: transfers, memberships, offices; with ``at`` only at that organization.

    What is said against them, claims and erasures stay.
    """
    asked = sa.and_(
        case_table.c.kind.in_(["volunteer.transfer", "team.membership"]),
        sa.or_(case_table.c.subject == found.subject, case_table.c.subject.startswith(f"{found.subject}:")),
    )
    theirs = sa.or_(asked, case_table.c.beneficiary == found.number)
    end_cases(desk, theirs if at is None else sa.and_(theirs, case_table.c.organization == at), by=by)


@command
def reactivate(desk: Desk, number: str) -> None:
    """Approve a cancelled volunteer again, who was approved before.

    Raises NotFound, NotPermitted, Refused when not cancelled, when never approved or after the consent was
    withdrawn (`resubmit` is the way then), or when the data are erased or to be erased.
    """
    found = _reached(desk, "volunteer.decide", number)
    if found.status == "deregistered":
        registration = last_case(desk, "volunteer.registration", found.subject)
        if registration is not None and registration.state != "granted":
            raise Refused(Finding("never_approved", {"volunteer": found.number}))
        if consent_withdrawn(desk, found):
            raise Refused(Finding("consent_withdrawn", {"volunteer": found.number}))
    put_status(desk, found.id, ("deregistered",), "approved")


def consent_withdrawn(desk: Desk, found: Found) -> dt.date | None:
    """Return the day on which a cancelled volunteer's registration ended with the consent to it, if it did so.

    See `answer_consent`.
    """
    # the answer is noted after the status that it brings, and whatever comes afterwards notes its own
    query = sa.select(event.c.type, event.c.recorded_at).where(event.c.subject == found.subject, of_standing)
    last = desk.connection.execute(query.order_by(event.c.seq.desc()).limit(1)).first()
    if last is None or last.type != "volunteer.consent_answered":
        return None
    return instant_of(last.recorded_at).astimezone(desk.zone).date()


def put_status(
    desk: Desk,
    id_: int,
    before: tuple[str, ...],
    after: str,
    *,
    on: dt.date | None = None,
    case: int | None = None,
) -> None:
    """Write a status that follows one of ``before``, and with it what becomes of the personal data.

    Who is gone is ``kept`` from ``on`` (default today); who comes back is no longer. Raises Refused for
    another status before, and for somebody who comes back whose data are erased or merely stored: nobody is
    approved without a name.
    """
    subject, gone, day = f"volunteer:{id_}", after in GONE, day_number(on or desk.today)
    query = sa.select(volunteer.c.number, volunteer.c.status).where(volunteer.c.id == id_)
    row = desk.connection.execute(query).one()
    refused = Refused(Finding("status_does_not_allow", {"volunteer": row.number, "status": row.status}))
    if not gone and closed(desk.connection, [subject]):
        raise Refused(Finding("reactivation_restricted", {"volunteer": row.number}))
    if row.status not in before:
        raise refused
    guarded = sa.update(volunteer).where(volunteer.c.id == id_, volunteer.c.status == row.status)
    if desk.connection.execute(guarded.values(status=after)).rowcount != 1:
        raise refused
    if gone:
        put_retention(desk.connection, subject, "kept", day)
    else:
        release(desk.connection, subject, "kept")
    payload = {"status": after, "on": day} | ({"case": case} if case else {})
    note(desk, "volunteer.status", subject, payload)


@command
def propose_blacklist(
    desk: Desk, number: str, *, until: dt.date, reason: str, since: dt.date | None = None
) -> Case:
    """Propose to blacklist a volunteer until a day (inclusive); somebody else at the centre decides.

    Nobody is blacklisted without an end: ``until`` is a day, today or later, and None is refused as no date.
    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    found = _reached(desk, "volunteer.propose_sanction", number)
    first = desk.today if since is None else plain_day("since", since)
    earliest = max(first, desk.today)
    if plain_day("until", until) < earliest:
        raise InvalidValue(name="until", value=until, allowed=f"≥ {earliest}")
    facts = {
        "since": day_number(first),
        "until": day_number(until),
        "reason": checked_text("reason", reason, 500),
    }
    return open_case(desk, "volunteer.blacklist", f"volunteer:{found.id}", by_managing(found), facts=facts)


@storage_errors("database")
def blacklist(desk: Desk, number: str) -> tuple[dt.date, dt.date | None] | None:
    """Return from and until which day the volunteer is blacklisted today, None when not.

    Raises NotFound, NotPermitted.
    """
    found, _ = reached(desk, "volunteer.view", number)
    running = [
        each
        for each in periods_of(desk, found.id)
        if each.kind == "blacklisted" and each.holds_on(desk.today)
    ]
    return (running[0].since, running[0].until) if running else None


def _settle_blacklist(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome == "granted":
        found = find(desk, case.place.volunteer or "")
        assert found is not None
        first = max(day_of(case.facts["since"]), on)
        _begin(desk, found, "blacklisted", first, day_of(case.facts["until"]), case.facts["reason"], case.id)


@command
def lift_blacklist(desk: Desk, number: str, *, reason: str) -> Case:
    """Propose to take a volunteer off the blacklist; somebody else at the centre decides.

    Raises what `propose_blacklist` raises.
    """
    found = _reached(desk, "volunteer.propose_sanction", number)
    if not any(
        each.kind == "blacklisted" and each.holds_on(desk.today) for each in periods_of(desk, found.id)
    ):
        raise Refused(Finding("no_period_running", {"kind": "blacklisted"}))
    facts = {"reason": checked_text("reason", reason, 500)}
    return open_case(
        desk, "volunteer.lift_blacklist", f"volunteer:{found.id}", by_managing(found), facts=facts
    )


def _settle_lift(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome == "granted":
        found = find(desk, case.place.volunteer or "")
        assert found is not None
        _end(desk, found, "blacklisted", on - dt.timedelta(1))


def _second(kind: str, settle: object) -> Workflow:
    return Workflow(Route(kind, (Step("centre", Office("centre")),)), "volunteer.blacklist", settle)  # type: ignore[arg-type]


WORKFLOWS = (
    _second("volunteer.blacklist", _settle_blacklist),
    _second("volunteer.lift_blacklist", _settle_lift),
)
"""A blacklisting and its lifting need two: whoever proposes, and an officer of the centre who decides."""
