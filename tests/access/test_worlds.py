"""A list filtered in SQL holds exactly the objects that the decision about one object permits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import volunteerkit
from volunteerkit.access import ROLES, Actor, Grant, Place, Reach, covering, matrix, reach
from volunteerkit.store.grants import within

DAY = dt.date(2026, 11, 23)
SCOPES = {"team_leader": "T", "organization_admin": "O", "department_officer": "A"}
METADATA = sa.MetaData()
THING = sa.Table(
    "thing", METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("volunteer", sa.Text),
    sa.Column("brought_by", sa.Text), sa.Column("team", sa.Text), sa.Column("organization", sa.Text),
    sa.Column("second", sa.Text), sa.Column("published", sa.Boolean, nullable=False),
)  # fmt: skip
AREA = sa.Table("thing_area", METADATA, sa.Column("thing_id", sa.Integer), sa.Column("area", sa.Text))
COLUMNS: dict[str, Any] = {
    "volunteer": THING.c.volunteer,
    "brought_by": THING.c.brought_by,
    "team": THING.c.team,
    "organization": lambda values: sa.or_(THING.c.organization.in_(values), THING.c.second.in_(values)),
    "area": lambda values: sa.exists().where(AREA.c.thing_id == THING.c.id, AREA.c.area.in_(values)),
    "published": THING.c.published,
}
numbers = st.integers(1, 3)
near = st.sampled_from([None, *(DAY + dt.timedelta(n) for n in (-1, 0, 1))])


@st.composite
def grants(draw: st.DrawFn) -> Grant:
    role = draw(st.sampled_from([*ROLES, "mayor"]))
    scope = f"{SCOPES[role]}{draw(numbers)}" if role in SCOPES else None
    return Grant(role, scope, draw(near), draw(near), draw(st.sampled_from([None, "lender"])))


def named(letter: str) -> st.SearchStrategy[str]:
    return numbers.map(lambda n: f"{letter}{n}")


def some(letter: str, most: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(named(letter), max_size=most, unique=True).map(tuple)


places = st.builds(
    Place, volunteer=st.none() | named("V"), teams=some("T", 1), organizations=some("O", 2),
    areas=some("A", 3), brought_by=st.none() | named("actor-"), published=st.booleans(),
)  # fmt: skip
actors = st.builds(
    Actor, id=named("actor-"), grants=st.lists(grants(), max_size=3).map(tuple),
    volunteer=st.none() | named("V"),
)  # fmt: skip


def fill(connection: sa.Connection, objects: list[Place]) -> None:
    connection.execute(sa.delete(THING))
    connection.execute(sa.delete(AREA))
    things, areas = [], []
    for number, place in enumerate(objects):
        first, second = [*place.organizations, None, None][:2]
        things.append({
            "id": number, "volunteer": place.volunteer, "brought_by": place.brought_by,
            "team": next(iter(place.teams), None), "organization": first, "second": second, "published": place.published,
        })  # fmt: skip
        areas += [{"thing_id": number, "area": area} for area in place.areas]
    for table, rows in ((THING, things), (AREA, areas)):
        if rows:
            connection.execute(sa.insert(table), rows)


@contextmanager
def filled(url: str) -> Iterator[sa.Connection]:
    engine = volunteerkit.create_engine(url)
    with engine.connect() as connection:
        METADATA.create_all(connection)
        yield connection
        connection.rollback()
    engine.dispose()


def test_the_list_is_what_one_by_one_is_permitted(database_url: str) -> None:
    with filled(database_url) as connection:

        @settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow], database=None)
        @given(
            actors,
            st.lists(grants(), max_size=2),
            st.lists(places, max_size=6),
            st.sampled_from([*sorted(matrix()), "x.y"]),
        )
        def world(actor: Actor, stored: list[Grant], objects: list[Place], action: str) -> None:
            fill(connection, objects)
            reached = reach(actor, action, DAY, stored)
            condition = within(reached, COLUMNS)
            listed = set(connection.execute(sa.select(THING.c.id).where(condition)).scalars())
            permitted = {
                number
                for number, place in enumerate(objects)
                if covering(actor, action, DAY, place, stored) is not None
            }
            assert listed == permitted
            if reached.nothing:
                assert str(condition) == "false"

        world()


@given(actors, st.lists(grants(), max_size=2), places, st.sampled_from(sorted(matrix())))
def test_a_grant_more_never_takes_anything_away(
    actor: Actor, more: list[Grant], place: Place, action: str
) -> None:
    with_more = attrs.evolve(actor, grants=(*actor.grants, *more))
    if reach(actor, action, DAY).covers(place):
        assert reach(with_more, action, DAY).covers(place)
        assert covering(with_more, action, DAY, place) is not None


def test_nothing_reached_is_false_and_what_is_not_mapped_is_not_reached() -> None:
    assert str(within(Reach(), COLUMNS)) == "false"
    assert (
        str(within(Reach(teams=frozenset({"T1"}), published=True), {"volunteer": THING.c.volunteer}))
        == "false"
    )
    assert str(within(Reach(city=True), {})) == "true"
