"""Who may do what: default deny, roles where and when they hold."""

from __future__ import annotations

import datetime as dt

import pytest

from volunteerkit.access import Actor, Grant, authorize, matrix
from volunteerkit.errors import InvalidValue, NotPermitted

DAY = dt.date(2026, 11, 23)
BEFORE, AFTER = DAY - dt.timedelta(1), DAY + dt.timedelta(1)


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        (None, None, True),
        (DAY, DAY, True),
        (AFTER, None, False),
        (None, BEFORE, False),
        (BEFORE, AFTER, True),
    ],
)
def test_a_grant_holds_on_its_days_inclusive(
    since: dt.date | None, until: dt.date | None, holds: bool
) -> None:
    actor = Actor("clerk-7", (Grant("centre", since=since, until=until),))
    if holds:
        authorize(actor, "hours.confirm", DAY)
    else:
        with pytest.raises(NotPermitted):
            authorize(actor, "hours.confirm", DAY)
    assert actor.grants[0].holds_on(DAY) is holds


@pytest.mark.parametrize("action", [*sorted(matrix()), "unknown.action"])
def test_nobody_may_do_anything_without_a_grant(action: str) -> None:
    for actor in (Actor("nobody"), Actor.of("stranger", "no-such-role")):
        with pytest.raises(NotPermitted):
            authorize(actor, action, DAY, organization="O1", volunteer="V1")


@pytest.mark.parametrize("action", sorted(matrix()))
def test_own_and_organization_reach_no_further(action: str) -> None:
    roles = matrix()[action]
    own = Actor("p1", (Grant("volunteer"),), volunteer="V1")
    admin = Actor("a1", (Grant("organization_admin", "O1"),))
    for actor, role, near, far in (
        (own, "volunteer", {"volunteer": "V1"}, {"volunteer": "V2"}),
        (admin, "organization_admin", {"organization": "O1"}, {"organization": "O2"}),
    ):
        if role in roles:
            authorize(actor, action, DAY, **near)
        with pytest.raises(NotPermitted):
            authorize(actor, action, DAY, **far)
        with pytest.raises(NotPermitted):
            authorize(actor, action, DAY)


def test_an_actors_id_is_printable() -> None:
    with pytest.raises(InvalidValue):
        Actor("clerk\n7")
