"""Check-in and check-out: by one's own scan, by the leader's list, by a device, by one's own report.

What was entered first stands: whoever comes again within a pair is told so, and nothing is written. Where a
phone was is compared and forgotten; only whether it was near is kept.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Final

import attrs
import sqlalchemy as sa

from volunteerkit.access import Cell, Person
from volunteerkit.clock import aware
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.messages import phrase
from volunteerkit.privacy import hide
from volunteerkit.projects.codes import check_code, checked_purpose
from volunteerkit.projects.marking import (
    Attended,
    Mark,
    Party,
    enter_in,
    enter_out,
    find_party,
    write_ended,
)
from volunteerkit.projects.presence import (
    MINUTE,
    Pair,
    list_attendance,
    metres_between,
    read,
    with_flags,
)
from volunteerkit.projects.tables import attendance
from volunteerkit.projects.tables import device as devices
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import command, driver, note
from volunteerkit.store.registering import possible_id
from volunteerkit.store.texts import seal_text
from volunteerkit.units import instant_of, plain_text

__all__ = ["Attended", "check_in", "check_list", "check_out", "close_forgotten", "list_attendance", "review"]

PEOPLE_AT_ONCE: Final = 500
_TEXT: Final = 500
_DEVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}", re.ASCII)

_STALE = (
    "SELECT a.id, a.in_at, a.out_at, a.out_method, a.flags, a.record_id, s.ends_at, q.state, q.served_until "
    "FROM vk_attendance a JOIN vk_shift s ON s.id = a.shift_id JOIN vk_participation q ON q.id = a.participation_id "
    "WHERE a.out_at IS NULL AND (a.in_at <= ? OR q.state = 'discharged') ORDER BY a.id"
)
_REVIEW = (
    "UPDATE vk_attendance SET out_at = ?, out_method = ?, out_received_at = ?, out_by = ?, flags = ?, review = ? "
    "WHERE id = ? AND record_id IS NULL"
)


def __dir__() -> list[str]:
    return __all__


@command
def check_in(
    desk: Desk, shift_id: int, volunteer: str, *, code: str | None = None, device: str | None = None,
    evidence: str | None = None, at: dt.datetime | None = None, here: tuple[float, float] | None = None,
) -> Attended:  # fmt: skip
    """Check a volunteer in to a shift, in one of four ways.

    With ``code``, the volunteer scanned what `codes.shift_code` shows. With ``evidence`` (a text, or where a
    picture lies) they report it themselves, which waits for a `review`. With ``device`` a device of that id
    does it, for which the actor needs the role ``system``. With none of them the leader enters it.

    ``at`` is an aware instant (default now) and never with a code; more than ``clock_skew_minutes`` in the
    future is refused, and a device's that is as far behind is flagged. ``here`` is where the phone is,
    (latitude, longitude) in degrees: it is compared with the shift's place and kept nowhere.

    Raises NotFound, NotPermitted, InvalidValue, and Refused for who is not accepted, too early, too late, at
    the wrong shift, or has been checked in as often as a day allows.
    """
    party, mark = _asked(desk, shift_id, volunteer, "in", code, device, evidence, at, here)
    return enter_in(desk, shift_id, party, mark)


@command
def check_out(
    desk: Desk, shift_id: int, volunteer: str, *, code: str | None = None, device: str | None = None,
    evidence: str | None = None, at: dt.datetime | None = None,
) -> Attended:  # fmt: skip
    """Check a volunteer out of a shift, in the ways of `check_in`.

    Raises what `check_in` raises; Refused for who was not checked in, and later than
    ``forgotten_check_out_minutes`` after that.
    """
    party, mark = _asked(desk, shift_id, volunteer, "out", code, device, evidence, at, None)
    return enter_out(desk, shift_id, party, mark)


@command
def check_list(
    desk: Desk, shift_id: int, volunteers: Sequence[str], purpose: str = "in", *,
    at: dt.datetime | None = None, whole: bool = False,
) -> list[Attended | Refused]:  # fmt: skip
    """Check in or out the volunteers of the leader's list, up to 500 at once; each has its answer.

    With ``whole`` one refusal refuses the list and nothing is written; its findings name the volunteers.
    Raises what `check_in` raises.
    """
    checked_purpose(purpose)
    listed = isinstance(volunteers, Sequence) and not isinstance(volunteers, str)
    if not listed or not 0 < len(volunteers) <= PEOPLE_AT_ONCE:
        shown = len(volunteers) if listed else type(volunteers).__name__
        raise InvalidValue(name="volunteers", value=shown, allowed=f"1 … {PEOPLE_AT_ONCE}")
    answers: list[Attended | Refused] = []
    for each in volunteers:
        try:
            party, mark = _asked(desk, shift_id, each, purpose, None, None, None, at, None)
            enter = enter_in if purpose == "in" else enter_out
            answers.append(enter(desk, shift_id, party, mark))
        except Refused as refusal:
            answers.append(refusal)
    refused = [each for each in answers if isinstance(each, Refused)]
    if whole and refused:
        raise Refused(*(finding for each in refused for finding in each.findings))
    return answers


def _asked(
    desk: Desk, shift_id: int, volunteer: str, purpose: str, code: str | None, device: str | None,
    evidence: str | None, at: dt.datetime | None, here: tuple[float, float] | None,
) -> tuple[Party, Mark]:  # fmt: skip
    """Check who may say this, and how it is known."""
    ways = {"code": code, "device": device, "evidence": evidence}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1 or (code is not None and at is not None):
        names = [*given, *(("at",) if at is not None else ())]
        raise InvalidValue(name=", ".join(names), value=len(names), allowed=phrase("allowed_one_way"))
    party = find_party(desk, shift_id, volunteer)
    cell = desk.permit_on("project.check_in", "shift", shift_id, None if party is None else party.place)
    assert party is not None
    instant = checked_instant(desk, at)
    near = None if here is None else _near(desk, party, here)
    if device is not None:
        desk.permit("project.check_in")  # everywhere: whoever leads one team is no device
        by = f"device:{checked_device('device', device)}"
        not_revoked(desk, device)
        return party, Mark(instant, "device", by, skew_of(desk, desk.now if at is None else at), near)
    if given:
        if desk.acting.volunteer is None or desk.acting.volunteer != party.volunteer:
            raise Refused(Finding("only_oneself", {"volunteer": volunteer}))
        if code is not None:
            check_code(desk, shift_id, purpose, code)
            return party, Mark(instant, "code", desk.actor.id, (), near)
        said = plain_text("evidence", evidence or "", _TEXT)
        return party, Mark(instant, "self", desk.actor.id, ("self_reported",), near, said)
    _led(desk, cell, party, volunteer)
    return party, Mark(instant, "leader", desk.actor.id, (), near)


def checked_device(name: str, value: str) -> str:
    """Return the id of a device or of a scan: plain letters, digits and signs, and nobody's number.

    Raises InvalidValue.

    >>> checked_device("device", "gate-1")
    'gate-1'
    """
    if type(value) is not str or not _DEVICE.fullmatch(value) or hide(value) != value:
        shown = phrase("count_letters", count=len(value)) if type(value) is str else type(value).__name__
        raise InvalidValue(name=name, value=shown, allowed="gate-1, A-Z a-z 0-9 _ . : / -, 1 … 100")
    return value


def revocation(desk: Desk, device: str) -> tuple[Finding, ...]:
    """Return that a device was revoked, and when; nothing for another one."""
    query = sa.select(devices.c.revoked_at).where(devices.c.device == device)
    at = desk.connection.execute(query).scalar()
    if at is None:
        return ()
    since = instant_of(at).astimezone(desk.zone)
    return (Finding("device_revoked", {"device": device, "since": since}),)


def not_revoked(desk: Desk, device: str) -> None:
    """Raise Refused for a device that was revoked."""
    if found := revocation(desk, device):
        raise Refused(*found)


def _led(desk: Desk, cell: Cell, party: Party, volunteer: str) -> None:
    """Let nobody enter themselves by a list, and no program pass for a leader."""
    if cell.relation == "self" or desk.is_one_of(Person(None, party.volunteer)):
        raise Refused(Finding("code_needed", {"volunteer": volunteer}))
    if cell.relation == "city":  # who leads the shift as well may
        leads = attrs.evolve(desk.reach("project.check_in"), city=False)
        if not leads.covers(party.place):
            raise InvalidValue(name="device", value="", allowed=phrase("allowed_device"))


def checked_instant(desk: Desk, at: dt.datetime | None) -> int:
    """Return when it happened: ``at``, and no later than now for a clock that is a little ahead.

    Raises InvalidValue for a naive instant, Refused for one in the future.
    """
    now = microseconds(desk.now)
    if at is None:
        return now
    said = microseconds(aware("at", at))
    if said > now + desk.policy.clock_skew_minutes * MINUTE:
        raise Refused(Finding("instant_in_future", {"minutes": desk.policy.clock_skew_minutes}))
    return min(said, now)


def skew_of(desk: Desk, at: dt.datetime) -> tuple[str, ...]:
    """Return the flag for a device's clock that is further from the desk's than the city tolerates."""
    wrong = abs(microseconds(aware("clock", at)) - microseconds(desk.now))
    return ("clock_skew",) if wrong > desk.policy.clock_skew_minutes * MINUTE else ()


def _near(desk: Desk, party: Party, here: tuple[float, float]) -> bool | None:
    """Tell whether a phone is near the shift's place, None when that has none. Raises InvalidValue."""
    numbers = here if isinstance(here, tuple) and len(here) == 2 else (math.nan, math.nan)
    if not all(
        type(each) in (int, float) and abs(each) <= most
        for each, most in zip(numbers, (90, 180), strict=True)
    ):
        raise InvalidValue(name="here", value=type(here).__name__, allowed="(-90 … 90, -180 … 180)")
    if party.latitude_e6 is None or party.longitude_e6 is None:
        return None
    place = (party.latitude_e6 / 1e6, party.longitude_e6 / 1e6)
    return metres_between((numbers[0], numbers[1]), place) <= desk.policy.geofence_metres


