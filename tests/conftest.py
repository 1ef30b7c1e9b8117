"""Fixtures for every test: databases, a city in one, snapshots, the house's hypothesis profiles."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import runpy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import settings

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, fixed_clock

settings.register_profile("quick", deadline=None, print_blob=True)
settings.register_profile("campaign", deadline=None, print_blob=True, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

SNAPSHOTS = Path(__file__).parent / "snapshots"

# not imported by name: the folders beside it would then hide packages of the same name
_postgresql = runpy.run_path(str(Path(__file__).with_name("postgresql.py")), run_name="postgresql")
_names = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Any]:
    """One PostgreSQL server a worker, started when first asked for; skipped only where none is installed."""
    found = _postgresql["binaries"]()
    if found is None:
        reason = "no PostgreSQL server binaries here; on Debian: apt-get install postgresql"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with _postgresql["running"](found) as server:
        yield server


@contextmanager
def _database(server: Any, template: str = "template0") -> Iterator[str]:
    import psycopg

    name = f"city_{next(_names)}"
    admin = server.url("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield name
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Any) -> Iterator[str]:
    """The name of a database with the library's tables: to copy it is much quicker than to make them anew."""
    with _database(postgresql_server) as name:
        engine = volunteerkit.create_engine(postgresql_server.url(name))
        Kit.load().migrate(engine)
        engine.dispose()  # PostgreSQL copies only what nobody is connected to
        yield name


@pytest.fixture
def postgresql_url(postgresql_server: Any, postgresql_template: str) -> Iterator[str]:
    """The address of a fresh PostgreSQL database with the library's tables, dropped afterwards."""
    with _database(postgresql_server, postgresql_template) as name:
        yield postgresql_server.url(name)


@pytest.fixture
def empty_postgresql_url(postgresql_server: Any) -> Iterator[str]:
    """The address of a fresh PostgreSQL database with nothing in it, dropped afterwards."""
    with _database(postgresql_server) as name:
        yield postgresql_server.url(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'city.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database: the test runs on SQLite and on PostgreSQL.

    It is a file that does not exist yet, or has the library's tables and nothing in them.
    """
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite_url", "empty_postgresql_url"], ids=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database without tables, for what makes them: on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
def snapshot() -> Callable[[str, str], None]:
    """Compare a text with tests/snapshots/NAME; with VOLUNTEERKIT_SNAPSHOTS=write, write it there first."""

    def compare(name: str, text: str) -> None:
        path = SNAPSHOTS / name
        if os.environ.get("VOLUNTEERKIT_SNAPSHOTS") == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
        assert path.is_file(), f"no snapshot {name}: read the text, then set VOLUNTEERKIT_SNAPSHOTS=write"
        assert text == path.read_text("utf-8")

    return compare


@attrs.frozen
class City:
    """A kit with a database; `at` does one unit of work on a day: a verb, or any function of a desk."""

    kit: Kit
    engine: sa.Engine

    def at(self, day: dt.date, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        noon = dt.datetime.combine(day, dt.time(4), dt.UTC)
        with attrs.evolve(self.kit, clock=fixed_clock(noon)).open(self.engine, actor) as desk:
            return verb(desk, *given, **named)


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
