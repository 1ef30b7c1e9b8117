"""The few hot statements, as driver text on the driver's own connection inside SQLAlchemy's transaction.

Posting and importing go through here; everything else uses SQLAlchemy Core. Measured against Core this
halves the processor time of a posting (``tests/benchmarks/h2_posting.py``). Every writer first changes the
single head row, so numbers are gap-free and writers queue there, in whatever order they come. On PostgreSQL
what counts is how often one waits for the server, and how often it plans (``tests/benchmarks/h2_writers.py``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache, wraps
from types import MappingProxyType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import attrs
import sqlalchemy as sa

from volunteerkit.errors import IdempotencyConflict, IntegrityProblem, StorageReadOnly
from volunteerkit.events import EVENT_TYPES
from volunteerkit.ledger import chained
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import only_reads, storage_errors
from volunteerkit.units import plain_text

__all__ = [
    "SEALS",
    "TRANSFER_INSERT",
    "Execute",
    "Numbers",
    "answered",
    "asked_ahead",
    "command",
    "driver",
    "event_hash",
    "hold_head",
    "insert_rows",
    "note",
    "note_many",
    "note_migration",
    "replay_asked",
    "replayed",
    "request_hash",
    "run_many",
    "take_numbers",
    "transfer_hash",
    "write_event",
    "write_many",
    "write_transfers",
    "writing",
]

P = ParamSpec("P")
T = TypeVar("T")

Execute = Callable[..., Any]
"""Runs one statement with ``?`` marks on the driver and returns its cursor."""

SEALS: Final = "sealed"
"""Where an event's payload holds the seals of its command (`store.sealing`): (table, first key, last key, digest)."""


@lru_cache(maxsize=32)
def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


NOTHING: Mapping[int, Sequence[Any]] = MappingProxyType({})
_TAKE = (
    "UPDATE vk_head SET record_id = record_id + ?, transfer_seq = transfer_seq + ?, event_seq = event_seq + ? "
    "WHERE id = 1 RETURNING record_id, transfer_seq, transfer_hash, event_seq, event_hash"
)
_READ = "SELECT record_id, transfer_seq, transfer_hash, event_seq, event_hash FROM vk_head WHERE id = 1"
_HOLD = "UPDATE vk_head SET event_seq = event_seq WHERE id = 1"
_FINISH = "UPDATE vk_head SET transfer_hash = ?, event_hash = ? WHERE id = 1"
_SET = (
    "UPDATE vk_head SET record_id = ?, transfer_seq = ?, transfer_hash = ?, event_seq = ?, event_hash = ? "
    "WHERE id = 1"
)
_EVENT_COLUMNS = (
    "seq", "type", "recorded_at", "actor_id", "subject", "key", "request_hash", "payload", "transfer_seq",
    "transfer_hash", "hash",
)  # fmt: skip
_EVENT = _insert("vk_event", _EVENT_COLUMNS)
_PENDING = "UPDATE vk_account SET pending_minutes = pending_minutes + ? WHERE id = ?"
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_rows_json = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), default=lambda hash: f"\\x{hash.hex()}"
).encode
# The type stands in it as a word: SQLite plans a statement anew for every value that a partial index asks about.
_REPLAY = {
    each: f"SELECT request_hash, payload FROM vk_event WHERE type = '{each}' AND key = ?"
    for each in EVENT_TYPES
}
_TRANSFER_COLUMNS = (
    "seq", "record_id", "debit_id", "credit_id", "minutes", "code", "refers_to", "effective_on", "recorded_at",
    "actor_id", "reason", "journal", "hash",
)  # fmt: skip
TRANSFER_INSERT = _insert("vk_transfer", _TRANSFER_COLUMNS)


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


