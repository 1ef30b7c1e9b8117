"""Who may do what: an actor with grants, a matrix that is data, one decision about one object.

Default deny. Who logged in is the portal's affair: it hands in an `Actor`. What decides about one object
(`authorize`) and what filters a list (`reach`, turned into SQL by the store) read the same cells.
Separation of duties compares persons: see `same_person` and ``desk.separate``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Final

import attrs

from volunteerkit.errors import InvalidValue, NotPermitted, nearest
from volunteerkit.units import plain_day, plain_text

__all__ = [
    "ROLES",
    "Actor",
    "Cell",
    "Grant",
    "Person",
    "Place",
    "Reach",
    "authorize",
    "covering",
    "holding",
    "matrix",
    "reach",
    "reading_actions",
    "same_person",
]

_SCOPES: Final = {"team_leader": "team", "organization_admin": "organization", "department_officer": "area"}
_RELATIONS: Final = ("self", "team", "organization", "jurisdiction", "city", "published")
_BINDINGS: Final = ("masked", "second", "separate", "purpose")

ROLES: Final = (
    "public", "volunteer", "team_leader", "organization_admin", "department_officer", "centre", "auditor",
    "recipient", "system",
)  # fmt: skip
"""The nine roles of the matrix; ``access.toml`` says what each is."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Cell:
    """What a role may do with an action: the relation to the object, and what binds the use."""

    relation: str
    masked: bool = False
    second: bool = False
    separate: bool = False
    purpose: bool = False

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Return the cell for a text such as ``"city second separate"``; raises InvalidValue.

        >>> Cell.parse("organization masked").masked
        True
        """
        relation, *bindings = text.split() or [""]
        wrong = [word for word in bindings if word not in _BINDINGS]
        if relation not in _RELATIONS or wrong:
            raise InvalidValue(name="cell", value=text, allowed=", ".join((*_RELATIONS, *_BINDINGS)))
        return cls(relation, **dict.fromkeys(bindings, True))


@cache
def _data() -> dict[str, Any]:
    import tomllib

    return tomllib.loads(files("volunteerkit").joinpath("access.toml").read_text("utf-8"))


@cache
def reading_actions() -> frozenset[str]:
    """Return the actions that only read: what an office of a suspended organization or team may still do.

    >>> "hours.statement" in reading_actions(), "hours.confirm" in reading_actions()
    (True, False)
    """
    return frozenset(_data()["reading"])


@cache
def matrix() -> Mapping[str, Mapping[str, Cell]]:
    """Return the matrix: ``{action: {role: cell}}``; a role without a cell may not.

    >>> matrix()["hours.confirm"]["centre"].separate
    True
    """
    data = _data()
    unknown = {role for row in data["actions"].values() for role in row} - set(ROLES)
    if unknown:
        raise InvalidValue(name="role", value=", ".join(sorted(unknown)), allowed=", ".join(ROLES))
    # nobody who holds it can change what others may do
    return MappingProxyType(
        {
            action: MappingProxyType({role: Cell.parse(text) for role, text in row.items()})
            for action, row in data["actions"].items()
        }
    )


def _opaque(_: object, attribute: attrs.Attribute[Any], value: str) -> None:
    plain_text(attribute.name, value, 100)


def _open_day(_: object, attribute: attrs.Attribute[dt.date | None], value: dt.date | None) -> None:
    if value is not None:
        plain_day(attribute.name, value)


@attrs.frozen
class Grant:
    """A role, where it holds and when.

    ``scope`` is the number of the team or organization, or the area, that the role ``team_leader``,
    ``organization_admin`` or ``department_officer`` holds for; other roles have none. ``since`` and
    ``until`` are inclusive days, None for open ends. ``delegated_by`` is the actor who lent it, and for
    whom its holder then acts. Raises InvalidValue.

    >>> Grant("organization_admin", "O0001").holds_on(dt.date(2026, 11, 24))
    True
    """

    role: str = attrs.field(validator=_opaque)
    scope: str | None = attrs.field(default=None, validator=attrs.validators.optional(_opaque))
    since: dt.date | None = attrs.field(default=None, validator=_open_day)
    until: dt.date | None = attrs.field(default=None, validator=_open_day)
    delegated_by: str | None = attrs.field(default=None, validator=attrs.validators.optional(_opaque))

    def __attrs_post_init__(self) -> None:
        if (self.scope is None) == (self.role in _SCOPES):
            needed = _SCOPES.get(self.role, "None")
            raise InvalidValue(name="scope", value=self.scope, allowed=f"{self.role}: {needed}")

    def holds_on(self, day: dt.date) -> bool:
        """Tell whether the grant is in force on ``day``."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def _all_grants(_: object, attribute: attrs.Attribute[tuple[Grant, ...]], value: tuple[Grant, ...]) -> None:
    if type(value) is not tuple or not all(isinstance(grant, Grant) for grant in value):
        raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed="a tuple of Grant")


@attrs.frozen
class Actor:
    """Who acts: an opaque id, the number of the volunteer they are (if any), and grants.

    A role that nobody knows never permits anything. ``on_behalf_of`` is whom the actor stands in for; the
    separation of duties looks through it.

    >>> Actor.of("clerk-7", "centre").grants[0].role
    'centre'
    """

    id: str = attrs.field(validator=_opaque)
    grants: tuple[Grant, ...] = attrs.field(default=(), validator=_all_grants)
    volunteer: str | None = attrs.field(default=None, validator=attrs.validators.optional(_opaque))
    on_behalf_of: str | None = attrs.field(default=None, validator=attrs.validators.optional(_opaque))

    @classmethod
    def of(cls, id: str, *roles: str) -> Actor:
        """Return an actor with roles that hold everywhere and always, such as ``"centre"``."""
        return cls(id, tuple(Grant(role) for role in roles))

    @property
    def person(self) -> Person:
        """Who this is, for the separation of duties."""
        return Person(self.id, self.volunteer)


