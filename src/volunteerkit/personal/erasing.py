"""Erasure: asked for by the person, proposed by one clerk, agreed to by another; and what retention says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Set

import sqlalchemy as sa

from volunteerkit.approvals.cases import open_case, waiting_case
from volunteerkit.approvals.model import Case, Workflow
from volunteerkit.approvals.tables import case as case_table
from volunteerkit.approvals.tables import is_open
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.hours.tables import service_record
from volunteerkit.personal.exporting import own_row
from volunteerkit.personal.model import Due
from volunteerkit.personal.settling import due_texts
from volunteerkit.privacy import fields, found_by
from volunteerkit.privacy import retention as retention_rule
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, note
from volunteerkit.store.vault import (
    closed,
    forget,
    open_subject,
    open_subjects,
    put_retention,
    release,
    retention,
    seal_subject,
    vault,
)
from volunteerkit.units import day_number, day_of
from volunteerkit.volunteers.persons import merged_into, together
from volunteerkit.volunteers.reading import by_managing, find_many, lasting, reached
from volunteerkit.volunteers.status import GONE, end_requests
from volunteerkit.volunteers.tables import (
    doubt,
    membership,
    merge,
    merge_change,
    qualification,
    tag,
    volunteer,
)
from volunteerkit.workflow import Office, Route, Step

__all__ = ["ERASURE", "due_for_erasure", "erase", "request_erasure", "withdraw_erasure_request"]

_KIND = "privacy.erasure"


def __dir__() -> list[str]:
    return __all__


@command
def request_erasure(desk: Desk) -> None:
    """Ask for the erasure of one's own personal data; from then on nothing is done with them but storing.

    The centre's clerks find the request in `due_for_erasure`. A second call changes nothing. Raises
    NotPermitted, Refused for an actor who is no volunteer.
    """
    found = own_row(desk, "privacy.request_erasure")
    if closed(desk.connection, [found.subject]):
        return
    note(desk, "privacy.erasure_requested", found.subject, {})
    for each in together(desk.connection, found.id):
        put_retention(desk.connection, f"volunteer:{each}", "restricted", day_number(desk.today))


@command
def withdraw_erasure_request(desk: Desk) -> None:
    """Take back one's own request of erasure: the data are used as before.

    Raises NotPermitted, Refused for an actor who is no volunteer, for one who asked for nothing or whose data
    are erased already, and while the centre is deciding about it.
    """
    found = own_row(desk, "privacy.request_erasure")
    waiting = waiting_case(desk, _KIND, found.subject)
    if waiting is not None:
        raise Refused(Finding("erasure_waiting", {"case": waiting.id}))
    if not closed(desk.connection, [found.subject], "restricted"):
        raise Refused(Finding("erasure_not_asked", {"volunteer": found.number}))
    for each in together(desk.connection, found.id):
        subject = f"volunteer:{each}"
        release(desk.connection, subject, "restricted")
        row = desk.connection.execute(sa.select(volunteer.c.status).where(volunteer.c.id == each)).one()
        if row.status in GONE:  # who had left before is kept as long as anybody who leaves today
            put_retention(desk.connection, subject, "kept", day_number(desk.today))
    note(desk, "privacy.erasure_withdrawn", found.subject, {})


@command
def erase(desk: Desk, number: str, *, only: Collection[str] | None = None) -> Case | None:
    """Propose to erase a volunteer's personal data; return the case that somebody else must approve.

    ``only`` names the fields whose time has run out, when the others may be kept; by default everything goes.
    Of ``reason`` goes what is due on the day of the decision, and what was said since stays.

    Once it is granted (`approvals.decide`) the data, their key and what they were found by are destroyed,
    with skills and the like, qualifications, doubts and the digest of the imported row; the volunteer is ``erased``,
    belongs to no team and does nothing more. Number, organization, hours, counts and the chain of events stay. Returns None when the data are erased already. Raises NotFound, NotPermitted,
    InvalidValue for an unknown field, Refused when such a case is waiting.
    """
    found, _ = reached(desk, "privacy.erase", number)
    if closed(desk.connection, [found.subject], "erased"):
        return None
    if only is not None and (isinstance(only, str) or not isinstance(only, Collection) or not only):
        raise InvalidValue(name="only", value=type(only).__name__, allowed=", ".join(fields()))
    facts = {"fields": sorted({retention_rule(name).name for name in only or ()})}
    return open_case(desk, _KIND, found.subject, by_managing(found), facts=facts)


def _settle(desk: Desk, case: Case, outcome: str, on: dt.date) -> None:
    if outcome != "granted":
        return
    for each in together(desk.connection, int(case.subject.partition(":")[2])):
        _forget(desk, case, each, on)


def _forget(desk: Desk, case: Case, id_: int, on: dt.date) -> None:
    connection, subject = desk.connection, f"volunteer:{id_}"
    if closed(connection, [subject], "erased"):
        return
    fields_only = case.facts["fields"]
    note(desk, "privacy.erased", subject, {"case": case.id, "fields": fields_only})
    if fields_only:
        if "reason" in fields_only:  # of what was said, no more than what is over for long enough
            said = list(due_texts(desk).get(id_, {}))
            connection.execute(sa.delete(vault).where(vault.c.subject.in_(said)))
        cipher = desk.needed_cipher()
        data = open_subject(connection, cipher, subject)
        rest = {name: value for name, value in data.items() if name not in fields_only}
        if rest != data:
            seal_subject(connection, cipher, subject, rest, found_by=found_by(rest))
        return
    merged = sa.case((volunteer.c.status == "merged", "merged"), else_="erased")
    forget(connection, subject)
    for owned in (tag, doubt, qualification):
        connection.execute(sa.delete(owned).where(owned.c.volunteer_id == id_))
    held = (membership.c.volunteer_id == id_, membership.c.role != "managing", lasting(on))
    connection.execute(sa.update(membership).where(*held).values(until=day_number(on) - 1, why="erased"))
    theirs = sa.select(merge.c.id).where(merge.c.volunteer_id == id_)
    noted = sa.and_(merge_change.c.merge_id.in_(theirs), merge_change.c.name == tag.name)
    connection.execute(sa.delete(merge_change).where(noted))
    connection.execute(
        sa.update(volunteer).where(volunteer.c.id == id_).values(row_digest=None, status=merged)
    )
    put_retention(connection, subject, "erased", day_number(on))
    end_requests(desk, find_many(desk, [id_])[0], by="volunteer_left")


ERASURE = Workflow(Route(_KIND, (Step("centre", Office("centre")),)), "privacy.erase", _settle)
"""How an erasure goes: one person of the centre proposes it, another one decides."""


@storage_errors("database")
def due_for_erasure(desk: Desk) -> tuple[Due, ...]:
    """Return whose personal data may no longer be kept today, by number, with the fields and since when.

    Asked for: everything, from the day of the request. Gone (deregistered or refused): each field when its
    time has run out, counted from leaving or the refusal or, for what service needs, from the last service
    day if that came later. Come of age since they registered: what was kept of their guardian. Of everybody
    ``reason``: what was said about them in free words, when its matter has been over for long enough. What
    runs from something else (a consent) ends with it. Those whose erasure is waiting for the second
    person are left out. Raises NotPermitted.
    """
    desk.permit("privacy.erase")
    subject = sa.literal("volunteer:").concat(sa.cast(volunteer.c.id, sa.Text))
    last = (
        sa.select(service_record.c.volunteer_id, sa.func.max(service_record.c.served_on).label("day"))
        .group_by(service_record.c.volunteer_id)
        .subquery()
    )
    of_age = volunteer.c.adult_on.between(volunteer.c.registered_on, day_number(desk.today))
    grown = sa.and_(of_age, sa.func.coalesce(retention.c.state, "") != "erased")
    query = (
        sa.select(volunteer.c.id, volunteer.c.number, volunteer.c.registered_on, volunteer.c.status,
                  volunteer.c.adult_on, last.c.day, retention.c.state, retention.c.since)
        .join(vault, vault.c.subject == subject)
        .outerjoin(retention, retention.c.subject == subject)
        .outerjoin(last, last.c.volunteer_id == volunteer.c.id)
        .where(volunteer.c.status != "merged")  # theirs are kept and erased with those of the kept one
        .where(sa.or_(volunteer.c.status.in_(GONE), retention.c.state == "restricted", grown))
        .order_by(volunteer.c.number)
    )  # fmt: skip
    destroyed = [field for field in fields().values() if field.erasure == "destroy"]
    rows = desk.connection.execute(query).fetchall()
    held = open_subjects(desk.connection, desk.needed_cipher(), [f"volunteer:{row[0]}" for row in rows])
    waiting = sa.select(case_table.c.subject).where(case_table.c.kind == _KIND, is_open)
    proposed = set(desk.connection.execute(waiting).scalars())
    said = _said_too_long_ago(desk, proposed)
    found = []
    for id_, number, registered, status, adult_on, served, state, since in rows:
        if f"volunteer:{id_}" in proposed:
            continue
        if state == "restricted":
            due = {field.name: day_of(since) for field in destroyed}
        else:
            starts = {} if adult_on is None else {"adult": day_of(adult_on)}
            if status in GONE:
                # without a day of leaving, as in a city's file, the last trace of the person stands for it
                left = since if since is not None else max(registered, served or 0)
                starts |= {"leaving": day_of(left), "service": day_of(max(left, served or 0))}
            ends = {field.name: field.ends_on(starts[field.keep_after]) for field in destroyed
                    if field.keep_after in starts}  # fmt: skip
            due = {name: end + dt.timedelta(1) for name, end in ends.items() if end < desk.today}
        there = held.get(f"volunteer:{id_}", {})
        due = {name: day for name, day in due.items() if there.get(name)}
        if number in said:
            due["reason"] = said.pop(number)
        if due:
            found.append(Due(number, tuple(sorted(due)), min(due.values())))
    found += [Due(number, ("reason",), day) for number, day in said.items()]
    return tuple(sorted(found, key=lambda each: each.number))


def _said_too_long_ago(desk: Desk, proposed: Set[str]) -> dict[str, dt.date]:
    """Return by number of the kept volunteer since when something said about them may not be kept.

    Without the subjects whose erasure is ``proposed``.
    """
    first: dict[int, dt.date] = {}
    into = merged_into(desk.connection)
    for id_, texts in due_texts(desk).items():
        kept = into.get(id_, id_)
        first[kept] = min(first.get(kept, dt.date.max), *texts.values())
    return {
        row.number: first[row.id]
        for row in desk.connection.execute(sa.select(volunteer.c.id, volunteer.c.number))
        if row.id in first and f"volunteer:{row.id}" not in proposed
    }
