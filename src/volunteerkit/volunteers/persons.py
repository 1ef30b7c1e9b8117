"""Which volunteers are one person: everything that reads somebody's minutes asks here.

The ledger and the service records keep the volunteer for whom they were written: their hashes cover it. A
merge moves none of them; it says that two volunteers are one person, from whom both are read together. That
is knowledge, so ``as_of`` does not matter to it and ``known_at`` does: what was known up to the seq at which
a merge was made knew nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from volunteerkit.store.desk import Desk
from volunteerkit.store.vault import closed
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import link, merge, volunteer

__all__ = ["connect", "everybody", "flattened", "linked", "merged_into", "together", "united"]


def __dir__() -> list[str]:
    return __all__


def flattened(pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Return (merged id, kept id) pairs as a mapping in which no kept one is itself merged.

    >>> flattened([(1, 2), (2, 3)])
    {1: 3, 2: 3}
    """
    into = dict(pairs)
    for first in into:
        last = into[first]
        while last in into:
            last = into[last]
        into[first] = last
    return into


def _holds(known_at: int | None) -> sa.ColumnElement[bool]:
    if known_at is None:
        return merge.c.ended_seq.is_(None)
    ended = sa.or_(merge.c.ended_seq.is_(None), merge.c.ended_seq >= known_at)
    return sa.and_(merge.c.merged_seq < known_at, ended)


def merged_into(connection: sa.Connection) -> dict[int, int]:
    """Return the id of the kept volunteer for the id of every merged one; empty in nearly every city."""
    pairs = sa.select(merge.c.volunteer_id, merge.c.kept_id).where(_holds(None))
    return flattened((row[0], row[1]) for row in connection.execute(pairs))


def together(connection: sa.Connection, volunteer_id: int, known_at: int | None = None) -> tuple[int, ...]:
    """Return the ids of all volunteers who are one person with this one, the kept one first.

    With ``known_at`` (a seq of the ledger) as it was known then.
    """
    held, above = _holds(known_at), sa.select(merge.c.kept_id)
    kept = volunteer_id
    while (upper := connection.execute(above.where(held, merge.c.volunteer_id == kept)).scalar()) is not None:
        kept = upper
    found = [kept]
    for each in found:  # it grows on the way: those merged into a merged one belong here too
        below = sa.select(merge.c.volunteer_id).where(held, merge.c.kept_id == each)
        found += connection.execute(below.order_by(merge.c.volunteer_id)).scalars()
    return tuple(found)


def united(rows: Iterable[Any]) -> tuple[int, str, int, int | None]:
    """Return rows (id, number, registered_on, adult_on) of one person, the kept one first, as one row.

    A person is registered since the first of their registrations, and as old as the kept one says, else
    as the first who says it.
    """
    kept, *others = rows
    every = (kept, *others)
    adult_on = next((row[3] for row in every if row[3] is not None), None)
    return kept[0], kept[1], min(row[2] for row in every), adult_on


def everybody(connection: sa.Connection, ids: tuple[int, ...] | None = None) -> list[Any]:
    """Return rows (id, number, registered_on, adult_on) of all persons in the order of their ids.

    Merged volunteers are left out, each kept one stands for all of them. With ``ids``, those of one person
    with the kept one first, it is that person alone.
    """
    columns = (volunteer.c.id, volunteer.c.number, volunteer.c.registered_on, volunteer.c.adult_on)
    query = sa.select(*columns).order_by(volunteer.c.id)
    if ids is not None:
        query = query.where(volunteer.c.id.in_(ids))
    rows: dict[int, Any] = {row[0]: row for row in connection.execute(query)}
    if ids is not None:
        return [united(rows[each] for each in ids)]
    into, others = merged_into(connection), dict[int, list[Any]]()
    for merged in sorted(into):
        others.setdefault(into[merged], []).append(rows.pop(merged))
    for kept, some in others.items():
        rows[kept] = united((rows[kept], *some))
    return list(rows.values())


def connect(desk: Desk, actor_id: str, volunteer_id: int) -> None:
    """Note which of the portal's actors is which volunteer."""
    desk.connection.execute(sa.delete(link).where(link.c.actor_id == actor_id))
    values = {"actor_id": actor_id, "volunteer_id": volunteer_id, "linked_on": day_number(desk.today)}
    desk.connection.execute(sa.insert(link).values(values))


def linked(desk: Desk) -> int | None:
    """Return the id of the volunteer that the actor is, None for nobody; the erased have no way back but a new one."""
    query = sa.select(link.c.volunteer_id).where(link.c.actor_id == desk.actor.id)
    found: int | None = desk.connection.execute(query).scalar()
    gone = found is not None and closed(desk.connection, [f"volunteer:{found}"], "erased")
    return None if gone else found