@attrs.frozen
class Person:
    """Somebody who acted, gains from something or is its subject: an actor's id, a volunteer's number."""

    actor_id: str | None = None
    volunteer: str | None = None


@attrs.frozen
class Place:
    """Where an object belongs: its volunteer, teams, organizations and areas (numbers), who brought it.

    ``published`` tells that the object is public.
    """

    volunteer: str | None = None
    teams: Collection[str] = ()
    organizations: Collection[str] = ()
    areas: Collection[str] = ()
    brought_by: str | None = None
    published: bool = False


@attrs.frozen
class Reach:
    """Everything one binding of an action reaches for an actor: what `Place.of` an object must meet."""

    city: bool = False
    published: bool = False
    volunteer: str | None = None
    brought_by: str | None = None
    teams: frozenset[str] = frozenset()
    organizations: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()

    @property
    def nothing(self) -> bool:
        """Whether nothing is reached at all."""
        return self == _NOTHING

    def covers(self, place: Place) -> bool:
        """Tell whether an object at ``place`` is reached."""
        return (
            self.city
            or (self.published and place.published)
            or (self.volunteer is not None and self.volunteer == place.volunteer)
            or (self.brought_by is not None and self.brought_by == place.brought_by)
            or not self.teams.isdisjoint(place.teams)
            or not self.organizations.isdisjoint(place.organizations)
            or not self.areas.isdisjoint(place.areas)
        )


_CITY, _PUBLISHED, _NOTHING = Reach(city=True), Reach(published=True), Reach()


def _reach_of(actor: Actor, grant: Grant, cell: Cell) -> Reach:
    if cell.relation == "city":
        return _CITY
    scope = frozenset([grant.scope]) if grant.scope else frozenset[str]()
    match cell.relation:
        case "published":
            return _PUBLISHED
        case "self":
            return Reach(volunteer=actor.volunteer, brought_by=actor.id)
        case "team" if grant.role == "team_leader":
            return Reach(teams=scope)
        case "organization" if grant.role == "organization_admin":
            return Reach(organizations=scope)
        case "jurisdiction" if grant.role == "department_officer":
            return Reach(areas=scope)
    return _NOTHING


def _holding(actor: Actor, action: str, on: dt.date, stored: Iterable[Grant]) -> Iterable[tuple[Cell, Reach]]:
    row = matrix().get(action, {})
    for grant in (*actor.grants, *stored):
        cell = row.get(grant.role)
        if cell is not None and grant.holds_on(on):
            yield cell, _reach_of(actor, grant, cell)


def _burden(cell: Cell) -> tuple[bool, bool, bool, bool]:
    return cell.second, cell.masked, cell.purpose, cell.separate


def covering(
    actor: Actor, action: str, on: dt.date, place: Place, stored: Iterable[Grant] = ()
) -> Cell | None:
    """Return the least binding cell that lets ``actor`` do ``action`` at ``place`` on day ``on``, or None.

    ``stored`` are grants kept in the database beside those that the portal handed in.
    """
    cells = [cell for cell, reached in _holding(actor, action, on, stored) if reached.covers(place)]
    return min(cells, key=_burden, default=None)


def holding(
    actor: Actor, role: str, on: dt.date, place: Place, stored: Iterable[Grant] = ()
) -> tuple[Grant, ...]:
    """Return the grants of ``role`` by which ``actor`` holds an office for ``place`` on day ``on``.

    A role with a scope holds for the places of that scope, every other role for the whole city. Grants of
    the actor's own come before lent ones.
    """
    found = []
    for grant in (*actor.grants, *stored):
        if grant.role != role or not grant.holds_on(on):
            continue
        scoped = {"team": place.teams, "organization": place.organizations, "area": place.areas}
        if grant.scope is None or grant.scope in scoped[_SCOPES[role]]:
            found.append(grant)
    return tuple(sorted(found, key=lambda grant: grant.delegated_by or ""))


def reach(actor: Actor, action: str, on: dt.date, stored: Iterable[Grant] = ()) -> Reach:
    """Return everything that ``actor`` may do ``action`` to on day ``on``, for filtering a list.

    An object is in the list exactly when `covering` finds a cell for it.
    """
    found = [each for _, each in _holding(actor, action, on, stored)]
    return Reach(
        any(each.city for each in found),
        any(each.published for each in found),
        next((each.volunteer for each in found if each.volunteer), None),
        next((each.brought_by for each in found if each.brought_by), None),
        frozenset().union(*(each.teams for each in found)),
        frozenset().union(*(each.organizations for each in found)),
        frozenset().union(*(each.areas for each in found)),
    )


def authorize(
    actor: Actor, action: str, on: dt.date, place: Place | None = None, stored: Iterable[Grant] = ()
) -> Cell:
    """Return the cell that permits ``action``; raise NotPermitted otherwise, also for an unknown action.

    Without a ``place`` only a role that reaches the whole city is permitted.
    """
    cell = covering(actor, action, on, place or Place(), stored)
    if cell is None:
        guess = "" if action in matrix() else nearest(action, matrix())
        raise NotPermitted(actor=actor.id, action=f"{action} ({guess}?)" if guess else action)
    return cell


def same_person(one: Person, other: Person) -> bool:
    """Tell whether two are one person: the same actor, or the same volunteer.

    >>> same_person(Person("clerk-7", "V0000007"), Person("app-3", "V0000007"))
    True
    """
    return (one.actor_id is not None and one.actor_id == other.actor_id) or (
        one.volunteer is not None and one.volunteer == other.volunteer
    )
