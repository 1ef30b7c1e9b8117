"""The verbs of hours: record a claim, confirm or reject it, reverse what was wrong.

Every verb decides first and writes last: a refused one has written nothing and used up no key. Minutes
move by double entry from the project's issuer account to the volunteer's honour account.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs

from volunteerkit import hooks
from volunteerkit.access import Person, Place
from volunteerkit.errors import AlreadyResolved, Finding, IdempotencyConflict, InvalidValue, NotFound, Refused
from volunteerkit.hours.model import Claim, Overlap, Recorded
from volunteerkit.hours.tables import FIXED
from volunteerkit.ledger import CONFIRM, DAY_MINUTES, RECORD, REJECT, REVERSE, honour_account, issuer_account
from volunteerkit.ledger import whole_amount as whole
from volunteerkit.messages import phrase
from volunteerkit.projects.lifecycle import accepts_hours, length_minutes
from volunteerkit.projects.model import WITHOUT_HOURS
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import (
    Execute,
    Numbers,
    driver,
    hold_head,
    replayed,
    request_hash,
    run_many,
    take_numbers,
    write_event,
    write_many,
    write_transfers,
)
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, plain_day, plain_text

__all__ = ["confirm", "record", "record_many", "reject", "restore", "reverse"]

_PARTIES = (
    "SELECT v.id, v.status, p.id, p.organization_id, o.number, t.id, t.number, "
    "(SELECT CASE MIN(CASE h.kind WHEN 'blacklisted' THEN 1 WHEN 'suspended' THEN 2 WHEN 'on_leave' THEN 3 END) "
    "WHEN 1 THEN 'blacklisted' WHEN 2 THEN 'suspended' WHEN 3 THEN 'on_leave' END FROM vk_volunteer_period h "
    "WHERE h.volunteer_id = v.id AND h.since <= ? AND (h.until IS NULL OR h.until >= ?)), v.number, p.status, p.back_entry "
    "FROM vk_volunteer v CROSS JOIN vk_project p JOIN vk_organization o ON o.id = p.organization_id "
    "LEFT JOIN vk_team t ON t.id = (SELECT m.team_id FROM vk_membership m WHERE m.volunteer_id = v.id "
    "AND m.team_id IS NOT NULL AND m.organization_id = p.organization_id AND m.since <= ? "
    "AND (m.until IS NULL OR m.until >= ?) ORDER BY m.id LIMIT 1) "
    "WHERE v.number = COALESCE((SELECT a.volunteer_number FROM vk_alias a WHERE a.number = ?), ?) AND p.number = ?"
)
_NEIGHBOURS = (
    "SELECT r.id, r.served_on, r.start_minute, r.clock_minutes, p.number FROM vk_service_record r "
    "JOIN vk_project p ON p.id = r.project_id WHERE r.volunteer_id IN (SELECT v.id FROM vk_volunteer v WHERE v.number = ? "
    "UNION ALL SELECT v.id FROM vk_alias a JOIN vk_volunteer v ON v.number = a.number WHERE a.volunteer_number = ?) "
    "AND r.served_on BETWEEN ? AND ? "
    "AND r.start_minute >= 0 AND r.state IN ('pending', 'confirmed')"
)
_OF_DAY = (
    "SELECT COALESCE(SUM(claimed_minutes), 0) FROM vk_service_record WHERE volunteer_id = ? AND project_id = ? "
    "AND served_on = ? AND state IN ('pending', 'confirmed')"
)
_INSERT = (
    f"INSERT INTO vk_service_record (id, confirmed_minutes, state, {', '.join(FIXED)}) "
    f"VALUES (?, 0, 'pending', {', '.join('?' * len(FIXED))})"
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


_REASON = 500


def __dir__() -> list[str]:
    return __all__


def record(desk: Desk, claim: Claim, *, key: str | None = None) -> Recorded:
    """Record ``claim`` as pending: it counts for nothing until somebody else confirms it.

    With ``key`` the command is done once: the same key and claim give the first answer back, marked
    ``replayed``. Raises NotPermitted, NotFound, Refused (with findings), IdempotencyConflict.
    """
    done = record_many(desk, [(key, claim)])[0]
    if isinstance(done, Recorded):
        return done
    raise done


def record_many(
    desk: Desk, claims: Sequence[tuple[str | None, Claim]]
) -> list[Recorded | Refused | NotFound]:
    """Record many (key, claim) pairs in this one transaction; a refused claim stands in its place.

    Nothing is written for a refused claim, the others are recorded. Raises NotPermitted and
    IdempotencyConflict for the whole list, of which nothing is written then.
    """
    with storage_errors("database"):
        hold_head(desk)
        accepted = _Accepted(desk, driver(desk.connection))
        answers: list[Recorded | Refused | NotFound] = []
        for key, claim in claims:
            try:
                answers.append(accepted.add(key, claim))
            except (Refused, NotFound) as refusal:
                answers.append(refusal)
        accepted.write()
    return answers


@attrs.define
class _Accepted:
    """The claims of one call that were accepted: decided one after the other, written together at the end.

    The head is held from the first of them, so that a later claim can name an earlier one.
    """

    desk: Desk
    execute: Execute
    held: Numbers | None = None
    records: list[tuple[Any, ...]] = attrs.Factory(list)
    transfers: list[tuple[Any, ...]] = attrs.Factory(list)
    events: list[tuple[Any, ...]] = attrs.Factory(list)
    pending: list[tuple[int, ...]] = attrs.Factory(list)
    flags: list[tuple[int]] = attrs.Factory(list)
    answers: dict[str | None, tuple[bytes, Recorded]] = attrs.Factory(dict)
    clocks: dict[int, list[tuple[int, int, int, int, str]]] = attrs.Factory(dict)

    def add(self, key: str | None, claim: Claim) -> Recorded:
        """Accept a claim, or answer a replayed one; raises Refused, NotFound and what `record` raises."""
        desk, execute = self.desk, self.execute
        served_on = day_number(claim.served_on)
        days = (served_on, served_on, served_on, served_on)
        row = execute(_PARTIES, (*days, claim.volunteer, claim.volunteer, claim.project)).fetchone()
        if row is None and desk.may("hours.record", Place()):  # who records for everybody learns which it is
            known = execute("SELECT 1 FROM vk_volunteer WHERE number = ?", (claim.volunteer,)).fetchone()
            kind, number = ("project", claim.project) if known else ("volunteer", claim.volunteer)
            raise NotFound(kind=kind, id=number)
        place = None if row is None else Place(row[8], _teams(row[6]), (row[4],))
        desk.permit_on("hours.record", "volunteer_or_project", f"{claim.volunteer}/{claim.project}", place)
        assert row is not None
        (
            volunteer_id,
            status,
            project_id,
            organization_id,
            _,
            team_id,
            _,
            period,
            number,
            stands,
            afterwards,
        ) = row
        status = (period or status) if status == "approved" else status
        request = request_hash(
            claim.volunteer, claim.project, claim.served_on, claim.claimed_minutes, claim.start, claim.end,
            claim.method,
        )  # fmt: skip
        if before := self._replayed(key, request):
            return before
        start, clock = claim.start_minute, claim.clock_minutes
        overlapping = self._overlapping(volunteer_id, number, served_on, start, clock)
        refusals = self._of_project(claim, project_id, volunteer_id, stands, afterwards)
        findings = _findings(desk, claim, status, overlapping, refusals)
        if self.held is None:
            self.held = take_numbers(execute, events=0)
        minutes, new = claim.claimed_minutes, self.held.record_id + len(self.records) + 1
        self.records.append((
            new, None, None, volunteer_id, project_id, organization_id, team_id, served_on, start, clock, minutes,
            claim.method, microseconds(desk.now), desk.actor.id, None, None,
        ))  # fmt: skip
        debit, credit = issuer_account(project_id), honour_account(volunteer_id)
        self.transfers.append((new, debit, credit, minutes, RECORD, None, served_on, None))
        payload = {"record": new, "minutes": minutes, "served_on": served_on}
        self.events.append(("hours.recorded", f"record:{new}", payload, key, request))
        self.pending.append((credit, minutes, -minutes, debit, credit))
        if start >= 0:
            self.clocks.setdefault(volunteer_id, []).append((new, served_on, start, clock, claim.project))
        if overlapping:
            self.flags.append((new,))
        recorded = Recorded(new, "pending", minutes, findings)
        if key is not None:
            self.answers[key] = request, recorded
        return recorded

    def _replayed(self, key: str | None, request: bytes) -> Recorded | None:
        if key is not None and plain_text("key", key) in self.answers:
            first, answer = self.answers[key]
            if first != request:
                raise IdempotencyConflict(key=key)
            return Recorded(answer.record_id, "pending", answer.minutes, replayed=True)
        if before := replayed(self.execute, "hours.recorded", key, request):
            return Recorded(before["record"], "pending", before["minutes"], replayed=True)
        return None

    def _of_project(
        self, claim: Claim, project_id: int, volunteer_id: int, status: str, afterwards: int
    ) -> tuple[Finding, ...]:
        """Return why a project takes no such hours: where it stands, or how long it was when entered afterwards."""
        if status in WITHOUT_HOURS:
            return (Finding("project_without_hours", {"number": claim.project, "status": status}),)
        if not afterwards:
            return ()
        most, day = length_minutes(self.desk, project_id, claim.served_on), day_number(claim.served_on)
        (kept,) = self.execute(_OF_DAY, (volunteer_id, project_id, day)).fetchone()
        kept += sum(
            row[10] for row in self.records if row[3:5] == (volunteer_id, project_id) and row[7] == day
        )
        if kept + claim.claimed_minutes > most:
            return (Finding("more_than_activity", {"number": claim.project, "most": most}),)
        return ()

    def _overlapping(
        self, volunteer_id: int, number: str, day: int, minute: int, clock: int
    ) -> tuple[Overlap, ...]:
        if minute < 0:
            return ()
        start = day * DAY_MINUTES + minute
        end = start + clock
        stored = self.execute(_NEIGHBOURS, (number, number, day - 1, day + 1)).fetchall()
        return tuple(
            Overlap(id_, project, day_of(on), minute, clock)
            for id_, on, minute, clock, project in [*stored, *self.clocks.get(volunteer_id, ())]
            if on * DAY_MINUTES + minute < end and start < on * DAY_MINUTES + minute + clock
        )

    def write(self) -> None:
        """Write everything that was accepted."""
        if self.held is None:
            return
        connection = self.desk.connection
        run_many(connection, _INSERT, self.records)
        run_many(connection, _PENDING, self.pending)
        run_many(connection, _FLAG, self.flags)
        write_many(self.desk, self.held, self.transfers, self.events, [row[1:] for row in self.records])


def _findings(desk: Desk, claim: Claim, status: str, overlapping: tuple[Overlap, ...],
              refusals: tuple[Finding, ...]) -> tuple[Finding, ...]:  # fmt: skip
    findings = refusals
    if status != "approved":
        findings += (Finding("volunteer_not_active", {"volunteer": claim.volunteer, "status": status}),)
    if claim.served_on > desk.today:
        findings += (Finding("served_in_future", {"day": claim.served_on, "today": desk.today}),)
    findings += tuple(
        Finding("overlap_warning", {"record": other.record_id}, "warn") for other in overlapping
    )
    findings += hooks.review_hours(desk, claim, overlapping)
    if any(finding.severity != "warn" for finding in findings):  # a misspelt one refuses
        raise Refused(*findings)
    return findings


def _of_record(desk: Desk, execute: Execute, record_id: int, action: str) -> tuple[Any, ...]:
    # The ledger's hash is made of the id as it is printed: 1.0, True or "01" must not stand for record 1.
    if type(record_id) is not int:
        raise InvalidValue(name="record_id", value=type(record_id).__name__, allowed=phrase("allowed_whole"))
    row: tuple[Any, ...] | None = None
    if 0 < record_id < 2**63:
        row = execute(_RECORD, (record_id,)).fetchone()
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
        plain_text("reason", reason, _REASON)
    with storage_errors("database"):
        return _resolve(desk, record_id, CONFIRM, "hours.confirmed", "confirmed", minutes, reason, key)


def reject(desk: Desk, record_id: int, *, reason: str, key: str | None = None) -> Recorded:
    """Reject a pending record; it stays visible with the reason and counts for nothing.

    Raises what `confirm` raises.
    """
    plain_text("reason", reason, _REASON)
    with storage_errors("database"):
        return _resolve(desk, record_id, REJECT, "hours.rejected", "rejected", None, reason, key)


def _resolve(desk: Desk, record_id: int, code: str, type: str, state: str, minutes: int | None,
             reason: str | None, key: str | None) -> Recorded:  # fmt: skip
    hold_head(desk)
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
        plain_text("reason", reason or "", _REASON)
    last_transfer = execute(_LAST, (record_id,)).fetchone()
    if now_state != "pending" or last_transfer is None:
        raise _resolved_before(desk, record_id, now_state, last_transfer)
    confirmed = settled if code == CONFIRM else 0
    guarded = (
        "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = 'pending'"
    )
    if execute(guarded, (state, confirmed, record_id)).rowcount != 1:
        current = execute(_RECORD, (record_id,)).fetchone()
        raise _resolved_before(desk, record_id, current[1], execute(_LAST, (record_id,)).fetchone())
    numbers = take_numbers(execute, 0, 1)
    debit, credit = issuer_account(project_id), honour_account(volunteer_id)
    said = seal_text(desk, f"volunteer:{volunteer_id}", f"transfer:{last_transfer[0]}", reason or "")
    entry = (record_id, debit, credit, settled, code, last_transfer[0], served_on, said or None)
    last = write_transfers(execute, desk, numbers, [entry])
    execute(_POST, (credit, claimed, -claimed, credit, confirmed, -confirmed, debit, credit))
    payload = {"record": record_id, "minutes": confirmed}
    write_event(execute, desk, numbers, last, type, f"record:{record_id}", payload, key, request)
    return Recorded(record_id, state, confirmed)


def _resolved_before(
    desk: Desk, record_id: int, state: str, last: tuple[Any, ...] | None
) -> AlreadyResolved | Refused:
    if last is None:
        return Refused(Finding("not_pending", {"record": record_id, "state": state}))
    at = dt.datetime.fromtimestamp(last[4] // 1_000_000, desk.zone)
    return AlreadyResolved(id=record_id, state=state, actor=last[3], at=at)


def reverse(desk: Desk, record_id: int, *, reason: str, effective_on: dt.date | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Take back a record's confirmed minutes by a mirrored transfer; `restore` takes the reversal back.

    The reversal counts from ``effective_on`` (default today; the service day may be named to date it
    back). Nothing is edited: the statement of any earlier moment stays as it was. Raises what `confirm`
    raises: AlreadyResolved tells who reversed it before, Refused that nothing is confirmed.
    """
    return _mirror(desk, record_id, "confirmed", "reversed", reason, effective_on, key)


