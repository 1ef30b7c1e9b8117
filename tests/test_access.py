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


@pytest.mark.parametrize("action", sorted(matrix()))
def test_a_grant_without_an_organization_and_an_actor_who_is_nobody_reach_nothing(action: str) -> None:
    for actor in (Actor("p1", (Grant("volunteer"),)), Actor("a1", (Grant("organization_admin"),))):
        for place in ({}, {"organization": "O1"}, {"volunteer": "V1"}):
            with pytest.raises(NotPermitted):
                authorize(actor, action, DAY, **place)


def test_an_actors_id_is_printable() -> None:
    with pytest.raises(InvalidValue):
        Actor("clerk\n7")


# v: own person, o: own organization, c, a, s: the whole city for the centre, auditors and the system
MATRIX = {
    "hours.confirm": "oc",
    "hours.export": "c",
    "hours.record": "vocs",
    "hours.reject": "oc",
    "hours.reverse": "oc",
    "hours.statement": "voca",
    "import.load": "cs",
    "organization.register": "c",
    "project.register": "oc",
    "rating.assess": "voca",
    "rating.decide": "cs",
    "statistics.read": "ca",
    "store.rebuild": "cs",
    "store.verify": "cas",
    "volunteer.register": "oc",
}
ROLES = {
    "v": ("volunteer", "own"),
    "o": ("organization_admin", "organization"),
    "c": ("centre", "city"),
    "a": ("auditor", "city"),
    "s": ("system", "city"),
}


def test_the_matrix_is_written_twice_so_that_a_change_is_meant() -> None:
    assert {
        action: dict(ROLES[letter] for letter in letters) for action, letters in MATRIX.items()
    } == matrix()
