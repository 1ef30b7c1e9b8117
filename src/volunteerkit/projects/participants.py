"""What an organizer does with those who take part: invite, accept, refuse, remove, say what became of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from volunteerkit.access import Cell
from volunteerkit.access import Person as Whoever
from volunteerkit.clock import age_on, aware
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused, nearest
from volunteerkit.privacy import HIDDEN, mask
from volunteerkit.projects.conflicts import OVERRIDABLE
from volunteerkit.projects.eligibility import (
    Person,
    Shift,
    person_of,
    personal_findings,
    shift_findings,
    shift_of,
)
from volunteerkit.projects.matching import ranked
from volunteerkit.projects.model import PARTICIPATION_STATES
from volunteerkit.projects.participating import AGAIN, OUTCOMES, Candidate, Participation
from volunteerkit.projects.waiting import (
    Row,
    fill,
    fill_elsewhere,
    free_place,
    move,
    own_row,
    row_of,
    rows_of,
    settle_absences,
    take_place,
)
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, driver, take_numbers, write_event
from volunteerkit.store.registering import checked_text, possible_id
from volunteerkit.store.texts import seal_text
from volunteerkit.store.vault import closed, open_subjects
from volunteerkit.units import instant_of, whole_number
from volunteerkit.volunteers.model import CHILD_YEARS
from volunteerkit.volunteers.reading import find

__all__ = [
    "Candidate",
    "accept",
    "candidates",
    "invite",
    "list_participants",
    "mark",
    "refuse",
    "remove",
    "unmark",
]

_LIST = (
    "SELECT a.rank, a.id, a.shift_id, p.number, v.number, a.state, s.starts_at, s.ends_at, a.guests, a.children, a.party, "
    "a.applied_at, a.changed_at, a.served_until, p.name, v.id FROM vk_participation a JOIN vk_shift s ON s.id = a.shift_id "
    "JOIN vk_project p ON p.id = s.project_id JOIN vk_volunteer v ON v.id = a.volunteer_id "
    "WHERE a.shift_id = ? AND a.id > ?{} ORDER BY a.id LIMIT ?"
)
_INVITE = (
    "INSERT INTO vk_participation (id, shift_id, volunteer_id, state, override, rank, applied_at, changed_at, changed_by) "
    "SELECT COALESCE(MAX(id), 0) + 1, ?, ?, 'invited', ?, ?, ?, ?, ? FROM vk_participation RETURNING id"
)


def __dir__() -> list[str]:
    return __all__


def _shift(desk: Desk, action: str, shift_id: int) -> tuple[Shift, Cell]:
    """Return a shift that the actor organizes; raises NotFound (also for a foreign one), NotPermitted."""
    try:
        shift = shift_of(desk, shift_id)
    except NotFound:
        desk.permit_on(action, "shift", shift_id, None)
        raise
    return shift, desk.permit_on(action, "shift", shift_id, shift.place)


def _reached(desk: Desk, participation_id: int) -> tuple[Row, Shift, Person]:
    """Return a participation that the actor decides about, never their own."""
    action, kind = "project.review_participants", "participation"
    row = row_of(desk, "id = ?", participation_id) if possible_id(participation_id) else None
    shift = None if row is None else shift_of(desk, row.shift_id)
    cell = desk.permit_on(action, kind, participation_id, None if shift is None else shift.place)
    assert row is not None
    assert shift is not None
    return row, shift, _other(desk, cell, row)


def _other(desk: Desk, cell: Cell, row: Row) -> Person:
    person = person_of(desk, row.volunteer_id)
    assert person is not None  # no volunteer ever goes away
    desk.separate(cell, "own_case", Whoever(None, person.number))
    return person


def _must_be(row: Row, *states: str) -> None:
    if row.state not in states:
        raise Refused(Finding("participation_is", {"participation": row.id, "state": row.state}))


def _sealed(desk: Desk, subject: str, what: str, text: str) -> str:
    """Seal what is said about somebody in free words under an address that no event before had."""
    if not text:
        return ""
    said = checked_text(what, text, 500)
    (seq,) = driver(desk.connection)("SELECT event_seq FROM vk_head WHERE id = 1", ()).fetchone()
    return seal_text(desk, subject, f"{what}:{seq + 1}", said)


def _said(desk: Desk, row: Row, what: str, text: str) -> str:
    return _sealed(desk, f"volunteer:{row.volunteer_id}", what, text)


@command
def invite(desk: Desk, shift_id: int, volunteer: str, *, override: str = "") -> int:
    """Invite a volunteer to a shift and return the participation's id; a place is taken by their answer.

    Only whom the actor's right reaches: a member of the organization or the team. ``override`` is the reason for
    accepting them against another commitment. Nobody invites themselves. Raises NotFound, NotPermitted,
    InvalidValue, Refused.
    """
    action = "project.review_participants"
    shift, _ = _shift(desk, action, shift_id)
    there = find(desk, volunteer)
    cell = desk.permit_on(action, "volunteer", volunteer, None if there is None else there.place)
    person = None if there is None else person_of(desk, there.id)
    assert person is not None
    desk.separate(cell, "own_case", Whoever(None, person.number))
    row = own_row(desk, shift.id, person)
    if row is not None and row.state not in AGAIN:
        raise Refused(Finding("participation_is", {"participation": row.id, "state": row.state}))
    found = shift_findings(desk, shift, by_oneself=False)
    found += personal_findings(desk, shift, person, overridden=bool(override))
    if any(each.severity == "block" for each in found):
        raise Refused(*found)
    sealed = _sealed(desk, person.subject, "override", override) or None
    return _invited(desk, shift, person, row, sealed, _overridden(found) if override else [])


def _invited(
    desk: Desk, shift: Shift, person: Person, row: Row | None, sealed: str | None, against: list[str]
) -> int:
    if row is not None:
        move(desk, row, "invited", "participation.invited", {"against": against}, override=sealed, reason="")
        return row.id
    execute, at = driver(desk.connection), microseconds(desk.now)
    numbers = take_numbers(execute)
    values = (shift.id, person.id, sealed, numbers.event_seq, at, at, desk.actor.id)
    id_: int = execute(_INVITE, values).fetchone()[0]
    payload: dict[str, Any] = {
        "participation": id_,
        "shift": shift.id,
        "state": "invited",
        "against": against,
    }
    write_event(
        execute, desk, numbers, bytes(numbers.transfer_hash), "participation.invited", person.subject, payload
    )
    return id_


def _overridden(found: Sequence[Finding]) -> list[str]:
    return sorted({each.code for each in found if each.code in OVERRIDABLE})


@command
def accept(desk: Desk, participation_id: int, *, override: str = "") -> str:
    """Accept who applied or waits, with their whole party, and return the state: accepted, or waiting for a place.

    A party is accepted as a whole or not at all, and never put on a waiting list. ``override`` is the reason
    for accepting against another commitment. Nobody decides about themselves. Raises NotFound, NotPermitted,
    InvalidValue, Refused.
    """
    row, shift, _ = _reached(desk, participation_id)
    _must_be(row, "applied", "waiting")
    cell = desk.permit("project.review_participants", shift.place)
    rows = [row]
    if row.party is not None:
        condition = "shift_id = ? AND party = ? AND state IN ('applied', 'waiting') ORDER BY rank"
        rows = rows_of(desk, condition, shift.id, row.party)
    found = shift_findings(desk, shift, by_oneself=False)
    for each in rows:
        person = _other(desk, cell, each)
        theirs = personal_findings(desk, shift, person, overridden=bool(override))
        if len(rows) > 1 and any(one.severity == "block" for one in theirs):
            found.append(Finding("party_member_cannot", {"volunteer": person.number}))
        found += theirs
    if any(each.severity == "block" for each in found):
        raise Refused(*found)
    places = sum(each.places for each in rows)
    taken, freed = take_place(desk, shift.id, places), 0
    if not taken and (freed := settle_absences(desk, shift)):
        taken = take_place(desk, shift.id, places)
    if not taken and (len(rows) > 1 or not shift.waiting_list or row.state == "waiting"):
        free = max(0, (shift.capacity or 0) - shift_of(desk, shift.id).taken)
        raise Refused(Finding("shift_full", {"shift": shift.id, "free": free, "needed": places}))
    for each in rows:
        said = {"override": _said(desk, each, "override", override)} if override else {}
        told = {"against": _overridden(found)} if override else {}
        move(desk, each, "accepted" if taken else "waiting", told=told, **said)
    if freed:
        fill(desk, shift.id)
    return "accepted" if taken else "waiting"


@command
def refuse(desk: Desk, participation_id: int, *, reason: str) -> None:
    """Refuse who applied, waits or was invited. They may apply again, and then somebody decides.

    Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row, _, _ = _reached(desk, participation_id)
    _must_be(row, "applied", "waiting", "invited")
    move(desk, row, "refused", reason=_said(desk, row, "reason", checked_text("reason", reason, 500)))


