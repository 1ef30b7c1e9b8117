"""Places: how they are taken, given back and filled from the waiting list; who loses theirs by being away.

Whether somebody is away follows from days, so it is not written when a suspension or a leave begins: what is
read leaves such a commitment out at once, and it is written as cancelled as soon as somebody needs the place,
or by `sweep`. So volunteers know nothing of projects, and the free places are right at every moment.
"""

from __future__ import annotations

from typing import Any

import attrs

from volunteerkit.errors import Finding, IntegrityProblem, Refused
from volunteerkit.projects.eligibility import (
    AWAY,
    Person,
    Shift,
    marks,
    person_of,
    personal_findings,
    shift_findings,
    shift_of,
)
from volunteerkit.projects.participating import Places
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import command, driver, note
from volunteerkit.units import day_number

__all__ = [
    "Row",
    "absent_places",
    "fill",
    "fill_elsewhere",
    "free_place",
    "move",
    "needs_review",
    "own_row",
    "places_of",
    "room",
    "row_of",
    "rows_of",
    "settle_absences",
    "sweep",
    "take_place",
]

_TAKE = (
    "UPDATE vk_shift SET taken = taken + ? WHERE id = ? AND cancelled_at IS NULL "
    "AND (capacity IS NULL OR taken + ? <= capacity)"
)
_FREE = "UPDATE vk_shift SET taken = taken - ? WHERE id = ? AND taken >= ?"
_COLUMNS = (
    "id, shift_id, volunteer_id, state, guests, children, party, rank, applied_at, changed_at, changed_by, "
    "override, reason, served_until"
)
_ROW = f"SELECT {_COLUMNS} FROM vk_participation WHERE "
_LIVING = "CASE WHEN state IN ('withdrawn', 'refused', 'cancelled') THEN 1 ELSE 0 END, id"
_MOVE = "UPDATE vk_participation SET state = ?, changed_at = ?, changed_by = ?{} WHERE id = ? AND state = ?"
_AWAY = ", ".join(f"'{kind}'" for kind in AWAY)
# periods go over to the kept one of a merge
_KEPT = "(SELECT m.kept_id FROM vk_merge m WHERE m.volunteer_id = a.volunteer_id AND m.ended_seq IS NULL)"
_ABSENT = (
    "FROM vk_participation a JOIN vk_volunteer v ON v.id = a.volunteer_id "
    "WHERE a.shift_id = ? AND a.state IN ({}) AND (v.status NOT IN ('approved', 'pending', 'merged') OR (? AND EXISTS ("
    f"SELECT 1 FROM vk_volunteer_period d WHERE d.volunteer_id = COALESCE({_KEPT}, a.volunteer_id) AND d.kind IN ({_AWAY}) "
    "AND d.since <= ? AND (d.until IS NULL OR d.until >= ?))))"
)
_ABSENT_PLACES = "SELECT COALESCE(SUM(1 + a.guests), 0) " + _ABSENT.format("'accepted'")
_ABSENT_WAITING = "SELECT count(*) " + _ABSENT.format("'waiting'")
_ABSENT_ROWS = (
    "SELECT a.id " + _ABSENT.format("'accepted', 'waiting', 'applied', 'invited'") + " ORDER BY a.id"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Row:
    """A row of a participation."""

    id: int
    shift_id: int
    volunteer_id: int
    state: str
    guests: int
    children: int
    party: str | None
    rank: int
    applied_at: int
    changed_at: int
    changed_by: str
    override: str | None
    reason: str
    served_until: int | None

    @property
    def places(self) -> int:
        """How many places it takes: the person's own and their guests'."""
        return 1 + self.guests


def row_of(desk: Desk, condition: str, *values: Any) -> Row | None:
    """Return the participation that meets ``condition``, SQL with ``?`` marks; None when there is none."""
    row = driver(desk.connection)(_ROW + condition, values).fetchone()
    return None if row is None else Row(*row)


def rows_of(desk: Desk, condition: str, *values: Any) -> list[Row]:
    """Return the participations that meet ``condition``, SQL with ``?`` marks and an order."""
    return [Row(*row) for row in driver(desk.connection)(_ROW + condition, values).fetchall()]


def own_row(desk: Desk, shift_id: int, person: Person) -> Row | None:
    """Return the person's participation in a shift; of somebody merged what still holds goes first."""
    there = f"shift_id = ? AND volunteer_id IN ({marks(person.ids)}) ORDER BY {_LIVING} LIMIT 1"
    return row_of(desk, there, shift_id, *person.ids)


def take_place(desk: Desk, shift_id: int, places: int) -> bool:
    """Take so many places of a shift in one guarded statement; tell whether they were free."""
    return bool(driver(desk.connection)(_TAKE, (places, shift_id, places)).rowcount == 1)


def free_place(desk: Desk, shift_id: int, places: int) -> None:
    """Give places back; raises IntegrityProblem where fewer were taken."""
    if driver(desk.connection)(_FREE, (places, shift_id, places)).rowcount != 1:
        raise IntegrityProblem(what=f"shift {shift_id}: fewer places taken than given back")


def move(desk: Desk, row: Row, after: str, type: str = "participation.moved", **columns: Any) -> None:
    """Bring a participation from the state in which it was read into another one, with its event.

    ``columns`` are further values of the row. Raises Refused when it is in another state meanwhile.
    """
    more = "".join(f", {name} = ?" for name in columns)
    at = microseconds(desk.now)
    values = (after, at, desk.actor.id, *columns.values(), row.id, row.state)
    if driver(desk.connection)(_MOVE.format(more), values).rowcount != 1:
        raise Refused(Finding("participation_moved", {"participation": row.id}))
    payload = {"participation": row.id, "shift": row.shift_id, "before": row.state, "state": after}
    until = columns.get("served_until")
    note(desk, type, f"volunteer:{row.volunteer_id}", payload | ({"until": until} if until else {}))


def _absent(desk: Desk, shift: Shift, query: str) -> list[Any]:
    """Run a query about those whom an absence keeps from a shift that has not begun yet."""
    if shift.starts_at <= microseconds(desk.now):
        return []
    day, counts = day_number(shift.day(desk)), desk.policy.commitments_when_away == "cancelled"
    found: list[Any] = driver(desk.connection)(query, (shift.id, counts, day, day)).fetchall()
    return found


def absent_places(desk: Desk, shift: Shift) -> int:
    """Return how many places are taken by persons who will be away, which nobody has written yet."""
    return sum(int(row[0]) for row in _absent(desk, shift, _ABSENT_PLACES))


def places_of(desk: Desk, shift: Shift) -> Places:
    """Return the places of a shift as they are today."""
    away = sum(int(row[0]) for row in _absent(desk, shift, _ABSENT_WAITING))
    return Places(shift.capacity, shift.taken - absent_places(desk, shift), shift.waiting - away)


def settle_absences(desk: Desk, shift: Shift) -> int:
    """Cancel what persons who will be away had accepted or asked for; return how many places that frees."""
    freed = 0
    for (id_,) in _absent(desk, shift, _ABSENT_ROWS):
        row = row_of(desk, "id = ?", id_)
        assert row is not None  # nothing is ever deleted
        freed += _cancel(desk, row, "absent")
    return freed


def _cancel(desk: Desk, row: Row, reason: str) -> int:
    freed = row.places if row.state == "accepted" else 0
    if freed:
        free_place(desk, row.shift_id, freed)
    move(desk, row, "cancelled", "participation.cancelled", reason=reason)
    return freed


def needs_review(desk: Desk, shift: Shift, person: Person) -> bool:
    """Tell whether somebody decides about the person: by the project's way, or after too many absences."""
    often = desk.policy.no_shows is not None and person.missed >= desk.policy.no_shows
    return shift.acceptance == "reviewed" or often


def fill(desk: Desk, shift_id: int) -> int:
    """Promote from the waiting list who may have a free place, in the order of their ranks; return how many.

    Who cannot come now, or brings more than fit, keeps the rank and is passed over. Whatever gives places
    back or adds some calls this, once.
    """
    shift, promoted = shift_of(desk, shift_id), 0
    if shift.waiting == 0 or (shift.capacity is not None and shift.taken >= shift.capacity):
        return 0
    if any(each.severity == "block" for each in shift_findings(desk, shift, by_oneself=False)):
        return 0
    for row in rows_of(desk, "shift_id = ? AND state = 'waiting' ORDER BY rank", shift_id):
        if shift.capacity is not None and shift.taken + row.places > shift.capacity:
            continue
        person = person_of(desk, row.volunteer_id)
        if person is None or _held_back(desk, shift, person, row):
            continue
        if not take_place(desk, shift_id, row.places):
            break
        move(desk, row, "accepted", "participation.promoted")
        shift, promoted = attrs.evolve(shift, taken=shift.taken + row.places), promoted + 1
        if shift.taken == shift.capacity:
            break
    return promoted


def _held_back(desk: Desk, shift: Shift, person: Person, row: Row) -> bool:
    found = personal_findings(desk, shift, person, overridden=row.override is not None)
    return any(each.severity == "block" for each in found)


def fill_elsewhere(desk: Desk, person: Person, but: int) -> None:
    """Promote a person who has time again, where they wait for a shift that has free places."""
    waits = f"volunteer_id IN ({marks(person.ids)}) AND state = 'waiting' AND shift_id <> ? ORDER BY rank"
    for row in rows_of(desk, waits, *person.ids, but):
        fill(desk, row.shift_id)


def room(desk: Desk, shift: Shift, guests: int) -> tuple[list[Finding], bool]:
    """Return what the number of places says to one more person with guests, and whether they fit now.

    Guests are limited by the project, and by the free places unless there is a waiting list.
    """
    free = (
        places_of(desk, shift).free
        if shift.capacity is not None and shift.taken + 1 + guests > shift.capacity
        else None
    )
    most = (
        shift.guests_at_most
        if free is None or shift.waiting_list
        else min(shift.guests_at_most, max(0, free - 1))
    )
    fits = free is None or 1 + guests <= free
    if shift.capacity == 0:
        return [Finding("shift_closed", {"shift": shift.id})], False
    if not fits and not shift.waiting_list and free == 0:
        return [Finding("shift_full", {"shift": shift.id, "free": 0, "needed": 1 + guests})], False
    if guests > most:
        return [Finding("too_many_guests", {"most": most, "guests": guests})], fits
    if not fits:
        return [Finding("will_wait", {"shift": shift.id, "before": shift.waiting}, "warn")], False
    return [], True


@command
def sweep(desk: Desk) -> int:
    """Write down who loses a commitment by being away, and fill free places; return how many rows moved.

    For a job of every night: what is read is right without it, but who is promoted learns of it by its event.
    Raises NotPermitted.
    """
    desk.permit("project.sweep")
    execute, moved = driver(desk.connection), 0
    begun = microseconds(desk.now)
    query = (
        "SELECT DISTINCT s.id FROM vk_shift s JOIN vk_participation a ON a.shift_id = s.id "
        "WHERE s.starts_at > ? AND s.cancelled_at IS NULL AND a.state IN ('accepted', 'waiting', 'applied', 'invited') "
        "ORDER BY s.id"
    )
    for (id_,) in execute(query, (begun,)).fetchall():
        shift = shift_of(desk, id_)
        absent = _absent(desk, shift, _ABSENT_ROWS)
        settle_absences(desk, shift)
        moved += len(absent) + fill(desk, id_)
    return moved
