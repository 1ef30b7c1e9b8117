"""Decisions that are kept: grades granted to a whole city, and those that hours no longer carry."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import InvalidValue, NotFound
from volunteerkit.hours.tables import transfer
from volunteerkit.ledger import ADJUST, MOVE, REVERSE, honour_account
from volunteerkit.rating.actions import MEASURES, CityRating
from volunteerkit.rating.stream import decided_as, scheme_asked
from volunteerkit.rating.tables import decision
from volunteerkit.rules.parts import Scheme
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import command, insert_rows, note
from volunteerkit.store.registering import next_id
from volunteerkit.store.schema import head
from volunteerkit.store.sealing import seal_rows
from volunteerkit.units import day_number, day_of, of_type, plain_text
from volunteerkit.volunteers.persons import together

__all__ = ["Fallen", "Reversal", "decide_city", "fallen"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Reversal:
    """Minutes that were taken back from a record after a grade was decided; ``seq`` is the ledger's."""

    record_id: int
    on: dt.date
    minutes: int
    seq: int


@attrs.frozen
class Fallen:
    """A volunteer who holds a higher grade than the conditions allow, and the corrections since it was granted."""

    volunteer: str
    held: int
    allowed: int
    reversals: tuple[Reversal, ...]


@attrs.frozen
class _Last:
    """A volunteer's last decision: its id, its grade, what of the ledger it saw."""

    id: int
    grade: int
    known_at: int


def _scheme(desk: Desk, rating: CityRating) -> tuple[str, Scheme]:
    """Return the name under which decisions are kept, and the scheme they are about."""
    book = desk.rulebooks.get(rating.ladder)
    if book is None:
        return rating.ladder, Scheme(rating.question, ())
    version = book.version_on(rating.as_of)
    scheme = scheme_asked(book, version, rating.question)
    return decided_as(book, version, scheme), scheme


def _before(desk: Desk, name: str) -> dict[int, list[_Last]]:
    """Return the decisions kept under a name, oldest first, by the volunteer's id."""
    columns = (decision.c.volunteer_id, decision.c.id, decision.c.grade, decision.c.known_at)
    query = sa.select(*columns).where(decision.c.rulebook == name).order_by(decision.c.id)
    found: dict[int, list[_Last]] = {}
    for id_, *rest in desk.connection.execute(query):
        found.setdefault(id_, []).append(_Last(*rest))
    return found


def _fell(rating: CityRating, before: dict[int, list[_Last]]) -> Iterator[tuple[int, int, _Last]]:
    """Yield the place in the city, the grade held and its decision, of those whose grade is allowed no more."""
    for i, id_ in enumerate(rating.ids if rating.grades else ()):
        mine = before.get(id_)
        if not mine:
            continue
        held = rating.standings[i].held if rating.standings else mine[-1].grade
        unknown = rating.standings and rating.standings[i].allowed is None
        if rating.grades[i] < held and not unknown:
            yield i, held, next((each for each in reversed(mine) if each.grade == held), mine[-1])


@storage_errors("database")
def fallen(desk: Desk, rating: CityRating) -> tuple[Fallen, ...]:
    """Return who holds a higher grade than ``rating`` allows, such as after a reversal of hours.

    `decide_city` leaves them what they hold unless it is told otherwise. Raises NotPermitted.
    """
    desk.permit("rating.decide")
    of_type("rating", rating, CityRating)
    name, scheme = _scheme(desk, rating)
    if scheme.loss == "never":
        return ()
    return tuple(
        Fallen(rating.volunteers[i], held, rating.grades[i], _reversals(desk, rating.ids[i], last.known_at))
        for i, held, last in _fell(rating, _before(desk, name))
    )


