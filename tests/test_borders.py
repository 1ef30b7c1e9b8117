"""What a portal may hand in by mistake: every wrong value is one of the library's errors, nothing is written.

The ledger's hashes are made of values as they are printed, so a value that is stored as another than the
one printed (``True`` for 1, an enumeration for its text) would break the chain for ever.
"""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    Desk,
    Grant,
    KeyCipher,
    Kit,
    approvals,
    fixed_clock,
    hours,
    organizations,
    personal,
    projects,
    rating,
    volunteers,
)
from volunteerkit.errors import IntegrityProblem, InvalidValue, NotFound, StorageError, VolunteerkitError
from volunteerkit.statistics import city_figures

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
DAY = dt.date(2026, 11, 8)
CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
KIT = Kit.load("xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(NOW))


class Word(str, enum.Enum):  # noqa: UP042  its text and what str() prints differ, which is the point
    CHECKIN = "checkin"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = volunteerkit.create_engine(database_url)
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        hours.record(desk, claim())
        hours.record(desk, claim())
    with KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, 2)
    yield engine
    engine.dispose()


def claim(**changes: Any) -> Claim:
    return Claim(**{"volunteer": "V1", "project": "P1", "served_on": DAY, "claimed_minutes": 60, **changes})


def register(desk: Desk, **changes: Any) -> str:
    return volunteers.admit(desk, **{"name": "兰", "organization": "O1", **changes})


def apply(desk: Desk, **changes: Any) -> str:
    return volunteers.register(
        desk, Application(**({"name": "兰", "organization": "O1", "consent_on": DAY} | changes))
    )


TEXTS = [None, 5, b"x", object(), ["V1"], "", "  ", "a\0b", "a\x1fb", "\ud800", "x" * 501, Word.CHECKIN]
DAYS = ["2026-11-08", NOW, NOW.replace(tzinfo=None), 20000, object()]
IDS = ["1", "01", 1.0, True, None, object()]

