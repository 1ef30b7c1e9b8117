"""The metadata all tables hang on, and the tables that belong to no slice.

Whole numbers everywhere: days since 1970-01-01, microseconds since 1970 UTC, minutes. On SQLite the
tables are STRICT, so a text or a fraction in a column of minutes is refused by the database too (L13).
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

__all__ = [
    "SCHEMA_VERSION",
    "account",
    "append_only",
    "delivery",
    "event",
    "head",
    "id_column",
    "integer",
    "meta",
    "metadata",
    "of_standing",
    "one_of",
    "sealed",
    "table",
]

SCHEMA_VERSION: Final = 2

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

integer = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def __dir__() -> list[str]:
    return __all__


def table(name: str, *items: Any, owner: tuple[str, ...] = (), **more: Any) -> sa.Table:
    """Return a table ``vk_NAME`` on the library's metadata.

    ``owner`` names the columns that say whose row it is, any of them: a volunteer, or a row of another table
    (by foreign key) that is somebody's. Who asks for a copy of their data gets the rows that are theirs.
    """
    info = {"owner": owner}
    return sa.Table(f"vk_{name}", metadata, *items, sqlite_strict=True, info=info, **more)


def id_column(name: str = "id") -> sa.Column[int]:
    """Return an integer primary key that the library numbers itself."""
    return sa.Column(name, integer, primary_key=True, autoincrement=False)


def one_of(column: str, *words: str) -> str:
    """Return the condition that a column holds one of ``words``.

    Written with OR: SQLite builds a table for IN on every single insert, a third of the cost of a row.

    >>> one_of("state", "open", "closed")
    "(state = 'open' OR state = 'closed')"
    """
    return "(" + " OR ".join(f"{column} = '{word}'" for word in words) + ")"


def sealed(target: sa.Table) -> None:
    """Have the events of commands vouch for the rows of ``target``, column by column (`store.sealing`)."""
    target.info["sealed"] = True


def append_only(target: sa.Table) -> None:
    """Refuse UPDATE and DELETE on ``target`` inside the database itself, on both databases (L2).

    Its rows are chained by hashes of their own (column ``hash``), or sealed.
    """
    name = target.name
    target.info["append_only"] = True
    if "hash" not in target.columns:
        sealed(target)
    ddl: Any = sa.DDL
    for verb in ("UPDATE", "DELETE"):
        sqlite = (
            f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
            f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
        )
        sa.event.listen(target, "after_create", ddl(sqlite).execute_if(dialect="sqlite"))
    postgresql = (
        f"CREATE OR REPLACE FUNCTION {name}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{name} is append-only' USING ERRCODE = 'restrict_violation'; END $$; "
        f"CREATE TRIGGER {name}_no_change BEFORE UPDATE OR DELETE ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}_refuse(); "
        f"CREATE TRIGGER {name}_no_truncate BEFORE TRUNCATE ON {name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {name}_refuse()"
    )
    sa.event.listen(target, "after_create", ddl(postgresql).execute_if(dialect="postgresql"))


meta = table(
    "meta",
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""Facts about the database itself: ``schema_version``, ``key_print``, ``zone``."""

head = table(
    "head",
    id_column(),
    sa.Column("record_id", integer, nullable=False),
    sa.Column("transfer_seq", integer, nullable=False),
    sa.Column("transfer_hash", sa.LargeBinary, nullable=False),
    sa.Column("event_seq", integer, nullable=False),
    sa.Column("event_hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("id = 1", name="single"),
)
"""One row that every writer changes first: it numbers records, transfers and events without gaps (L27)."""

event = table(
    "event",
    id_column("seq"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("recorded_at", integer, nullable=False),
    sa.Column("actor_id", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("key", sa.Text),
    sa.Column("request_hash", sa.LargeBinary),
    sa.Column("payload", sa.Text, nullable=False),
    sa.Column("transfer_seq", integer, nullable=False),
    sa.Column("transfer_hash", sa.LargeBinary, nullable=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    owner=("subject",),
)
"""What happened, chained: each hash covers the row, the last transfer's hash and the hash before it."""

sa.Index("uq_vk_event_key", event.c.type, event.c.key, unique=True, sqlite_where=event.c.key.is_not(None),
         postgresql_where=event.c.key.is_not(None))  # fmt: skip

of_standing = sa.or_(
    *(
        event.c.type == sa.literal_column(f"'{each}'")
        for each in ("volunteer.status", "volunteer.consent_answered")
    )
)
"""The SQL for events that say how a volunteer stands; its words stand in it, or no database would use the index."""

sa.Index("ix_vk_event_standing", event.c.subject, event.c.seq, sqlite_where=of_standing,
         postgresql_where=of_standing)  # fmt: skip

delivery = table(
    "delivery",
    sa.Column("plugin", sa.Text, primary_key=True),
    sa.Column("event_seq", integer, nullable=False),
    sa.Column("failures", integer, nullable=False, server_default="0"),
)
"""How far each plugin's react hook has come; a failing one waits alone."""

account = table(
    "account",
    id_column(),
    sa.Column("posted_minutes", integer, nullable=False),
    sa.Column("pending_minutes", integer, nullable=False),
    sa.Column("limit_minutes", integer),
    sa.Column("raised_minutes", integer, nullable=False, server_default="0"),
    sa.CheckConstraint("limit_minutes IS NULL OR posted_minutes >= -limit_minutes", name="limit"),
    owner=("id",),
)
"""Balances as a roll-up: credits minus debits. ``volunteerkit verify`` recomputes every one.

``limit_minutes`` is how far an issuer may go below zero, None for no limit; ``raised_minutes`` what the
centre has added to it."""

append_only(event)