def run_many(connection: sa.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Run one statement with ``?`` marks for every row, inside the open transaction."""
    if not rows:
        return
    raw: Any = connection.connection.dbapi_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(statement, rows)
    else:
        with raw.cursor() as cursor:
            cursor.executemany(_percent(statement), rows)


def asked_ahead(connection: sa.Connection, asked: Iterable[tuple[str, tuple[Any, ...]]]) -> Execute:
    """Return the driver's ``execute``, which has the answers to these statements and values already.

    PostgreSQL is asked for all of them in one trip, which costs more than most statements do, and plans each
    statement once for any values: it must go by unique keys. On SQLite, which makes no trips, each is asked when its
    answer is wanted.
    """
    execute = driver(connection)
    if connection.dialect.name == "sqlite":
        return execute
    raw: Any = connection.connection.dbapi_connection
    with raw.pipeline():
        execute("SET LOCAL plan_cache_mode = force_generic_plan")
        ahead = {each: execute(*each) for each in asked}
        execute("SET LOCAL plan_cache_mode TO DEFAULT")

    def run(statement: str, values: Sequence[Any] = ()) -> Any:
        known = ahead.pop((statement, tuple(values)), None)
        return execute(statement, values) if known is None else known

    return run


@attrs.frozen
class Numbers:
    """What a writer may use: the last of its record ids and transfer seqs, its event seq, hashes before."""

    record_id: int
    transfer_seq: int
    transfer_hash: bytes
    event_seq: int
    event_hash: bytes

    @classmethod
    def of(cls, row: Sequence[Any] | None) -> Numbers:
        """Return what stands in the head's row; raises IntegrityProblem when there is none."""
        if row is None or row[0] is None:
            raise IntegrityProblem(what="vk_head is empty")
        return cls(*row)


def take_numbers(execute: Execute, records: int = 0, transfers: int = 0, events: int = 1) -> Numbers:
    """Number as many records, transfers and events, and hold the head until the transaction ends.

    For nothing at all the head is only read; `hold_head` has held it then.
    """
    taken = (records, transfers, events)
    row = execute(_TAKE, taken).fetchone() if any(taken) else execute(_READ, ()).fetchone()
    return Numbers.of(row)


def hold_head(desk: Desk, savepoint: str = "") -> None:
    """Queue with every other writer now, before anything is read that must still be true when it is written.

    Nothing changes by it. Whatever the actor may do is looked up anew: a writer that went before may have
    taken it away. The statement that sets a ``savepoint`` goes first, in the same trip to the server.
    """
    # on SQLite writing transactions take turns from their first word on
    hold = "" if desk.connection.dialect.name == "sqlite" else _HOLD
    if statements := f"{savepoint}; {hold}" if savepoint and hold else savepoint or hold:
        driver(desk.connection)(statements, ())
    desk.look_again()


@contextmanager
def writing(desk: Desk) -> Iterator[None]:
    """Hold the head while the block decides and writes; when it raises, nothing of it was written.

    What the block reads stays true until the transaction ends, because every writer queues at the head;
    a portal that catches the error and commits its own transaction keeps no half of the command. Raises
    StorageReadOnly at a desk that only reads, whose transaction is rolled back.
    """
    if only_reads(desk.connection):
        raise StorageReadOnly("desk_reads")
    with storage_errors("database"):
        # SQLAlchemy's own savepoint costs more than a posting does
        execute, about = driver(desk.connection), desk.connection.info
        depth = about.get("vk_depth", 0)
        sealed = list(about.get(SEALS, ())) if depth else []
        name, about["vk_depth"] = f"vk_{depth}", depth + 1
        try:
            hold_head(desk, f"SAVEPOINT {name}")
            yield
            if depth == 0 and desk.connection.info.get(SEALS):
                raise IntegrityProblem(what="no event followed on a sealed row")
            execute(f"RELEASE SAVEPOINT {name}", ())
        except BaseException:
            desk.connection.info[SEALS] = sealed
            with suppress(Exception):  # a lost connection has nothing left to undo; its own error goes up
                execute(f"ROLLBACK TO SAVEPOINT {name}", ())
                execute(f"RELEASE SAVEPOINT {name}", ())
            raise
        finally:
            about["vk_depth"] = depth


def command(verb: Callable[Concatenate[Desk, P], T]) -> Callable[Concatenate[Desk, P], T]:
    """Make a verb a command: it decides and writes behind the head, as a whole or not at all.

    What it is permitted, finds and checks is true when it writes, on every database: commands take turns, and
    the chain of events tells the order.
    """

    @wraps(verb)
    def run(desk: Desk, /, *given: P.args, **named: P.kwargs) -> T:
        with writing(desk):
            return verb(desk, *given, **named)

    return run


def request_hash(*fields: object) -> bytes:
    """Return the hash of a command's payload, kept with its key to tell a replay from a conflict (L5)."""
    return chained(b"", *fields)


def replayed(execute: Execute, type: str, key: str | None, request: bytes) -> dict[str, Any] | None:
    """Return the answer given before under ``key``, None if there is none.

    Raises IdempotencyConflict when the key was used with another payload, InvalidValue for a key that is
    not a text of 1 to 200 printable characters. Keys never expire.
    """
    if key is None:
        return None
    plain_text("key", key)
    row = execute(_REPLAY[type], (key,)).fetchone()
    return None if row is None else answered(key, request, *row)


def replay_asked(type: str, key: str | None) -> list[tuple[str, tuple[Any, ...]]]:
    """Return what `replayed` asks, for `asked_ahead`; raises InvalidValue as it does."""
    return [] if key is None else [(_REPLAY[type], (plain_text("key", key),))]


def answered(key: str, request: bytes, request_before: Any, payload: str) -> dict[str, Any]:
    """Return the answer given before under ``key``, from its event's request hash and payload.

    Raises IdempotencyConflict when that was another request.
    """
    if bytes(request_before) != request:
        raise IdempotencyConflict(key=key)
    answer: dict[str, Any] = json.loads(payload)
    answer.pop(SEALS, None)
    return answer


def write_transfers(
    execute: Execute,
    desk: Desk,
    numbers: Numbers,
    rows: Sequence[tuple[Any, ...]],
    fixed: Mapping[int, Sequence[Any]] = NOTHING,
) -> bytes:
    """Write transfers and return the last one's hash; several are one journal, all or none (L9).

    A row is (record id, debit id, credit id, minutes, code, refers to, effective on, reason); there must
    be as many as were taken with `take_numbers`. ``fixed`` is what never changes of new records, by their
    ids; the hash of a record's transfer covers it too.
    """
    last, seq, at = numbers.transfer_hash, numbers.transfer_seq - len(rows), microseconds(desk.now)
    journal = seq + 1 if len(rows) > 1 else None
    for row in rows:
        seq += 1
        written = _transfer(desk.actor.id, at, seq, last, row, fixed.get(row[0], ()), journal)
        execute(TRANSFER_INSERT, written)
        last = written[-1]
    return last


def _transfer(
    actor: str, at: int, seq: int, before: bytes, row: tuple[Any, ...], fixed: Sequence[Any],
    journal: int | None = None,
) -> tuple[Any, ...]:  # fmt: skip
    fields = (seq, *row[:7], at, actor, row[7])
    return (*fields, journal, transfer_hash(before, fields, journal, fixed))


def transfer_hash(before: bytes, fields: Sequence[Any], journal: int | None, fixed: Sequence[Any]) -> bytes:
    """Return a transfer's hash over its columns in the order of the table, and what is fixed of its record.

    The journal stands in it where there is one only: older ledgers have none, and their hashes stay.
    """
    return chained(before, *fields, *(() if journal is None else (journal,)), *fixed)


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
    at, seq = microseconds(desk.now), numbers.event_seq
    if seals := desk.connection.info.pop(SEALS, ()):
        payload = payload | {SEALS: seals}
    what = (type, subject, payload, key, request)
    row = _event(desk.actor.id, at, seq, numbers.event_hash, what, numbers.transfer_seq, transfer_hash)
    execute(_EVENT, row)
    execute(_FINISH, (transfer_hash, row[-1]))


def _event(
    actor: str, at: int, seq: int, before: bytes, what: Sequence[Any], transfer_seq: int, transfer_hash: bytes
) -> tuple[Any, ...]:
    type, subject, payload, key, request = what
    if type not in EVENT_TYPES:
        raise IntegrityProblem(what=f"event type {type} is not registered")
    fields = (seq, type, at, actor, subject, key, request, _json(payload), transfer_seq, transfer_hash)
    return (*fields, event_hash(before, fields))


def write_many(
    desk: Desk, held: Numbers, transfers: Sequence[tuple[Any, ...]], events: Sequence[tuple[Any, ...]],
    fixed: Sequence[Sequence[Any]], beside: Mapping[str, tuple[tuple[str, ...], Sequence[tuple[Any, ...]]]],
    pending: Mapping[int, int],
) -> None:  # fmt: skip
    """Write many transfers, each with its event, under the head as it was ``held``, and set the head once.

    ``held`` is what `take_numbers` gave for nothing at all; every transfer is a new record's. A transfer is
    as in `write_transfers` with what is ``fixed`` of its record, an event (type, subject, payload, key, request
    hash). ``beside`` is what else is new, the records first: (columns, rows) by table; ``pending`` are the minutes
    by which accounts change. The rows are those that as many single commands would have written.
    """
    actor, at, last, before = desk.actor.id, microseconds(desk.now), held.transfer_hash, held.event_hash
    rows, told = [], []
    for done, (row, what, what_stays) in enumerate(zip(transfers, events, fixed, strict=True), 1):
        seq = held.transfer_seq + done
        rows.append(_transfer(actor, at, seq, last, row, what_stays))
        last = rows[-1][-1]
        told.append(_event(actor, at, held.event_seq + done, before, what, seq, last))
        before = told[-1][-1]
    count = len(rows)
    head = (held.record_id + count, held.transfer_seq + count, last, held.event_seq + count, before)
    new = {**beside, "vk_transfer": (_TRANSFER_COLUMNS, rows), "vk_event": (_EVENT_COLUMNS, told)}
    execute = driver(desk.connection)
    if desk.connection.dialect.name == "sqlite":
        raw: Any = desk.connection.connection.dbapi_connection
        for table, (columns, some) in new.items():
            raw.executemany(_insert(table, columns), some)
        raw.executemany(_PENDING, [(minutes, account) for account, minutes in pending.items()])
        execute(_SET, head)
        return
    values = [[dict(zip(columns, row, strict=True)) for row in some] for columns, some in new.values()]
    values.append([{"id": account, "pending_minutes": minutes} for account, minutes in pending.items()])
    statement = _at_once(tuple((table, columns) for table, (columns, _) in new.items()))
    execute(statement, (*map(_rows_json, values), *head))


@lru_cache(maxsize=32)
def _at_once(tables: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    """Return the one statement that inserts into all these tables on PostgreSQL, moves what is pending and sets the head.

    Rows come as JSON: for one row as for a hundred it is planned once, and there is one trip.
    """
    inserts = [
        f"i{n} AS (INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns)} "
        f"FROM json_populate_recordset(NULL::{table}, ?))"
        for n, (table, columns) in enumerate(tables)
    ]
    moves = (
        "moves AS (UPDATE vk_account a SET pending_minutes = a.pending_minutes + m.pending_minutes "
        "FROM json_populate_recordset(NULL::vk_account, ?) m WHERE a.id = m.id)"
    )
    return f"WITH {', '.join([*inserts, moves])} {_SET}"


def note(desk: Desk, type: str, subject: str, payload: dict[str, Any]) -> None:
    """Write the event of a command that moves no minutes; ids, codes and whole numbers only."""
    execute = driver(desk.connection)
    numbers = take_numbers(execute)
    write_event(execute, desk, numbers, bytes(numbers.transfer_hash), type, subject, payload)


def note_many(desk: Desk, events: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Write many such events (type, subject, payload): the rows that as many `note` would have written."""
    if not events:
        return
    execute = driver(desk.connection)
    numbers = take_numbers(execute, events=len(events))
    actor, at, before, rows = desk.actor.id, microseconds(desk.now), numbers.event_hash, []
    for seq, what in enumerate(events, numbers.event_seq - len(events) + 1):
        said = (*what, None, None)
        rows.append(_event(actor, at, seq, before, said, numbers.transfer_seq, bytes(numbers.transfer_hash)))
        before = rows[-1][-1]
    run_many(desk.connection, _EVENT, rows)
    execute(_FINISH, (numbers.transfer_hash, before))


def note_migration(connection: sa.Connection, payload: dict[str, Any]) -> None:
    """Write the event of a migration, which no actor began; its instant is that of the event before."""
    execute = driver(connection)
    at = execute("SELECT COALESCE(MAX(recorded_at), 0) FROM vk_event", ()).fetchone()[0]
    numbers = take_numbers(execute)
    before = bytes(numbers.event_hash), ("store.migrated", "store", payload, None, None)
    moved = bytes(numbers.transfer_hash)
    row = _event("migration", at, numbers.event_seq, *before, numbers.transfer_seq, moved)
    execute(_EVENT, row)
    execute(_FINISH, (moved, row[-1]))


def event_hash(before: bytes, fields: Sequence[Any]) -> bytes:
    """Return an event's hash over all its columns but the hash itself, in the order of the table."""
    *first, request, payload, transfer_seq, transfer_hash = fields
    asked = None if request is None else bytes(request).hex()
    return chained(before, *first, asked, payload, transfer_seq, bytes(transfer_hash).hex())
