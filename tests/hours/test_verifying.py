"""verify names what was altered behind the ledger's back, whatever column it was; rebuild mends balances only."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Grant,
    KeyCipher,
    Kit,
    approvals,
    fixed_clock,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)
from volunteerkit.access import Place
from volunteerkit.approvals import Workflow
from volunteerkit.approvals.cases import open_case
from volunteerkit.errors import IntegrityProblem, NotPermitted
from volunteerkit.hours import bank, verify_store
from volunteerkit.organizations.tables import evaluation, team
from volunteerkit.projects import attendance
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.posting import SEALS, command, note_migration
from volunteerkit.store.sealing import insert_sealed, seal_existing, sealed_tables
from volunteerkit.workflow import Office, Route, Step

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
CLERK, CHECKER = Actor.of("clerk-7", "centre", "system"), Actor.of("clerk-8", "centre", "system")
COUNTER = Actor("admin-1", (Grant("organization_admin", "O1"),))
OWN = Actor("me-1", (Grant("volunteer"),), volunteer="V1")
NOTICED = Workflow(
    Route("team.registration", (Step("centre", Office("centre")),), 5),
    "team.decide",
    lambda *_: None,
)
KIT = Kit.load("xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(NOW))
KIT = attrs.evolve(KIT, workflows={**KIT.workflows, NOTICED.route.kind: NOTICED})
RECORDS = """record_id,volunteer_id,project_id,team_id,service_date,start_time,end_time,hours,status,source,recorded_at
R1,V1,P1,,2026-11-01,09:00,11:00,2,confirmed,manual,2026-11-02 10:00
R2,V1,P1,,2026-11-02,09:00,11:00,2,pending,manual,2026-11-02 11:00
R3,V1,P1,,2026-11-03,09:00,11:00,2,rejected,manual,2026-11-03 12:00
R4,V1,P1,,2026-11-04,,,2,cancelled,,
"""
TABLES = (
    "vk_transfer", "vk_event", "vk_account", "vk_service_record", "vk_head", "vk_period", "vk_credit_transfer",
    "vk_credit_account",
)  # fmt: skip
SUMMED = {
    "vk_shift": {"taken"},
    "vk_attendance": {"record_id"},
    "vk_credit_lot": {
        "id", "volunteer_id", "minutes", "left_minutes", "repaid_minutes", "earned_on", "expires_on",
    },
    "vk_redemption": {"id", "organization_id", "minutes", "state"},
}  # fmt: skip
"""Of tables that are no ledger, what follows from one."""
SEALED = [table.name for table in sealed_tables()]
COLUMNS = [
    (table, name)
    for table in sorted({*TABLES, *SUMMED, *SEALED})
    for name in sorted(SUMMED.get(table, ())) or volunteerkit.metadata.tables[table].c.keys()
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    folder = tmp_path_factory.mktemp("city")
    url = f"sqlite:///{folder / 'city.db'}"
    if request.param == "postgresql":
        server = request.getfixturevalue("postgresql_server")
        admin = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with admin.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE IF EXISTS verified WITH (FORCE)")
            connection.exec_driver_sql("CREATE DATABASE verified TEMPLATE template0")
        url = server.url("verified")
    engine = volunteerkit.create_engine(url)
    fill(engine, folder)
    yield engine
    engine.dispose()


def fill(engine: sa.Engine, folder: Path) -> None:
    KIT.migrate(engine)
    with KIT.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        projects.register(desk, "P2", name="没有人来", organization="O1")
        volunteers.admit(desk, name="兰", organization="O1", number="V1")
        volunteers.admit(desk, name="新", organization="O1", number="V2")
        made = [
            hours.record(desk, Claim("V1", "P1", dt.date(2026, 10, 1), 60), key=f"k{i}") for i in range(4)
        ]
    with KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, made[0].record_id)
        hours.confirm(desk, made[1].record_id, minutes=30, reason="提前离开")
        hours.reject(desk, made[2].record_id, reason="没有签到")
        hours.reverse(desk, made[0].record_id, reason="录错了人")
        hours.restore(desk, made[0].record_id, reason="冲正有误")
    (folder / "service_records.csv").write_text(RECORDS, "utf-8")
    KIT.import_directory(engine, CLERK, folder)
    KIT.run(engine, CLERK, lambda desk: 1, key="once")
    attend(engine)
    for actor, verb, given, named in (
        (CHECKER, bank.settle, ("V1",), {}), (OWN, bank.hold, ("V1", "O1"), {"minutes": 7}),
        (COUNTER, bank.redeem, (1,), {}), (OWN, bank.hold, ("V1", "O1"), {"minutes": 5}),
        (OWN, bank.cancel, (2,), {}), (OWN, bank.hold, ("V1", "O1"), {"minutes": 4}),
        (OWN, bank.give, ("V1", "V2"), {"minutes": 3}),
        (CLERK, hours.close_period, (dt.date(2026, 1, 1), dt.date(2026, 1, 31)), {}),
        (CLERK, hours.close_period, (dt.date(2026, 2, 1), dt.date(2026, 2, 28)), {"organization": "O1"}),
    ):  # fmt: skip
        with KIT.open(engine, actor) as desk:
            verb(desk, *given, **named)
    seal(engine)


def seal(engine: sa.Engine) -> None:
    """Fill the tables whose rows events vouch for."""
    third, day = Actor.of("clerk-9", "centre", "system"), dt.date(2026, 11, 20)
    steps: list[tuple[Actor, Any, tuple[Any, ...], dict[str, Any]]] = [
        (CLERK, hours.enter_group, ("T1", "P1", day), {"minutes": 60, "persons": 5}),
        (CLERK, hours.enter_group, ("T1", "P1", day), {"minutes": 30, "persons": 2}),
        (CHECKER, hours.decide_group, (1, "confirm"), {}),
        (CHECKER, volunteers.add_commendation, ("V2", "先进"), {"on": day, "granted_by": "市文明办"}),
        (CHECKER, volunteers.evaluate, ("V2", "年度"), {"on": day, "score": 90, "organization": "O1"}),
        (CHECKER, volunteers.add_training, ("V2", "急救"), {"on": day, "minutes": 60, "organization": "O1"}),
        (CHECKER, rating.evaluate_organization, ("O1", 88), {"on": day}),
        (CLERK, hours.reopen_period, (1, dt.date(2026, 1, 2), dt.date(2026, 1, 3)),
         {"until": NOW + dt.timedelta(days=1), "reason": "漏记"}),
        (CHECKER, approvals.decide, (1, "approve"), {}),
        (CLERK, approvals.grants.give, ("clerk-1", "centre"), {}),
        (third, approvals.recuse, (2,), {"reason": "同事"}),
        (CHECKER, approvals.decide, (2, "refuse"), {"reason": "人数已足"}),
        (CLERK, open_case, (NOTICED.route.kind, "team:1", Place(None, ("T1",), ("O1",))), {}),
        (CHECKER, approvals.decide, (3, "approve"), {}),
        (third, approvals.object_to, (3,), {"reason": "不实"}),
        (third, approvals.object_to, (3,), {"reason": "重名"}),
        (CHECKER, approvals.answer_objection, (3, 1, "dismiss"), {"reason": "查无此事"}),
    ]  # fmt: skip
    with engine.begin() as connection:
        row = {"id": 1, "number": "T1", "name": "一队", "organization_id": 1, "status": "approved"}
        connection.execute(sa.insert(team).values(**row))
    for actor, verb, given, named in steps:
        with KIT.open(engine, actor) as desk:
            verb(desk, *given, **named)
    with KIT.open(engine, CLERK) as desk:
        assert rating.decide_city(desk, attrs.evolve(rating.rate_city(desk), grades=[1, 2])) == 2


def attend(engine: sa.Engine) -> None:
    """Let a volunteer and a guest have a place, come, and claim the hours."""
    begin = NOW - dt.timedelta(hours=6)
    with KIT.open(engine, CLERK) as desk:
        times = {"starts_at": microseconds(begin), "ends_at": microseconds(begin + dt.timedelta(hours=2))}
        desk.connection.execute(sa.update(project).values(status="published"))
        desk.connection.execute(sa.insert(shift).values(id=1, project_id=1, capacity=9, taken=2, **times))
        person = {"shift_id": 1, "volunteer_id": 1, "state": "accepted", "guests": 1, "rank": 1}
        changed = {"applied_at": 0, "changed_at": 0, "changed_by": "x"}
        desk.connection.execute(sa.insert(participation).values(id=1, **person, **changed))
    for verb, at in ((attendance.check_in, begin), (attendance.check_out, begin + dt.timedelta(hours=2))):
        with attrs.evolve(KIT, clock=fixed_clock(at)).open(engine, COUNTER) as desk:
            verb(desk, 1, "V1")
    with KIT.open(engine, COUNTER) as desk:
        (made,) = hours.claim_attendance(desk, 1)
    with KIT.open(engine, CHECKER) as desk:
        hours.confirm(desk, made.record_id)


def defenceless(connection: sa.Connection, table: str) -> None:
    """Take away, inside a transaction that is rolled back, what keeps an administrator from altering rows."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        for verb in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_{verb}")
        return
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    checks = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
    for (name,) in connection.exec_driver_sql(checks, (table,)).all():
        connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def alterations(column: sa.Column[Any], value: Any) -> list[Any]:
    """Other values for a cell: a neighbour, and nothing for something or the word None for nothing."""
    kind = column.type.python_type
    if value is None:
        return [{int: 0, str: "None", bytes: b"None"}[kind]]
    other: list[Any] = [
        {int: lambda: value + 1000, str: lambda: value + "x", bytes: lambda: b"\0" * 32}[kind]()
    ]
    return other + ([None] if column.nullable else [])