@command
def remove(desk: Desk, participation_id: int, *, reason: str) -> None:
    """Take an accepted volunteer out of a shift before it ends; the first who waits and may come is promoted.

    Also for who withdraws too late to do so alone. Raises NotFound, NotPermitted, InvalidValue, Refused.
    """
    row, shift, person = _reached(desk, participation_id)
    _must_be(row, "accepted")
    if microseconds(desk.now) >= shift.ends_at:
        end = instant_of(shift.ends_at).astimezone(desk.zone)
        raise Refused(Finding("shift_over", {"shift": shift.id, "end": end}))
    said = _said(desk, row, "reason", checked_text("reason", reason, 500))
    free_place(desk, shift.id, row.places)
    move(desk, row, "refused", reason=said)
    fill(desk, shift.id)
    fill_elsewhere(desk, person, shift.id)


@command
def mark(
    desk: Desk, participation_id: int, outcome: str, *, until: dt.datetime | None = None, reason: str = ""
) -> None:
    """Say what became of an accepted volunteer: ``completed``, ``discharged``, ``excused`` or ``missed``.

    From the beginning of the shift on, ``completed`` from its end; a later word replaces an earlier one and
    the last one alone counts. Who is ``discharged`` served ``until`` an instant within the shift. Raises
    NotFound, NotPermitted, InvalidValue, Refused.
    """
    if outcome not in OUTCOMES:
        shown = outcome if isinstance(outcome, str) else type(outcome).__name__
        guess = nearest(outcome, OUTCOMES) if isinstance(outcome, str) else ""
        raise InvalidValue(name="outcome", value=shown, allowed=guess or ", ".join(OUTCOMES))
    row, shift, _ = _reached(desk, participation_id)
    _must_be(row, "accepted", *OUTCOMES)
    begin, end = (instant_of(each).astimezone(desk.zone) for each in (shift.starts_at, shift.ends_at))
    if desk.now < begin or (outcome == "completed" and desk.now < end):
        day = end if outcome == "completed" else begin
        raise Refused(Finding("outcome_too_early", {"outcome": outcome, "at": day}))
    if (until is not None) != (outcome == "discharged"):
        allowed = f"{begin:%Y-%m-%d %H:%M} … {end:%Y-%m-%d %H:%M}" if until is None else "None"
        raise InvalidValue(name="until", value=None if until is None else f"{outcome}", allowed=allowed)
    if until is not None and not begin < aware("until", until) <= min(end, desk.now):
        allowed = f"{begin:%Y-%m-%d %H:%M} … {min(end, desk.now.astimezone(desk.zone)):%Y-%m-%d %H:%M}"
        raise InvalidValue(name="until", value=until, allowed=allowed)
    at = None if until is None else microseconds(until)
    if (row.state, row.served_until) == (outcome, at):
        raise Refused(Finding("participation_is", {"participation": row.id, "state": row.state}))
    told = {} if at is None else {"until": at}
    move(desk, row, outcome, told=told, served_until=at, reason=_said(desk, row, "reason", reason))