def _reversals(desk: Desk, volunteer_id: int, known_at: int) -> tuple[Reversal, ...]:
    accounts = [honour_account(each) for each in together(desk.connection, volunteer_id)]
    moved = transfer.c
    query = sa.select(moved.record_id, moved.effective_on, moved.minutes, moved.seq).where(
        moved.debit_id.in_(accounts), moved.seq > known_at, moved.code.in_((REVERSE, ADJUST, MOVE))
    )
    return tuple(
        Reversal(row.record_id, day_of(row.effective_on), row.minutes, row.seq)
        for row in desk.connection.execute(query.order_by(moved.seq))
    )


@command
def decide_city(
    desk: Desk, rating: CityRating, *, applied: Collection[str] | None = None, lower: Collection[str] = ()
) -> int:
    """Keep a decision for every volunteer who may be granted a grade now; return how many were written.

    Running it twice on unchanged data adds nothing; a correction is a new row that names the old one. A grade
    that conditions no longer allow goes by itself only where the scheme says ``loss = "recomputed"``;
    otherwise it stays, `fallen` lists it, and the centre lowers those it names in ``lower`` (numbers).
    ``applied`` are the numbers of those who applied or were nominated, for schemes that wait for it. Raises
    NotPermitted, InvalidValue, NotFound for a number that is not in ``rating``.
    """
    desk.permit("rating.decide")
    of_type("rating", rating, CityRating)
    name, scheme = _scheme(desk, rating)
    if scheme.procedure != "automatic" and applied is None:
        raise InvalidValue("decide_needs_applied", rulebook=rating.ladder, procedure=scheme.procedure)
    for given, numbers in (("applied", () if applied is None else applied), ("lower", lower)):
        _check_numbers(given, numbers, rating)
    before = _before(desk, name)
    rows: list[tuple[int, int, int | None]] = []
    for i in range(len(rating.grades)):
        if applied is None or rating.volunteers[i] in applied:
            rows += _granted(rating, scheme, i, before.get(rating.ids[i], []))
    if scheme.loss != "never":
        rows += [
            (i, rating.grades[i], last.id)
            for i, _, last in _fell(rating, before)
            if scheme.loss == "recomputed" or rating.volunteers[i] in lower
        ]
    _write(desk, name, rating, sorted(rows, key=lambda row: row[0]))
    return len(rows)


def _check_numbers(name: str, numbers: Collection[str], rating: CityRating) -> None:
    if not isinstance(numbers, list | tuple | set | frozenset):
        raise InvalidValue(name=name, value=type(numbers).__name__, allowed="[V…, V…]")
    known = set(rating.volunteers)
    for number in numbers:
        if plain_text(name, number) not in known:
            raise NotFound(kind="volunteer", id=number)


def _granted(
    rating: CityRating, scheme: Scheme, i: int, mine: list[_Last]
) -> Iterator[tuple[int, int, int | None]]:
    """Yield (place in the city, grade, decision it replaces) of what one volunteer is granted now."""
    last = mine[-1] if mine else None
    if not rating.standings:
        if rating.grades[i] > (last.grade if last else 0):
            yield i, rating.grades[i], last.id if last else None
    else:
        for grade in rating.standings[i].grantable:
            yield i, grade, last.id if last and scheme.take == "highest" else None


def _write(desk: Desk, name: str, rating: CityRating, rows: list[tuple[int, int, int | None]]) -> None:
    if not rows:
        return
    connection, following = desk.connection, next_id(desk, decision)
    known_at = connection.execute(sa.select(head.c.transfer_seq)).scalar_one()
    made: list[tuple[Any, ...]] = []
    for n, (i, grade, replaces) in enumerate(rows):
        names = ("credited_minutes", *MEASURES, "registered_days")
        facts = json.dumps({name: getattr(rating, name)[i] for name in names}, sort_keys=True)
        made.append((following + n, rating.ids[i], name, rating.ladder_digest, rating.credit_digest,
                     day_number(rating.as_of), known_at, grade, facts, replaces))  # fmt: skip
    insert_rows(connection, decision.name, decision.columns.keys(), made)
    seal_rows(desk, decision, made)
    payload = {"rulebook": name, "digest": rating.ladder_digest, "decisions": len(made)}
    note(desk, "rating.decided", "city", payload)
