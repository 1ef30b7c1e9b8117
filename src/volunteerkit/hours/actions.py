"""Recording claims: one, or many in one transaction.

Every verb decides first and writes last: a refused one has written nothing and used up no key. Minutes
move by double entry from the project's issuer account to the volunteer's honour account.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from volunteerkit.access import Place
from volunteerkit.errors import IdempotencyConflict, InvalidValue, NotFound, Refused
from volunteerkit.hours.checking import SAME_PERSON, of_activity, review, served_before_leaving
from volunteerkit.hours.model import KINDS, Claim, Neighbour, Overlap, Recorded
from volunteerkit.hours.periods import open_day, period_state, period_values
from volunteerkit.hours.records import teams
from volunteerkit.hours.tables import FIXED, covered
from volunteerkit.ledger import DAY_MINUTES, RECORD, honour_account, issuer_account
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import (
    Execute,
    Numbers,
    answered,
    asked_ahead,
    request_hash,
    write_many,
    writing,
)
from volunteerkit.store.texts import seal_text
from volunteerkit.units import day_number, day_of, of_type, plain_text

__all__ = ["record", "record_many"]

_PARTIES = (
    "SELECT v.id, v.status, p.id, p.organization_id, o.number, t.id, t.number, "
    "(SELECT CASE MIN(CASE h.kind WHEN 'blacklisted' THEN 1 WHEN 'suspended' THEN 2 WHEN 'on_leave' THEN 3 END) "
    "WHEN 1 THEN 'blacklisted' WHEN 2 THEN 'suspended' WHEN 3 THEN 'on_leave' END FROM vk_volunteer_period h "
    "WHERE h.volunteer_id = v.id AND h.since <= ? AND (h.until IS NULL OR h.until >= ?)), v.number, "
    "p.status, p.back_entry, EXISTS (SELECT 1 FROM vk_shift s WHERE s.project_id = p.id AND s.cancelled_at IS NULL), "
    f"{period_state('?', 'p.organization_id')}, e.request_hash, e.payload, "
    "n.record_id, n.transfer_seq, n.transfer_hash, n.event_seq, n.event_hash "
    "FROM vk_volunteer v CROSS JOIN vk_project p JOIN vk_organization o ON o.id = p.organization_id "
    "LEFT JOIN vk_team t ON t.id = (SELECT m.team_id FROM vk_membership m WHERE m.volunteer_id = v.id "
    "AND m.team_id IS NOT NULL AND m.organization_id = p.organization_id AND m.since <= ? "
    "AND (m.until IS NULL OR m.until >= ?) ORDER BY m.id LIMIT 1) "
    # the type stands in it as a word: SQLite plans a statement anew for every value that a partial index asks about
    "LEFT JOIN vk_event e ON e.type = 'hours.recorded' AND e.key = ? LEFT JOIN vk_head n ON n.id = 1 "
    "WHERE v.number = COALESCE((SELECT a.volunteer_number FROM vk_alias a WHERE a.number = ?), ?) AND p.number = ?"
)
_NEIGHBOURS = {  # PostgreSQL would join, and read every record for as long as it has not counted them
    name: "SELECT r.id, r.served_on, r.start_minute, r.clock_minutes, r.claimed_minutes, p.number "
    f"FROM vk_service_record r JOIN vk_project p ON p.id = r.project_id WHERE r.volunteer_id {same_person} "
    "AND r.served_on BETWEEN ? AND ? AND r.state IN ('pending', 'confirmed')"
    for name, same_person in (("sqlite", f"IN {SAME_PERSON}"), ("postgresql", f"= ANY (ARRAY{SAME_PERSON})"))
}
_COLUMNS = ("id", "confirmed_minutes", "state", *FIXED)

_PLAIN = (KINDS[0], None)


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
    pairs = [_pair(each) for each in (claims if isinstance(claims, Sequence) else (claims,))]
    with writing(desk):
        asked = (each for key, claim in pairs for each in _asked(desk, key, claim))
        accepted = _Accepted(desk, asked_ahead(desk.connection, asked))
        answers: list[Recorded | Refused | NotFound] = []
        for key, claim in pairs:
            try:
                answers.append(accepted.add(key, claim))
            except (Refused, NotFound) as refusal:
                answers.append(refusal)
        accepted.write()
    return answers


def _pair(given: object) -> tuple[str | None, Claim]:
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise InvalidValue(name="claims", value=type(given).__name__, allowed="(key, Claim(…)), …")
    key, claim = given
    of_type("claim", claim, Claim)
    return None if key is None else plain_text("key", key), claim


def _parties(desk: Desk, key: str | None, claim: Claim, served_on: int) -> tuple[Any, ...]:
    days, number = (served_on, served_on), claim.volunteer
    return (*days, *period_values(desk, served_on), *days, key, number, number, claim.project)


def _asked(desk: Desk, key: str | None, claim: Claim) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield what is asked about nearly every claim; the neighbours of a merged number are asked anew."""
    number, day = claim.volunteer, day_number(claim.served_on)
    yield _PARTIES, _parties(desk, key, claim, day)
    yield _NEIGHBOURS[desk.connection.dialect.name], (number, number, day - 1, day + 1)


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
    pending: dict[int, int] = attrs.Factory(dict)
    flags: list[tuple[int, str]] = attrs.Factory(list)
    answers: dict[str | None, tuple[bytes, Recorded]] = attrs.Factory(dict)
    days: dict[int, list[Neighbour]] = attrs.Factory(dict)

    def add(self, key: str | None, claim: Claim) -> Recorded:
        """Accept a claim, or answer a replayed one; raises Refused, NotFound and what `record` raises."""
        desk, execute = self.desk, self.execute
        served_on = day_number(claim.served_on)
        row = execute(_PARTIES, _parties(desk, key, claim, served_on)).fetchone()
        if row is None and desk.may("hours.record", Place()):  # who records for everybody learns which it is
            known = execute("SELECT 1 FROM vk_volunteer WHERE number = ?", (claim.volunteer,)).fetchone()
            kind, number = ("project", claim.project) if known else ("volunteer", claim.volunteer)
            raise NotFound(kind=kind, id=number)
        place = None if row is None else Place(row[8], teams(row[6]), (row[4],))
        desk.permit_on("hours.record", "volunteer_or_project", f"{claim.volunteer}/{claim.project}", place)
        assert row is not None
        volunteer_id, status, project_id, organization_id, _, team_id, _, period, number = row[:9]
        stands, afterwards, shifts, closed, *before_and_head = row[9:]
        if status == "deregistered" and served_before_leaving(execute, volunteer_id, served_on):
            status = "approved"
        status = (period or status) if status == "approved" else status
        request = request_hash(
            claim.volunteer, claim.project, claim.served_on, claim.claimed_minutes, claim.start, claim.end,
            claim.method, *(() if (claim.kind, claim.evidence) == _PLAIN else (claim.kind, claim.evidence)),
        )  # fmt: skip
        if before := self._replayed(key, request, *before_and_head[:2]):
            return before
        start, clock = claim.start_minute, claim.clock_minutes
        open_day(desk, organization_id, served_on, closed)
        neighbours = self._neighbours(volunteer_id, number, served_on)
        overlapping = _overlapping(neighbours, served_on, start, clock)
        findings, held = review(
            desk, execute, claim, number=number, status=status, project_id=project_id if shifts else None,
            neighbours=neighbours, overlapping=overlapping, afterwards=afterwards,
            refusals=of_activity(desk, claim, project_id, stands, afterwards, neighbours),
        )  # fmt: skip
        if self.held is None:
            self.held = Numbers.of(before_and_head[2:])
        minutes, new = claim.claimed_minutes, self.held.record_id + len(self.records) + 1
        self.records.append((
            new, 0, "pending", None, None, volunteer_id, project_id, organization_id, team_id, served_on, start, clock, minutes,
            claim.method, microseconds(desk.now), desk.actor.id, None, None, claim.kind, held, claim.evidence,
        ))  # fmt: skip
        debit, credit = issuer_account(project_id), honour_account(volunteer_id)
        self.transfers.append((new, debit, credit, minutes, RECORD, None, served_on, None))
        payload = {"record": new, "minutes": minutes, "served_on": served_on}
        self.events.append(("hours.recorded", f"record:{new}", payload, key, request))
        for account, more in ((credit, minutes), (debit, -minutes)):
            self.pending[account] = self.pending.get(account, 0) + more
        self.days.setdefault(volunteer_id, []).append(
            Neighbour(new, served_on, start, clock, minutes, claim.project)
        )
        flags = ["overlap_same_volunteer"] if overlapping else []
        if self.desk.hooks.get("vk_review_hours"):  # one may say again what the library says
            flags += [finding.code for finding in findings if finding.plugin]
        self.flags += [(new, code) for code in dict.fromkeys(flags)]
        recorded = Recorded(new, "pending", minutes, findings)
        if key is not None:
            self.answers[key] = request, recorded
        return recorded

    def _replayed(self, key: str | None, request: bytes, asked: Any, payload: Any) -> Recorded | None:
        if key is None:
            return None
        if key in self.answers:
            first, answer = self.answers[key]
            if first != request:
                raise IdempotencyConflict(key=key)
            return Recorded(answer.record_id, "pending", answer.minutes, replayed=True)
        if asked is None:
            return None
        before = answered(key, request, asked, payload)
        return Recorded(before["record"], "pending", before["minutes"], replayed=True)

    def _neighbours(self, volunteer_id: int, number: str, day: int) -> list[Neighbour]:
        statement = _NEIGHBOURS[self.desk.connection.dialect.name]
        stored = self.execute(statement, (number, number, day - 1, day + 1)).fetchall()
        return [Neighbour(*row) for row in stored] + self.days.get(volunteer_id, [])

    def write(self) -> None:
        """Write everything that was accepted."""
        if self.held is None:
            return
        self.records = [row if row[-1] is None else self._sealed(row) for row in self.records]
        beside: dict[str, Any] = {"vk_service_record": (_COLUMNS, self.records)}
        if self.flags:
            beside["vk_flag"] = (("record_id", "kind"), self.flags)
        fixed = [covered(row[-len(FIXED) :]) for row in self.records]
        write_many(self.desk, self.held, self.transfers, self.events, fixed, beside, self.pending)

    def _sealed(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*row[:-1], seal_text(self.desk, f"volunteer:{row[5]}", f"evidence:{row[0]}", row[-1]) or None)


def _overlapping(neighbours: Sequence[Neighbour], day: int, minute: int, clock: int) -> tuple[Overlap, ...]:
    if minute < 0:
        return ()
    start = day * DAY_MINUTES + minute
    return tuple(
        Overlap(id_, project, day_of(on), minute, clock_minutes)
        for id_, on, minute, clock_minutes, _, project in neighbours
        if minute >= 0
        and on * DAY_MINUTES + minute < start + clock
        and start < on * DAY_MINUTES + minute + clock_minutes
    )