def restore(desk: Desk, record_id: int, *, reason: str, effective_on: dt.date | None = None,
            key: str | None = None) -> Recorded:  # fmt: skip
    """Take back a reversal: the record's minutes stand as confirmed again from ``effective_on`` on.

    Arguments and errors are those of `reverse`; Refused when the record is not reversed.
    """
    return _mirror(desk, record_id, "reversed", "confirmed", reason, effective_on, key)


def _mirror(desk: Desk, record_id: int, before: str, after: str, reason: str,
            effective_on: dt.date | None, key: str | None) -> Recorded:  # fmt: skip
    plain_text("reason", reason, _REASON)
    type = "hours.reversed" if after == "reversed" else "hours.restored"
    with storage_errors("database"):
        hold_head(desk)
        execute = driver(desk.connection)
        row = _of_record(desk, execute, record_id, "hours.reverse")
        _, state, _, _, served_on, recorded_by, project_id, volunteer_id, _, volunteer, _ = row
        day = day_number(desk.today if effective_on is None else plain_day("effective_on", effective_on))
        request = request_hash(record_id, reason, effective_on)
        if answer := replayed(execute, type, key, request):
            return Recorded(record_id, after, answer["minutes"], replayed=True)
        _not_own(desk, record_id, recorded_by, volunteer)
        mirrored = execute(_LAST, (record_id,)).fetchone()
        if state == after == "reversed":
            raise _resolved_before(desk, record_id, state, mirrored)
        if state != before:
            code = "nothing_to_reverse" if after == "reversed" else "nothing_to_restore"
            raise Refused(Finding(code, {"record": record_id, "state": state}))
        if after == "confirmed" and not accepts_hours(desk, project_id, day_of(served_on)):
            raise Refused(Finding("project_takes_no_hours", {"record": record_id}))
        seq, _, moved, _, _ = mirrored
        minutes = 0 if after == "reversed" else moved
        guarded = "UPDATE vk_service_record SET state = ?, confirmed_minutes = ? WHERE id = ? AND state = ?"
        if execute(guarded, (after, minutes, record_id, before)).rowcount != 1:
            raise _resolved_before(desk, record_id, after, execute(_LAST, (record_id,)).fetchone())
        numbers = take_numbers(execute, 0, 1)
        debit, credit = honour_account(volunteer_id), issuer_account(project_id)
        if after == "confirmed":
            debit, credit = credit, debit
        said = seal_text(desk, f"volunteer:{volunteer_id}", f"transfer:{seq}", reason)
        entry = (record_id, debit, credit, moved, REVERSE, seq, day, said or None)
        last = write_transfers(execute, desk, numbers, [entry])
        execute("UPDATE vk_account SET posted_minutes = posted_minutes + CASE id WHEN ? THEN ? ELSE ? END "
                "WHERE id IN (?, ?)", (credit, moved, -moved, debit, credit))  # fmt: skip
        payload = {"record": record_id, "minutes": minutes, "state": after}
        write_event(execute, desk, numbers, last, type, f"record:{record_id}", payload, key, request)
    return Recorded(record_id, after, minutes)