@pytest.mark.parametrize(("table", "name"), COLUMNS, ids=lambda part: part)
def test_verify_notices_any_cell_that_was_altered(engine: sa.Engine, table: str, name: str) -> None:
    target = volunteerkit.metadata.tables[table]
    column, key = target.c[name], next(iter(target.primary_key.columns))
    tried = 0
    with engine.connect() as connection:
        assert verify_store(connection).holds
        defenceless(connection, table)
        for id_, value in connection.execute(sa.select(key, column).order_by(key)).all():
            for other in alterations(column, value):
                if other == value:
                    continue
                with connection.begin_nested() as savepoint:
                    connection.execute(sa.update(target).where(key == id_).values({name: other}))
                    found = verify_store(connection)
                    savepoint.rollback()
                assert not found.holds, (table, name, id_, other)
                if table in SEALED:
                    assert found.where.startswith(f"{table} "), found.where
                tried += 1
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()  # with it the connection that ignores checks
    assert tried


def test_every_append_only_table_is_verified() -> None:
    kept = {name for name, table in volunteerkit.metadata.tables.items() if table.info.get("append_only")}
    assert kept
    assert kept - {table for table, _ in COLUMNS} == set()


def test_what_an_older_version_wrote_is_vouched_for_when_it_is_brought_up_to_date(city: Any) -> None:
    row = {"organization_id": 1, "score": 9, "evaluated_on": 20000, "actor_id": "x"}
    city.at(NOW.date(), CLERK, lambda desk: organizations.register(desk, "O1", name="联合会"))
    with city.engine.connect() as connection:
        connection.execute(sa.insert(evaluation), [row | {"id": id_} for id_ in (1, 2, 4)])
        assert verify_store(connection).where == "vk_organization_evaluation 1"
        note_migration(connection, {SEALS: seal_existing(connection)})
        assert verify_store(connection).holds
        defenceless(connection, evaluation.name)
        connection.execute(sa.update(evaluation).where(evaluation.c.id == 4).values(score=100))
        assert verify_store(connection).where == "vk_organization_evaluation 4"
        connection.rollback()
    city.engine.dispose()


