"""The database fails at a statement of a verb (A3): nothing of it is written, and the desk does it afterwards."""

from __future__ import annotations

import random
import runpy
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from volunteerkit import Kit
from volunteerkit.errors import StorageError

_audit = runpy.run_path(
    str(Path(__file__).resolve().parents[1] / "access" / "test_audit.py"), run_name="audit"
)
VERBS, UNTRIED, BEFORE, INSTEAD = (_audit[name] for name in ("VERBS", "UNTRIED", "BEFORE", "INSTEAD"))
city = _audit["city"]
SAMPLED = 4


class Failing(sqlite3.Connection):
    """A connection whose disk fails once, before or after its n-th statement from now."""

    seen = 0
    fails_at = 0
    afterwards = False

    def execute(self, *given: Any) -> sqlite3.Cursor:
        return self.counted(super().execute, *given)

    def executemany(self, *given: Any) -> sqlite3.Cursor:
        return self.counted(super().executemany, *given)

    def cursor(self, *given: Any) -> sqlite3.Cursor:
        return super().cursor(FailingCursor)

    def counted(self, run: Any, *given: Any) -> Any:
        # once a savepoint is released only the transaction around it can take back what was done
        if given[0].startswith(("ROLLBACK", "RELEASE")):
            return run(*given)
        self.seen += 1
        failing = self.seen == self.fails_at
        done = None if failing and not self.afterwards else run(*given)
        if failing:
            raise sqlite3.OperationalError("disk I/O error")
        return done


class FailingCursor(sqlite3.Cursor):
    def execute(self, *given: Any) -> Any:
        assert isinstance(self.connection, Failing)
        return self.connection.counted(super().execute, *given)

    def executemany(self, *given: Any) -> Any:
        assert isinstance(self.connection, Failing)
        return self.connection.counted(super().executemany, *given)


@pytest.fixture(scope="module", autouse=True)
def failing() -> Iterator[None]:
    """Let every engine on SQLite that is made meanwhile have such connections."""

    def connect(dialect: Any, _: object, __: object, named: dict[str, Any]) -> None:
        if dialect.name == "sqlite":
            named["factory"] = Failing

    sa.event.listen(sa.Engine, "do_connect", connect)
    yield
    sa.event.remove(sa.Engine, "do_connect", connect)


def tried(city: tuple[Kit, sa.Engine], name: str, actor: Any, fails_at: int, afterwards: bool) -> int:
    """Do a verb with a disk that fails, and again with one that does not; return how many statements it has."""
    kit, _ = city
    with _audit["trying"](city, actor) as desk:
        if name in BEFORE:
            BEFORE[name](kit.desk(desk.connection, _audit["SECOND"]), kit)
            desk.look_again()
        raw = desk.connection.connection.dbapi_connection
        call, known = INSTEAD.get(name, VERBS[name].call), VERBS[name].known
        if fails_at:
            before = _audit["tables"](desk.connection)
            raw.seen, raw.fails_at, raw.afterwards = 0, fails_at, afterwards
            try:
                with pytest.raises(StorageError):
                    call(desk, known)
            finally:
                raw.fails_at = 0
            assert _audit["tables"](desk.connection) == before
        raw.seen = 0
        call(desk, known)
        return int(raw.seen)


def fail(city: tuple[Kit, sa.Engine], name: str, sampled: int | None) -> None:
    with _audit["done"](city, name) as found:
        assert found is not None
        actor = found[0]
    count = tried(city, name, actor, 0, False)
    if not count:
        return
    places = [(place, afterwards) for place in range(1, count + 1) for afterwards in (False, True)]
    if sampled is not None and len(places) > sampled:
        places = [(1, False), (count, True), *random.Random(name).sample(places, sampled - 2)]
    for place, afterwards in places:
        tried(city, name, actor, place, afterwards)


@pytest.mark.parametrize("name", sorted(set(VERBS) - UNTRIED))
def test_a_verb_whose_statement_fails_leaves_nothing_and_can_be_done_again(
    name: str, city: tuple[Kit, sa.Engine]
) -> None:
    fail(city, name, SAMPLED)


@pytest.mark.campaign
@pytest.mark.parametrize("name", sorted(set(VERBS) - UNTRIED))
def test_a_verb_may_fail_at_any_statement(name: str, city: tuple[Kit, sa.Engine]) -> None:
    fail(city, name, None)
