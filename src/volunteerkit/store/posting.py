"""The few hot statements, as driver text on the driver's own connection inside SQLAlchemy's transaction.

Posting and importing go through here; everything else uses SQLAlchemy Core. Measured against Core this
halves the processor time of a posting (``tests/benchmarks/h2_posting.py``). Every writer first changes the
single head row, so numbers are gap-free and writers queue there, in whatever order they come.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import IdempotencyConflict, IntegrityProblem
from volunteerkit.events import EVENT_TYPES
from volunteerkit.ledger import chained
from volunteerkit.store.desk import Desk, microseconds

__all__ = [
    "TRANSFER_INSERT",
    "Execute",
    "Numbers",
    "driver",
    "event_hash",
    "hold_head",
    "insert_rows",
    "note",
    "replayed",
    "request_hash",
    "take_numbers",
    "write_event",
    "write_transfers",
]

Execute = Callable[[str, Sequence[Any]], Any]
"""Runs one statement with ``?`` marks on the driver and returns its cursor."""

_TAKE = (
    "UPDATE vk_head SET record_id = record_id + ?, transfer_seq = transfer_seq + ?, event_seq = event_seq + 1 "
    "WHERE id = 1 RETURNING record_id, transfer_seq, transfer_hash, event_seq, event_hash"
)
_FINISH = "UPDATE vk_head SET transfer_hash = ?, event_hash = ? WHERE id = 1"
_EVENT = (
    "INSERT INTO vk_event (seq, type, recorded_at, actor_id, subject, key, request_hash, payload, "
    "transfer_seq, transfer_hash, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_REPLAY = "SELECT request_hash, payload FROM vk_event WHERE type = ? AND key = ?"
TRANSFER_INSERT = (
    "INSERT INTO vk_transfer (seq, record_id, debit_id, credit_id, minutes, code, refers_to, effective_on, "
    "recorded_at, actor_id, reason, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def __dir__() -> list[str]:
    return __all__


@lru_cache(maxsize=256)
def _percent(statement: str) -> str:
    return statement.replace("?", "%s")


def driver(connection: sa.Connection) -> Execute:
    """Return the driver's ``execute`` for statements with ``?`` marks, inside the open transaction."""
    if not connection.in_transaction():
        connection.begin()
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        execute: Execute = raw.execute
        return execute

    def run(statement: str, values: Sequence[Any] = ()) -> Any:
        return raw.execute(_percent(statement), values)

    return run


def insert_rows(
    connection: sa.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> None:
    """Insert many rows of plain values by the database's fastest road: executemany, or COPY."""
    if not connection.in_transaction():
        connection.begin()
    raw: Any = connection.connection.dbapi_connection
    names = ", ".join(f'"{name}"' for name in columns)
    if connection.dialect.name == "sqlite":
        raw.executemany(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))})", rows)
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        write = copy.write_row
        for row in rows:
            write(row)


@attrs.frozen
class Numbers:
    """What a writer may use: the last of its record ids and transfer seqs, its event seq, hashes before."""

    record_id: int
    transfer_seq: int
    transfer_hash: bytes
    event_seq: int
    event_hash: bytes


def take_numbers(execute: Execute, records: int = 0, transfers: int = 0) -> Numbers:
    """Number ``records`` records, ``transfers`` transfers and one event, and hold the head until the end."""
    row = execute(_TAKE, (records, transfers)).fetchone()
    if row is None:
        raise IntegrityProblem(what="vk_head is empty")
    return Numbers(*row)


def hold_head(desk: Desk) -> None:
    """Queue with every other writer now, before anything is read that must still be true when it is written.

    Nothing changes by it. What spans several rows (no circle of parents, somebody left in an office) is
    read and written behind it; the write itself is a guarded UPDATE all the same.
    """
    driver(desk.connection)("UPDATE vk_head SET id = id WHERE id = ?", (1,))


def request_hash(*fields: object) -> bytes:
    """Return the hash of a command's payload, kept with its key to tell a replay from a conflict (L5)."""
    return chained(b"", *fields)


def replayed(execute: Execute, type: str, key: str | None, request: bytes) -> dict[str, Any] | None:
    """Return the answer given before under ``key``, None if there is none.

    Raises IdempotencyConflict when the key was used with another payload. Keys never expire.
    """
    if key is None:
        return None
    row = execute(_REPLAY, (type, key)).fetchone()
    if row is None:
        return None
    if bytes(row[0]) != request:
        raise IdempotencyConflict(key=key)
    answer: dict[str, Any] = json.loads(row[1])
    return answer


def write_transfers(execute: Execute, desk: Desk, numbers: Numbers, rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Write transfers and return the last one's hash.

    A row is (record id, debit id, credit id, minutes, code, refers to, effective on, reason); there must
    be as many as were taken with `take_numbers`.
    """
    last, seq, at = numbers.transfer_hash, numbers.transfer_seq - len(rows), microseconds(desk.now)
    for record_id, debit, credit, minutes, code, refers_to, effective_on, reason in rows:
        seq += 1
        fields = (
            seq,
            record_id,
            debit,
            credit,
            minutes,
            code,
            refers_to,
            effective_on,
            at,
            desk.actor.id,
            reason,
        )
        last = chained(last, *fields)
        execute(TRANSFER_INSERT, (*fields, last))
    return last


def write_event(
    execute: Execute,
    desk: Desk,
    numbers: Numbers,
    transfer_hash: bytes,
    type: str,
    subject: str,
    payload: dict[str, Any],
    key: str | None = None,
    request: bytes | None = None,
) -> None:
    """Write the command's one event and set the head; the last step of every writing command."""
    if type not in EVENT_TYPES:
        raise IntegrityProblem(what=f"event type {type} is not registered")
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    fields = (
        numbers.event_seq, type, microseconds(desk.now), desk.actor.id, subject, key,
        request, text, numbers.transfer_seq, transfer_hash,
    )  # fmt: skip
    last = event_hash(numbers.event_hash, fields)
    execute(_EVENT, (*fields, last))
    execute(_FINISH, (transfer_hash, last))


def note(desk: Desk, type: str, subject: str, payload: dict[str, Any]) -> None:
    """Write the event of a command that moves no minutes; ids, codes and whole numbers only."""
    execute = driver(desk.connection)
    numbers = take_numbers(execute)
    write_event(execute, desk, numbers, bytes(numbers.transfer_hash), type, subject, payload)


def event_hash(before: bytes, fields: Sequence[Any]) -> bytes:
    """Return an event's hash over all its columns but the hash itself, in the order of the table."""
    return chained(
        before, *(bytes(field).hex() if isinstance(field, bytes | memoryview) else field for field in fields)
    )
