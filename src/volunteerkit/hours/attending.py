"""From attendance to hours, the only place where the two meet: one record for each pair, once.

A pair becomes a claim that somebody else confirms, like every other one. What nobody has checked in gives
nothing, and neither does a shift that still runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final

import attrs

from volunteerkit.access import Person
from volunteerkit.errors import Finding, IntegrityProblem, InvalidValue, NotFound, Refused
from volunteerkit.hours.actions import record_many
from volunteerkit.hours.model import Claim, Recorded
from volunteerkit.projects.marking import write_ended
from volunteerkit.projects.model import ATTENDED
from volunteerkit.projects.presence import Attendance, Pair, place_of_shift, read, with_flags
from volunteerkit.projects.tables import attendance
from volunteerkit.projects.waiting import move, row_of
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, driver, note
from volunteerkit.store.texts import seal_text
from volunteerkit.units import plain_text, whole_number

__all__ = ["MISMATCHES", "Claimed", "claim_attendance", "complete", "unmatched_attendance"]

_REASON: Final = 500
_LINK = "UPDATE vk_attendance SET record_id = ?, flags = ?, beyond = ? WHERE id = ? AND record_id IS NULL"
_ASTRAY = (
    "SELECT a.id, a.record_id FROM vk_attendance a JOIN vk_shift s ON s.id = a.shift_id "
    "LEFT JOIN vk_service_record r ON r.id = a.record_id WHERE a.record_id IS NOT NULL "
    "AND (r.id IS NULL OR r.method <> 'checkin' OR r.project_id <> s.project_id) ORDER BY a.id"
)
_POSTED = (
    "SELECT a.id, r.id FROM vk_attendance a JOIN vk_service_record r ON r.id = a.record_id "
    "LEFT JOIN vk_transfer t ON t.record_id = r.id AND t.code = 'CONFIRM' GROUP BY a.id, r.id, r.state "
    "HAVING COUNT(t.seq) <> CASE WHEN r.state IN ('confirmed', 'reversed') THEN 1 ELSE 0 END ORDER BY a.id"
)
_ALONE = (
    "SELECT NULL, r.id FROM vk_service_record r LEFT JOIN vk_attendance a ON a.record_id = r.id "
    "WHERE r.method = 'checkin' AND r.external_id IS NULL AND a.id IS NULL ORDER BY r.id"
)
MISMATCHES: Final = {"attendance_astray": _ASTRAY, "attendance_posted": _POSTED, "attendance_missing": _ALONE}
"""Queries for (attendance or None, record) that do not agree, whatever the time, by the code of the finding."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Claimed:
    """What became of a pair: its record with the minutes claimed, or the reasons why there is none."""

    attendance_id: int
    volunteer: str
    minutes: int
    record_id: int | None = None
    findings: tuple[Finding, ...] = ()


@command
def claim_attendance(
    desk: Desk, shift_id: int, *, only: Sequence[int] | None = None, beyond: str | None = None
) -> tuple[Claimed, ...]:
    """Claim the minutes of a shift's pairs that have none yet, or of those ``only``; they wait for confirmation.

    Each pair gives one record of the method ``checkin`` with the minutes served within the shift, however often
    this is done; before the shift's end there are none. A pair that waits for a review, or whose person is
    still there, stands in the answer with the reason, and is claimed the next time. With ``beyond``, the reason
    why, the minutes outside of the shift count too: only an organization's administrator or the centre may,
    and not for themselves.

    Raises NotFound (also for a foreign shift), NotPermitted, InvalidValue, Refused.
    """
    place = place_of_shift(desk, shift_id)
    desk.permit_on("hours.record", "shift", shift_id, place)
    if beyond is not None:
        plain_text("beyond", beyond, _REASON)
    pairs = [
        each for each in _unclaimed(desk, shift_id, only, beyond is not None) if each.ends_at <= desk.now
    ]
    if beyond is not None:
        cell = desk.permit("hours.adjust", place)
        desk.separate(cell, "own_attendance", *(Person(None, each.volunteer) for each in pairs))
    against = {each.id: _against(each) for each in pairs}
    good = [each for each in pairs if not against[each.id]]
    claims = [(f"attendance:{each.id}", _claim(desk, each, beyond)) for each in good]
    recorded = dict(zip([each.id for each in good], record_many(desk, claims), strict=True))
    done = tuple(_linked(desk, each, recorded.get(each.id), against[each.id], beyond) for each in pairs)
    count = sum(each.record_id is not None for each in done)
    if count:
        note(desk, "attendance.claimed", f"shift:{shift_id}", {"records": count})
    return done


