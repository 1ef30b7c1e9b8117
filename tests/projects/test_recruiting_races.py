"""Eight at once: the last place has one winner, one decision counts, and the outcome is that of some order.

Real processes on SQLite with both kinds of journal and on PostgreSQL, and threads there; more rounds as a
campaign: `python3 dev.py test -m campaign`.
"""

from __future__ import annotations

import datetime as dt
import json
import operator
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Grant,
    KeyCipher,
    Kit,
    Refused,
    VolunteerkitError,
    fixed_clock,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.projects import recruiting
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import command

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
KIT = Kit.load(clock=fixed_clock(NOW), cipher=KeyCipher(bytes(32)))
CENTRE = Actor.of("centre-1", "centre")
RACERS = 8
Asked = tuple[str, list[Any], dict[str, Any]]
"""A verb with what it is given; one about a volunteer's own is done by that volunteer, any other by an administrator."""


@command
def shrink(desk: Desk, shift_id: int, capacity: int) -> None:
    """Lower the capacity of a shift."""
    desk.connection.execute(sa.update(shift).where(shift.c.id == shift_id).values(capacity=capacity))


def leave_on(desk: Desk, number: str, day: int) -> None:
    """Put a volunteer on leave for one day."""
    volunteers.take_leave(desk, number, since=dt.date.fromordinal(day), until=dt.date.fromordinal(day))


VERBS: dict[str, Callable[..., Any]] = {"leave_on": leave_on, "shrink": shrink}


def do(engine: sa.Engine, me: int, asked: Asked) -> str:
    """Do what is asked in a unit of work and answer with its state or the code of what stood in the way."""
    name, given, named = asked
    verb = VERBS.get(name) or operator.attrgetter(name)(volunteerkit)
    grants = (Grant("organization_admin", "O1"), Grant("centre"))
    actor = Actor(f"admin-{me}", grants)
    if name.startswith("projects.recruiting."):
        actor = Actor(f"me-{given[1]}", (Grant("volunteer"),), volunteer=given[1])
    try:
        answer = KIT.run(engine, actor, lambda desk: verb(desk, *given, **named))
    except Refused as refused:
        return refused.findings[0].code
    except VolunteerkitError as error:
        return f"unexpected {error.code}"
    return str(getattr(answer, "state", None) or "done")


def opened(url: str, journal: str) -> sa.Engine:
    """Return the library's own engine, or a portal's on SQLite without a write-ahead log."""
    if journal != "delete":
        return volunteerkit.create_engine(url, busy_seconds=60)
    engine = sa.create_engine(url)

    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "busy_timeout = 60000",
            "foreign_keys = ON",
            "recursive_triggers = ON",
            "journal_mode = DELETE",
        ):
            connection.execute(f"PRAGMA {pragma}")

    sa.event.listen(engine, "connect", connect)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def main(url: str, journal: str, me: str) -> None:
    engine = opened(url, journal)
    print("ready", flush=True)
    for line in sys.stdin:
        print(do(engine, int(me), json.loads(line)), flush=True)
    engine.dispose()


