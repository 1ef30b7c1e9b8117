"""Correcting what was confirmed: reverse, restore, adjust, move; each by a new transfer, nothing is edited.

A correction counts from the day it names, by default today: what a closed period said stays as it was. That day
lies neither in the future nor before the one from which the record's last entry counts: in between, minutes would
be there twice, or fewer than none.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from volunteerkit.access import Person, Place
from volunteerkit.errors import Finding, InvalidValue, Refused
from volunteerkit.hours.budget import issue, post
from volunteerkit.hours.model import Recorded
from volunteerkit.hours.periods import open_day, period_state, period_values
from volunteerkit.hours.records import (
    REASON_LETTERS,
    Found,
    Last,
    find_record,
    last_transfer,
    not_own,
    resolved_before,
)
from volunteerkit.hours.tables import FIXED, covered
from volunteerkit.ledger import ADJUST, DAY_MINUTES, MOVE, REVERSE, honour_account, issuer_account
from volunteerkit.projects.lifecycle import accepts_hours
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import (
    Execute,
    driver,
    replayed,
    request_hash,
    take_numbers,
    write_event,
    write_transfers,
    writing,
)
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, plain_day, plain_text, whole_number

__all__ = ["adjust", "correct", "move", "restore", "reverse"]

_STATE = (
    "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? "
    "WHERE id = ? AND state = ? AND confirmed_minutes = ?"
)
_FOLLOWED = "SELECT record_id FROM vk_transfer WHERE refers_to = ?"
_WRITERS = "SELECT DISTINCT actor_id FROM vk_transfer WHERE record_id = ?"
_TARGET = (
    "SELECT p.id, p.organization_id, o.number, "
    f"{period_state('?', 'p.organization_id')} "
    "FROM vk_project p JOIN vk_organization o ON o.id = p.organization_id WHERE p.number = ?"
)
_FIXED = f"SELECT {', '.join(FIXED)} FROM vk_service_record WHERE id = ?"
_INSERT = (
    f"INSERT INTO vk_service_record (id, confirmed_minutes, state, {', '.join(FIXED)}) "
    f"VALUES (?, ?, 'confirmed', {', '.join('?' * len(FIXED))})"
)
_TYPES = {"reversed": "hours.reversed", "restored": "hours.restored", "adjusted": "hours.adjusted"}


def __dir__() -> list[str]:
    return __all__


def reverse(desk: Desk, record_id: int, *, reason: str, effective_on: dt.date | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Take back a record's confirmed minutes by a mirrored transfer; `restore` takes the reversal back.

    The reversal counts from ``effective_on`` (default today; the service day may be named to date it
    back, until a later correction). Nothing is edited: the statement of any earlier moment stays as it was. Raises
    what `confirm` raises: AlreadyResolved tells who reversed it before, Refused that nothing is confirmed,
    InvalidValue a day in the future or before the last correction's.
    """
    return _corrected(desk, record_id, "reversed", 0, reason, effective_on, key)


