"""How a check-in or a check-out is entered into the pairs of one person on one shift.

What was entered first stands. Everything here runs behind the head, inside a verb that has checked who asks.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import attrs

from volunteerkit.access import Place
from volunteerkit.errors import Finding, Refused
from volunteerkit.projects.model import ATTENDED
from volunteerkit.projects.presence import MINUTE, SWEPT, Pair, served_on, with_flags
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import driver, note
from volunteerkit.store.registering import possible_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, instant_of
from volunteerkit.volunteers.reading import number_given

__all__ = ["Attended", "Mark", "Party", "enter_in", "enter_out", "find_party", "write_ended"]

_OPEN: Final = ("published", "closing")

_PARTY = (
    "SELECT s.starts_at, s.ends_at, s.cancelled_at, s.latitude_e6, s.longitude_e6, p.number, p.status, "
    "p.published_at, o.number, t.number, v.id, v.number, v.status, "
    "(SELECT MIN(h.kind) FROM vk_volunteer_period h WHERE h.volunteer_id = v.id "
    "AND h.kind IN ('blacklisted', 'suspended', 'on_leave') AND h.since <= ? AND (h.until IS NULL OR h.until >= ?)), "
    "q.id, q.volunteer_id, q.state, q.served_until FROM vk_shift s JOIN vk_project p ON p.id = s.project_id "
    "JOIN vk_organization o ON o.id = p.organization_id LEFT JOIN vk_team t ON t.id = p.team_id "
    "LEFT JOIN vk_volunteer v ON v.number = COALESCE((SELECT a.volunteer_number FROM vk_alias a WHERE a.number = ?), ?) "
    "LEFT JOIN vk_participation q ON q.shift_id = s.id AND (q.volunteer_id = v.id OR q.volunteer_id IN "
    "(SELECT w.id FROM vk_alias b JOIN vk_volunteer w ON w.number = b.number WHERE b.volunteer_number = v.number)) "
    "WHERE s.id = ? AND p.status <> 'deleted' ORDER BY CASE WHEN q.state = 'accepted' THEN 0 ELSE 1 END, q.id LIMIT 1"
)
_REFUSED: Final = "%refused%"
_STANDS: Final = "flags NOT LIKE ?"
"""What a review refused occupies no time, and counts for no limit: whoever knows better enters another pair."""
_PAIRS = (
    "SELECT id, in_at, out_at, out_method, flags, record_id FROM vk_attendance WHERE participation_id = ? "
    f"AND {_STANDS} ORDER BY in_at, id"
)
_TODAY = (
    f"SELECT COUNT(*) FROM vk_attendance WHERE served_on = ? AND {_STANDS} AND volunteer_id IN (SELECT v.id FROM vk_volunteer v "
    "WHERE v.number = ? UNION ALL SELECT w.id FROM vk_alias a JOIN vk_volunteer w ON w.number = a.number "
    "WHERE a.volunteer_number = ?)"
)
_ELSEWHERE = (
    "SELECT s.id FROM vk_participation q JOIN vk_shift s ON s.id = q.shift_id JOIN vk_project p ON p.id = s.project_id "
    "WHERE q.volunteer_id = ? AND q.state = 'accepted' AND p.number = ? AND s.starts_at <= ? AND s.ends_at > ? "
    "ORDER BY s.starts_at LIMIT 1"
)
_NEXT = "SELECT COALESCE(MAX(id), 0) + 1 FROM vk_attendance"
_INSERT = (
    "INSERT INTO vk_attendance (id, participation_id, volunteer_id, shift_id, served_on, in_at, in_method, "
    "in_received_at, in_by, distance_ok, flags, in_evidence, out_at, out_method, out_received_at, out_by) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_END = (
    "UPDATE vk_attendance SET out_at = ?, out_method = ?, out_received_at = ?, out_by = ?, flags = ?, out_evidence = ? "
    "WHERE id = ? AND record_id IS NULL AND (out_at IS NULL OR out_method IN ('forgotten', 'discharged'))"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Attended:
    """What became of a check-in or a check-out: the pair as it stands now, instants in the city's zone.

    ``repeated`` tells that the pair said so already: nothing was written now. ``flags`` are codes, and
    ``distance_ok`` whether the phone was near the place, None when that is not known.
    """

    attendance_id: int
    volunteer: str
    in_at: dt.datetime
    out_at: dt.datetime | None = None
    flags: tuple[str, ...] = ()
    distance_ok: bool | None = None
    repeated: bool = False


@attrs.frozen
class Mark:
    """When somebody came or went, who says so and how; ``at`` in microseconds."""

    at: int
    method: str
    by: str
    flags: tuple[str, ...] = ()
    distance_ok: bool | None = None
    evidence: str = attrs.field(default="", repr=False)


@attrs.frozen
class Party:
    """A shift and one volunteer on it, as `_PARTY` finds them."""

    starts_at: int
    ends_at: int
    cancelled_at: int | None
    latitude_e6: int | None = attrs.field(repr=False)
    longitude_e6: int | None = attrs.field(repr=False)
    project: str
    project_status: str
    published_at: int | None
    organization: str
    team: str | None
    volunteer_id: int | None
    volunteer: str | None
    status: str | None
    period: str | None
    participation_id: int | None
    participant_id: int | None
    state: str | None
    served_until: int | None

    @property
    def place(self) -> Place:
        """Where it belongs; a volunteer's own only when there is something that they may know of."""
        known = self.participation_id is not None or self.published_at is not None
        teams = (self.team,) if self.team else ()
        return Place(self.volunteer if known else None, teams, (self.organization,))

    @property
    def discharged_at(self) -> int | None:
        """When the volunteer was discharged, None for who was not."""
        return self.served_until if self.state == "discharged" else None