def test_no_row_is_written_that_no_event_vouches_for(engine: sa.Engine) -> None:
    row = {"id": 2, "organization_id": 1, "score": 9, "evaluated_on": 20000, "actor_id": "x"}

    @command
    def silent(desk: Desk) -> None:
        insert_sealed(desk, evaluation, **row)

    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        for verb in (silent, lambda desk: insert_sealed(desk, evaluation, **row)):
            with pytest.raises(IntegrityProblem), connection.begin_nested():
                verb(desk)
            assert verify_store(connection).holds
        connection.rollback()


def altered(connection: sa.Connection, statement: str) -> str:
    defenceless(connection, statement.split()[1 if statement.startswith("UPDATE") else 2])
    connection.exec_driver_sql(statement)
    return verify_store(connection).where


@pytest.mark.parametrize(
    ("statement", "where"),
    [
        ("UPDATE vk_transfer SET minutes = 61 WHERE seq = 3", "transfer 3 or its record 3"),
        ("UPDATE vk_transfer SET reason = 'None' WHERE seq = 5", "transfer 5"),
        ("UPDATE vk_service_record SET clock_minutes = 121 WHERE id = 5", "transfer 10 or its record 5"),
        ("UPDATE vk_service_record SET state = 'reversed' WHERE id = 1", "record 1"),
        ("UPDATE vk_service_record SET clock_minutes = 121 WHERE id = 7", "records of batch 1 without transfers"),
        ("UPDATE vk_service_record SET state = 'cancelled' WHERE id = 7", "records of batch 1 without transfers"),
        ("DELETE FROM vk_service_record WHERE id = 8", "records of batch 1 without transfers"),
        ("UPDATE vk_event SET key = 'k9' WHERE seq = 6", "event 6"),
        ("UPDATE vk_account SET pending_minutes = 7 WHERE id = 17", "account 17"),
        ("UPDATE vk_account SET id = 999 WHERE id = 34", "account 34"),
        ("UPDATE vk_account SET id = 999 WHERE id = 17", "account 17"),
        ("INSERT INTO vk_account (id, posted_minutes, pending_minutes) VALUES (999, 0, 0)", "account 999"),
        ("DELETE FROM vk_transfer WHERE seq = 13", "head of the transfers"),
        ("UPDATE vk_head SET record_id = 10", "head of the records"),
        ("UPDATE vk_head SET event_seq = 999", "head of the events"),
        ("UPDATE vk_head SET id = 2", "head"),
        ("DELETE FROM vk_head", "head"),
        ("UPDATE vk_shift SET taken = 1 WHERE id = 1", "places of shift 1"),
        ("UPDATE vk_participation SET guests = 2 WHERE id = 1", "places of shift 1"),
        ("UPDATE vk_attendance SET record_id = NULL WHERE id = 1", "record 9"),
        ("UPDATE vk_attendance SET record_id = 1 WHERE id = 1", "attendance 1"),
        ("UPDATE vk_period SET organization_id = NULL WHERE id = 2", "vk_period 2"),
        ("DELETE FROM vk_period WHERE id = 1", "vk_period 1"),
        ("UPDATE vk_credit_transfer SET minutes = 2 WHERE seq = 2", "credit transfer 2"),
        ("UPDATE vk_credit_account SET held_minutes = 9 WHERE id = 6", "credit account 6"),
        ("UPDATE vk_credit_lot SET left_minutes = 1 WHERE id = 1", "credit lot 1"),
        ("UPDATE vk_redemption SET state = 'lapsed' WHERE id = 1", "credit redemption 1"),
        ("DELETE FROM vk_redemption WHERE id = 2", "credit redemption 2"),
        ("DELETE FROM vk_case_decision WHERE id = 1", "vk_case_decision 1"),
        ("DELETE FROM vk_case_recusal WHERE case_id = 2", "vk_case_recusal 2, clerk-9"),
        ("DELETE FROM vk_decision WHERE id = 2", "vk_decision 1 - 2"),
        ("UPDATE vk_group_entry SET persons = 50 WHERE id = 1", "vk_group_entry 1"),
        ("INSERT INTO vk_organization_evaluation (id, organization_id, score, evaluated_on, actor_id) "
         "VALUES (2, 1, 100, 20000, 'clerk-8')", "vk_organization_evaluation 2"),
    ],
)  # fmt: skip
def test_verify_says_where(engine: sa.Engine, statement: str, where: str) -> None:
    with engine.connect() as connection:
        found = altered(connection, statement)
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()
    assert found == where


