"""Eight processes and eight threads at once, on both databases: what was promised once happens once."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Desk,
    Grant,
    KeyCipher,
    Kit,
    approvals,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.errors import AlreadyResolved, IdempotencyConflict, NotFound, Refused
from volunteerkit.projects.tables import shift

CLERK = Actor.of("clerk-7", "centre")
KIT = Kit.load(cipher=KeyCipher(bytes(32)))
DAY = dt.date(2026, 3, 5)
RUNNERS = 8


@pytest.fixture
def city(database_url: str) -> Iterator[sa.Engine]:
    engine = volunteerkit.create_engine(database_url)
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        for _ in range(12):
            hours.record(desk, Claim("V1", "P1", DAY, 60))
    yield engine
    engine.dispose()


Work = Callable[[str, int], list[str]]
Runners = Callable[[Work, str], Counter[str]]


@pytest.fixture(params=["threads", pytest.param("processes", marks=pytest.mark.slow)])
def runners(request: pytest.FixtureRequest) -> Runners:
    return in_threads if request.param == "threads" else in_processes


def in_threads(work: Work, url: str) -> Counter[str]:
    with ThreadPoolExecutor(RUNNERS) as executor:
        done = [executor.submit(work, url, me) for me in range(RUNNERS)]
        return Counter(outcome for each in done for outcome in each.result(120))


def in_processes(work: Work, url: str) -> Counter[str]:
    command = [sys.executable, __file__, work.__name__, url]
    started = [
        subprocess.Popen([*command, str(me)], stdout=subprocess.PIPE, encoding="utf-8")
        for me in range(RUNNERS)
    ]
    told = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * RUNNERS
    return Counter(outcome for each in told for outcome in json.loads(each))


def total(engine: sa.Engine) -> int:
    with KIT.open(engine, CLERK, read_only=True) as desk:
        assert hours.verify_store(desk.connection).holds
        return hours.statement(desk, "V1", rulebook="plain").confirmed_minutes


def decide(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url), []
    for record_id in range(1, 13):
        work = partial(hours.confirm, record_id=record_id)
        if (me + record_id) % 2:
            work = partial(hours.reject, record_id=record_id, reason="没有签到")
        try:
            outcomes.append(KIT.run(engine, Actor.of(f"checker-{me}", "centre"), work).state)
        except AlreadyResolved as late:
            outcomes.append("late, after " + late.values["actor"][:8])
    engine.dispose()
    return outcomes


def test_each_claim_is_confirmed_or_rejected_once(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    outcomes = runners(decide, database_url)
    assert outcomes["confirmed"] + outcomes["rejected"] == 12
    assert outcomes["late, after checker-"] == 12 * (RUNNERS - 1)
    assert total(city) == 60 * outcomes["confirmed"]


def take_back(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url), []
    for _ in range(3):
        work = partial(hours.reverse, record_id=1, reason="录错了人")
        try:
            outcomes.append(KIT.run(engine, Actor.of(f"checker-{me}", "centre"), work).state)
        except AlreadyResolved:
            outcomes.append("late")
    engine.dispose()
    return outcomes


def test_reversals_and_their_reversals_take_turns(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    KIT.run(city, Actor.of("checker", "centre"), partial(hours.confirm, record_id=1))
    outcomes = runners(take_back, database_url)
    assert outcomes.total() == 3 * RUNNERS
    assert outcomes["reversed"] - outcomes["confirmed"] in (0, 1)
    assert total(city) == 60 * (1 - outcomes["reversed"] + outcomes["confirmed"])


def record(desk: Desk, key: str | None, minutes: int) -> int:
    return hours.record(desk, Claim("V1", "P1", DAY, minutes), key=key).record_id


def submit(url: str, me: int) -> list[str]:
    """Press the button twice for the same four claims; one runner in two fills in other minutes."""
    engine, outcomes = volunteerkit.create_engine(url), []
    for key in ("a", "b", "c", "d") * 2:
        try:
            work = partial(record, key=key, minutes=30 + me % 2)
            outcomes.append(f"{key} {KIT.run(engine, CLERK, work)}")
        except IdempotencyConflict:
            outcomes.append(f"{key} conflict")
    engine.dispose()
    return outcomes


def test_one_key_makes_one_record(city: sa.Engine, runners: Runners, database_url: str) -> None:
    outcomes = runners(submit, database_url)
    for key in ("a", "b", "c", "d"):
        mine = {outcome: count for outcome, count in outcomes.items() if outcome.startswith(f"{key} ")}
        assert mine.pop(f"{key} conflict") == RUNNERS
        assert list(mine.values()) == [RUNNERS]
    with KIT.open(city, CLERK, read_only=True) as desk:
        assert desk.connection.exec_driver_sql("SELECT count(*) FROM vk_service_record").scalar() == 16
    total(city)


def confirm_all(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url), []
    for record_id in range(1, 13):
        try:
            work = partial(hours.confirm, record_id=record_id)
            outcomes.append(KIT.run(engine, Actor.of(f"checker-{me}", "centre"), work).state)
        except AlreadyResolved:
            outcomes.append("late")
        except Refused as refused:
            outcomes.append(refused.findings[-1].code)
    engine.dispose()
    return outcomes


def test_a_project_never_issues_more_than_its_places(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    at = int(dt.datetime(2026, 3, 5, tzinfo=dt.UTC).timestamp()) * 1_000_000
    with city.begin() as connection:  # one place for five hours
        row = {"id": 1, "project_id": 1, "starts_at": at, "ends_at": at + 5 * 3_600_000_000, "capacity": 1}
        connection.execute(sa.insert(shift).values(row))
    outcomes = runners(confirm_all, database_url)
    assert outcomes["confirmed"] == 5
    assert outcomes["over_budget"] == 7 * RUNNERS
    assert total(city) == 300


def correct(url: str, me: int) -> list[str]:
    """Half of the runners adjust one record, the others reverse and restore it."""
    engine, outcomes = volunteerkit.create_engine(url), []
    for i in range(3):
        verbs = [partial(hours.adjust, minutes=1 + (me * 7 + i) % 60)]
        if me % 2:
            verbs = [partial(hours.reverse), partial(hours.restore)]
        for verb in verbs:
            try:
                work = partial(verb, record_id=1, reason="核对")
                KIT.run(engine, Actor.of(f"checker-{me}", "centre"), work)
                outcomes.append("done")
            except (AlreadyResolved, Refused):
                outcomes.append("refused")
    engine.dispose()
    return outcomes


def test_corrections_of_one_record_take_turns(city: sa.Engine, runners: Runners, database_url: str) -> None:
    KIT.run(city, Actor.of("checker", "centre"), partial(hours.confirm, record_id=1))
    outcomes = runners(correct, database_url)
    with city.connect() as connection:
        codes = connection.exec_driver_sql("SELECT code FROM vk_transfer WHERE record_id = 1").scalars().all()
        stands = connection.exec_driver_sql(
            "SELECT confirmed_minutes FROM vk_service_record WHERE id = 1"
        ).scalar()
    assert len(codes) == 2 + outcomes["done"]
    assert total(city) == stands


def run_once(url: str, me: int) -> list[str]:
    engine = volunteerkit.create_engine(url)
    answers = [
        KIT.run(engine, CLERK, partial(record, key=None, minutes=60), key=f"week-{i}") for i in range(4)
    ]
    engine.dispose()
    return [f"{i} {answer}" for i, answer in enumerate(answers)]


def test_a_unit_of_work_is_done_once_for_its_key(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    outcomes = runners(run_once, database_url)
    assert sorted(outcomes.values()) == [RUNNERS] * 4
    assert sorted(int(outcome.split()[1]) for outcome in outcomes) == [13, 14, 15, 16]
    total(city)


def write_or_rebuild(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url), []
    for i in range(6):
        if me == 0:
            outcomes.append(f"mended {KIT.run(engine, CLERK, hours.rebuild)}")
            continue
        made = KIT.run(engine, CLERK, partial(record, key=None, minutes=10 + i))
        KIT.run(engine, Actor.of("checker", "centre"), partial(hours.confirm, record_id=made))
        outcomes.append("confirmed")
    engine.dispose()
    return outcomes


def test_balances_are_rebuilt_while_others_write(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    outcomes = runners(write_or_rebuild, database_url)
    assert outcomes == {"confirmed": 6 * (RUNNERS - 1), "mended 0": 6}
    assert total(city) == (RUNNERS - 1) * sum(range(10, 16))


def register_one(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url), []
    for i in range(3):
        try:
            number = KIT.run(engine, CLERK, lambda desk, i=i: organizations.register(desk, f"N{i}", name="x"))
            outcomes.append(number)
        except Refused:
            outcomes.append("taken")
    engine.dispose()
    return outcomes


def test_one_number_is_registered_once(city: sa.Engine, runners: Runners, database_url: str) -> None:
    outcomes = runners(register_one, database_url)
    assert outcomes == {"N0": 1, "N1": 1, "N2": 1, "taken": 3 * (RUNNERS - 1)}
    total(city)


OLD = Actor("admin-1", (Grant("organization_admin", "O1"),))
NEW = Actor("admin-2", (Grant("organization_admin", "O2"),))


def accept_or_enter(url: str, me: int) -> list[str]:
    """One runner accepts the transfer to O2; the others, of O1, go on writing into the volunteer's record."""
    engine, outcomes = volunteerkit.create_engine(url), []
    admin = Actor(f"admin-1{me}", (Grant("organization_admin", "O1"),))
    for n in range(1 if me == 0 else 4):
        try:
            if me == 0:
                KIT.run(engine, NEW, partial(approvals.decide, case_id=CASE, verdict="approve"))
                outcomes.append("accepted")
            else:
                name = f"{me}-{n}"
                enter = partial(
                    volunteers.add_training, number="V1", name=name, on=DAY, minutes=60, organization="O1"
                )
                KIT.run(engine, admin, enter)
                outcomes.append("entered")
        except NotFound:
            outcomes.append("a stranger's")
    engine.dispose()
    return outcomes


