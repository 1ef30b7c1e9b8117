"""Recompute everything that is stored twice, and name the first divergence; rebuild the balances.

Transfers are the truth. Their hashes are recomputed in order, every account's balance and every record's
state follow from them, and the events' chain covers them. The time bank, the places of shifts and the pairs of
attendance are compared likewise. Only what is summed up is ever mended, and only from what it sums up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import IntegrityProblem, InvalidValue
from volunteerkit.hours.attending import MISMATCHES
from volunteerkit.hours.bank.verifying import rebuild_bank, verify_bank
from volunteerkit.hours.tables import FIXED, covered
from volunteerkit.ledger import GENESIS, OPENING_CODES, POSTING_CODES, chained, honour_account, issuer_account
from volunteerkit.messages import phrase
from volunteerkit.projects.waiting import PLACES, SET_PLACES
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import (
    Execute,
    command,
    driver,
    event_hash,
    take_numbers,
    transfer_hash,
    write_event,
)
from volunteerkit.store.sealing import verify_sealed

__all__ = ["Verification", "rebuild", "verify_store"]

_TRANSFERS = (
    "SELECT t.seq, t.record_id, t.debit_id, t.credit_id, t.minutes, t.code, t.refers_to, t.effective_on, "
    f"t.recorded_at, t.actor_id, t.reason, t.journal, t.hash, {', '.join(f'r.{name}' for name in FIXED)} FROM vk_transfer t "
    "LEFT JOIN vk_service_record r ON r.id = t.record_id WHERE t.seq > ? ORDER BY t.seq LIMIT ?"
)
_HASH = 12  # where a transfer's hash stands in such a row; what is fixed of its record follows
_EVENTS = (
    "SELECT seq, type, recorded_at, actor_id, subject, key, request_hash, payload, transfer_seq, transfer_hash, hash "
    "FROM vk_event WHERE seq > ? ORDER BY seq LIMIT ?"
)
_STEP = 20_000
_PUBLISHED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})", re.ASCII)

_POSTING = ", ".join(f"'{code}'" for code in POSTING_CODES)
# every account there must be, with its balances from the transfers alone
_TRUE_BALANCES = f"""
SELECT h.id, COALESCE(p.posted, 0) AS posted, COALESCE(p.pending, 0) AS pending FROM (
  SELECT {honour_account(1)} - 16 + id * 16 AS id FROM vk_volunteer
  UNION ALL SELECT {issuer_account(1)} - 16 + id * 16 FROM vk_project
) AS h LEFT JOIN (
  SELECT account, SUM(posted) AS posted, SUM(pending) AS pending FROM (
    SELECT credit_id AS account,
           SUM(CASE WHEN code IN ({_POSTING}) THEN minutes ELSE 0 END) AS posted,
           SUM(CASE WHEN code = 'RECORD' THEN minutes ELSE 0 END) AS pending FROM vk_transfer GROUP BY credit_id
    UNION ALL
    SELECT debit_id, SUM(CASE WHEN code IN ({_POSTING}) THEN -minutes ELSE 0 END),
           SUM(CASE WHEN code = 'RECORD' THEN -minutes ELSE 0 END) FROM vk_transfer GROUP BY debit_id
    UNION ALL
    SELECT t.credit_id, 0, -r.minutes FROM vk_transfer t JOIN vk_transfer r ON r.seq = t.refers_to
    WHERE t.code IN ('CONFIRM', 'REJECT')
    UNION ALL
    SELECT t.debit_id, 0, r.minutes FROM vk_transfer t JOIN vk_transfer r ON r.seq = t.refers_to
    WHERE t.code IN ('CONFIRM', 'REJECT')
  ) AS moved GROUP BY account
) AS p ON p.account = h.id
"""
# (account, posted and pending as stored, posted and pending as they must be); NULL for what must not be or is not
_BALANCES = f"""
WITH b AS MATERIALIZED ({_TRUE_BALANCES})
SELECT b.id, a.posted_minutes, a.pending_minutes, b.posted, b.pending
FROM b LEFT JOIN vk_account a ON a.id = b.id
WHERE a.id IS NULL OR a.posted_minutes <> b.posted OR a.pending_minutes <> b.pending
UNION ALL
SELECT a.id, a.posted_minutes, a.pending_minutes, NULL, NULL
FROM vk_account a WHERE a.id NOT IN (SELECT id FROM b)
ORDER BY 1
"""

# what each record's state and confirmed minutes must be: its posting transfers' sum, and what came last
_RECORDS = f"""
SELECT r.id, r.state, r.confirmed_minutes, t.code, l.total
FROM vk_service_record r
LEFT JOIN (SELECT record_id, MAX(seq) AS seq, SUM(CASE WHEN code NOT IN ({_POSTING}) THEN 0
             WHEN (credit_id & 15) = {honour_account(0)} THEN minutes ELSE -minutes END) AS total
           FROM vk_transfer GROUP BY record_id) l ON l.record_id = r.id