@pytest.mark.parametrize(
    ("statement", "mended"),
    [
        ("UPDATE vk_account SET posted_minutes = 7, pending_minutes = 3", 4),
        ("UPDATE vk_account SET posted_minutes = posted_minutes + 1 WHERE id = 17", 1),
        ("UPDATE vk_account SET pending_minutes = pending_minutes - 1 WHERE id = 18", 1),
        ("UPDATE vk_account SET id = 999 WHERE id = 17", 2),
        ("UPDATE vk_account SET id = 999 WHERE id = 34", 2),
        ("DELETE FROM vk_account", 4),
        ("UPDATE vk_account SET posted_minutes = posted_minutes", 0),
        ("UPDATE vk_shift SET taken = 7", 1),
        (
            "UPDATE vk_credit_account SET posted_minutes = posted_minutes + 1, held_minutes = 99 WHERE id = 6",
            1,
        ),
        ("UPDATE vk_credit_lot SET left_minutes = left_minutes - 1 WHERE id = 1", 1),
    ],
)
def test_rebuild_makes_balances_what_the_transfers_say(
    engine: sa.Engine, statement: str, mended: int
) -> None:
    def summed() -> list[Any]:
        names = ("vk_account", "vk_shift", "vk_credit_account", "vk_credit_lot")
        found = (volunteerkit.metadata.tables[name] for name in names)
        return [connection.execute(sa.select(table).order_by(table.c.id)).all() for table in found]

    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        right = summed()
        connection.exec_driver_sql(statement)
        assert hours.rebuild(desk) == mended
        assert summed() == right
        assert verify_store(connection).holds
        last = "SELECT type, actor_id, payload FROM vk_event ORDER BY seq DESC LIMIT 1"
        event = tuple(connection.exec_driver_sql(last).one())
        where = {"vk_shift": "shifts", "vk_account": "accounts"}.get(statement.split()[1], "credits")
        where = "accounts" if statement.startswith("DELETE") else where
        told = {"accounts": 0} | ({where: mended} if mended else {})
        assert (event[:2], json.loads(event[2])) == (("store.rebuilt", "clerk-7"), told)
        connection.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE vk_transfer SET minutes = minutes + 1 WHERE seq = 2",
        "UPDATE vk_head SET transfer_seq = transfer_seq - 1",
        "UPDATE vk_service_record SET volunteer_id = 2 WHERE id = 1",
    ],
)
def test_rebuild_refuses_when_the_transfers_themselves_were_altered(
    engine: sa.Engine, statement: str
) -> None:
    with engine.connect() as connection:
        desk = KIT.desk(connection, CLERK)
        defenceless(connection, statement.split()[1])
        connection.exec_driver_sql(statement)
        before = connection.exec_driver_sql("SELECT * FROM vk_account ORDER BY id").all()
        with pytest.raises(IntegrityProblem):
            hours.rebuild(desk)
        assert connection.exec_driver_sql("SELECT * FROM vk_account ORDER BY id").all() == before
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()


def test_only_the_centre_rebuilds(engine: sa.Engine) -> None:
    for grant in (Grant("auditor"), Grant("volunteer"), Grant("organization_admin", "O1")):
        with pytest.raises(NotPermitted), KIT.open(engine, Actor("a", (grant,))) as desk:
            hours.rebuild(desk)


def test_a_chain_of_the_bank_that_was_cut_short_or_written_anew_is_found(engine: sa.Engine) -> None:
    """Its roll-ups agree with it, but the events name what was there."""
    cut = (
        "UPDATE vk_credit_transfer SET hash = hash WHERE seq = 0",
        "DELETE FROM vk_credit_lot WHERE id = (SELECT max(seq) FROM vk_credit_transfer)",
        "DELETE FROM vk_credit_transfer WHERE seq = (SELECT max(seq) FROM vk_credit_transfer)",
    )
    with engine.connect() as connection:
        last = connection.exec_driver_sql("SELECT max(seq) FROM vk_credit_transfer").scalar()
        defenceless(connection, "vk_credit_lot")
        found = [altered(connection, statement) for statement in cut][-1]
        connection.rollback()
    if engine.dialect.name == "sqlite":
        engine.dispose()
    assert found == f"credit transfer {last}"