@command
def close_forgotten(desk: Desk) -> int:
    """Write every check-out that somebody forgot, as readers see it already; return how many.

    Call it now and then from a job of the portal's own; what it has not yet written is missing nowhere. Raises
    NotPermitted.
    """
    desk.permit("project.check_in")
    now = microseconds(desk.now)
    limit = now - desk.policy.forgotten_check_out_minutes * MINUTE
    rows = driver(desk.connection)(_STALE, (limit,)).fetchall()
    ended = 0
    for *pair, ends_at, state, served_until in rows:
        gone = served_until if state == "discharged" else None
        seen = Pair(*pair).ended(desk.policy, ends_at, gone, now)
        if seen.out_at is not None:
            write_ended(desk, seen)
            ended += 1
    return ended


@command
def review(
    desk: Desk, attendance_id: int, *, accept: bool, reason: str, out_at: dt.datetime | None = None
) -> None:
    """Let a pair count that somebody reported themselves or forgot to end, or refuse it, with a reason.

    ``out_at`` is when they really left (aware; not before they came, nor after the pair's limit). The reason is
    sealed. Raises NotFound, NotPermitted, InvalidValue, and Refused for one's own pair, for one that waits for
    no review, and while the person is still there.
    """
    plain_text("reason", reason, _TEXT)
    if type(accept) is not bool:
        raise InvalidValue(name="accept", value=type(accept).__name__, allowed="True, False")
    found = read(desk, attendance.c.id == attendance_id) if possible_id(attendance_id) else []
    place = found[0].place if found else None
    cell = desk.permit_on("project.review_participants", "attendance", attendance_id, place)
    pair = found[0]
    in_by, participant = _raw(desk, attendance_id)
    desk.separate(cell, "own_attendance", Person(in_by if pair.in_method == "self" else None, pair.volunteer))
    if pair.out_at is None:
        raise Refused(Finding("still_there", {"volunteer": pair.volunteer}))
    if not pair.waiting:
        raise Refused(Finding("nothing_to_review", {"attendance": attendance_id}))
    ended = pair.out_at if out_at is None else aware("out_at", out_at)
    latest = min(desk.now, pair.in_at + dt.timedelta(minutes=desk.policy.forgotten_check_out_minutes))
    if not pair.in_at <= ended <= max(latest, pair.out_at):
        raise Refused(Finding("out_outside", {"attendance": attendance_id}))
    flags = with_flags(",".join(pair.flags), "reviewed" if accept else "refused")
    said = seal_text(desk, f"volunteer:{participant}", f"review:{attendance_id}", reason)
    now = microseconds(desk.now)
    values = (microseconds(ended), "review", now, desk.actor.id, flags, said, attendance_id)
    if driver(desk.connection)(_REVIEW, values).rowcount != 1:
        raise Refused(Finding("nothing_to_review", {"attendance": attendance_id}))
    note(desk, "attendance.reviewed", f"attendance:{attendance_id}", {"accepted": int(accept)})


def _raw(desk: Desk, attendance_id: int) -> tuple[str, int]:
    query = "SELECT in_by, volunteer_id FROM vk_attendance WHERE id = ?"
    row = driver(desk.connection)(query, (attendance_id,)).fetchone()
    return row[0], row[1]
