"""Rows that an event vouches for: the digest of each stands in the event of the command that wrote it.

Append-only tables that have no chain of hashes of their own are sealed so, and tables whose rows are decided once.
Whoever alters, removes or adds such a row behind the library's back is found by the chain of events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.errors import IntegrityProblem
from volunteerkit.ledger import GENESIS, chained
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import SEALS
from volunteerkit.store.schema import event, metadata

__all__ = ["insert_sealed", "seal_existing", "seal_rows", "sealed_tables", "update_sealed", "verify_sealed"]

_RUN: Final = 100
"""So many rows at most, numbered one after another, share a seal: a city's decisions would be a long event else."""


def __dir__() -> list[str]:
    return __all__


def sealed_tables() -> list[sa.Table]:
    """Return the tables whose rows are sealed, by name."""
    return sorted(
        (each for each in metadata.tables.values() if each.info.get("sealed")), key=lambda each: each.name
    )


def _key(table: sa.Table, row: Sequence[Any]) -> list[Any]:
    return [value for column, value in zip(table.columns, row, strict=True) if column.primary_key]


def _seals(table: sa.Table, rows: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
    numbered = len(table.primary_key) == 1
    start = 0
    while start < len(rows):
        end = start + 1
        while numbered and end < len(rows) and end - start < _RUN and (
            _key(table, rows[end])[0] == _key(table, rows[end - 1])[0] + 1
        ):  # fmt: skip
            end += 1
        last = GENESIS
        for row in rows[start:end]:
            last = chained(last, *row)
        yield [table.name, _key(table, rows[start]), _key(table, rows[end - 1]), last.hex()]
        start = end


def seal_rows(desk: Desk, table: sa.Table, rows: Sequence[Sequence[Any]]) -> None:
    """Have the next event of the command vouch for rows of ``table`` as they are written, in its columns' order.

    Raises IntegrityProblem outside a command (`posting.command`), which sees to it that an event follows.
    """
    if not desk.connection.info.get("vk_depth"):
        raise IntegrityProblem(what=f"a row of {table.name} outside a command")
    desk.connection.info.setdefault(SEALS, []).extend(_seals(table, rows))


def _seal_stored(desk: Desk, table: sa.Table, *which: sa.ColumnElement[bool]) -> None:
    row = desk.connection.execute(sa.select(table).where(*which)).one()
    seal_rows(desk, table, [tuple(row)])


def insert_sealed(desk: Desk, table: sa.Table, **values: Any) -> None:
    """Insert a row into a sealed table; the command's next event vouches for it."""
    desk.connection.execute(sa.insert(table).values(**values))
    _seal_stored(desk, table, *(column == values[column.name] for column in table.primary_key))


def update_sealed(desk: Desk, table: sa.Table, id_: int, **values: Any) -> None:
    """Change the row ``id_`` of a sealed table; the command's next event vouches for it as it is from now on."""
    desk.connection.execute(sa.update(table).where(table.c.id == id_).values(**values))
    _seal_stored(desk, table, table.c.id == id_)


def seal_existing(connection: sa.Connection) -> list[list[Any]]:
    """Return the seals of every row there is, for a database from before rows were sealed."""
    found: list[list[Any]] = []
    for table in sealed_tables():
        rows = connection.execute(sa.select(table).order_by(*table.primary_key)).fetchall()
        found += _seals(table, [tuple(row) for row in rows])
    return found


def _told(connection: sa.Connection) -> Mapping[str, dict[tuple[Any, ...], tuple[tuple[Any, ...], str, int]]]:
    """Return the last seal of each row, by table and key: (key of the run's last row, digest, seq of the event)."""
    found: dict[str, dict[tuple[Any, ...], tuple[tuple[Any, ...], str, int]]] = {}
    query = sa.select(event.c.seq, event.c.payload).where(event.c.payload.like(f'%"{SEALS}":[[%'))
    for seq, payload in connection.execute(query.order_by(event.c.seq)):
        for table, first, last, digest in json.loads(payload).get(SEALS, ()):
            found.setdefault(table, {})[tuple(first)] = (tuple(last), digest, seq)
    return found


def _named(table: sa.Table, first: tuple[Any, ...], last: tuple[Any, ...]) -> str:
    names = [", ".join(map(str, key)) for key in (first, last)]
    return f"{table.name} {' - '.join(dict.fromkeys(names))}"


def verify_sealed(connection: sa.Connection) -> tuple[str, str, str]:
    """Return the first sealed row that differs from its event: (where, stored, expected), empty if all agree."""
    told = _told(connection)
    for table in sealed_tables():
        seals = dict(told.get(table.name, {}))
        first: tuple[Any, ...] = ()
        last, end, digest = GENESIS, first, ""
        for row in connection.execute(sa.select(table).order_by(*table.primary_key)):
            key = tuple(_key(table, row))
            if not first:
                if key not in seals:
                    return _named(table, key, key), "a row", "no event tells of it"
                first, last, (end, digest, _) = key, GENESIS, seals.pop(key)
            last = chained(last, *row)
            if key == end:
                if last.hex() != digest:
                    return _named(table, first, end), last.hex()[:16], digest[:16]
                first = ()
        if first:
            return _named(table, first, end), "rows are missing", digest[:16]
        for key, (end, _, seq) in sorted(seals.items(), key=lambda each: each[1][2]):
            return _named(table, key, end), "no such row", f"told by event {seq}"
    return "", "", ""