LEFT JOIN vk_transfer t ON t.seq = l.seq
WHERE NOT CASE
  WHEN t.code IS NULL THEN r.state IN ('rejected', 'cancelled') AND r.confirmed_minutes = 0
  WHEN t.code = 'RECORD' THEN r.state = 'pending' AND r.confirmed_minutes = 0 AND r.claimed_minutes = t.minutes
  WHEN t.code = 'REJECT' THEN r.state = 'rejected' AND r.confirmed_minutes = 0
  WHEN l.total = 0 THEN r.state = 'reversed' AND r.confirmed_minutes = 0
  ELSE r.state = 'confirmed' AND r.confirmed_minutes = l.total END
ORDER BY r.id LIMIT 1
"""

_SUMS = "SELECT COALESCE(SUM(posted_minutes), 0), COALESCE(SUM(pending_minutes), 0) FROM vk_account"
_ACCOUNT = "INSERT INTO vk_account (id, posted_minutes, pending_minutes, limit_minutes, raised_minutes) VALUES (?, ?, ?, ?, ?)"
_BUDGETS = "SELECT subject, payload FROM vk_event WHERE type = 'hours.budget_set' ORDER BY seq"
_LIMITED = "SELECT id, limit_minutes, raised_minutes FROM vk_account WHERE limit_minutes IS NOT NULL OR raised_minutes <> 0"
_HEAD = "SELECT id, record_id, transfer_seq, transfer_hash, event_seq, event_hash FROM vk_head"
_NUMBERED = "SELECT COUNT(*), COALESCE(MAX(id), 0) FROM vk_service_record"
_LOADED = "SELECT payload FROM vk_event WHERE type = 'import.loaded' ORDER BY seq"
_UNMOVED = (
    f"SELECT id, {', '.join(FIXED[:10])}, confirmed_minutes, state, {', '.join(FIXED[10:])} FROM vk_service_record r "
    "WHERE batch_id = ? AND NOT EXISTS (SELECT 1 FROM vk_transfer t WHERE t.record_id = r.id) ORDER BY id"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Verification:
    """What was checked, and the first divergence: where, what is stored, what should be.

    ``where`` is empty when everything agrees. ``head`` is the number and hash of the last event, which cover all
    before: worth publishing.
    """

    transfers: int
    events: int
    accounts: int
    records: int
    where: str = ""
    stored: str = ""
    expected: str = ""
    head: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything that was checked agrees."""
        return not self.where


def _rows(execute: Execute, query: str) -> Iterator[tuple[Any, ...]]:
    last = 0
    while True:
        some = execute(query, (last, _STEP)).fetchall()
        yield from some
        if len(some) < _STEP:
            return
        last = some[-1][0]


@storage_errors("database")
def verify_store(
    connection: sa.Connection,
    progress: Callable[[int], None] = lambda _: None,
    *,
    published: str | None = None,
) -> Verification:
    """Check the transfers' chain, the events' chain, every balance and every record, then the time bank; read-only.

    Also that every shift has given away as many places as its participations take, that attendance and records
    name each other, and that every row of an append-only table is as the events say it was written.

    Returns at the first divergence. ``progress`` is called with the transfers checked so far. ``published`` is a
    `Verification.head` that was written down elsewhere before: whoever rewrites the whole chain cannot rewrite that.
    Raises InvalidValue for what is no such head.
    """
    execute, told = driver(connection), None if published is None else _read_head(published)
    count = {name: execute(f"SELECT COUNT(*) FROM vk_{name}", ()).fetchone()[0]
             for name in ("transfer", "event", "account", "service_record")}  # fmt: skip
    head = execute(_HEAD, ()).fetchone()
    done = Verification(count["transfer"], count["event"], count["account"], count["service_record"],
                        head=f"{head[4]}:{bytes(head[5]).hex()}" if head else "")  # fmt: skip
    for check in (
        _transfers,
        _events,
        _balances,
        _limits,
        _records,
        _unmoved,
        _bank,
        _places,
        _attended,
        _sealed,
    ):
        where, stored, expected = check(connection, execute, progress)
        if where:
            return attrs.evolve(done, where=where, stored=str(stored), expected=str(expected))
    return done if told is None else _compared(execute, done, *told)