class Processes:
    """Eight processes that each do one thing a round, all at once."""

    def __init__(self, url: str, journal: str) -> None:
        self.racers = [
            subprocess.Popen(
                [sys.executable, __file__, url, journal, str(me)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1,
            )
            for me in range(RACERS)
        ]  # fmt: skip
        for each in self.racers:
            assert each.stdout is not None
            assert each.stdout.readline() == "ready\n"

    def run(self, asked: list[Asked]) -> list[str]:
        for each, one in zip(self.racers, asked, strict=True):
            assert each.stdin is not None
            each.stdin.write(json.dumps(one) + "\n")
            each.stdin.flush()
        return [each.stdout.readline().strip() for each in self.racers if each.stdout is not None]

    def end(self) -> None:
        for each in self.racers:
            each.communicate(timeout=60)


class Threads:
    """Eight threads of this process on one engine."""

    def __init__(self, url: str, journal: str) -> None:
        self.engine, self.pool = opened(url, journal), ThreadPoolExecutor(RACERS)

    def run(self, asked: list[Asked]) -> list[str]:
        return list(self.pool.map(do, [self.engine] * RACERS, range(RACERS), asked))

    def end(self) -> None:
        self.pool.shutdown()
        self.engine.dispose()


class Field:
    """A database in which eight volunteers can be told to do something at once."""

    def __init__(self, url: str, journal: str, racers: Any) -> None:
        self.engine, self.racers = opened(url, journal), racers(url, journal)

    def at(self, work: Callable[[Desk], Any], actor: Actor = CENTRE) -> Any:
        return KIT.run(self.engine, actor, work)

    def shift(self, capacity: int | None, **settings: Any) -> int:
        """Write a shift of its own day, so that no round is in another one's way."""

        def write(desk: Desk) -> int:
            id_: int = (desk.connection.execute(sa.select(sa.func.max(shift.c.id))).scalar() or 0) + 1
            begin = microseconds(NOW + dt.timedelta(days=2 + 2 * id_))
            times = {"starts_at": begin, "ends_at": begin + 4 * 3_600_000_000}
            desk.connection.execute(sa.insert(shift).values(id=id_, project_id=1, capacity=capacity, **times))
            usual = {"waiting_list": 1, "acceptance": "auto"}
            desk.connection.execute(sa.update(project).values(**usual | settings))
            return id_

        return int(self.at(write))

    def rows(self, shift_id: int) -> list[Any]:
        """Return (number, state, id) in the order of the ranks; the count of places must be right."""

        def read(desk: Desk) -> list[Any]:
            query = (
                sa.select(participation)
                .where(participation.c.shift_id == shift_id)
                .order_by(participation.c.rank)
            )
            found = desk.connection.execute(query).fetchall()
            taken = desk.connection.execute(sa.select(shift.c.taken).where(shift.c.id == shift_id)).scalar()
            assert taken == sum(1 + row.guests for row in found if row.state == "accepted")
            return found

        return list(self.at(read))

    def states(self, shift_id: int) -> list[str]:
        return [row.state for row in self.rows(shift_id)]

    def race(self, *asked: Asked) -> list[str]:
        answers: list[str] = self.racers.run(list(asked))
        return answers


def own(verb: str, shift_id: int, n: int, *more: Any) -> Asked:
    return f"projects.recruiting.{verb}", [shift_id, f"V{n}", *more], {}


KINDS = [
    pytest.param(("sqlite", "wal", Processes), id="sqlite-wal", marks=pytest.mark.slow),
    pytest.param(("sqlite", "delete", Processes), id="sqlite-delete", marks=pytest.mark.slow),
    pytest.param(("postgresql", "", Processes), id="postgresql", marks=pytest.mark.slow),
    pytest.param(("postgresql", "", Threads), id="postgresql-threads"),
    pytest.param(("sqlite", "wal", Threads), id="sqlite-threads"),
]


@pytest.fixture(params=KINDS)
def field(request: pytest.FixtureRequest) -> Iterator[Field]:
    kind, journal, racers = request.param
    url = request.getfixturevalue(f"{kind}_url")
    first = volunteerkit.create_engine(url)
    KIT.migrate(first)
    with KIT.open(first, CENTRE) as desk:
        organizations.register(desk, "O1", name="红十字会志愿服务队")
        projects.register(desk, "P1", name="社区敬老", organization="O1")
        for n in range(RACERS):
            volunteers.admit(desk, name=f"志愿者{n}", number=f"V{n}", organization="O1")
        desk.connection.execute(sa.update(project).values(status="published"))
    first.dispose()
    if journal == "delete":
        raw = sqlite3.connect(url.removeprefix("sqlite:///"))
        assert raw.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
        raw.close()
    found = Field(url, journal, racers)
    if journal:
        with found.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == journal
    yield found
    found.racers.end()
    found.engine.dispose()


def run_rounds(field: Field, rounds: int) -> None:
    for _ in range(rounds):
        the_last_places_have_as_many_winners(field)
        the_list_moves_up_in_its_order(field)
        one_decision_counts(field)
        a_cancelled_shift_keeps_nobody(field)
        a_lowered_capacity_is_never_passed_afterwards(field)
        who_is_suspended_holds_no_place(field)
        nobody_is_in_two_places_at_once(field)


def test_eight_at_once(field: Field) -> None:
    """A6: of simultaneous requests for the last place exactly one wins, the others are told that it is full."""
    run_rounds(field, 2)


@pytest.mark.campaign
def test_eight_at_once_forty_times(field: Field) -> None:
    run_rounds(field, 40)


def the_last_places_have_as_many_winners(field: Field) -> None:
    shift_id = field.shift(3, waiting_list=0)
    answers = field.race(*[own("join", shift_id, n) for n in range(RACERS)])
    assert Counter(answers) == {"accepted": 3, "shift_full": 5}
    assert field.states(shift_id) == ["accepted"] * 3


def the_list_moves_up_in_its_order(field: Field) -> None:
    shift_id = field.shift(3)
    answers = field.race(*[own("join", shift_id, n) for n in range(RACERS)])
    assert Counter(answers) == {"accepted": 3, "waiting": 5}
    before = field.rows(shift_id)
    assert [row.state for row in before] == ["accepted"] * 3 + ["waiting"] * 5
    numbers = field.at(
        lambda desk: dict(
            tuple(row) for row in desk.connection.exec_driver_sql("SELECT id, number FROM vk_volunteer")
        )
    )
    leaving = [numbers[row.volunteer_id] for row in before[:3]]
    # those who have a place give it back at once; the others look on
    asked = [own("withdraw" if f"V{n}" in leaving else "check_join", shift_id, n) for n in range(RACERS)]
    assert Counter(field.race(*asked)) == {"done": RACERS}
    assert field.states(shift_id) == ["withdrawn"] * 3 + ["accepted"] * 3 + ["waiting"] * 2


def one_decision_counts(field: Field) -> None:
    shift_id = field.shift(8, acceptance="reviewed")
    assert do(field.engine, 0, own("join", shift_id, 1)) == "applied"
    (row,) = field.rows(shift_id)
    accept: Asked = ("projects.participants.accept", [row.id], {})
    refuse: Asked = ("projects.participants.refuse", [row.id], {"reason": "人手已够"})
    answers = field.race(*[accept if n % 2 else refuse for n in range(RACERS)])
    assert Counter(answers) == {"done": 1, "participation_is": RACERS - 1}
    winner = "accepted" if answers.index("done") % 2 else "refused"
    assert field.states(shift_id) == [winner]


def a_cancelled_shift_keeps_nobody(field: Field) -> None:
    shift_id = field.shift(4)
    joining = [own("join", shift_id, n) for n in range(1, RACERS)]
    answers = field.race(("projects.cancel_shift", [shift_id], {}), *joining)
    assert answers[0] == "done"
    assert set(answers[1:]) <= {"accepted", "waiting", "shift_cancelled"}
    in_time = sum(answer != "shift_cancelled" for answer in answers[1:])
    assert answers.count("accepted") == min(4, in_time)
    assert field.states(shift_id) == ["cancelled"] * in_time


def a_lowered_capacity_is_never_passed_afterwards(field: Field) -> None:
    shift_id = field.shift(RACERS)
    joining = [own("join", shift_id, n) for n in range(1, RACERS)]
    answers = field.race(("shrink", [shift_id, 2], {}), *joining)
    assert set(answers[1:]) <= {"accepted", "waiting"}
    accepted = answers.count("accepted")
    assert 2 <= accepted < RACERS
    # in the order of the ranks: those before it or within it, and then nobody
    assert field.states(shift_id) == ["accepted"] * accepted + ["waiting"] * (RACERS - 1 - accepted)


def who_is_suspended_holds_no_place(field: Field) -> None:
    shift_id = field.shift(2, acceptance="reviewed")
    day = (NOW + dt.timedelta(days=2 + 2 * shift_id)).astimezone(KIT.zone).date()
    assert do(field.engine, 0, own("join", shift_id, 7)) == "applied"
    (row,) = field.rows(shift_id)
    rest = [own("check_join", shift_id, n) for n in range(6)]
    asked: list[Asked] = [
        ("leave_on", ["V7", day.toordinal()], {}),
        ("projects.participants.accept", [row.id], {}),
        *rest,
    ]
    answers = field.race(*asked)
    assert answers[0] == "done"
    assert answers[1] in ("done", "volunteer_away")
    places = field.at(lambda desk: recruiting.free_places(desk, shift_id))
    assert (places.taken, places.free) == (0, 2)
    expected = "accepted" if answers[1] == "done" else "applied"
    assert field.states(shift_id) == [expected]
    mine = Actor("me-V7", (Grant("volunteer"),), volunteer="V7")
    last = field.at(lambda desk: recruiting.commitments(desk, "V7"), mine)[-1]
    assert (last.shift_id, last.state) == (shift_id, "cancelled")


def nobody_is_in_two_places_at_once(field: Field) -> None:
    """One person presses the button for two shifts of the same hours in eight windows."""
    first = field.shift(8)
    second = field.shift(8)

    def together(desk: Desk) -> None:
        begin, end = desk.connection.execute(
            sa.select(shift.c.starts_at, shift.c.ends_at).where(shift.c.id == first)
        ).one()
        desk.connection.execute(
            sa.update(shift).where(shift.c.id == second).values(starts_at=begin, ends_at=end)
        )

    field.at(together)
    answers = field.race(*[own("join", (first, second)[n % 2], 5) for n in range(RACERS)])
    assert Counter(answers) == {"accepted": 1, "already_joined": 3, "shift_conflict": 4}
    assert sorted(field.states(first) + field.states(second)) == ["accepted"]


if __name__ == "__main__":
    main(*sys.argv[1:])
