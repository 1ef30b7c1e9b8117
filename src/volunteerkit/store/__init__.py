"""The database: engine set-up, desk, chain of events, vault, hot statements, and the schema's version."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from weakref import WeakSet

import sqlalchemy as sa

from volunteerkit.errors import SchemaMismatch, StorageUnavailable
from volunteerkit.events import Event
from volunteerkit.ledger import GENESIS
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.engine import place_of
from volunteerkit.store.migrating import upgrade
from volunteerkit.store.posting import driver
from volunteerkit.store.schema import SCHEMA_VERSION, delivery, event, head, meta, metadata

__all__ = ["check_schema", "get_meta", "migrate", "note_delivery", "set_meta", "undelivered"]


def __dir__() -> list[str]:
    return __all__


def get_meta(connection: sa.Connection, name: str) -> str | None:
    """Return a fact about the database itself, such as ``"key_print"``, None when it is not set."""
    return connection.execute(sa.select(meta.c.value).where(meta.c.name == name)).scalar()


def set_meta(connection: sa.Connection, name: str, value: str) -> None:
    """Set a fact about the database itself that was not set before."""
    connection.execute(sa.insert(meta).values(name=name, value=value))


def _version(connection: sa.Connection) -> int | None:
    if not sa.inspect(connection).has_table("vk_meta"):
        return None
    found = get_meta(connection, "schema_version")
    return int(found) if found is not None else None


def check_schema(connection: sa.Connection) -> None:
    """Raise SchemaMismatch, or StorageUnavailable for a database without our tables; cheap once it held."""
    if connection.engine in _checked:
        return
    version = _version(connection)
    if version is None:
        raise StorageUnavailable("storage_empty", place=place_of(connection.engine.url))
    if version != SCHEMA_VERSION:
        code = "schema_newer" if version > SCHEMA_VERSION else "schema_older"
        raise SchemaMismatch(code, found=version, known=SCHEMA_VERSION)
    _checked.add(connection.engine)


_checked: WeakSet[sa.Engine] = WeakSet()


def migrate(connection: sa.Connection, cipher: Cipher | None = None) -> None:
    """Create all tables in a database without them, bring an older one up to date; else do nothing.

    All in the transaction of ``connection``: after a crash there is either nothing or everything. Raises
    SchemaMismatch for a newer schema, KeyProblem when an older one holds personal data and ``cipher`` is
    missing or has another key: people are found by new indices, which only the key can make.
    """
    version = _version(connection)
    if version is not None:
        if version > SCHEMA_VERSION:
            raise SchemaMismatch(found=version, known=SCHEMA_VERSION)
        upgrade(connection, version, cipher)
        return
    metadata.create_all(connection)
    connection.execute(
        sa.insert(head).values(
            id=1, record_id=0, transfer_seq=0, transfer_hash=GENESIS, event_seq=0, event_hash=GENESIS
        )
    )
    set_meta(connection, "schema_version", str(SCHEMA_VERSION))


def event_of(row: Any) -> Event:
    """Return the event for a row (seq, type, recorded_at, actor_id, subject, payload)."""
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=row[2])
    return Event(row[0], row[1], at, row[3], row[4], json.loads(row[5]))


def undelivered(connection: sa.Connection, plugin: str, limit: int) -> list[Event]:
    """Return the next events for ``plugin``, oldest first."""
    done = sa.select(delivery.c.event_seq).where(delivery.c.plugin == plugin).scalar_subquery()
    columns = (
        event.c.seq,
        event.c.type,
        event.c.recorded_at,
        event.c.actor_id,
        event.c.subject,
        event.c.payload,
    )
    rows = connection.execute(
        sa.select(*columns).where(event.c.seq > sa.func.coalesce(done, 0)).order_by(event.c.seq).limit(limit)
    )
    return [event_of(row) for row in rows]


_NOTE = (
    "INSERT INTO vk_delivery (plugin, event_seq, failures) VALUES (?, ?, ?) ON CONFLICT (plugin) DO UPDATE SET "
    "failures = CASE WHEN excluded.event_seq > vk_delivery.event_seq THEN 0 ELSE vk_delivery.failures END "
    "+ excluded.failures, event_seq = CASE WHEN excluded.event_seq > vk_delivery.event_seq "
    "THEN excluded.event_seq ELSE vk_delivery.event_seq END"
)


def note_delivery(connection: sa.Connection, plugin: str, seq: int, failed: bool) -> None:
    """Note that ``plugin`` has dealt with the event ``seq`` and all before it, and whether the next failed.

    Two deliveries at once may hand out an event twice; what was noted never goes back.
    """
    driver(connection)(_NOTE, (plugin, seq, int(failed)))
