"""Recompute everything that is stored twice, and name the first divergence.

Transfers are the truth. Their hashes are recomputed in order, every account's balance and every record's
state follow from them, and the events' chain covers them. Nothing is mended here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.ledger import GENESIS, chained
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import Execute, driver, event_hash
from volunteerkit.store.schema import head

__all__ = ["Verification", "verify_store"]

_TRANSFERS = (
    "SELECT seq, record_id, debit_id, credit_id, minutes, code, refers_to, effective_on, recorded_at, actor_id, "
    "reason, hash FROM vk_transfer WHERE seq > ? ORDER BY seq LIMIT ?"
)
_EVENTS = (
    "SELECT seq, type, recorded_at, actor_id, subject, key, request_hash, payload, transfer_seq, transfer_hash, hash "
    "FROM vk_event WHERE seq > ? ORDER BY seq LIMIT ?"
)
_STEP = 20_000

# what each account's balances must be, from the transfers alone
_BALANCES = """
SELECT a.id, a.posted_minutes, a.pending_minutes, COALESCE(p.posted, 0), COALESCE(p.pending, 0)
FROM vk_account a LEFT JOIN (
  SELECT account, SUM(posted) AS posted, SUM(pending) AS pending FROM (
    SELECT credit_id AS account,
           CASE WHEN code IN ('CONFIRM', 'IMPORT', 'REVERSE') THEN minutes ELSE 0 END AS posted,
           CASE WHEN code = 'RECORD' THEN minutes ELSE 0 END AS pending FROM vk_transfer
    UNION ALL
    SELECT debit_id, CASE WHEN code IN ('CONFIRM', 'IMPORT', 'REVERSE') THEN -minutes ELSE 0 END,
           CASE WHEN code = 'RECORD' THEN -minutes ELSE 0 END FROM vk_transfer
    UNION ALL
    SELECT t.credit_id, 0, -r.minutes FROM vk_transfer t JOIN vk_transfer r ON r.seq = t.refers_to
    WHERE t.code IN ('CONFIRM', 'REJECT')
    UNION ALL
    SELECT t.debit_id, 0, r.minutes FROM vk_transfer t JOIN vk_transfer r ON r.seq = t.refers_to
    WHERE t.code IN ('CONFIRM', 'REJECT')
  ) AS moved GROUP BY account
) AS p ON p.account = a.id
WHERE a.posted_minutes <> COALESCE(p.posted, 0) OR a.pending_minutes <> COALESCE(p.pending, 0)
ORDER BY a.id LIMIT 1
"""

# what each record's state and confirmed minutes must be, from its last transfer
_RECORDS = """
SELECT r.id, r.state, r.confirmed_minutes, t.code, t.minutes, t.debit_id
FROM vk_service_record r LEFT JOIN vk_transfer t
  ON t.seq = (SELECT MAX(seq) FROM vk_transfer WHERE record_id = r.id)
WHERE NOT CASE
  WHEN t.code IS NULL THEN r.state IN ('rejected', 'cancelled') AND r.confirmed_minutes = 0
  WHEN t.code = 'RECORD' THEN r.state = 'pending' AND r.confirmed_minutes = 0 AND r.claimed_minutes = t.minutes
  WHEN t.code = 'REJECT' THEN r.state = 'rejected' AND r.confirmed_minutes = 0
  WHEN t.code IN ('CONFIRM', 'IMPORT') THEN r.state = 'confirmed' AND r.confirmed_minutes = t.minutes
  WHEN t.debit_id = r.volunteer_id * 16 + 1 THEN r.state = 'reversed' AND r.confirmed_minutes = 0
  ELSE r.state = 'confirmed' AND r.confirmed_minutes = t.minutes END
ORDER BY r.id LIMIT 1
"""

_SUMS = "SELECT COALESCE(SUM(posted_minutes), 0), COALESCE(SUM(pending_minutes), 0) FROM vk_account"
_ACCOUNTLESS = (
    "SELECT seq FROM vk_transfer t WHERE NOT EXISTS (SELECT 1 FROM vk_account a WHERE a.id = t.credit_id) "
    "OR NOT EXISTS (SELECT 1 FROM vk_account a WHERE a.id = t.debit_id) ORDER BY seq LIMIT 1"
)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Verification:
    """What was checked, and the first divergence: where, what is stored, what should be.

    ``where`` is empty when everything agrees.
    """

    transfers: int
    events: int
    accounts: int
    records: int
    where: str = ""
    stored: str = ""
    expected: str = ""

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
def verify_store(connection: sa.Connection, progress: Callable[[int], None] = lambda _: None) -> Verification:
    """Check the transfers' chain, the events' chain, every balance and every record; read-only.

    Returns at the first divergence. ``progress`` is called with the transfers checked so far.
    """
    execute = driver(connection)
    count = {name: execute(f"SELECT COUNT(*) FROM vk_{name}", ()).fetchone()[0]
             for name in ("transfer", "event", "account", "service_record")}  # fmt: skip
    done = Verification(count["transfer"], count["event"], count["account"], count["service_record"])
    for check in (_transfers, _events, _balances, _records):
        where, stored, expected = check(connection, execute, progress)
        if where:
            return attrs.evolve(done, where=where, stored=str(stored), expected=str(expected))
    return done


_Found = tuple[str, Any, Any]
_NONE: _Found = ("", "", "")


def _transfers(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    last, expected_seq = GENESIS, 0
    for row in _rows(execute, _TRANSFERS):
        expected_seq += 1
        if row[0] != expected_seq:
            return f"transfer {expected_seq}", f"seq {row[0]}", f"seq {expected_seq}"
        last = chained(last, *row[:-1])
        if last != bytes(row[-1]):
            return f"transfer {row[0]}", bytes(row[-1]).hex()[:16], last.hex()[:16]
        if expected_seq % _STEP == 0:
            progress(expected_seq)
    stored = connection.execute(sa.select(head.c.transfer_seq, head.c.transfer_hash)).one()
    if (stored[0], bytes(stored[1])) != (expected_seq, last):
        return (
            "head of the transfers",
            f"seq {stored[0]} {bytes(stored[1]).hex()[:16]}",
            f"seq {expected_seq} {last.hex()[:16]}",
        )
    lost = execute(_ACCOUNTLESS, ()).fetchone()
    return (f"transfer {lost[0]}", "an account is missing", "two accounts") if lost else _NONE


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
    stored = connection.execute(sa.select(head.c.event_seq, head.c.event_hash)).one()
    if (stored[0], bytes(stored[1])) != (expected_seq, last):
        return "head of the events", f"seq {stored[0]}", f"seq {expected_seq}"
    return _NONE


def _balances(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    wrong = execute(_BALANCES, ()).fetchone()
    if wrong:
        id_, posted, pending, true_posted, true_pending = wrong
        return (f"account {id_}", f"posted {posted}, pending {pending}",
                f"posted {true_posted}, pending {true_pending}")  # fmt: skip
    sums = tuple(execute(_SUMS, ()).fetchone())
    return ("sum of all accounts", sums, (0, 0)) if sums != (0, 0) else _NONE


def _records(connection: sa.Connection, execute: Execute, progress: Callable[[int], None]) -> _Found:
    wrong = execute(_RECORDS, ()).fetchone()
    if wrong:
        return f"record {wrong[0]}", f"{wrong[1]}, {wrong[2]} min", f"after {wrong[3]} of {wrong[4]} min"
    return _NONE
