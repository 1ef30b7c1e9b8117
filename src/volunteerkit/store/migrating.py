"""From an older schema to this one: one step a version, all in the caller's transaction."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from volunteerkit.errors import KeyProblem
from volunteerkit.privacy import found_by
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.posting import SEALS, note_migration
from volunteerkit.store.schema import SCHEMA_VERSION, meta, metadata
from volunteerkit.store.sealing import seal_existing
from volunteerkit.store.vault import check_key, open_subjects, seal_subjects, vault

__all__ = ["upgrade"]

_BATCH = 5000


def __dir__() -> list[str]:
    return __all__


def upgrade(connection: sa.Connection, version: int, cipher: Cipher | None) -> None:
    """Bring a database of schema ``version`` up to this one, step by step; raises KeyProblem."""
    for each in range(version, SCHEMA_VERSION):
        _STEPS[each](connection, cipher)
    if version < SCHEMA_VERSION:
        stored = sa.update(meta).where(meta.c.name == "schema_version")
        connection.execute(stored.values(value=str(SCHEMA_VERSION)))


def _complete(connection: sa.Connection) -> None:
    """Create the tables, columns and indices that the schema has and the database has not."""
    metadata.create_all(connection)
    there = sa.inspect(connection)
    for each in metadata.sorted_tables:
        known = {column["name"] for column in there.get_columns(each.name)}
        for column in each.columns:
            if column.name not in known:
                what = CreateColumn(column).compile(dialect=connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {each.name} ADD COLUMN {what}")
        for index in each.indexes:
            index.create(connection, checkfirst=True)


def _conditions(connection: sa.Connection) -> None:
    """Give older tables the conditions that became wider: corrections by adjustment, and beyond the claim.

    SQLite changes no condition of a table; its text is replaced where the schema is written, as its manual allows
    for a change that leaves the rows as they are.
    """
    sqlite = connection.dialect.name == "sqlite"
    for name, condition in _WIDER:
        table, full = metadata.tables[name], f"ck_{name}_{condition}"
        text = next(
            str(each.sqltext) for each in table.constraints
            if isinstance(each, sa.CheckConstraint) and str(each.name) in (condition, full)
        )  # fmt: skip
        if not sqlite:
            connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {full}")
            connection.exec_driver_sql(f"ALTER TABLE {name} ADD CONSTRAINT {full} CHECK ({text})")
            continue
        written = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
        before = connection.exec_driver_sql(written, (name,)).scalar_one()
        after = re.sub(
            rf"CONSTRAINT {full} CHECK \(.*\)(?=,? *\n)", f"CONSTRAINT {full} CHECK ({text})", before
        )
        connection.exec_driver_sql("PRAGMA writable_schema = ON")
        connection.exec_driver_sql(
            "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?", (after, name)
        )
        version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
        connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
        connection.exec_driver_sql("PRAGMA writable_schema = RESET")


_WIDER = (("vk_service_record", "confirmed"), ("vk_transfer", "code"), ("vk_transfer", "refers"))


def _belonging(connection: sa.Connection) -> None:
    """A volunteer's row named one organization and one team; where somebody belongs has days now.

    The column ``team_id`` stays where it is, unused: SQLite drops no column that refers to a table.
    """
    connection.exec_driver_sql(
        "INSERT INTO vk_membership (id, volunteer_id, organization_id, role, since) "
        "SELECT row_number() OVER (ORDER BY id), id, organization_id, 'managing', registered_on FROM vk_volunteer"
    )
    connection.exec_driver_sql(
        "INSERT INTO vk_membership (id, volunteer_id, team_id, role, since) "
        "SELECT (SELECT max(id) FROM vk_membership) + row_number() OVER (ORDER BY v.id), "
        "v.id, v.team_id, 'member', v.registered_on FROM vk_volunteer v WHERE v.team_id IS NOT NULL"
    )


def _brands(connection: sa.Connection) -> None:
    """A project named its brand in a text; a brand is a thing of its own now, the city's centre's."""
    columns = sa.inspect(connection).get_columns("vk_project")
    if not any(each["name"] == "brand" for each in columns):
        return
    connection.exec_driver_sql(
        "INSERT INTO vk_brand (id, number, name) SELECT s, 'B' || substr(CAST(10000000 + s AS TEXT), 2), brand FROM "
        "(SELECT row_number() OVER (ORDER BY min(id)) AS s, brand FROM vk_project WHERE brand <> '' GROUP BY brand) b"
    )
    connection.exec_driver_sql(
        "UPDATE vk_project SET brand_id = (SELECT b.id FROM vk_brand b WHERE b.name = vk_project.brand)"
    )
    connection.exec_driver_sql("ALTER TABLE vk_project DROP COLUMN brand")


def _version_2(connection: sa.Connection, cipher: Cipher | None) -> None:
    """The vault was keyed by volunteers' ids; it holds subjects of any kind now. Belonging has days.

    Blind indices are made anew: under a key of their own, and with the parts of names.
    """
    connection.exec_driver_sql("CREATE TABLE vk_vault_1 AS SELECT * FROM vk_vault")
    for name in ("vk_vault", "vk_blind"):
        connection.exec_driver_sql(f"DROP TABLE {name}")
    _complete(connection)
    _conditions(connection)
    _belonging(connection)
    _brands(connection)
    if seals := seal_existing(connection):
        note_migration(connection, {SEALS: seals})
    connection.exec_driver_sql(
        "INSERT INTO vk_vault (subject, wrapped_key, sealed) "
        "SELECT 'volunteer:' || volunteer_id, wrapped_key, sealed FROM vk_vault_1"
    )
    connection.exec_driver_sql("DROP TABLE vk_vault_1")
    subjects = list(connection.execute(sa.select(vault.c.subject)).scalars())
    if not subjects:
        return
    if cipher is None:
        raise KeyProblem()
    check_key(connection, cipher)
    for start in range(0, len(subjects), _BATCH):
        opened = open_subjects(connection, cipher, subjects[start : start + _BATCH])
        seal_subjects(connection, cipher, [(each, data, found_by(data)) for each, data in opened.items()])


_STEPS: dict[int, Callable[[sa.Connection, Cipher | None], None]] = {1: _version_2}
