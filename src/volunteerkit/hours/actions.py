"""The verbs of hours: record a claim, confirm or reject it, reverse what was wrong.

Every verb decides first and writes last: a refused one has written nothing and used up no key. Minutes
move by double entry from the project's issuer account to the volunteer's honour account.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from volunteerkit import hooks
from volunteerkit.access import Person, Place
from volunteerkit.errors import AlreadyResolved, Finding, NotFound, Refused
from volunteerkit.hours.model import Claim, Overlap, Recorded, checked_reason
from volunteerkit.ledger import CONFIRM, DAY_MINUTES, RECORD, REJECT, REVERSE, honour_account, issuer_account
from volunteerkit.ledger import whole_amount as whole
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import (
    Execute,
    driver,
    replayed,
    request_hash,
    take_numbers,
    write_event,
    write_transfers,
)
from volunteerkit.store.registering import possible_id
from volunteerkit.units import day_number, day_of

__all__ = ["confirm", "record", "record_many", "reject", "reverse"]

_PARTIES = (
    "SELECT v.id, v.status, p.id, p.organization_id, o.number, v.team_id, t.number "
    "FROM vk_volunteer v LEFT JOIN vk_team t ON t.id = v.team_id, "
    "vk_project p JOIN vk_organization o ON o.id = p.organization_id "
    "WHERE v.number = ? AND p.number = ?"
)
_NEIGHBOURS = (
    "SELECT r.id, r.served_on, r.start_minute, r.clock_minutes, p.number FROM vk_service_record r "
    "JOIN vk_project p ON p.id = r.project_id WHERE r.volunteer_id = ? AND r.served_on BETWEEN ? AND ? "
    "AND r.start_minute >= 0 AND r.state IN ('pending', 'confirmed')"
)
_INSERT = (
    "INSERT INTO vk_service_record (id, volunteer_id, project_id, organization_id, team_id, served_on, "
    "start_minute, clock_minutes, claimed_minutes, confirmed_minutes, state, method, entered_at, recorded_by) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 'pending', ?, ?, ?)"
)
_FLAG = "INSERT INTO vk_flag (record_id, kind) VALUES (?, 'overlap_same_volunteer')"
_PENDING = "UPDATE vk_account SET pending_minutes = pending_minutes + CASE id WHEN ? THEN ? ELSE ? END WHERE id IN (?, ?)"
_POST = (
    "UPDATE vk_account SET pending_minutes = pending_minutes - CASE id WHEN ? THEN ? ELSE ? END, "
    "posted_minutes = posted_minutes + CASE id WHEN ? THEN ? ELSE ? END WHERE id IN (?, ?)"
)
_RECORD = (
    "SELECT r.id, r.state, r.claimed_minutes, r.confirmed_minutes, r.served_on, r.recorded_by, r.project_id, "
    "r.volunteer_id, o.number, v.number, t.number FROM vk_service_record r "
    "JOIN vk_organization o ON o.id = r.organization_id JOIN vk_volunteer v ON v.id = r.volunteer_id "
    "LEFT JOIN vk_team t ON t.id = r.team_id WHERE r.id = ?"
)
_LAST = "SELECT seq, code, minutes, actor_id, recorded_at FROM vk_transfer WHERE record_id = ? ORDER BY seq DESC LIMIT 1"


def __dir__() -> list[str]:
    return __all__


def record(desk: Desk, claim: Claim, *, key: str | None = None) -> Recorded:
    """Record ``claim`` as pending: it counts for nothing until somebody else confirms it.

    With ``key`` the command is done once: the same key and claim give the first answer back, marked
    ``replayed``. Raises NotPermitted, NotFound, Refused (with findings), IdempotencyConflict.
    """
    with storage_errors("database"):
        return _record(desk, driver(desk.connection), claim, key)


def record_many(desk: Desk, claims: list[tuple[str, Claim]]) -> list[Recorded | Refused | NotFound]:
    """Record many (key, claim) pairs in this one transaction; a refused claim stands in its place.

    Nothing is written for a refused claim, the others are recorded. Raises NotPermitted and
    IdempotencyConflict for the whole list, before or after which the caller may roll back.
    """
    done: list[Recorded | Refused | NotFound] = []
    with storage_errors("database"):
        execute = driver(desk.connection)
        for key, claim in claims:
            try:
                done.append(_record(desk, execute, claim, key))
            except (Refused, NotFound) as refusal:
                done.append(refusal)
    return done


def _record(desk: Desk, execute: Execute, claim: Claim, key: str | None) -> Recorded:
    request = request_hash(
        claim.volunteer,
        claim.project,
        claim.served_on,
        claim.claimed_minutes,
        claim.start,
        claim.end,
        claim.method,
    )
    row = execute(_PARTIES, (claim.volunteer, claim.project)).fetchone()
    place = None if row is None else Place(claim.volunteer, _teams(row[6]), (row[4],))
    about = f"{claim.volunteer} / {claim.project}"
    desk.permit_on("hours.record", "volunteer / project", about, place)
    assert row is not None
    volunteer_id, status, project_id, organization_id, _, team_id, _ = row
    if before := replayed(execute, "hours.recorded", key, request):
        return Recorded(before["record"], "pending", before["minutes"], replayed=True)
    overlapping = _overlapping(execute, volunteer_id, claim)
    findings = _findings(desk, claim, status, overlapping)
    numbers = take_numbers(execute, 1, 1)
    new, served_on, minutes = numbers.record_id, day_number(claim.served_on), claim.claimed_minutes
    execute(_INSERT, (
        new, volunteer_id, project_id, organization_id, team_id, served_on, claim.start_minute,
        claim.clock_minutes, minutes, claim.method, microseconds(desk.now), desk.actor.id,
    ))  # fmt: skip
    debit, credit = issuer_account(project_id), honour_account(volunteer_id)
    last = write_transfers(
        execute, desk, numbers, [(new, debit, credit, minutes, RECORD, None, served_on, None)]
    )
    execute(_PENDING, (credit, minutes, -minutes, debit, credit))
    if overlapping:
        execute(_FLAG, (new,))
    payload = {"record": new, "minutes": minutes, "served_on": served_on}
    write_event(execute, desk, numbers, last, "hours.recorded", f"record:{new}", payload, key, request)
    return Recorded(new, "pending", minutes, findings)


def _overlapping(execute: Execute, volunteer_id: int, claim: Claim) -> tuple[Overlap, ...]:
    if claim.start is None:
        return ()
    day = day_number(claim.served_on)
    start = day * DAY_MINUTES + claim.start_minute
    end = start + claim.clock_minutes
    return tuple(
        Overlap(id_, project, day_of(on), minute, clock)
        for id_, on, minute, clock, project in execute(_NEIGHBOURS, (volunteer_id, day - 1, day + 1))
        if on * DAY_MINUTES + minute < end and start < on * DAY_MINUTES + minute + clock
    )


def _findings(desk: Desk, claim: Claim, status: str, overlapping: tuple[Overlap, ...]) -> tuple[Finding, ...]:
    findings: tuple[Finding, ...] = ()
    if status != "approved":
        findings += (Finding("volunteer_not_active", {"volunteer": claim.volunteer, "status": status}),)
    if claim.served_on > desk.today:
        findings += (Finding("served_in_future", {"day": claim.served_on, "today": desk.today}),)
    findings += tuple(
        Finding("overlap_warning", {"record": other.record_id}, "warn") for other in overlapping
    )
    findings += hooks.review_hours(desk, claim, overlapping)
    if any(finding.severity == "block" for finding in findings):
        raise Refused(*findings)
    return findings


def _of_record(desk: Desk, execute: Execute, record_id: int, action: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] | None = (
        execute(_RECORD, (record_id,)).fetchone() if possible_id(record_id) else None
    )
    desk.permit_on(action, "record", record_id, Place(row[9], _teams(row[10]), (row[8],)) if row else None)
    assert row is not None
    return row


def _teams(team: str | None) -> tuple[str, ...]:
    return (team,) if team else ()


def _not_own(desk: Desk, record_id: int, recorded_by: str, volunteer: str) -> None:
    if desk.is_one_of(Person(recorded_by, volunteer)):
        raise Refused(Finding("own_record", {"record": record_id}))


def confirm(desk: Desk, record_id: int, *, minutes: int | None = None, reason: str | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Confirm a pending record, wholly or with fewer ``minutes`` (then with a ``reason``).

    The confirmer must be another person than the recorder and the volunteer. Raises NotFound,
    NotPermitted, AlreadyResolved (naming who, when and how), Refused, IdempotencyConflict, InvalidValue.
    """
    if reason is not None:
        checked_reason(reason)
    with storage_errors("database"):
        return _resolve(desk, record_id, CONFIRM, "hours.confirmed", "confirmed", minutes, reason, key)


