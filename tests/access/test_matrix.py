"""Who may do what: default deny, roles where and when they hold, the matrix cell by cell."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from volunteerkit.access import (
    ROLES,
    Actor,
    Cell,
    Grant,
    Person,
    Place,
    authorize,
    covering,
    holding,
    matrix,
    reach,
    same_person,
)
from volunteerkit.errors import InvalidValue, NotPermitted

DAY = dt.date(2026, 11, 23)
BEFORE, AFTER = DAY - dt.timedelta(1), DAY + dt.timedelta(1)
SCOPES = {"team_leader": "T1", "organization_admin": "O1", "department_officer": "渝水区"}
PLACES = {
    "self": Place("V1", ("T9",), ("O9",), ("分宜县",), "somebody"),
    "brought": Place("V9", ("T9",), ("O9",), ("分宜县",), "actor-1"),
    "team": Place("V9", ("T1",), ("O9",), ("分宜县",), "somebody"),
    "organization": Place("V9", ("T9",), ("O1",), ("分宜县",), "somebody"),
    "jurisdiction": Place("V9", ("T9",), ("O9",), ("渝水区",), "somebody"),
    "published": Place("V9", ("T9",), ("O9",), ("分宜县",), "somebody", published=True),
    "none": Place("V9", ("T9",), ("O9",), ("分宜县",), "somebody"),
    "nowhere": Place(),
}
CELLS = [(action, role) for action in sorted(matrix()) for role in ROLES]


def actor_with(role: str, **more: Any) -> Actor:
    return Actor("actor-1", (Grant(role, SCOPES.get(role), **more),), volunteer="V1")


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
    actor = actor_with("centre", since=since, until=until)
    assert (covering(actor, "hours.confirm", DAY, Place()) is not None) is holds
    assert reach(actor, "hours.confirm", DAY).city is holds
    assert bool(holding(actor, "centre", DAY, Place())) is holds
    assert actor.grants[0].holds_on(DAY) is holds


@pytest.mark.parametrize("action", [*sorted(matrix()), "unknown.action"])
def test_nobody_may_do_anything_without_a_grant(action: str) -> None:
    for actor in (Actor("nobody"), Actor.of("stranger", "no-such-role")):
        for place in PLACES.values():
            with pytest.raises(NotPermitted):
                authorize(actor, action, DAY, place)


@pytest.mark.parametrize(("action", "role"), CELLS)
def test_every_cell_reaches_what_it_says_and_nothing_else(action: str, role: str) -> None:
    """The relation is worked out here once more, by hand, from the word in the cell."""
    cell, actor = matrix()[action].get(role), actor_with(role)
    reached = {
        None: set[str](),
        "self": {"self", "brought"},
        "team": {"team"},
        "organization": {"organization"},
        "jurisdiction": {"jurisdiction"},
        "city": set(PLACES),
        "published": {"published"},
    }[cell and cell.relation]
    assert {name for name, place in PLACES.items() if covering(actor, action, DAY, place)} == reached
    assert {name for name, place in PLACES.items() if reach(actor, action, DAY).covers(place)} == reached
    for place in PLACES.values():
        assert covering(actor, action, DAY, place) in (None, cell)


def test_the_least_binding_of_several_grants_counts() -> None:
    masked, own = matrix()["volunteer.view"]["centre"], matrix()["volunteer.view"]["volunteer"]
    assert (masked.masked, own.masked) == (True, False)
    both = Actor("actor-1", (Grant("centre"), Grant("volunteer")), volunteer="V1")
    assert covering(both, "volunteer.view", DAY, PLACES["self"]) == own
    assert covering(both, "volunteer.view", DAY, PLACES["none"]) == masked


def test_a_deciding_action_separates_duties_for_everybody() -> None:
    for action in matrix():
        if ".decide" in action or action in ("hours.confirm", "hours.reject", "rating.override"):
            free = {role for role, cell in matrix()[action].items() if not cell.separate}
            assert free <= ({"centre", "system"} if action == "rating.decide" else set()), action


def test_who_decides_nothing_holds_no_deciding_cell() -> None:
    for action, row in matrix().items():
        if any(cell.separate for cell in row.values()):
            assert not {"public", "auditor", "recipient"} & set(row), action
            if "volunteer" in row:  # their own claim, redemption or copy: never somebody else's
                assert row["volunteer"].relation == "self", action


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Person("a"), Person("a"), True),
        (Person("a", "V1"), Person("b", "V1"), True),
        (Person("a", "V1"), Person("b", "V2"), False),
        (Person("a"), Person("b"), False),
        (Person(None, None), Person(None, None), False),
        (Person("a", None), Person(None, None), False),
    ],
)
def test_one_person(one: Person, other: Person, same: bool) -> None:
    assert same_person(one, other) is same
    assert same_person(other, one) is same


@pytest.mark.parametrize("id", ["", "clerk\n7", "x" * 101, None, 7])
def test_an_actors_id_is_printable(id: Any) -> None:
    with pytest.raises(InvalidValue):
        Actor(id)


@pytest.mark.parametrize(
    ("role", "scope"), [("organization_admin", None), ("centre", "O1"), ("team_leader", None)]
)
def test_a_grant_has_the_scope_its_role_needs(role: str, scope: str | None) -> None:
    with pytest.raises(InvalidValue):
        Grant(role, scope)


@pytest.mark.parametrize("text", ["everywhere", "city sometimes", "organization city"])
def test_a_cell_in_other_words_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        Cell.parse(text)


def test_an_actor_is_a_value() -> None:
    assert attrs.evolve(Actor.of("a", "centre")) == Actor.of("a", "centre")


def test_the_matrix_cannot_be_changed() -> None:
    rows: Any = matrix()
    for target in (rows, rows["hours.confirm"]):
        with pytest.raises(TypeError):
            target["auditor"] = Cell("city")


def test_a_cell_without_words_is_refused() -> None:
    with pytest.raises(InvalidValue):
        Cell.parse("")


@pytest.mark.parametrize("more", [{"volunteer": ""}, {"on_behalf_of": ""}, {"volunteer": 7}, {"grants": ("centre",)},
                                  {"grants": "centre"}, {"id": "\ud800"}])  # fmt: skip
def test_an_actor_of_anything_else_is_refused(more: Any) -> None:
    with pytest.raises(InvalidValue):
        Actor(**({"id": "a"} | more))


@pytest.mark.parametrize(
    "more", [{"since": dt.datetime(2026, 1, 1)}, {"until": "2026-01-01"}, {"role": ""}, {"delegated_by": ""}]
)
def test_a_grant_of_anything_else_is_refused(more: Any) -> None:
    with pytest.raises(InvalidValue):
        Grant(**({"role": "centre"} | more))


def test_an_actor_is_a_value_and_takes_no_list() -> None:
    assert hash(Actor("a", (Grant("centre"),))) == hash(Actor.of("a", "centre"))
    with pytest.raises(InvalidValue):
        Actor("a", [Grant("centre")])  # type: ignore[arg-type]