def find_party(desk: Desk, shift_id: object, volunteer: str) -> Party | None:
    """Return the shift with the volunteer on it, None for an unknown shift; raises InvalidValue."""
    number_given(volunteer)
    if not possible_id(shift_id):
        return None
    day = day_number(desk.today)
    row = driver(desk.connection)(_PARTY, (day, day, volunteer, volunteer, shift_id)).fetchone()
    return None if row is None else Party(*row)


def enter_in(desk: Desk, shift_id: int, party: Party, mark: Mark, until: Mark | None = None) -> Attended:
    """Write a check-in, with ``until`` also the check-out that belongs to it; raises Refused.

    Whoever is there already, or came before the next pair without having left, is told so.
    """
    gone = party.discharged_at
    if until is not None and gone is not None and until.at >= gone:
        until = None
    pairs = [] if party.participation_id is None else _pairs(desk, party.participation_id)
    for pair in pairs:
        seen = _seen(desk, party, pair)
        inside = pair.in_at <= mark.at and (
            pair.in_at == mark.at or seen.out_at is None or mark.at < seen.out_at
        )
        before = mark.at < pair.in_at and (until is None or until.at > pair.in_at)
        if inside or before:
            return _answer(desk, party, seen, repeated=True)
    day = served_on(desk, party.starts_at)
    findings = _against(desk, shift_id, party, mark.at)
    if not findings and _full(desk, party, day):
        limit = desk.policy.pairs_per_day
        findings = [Finding("pairs_enough", {"volunteer": party.volunteer, "limit": limit})]
    if findings:
        raise Refused(*findings)
    assert party.participation_id is not None
    for pair in pairs:  # one at most is open, and readers see it ended unless this whole pair lies before it
        seen = _seen(desk, party, pair)
        if pair.out_at is None and seen.out_at is not None:
            write_ended(desk, seen)
    execute, now = driver(desk.connection), microseconds(desk.now)
    (new,) = execute(_NEXT, ()).fetchone()
    flags = with_flags("", *mark.flags, *(until.flags if until else ()))
    ended = (None,) * 4 if until is None else (until.at, until.method, now, until.by)
    near = None if mark.distance_ok is None else int(mark.distance_ok)
    said = _sealed(desk, party, new, "in", mark)
    execute(_INSERT, (new, party.participation_id, party.participant_id, shift_id, day, mark.at, mark.method, now,
                      mark.by, near, flags, said, *ended))  # fmt: skip
    _told(desk, "attendance.checked_in", new, shift_id, mark)
    if until is not None:
        _told(desk, "attendance.checked_out", new, shift_id, until)
    pair = Pair(new, mark.at, ended[0], ended[1], flags, None)
    return _answer(desk, party, pair, distance_ok=mark.distance_ok)


