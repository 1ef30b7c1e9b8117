"""Confirmed records as the rules take them: one volunteer's as rows, the whole city's as packed columns.

Reading out is the slow part of rating a city, so the database itself packs the few whole numbers that a
rulebook asks for into 63-bit words, one text (SQLite) or one byte string (PostgreSQL) for every slice of
volunteers: no Python object a row (``tests/benchmarks/h1_from_database.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.hours.tables import service_record
from volunteerkit.store.posting import driver
from volunteerkit.volunteers.persons import merged_into

__all__ = ["COLUMNS", "cluster_rows", "packed_columns"]

COLUMNS: Final = ("served_on", "start_minute", "clock_minutes", "claimed_minutes", "project")
"""Columns that can be read packed, in the order of their packing; the volunteer always comes first."""

_FIRST_DAY: Final = 25567  # days from 1900-01-01, the first day a service may have, to 1970-01-01
# bits a column takes in a word, and the SQL that is never negative
_PACKED: Final = {
    "served_on": (16, f"(served_on + {_FIRST_DAY})"),
    "start_minute": (11, "(start_minute + 1)"),
    "clock_minutes": (11, "clock_minutes"),
    "claimed_minutes": (11, "confirmed_minutes"),
    "project": (20, "project_id"),
}
_SLICE_BITS: Final = 14
_FREE_BITS: Final = 63 - _SLICE_BITS
_WHERE: Final = f"state = 'confirmed' AND served_on <= ? AND served_on >= -{_FIRST_DAY} AND volunteer_id >= ? AND volunteer_id < ?"


def __dir__() -> list[str]:
    return __all__


def cluster_rows(
    connection: sa.Connection, as_of: int, person: tuple[int, ...] | None = None
) -> Iterator[tuple[Any, ...]]:
    """Yield confirmed records up to the day ``as_of``, clustered by volunteer, day and start.

    What was written for a merged volunteer comes with the kept one's id. ``person`` are the ids of one
    person alone, as `volunteers.persons.together` gives them.
    A row is (volunteer id, record id, served_on, start_minute, clock_minutes, minutes, project id,
    organization id, method); all but the method are whole numbers.
    """
    execute = driver(connection)
    into = merged_into(connection) if person is None else dict.fromkeys(person[1:], person[0])
    one = "" if person is None else f" AND volunteer_id IN ({', '.join('?' * len(person))})"
    cursor = execute(
        "SELECT volunteer_id, id, served_on, start_minute, clock_minutes, confirmed_minutes, project_id, "
        f"organization_id, method FROM vk_service_record WHERE state = 'confirmed' AND served_on <= ?{one} "
        "ORDER BY volunteer_id, served_on, start_minute, id",
        (as_of, *(person or ())),
    )
    if into:
        rows = [(into.get(row[0], row[0]), *row[1:]) for row in cursor]
        yield from sorted(rows, key=lambda row: (row[0], row[2], row[3], row[1]))
    else:
        yield from cursor


def _words(columns: tuple[str, ...]) -> list[list[str]]:
    words: list[list[str]] = [[]]
    for name in columns:
        if sum(_PACKED[each][0] for each in [*words[-1], name]) > (_FREE_BITS if len(words) == 1 else 63):
            words.append([])
        words[-1].append(name)
    return words


def _sql(words: list[list[str]], sqlite: bool) -> str:
    parts = []
    for position, names in enumerate(words):
        packed = "(volunteer_id - ?)" if position == 0 else "0"
        for name in names:
            bits, column = _PACKED[name]
            packed = (
                f"({packed} << {bits} | {column})" if sqlite else f"(({packed})::bigint << {bits} | {column})"
            )
        parts.append(packed)
    if sqlite:
        return f"SELECT group_concat({' || char(32) || '.join(parts)}, ' ') FROM vk_service_record WHERE {_WHERE}"
    sent = " || ".join(f"int8send({part})" for part in parts)
    return f"SELECT string_agg({sent}, ''::bytea) FROM vk_service_record WHERE {_WHERE}"


def packed_columns(connection: sa.Connection, as_of: int, columns: tuple[str, ...]) -> dict[str, Any]:
    """Return the confirmed records up to the day ``as_of`` as NumPy columns, clustered by volunteer and day.

    ``columns`` are some of `COLUMNS`, ``served_on`` first. The result holds them and ``volunteer`` (the
    volunteer's id, the kept one's for a merged one), all of one length; integers as narrow as fits.
    """
    import numpy as np

    columns = tuple(name for name in COLUMNS if name in columns)
    words = _words(columns)
    sqlite = connection.dialect.name == "sqlite"
    query, execute = _sql(words, sqlite), driver(connection)
    highest = connection.execute(sa.select(sa.func.max(service_record.c.volunteer_id))).scalar() or 0
    parts: list[Any] = []
    for first in range(0, highest + 1, 1 << _SLICE_BITS):
        packed = execute(query, (first, as_of, first, first + (1 << _SLICE_BITS))).fetchone()[0]
        if packed:
            parts.append(_unpacked(np, packed, words, first))
    names = ("volunteer", *columns)
    if not parts:
        return {name: np.empty(0, np.int32) for name in names}
    found = {name: np.concatenate([part[name] for part in parts]) for name in names}
    into = merged_into(connection)
    return _as_persons(np, found, names, into, highest) if into else found


def _as_persons(
    np: Any, found: dict[str, Any], names: tuple[str, ...], into: dict[int, int], highest: int
) -> dict[str, Any]:
    """Give merged volunteers' rows the kept one's id, and put the rows of those persons in order again."""
    kept = np.arange(highest + 1, dtype=np.int32)
    touched = np.zeros(highest + 1, bool)
    for merged, one in into.items():
        if merged <= highest:  # whoever has no record has none to move
            kept[merged] = one
            touched[merged] = True
        if one <= highest:
            touched[one] = True
    theirs = touched[found["volunteer"]]
    found["volunteer"] = kept[found["volunteer"]]
    moved = {name: column[theirs] for name, column in found.items()}
    order = np.lexsort([moved[name] for name in reversed(names)])
    rest = {name: column[~theirs] for name, column in found.items()}
    # all others are in order already: a few rows go in between, not millions through a sort
    places = np.searchsorted(rest["volunteer"], moved["volunteer"][order])
    return {name: np.insert(rest[name], places, moved[name][order]) for name in names}


def _unpacked(np: Any, packed: str | bytes, words: list[list[str]], first: int) -> dict[str, Any]:
    if isinstance(packed, str):
        rows = np.fromstring(packed, np.int64, sep=" ")
    else:
        rows = np.frombuffer(packed, ">i8").astype(np.int64)
    rows = rows.reshape(-1, len(words))
    if len(words) == 1:
        rows = rows[:, 0]
        if not bool(np.all(rows[1:] >= rows[:-1])):
            rows.sort()
        rows = rows[:, None]
    elif not bool(np.all(rows[1:, 0] >= rows[:-1, 0])):
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
    found: dict[str, Any] = {}
    for position, names in enumerate(words):
        word = rows[:, position]
        for name in reversed(names):
            bits = _PACKED[name][0]
            found[name] = (word & ((1 << bits) - 1)).astype(np.int32)
            word = word >> bits
        if position == 0:
            found["volunteer"] = (word + first).astype(np.int32)
    found["served_on"] -= _FIRST_DAY
    if "start_minute" in found:
        found["start_minute"] -= 1
    return found
