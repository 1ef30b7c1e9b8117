"""Who may do what: an actor with grants, a matrix that is data, and one decision. Default deny.

Who logged in is the portal's affair: it hands in an `Actor`. Separation of duties compares persons and
stands with the verbs that know who recorded what.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib.resources import files

import attrs

from volunteerkit.errors import InvalidValue, NotPermitted
from volunteerkit.units import plain_day, plain_text

__all__ = ["Actor", "Grant", "authorize", "matrix"]


def __dir__() -> list[str]:
    return __all__


@cache
def matrix() -> dict[str, dict[str, str]]:
    """Return the matrix: ``{action: {role: relation}}`` with relations own, organization, city."""
    import tomllib

    data = tomllib.loads(files("volunteerkit").joinpath("access.toml").read_text("utf-8"))
    return {
        action: {role: data["roles"][role] for role in roles} for action, roles in data["actions"].items()
    }


def _open_day(_: object, attribute: attrs.Attribute[dt.date | None], value: dt.date | None) -> None:
    if value is not None:
        plain_day(attribute.name, value)


@attrs.frozen
class Grant:
    """A role, where it holds and when.

    ``organization`` is the number of the organization for the role ``organization_admin``; ``since`` and
    ``until`` are inclusive days, None for open ends.
    """

    role: str
    organization: str | None = None
    since: dt.date | None = attrs.field(default=None, validator=_open_day)
    until: dt.date | None = attrs.field(default=None, validator=_open_day)

    def holds_on(self, day: dt.date) -> bool:
        """Tell whether the grant is in force on ``day``."""
        return (self.since is None or self.since <= day) and (self.until is None or day <= self.until)


def _opaque(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    plain_text(attribute.name, value, 100)


def _all_grants(_: object, attribute: attrs.Attribute[tuple[Grant, ...]], value: tuple[Grant, ...]) -> None:
    if type(value) is not tuple or not all(isinstance(grant, Grant) for grant in value):
        raise InvalidValue(name=attribute.name, value=type(value).__name__, allowed="a tuple of Grant")


@attrs.frozen
class Actor:
    """Who acts: an opaque id, the number of the volunteer they are (if any), and grants.

    >>> Actor.of("clerk-7", "centre").grants[0].role
    'centre'
    """

    id: str = attrs.field(validator=_opaque)
    grants: tuple[Grant, ...] = attrs.field(default=(), validator=_all_grants)
    volunteer: str | None = None

    @classmethod
    def of(cls, id: str, *roles: str) -> Actor:
        """Return an actor with roles that hold everywhere and always, such as ``"centre"``."""
        return cls(id, tuple(Grant(role) for role in roles))


def authorize(
    actor: Actor,
    action: str,
    on: dt.date,
    *,
    organization: str | None = None,
    volunteer: str | None = None,
) -> None:
    """Return if ``actor`` may do ``action`` on day ``on`` to that organization's or volunteer's things.

    Raises NotPermitted otherwise, also for an unknown action or role.
    """
    row = matrix().get(action, {})
    for grant in actor.grants:
        relation = row.get(grant.role)
        if relation is None or not grant.holds_on(on):
            continue
        if relation == "city":
            return
        if relation == "organization" and organization is not None and grant.organization == organization:
            return
        if relation == "own" and volunteer is not None and actor.volunteer == volunteer:
            return
    raise NotPermitted(actor=actor.id, action=action)