def _read_head(published: str) -> tuple[int, str]:
    """Read a head before hours are spent on a store that it cannot be compared with."""
    match = _PUBLISHED.fullmatch(published) if type(published) is str else None
    if match is None:
        raise InvalidValue(name="head", value=published, allowed=phrase("allowed_head"))
    return int(match[1]), match[2]


def _compared(execute: Execute, done: Verification, seq: int, digest: str) -> Verification:
    found = execute("SELECT hash FROM vk_event WHERE seq = ?", (seq,)).fetchone()
    stored = bytes(found[0]).hex() if found else str(phrase("head_not_reached", last=done.events))
    if stored == digest:
        return done
    return attrs.evolve(done, where=f"published head, event {seq}", stored=stored, expected=digest)


_Found = tuple[str, Any, Any]
_NONE: _Found = ("", "", "")


def _transfers(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    last, expected_seq = GENESIS, 0
    for row in _rows(execute, _TRANSFERS):
        expected_seq += 1
        if row[0] != expected_seq:
            return f"transfer {expected_seq}", f"seq {row[0]}", f"seq {expected_seq}"
        opens = row[5] in OPENING_CODES
        fixed = covered(tuple(row[_HASH + 1 :])) if opens else ()
        last = transfer_hash(last, row[: _HASH - 1], row[_HASH - 1], fixed)
        if last != bytes(row[_HASH]):
            where = f"transfer {row[0]} or its record {row[1]}" if opens else f"transfer {row[0]}"
            return where, bytes(row[_HASH]).hex()[:16], last.hex()[:16]
        if expected_seq % _STEP == 0:
            progress(expected_seq)
    heads = execute(_HEAD, ()).fetchall()
    if len(heads) != 1 or heads[0][0] != 1:
        return "head", [row[0] for row in heads], [1]
    stored = (heads[0][2], bytes(heads[0][3]))
    if stored != (expected_seq, last):
        return (
            "head of the transfers",
            f"seq {stored[0]} {stored[1].hex()[:16]}",
            f"seq {expected_seq} {last.hex()[:16]}",
        )
    return _NONE


def _events(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    last, expected_seq = GENESIS, 0
    seen_transfers = 0
    for row in _rows(execute, _EVENTS):
        expected_seq += 1
        if row[0] != expected_seq:
            return f"event {expected_seq}", f"seq {row[0]}", f"seq {expected_seq}"
        last = event_hash(last, row[:-1])
        if last != bytes(row[-1]):
            return f"event {row[0]}", bytes(row[-1]).hex()[:16], last.hex()[:16]
        if row[8] != seen_transfers:
            seen_transfers = row[8]
            found = execute("SELECT hash FROM vk_transfer WHERE seq = ?", (seen_transfers,)).fetchone()
            if found is None or bytes(found[0]) != bytes(row[9]):
                return f"event {row[0]}", f"transfer {seen_transfers} differs", bytes(row[9]).hex()[:16]
    stored = execute(_HEAD, ()).fetchone()
    if (stored[4], bytes(stored[5])) != (expected_seq, last):
        return "head of the events", f"seq {stored[4]}", f"seq {expected_seq}"
    return _NONE


def _balances(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    wrong = execute(_BALANCES, ()).fetchone()
    if wrong:
        stored, expected = (
            "no account" if posted is None else f"posted {posted}, pending {pending}"
            for posted, pending in (wrong[1:3], wrong[3:5])
        )
        return f"account {wrong[0]}", stored, expected
    sums = tuple(execute(_SUMS, ()).fetchone())
    return ("sum of all accounts", sums, (0, 0)) if sums != (0, 0) else _NONE


def _set_limits(execute: Execute) -> dict[int, tuple[int | None, int]]:
    """Return what was last written down of every issuer's limit: (limit, raised) by account."""
    rows = execute(_BUDGETS, ()).fetchall()
    told = ((int(subject.partition(":")[2]), json.loads(payload)) for subject, payload in rows)
    return {issuer_account(project): (each["limit"], each["raised"]) for project, each in told}


def _limits(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    expected = {id_: each for id_, each in _set_limits(execute).items() if each != (None, 0)}
    stored = {row[0]: (row[1], row[2]) for row in execute(_LIMITED, ()).fetchall()}
    for account in sorted(expected.keys() | stored.keys()):
        if expected.get(account) != stored.get(account):
            return f"limit of account {account}", stored.get(account), expected.get(account)
    return _NONE


def _records(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    wrong = execute(_RECORDS, ()).fetchone()
    if wrong:
        return f"record {wrong[0]}", f"{wrong[1]}, {wrong[2]} min", f"after {wrong[3]} of {wrong[4]} min"
    return _NONE


def _unmoved(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    """Records without a transfer are covered by their batch's event; all records are numbered without a gap."""
    for (payload,) in execute(_LOADED, ()).fetchall():
        loaded = json.loads(payload)
        last = GENESIS
        for row in execute(_UNMOVED, (loaded["batch"],)):
            last = chained(last, *covered(tuple(row)))
        if loaded["unmoved"] not in ("", last.hex()):
            return (
                f"records of batch {loaded['batch']} without transfers",
                last.hex()[:16],
                loaded["unmoved"][:16],
            )
    numbered = tuple(execute(_NUMBERED, ()).fetchone())
    taken = execute(_HEAD, ()).fetchone()[1]
    return _NONE if numbered == (taken, taken) else ("head of the records", taken, numbered[1])


def _bank(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    return verify_bank(connection)


def _places(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    wrong = execute(f"{PLACES} ORDER BY s.id LIMIT 1", ()).fetchone()
    return (f"places of shift {wrong[0]}", wrong[1], wrong[2]) if wrong else _NONE


def _attended(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    for code, query in MISMATCHES.items():
        wrong = execute(query, ()).fetchone()
        if wrong:
            where = f"record {wrong[1]}" if wrong[0] is None else f"attendance {wrong[0]}"
            return where, f"record {wrong[1]}", code
    return _NONE


def _sealed(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    return verify_sealed(connection)


@command
def rebuild(desk: Desk) -> int:
    """Compute every balance anew from the transfers; return how many accounts were wrong, missing or too many.

    Likewise the accounts and lots of the time bank, from its own transfers, and the places that shifts have given
    away; those are counted, too. All in the desk's transaction, which other writers wait for; readers see the old
    balances until it is committed. Writes one event ``store.rebuilt``. Raises NotPermitted, and IntegrityProblem when the
    transfers' own chain is broken: then nothing is left to compute from, and nothing is changed.
    """
    desk.permit("store.rebuild")
    execute = driver(desk.connection)
    numbers = take_numbers(execute)  # every command that moves minutes waits here
    where, _, _ = _transfers(desk.connection, execute, lambda _: None)
    if where:
        raise IntegrityProblem(what=where)
    wrong, limits = execute(_BALANCES, ()).fetchall(), _set_limits(execute)
    for id_, _, _, posted, pending in wrong:
        execute("DELETE FROM vk_account WHERE id = ?", (id_,))
        if posted is not None:
            execute(_ACCOUNT, (id_, posted, pending, *limits.get(id_, (None, 0))))
    where, credits = rebuild_bank(execute)
    if where:
        raise IntegrityProblem(what=where)
    places = execute(PLACES, ()).fetchall()
    for id_, _, taken in places:
        execute(SET_PLACES, (taken, id_))
    told = {"accounts": len(wrong)}
    told |= {name: count for name, count in (("credits", credits), ("shifts", len(places))) if count}
    write_event(execute, desk, numbers, bytes(numbers.transfer_hash), "store.rebuilt", "store", told)
    return sum(told.values())
