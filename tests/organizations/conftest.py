"""A city with a database, at any day, for any actor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, fixed_clock
from volunteerkit.store.desk import Desk


@attrs.frozen
class City:
    """A kit with a database; `at` does one unit of work on a day."""

    kit: Kit
    engine: sa.Engine

    def at(self, day: dt.date, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        noon = dt.datetime.combine(day, dt.time(4), dt.UTC)
        with attrs.evolve(self.kit, clock=fixed_clock(noon)).open(self.engine, actor) as desk:
            return verb(desk, *given, **named)

    def desk(self, day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        return self.at(day, actor, work)


@pytest.fixture
def make_city() -> Iterator[Callable[..., City]]:
    engines: list[sa.Engine] = []

    def make(url: str, *plugins: Any) -> City:
        engine = volunteerkit.create_engine(url)
        engines.append(engine)
        kit = Kit.load(*plugins, cipher=KeyCipher(bytes(32)))
        kit.migrate(engine)
        return City(kit, engine)

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def city(make_city: Callable[..., City], database_url: str) -> City:
    """A city on SQLite and on PostgreSQL."""
    return make_city(database_url)


@pytest.fixture
def small(make_city: Callable[..., City]) -> City:
    """A city in memory, for what does not depend on the database."""
    return make_city("sqlite://")
