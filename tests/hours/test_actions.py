"""Hours as a portal uses them: record, confirm, reject, reverse, on both databases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    KeyCipher,
    Kit,
    fixed_clock,
    hours,
    organizations,
    projects,
    volunteers,
)
from volunteerkit.access import Grant
from volunteerkit.errors import (
    AlreadyResolved,
    IdempotencyConflict,
    IntegrityProblem,
    InvalidValue,
    NotFound,
    NotPermitted,
    Refused,
)
from volunteerkit.store.texts import open_texts

NOW = dt.datetime(2026, 11, 23, 4, tzinfo=dt.UTC)
CLERK, CHECKER = Actor.of("clerk-7", "centre"), Actor.of("clerk-8", "centre")
DAY = dt.date(2026, 11, 15)


@pytest.fixture
def kit() -> Kit:
    return Kit.load("xinyu", cipher=KeyCipher(bytes(32)), clock=fixed_clock(NOW))


@pytest.fixture
def engine(database_url: str, kit: Kit) -> Iterator[sa.Engine]:
    engine = volunteerkit.create_engine(database_url)
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="渝水区志愿服务联合会")
        projects.register(desk, "P1", name="无偿献血宣传", organization="O1")
        person = Application("𠮷田喆", "O1", phone="12900000000", consent_on=desk.today)
        volunteers.register(desk, person, number="V1")
    with kit.open(engine, CHECKER) as desk:
        volunteers.approve(desk, "V1")
    yield engine
    engine.dispose()


def claim(
    minutes: int = 150, start: dt.time | None = dt.time(9), end: dt.time | None = dt.time(11, 30)
) -> Claim:
    return Claim("V1", "P1", DAY, minutes, start, end)


def total(kit: Kit, engine: sa.Engine, **moment: object) -> int:
    with kit.open(engine, CLERK, read_only=True) as desk:
        return hours.statement(desk, "V1", **moment).credited_minutes  # type: ignore[arg-type]


def holds(kit: Kit, engine: sa.Engine) -> bool:
    with kit.open(engine, CLERK, read_only=True) as desk:
        return hours.verify_store(desk.connection).holds


def test_a_claim_counts_only_when_somebody_else_has_confirmed_it(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        recorded = hours.record(desk, claim())
    assert (recorded.state, total(kit, engine)) == ("pending", 0)
    with pytest.raises(Refused), kit.open(engine, CLERK) as desk:
        hours.confirm(desk, recorded.record_id)
    with kit.open(engine, CHECKER) as desk:
        assert hours.confirm(desk, recorded.record_id).minutes == 150
    assert total(kit, engine) == 150
    assert holds(kit, engine)


def test_a_pending_claim_resolves_once(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    with kit.open(engine, CHECKER) as desk:
        hours.reject(desk, record_id, reason="没有签到")
    with pytest.raises(AlreadyResolved) as late, kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)
    assert late.value.values["actor"] == "clerk-8"
    assert total(kit, engine) == 0
    assert holds(kit, engine)


def test_fewer_minutes_need_a_reason_and_more_are_refused(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    with pytest.raises(Refused), kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id, minutes=151, reason="多给")
    with pytest.raises(InvalidValue), kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id, minutes=60)
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id, minutes=60, reason="提前离开")
    assert total(kit, engine) == 60
    assert holds(kit, engine)


def test_a_reversal_keeps_every_earlier_statement(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)
        known = hours.statement(desk, "V1").known_at
        hours.reverse(desk, record_id, reason="录错了人")
    assert total(kit, engine) == 0
    assert total(kit, engine, known_at=known) == 150
    assert total(kit, engine, as_of=dt.date(2026, 11, 20)) == 150
    with kit.open(engine, CHECKER) as desk:
        hours.restore(desk, record_id, reason="冲正有误")
    assert total(kit, engine) == 150
    assert holds(kit, engine)


def test_two_who_correct_one_mistake_do_not_undo_each_other(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)
        with pytest.raises(Refused) as told:
            hours.restore(desk, record_id, reason="没有冲正过")
        assert [finding.code for finding in told.value.findings] == ["nothing_to_restore"]
        hours.reverse(desk, record_id, reason="录错了人")
    with pytest.raises(AlreadyResolved, match="clerk-8"), kit.open(engine, CHECKER) as desk:
        hours.reverse(desk, record_id, reason="录错了人")
    assert total(kit, engine) == 0
    with kit.open(engine, CHECKER) as desk:
        assert hours.restore(desk, record_id, reason="没有录错", key="k").state == "confirmed"
        assert hours.restore(desk, record_id, reason="没有录错", key="k").replayed
    assert total(kit, engine) == 150


def test_the_same_key_is_done_once(kit: Kit, engine: sa.Engine) -> None:
    answers = []
    for _ in range(2):
        with kit.open(engine, CLERK) as desk:
            answers.append(hours.record(desk, claim(), key="表12第3行"))
    assert answers[0].record_id == answers[1].record_id
    assert [answer.replayed for answer in answers] == [False, True]
    with pytest.raises(IdempotencyConflict), kit.open(engine, CLERK) as desk:
        hours.record(desk, claim(90), key="表12第3行")
    with pytest.raises(Refused), kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim("V1", "P1", dt.date(2027, 1, 1), 60), key="未来")
    with kit.open(engine, CLERK) as desk:
        assert not hours.record(desk, claim(60, None, None), key="未来").replayed
    assert holds(kit, engine)


def test_overlaps_are_told_and_count_once(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        first = hours.record(desk, claim())
        second = hours.record(desk, claim(120, dt.time(10, 30), dt.time(12, 30)))
        touching = hours.record(desk, claim(60, dt.time(12, 30), dt.time(13, 30)))
    assert [finding.code for finding in second.findings] == ["overlap_warning"]
    assert touching.findings == ()
    with kit.open(engine, CHECKER) as desk:
        for record_id in (first.record_id, second.record_id):
            hours.confirm(desk, record_id)
        line = hours.statement(desk, "V1").lines[1]
        assert (
            line.project_name
            == desk.connection.execute(
                sa.text("SELECT name FROM vk_project WHERE number = :it"), {"it": line.project}
            ).scalar_one()
        )
    assert (line.confirmed_minutes, line.credited_minutes) == (120, 60)
    assert [reason.code for reason in line.reasons] == ["minutes_counted_before"]
    assert total(kit, engine) == 210


def test_many_claims_at_once_are_what_they_would_be_one_by_one(kit: Kit, engine: sa.Engine) -> None:
    late = claim(120, dt.time(10, 30), dt.time(12, 30))
    future = Claim("V1", "P1", dt.date(2027, 1, 1), 60)
    unknown = Claim("V9", "P1", DAY, 60)
    given = [
        ("a", claim()),
        ("b", unknown),
        ("a", claim()),
        ("c", late),
        ("d", future),
        ("e", claim(60, None, None)),
    ]
    with kit.open(engine, CLERK) as desk:
        first, missing, again, second, refused, third = hours.record_many(desk, given)
    assert isinstance(missing, NotFound)
    assert isinstance(refused, Refused)
    assert again == hours.Recorded(first.record_id, "pending", 150, replayed=True)  # type: ignore[union-attr]
    assert [finding.values["record"] for finding in second.findings] == [first.record_id]  # type: ignore[union-attr]
    assert third.findings == ()  # type: ignore[union-attr]
    with pytest.raises(IdempotencyConflict), kit.open(engine, CLERK) as desk:
        hours.record_many(desk, [("f", claim()), ("f", late)])
    with kit.open(engine, CLERK, read_only=True) as desk:
        tables = ("vk_service_record", "vk_transfer", "vk_flag")
        counts = [
            desk.connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() for table in tables
        ]
    assert counts == [3, 3, 1]
    assert holds(kit, engine)


@pytest.mark.parametrize("minutes", [0, -1, 1441, 1.0, True, float("nan"), "90", None, 2**63])
def test_only_whole_minutes_of_a_day_are_claimed(minutes: object) -> None:
    with pytest.raises(InvalidValue):
        Claim("V1", "P1", DAY, minutes)  # type: ignore[arg-type]


def test_every_sign_of_a_key_and_an_actor_is_kept_as_it_is(kit: Kit, engine: sa.Engine) -> None:
    odd, key = Actor.of('窗口-"七"\\u0041\\', "centre"), "键'\"\\x31%s?𠮷"
    with kit.open(engine, odd) as desk:
        first = hours.record(desk, claim(), key=key)
        assert hours.record(desk, claim(), key=key) == attrs.evolve(first, replayed=True)
        setting = (
            "SHOW plan_cache_mode" if engine.dialect.name == "postgresql" else "SELECT 'force_custom_plan'"
        )
        assert desk.connection.execute(sa.text(setting)).scalar() == "force_custom_plan"
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT actor_id, key FROM vk_event WHERE key IS NOT NULL")).all()
        by = connection.execute(sa.text("SELECT recorded_by FROM vk_service_record")).scalars().all()
    assert ([tuple(row) for row in kept], by) == ([(odd.id, key)], [odd.id])
    assert holds(kit, engine)


def test_a_ledger_without_its_head_takes_no_claim(kit: Kit, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM vk_head"))
    with kit.open(engine, CLERK) as desk, pytest.raises(IntegrityProblem, match="vk_head"):
        hours.record(desk, claim())
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT COUNT(*) FROM vk_service_record")).scalar() == 0


def test_unknown_and_foreign_things_look_alike_to_those_without_a_grant(kit: Kit, engine: sa.Engine) -> None:
    stranger = Actor("admin-9", (Grant("organization_admin", "O2"),))
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    for unknown, actor in ((record_id, stranger), (999, stranger), (999, CLERK)):
        with pytest.raises(NotFound), kit.open(engine, actor) as desk:
            hours.confirm(desk, unknown)
    with pytest.raises(NotPermitted), kit.open(engine, Actor("nobody")) as desk:
        hours.confirm(desk, record_id)
    with pytest.raises(NotPermitted), kit.open(engine, Actor("nobody")) as desk:
        hours.record(desk, claim())


@pytest.mark.parametrize("table", ["vk_transfer", "vk_event", "vk_decision"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET {} = {}"])
def test_what_is_written_is_never_changed(kit: Kit, engine: sa.Engine, table: str, statement: str) -> None:
    with kit.open(engine, CLERK) as desk:
        hours.record(desk, claim())
    key = "id" if table == "vk_decision" else "seq"
    if table == "vk_decision":
        with kit.open(engine, CLERK) as desk:
            desk.connection.execute(
                sa.text(
                    "INSERT INTO vk_decision (id, volunteer_id, rulebook, digest, credit_digest, decided_on, known_at,"
                    " grade, facts) VALUES (1, 1, 'x', 'x', 'x', 1, 1, 1, '{}')"
                )
            )
    with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
        connection.exec_driver_sql(statement.format(table, key, key))


CHANGES = {
    "vk_transfer": "UPDATE vk_transfer SET minutes = minutes + 1 WHERE seq = 2",
    "vk_event": "UPDATE vk_event SET actor_id = 'clerk-9' WHERE seq = 5",
    "vk_account": "UPDATE vk_account SET posted_minutes = posted_minutes + 1 WHERE id = 17",
    "vk_service_record": "UPDATE vk_service_record SET confirmed_minutes = 149 WHERE id = 1",
}


@pytest.mark.parametrize("table", CHANGES)
def test_verify_names_a_row_that_was_changed_behind_the_ledgers_back(
    sqlite_url: str, kit: Kit, table: str
) -> None:
    engine = volunteerkit.create_engine(sqlite_url)
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="联合会")
        projects.register(desk, "P1", name="宣传", organization="O1")
        volunteers.register(desk, Application("兰", "O1", consent_on=desk.today), number="V1")
    with kit.open(engine, CHECKER) as desk:
        volunteers.approve(desk, "V1")
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim()).record_id
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {table}_no_update")
        connection.exec_driver_sql(CHANGES[table])
    with kit.open(engine, CLERK, read_only=True) as desk:
        found = hours.verify_store(desk.connection)
    engine.dispose()
    assert not found.holds
    wanted = {
        "vk_transfer": "transfer 2",
        "vk_event": "event 5",
        "vk_account": "account 17",
        "vk_service_record": "record 1",
    }
    assert found.where == wanted[table]


@pytest.mark.parametrize(
    ("volunteer", "project", "kind"), [("V9", "P1", "volunteer"), ("V1", "P9", "project")]
)
def test_what_is_unknown_is_named(
    kit: Kit, engine: sa.Engine, volunteer: str, project: str, kind: str
) -> None:
    with pytest.raises(NotFound) as told, kit.open(engine, CLERK) as desk:
        hours.record(desk, Claim(volunteer, project, DAY, 60))
    assert told.value.values["kind"] == kind


def test_nobody_confirms_rejects_or_reverses_their_own_hours(kit: Kit, engine: sa.Engine) -> None:
    own = Actor("p1", (Grant("centre"),), volunteer="V1")
    with kit.open(engine, CLERK) as desk:
        first, second = (hours.record(desk, claim()).record_id for _ in range(2))
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, second)
    with kit.open(engine, own) as desk:
        for decide in (
            lambda: hours.confirm(desk, first),
            lambda: hours.reject(desk, first, reason="x"),
            lambda: hours.reverse(desk, second, reason="x"),
        ):
            with pytest.raises(Refused) as told:
                decide()
            assert [finding.code for finding in told.value.findings] == ["own_record"]
    with pytest.raises(Refused), kit.open(engine, CLERK) as desk:
        hours.reverse(desk, second, reason="x")


def test_today_counts_and_tomorrow_does_not(kit: Kit, engine: sa.Engine) -> None:
    today = dt.date(2026, 11, 23)
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, Claim("V1", "P1", today, 60)).record_id
        with pytest.raises(Refused) as told:
            hours.record(desk, Claim("V1", "P1", today + dt.timedelta(1), 60))
    assert [finding.code for finding in told.value.findings] == ["served_in_future"]
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id)
    assert (total(kit, engine), total(kit, engine, as_of=today - dt.timedelta(1))) == (60, 0)


def test_a_volunteer_who_is_not_active_claims_nothing(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        desk.connection.exec_driver_sql("UPDATE vk_volunteer SET status = 'suspended'")
        with pytest.raises(Refused) as told:
            hours.record(desk, claim())
    assert [finding.code for finding in told.value.findings] == ["volunteer_not_active"]


@pytest.mark.parametrize(
    ("day", "start", "end", "overlaps"),
    [
        (DAY, 6, 9, False),
        (DAY, 6, 10, True),
        (DAY, 11, 12, False),
        (DAY, 10, 12, True),
        (DAY, 9, 11, True),
        (DAY - dt.timedelta(1), 22, 9, False),
        (DAY - dt.timedelta(1), 22, 10, True),
    ],
)
def test_times_overlap_by_the_minute_and_over_midnight(
    kit: Kit, engine: sa.Engine, day: dt.date, start: int, end: int, overlaps: bool
) -> None:
    with kit.open(engine, CLERK) as desk:
        hours.record(desk, claim(60, dt.time(9), dt.time(11)))
        second = hours.record(desk, Claim("V1", "P1", day, 60, dt.time(start), dt.time(end)))
        flags = desk.connection.exec_driver_sql("SELECT record_id, kind FROM vk_flag").all()
    assert [finding.code for finding in second.findings] == ["overlap_warning"] * overlaps
    assert [tuple(flag) for flag in flags] == [(2, "overlap_same_volunteer")] * overlaps


def test_reasons_and_what_a_transfer_refers_to_are_kept(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        first, second = (hours.record(desk, claim()).record_id for _ in range(2))
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, first, minutes=60, reason="提前离开")
        hours.reject(desk, second, reason="没有签到")
        hours.reverse(desk, first, reason="录错了人", effective_on=DAY)
        hours.restore(desk, first, reason="冲正有误")
        rows = desk.connection.exec_driver_sql(
            "SELECT seq, record_id, code, minutes, refers_to, reason FROM vk_transfer ORDER BY seq"
        ).all()
        said = open_texts(desk, (row[5] for row in rows))
    # sealed with the volunteer: the ledger's rows stay for ever, and what was said need not
    assert [(*row[:5], said[row[5]] or None) for row in rows] == [
        (1, 1, "RECORD", 150, None, None),
        (2, 2, "RECORD", 150, None, None),
        (3, 1, "CONFIRM", 60, 1, "提前离开"),
        (4, 2, "REJECT", 150, 2, "没有签到"),
        (5, 1, "REVERSE", 60, 3, "录错了人"),
        (6, 1, "REVERSE", 60, 5, "冲正有误"),
    ]
    assert total(kit, engine) == 60


def test_a_key_holds_for_the_whole_command(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        first, second, third = (hours.record(desk, claim()).record_id for _ in range(3))
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, first, minutes=60, reason="提前离开", key="k")
        hours.reject(desk, third, reason="没有签到", key="k")
        hours.reverse(desk, first, reason="录错了人", key="k")
        assert hours.confirm(desk, first, minutes=60, reason="提前离开", key="k").replayed
        assert hours.reject(desk, third, reason="没有签到", key="k").replayed
        assert hours.reverse(desk, first, reason="录错了人", key="k").replayed
        for other in (
            lambda: hours.confirm(desk, second, minutes=60, reason="提前离开", key="k"),
            lambda: hours.confirm(desk, first, minutes=61, reason="提前离开", key="k"),
            lambda: hours.confirm(desk, first, minutes=60, reason="早退", key="k"),
            lambda: hours.confirm(desk, first, key="k"),
            lambda: hours.reject(desk, second, reason="没有签到", key="k"),
            lambda: hours.reject(desk, third, reason="没来", key="k"),
            lambda: hours.reverse(desk, first, reason="录错", key="k"),
            lambda: hours.reverse(desk, second, reason="录错了人", key="k"),
            lambda: hours.reverse(desk, first, reason="录错了人", effective_on=DAY, key="k"),
        ):
            with pytest.raises(IdempotencyConflict):
                other()
    assert holds(kit, engine)


def test_a_key_opens_nothing_to_those_without_a_grant(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        record_id = hours.record(desk, claim(), key="k").record_id
    with kit.open(engine, CHECKER) as desk:
        hours.confirm(desk, record_id, key="k")
    with kit.open(engine, Actor("nobody")) as desk:
        for replay in (
            lambda: hours.record(desk, claim(), key="k"),
            lambda: hours.confirm(desk, record_id, key="k"),
        ):
            with pytest.raises(NotPermitted):
                replay()


def test_what_waits_is_listed_for_those_who_may_confirm_it(kit: Kit, engine: sa.Engine) -> None:
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O2", name="分宜县志愿者协会")
        projects.register(desk, "P2", name="河道清理", organization="O2")
        first, second, third = (
            hours.record(desk, claim).record_id
            for claim in (
                claim(),
                claim(60, dt.time(11), dt.time(12)),
                Claim("V1", "P2", dt.date(2026, 11, 9), 45),
            )
        )
    with kit.open(engine, CHECKER) as desk:
        own = hours.record(desk, Claim("V1", "P1", DAY, 30)).record_id

    def listed(actor: Actor, **asked: Any) -> list[int]:
        with kit.open(engine, actor, read_only=True) as desk:
            return [each.record_id for each in hours.list_pending(desk, **asked)]

    assert listed(CHECKER) == [first, second, third]
    assert listed(CLERK) == [own]
    assert listed(CHECKER, project="P2") == listed(CHECKER, served_on=dt.date(2026, 11, 9)) == [third]
    assert listed(CHECKER, project="P1", served_on=DAY, limit=1) == [first]
    assert listed(CHECKER, after=first, limit=2) == [second, third]
    assert listed(Actor("admin-1", (Grant("organization_admin", "O2"),))) == [third]
    assert listed(Actor("v-1", (Grant("volunteer"),), volunteer="V1")) == []
    both = Actor("admin-2", (Grant("organization_admin", "O2"),), volunteer="V1")
    assert listed(both) == []  # nobody confirms their own service
    with kit.open(engine, CHECKER) as desk:
        lines = {each.record_id: each for each in hours.list_pending(desk)}
        assert [lines[id_].overlaps for id_ in (first, second, third)] == [False, True, False]
        assert (lines[first].start_minute, lines[first].clock_minutes, lines[third].start_minute) == (
            540,
            150,
            -1,
        )
        hours.confirm(desk, first)
        hours.reject(desk, second, reason="没有签到")
    assert listed(CHECKER) == [third]
    for wrong in (
        {"after": -1},
        {"after": "1"},
        {"limit": 0},
        {"limit": True},
        {"project": 7},
        {"served_on": NOW},
    ):
        with pytest.raises(InvalidValue), kit.open(engine, CHECKER, read_only=True) as desk:
            hours.list_pending(desk, **wrong)  # type: ignore[arg-type]