WRONG: dict[str, tuple[list[Any], Callable[[Desk, Any], object]]] = {
    "confirm": (IDS, hours.confirm),
    "reject": (IDS, lambda desk, wrong: hours.reject(desk, wrong, reason="x")),
    "reverse": (IDS, lambda desk, wrong: hours.reverse(desk, wrong, reason="x")),
    "reason": (TEXTS, lambda desk, wrong: hours.reject(desk, 1, reason=wrong)),
    "reason of reverse": (TEXTS, lambda desk, wrong: hours.reverse(desk, 2, reason=wrong)),
    "fewer": (TEXTS, lambda desk, wrong: hours.confirm(desk, 1, minutes=30, reason=wrong)),
    "key of record": (TEXTS[1:], lambda desk, wrong: hours.record(desk, claim(), key=wrong)),
    "key of confirm": ([*TEXTS[1:], uuid.UUID(int=7)], lambda desk, wrong: hours.confirm(desk, 1, key=wrong)),
    "minutes": (["30", 0, -1, 30.0, True], lambda desk, wrong: hours.confirm(desk, 1, minutes=wrong, reason="x")),
    "effective_on": (DAYS, lambda desk, wrong: hours.reverse(desk, 2, reason="x", effective_on=wrong)),
    "served_on": ([*DAYS, None, dt.date(1899, 12, 31)], lambda desk, wrong: claim(served_on=wrong)),
    "volunteer": (TEXTS, lambda desk, wrong: claim(volunteer=wrong)),
    "project": (TEXTS, lambda desk, wrong: claim(project=wrong)),
    "start": (["09:00", NOW, dt.time(9, tzinfo=dt.UTC), 540], lambda desk, wrong: claim(start=wrong, end=dt.time(10))),
    "end": (["09:00", NOW, dt.time(9, tzinfo=dt.UTC), 540], lambda desk, wrong: claim(start=dt.time(10), end=wrong)),
    "method": ([Word.CHECKIN, ["checkin"], None, "phone"], lambda desk, wrong: claim(method=wrong)),
    "statement": (TEXTS, hours.statement),
    "as_of": (DAYS, lambda desk, wrong: hours.statement(desk, "V1", as_of=wrong)),
    "known_at": (["3", 3.5, True, -1, 4], lambda desk, wrong: hours.statement(desk, "V1", known_at=wrong)),
    "rulebook": ([None, 7, "unio"], lambda desk, wrong: hours.statement(desk, "V1", rulebook=wrong)),
    "rated": (TEXTS, rating.rate_volunteer),
    "rated as of": (DAYS, lambda desk, wrong: rating.rate_volunteer(desk, "V1", as_of=wrong)),
    "city as of": (DAYS, lambda desk, wrong: rating.rate_city(desk, as_of=wrong)),
    "figures as of": (DAYS, lambda desk, wrong: city_figures(desk, as_of=wrong)),
    "name": (TEXTS, lambda desk, wrong: register(desk, name=wrong)),
    "organization": (TEXTS, lambda desk, wrong: register(desk, organization=wrong)),
    "number": (TEXTS[1:], lambda desk, wrong: register(desk, number=wrong)),
    "born_on": (DAYS, lambda desk, wrong: register(desk, born_on=wrong)),
    "identity_number": ([360599199003150015, b"x"], lambda desk, wrong: register(desk, identity_number=wrong)),
    "phone": ([12900000000, "\ud800"], lambda desk, wrong: register(desk, phone=wrong)),
    "applicant": (TEXTS, lambda desk, wrong: apply(desk, name=wrong)),
    "applicant's organization": (["", "a\0b", "\ud800", "x" * 501], lambda desk, wrong: apply(desk, organization=wrong)),
    "applicant's number": (TEXTS[1:], lambda desk, wrong: volunteers.register(desk, Application("兰", "O1", consent_on=DAY), number=wrong)),
    "applicant's birthday": (DAYS, lambda desk, wrong: apply(desk, born_on=wrong)),
    "applicant's consent": (DAYS, lambda desk, wrong: apply(desk, consent_on=wrong)),
    "applicant's identity number": ([360599199003150015, b"x", "1"], lambda desk, wrong: apply(desk, identity_number=wrong)),
    "applicant's phone": ([12900000000, "\ud800", "a\0"], lambda desk, wrong: apply(desk, phone=wrong)),
    "applicant's address": ([5, "\ud800", "a\0"], lambda desk, wrong: apply(desk, address=wrong)),
    "applicant's area": ([5, "\ud800"], lambda desk, wrong: apply(desk, area=wrong)),
    "applicant's sex": (["X", 5], lambda desk, wrong: apply(desk, sex=wrong)),
    "category": ([5, "\ud800"], lambda desk, wrong: projects.register(desk, "P2", name="x", organization="O1", category=wrong)),
    "type": ([5, "\ud800"], lambda desk, wrong: organizations.register(desk, "O2", name="x", type=wrong)),
    "actor": ([None, 5, "", "a\n", "\ud800", Word.CHECKIN, "x" * 101], lambda desk, wrong: Actor(wrong)),
    "grants": ([[Grant("centre")], "centre", ("centre",)], lambda desk, wrong: Actor("a", wrong)),
    "since": (DAYS, lambda desk, wrong: Grant("centre", since=wrong)),
    "until": (DAYS, lambda desk, wrong: Grant("centre", until=wrong)),
    "desk of": ([None, "sqlite://", object()], lambda desk, wrong: KIT.desk(wrong, CLERK)),
    "desk for": ([None, "clerk-7", object()], lambda desk, wrong: KIT.desk(desk.connection, wrong)),
    "claim": ([None, "V1", {}, object()], hours.record),
    "claims": ([None, 7, "V1", [None], [("k",)], [("k", "V1")], iter([])], hours.record_many),
    "confirmed minutes": (["\ud800", 1.5, True, [], 0], lambda desk, wrong: hours.confirm(desk, 1, minutes=wrong, reason="早退")),
    "verdict": ([None, [], {}, "ok"], lambda desk, wrong: hours.decide_group(desk, 1, wrong)),
    "first day": ([None, *DAYS], lambda desk, wrong: projects.calendar(desk, wrong, DAY)),
    "last day": ([None, *DAYS], lambda desk, wrong: projects.calendar(desk, DAY, wrong)),
    "kind of case": (TEXTS[1:], lambda desk, wrong: approvals.pending(desk, kind=wrong)),
    "holder": (TEXTS[1:], approvals.grants.list_grants),
    "holder's number": (TEXTS[1:], lambda desk, wrong: approvals.grants.give(desk, "a-1", "auditor", volunteer=wrong)),
    "objection": ([None, [], "\ud800", 1.0, True], lambda desk, wrong: approvals.answer_objection(desk, 1, wrong, "dismiss", reason="无")),
    "list": ([None, 7, {"V1"}, "V1", []], lambda desk, wrong: projects.attendance.check_list(desk, 1, wrong)),
    "now": ([NOW.replace(tzinfo=None), DAY, "2026"], lambda desk, wrong: KIT.desk(desk.connection, CLERK, now=wrong)),
}  # fmt: skip


@pytest.mark.parametrize("place", WRONG)
def test_a_wrong_value_is_told_and_nothing_is_written(engine: sa.Engine, place: str) -> None:
    values, handed_in = WRONG[place]
    for wrong in values:
        with KIT.open(engine, CHECKER) as desk:
            before = desk.connection.exec_driver_sql("SELECT * FROM vk_head").all()
            with pytest.raises(InvalidValue) as told:
                handed_in(desk, wrong)
            assert desk.connection.exec_driver_sql("SELECT * FROM vk_head").all() == before
        assert "object at 0x" not in str(told.value)
    with KIT.open(engine, CHECKER, read_only=True) as desk:
        assert hours.verify_store(desk.connection).holds