def _unclaimed(desk: Desk, shift_id: int, only: Sequence[int] | None, beyond: bool) -> list[Attendance]:
    # all of them: one pair's minutes depend on the others
    found = read(desk, attendance.c.shift_id == shift_id, beyond=beyond)
    if only is not None:
        if isinstance(only, str | bytes) or not isinstance(only, Sequence):
            raise InvalidValue(name="only", value=type(only).__name__, allowed="(1, 2, …)")
        for each in only:
            whole_number("only", each, 1)
        found = [each for each in found if each.id in only]
    return [each for each in found if each.record_id is None]


def _against(pair: Attendance) -> tuple[Finding, ...]:
    values = {"attendance": pair.id, "volunteer": pair.volunteer}
    if pair.out_at is None:
        return (Finding("still_there", values),)
    if pair.waiting:
        return (Finding("attendance_waits", values),)
    if "refused" in pair.flags or pair.state not in ATTENDED:
        return (Finding("attendance_counts_not", values),)
    return () if pair.minutes else (Finding("attendance_without_minutes", values),)


def _claim(desk: Desk, pair: Attendance, beyond: str | None) -> Claim:
    begin = pair.in_at if beyond else max(pair.in_at, pair.starts_at)
    start, end = (each.astimezone(desk.zone) for each in (begin, begin + dt.timedelta(minutes=pair.minutes)))
    clock = (dt.time(start.hour, start.minute), dt.time(end.hour, end.minute))
    # a time of day can say neither an hour that comes twice nor what began after midnight
    told = start.date() == pair.served_on and clock[0] != clock[1]
    first, last = clock if told else (None, None)
    return Claim(pair.volunteer, pair.project, pair.served_on, pair.minutes, first, last, method="checkin")


def _linked(
    desk: Desk, pair: Attendance, found: object, against: tuple[Finding, ...], beyond: str | None
) -> Claimed:
    if isinstance(found, Refused):
        against = found.findings
    elif isinstance(found, NotFound):  # for the ledger it is the volunteer's team that counts
        against = (Finding("attendance_foreign", {"attendance": pair.id, "volunteer": pair.volunteer}),)
    if not isinstance(found, Recorded):
        return Claimed(pair.id, pair.volunteer, 0, None, against)
    flags, said = ",".join(pair.flags), ""
    assert pair.out_at is not None
    if pair.out_method == "discharged":  # as readers saw it; now it is written
        write_ended(
            desk,
            Pair(pair.id, microseconds(pair.in_at), microseconds(pair.out_at), "discharged", flags, None),
        )
    if beyond is not None:
        flags = with_flags(flags, "beyond")
        owner = driver(desk.connection)(
            "SELECT volunteer_id FROM vk_attendance WHERE id = ?", (pair.id,)
        ).fetchone()
        said = seal_text(desk, f"volunteer:{owner[0]}", f"beyond:{pair.id}", beyond)
    if driver(desk.connection)(_LINK, (found.record_id, flags, said, pair.id)).rowcount != 1:
        raise IntegrityProblem(what=f"attendance {pair.id}")
    # the reason that is given here is enough for whoever confirms it
    told = tuple(each for each in found.findings if beyond is None or each.code != "held_outside_shifts")
    return Claimed(pair.id, pair.volunteer, found.minutes, found.record_id, told)


def complete(desk: Desk, record_id: int) -> None:
    """Let the participation of a record's pair be completed, if it is accepted still.

    What somebody has said of it stands: who was discharged, excused or missed remains so.
    """
    row = row_of(
        desk,
        "state = 'accepted' AND id = (SELECT a.participation_id FROM vk_attendance a WHERE a.record_id = ?)",
        record_id,
    )
    if row is not None:
        move(desk, row, "completed")


@storage_errors("database")
def unmatched_attendance(desk: Desk) -> tuple[Finding, ...]:
    """Return where attendance and hours do not agree, nothing when all is well; let it run every night.

    Found are: a pair of an ended shift without its record; a record that a pair names and that is none or
    another project's; a record that was posted otherwise than once; a record of the method ``checkin`` without a
    pair. Raises NotPermitted.
    """
    desk.permit("store.verify")
    found = []
    for pair in read(desk, attendance.c.record_id.is_(None), attendance.c.flags.not_like("%refused%")):
        if pair.ends_at <= desk.now and not _against(pair):
            found.append(Finding("attendance_unclaimed", {"attendance": pair.id}))
    for code, query in MISMATCHES.items():
        for id_, record_id in driver(desk.connection)(query, ()).fetchall():
            values = {"record": record_id} | ({} if id_ is None else {"attendance": id_})
            found.append(Finding(code, values))
    return tuple(found)