def register_many(url: str, me: int) -> list[str]:
    engine, outcomes = volunteerkit.create_engine(url, busy_seconds=60), []
    for _ in range(6):
        with KIT.open(engine, CLERK) as desk:
            outcomes.append(volunteers.admit(desk, name="兰", organization="O1"))
    engine.dispose()
    return outcomes


CASE = 1


def test_who_was_transferred_is_a_strangers_from_that_event_on(
    city: sa.Engine, runners: Runners, database_url: str
) -> None:
    """Whatever the old organization wrote stands before the transfer in the chain: one order, seen by all."""
    with KIT.open(city, CLERK) as desk:
        organizations.register(desk, "O2", name="红十字会")
    assert KIT.run(city, OLD, partial(volunteers.request_transfer, number="V1", to="O2")).id == CASE
    released = Actor("admin-9", (Grant("organization_admin", "O1"),))
    KIT.run(city, released, partial(approvals.decide, case_id=CASE, verdict="approve"))
    outcomes = runners(accept_or_enter, database_url)
    assert outcomes["accepted"] == 1
    assert outcomes["entered"] + outcomes["a stranger's"] == 4 * (RUNNERS - 1)
    query = (
        "SELECT type FROM vk_event WHERE type IN ('volunteer.entry', 'volunteer.transferred') ORDER BY seq"
    )
    with city.connect() as connection:
        order = [row[0] for row in connection.exec_driver_sql(query)]
    assert order == ["volunteer.entry"] * outcomes["entered"] + ["volunteer.transferred"]


