"""Finding volunteers among sealed names: candidates by blind index, opened and looked at afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from volunteerkit.access import covering
from volunteerkit.errors import InvalidValue, NotPermitted
from volunteerkit.messages import phrase
from volunteerkit.personal.model import Found
from volunteerkit.personal.viewing import seen
from volunteerkit.privacy import HIDDEN, normal
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.grants import resolved_number, within
from volunteerkit.store.vault import CLOSED, blind, indexer_if_any, open_subjects, retention
from volunteerkit.units import day_number, fold, plain_text, storable, whole_number
from volunteerkit.volunteers import reading
from volunteerkit.volunteers.reading import members_of, reached_by
from volunteerkit.volunteers.tables import tag, volunteer

__all__ = ["find"]

_PREFIX = "volunteer:"
_MOST = 200
_MOST_OPENED = 5000
_CHUNK = 100


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
def find(
    desk: Desk,
    text: str | None = None,
    *,
    organization: str | None = None,
    skill_code: str | None = None,
    limit: int = 20,
) -> tuple[Found, ...]:
    """Return the volunteers that the actor may see and that ``text`` means, by number, up to ``limit``.

    ``text`` is a volunteer number, a whole phone or part of a name; width, case, spaces and dots make no
    difference. Without one everybody comes whom the actor may see. ``organization`` is a number. Whoever sees a name in its mask finds
    by what the mask shows or by the whole name, and children only by their whole name or phone: a search
    tells nothing that a mask hides. Raises NotPermitted, InvalidValue for a limit outside 1 … 200
    or a text with nothing to look for, with NUL or half a surrogate pair, KeyProblem.
    """
    reach = desk.reach("volunteer.view")
    if reach.nothing:
        raise NotPermitted(actor=desk.actor.id, action="volunteer.view")
    whole_number("limit", limit, 1, _MOST)
    for name, given in (("organization", organization), ("skill_code", skill_code)):
        if given is not None:
            plain_text(name, given)
    subject = sa.literal(_PREFIX).concat(sa.cast(volunteer.c.id, sa.Text))
    closed = sa.select(retention.c.subject).where(
        retention.c.subject == subject, retention.c.state.in_(CLOSED)
    )
    day = day_number(desk.today)
    query = sa.select(volunteer.c.id).where(within(reach, reached_by(day)), ~closed.exists(),
                                            volunteer.c.status != "merged")  # fmt: skip
    query = query.order_by(volunteer.c.number)
    if organization is not None:
        query = query.where(volunteer.c.id.in_(members_of((organization,), day)))
    if skill_code is not None:
        skilled = sa.select(tag.c.volunteer_id).where(tag.c.kind == "skill", tag.c.value == skill_code)
        query = query.where(volunteer.c.id.in_(skilled))
    number = wanted = ""
    if text is not None and not isinstance(text, str):
        raise InvalidValue(name="text", value=type(text).__name__, allowed=phrase("allowed_search"))
    if text is not None:
        wanted = normal("name", text[:_MOST]) if storable(text) else ""
        if not wanted:  # nothing that could be looked for is not everything
            raise InvalidValue(
                name="text", value=phrase("count_letters", count=len(text)), allowed=phrase("allowed_search")
            )
        number = resolved_number(desk.connection, fold(text[:_MOST]).strip().upper())
        query = query.where(_candidates(desk, text[:_MOST], wanted, number))
    found: list[Found] = []
    for row, data in _opened(desk, query):
        cell = covering(desk.holder("volunteer.view"), "volunteer.view", desk.today, row.place)
        if cell is None:  # never so: the list and the object are decided by the same cells
            continue
        shown, _ = seen(desk, row, cell, data)
        if not wanted or row.number == number or _means(desk, wanted, row, data, shown):
            found.append(Found(row.number, str(shown.get("name", "")), row.organization, row.status))
        if len(found) == limit:
            break
    return tuple(found)


def _candidates(desk: Desk, text: str, wanted: str, number: str) -> sa.ColumnElement[bool]:
    """Return the condition for volunteers whose number or blind indices fit ``wanted``."""
    numbered = sa.select(volunteer.c.id).where(volunteer.c.number == number)
    index = indexer_if_any(desk.connection, desk.needed_cipher())
    if index is None:
        return volunteer.c.id.in_(numbered)
    phone = normal("phone", text)
    if phone.isascii() and phone.isdigit():
        pairs = [("phone", phone)]
    else:
        pairs = [("name_part", wanted[i : i + 2]) for i in range(max(len(wanted) - 1, 1))][:8]
    here, *others = [
        sa.and_(
            blind.c.kind == kind, blind.c.digest == index(kind, part), blind.c.subject.startswith(_PREFIX)
        )
        for kind, part in pairs
    ]
    # the id behind the subject, so that candidates are looked up by the table's own key
    id_ = sa.cast(sa.func.substr(blind.c.subject, len(_PREFIX) + 1), volunteer.c.id.type)
    found = sa.select(id_).where(
        here, *(blind.c.subject.in_(sa.select(blind.c.subject).where(each)) for each in others)
    )
    return volunteer.c.id.in_(sa.union(numbered, found))


def _opened(desk: Desk, query: Any) -> Iterator[tuple[reading.Found, dict[str, Any]]]:
    # most searches are answered by the first few: the rest is fetched only when they were not enough
    for skipped, taken in ((0, _CHUNK), (_CHUNK, _MOST_OPENED)):
        rows = list(desk.connection.execute(query.offset(skipped).limit(taken)).scalars())
        for start in range(0, len(rows), _CHUNK):
            some = reading.find_many(desk, rows[start : start + _CHUNK])
            held = open_subjects(desk.connection, desk.needed_cipher(), [row.subject for row in some])
            for row in some:
                yield row, held.get(row.subject, {})
        if len(rows) < taken:
            return


def _means(
    desk: Desk, wanted: str, row: reading.Found, data: Mapping[str, Any], shown: Mapping[str, Any]
) -> bool:
    """Tell whether a volunteer is meant, by nothing more than the actor may see or has typed in whole."""
    phone = normal("phone", wanted)
    mine = normal("phone", data.get("phone", ""))
    if row.number.casefold() == wanted or (mine and mine == phone):
        return True
    name = str(shown.get("name", "")).removesuffix(HIDDEN)
    return wanted in normal("name", name) or wanted == normal("name", data.get("name", ""))
