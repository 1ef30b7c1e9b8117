"""Fixtures for every test: databases, a city in one, snapshots, the house's hypothesis profiles."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import runpy
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
def _database(server: Any) -> Iterator[str]:
    import psycopg

    name = f"city_{next(_names)}"
    admin = server.url("postgres").replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield name
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


_SHAPE = " UNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {catalog}"
    for catalog in ("pg_class", "pg_attribute", "pg_constraint", "pg_index", "pg_trigger", "pg_proc")
)
_SETTINGS = (
    "SELECT 1 FROM pg_db_role_setting JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = %s"
)
_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)


class Template:
    """A database with the library's tables, and copies of it that are emptied and used again.

    To copy one takes a tenth of a second of the system's time, to empty one a hundredth. A copy whose tables,
    triggers or settings a test has changed is not used again.
    """

    def __init__(self, server: Any, name: str) -> None:
        engine = volunteerkit.create_engine(server.url(name))
        Kit.load().migrate(engine)
        with engine.connect() as connection:
            self.shape = [tuple(row) for row in connection.execute(sa.text(_SHAPE))]
            tables = connection.execute(
                sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            )
            self.tables = tables.scalars().all()
            rows = {
                each: connection.execute(sa.text(f"SELECT * FROM {each}")).fetchall() for each in self.tables
            }
        engine.dispose()  # PostgreSQL copies only what nobody is connected to
        self.rows = {each: [tuple(row) for row in found] for each, found in rows.items() if found}
        self.server, self.name, self.spare = server, name, list[tuple[str, Any]]()

    @contextmanager
    def copy(self) -> Iterator[str]:
        """Yield the name of a database as the template is."""
        import psycopg

        name, connection = self.spare.pop() if self.spare else (f"city_{next(_names)}", None)
        admin = self.server.url("postgres").replace("+psycopg", "")
        if connection is None:
            with psycopg.connect(admin, autocommit=True) as making:
                making.execute(f"CREATE DATABASE {name} TEMPLATE {self.name}")
            connection = psycopg.connect(self.server.url(name).replace("+psycopg", ""), autocommit=True)
        yield name
        if self._emptied(name, connection):
            self.spare.append((name, connection))
            return
        connection.close()
        with psycopg.connect(admin, autocommit=True) as dropping:
            dropping.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _emptied(self, name: str, connection: Any) -> bool:
        import psycopg

        try:
            connection.execute(_OTHERS, (name,))
            if (
                connection.execute(_SHAPE).fetchall() != self.shape
                or connection.execute(_SETTINGS, (name,)).fetchone()
            ):
                return False
            with connection.transaction():
                connection.execute(
                    "SET LOCAL session_replication_role = replica"
                )  # nothing is checked or fired
                connection.execute("; ".join(f"DELETE FROM {each}" for each in self.tables))
                for each, rows in self.rows.items():
                    marks = ", ".join(["%s"] * len(rows[0]))
                    connection.cursor().executemany(f"INSERT INTO {each} VALUES ({marks})", rows)
        except psycopg.Error:  # a test took the server's connections away
            return False
        return True


@pytest.fixture(scope="session")
def postgresql_template(postgresql_server: Any) -> Iterator[Template]:
    """What `postgresql_url` is copied from."""
    with _database(postgresql_server) as name:
        template = Template(postgresql_server, name)
        yield template
        for _, connection in template.spare:
            connection.close()


@pytest.fixture
def postgresql_url(postgresql_server: Any, postgresql_template: Template) -> Iterator[str]:
    """The address of a PostgreSQL database with the library's tables and nothing in them."""
    with postgresql_template.copy() as name:
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


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the library's tables: to copy it is much quicker than to make them anew."""
    path = tmp_path_factory.mktemp("template") / "city.db"
    engine = volunteerkit.create_engine(f"sqlite:///{path}")
    Kit.load().migrate(engine)
    engine.dispose()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with the library's tables and nothing in them, on SQLite and on PostgreSQL."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), url.removeprefix("sqlite:///"))
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


def fill(engine: sa.Engine, template: Path) -> None:
    """Copy an SQLite file into a database in memory."""
    with closing(sqlite3.connect(template)) as source, engine.connect() as connection:
        source.backup(connection.connection.dbapi_connection)  # type: ignore[arg-type]


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
def make_city(sqlite_template: Path) -> Iterator[Callable[..., City]]:
    engines: list[sa.Engine] = []

    def make(url: str, *plugins: Any) -> City:
        engine = volunteerkit.create_engine(url)
        engines.append(engine)
        if url == "sqlite://":
            fill(engine, sqlite_template)
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