def test_everybody_gets_a_number_of_their_own(city: sa.Engine, runners: Runners, database_url: str) -> None:
    outcomes = runners(register_many, database_url)
    assert len(outcomes) == 6 * RUNNERS
    total(city)


def keep_the_record(url: str, me: int) -> list[str]:
    """Enter a commendation and put on leave twelve times, on other days, without trying anything again."""
    engine, outcomes = volunteerkit.create_engine(url, busy_seconds=60), []
    for i in range(12):
        with KIT.open(engine, CLERK) as desk:
            volunteers.add_commendation(desk, "V1", "先进个人", on=DAY, granted_by="市文明办")
        outcomes.append("entered")
        day = dt.date(2099, 1, 1) + dt.timedelta(2 * i)
        try:
            with KIT.open(engine, CLERK) as desk:
                volunteers.take_leave(desk, "V1", since=day, until=day)
            outcomes.append("on leave")
        except Refused as refused:
            outcomes.append(refused.findings[0].code)
    engine.dispose()
    return outcomes


def test_no_two_rows_take_one_number(city: sa.Engine, runners: Runners, database_url: str) -> None:
    outcomes = runners(keep_the_record, database_url)
    assert outcomes == {"entered": 12 * RUNNERS, "on leave": 12, "period_overlaps": 12 * (RUNNERS - 1)}
    with KIT.open(city, CLERK, read_only=True) as desk:
        for table, rows in (("vk_record_entry", 12 * RUNNERS), ("vk_volunteer_period", 12)):
            counted = desk.connection.exec_driver_sql(f"SELECT count(*), max(id) FROM {table}").one()
            assert tuple(counted) == (rows, rows)
    total(city)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
