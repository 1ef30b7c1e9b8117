"""Joining a shift and leaving it, by the volunteer; what the organizer does stands in `participants`."""

from __future__ import annotations

import re
from typing import Final

import attrs

from volunteerkit.access import Place
from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.projects.eligibility import (
    LASTING,
    Person,
    Shift,
    away_on,
    marks,
    person_of,
    personal_findings,
    shift_findings,
    shift_of,
    visible,
)
from volunteerkit.projects.participating import AGAIN, Joined, Opening, Participation, Places
from volunteerkit.projects.waiting import (
    Row,
    fill,
    fill_elsewhere,
    free_place,
    move,
    needs_review,
    own_row,
    places_of,
    room,
    settle_absences,
    sweep,
    take_place,
)
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, driver, note, take_numbers, write_event
from volunteerkit.units import day_number, instant_of, whole_number
from volunteerkit.volunteers.reading import number_given

__all__ = [
    "Joined",
    "Opening",
    "Participation",
    "Places",
    "answer",
    "change_guests",
    "check_join",
    "commitments",
    "free_places",
    "join",
    "sweep",
    "withdraw",
]

_PARTY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
_HOUR: Final = 3_600_000_000
_INSERT = (
    "INSERT INTO vk_participation (id, shift_id, volunteer_id, state, guests, children, party, rank, applied_at, "
    "changed_at, changed_by) SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM vk_participation "
    "RETURNING id"
)
_AGAIN = (
    "UPDATE vk_participation SET state = ?, guests = ?, children = ?, party = ?, rank = ?, applied_at = ?, "
    "changed_at = ?, changed_by = ?, reason = '', served_until = NULL, "
    "override = CASE WHEN state = 'invited' THEN override END WHERE id = ? AND state = ?"
)
_MINE = (
    "SELECT a.id, a.shift_id, p.number, a.state, s.starts_at, s.ends_at, a.guests, a.children, a.party, a.applied_at, "
    "a.changed_at, a.served_until, p.name FROM vk_participation a JOIN vk_shift s ON s.id = a.shift_id "
    "JOIN vk_project p ON p.id = s.project_id WHERE a.volunteer_id IN ({}) AND s.ends_at > ? ORDER BY s.starts_at, a.id"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class _Form:
    """What somebody brings along: guests take places, children none; a party is accepted as a whole."""

    guests: int = 0
    children: int = 0
    party: str | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("guests", "children"):
            whole_number(name, getattr(self, name), 0, 100)
        if self.party is not None and (type(self.party) is not str or not _PARTY.fullmatch(self.party)):
            raise InvalidValue(
                name="party", value=type(self.party).__name__, allowed="A … Z, a … z, 0 … 9, _, - (1 … 40)"
            )


def _self(desk: Desk, volunteer: str) -> Person:
    """Return the volunteer for whom the actor acts; raises InvalidValue, NotPermitted, NotFound."""
    person = person_of(desk, number_given(volunteer))
    desk.permit_on("project.join", "volunteer", volunteer, None if person is None else Place(person.number))
    assert person is not None
    return person


def _open_to(desk: Desk, shift_id: int, person: Person) -> Shift:
    """Return a shift that shows to the person; a foreign one behaves as an unknown one."""
    shift = shift_of(desk, shift_id)
    if not visible(desk, shift, person.id):
        raise NotFound(kind="shift", id=shift_id)
    return shift


def _findings(
    desk: Desk, shift: Shift, person: Person, row: Row | None, form: _Form
) -> tuple[list[Finding], bool]:
    """Return everything that speaks against joining now, and whether there is room."""
    if row is not None and row.state not in (*AGAIN, "invited"):
        return [Finding("already_joined", {"shift": shift.id, "state": row.state})], False
    invited = row is not None and row.state == "invited"
    found = shift_findings(desk, shift, by_oneself=not invited)
    overridden = invited and row is not None and row.override is not None
    found += personal_findings(desk, shift, person, overridden=overridden)
    told, fits = room(desk, shift, form.guests)
    return found + told, fits


@storage_errors("database")
def check_join(
    desk: Desk, shift_id: int, volunteer: str, guests: int = 0, party: str | None = None, *, children: int = 0
) -> tuple[Finding, ...]:
    """Return what `join` would refuse for or tell, for a form; nothing is written.

    Raises NotFound, NotPermitted, InvalidValue.
    """
    form = _Form(guests, children, party)
    person = _self(desk, volunteer)
    shift = _open_to(desk, shift_id, person)
    found, _ = _findings(desk, shift, person, own_row(desk, shift.id, person), form)
    return tuple(found)


@command
def join(
    desk: Desk, shift_id: int, volunteer: str, guests: int = 0, party: str | None = None, *, children: int = 0
) -> Joined:
    """Join a shift: be accepted, put on the waiting list, or wait for somebody's decision.

    ``volunteer`` is the actor's own number. ``guests`` (no volunteers) take a place each as far as the project
    allows, accompanying ``children`` take none. Who gives the same ``party`` (a code of letters, digits, - and
    _) for a shift is decided about together. Who was invited accepts by joining. After a withdrawal one joins
    anew, at the end of the waiting list.

    Raises Refused with everything that stands in the way, NotFound, NotPermitted, InvalidValue.
    """
    form = _Form(guests, children, party)
    person = _self(desk, volunteer)
    shift = _open_to(desk, shift_id, person)
    row = own_row(desk, shift.id, person)
    shift = _settled(desk, shift, form.guests)
    found, fits = _findings(desk, shift, person, row, form)
    if any(each.severity == "block" for each in found):
        raise Refused(*found)
    return _enter(desk, shift, person, row, form, fits, found)


def _settled(desk: Desk, shift: Shift, guests: int) -> Shift:
    """Return the shift after those who will be away gave their places back and those who wait took theirs."""
    if shift.waiting:
        fill(desk, shift.id)
        return shift_of(desk, shift.id)
    short = shift.capacity is not None and shift.taken + 1 + guests > shift.capacity
    return shift_of(desk, shift.id) if short and settle_absences(desk, shift) else shift


def _enter(
    desk: Desk, shift: Shift, person: Person, row: Row | None, form: _Form, fits: bool, found: list[Finding]
) -> Joined:
    state = "applied"
    invited = row is not None and row.state == "invited"
    turned_away = row is not None and row.state == "refused"
    if invited or not (turned_away or form.party or needs_review(desk, shift, person)):
        state = "accepted" if fits and take_place(desk, shift.id, 1 + form.guests) else "waiting"
    if state == "waiting" and not shift.waiting_list:
        raise Refused(Finding("shift_full", {"shift": shift.id, "free": 0, "needed": 1 + form.guests}))
    execute, at = driver(desk.connection), microseconds(desk.now)
    numbers = take_numbers(execute)
    # the seq of its event is a rank that nobody else has, and a later one is greater
    said = (state, form.guests, form.children, form.party, numbers.event_seq, at, at, desk.actor.id)
    if row is None:
        id_: int = execute(_INSERT, (shift.id, person.id, *said)).fetchone()[0]
    else:
        id_ = row.id
        if execute(_AGAIN, (*said, row.id, row.state)).rowcount != 1:
            raise Refused(Finding("participation_moved", {"participation": row.id}))
    payload = {"participation": id_, "shift": shift.id, "state": state, "guests": form.guests}
    write_event(
        execute, desk, numbers, bytes(numbers.transfer_hash), "participation.applied", person.subject, payload
    )
    return Joined(id_, state, tuple(each for each in found if each.code != "will_wait" or state == "waiting"))


@command
def answer(desk: Desk, shift_id: int, volunteer: str, said: str) -> Joined:
    """Answer an invitation: ``"accept"`` joins, ``"decline"`` withdraws.

    Raises Refused when there is none or something stands in the way, NotFound, NotPermitted, InvalidValue.
    """
    if said not in ("accept", "decline"):
        raise InvalidValue(
            name="said",
            value=said if isinstance(said, str) else type(said).__name__,
            allowed="accept, decline",
        )
    person = _self(desk, volunteer)
    shift = shift_of(desk, shift_id)
    row = own_row(desk, shift.id, person)
    if row is None or row.state != "invited":
        _open_to(desk, shift_id, person)
        raise Refused(Finding("not_invited", {"shift": shift_id}))
    if said == "decline":
        move(desk, row, "withdrawn")
        return Joined(row.id, "withdrawn")
    form = _Form(row.guests, row.children)
    shift = _settled(desk, shift, form.guests)
    found, fits = _findings(desk, shift, person, row, form)
    if any(each.severity == "block" for each in found):
        raise Refused(*found)
    return _enter(desk, shift, person, row, form, fits, found)


def _active(desk: Desk, shift_id: int, volunteer: str) -> tuple[Shift, Person, Row]:
    person = _self(desk, volunteer)
    shift = shift_of(desk, shift_id)
    row = own_row(desk, shift.id, person)
    if row is None:
        _open_to(desk, shift_id, person)
    if row is None or row.state not in ("applied", "waiting", "accepted"):
        raise Refused(Finding("not_joined", {"shift": shift_id, "state": "" if row is None else row.state}))
    return shift, person, row


@command
def withdraw(desk: Desk, shift_id: int, volunteer: str) -> None:
    """Take back what one applied for, waits for or has a place in.

    A place is given back until `Policy.withdraw_hours` before the shift, afterwards by the organizer alone
    (`participants.remove`); then the first who waits and may come is promoted. Raises Refused, NotFound,
    NotPermitted.
    """
    shift, person, row = _active(desk, shift_id, volunteer)
    if row.state == "accepted":
        last = shift.starts_at - desk.policy.withdraw_hours * _HOUR
        if microseconds(desk.now) > last:
            until = instant_of(last).astimezone(desk.zone)
            raise Refused(Finding("withdrawal_too_late", {"shift": shift_id, "until": until}))
        free_place(desk, shift_id, row.places)
    move(desk, row, "withdrawn")
    if row.state == "accepted":
        fill(desk, shift_id)
        fill_elsewhere(desk, person, shift_id)


@command
def change_guests(desk: Desk, shift_id: int, volunteer: str, guests: int) -> None:
    """Bring another number of guests than said before; a place too many is given back.

    At most as many as the project allows, no more than there are free places, and until the shift's end. Raises
    Refused, NotFound, NotPermitted, InvalidValue.
    """
    _Form(guests)
    shift, person, row = _active(desk, shift_id, volunteer)
    if microseconds(desk.now) >= shift.ends_at:  # who came is settled then
        end = instant_of(shift.ends_at).astimezone(desk.zone)
        raise Refused(Finding("shift_over", {"shift": shift_id, "end": end}))
    more = guests - row.guests
    if more > 0:
        blocked = [each for each in shift_findings(desk, shift, by_oneself=False) if each.severity == "block"]
        most = shift.guests_at_most
        if row.state == "accepted" and not blocked:
            shift = _settled(desk, shift, more - 1)
            free = places_of(desk, shift).free
            most = most if free is None else min(most, row.guests + free)
        if guests > most:
            blocked.append(Finding("too_many_guests", {"most": most, "guests": guests}))
        if blocked:
            raise Refused(*blocked)
        if row.state == "accepted" and not take_place(desk, shift_id, more):
            raise Refused(Finding("shift_full", {"shift": shift_id, "free": 0, "needed": more}))
    if more == 0:
        return
    changed = (
        "UPDATE vk_participation SET guests = ?, changed_at = ?, changed_by = ? WHERE id = ? AND guests = ?"
    )
    values = (guests, microseconds(desk.now), desk.actor.id, row.id, row.guests)
    if driver(desk.connection)(changed, values).rowcount != 1:
        raise Refused(Finding("participation_moved", {"participation": row.id}))
    note(
        desk,
        "participation.guests",
        person.subject,
        {"participation": row.id, "shift": shift_id, "guests": guests},
    )
    if more < 0 and row.state == "accepted":
        free_place(desk, shift_id, -more)
        fill(desk, shift_id)


@storage_errors("database")
def free_places(desk: Desk, shift_id: int) -> Places:
    """Return the places of a shift, for whoever may see it.

    Raises NotFound (also for one that does not show to the actor), NotPermitted.
    """
    number = desk.acting.volunteer
    try:
        shift = shift_of(desk, shift_id)
    except NotFound:
        desk.permit_on("project.view", "shift", shift_id, None)
        raise
    person = person_of(desk, number) if number and shift.visible_below_id is not None else None
    scopes = [
        each.scope
        for each in (*desk.acting.grants, *desk.stored_grants)
        if each.scope and each.holds_on(desk.today)
    ]
    seen = visible(desk, shift, None if person is None else person.id, scopes)
    desk.permit_on("project.view", "shift", shift_id, attrs.evolve(shift.place, published=seen))
    return places_of(desk, shift)


@storage_errors("database")
def commitments(desk: Desk, volunteer: str) -> tuple[Participation, ...]:
    """Return the volunteer's own participations in shifts that are not over, in the order of their beginning.

    What a leave or a suspension cancels is told as cancelled, written or not. Raises NotFound, NotPermitted.
    """
    person = _self(desk, volunteer)
    now, found = microseconds(desk.now), []
    for row in driver(desk.connection)(_MINE.format(marks(person.ids)), (*person.ids, now)).fetchall():
        (
            id_,
            shift_id,
            project,
            state,
            starts,
            ends,
            guests,
            children,
            party,
            applied,
            changed,
            until,
            name,
        ) = row
        begin, end, asked, last = (
            instant_of(each).astimezone(desk.zone) for each in (starts, ends, applied, changed)
        )
        away = person.status not in LASTING or (
            desk.policy.commitments_when_away == "cancelled" and away_on(person, day_number(begin.date()))
        )
        if away and starts > now and state in ("accepted", "waiting", "applied", "invited"):
            state = "cancelled"
        served = None if until is None else instant_of(until).astimezone(desk.zone)
        found.append(Participation(id_, shift_id, project, person.number, state, begin, end, guests, children, party,
                                   asked, last, served, project_name=name))  # fmt: skip
    return tuple(found)