@command
def unmark(desk: Desk, participation_id: int) -> None:
    """Take back what was said by `mark`: the volunteer is accepted again, nothing more is known.

    Raises NotFound, NotPermitted, Refused when nothing was said.
    """
    row, _, _ = _reached(desk, participation_id)
    _must_be(row, *OUTCOMES)
    move(desk, row, "accepted", served_until=None, reason="")


@storage_errors("database")
def list_participants(
    desk: Desk, shift_id: int, *, only: str | None = None, after: int = 0, limit: int = 100
) -> tuple[Participation, ...]:
    """Return who takes part in a shift, in the order in which they first applied, a page at a time.

    ``only`` is one of the states, ``after`` the last participation id of the page before, ``limit`` 1 to 1000.
    Who organizes the shift sees the names, and the phones of those who are accepted; others see masks, and so
    does everybody of a child under 14. Raises NotFound, NotPermitted, InvalidValue, KeyProblem.
    """
    if only is not None and only not in PARTICIPATION_STATES:
        raise InvalidValue(name="only", value=only if isinstance(only, str) else type(only).__name__,
                           allowed=", ".join(PARTICIPATION_STATES))  # fmt: skip
    for name, value, least, most in (("after", after, 0, 2**63 - 1), ("limit", limit, 1, 1000)):
        whole_number(name, value, least, most)
    shift, cell = _shift(desk, "project.list_participants", shift_id)
    chosen = () if only is None else (only,)
    query = _LIST.format(" AND a.state = ?" if only else "")
    rows = driver(desk.connection)(query, (shift.id, after, *chosen, limit)).fetchall()
    subjects = [f"volunteer:{row[-1]}" for row in rows]
    hidden = closed(desk.connection, subjects)
    opened = open_subjects(
        desk.connection, desk.needed_cipher(), [each for each in subjects if each not in hidden]
    )
    return tuple(
        _participation(desk, row, opened.get(subject, {}), cell.masked)
        for row, subject in zip(rows, subjects, strict=True)
    )