def restore(desk: Desk, record_id: int, *, reason: str, effective_on: dt.date | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Take back a reversal: the record's minutes stand as confirmed again from ``effective_on`` on.

    Arguments and errors are those of `reverse`; Refused when the record is not reversed, or stands under another
    project since (see `move`).
    """
    return _corrected(desk, record_id, "restored", None, reason, effective_on, key)


def adjust(desk: Desk, record_id: int, *, minutes: int, reason: str, effective_on: dt.date | None = None,
           key: str | None = None) -> Recorded:  # fmt: skip
    """Let a confirmed record stand at ``minutes`` from ``effective_on`` (default today) on.

    A transfer of the difference is added. More than was claimed needs a second person: somebody who has neither
    recorded nor confirmed nor corrected it before, under whatever actor's id. Raises what `reverse` raises, and Refused when nothing would
    change.
    """
    return _corrected(
        desk,
        record_id,
        "adjusted",
        whole_number("minutes", minutes, 1, DAY_MINUTES),
        reason,
        effective_on,
        key,
    )


def _corrected(desk: Desk, record_id: int, what: str, minutes: int | None, reason: str,
               effective_on: dt.date | None, key: str | None) -> Recorded:  # fmt: skip
    plain_text("reason", reason, REASON_LETTERS)
    with writing(desk):
        execute = driver(desk.connection)
        day = _day(desk, effective_on)
        action = "hours.adjust" if what == "adjusted" else "hours.reverse"
        found = find_record(desk, execute, record_id, action, day)
        more = (minutes,) if what == "adjusted" else ()
        request = request_hash(record_id, reason, effective_on, *more)
        if answer := replayed(execute, _TYPES[what], key, request):
            return Recorded(record_id, answer["state"], answer["minutes"], replayed=True)
        not_own(desk, found)
        if minutes is not None and minutes > found.claimed:
            before = [Person(row[0]) for row in execute(_WRITERS, (record_id,)).fetchall()]
            if desk.is_one_of(*before):
                raise Refused(Finding("second_person", {"record": record_id, "claimed": found.claimed}))
        return correct(desk, execute, found, what, minutes, reason, day, key, request)


def _day(desk: Desk, effective_on: dt.date | None) -> int:
    return day_number(desk.today if effective_on is None else plain_day("effective_on", effective_on))


def correct(desk: Desk, execute: Execute, found: Found, what: str, minutes: int | None, reason: str, day: int,
            key: str | None = None, request: bytes | None = None) -> Recorded:  # fmt: skip
    """Post a correction that somebody may make: let a record be reversed, restored, or adjusted to ``minutes``.

    Raises AlreadyResolved, Refused.
    """
    last = last_transfer(execute, found.id)
    _may_follow(desk, execute, found, what, last)
    assert last is not None
    after = last.minutes if minutes is None else minutes
    moved = after - found.confirmed
    if moved == 0:
        raise Refused(Finding("nothing_changes", {"record": found.id, "minutes": after}))
    open_day(desk, found.organization_id, day, found.period)
    _in_order(desk, day, last)
    if moved > 0:
        if not accepts_hours(desk, found.project_id, day_of(found.served_on)):
            raise Refused(Finding("project_takes_no_hours", {"record": found.id}))
        issue(desk, execute, found.project_id, moved, found.budget)
    state = "confirmed" if after else "reversed"
    if execute(_STATE, (state, after, found.id, found.state, found.confirmed)).rowcount != 1:
        raise resolved_before(desk, found.id, state, last_transfer(execute, found.id))
    numbers = take_numbers(execute, 0, 1)
    honour, issuer = honour_account(found.volunteer_id), issuer_account(found.project_id)
    debit, credit = (issuer, honour) if moved > 0 else (honour, issuer)
    said = seal_text(desk, f"volunteer:{found.volunteer_id}", f"transfer:{last.seq}", reason)
    code = ADJUST if what == "adjusted" else REVERSE
    entry = (found.id, debit, credit, abs(moved), code, last.seq, day, said or None)
    chained = write_transfers(execute, desk, numbers, [entry])
    post(execute, debit, credit, abs(moved), issuer=issuer)
    payload = {"record": found.id, "minutes": after, "state": state}
    write_event(execute, desk, numbers, chained, _TYPES[what], f"record:{found.id}", payload, key, request)
    return Recorded(found.id, state, after)


def _in_order(desk: Desk, day: int, last: Last) -> None:
    """Raise InvalidValue for a day in the future, or before the one from which the last entry counts."""
    latest = max(day_number(desk.today), last.effective_on)
    if not last.effective_on <= day <= latest:
        allowed = f"{day_of(last.effective_on)} … {day_of(latest)}"
        raise InvalidValue(name="effective_on", value=day_of(day), allowed=allowed)


def _may_follow(desk: Desk, execute: Execute, found: Found, what: str, last: Last | None) -> None:
    """Raise what speaks against this correction after a record's last transfer."""
    if what == "reversed" and found.state == "reversed":
        raise resolved_before(desk, found.id, found.state, last)
    wanted = "reversed" if what == "restored" else "confirmed"
    if found.state != wanted or last is None:
        code = {
            "reversed": "nothing_to_reverse",
            "restored": "nothing_to_restore",
            "adjusted": "nothing_to_adjust",
        }
        raise Refused(Finding(code[what], {"record": found.id, "state": found.state}))
    if what == "restored":
        stands = execute(_FOLLOWED, (last.seq,)).fetchone()
        if stands is not None:
            raise Refused(Finding("record_moved", {"record": found.id, "to": stands[0]}))
        _takes_hours(desk, found, found.project_id)


def _takes_hours(desk: Desk, found: Found, project_id: int) -> None:
    """Raise Refused for a project that was cancelled or never approved: no minutes come back or go over to it."""
    if not accepts_hours(desk, project_id, day_of(found.served_on)):
        raise Refused(Finding("project_takes_no_hours", {"record": found.id}))


class _Target(NamedTuple):
    id: int
    organization_id: int
    organization: str
    period: int | None


def move(desk: Desk, record_id: int, project: str, *, reason: str, effective_on: dt.date | None = None,
         key: str | None = None) -> Recorded:  # fmt: skip
    """Let a confirmed record stand under another project; return the new record that takes its place.

    One journal of two transfers: the old record is reversed, a new one with the same day, times and minutes begins
    confirmed, so both projects' totals change at once. Raises what `reverse` raises, NotFound for the project.
    """
    plain_text("reason", reason, REASON_LETTERS)
    plain_text("project", project)
    with writing(desk):
        execute = driver(desk.connection)
        day = _day(desk, effective_on)
        found = find_record(desk, execute, record_id, "hours.adjust", day)
        request = request_hash(record_id, project, reason, effective_on)
        if answer := replayed(execute, "hours.moved", key, request):
            return Recorded(answer["to"], "confirmed", answer["minutes"], replayed=True)
        row = execute(_TARGET, (*period_values(desk, day), project)).fetchone()
        place = Place(found.volunteer, (), (row[2],)) if row else None
        desk.permit_on("hours.adjust", "project", project, place)
        target = _Target(*row)
        not_own(desk, found)
        if found.state != "confirmed":
            raise Refused(Finding("nothing_to_adjust", {"record": record_id, "state": found.state}))
        if target.id == found.project_id:
            raise Refused(Finding("nothing_changes", {"record": record_id, "minutes": found.confirmed}))
        _takes_hours(desk, found, target.id)
        open_day(desk, found.organization_id, day, found.period)
        open_day(desk, target.organization_id, day, target.period)
        last = last_transfer(execute, found.id)
        assert last is not None
        _in_order(desk, day, last)
        issue(desk, execute, target.id, found.confirmed)
        return _moved(desk, execute, found, last, target, day, reason, key, request)


def _moved(desk: Desk, execute: Execute, found: Found, last: Last, target: _Target, day: int, reason: str,
           key: str | None, request: bytes) -> Recorded:  # fmt: skip
    minutes = found.confirmed
    if execute(_STATE, ("reversed", 0, found.id, "confirmed", minutes)).rowcount != 1:
        raise resolved_before(desk, found.id, "reversed", last)
    numbers = take_numbers(execute, 1, 2)
    fixed = dict(zip(FIXED, execute(_FIXED, (found.id,)).fetchone(), strict=True))
    fixed |= {
        "source": None, "external_id": None, "project_id": target.id, "organization_id": target.organization_id,
        "team_id": fixed["team_id"] if target.organization_id == found.organization_id else None,
        "claimed_minutes": max(fixed["claimed_minutes"], minutes), "entered_at": microseconds(desk.now),
        "recorded_by": desk.actor.id, "batch_id": None, "fingerprint": None, "held": None, "evidence": None,
    }  # fmt: skip
    new = numbers.record_id
    execute(_INSERT, (new, minutes, *fixed.values()))
    honour, old_issuer, new_issuer = (
        honour_account(found.volunteer_id), issuer_account(found.project_id), issuer_account(target.id),
    )  # fmt: skip
    said = seal_text(desk, f"volunteer:{found.volunteer_id}", f"transfer:{last.seq}", reason) or None
    journal = [
        (found.id, honour, old_issuer, minutes, REVERSE, last.seq, day, said),
        (new, new_issuer, honour, minutes, MOVE, numbers.transfer_seq - 1, day, said),
    ]
    chained = write_transfers(execute, desk, numbers, journal, {new: covered(tuple(fixed.values()))})
    post(execute, honour, old_issuer, minutes, issuer=old_issuer)
    post(execute, new_issuer, honour, minutes, issuer=new_issuer)
    payload = {"record": found.id, "to": new, "minutes": minutes}
    write_event(execute, desk, numbers, chained, "hours.moved", f"record:{found.id}", payload, key, request)
    return Recorded(new, "confirmed", minutes)