def reject(desk: Desk, record_id: int, *, reason: str, key: str | None = None) -> Recorded:
    """Reject a pending record; it stays visible with the reason and counts for nothing.

    Raises what `confirm` raises.
    """
    checked_reason(reason)
    with storage_errors("database"):
        return _resolve(desk, record_id, REJECT, "hours.rejected", "rejected", None, reason, key)


def _resolve(desk: Desk, record_id: int, code: str, type: str, state: str, minutes: int | None,
             reason: str | None, key: str | None) -> Recorded:  # fmt: skip
    execute = driver(desk.connection)
    row = _of_record(desk, execute, record_id, "hours.confirm" if code == CONFIRM else "hours.reject")
    _, now_state, claimed, _, served_on, recorded_by, project_id, volunteer_id, _, volunteer, _ = row
    request = request_hash(record_id, code, minutes, reason)
    if before := replayed(execute, type, key, request):
        return Recorded(record_id, state, before["minutes"], replayed=True)
    _not_own(desk, record_id, recorded_by, volunteer)
    settled = claimed if minutes is None else whole("minutes", minutes)
    if settled > claimed:
        raise Refused(
            Finding("more_than_claimed", {"record": record_id, "claimed": claimed, "minutes": settled})
        )
    if settled < claimed:
        checked_reason(reason or "")
    last_transfer = execute(_LAST, (record_id,)).fetchone()
    if now_state != "pending" or last_transfer is None:
        raise _resolved_before(record_id, now_state, last_transfer)
    confirmed = settled if code == CONFIRM else 0
    guarded = (
        "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = 'pending'"
    )
    if execute(guarded, (state, confirmed, record_id)).rowcount != 1:
        current = execute(_RECORD, (record_id,)).fetchone()
        raise _resolved_before(record_id, current[1], execute(_LAST, (record_id,)).fetchone())
    numbers = take_numbers(execute, 0, 1)
    debit, credit = issuer_account(project_id), honour_account(volunteer_id)
    entry = (record_id, debit, credit, settled, code, last_transfer[0], served_on, reason)
    last = write_transfers(execute, desk, numbers, [entry])
    execute(_POST, (credit, claimed, -claimed, credit, confirmed, -confirmed, debit, credit))
    payload = {"record": record_id, "minutes": confirmed}
    write_event(execute, desk, numbers, last, type, f"record:{record_id}", payload, key, request)
    return Recorded(record_id, state, confirmed)