def _participation(desk: Desk, row: Any, data: dict[str, Any], masked: bool) -> Participation:
    (
        _,
        id_,
        shift_id,
        project,
        number,
        state,
        starts,
        ends,
        guests,
        children,
        party,
        applied,
        changed,
        until,
        project_name,
        _,
    ) = row
    begin, end, asked, last = (
        instant_of(each).astimezone(desk.zone) for each in (starts, ends, applied, changed)
    )
    served = None if until is None else instant_of(until).astimezone(desk.zone)
    born = str(data.get("born_on") or "")
    child = bool(born) and age_on(dt.date.fromisoformat(born), desk.today) < CHILD_YEARS
    name, phone = str(data.get("name", "")), str(data.get("phone") or "")
    if state not in ("accepted", *OUTCOMES):  # who is not coming need not be reached
        phone = ""
    if masked or child:
        name = mask("name", name, child=child) if name else HIDDEN
        phone = mask("phone", phone, child=child) if phone else ""
    return Participation(id_, shift_id, project, number, state, begin, end, guests, children, party, asked, last,
                         served, name or HIDDEN, phone, project_name)  # fmt: skip


@storage_errors("database")
def candidates(desk: Desk, shift_id: int) -> tuple[Candidate, ...]:
    """Return who applied or waits for a shift, the most suitable first.

    By the city's plugin (`vk_choose_matching`); without one: more of the skills that the position asks for,
    then more shifts served with the organization, then more minutes served, then who applied first. Raises
    NotFound, NotPermitted, PluginError, PluginConflict.
    """
    shift, _ = _shift(desk, "project.list_participants", shift_id)
    return ranked(desk, shift)