NOBODY: dict[str, Callable[[Desk, Any], object]] = {
    "statement": hours.statement,
    "balance": hours.bank.balance,
    "rated": rating.rate_volunteer,
    "profile": personal.profile,
    "check in": lambda desk, number: projects.attendance.check_in(desk, 1, number),
    "check out": lambda desk, number: projects.attendance.check_out(desk, 1, number),
    "join": lambda desk, number: projects.recruiting.join(desk, 1, number),
    "check join": lambda desk, number: projects.recruiting.check_join(desk, 1, number),
    "withdraw": lambda desk, number: projects.recruiting.withdraw(desk, 1, number),
    "commitments": projects.recruiting.commitments,
}


@pytest.mark.parametrize("call", NOBODY)
def test_an_account_that_is_no_volunteer_s_is_told_so(engine: sa.Engine, call: str) -> None:
    for actor in (Actor("app-9", (Grant("volunteer"),)), CHECKER):
        with KIT.open(engine, actor) as desk:
            with pytest.raises(InvalidValue) as told:
                NOBODY[call](desk, actor.volunteer)
            assert told.value.code == "no_volunteer"


@pytest.mark.parametrize("record_id", [0, -1, 2**63, 2**70])
def test_a_record_beyond_all_numbers_is_not_found(engine: sa.Engine, record_id: int) -> None:
    with pytest.raises(NotFound), KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)


def test_a_number_is_told_as_it_is_stored(engine: sa.Engine) -> None:
    with KIT.open(engine, CLERK) as desk:
        assert organizations.register(desk, " O7 ", name="联合会") == "O7"
        assert projects.register(desk, " P7 ", name="宣传", organization="O7") == "P7"


def test_a_naive_clock_is_noticed_at_the_first_desk(engine: sa.Engine) -> None:
    kit = Kit.load("xinyu", clock=lambda: NOW.replace(tzinfo=None))
    with pytest.raises(InvalidValue), kit.open(engine, CLERK):
        pass


CALLS: dict[str, Callable[[Desk], object]] = {
    "record": lambda desk: hours.record(desk, claim()),
    "record_many": lambda desk: hours.record_many(desk, [("k", claim())]),
    "confirm": lambda desk: hours.confirm(desk, 1),
    "reject": lambda desk: hours.reject(desk, 1, reason="x"),
    "reverse": lambda desk: hours.reverse(desk, 2, reason="x"),
    "statement": lambda desk: hours.statement(desk, "V1"),
    "verify": lambda desk: hours.verify_store(desk.connection),
    "rate_volunteer": lambda desk: rating.rate_volunteer(desk, "V1"),
    "rate_city": rating.rate_city,
    "city_figures": city_figures,
    "volunteer": register,
    "application": apply,
    "organization": lambda desk: organizations.register(desk, "O2", name="x"),
    "project": lambda desk: projects.register(desk, "P2", name="x", organization="O1"),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_desk_that_has_ended_says_so_without_a_drivers_error(engine: sa.Engine, call: str) -> None:
    with KIT.open(engine, CLERK) as desk:
        pass
    with pytest.raises(StorageError):
        CALLS[call](desk)


@pytest.mark.parametrize("call", CALLS)
def test_a_table_that_is_gone_is_told_without_sql(engine: sa.Engine, call: str) -> None:
    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        for table in (
            "vk_flag",
            "vk_transfer",
            "vk_event",
            "vk_decision",
            "vk_blind",
            "vk_doubt",
            "vk_vault",
        ):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        connection.exec_driver_sql("ALTER TABLE vk_volunteer RENAME TO gone")
        connection.exec_driver_sql("ALTER TABLE vk_organization RENAME TO gone_too")
        with pytest.raises(VolunteerkitError) as told:
            CALLS[call](desk)
        assert not {"SELECT", "INSERT", "vk_"} & set(str(told.value).split())
        connection.rollback()


def test_an_engine_that_would_break_a_promise_is_refused(database_url: str, engine: sa.Engine) -> None:
    loose = sa.create_engine(database_url, isolation_level="AUTOCOMMIT")
    with loose.connect() as connection, pytest.raises(IntegrityProblem):
        KIT.desk(connection, CLERK)
    with pytest.raises(IntegrityProblem), KIT.open(loose, CLERK):
        pass
    with pytest.raises(IntegrityProblem):
        KIT.run(loose, CLERK, lambda desk: hours.record(desk, claim()))
    loose.dispose()


def test_a_foreign_sqlite_engine_is_refused_with_the_way_out(sqlite_url: str) -> None:
    KIT.migrate(volunteerkit.create_engine(sqlite_url))
    foreign = sa.create_engine(sqlite_url)
    with foreign.connect() as connection, pytest.raises(IntegrityProblem, match="create_engine") as told:
        KIT.desk(connection, CLERK)
    assert told.value.code == "engine_unfit"  # nothing stored is wrong
    assert "verify" not in told.value.message("en")
    foreign.dispose()


def test_a_database_without_tables_is_told_at_the_desk(empty_database_url: str) -> None:
    engine = volunteerkit.create_engine(empty_database_url)
    with engine.connect() as connection, pytest.raises(StorageError) as told:
        KIT.desk(connection, CLERK)
    assert told.value.code == "storage_empty"
    engine.dispose()