def _resolved_before(record_id: int, state: str, last: tuple[Any, ...] | None) -> AlreadyResolved | Refused:
    if last is None:
        return Refused(Finding("not_pending", {"record": record_id, "state": state}))
    at = dt.datetime.fromtimestamp(last[4] // 1_000_000, dt.UTC).isoformat()
    return AlreadyResolved(id=record_id, state=state, actor=last[3], at=at)


def reverse(desk: Desk, record_id: int, *, reason: str, effective_on: dt.date | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Take back a record's confirmed minutes by a mirrored transfer, or take such a reversal back.

    The reversal counts from ``effective_on`` (default today; the service day may be named to date it
    back). Nothing is edited: the statement of any earlier moment stays as it was. Raises what `confirm`
    raises, and Refused when there is nothing to reverse.
    """
    checked_reason(reason)
    with storage_errors("database"):
        execute = driver(desk.connection)
        row = _of_record(desk, execute, record_id, "hours.reverse")
        _, state, _, _, _, recorded_by, project_id, volunteer_id, _, volunteer, _ = row
        day = day_number(effective_on or desk.today)
        request = request_hash(record_id, reason, effective_on)
        if before := replayed(execute, "hours.reversed", key, request):
            return Recorded(record_id, before["state"], before["minutes"], replayed=True)
        _not_own(desk, record_id, recorded_by, volunteer)
        if state not in ("confirmed", "reversed"):
            raise Refused(Finding("nothing_to_reverse", {"record": record_id, "state": state}))
        mirrored = execute(_LAST, (record_id,)).fetchone()
        taken_back = state == "confirmed"
        after, minutes = ("reversed", 0) if taken_back else ("confirmed", mirrored[2])
        guarded = "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = ?"
        if execute(guarded, (after, minutes, record_id, state)).rowcount != 1:
            raise _resolved_before(record_id, after, execute(_LAST, (record_id,)).fetchone())
        numbers = take_numbers(execute, 0, 1)
        debit, credit = honour_account(volunteer_id), issuer_account(project_id)
        if not taken_back:
            debit, credit = credit, debit
        moved = mirrored[2]
        entry = (record_id, debit, credit, moved, REVERSE, mirrored[0], day, reason)
        last = write_transfers(execute, desk, numbers, [entry])
        execute("UPDATE vk_account SET posted_minutes = posted_minutes + CASE id WHEN ? THEN ? ELSE ? END "
                "WHERE id IN (?, ?)", (credit, moved, -moved, debit, credit))  # fmt: skip
        payload = {"record": record_id, "minutes": minutes, "state": after}
        write_event(
            execute, desk, numbers, last, "hours.reversed", f"record:{record_id}", payload, key, request
        )
    return Recorded(record_id, after, minutes)