def enter_out(desk: Desk, shift_id: int, party: Party, mark: Mark) -> Attended:
    """Write a check-out: of the last pair that began before; raises Refused.

    A check-out that comes late from a device that was offline takes the place of what the sweeper wrote.
    """
    pairs = [] if party.participation_id is None else _pairs(desk, party.participation_id)
    pair = next((each for each in reversed(pairs) if each.in_at <= mark.at), None)
    if pair is None:
        raise Refused(Finding("not_checked_in", {"volunteer": party.volunteer, "shift": shift_id}))
    seen = _seen(desk, party, pair)
    if (pair.out_at is not None and pair.out_method not in SWEPT) or pair.record_id is not None:
        return _answer(desk, party, seen, repeated=True)
    gone = party.discharged_at
    if gone is not None and mark.at >= gone:  # the discharge was the end
        return _answer(desk, party, seen, repeated=True)
    if mark.at > pair.limit(desk.policy):
        minutes = desk.policy.forgotten_check_out_minutes
        raise Refused(Finding("check_out_too_late", {"volunteer": party.volunteer, "minutes": minutes}))
    flags = with_flags(pair.flags, *mark.flags, without=SWEPT)
    said = _sealed(desk, party, pair.id, "out", mark)
    values = (mark.at, mark.method, microseconds(desk.now), mark.by, flags, said, pair.id)
    if driver(desk.connection)(_END, values).rowcount != 1:  # behind the head nobody else can have been here
        raise Refused(Finding("not_checked_in", {"volunteer": party.volunteer, "shift": shift_id}))
    _told(desk, "attendance.checked_out", pair.id, shift_id, mark)
    return _answer(desk, party, attrs.evolve(pair, out_at=mark.at, out_method=mark.method, flags=flags))


def _pairs(desk: Desk, participation_id: int) -> list[Pair]:
    rows = driver(desk.connection)(_PAIRS, (participation_id, _REFUSED)).fetchall()
    return [Pair(*row) for row in rows]


def _seen(desk: Desk, party: Party, pair: Pair) -> Pair:
    return pair.ended(desk.policy, party.ends_at, party.discharged_at, microseconds(desk.now))


def _against(desk: Desk, shift_id: int, party: Party, at: int) -> list[Finding]:
    """Return everything that speaks against a check-in at that instant."""
    who, policy = {"volunteer": party.volunteer or "", "shift": shift_id}, desk.policy
    found = []
    if party.cancelled_at is not None:
        found.append(Finding("check_in_cancelled", {"shift": shift_id}))
    if party.project_status not in _OPEN:
        found.append(Finding("check_in_not_open", {"project": party.project, "status": party.project_status}))
    if party.participation_id is None:
        early = at + policy.check_in_early_minutes * MINUTE
        asked = (party.volunteer_id or 0, party.project, early, at)
        other = driver(desk.connection)(_ELSEWHERE, asked).fetchone()
        found.append(
            Finding("check_in_elsewhere", who | {"other": other[0]})
            if other
            else Finding("check_in_not_joined", who)
        )
    elif party.state not in ATTENDED or (party.discharged_at is not None and at >= party.discharged_at):
        found.append(Finding("check_in_not_accepted", who | {"participation": party.state}))
    status = (party.period or party.status) if party.status == "approved" else party.status
    if party.participation_id is not None and status != "approved":
        found.append(Finding("volunteer_not_active", who | {"status": status}))
    if at < party.starts_at - policy.check_in_early_minutes * MINUTE:
        since = instant_of(party.starts_at - policy.check_in_early_minutes * MINUTE).astimezone(desk.zone)
        found.append(Finding("check_in_too_early", who | {"since": since}))
    if at >= party.ends_at:
        ended = instant_of(party.ends_at).astimezone(desk.zone)
        found.append(Finding("check_in_over", who | {"until": ended}))
    return found


def _full(desk: Desk, party: Party, day: int) -> bool:
    """Tell whether a person has been checked in as often as a day allows, wherever it was."""
    limit = desk.policy.pairs_per_day
    if limit is None:
        return False
    count = driver(desk.connection)(_TODAY, (day, _REFUSED, party.volunteer, party.volunteer)).fetchone()[0]
    return bool(count >= limit)


def _told(desk: Desk, type: str, id: int, shift_id: int, mark: Mark) -> None:
    note(desk, type, f"attendance:{id}", {"shift": shift_id, "method": mark.method})


def _sealed(desk: Desk, party: Party, id: int, purpose: str, mark: Mark) -> str:
    if not mark.evidence:
        return ""
    return seal_text(desk, f"volunteer:{party.participant_id}", f"attendance:{id}_{purpose}", mark.evidence)


def _answer(
    desk: Desk, party: Party, pair: Pair, *, repeated: bool = False, distance_ok: bool | None = None
) -> Attended:
    came = instant_of(pair.in_at).astimezone(desk.zone)
    left = None if pair.out_at is None else instant_of(pair.out_at).astimezone(desk.zone)
    flags = tuple(filter(None, pair.flags.split(",")))
    return Attended(pair.id, party.volunteer or "", came, left, flags, distance_ok, repeated)


def write_ended(desk: Desk, seen: Pair) -> None:
    """Write of an open pair how a reader sees that it ended."""
    values = (seen.out_at, seen.out_method, microseconds(desk.now), "clock", seen.flags, "", seen.id)
    driver(desk.connection)(_END, values)
    note(desk, "attendance.closed", f"attendance:{seen.id}", {"method": seen.out_method})
