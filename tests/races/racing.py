"""Eight processes that each do one thing a round, all at once: what the tests of races share."""

from __future__ import annotations

import json
import random
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from volunteerkit import Actor
from volunteerkit.hours import verify_store

RACER = Path(__file__).with_name("racer.py")
_racer = runpy.run_path(str(RACER), run_name="racer")
KIT, NOW, do, engine_of, Asked = (_racer[name] for name in ("KIT", "NOW", "do", "engine_of", "Asked"))
RACERS = 8
DATABASES = ("wal", "delete", "postgresql")
"""What a test of races is tried on: SQLite with both kinds of journal, and PostgreSQL."""


class Processes:
    """Eight processes that wait for their line."""

    def __init__(self, url: str, journal: str) -> None:
        command = [sys.executable, str(RACER), url, journal]
        self.racers = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
            )
            for _ in range(RACERS)
        ]
        for each in self.racers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def run(self, asked: tuple[Any, ...]) -> list[Any]:
        racing = list(zip(self.racers, asked, strict=True))
        random.shuffle(racing)  # nobody is always the first to be told
        for each, one in racing:
            assert each.stdin is not None
            each.stdin.write(json.dumps(one) + "\n")
            each.stdin.flush()
        return [json.loads(each.stdout.readline()) for each in self.racers if each.stdout is not None]

    def end(self) -> None:
        for each in self.racers:
            each.communicate(timeout=60)


class Threads:
    """Eight threads of this process on one engine."""

    def __init__(self, url: str, journal: str) -> None:
        self.engine, self.pool = engine_of(url, journal), ThreadPoolExecutor(RACERS)

    def run(self, asked: tuple[Any, ...]) -> list[Any]:
        return list(self.pool.map(do, [self.engine] * RACERS, asked))

    def end(self) -> None:
        self.pool.shutdown()
        self.engine.dispose()


class Race:
    """A database that eight write to at once; ``told`` is what the errors of the last round told."""

    def __init__(self, url: str, journal: str, racers: Callable[[str, str], Any] = Processes) -> None:
        self.url, self.engine = url, engine_of(url, journal)
        KIT.migrate(self.engine)
        self.racers, self.told = racers(url, journal), list[dict[str, str]]()

    def run(self, *asked: Any) -> list[str]:
        """Let the first eight do what is asked, or as many as there is something for; return their answers."""
        idle: Any = (officer(0), "hours.periods", [], {})
        found = self.racers.run((*asked, *[idle] * (RACERS - len(asked))))[: len(asked)]
        self.told = [told for _, told in found]
        return [said for said, _ in found]

    def at(self, actor: Actor, verb: Any, *given: Any, **named: Any) -> Any:
        return KIT.run(self.engine, actor, lambda desk: verb(desk, *given, **named))

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def change(self, statement: sa.Executable) -> None:
        """Write what the library has no verb for."""
        with self.engine.begin() as connection:
            connection.execute(statement)


@contextmanager
def racing(request: Any, racers: Callable[[str, str], Any] = Processes) -> Iterator[Race]:
    """A race on the database that a test is asked for; when it is over the books must be sound."""
    journal = "delete" if request.param == "delete" else ""
    url = request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "sqlite_url")
    race = Race(url, journal, racers)
    yield race
    race.racers.end()
    if request.param != "postgresql":
        assert race.query("PRAGMA journal_mode") == [(request.param,)]
    with race.engine.connect() as connection:
        found = verify_store(connection)
        assert found.holds, found
    race.engine.dispose()


def me(number: str) -> list[Any]:
    """Return who a racer is that is a volunteer."""
    return [f"me-{number}", [["volunteer"]], number]


def officer(n: int | str) -> list[Any]:
    """Return who a racer is that is an officer of the centre."""
    return [f"officer-{n}", [["centre"]], None]


def admin(n: int | str, organization: str) -> list[Any]:
    """Return who a racer is that administers an organization."""
    return [f"admin-{n}", [["organization_admin", organization]], None]


def job(n: int | str) -> list[Any]:
    """Return who a racer is that is a job of the city's."""
    return [f"job-{n}", [["system"]], None]
