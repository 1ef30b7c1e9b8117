"""Volunteers who may be one person: looked for in the blind indices, told without any personal datum."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import combinations
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.errors import NotPermitted
from volunteerkit.privacy import normal
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import within
from volunteerkit.store.vault import CLOSED, blind, open_subjects, retention
from volunteerkit.units import day_number, whole_number
from volunteerkit.volunteers.reading import reached_by
from volunteerkit.volunteers.tables import volunteer

__all__ = ["Likeness", "duplicates", "likeness"]

_MOST: Final = 1000
_ALIKE: Final = 10  # a phone of more people than this is a school's or an office's
_KINDS: Final = ("identity_number", "phone", "name_part")


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Likeness:
    """Two volunteers, by number, who may be one person.

    ``why`` are codes: ``same_identity``, ``same_phone``, ``same_name_and_birth``.
    """

    first: str
    second: str
    why: tuple[str, ...]


@storage_errors("database")
def duplicates(desk: Desk, *, limit: int = 200) -> tuple[Likeness, ...]:
    """Return pairs of volunteers within reach who may be one person, the strongest reasons first.

    Reasons are an equal identity number, an equal phone (of at most ten people), or an equal whole name with
    an equal birth date. One pass over the blind indices finds who might be meant, and only their data are
    opened. Merged volunteers, and those whose data are erased or restricted, are left out. Raises
    NotPermitted, KeyProblem, InvalidValue for a limit outside 1 … 1000.
    """
    reach = desk.reach("volunteer.propose_merge")
    if reach.nothing:
        raise NotPermitted(actor=desk.actor.id, action="volunteer.propose_merge")
    whole_number("limit", limit, 1, _MOST)
    people, alike = _candidates(desk, within(reach, reached_by(day_number(desk.today))))
    held = open_subjects(desk.connection, desk.needed_cipher(), [f"volunteer:{each}" for each in people])
    found = []
    for one, other in alike:
        why = likeness(held.get(f"volunteer:{one}", {}), held.get(f"volunteer:{other}", {}))
        if why:
            found.append(Likeness(people[one], people[other], why))
    order = sorted(found, key=lambda each: (each.why, each.first, each.second))
    return tuple(order[:limit])


def likeness(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    """Return the codes of what two people's data have in common."""

    def same(name: str) -> bool:
        mine, theirs = (normal(name, str(each.get(name) or "")) for each in (one, other))
        return mine != "" and mine == theirs

    codes = {
        "same_identity": same("identity_number"),
        "same_phone": same("phone"),
        "same_name_and_birth": same("name") and same("born_on"),
    }
    return tuple(code for code, holds in codes.items() if holds)


def _candidates(
    desk: Desk, reachable: sa.ColumnElement[bool]
) -> tuple[dict[int, str], list[tuple[int, int]]]:
    """Return (numbers by id, pairs of ids) of those who share a digest, or a name's parts and a birthday."""
    subject = sa.literal("volunteer:").concat(sa.cast(volunteer.c.id, sa.Text))
    closed = sa.select(retention.c.subject).where(
        retention.c.subject == subject, retention.c.state.in_(CLOSED)
    )
    query = (
        sa.select(volunteer.c.id, volunteer.c.number, volunteer.c.adult_on, blind.c.kind, blind.c.digest)
        .join(blind, blind.c.subject == subject)
        .where(reachable, ~closed.exists(), volunteer.c.status != "merged", blind.c.kind.in_(_KINDS))
        .order_by(volunteer.c.number)
    )
    sharing: defaultdict[Hashable, list[int]] = defaultdict(list)
    numbers: dict[int, str] = {}
    parts: defaultdict[tuple[int, int], set[bytes]] = defaultdict(set)
    for id_, number, adult_on, kind, digest in desk.connection.execute(query):
        numbers[id_] = number
        if kind != "name_part":
            sharing[kind, bytes(digest)].append(id_)
        elif adult_on is not None:
            parts[id_, adult_on].add(bytes(digest))
    for (id_, adult_on), digests in parts.items():
        sharing[adult_on, frozenset(digests)].append(id_)
    pairs = set(_pairs(sharing.values()))
    people = {id_: numbers[id_] for pair in pairs for id_ in pair}
    return people, sorted(pairs)


def _pairs(groups: Iterable[list[int]]) -> Iterable[tuple[int, int]]:
    for some in groups:
        if 1 < len(some) <= _ALIKE:
            yield from combinations(sorted(some), 2)
