"""Reasons in free words: readable for whoever may see the case, in no table, and gone with the erasure."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
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
    statistics,
    volunteers,
)
from volunteerkit.approvals import grants
from volunteerkit.approvals.cases import open_case, put
from volunteerkit.errors import KeyProblem, VolunteerkitError
from volunteerkit.hours import bank, verify_store
from volunteerkit.organizations import TeamForm, base, teams
from volunteerkit.organizations.tables import team
from volunteerkit.privacy import HIDDEN
from volunteerkit.projects import ShiftForm, attendance, participants
from volunteerkit.projects.tables import attendance as pair
from volunteerkit.projects.tables import participation, project, shift
from volunteerkit.statistics.city import city_figures
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.schema import event
from volunteerkit.store.vault import vault
from volunteerkit.units import day_number
from volunteerkit.volunteers.reading import by_managing, find
from volunteerkit.workflow import Position

KEY = KeyCipher(bytes(32))
DAY = dt.date(2026, 11, 24)
CENTRE, THIRD = Actor.of("centre-1", "centre"), Actor.of("centre-3", "centre")
SECOND = Actor(
    "centre-2", (Grant("centre"), Grant("organization_admin", "O1"), Grant("organization_admin", "O2"))
)
AUDITOR = Actor.of("auditor-1", "auditor")
SELF = Actor("app-1", (Grant("volunteer"),), volunteer="V1")
LEAD = Actor("officer-1", (Grant("department_officer", "渝水区"),))
KIT = Kit.load(cipher=KEY, clock=fixed_clock(dt.datetime(2026, 11, 24, 4, tzinfo=dt.UTC)))
Dump = Callable[[sa.Engine], str]
MARK = "鬱鬯鼐鼎"
MODULES = (
    approvals, grants, volunteers, organizations, base, teams, hours, bank, personal, projects, participants, attendance,
    rating,
)  # fmt: skip
said: set[str] = set()


def why(verb: str) -> str:
    """Return the reason for a verb, which marks it."""
    said.add(verb)
    return f"{MARK}之子欠债，{verb}"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    said.clear()
    made = volunteerkit.create_engine(database_url)
    KIT.migrate(made)
    at(made, CENTRE, seed)
    yield made
    made.dispose()


def at(engine: sa.Engine, actor: Actor, work: Callable[[Desk], Any]) -> Any:
    with KIT.open(engine, actor) as desk:
        return work(desk)


def seed(desk: Desk) -> None:
    for number in ("O1", "O2"):
        organizations.register(desk, number, name=f"志愿者联合会{number}")
    projects.register(desk, "P1", name="助老", organization="O1")
    for number in ("V1", "V2", "V3"):
        volunteers.admit(desk, name="欧阳雪", organization="O1", number=number)


def decided(engine: sa.Engine, case: Any, verdict: str = "approve") -> None:
    case_id = case if isinstance(case, int) else case.id
    at(engine, SECOND, lambda desk: approvals.decide(desk, case_id, verdict, reason=why("decide")))


def sanctions(engine: sa.Engine) -> None:
    at(engine, CENTRE, lambda desk: volunteers.suspend(desk, "V1", reason=why("suspend"), until=DAY))
    until = DAY + dt.timedelta(30)
    at(engine, CENTRE, lambda desk: volunteers.put_on_probation(desk, "V1", until=until, reason=why("put_on_probation")))  # fmt: skip
    at(engine, SELF, lambda desk: volunteers.take_leave(desk, "V1", since=until, reason=why("take_leave")))
    black = lambda desk: volunteers.propose_blacklist(desk, "V1", until=until, reason=why("propose_blacklist"))  # noqa: E731  # fmt: skip
    decided(engine, at(engine, CENTRE, black))
    decided(engine, at(engine, CENTRE, lambda desk: volunteers.lift_blacklist(desk, "V1", reason=why("lift_blacklist"))))  # fmt: skip
    held = at(engine, CENTRE, black)
    at(engine, THIRD, lambda desk: approvals.recuse(desk, held.id, reason=why("recuse")))
    at(engine, CENTRE, lambda desk: approvals.withdraw(desk, held.id, reason=why("withdraw")))


def notice(engine: sa.Engine) -> None:
    """A public notice about V1, with an objection."""

    def noticed(desk: Desk) -> int:
        found = find(desk, "V1")
        assert found is not None
        case = open_case(desk, "volunteer.blacklist", found.subject, by_managing(found),
                         facts={"since": 1, "until": 2, "reason": why("open_case")})  # fmt: skip
        put(desk, case, Position("notice", 0, False, DAY), by="x")
        return case.id

    case = at(engine, CENTRE, noticed)
    number = at(engine, LEAD, lambda desk: approvals.object_to(desk, case, reason=why("object_to")))
    at(engine, SECOND, lambda desk: approvals.answer_objection(desk, case, number, "uphold", reason=why("answer_objection")))  # fmt: skip


def belonging(engine: sa.Engine) -> None:
    form = TeamForm(name="助老队", organization="O1")
    number = at(engine, CENTRE, lambda desk: teams.apply(desk, form)).number
    case = at(engine, SECOND, lambda desk: approvals.pending(desk, mine=False, kind="team.registration"))[0]
    decided(engine, case)
    at(engine, CENTRE, lambda desk: volunteers.add_to_team(desk, "V1", number))
    at(engine, SELF, lambda desk: volunteers.leave_team(desk, "V1", number, reason=why("leave_team")))
    at(engine, CENTRE, lambda desk: teams.suspend(desk, number, reason=why("suspend")))
    at(engine, CENTRE, lambda desk: teams.lift(desk, number, reason=why("lift")))
    at(engine, CENTRE, lambda desk: teams.dissolve(desk, number, reason=why("dissolve")))
    at(engine, CENTRE, lambda desk: volunteers.request_transfer(desk, "V1", "O2", reason=why("request_transfer")))  # fmt: skip
    first = at(engine, CENTRE, lambda desk: volunteers.propose_merge(desk, "V2", "V3", reason=why("propose_merge")))  # fmt: skip
    decided(engine, first)
    decided(engine, at(engine, CENTRE, lambda desk: volunteers.propose_unmerge(desk, "V3", reason=why("propose_unmerge"))))  # fmt: skip
    for number, verb in (("V8", volunteers.approve), ("V9", volunteers.refuse)):
        form = Application(name="兰兰", organization="O1", phone=f"1290000777{number[1]}", consent_on=DAY)
        at(engine, CENTRE, lambda desk: volunteers.register(desk, form, number=number))  # noqa: B023
        at(engine, SECOND, lambda desk: verb(desk, number, reason=why(verb.__name__)))  # noqa: B023
    at(engine, CENTRE, lambda desk: volunteers.deregister(desk, "V8", reason=why("deregister")))


def service(engine: sa.Engine) -> None:
    def record(desk: Desk) -> int:
        return hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 150)).record_id

    first, other = at(engine, CENTRE, record), at(engine, CENTRE, record)
    at(engine, SECOND, lambda desk: hours.confirm(desk, first, minutes=60, reason=why("confirm")))
    at(engine, SECOND, lambda desk: hours.reverse(desk, first, reason=why("reverse")))
    at(engine, SECOND, lambda desk: hours.restore(desk, first, reason=why("restore")))
    at(engine, SECOND, lambda desk: hours.reject(desk, other, reason=why("reject")))


def corrections(engine: sa.Engine) -> None:
    def record(desk: Desk) -> int:
        projects.register(desk, "P2", name="助残", organization="O1")
        row = {"id": 77, "number": "T77", "name": "队", "organization_id": 1, "status": "approved"}
        desk.connection.execute(sa.insert(team).values(row))
        claim = Claim("V1", "P1", dt.date(2026, 11, 8), 150, evidence=why("evidence"))
        return hours.record(desk, claim).record_id

    third = at(engine, CENTRE, record)
    at(engine, SECOND, lambda desk: hours.confirm(desk, third))
    at(engine, SECOND, lambda desk: hours.adjust(desk, third, minutes=100, reason=why("adjust")))
    case = at(engine, SELF, lambda desk: hours.dispute(desk, third, 150, reason=why("dispute"))).id
    at(engine, THIRD, lambda desk: approvals.decide(desk, case, "refuse", reason=why("decide")))
    case = at(engine, SELF, lambda desk: hours.appeal(desk, case, reason=why("appeal"))).id
    at(engine, SELF, lambda desk: approvals.withdraw(desk, case, reason=why("withdraw")))
    at(engine, SECOND, lambda desk: hours.move(desk, third, "P2", reason=why("move")))
    at(engine, CENTRE, lambda desk: hours.raise_budget(desk, "P1", 60, reason=why("raise_budget")))
    day, until = dt.date(2020, 1, 1), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    closing = at(engine, CENTRE, lambda desk: hours.close_period(desk, day, day))
    at(engine, CENTRE, lambda desk: hours.reopen_period(desk, closing, day, day, until=until, reason=why("reopen_period")))  # fmt: skip
    group = at(engine, CENTRE, lambda desk: hours.enter_group(desk, "T77", "P2", DAY, minutes=60, persons=5))
    at(engine, SECOND, lambda desk: hours.decide_group(desk, group, "reject", reason=why("decide_group")))


def plans(engine: sa.Engine) -> None:
    """Shifts of a project: who is refused, removed, excused, overridden, reviewed; what is cancelled."""
    start, hour = KIT.clock() + dt.timedelta(7), 3_600_000_000

    def prepare(desk: Desk) -> list[int]:
        projects.register(desk, "P3", name="助学", organization="O1")
        shifts = [
            projects.add_shift(desk, "P3", ShiftForm(start, start + dt.timedelta(hours=2))).id for _ in "123"
        ]
        now = microseconds(desk.now)
        desk.connection.execute(sa.update(project).where(project.c.number == "P3").values(status="published"))
        desk.connection.execute(
            sa.update(shift).where(shift.c.id.in_((shifts[0], shifts[2]))).values(taken=1)
        )
        past = {"starts_at": now - 3 * hour, "ends_at": now - hour}
        desk.connection.execute(sa.update(shift).where(shift.c.id == shifts[2]).values(**past))
        common = {"rank": 1, "applied_at": 0, "changed_at": 0, "changed_by": "x"}
        rows = [(71, shifts[0], 2, "applied"), (72, shifts[0], 3, "accepted"), (73, shifts[2], 2, "accepted")]
        names = ("id", "shift_id", "volunteer_id", "state")
        desk.connection.execute(
            sa.insert(participation), [common | dict(zip(names, row, strict=True)) for row in rows]
        )
        desk.connection.execute(
            sa.insert(pair).values(
                id=71, participation_id=73, volunteer_id=2, shift_id=shifts[2], served_on=day_number(DAY),
                in_at=now - 3 * hour, out_at=now - hour, in_method="self", out_method="self", in_by="app-2",
                in_received_at=now, flags="self_reported",
            )
        )  # fmt: skip
        return shifts

    shifts = at(engine, CENTRE, prepare)
    at(engine, SECOND, lambda desk: participants.refuse(desk, 71, reason=why("refuse")))
    at(engine, SECOND, lambda desk: participants.remove(desk, 72, reason=why("remove")))
    at(engine, SECOND, lambda desk: attendance.review(desk, 71, accept=True, reason=why("review")))
    at(engine, SECOND, lambda desk: participants.mark(desk, 73, "excused", reason=why("mark")))
    at(engine, CENTRE, lambda desk: projects.cancel_shift(desk, shifts[1], reason=why("cancel_shift")))
    at(engine, CENTRE, lambda desk: projects.register(desk, "P4", name="助医", organization="O1"))
    at(engine, CENTRE, lambda desk: projects.cancel(desk, "P4", reason=why("cancel")))


def savings(engine: sa.Engine) -> None:
    """A redemption that is refunded, or not."""

    def record(desk: Desk) -> int:
        return hours.record(desk, Claim("V2", "P2", dt.date(2026, 11, 9), 150)).record_id

    first = at(engine, CENTRE, record)
    at(engine, SECOND, lambda desk: hours.confirm(desk, first))
    at(engine, CENTRE, lambda desk: bank.settle(desk, "V2"))
    saver = Actor("app-2", (Grant("volunteer"),), volunteer="V2")
    held = at(engine, saver, lambda desk: bank.hold(desk, "V2", "O1", minutes=10)).id
    at(engine, SECOND, lambda desk: bank.redeem(desk, held))
    case = at(engine, CENTRE, lambda desk: bank.propose_refund(desk, held, reason=why("propose_refund")))
    at(engine, CENTRE, lambda desk: approvals.withdraw(desk, case.id, reason="收回"))


def bodies(engine: sa.Engine) -> None:
    for verb in ("propose_suspension", "propose_lifting", "propose_dissolution"):
        case = at(engine, CENTRE, lambda desk: getattr(organizations, verb)(desk, "O2", reason=why(verb)))  # noqa: B023  # fmt: skip
        decided(engine, case, "approve" if verb == "propose_suspension" else "refuse")
    at(engine, CENTRE, lambda desk: organizations.propose_merger(desk, "O2", successor="O1", reason=why("propose_merger")))  # fmt: skip
    with pytest.raises(VolunteerkitError) as told:
        at(
            engine,
            CENTRE,
            lambda desk: organizations.remove_admin(desk, "O1", "x", reason=why("remove_admin")),
        )
    assert MARK not in str(told.value) + repr(told.value)


def life(engine: sa.Engine) -> None:
    for part in (belonging, service, corrections, plans, savings, sanctions, notice, bodies):
        part(engine)


def readable(desk: Desk) -> str:
    """Return whatever the verbs tell of the cases and memberships in the city."""
    cases = [row[0] for row in desk.connection.exec_driver_sql("SELECT id FROM vk_case ORDER BY id")]
    told: list[Any] = [*volunteers.memberships(desk, "V1")]
    for each in cases:
        told += [
            approvals.view(desk, each),
            *approvals.decisions(desk, each),
            *approvals.objections(desk, each),
        ]
    assert MARK not in repr(told)  # as it would stand in a log
    return str([attrs.asdict(each) for each in told])


def test_every_verb_that_takes_a_reason_is_tried_here(engine: sa.Engine) -> None:
    life(engine)
    takes = {
        name for module in MODULES for name in module.__all__
        if inspect.isfunction(verb := getattr(module, name)) and "reason" in inspect.signature(verb).parameters
    }  # fmt: skip
    assert takes - said == set()


def test_a_reason_is_read_by_whoever_sees_the_case_and_stands_in_no_table(
    engine: sa.Engine, dump: Dump, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="volunteerkit")
    life(engine)
    told = at(engine, CENTRE, readable)
    for verb in (
        "decide",
        "withdraw",
        "object_to",
        "propose_blacklist",
        "request_transfer",
        "leave_team",
        "refuse",
    ):
        assert f"{MARK}之子欠债，{verb}" in told, verb
    assert MARK not in dump(engine) + caplog.text
    if engine.dialect.name == "sqlite":
        place = Path(database_url.removeprefix("sqlite:///"))
        held = b"".join(path.read_bytes() for path in place.parent.glob(f"{place.name}*"))
        assert MARK.encode() not in held
    own = at(engine, SELF, personal.export_own)
    for verb in (
        "suspend",
        "propose_blacklist",
        "take_leave",
        "decide",
        "reverse",
        "evidence",
        "adjust",
        "dispute",
        "appeal",
        "move",
    ):
        assert f"{MARK}之子欠债，{verb}" in own, verb


def test_an_auditor_sees_that_there_is_a_reason_and_none_of_its_words(engine: sa.Engine) -> None:
    life(engine)
    at(
        engine,
        CENTRE,
        lambda desk: volunteers.evaluate(desk, "V1", f"{MARK}迟到", on=DAY, score=40, organization="O1"),
    )
    officer = at(engine, CENTRE, lambda desk: statistics.activity_record(desk, "V1"))
    assert [line.name for line in officer if line.kind == "evaluation"] == [f"{MARK}迟到"]
    told = at(engine, AUDITOR, readable)
    assert MARK not in told
    assert HIDDEN in told
    cases = at(engine, AUDITOR, lambda desk: approvals.pending(desk, mine=False))
    assert HIDDEN in {each.facts.get("reason") for each in cases}
    assert MARK not in str([attrs.asdict(each) for each in cases])
    record = at(engine, AUDITOR, lambda desk: statistics.activity_record(desk, "V1"))
    assert [(line.name, line.score) for line in record if line.kind == "evaluation"] == [(HIDDEN, 40)]
    # whoever audits and holds an office reads what the office reads
    both = attrs.evolve(CENTRE, grants=(*AUDITOR.grants, *CENTRE.grants))
    assert MARK in at(engine, both, readable)


def test_after_erasure_no_reason_about_the_person_opens_and_the_figures_stand(engine: sa.Engine) -> None:
    life(engine)
    before = at(engine, CENTRE, city_figures)
    at(engine, SELF, personal.request_erasure)
    assert "propose_blacklist" not in at(engine, CENTRE, readable)
    case = at(engine, CENTRE, lambda desk: personal.erase(desk, "V1"))
    decided(engine, case)
    left = at(engine, CENTRE, readable)
    for verb in ("withdraw", "object_to", "propose_blacklist", "request_transfer", "leave_team"):
        assert f"，{verb}'" not in left, verb
    assert "propose_merge" in left  # about somebody else
    with engine.connect() as connection:
        held = connection.execute(sa.select(vault.c.subject).where(vault.c.subject.like("volunteer:1#%")))
        assert held.fetchall() == []
        assert verify_store(connection).holds
    assert MARK not in at(engine, SELF, personal.export_own)
    after = at(engine, CENTRE, city_figures)
    assert after == before


def test_what_was_said_goes_two_years_after_its_matter_is_over(engine: sa.Engine) -> None:
    """The clock is moved: a suspension of today, a blacklisting until 2028, and hours decided today."""
    until = dt.date(2028, 3, 1)
    at(engine, CENTRE, lambda desk: volunteers.suspend(desk, "V1", reason=why("suspend"), until=DAY))
    at(engine, CENTRE, lambda desk: volunteers.take_leave(desk, "V1", since=DAY, reason=why("take_leave")))
    at(
        engine,
        CENTRE,
        lambda desk: volunteers.add_commendation(desk, "V1", "之星", on=DAY, granted_by="市文明办"),
    )
    case = at(engine, CENTRE, lambda desk: volunteers.propose_blacklist(desk, "V1", until=until, reason=why("propose_blacklist")))  # fmt: skip
    decided(engine, case)
    service(engine)

    def later(day: dt.date, actor: Actor, work: Callable[[Desk], Any]) -> Any:
        kit = attrs.evolve(KIT, clock=fixed_clock(dt.datetime.combine(day, dt.time(4), dt.UTC)))
        with kit.open(engine, actor) as desk:
            return work(desk)

    last, day = dt.date(2028, 11, 24), dt.timedelta(1)
    assert later(last, CENTRE, personal.due_for_erasure) == ()
    (due,) = later(last + day, CENTRE, personal.due_for_erasure)
    assert (due.number, due.fields, due.since) == ("V1", ("reason",), last + day)
    proposed = later(last + day, CENTRE, lambda desk: personal.erase(desk, "V1", only=due.fields))
    assert later(last + day, CENTRE, personal.due_for_erasure) == ()
    later(last + day, SECOND, lambda desk: approvals.decide(desk, proposed.id, "approve"))
    told = later(last + day, SELF, personal.export_own)
    gone = {"suspend", "confirm", "reverse", "restore", "reject"}
    assert {each for each in said if f'，{each}"' in told} == said - gone
    assert "之星" in told
    assert later(last + day, CENTRE, lambda desk: personal.profile(desk, "V1")).fields["name"] == "欧阳雪"
    assert later(until, CENTRE, lambda desk: approvals.view(desk, case.id)).facts["reason"] == why(
        "propose_blacklist"
    )
    over = dt.date(2030, 3, 1)
    assert later(over, CENTRE, personal.due_for_erasure) == ()
    (due,) = later(over + day, CENTRE, personal.due_for_erasure)
    assert (due.fields, due.since) == (("reason",), over + day)
    proposed = later(over + day, CENTRE, lambda desk: personal.erase(desk, "V1", only=["reason"]))
    later(over + day, SECOND, lambda desk: approvals.decide(desk, proposed.id, "approve"))
    told = later(over + day, SELF, personal.export_own)
    assert {each for each in said if f'，{each}"' in told} == {"take_leave"}  # it runs on
    with engine.connect() as connection:
        assert verify_store(connection).holds


def test_an_evaluation_is_sealed_and_leaves_its_score(engine: sa.Engine, dump: Dump) -> None:
    def record(desk: Desk) -> list[tuple[str, int | None]]:
        return [(line.name, line.score) for line in statistics.activity_record(desk, "V1")]

    name = f"{MARK}之子迟到早退"
    at(
        engine,
        CENTRE,
        lambda desk: volunteers.evaluate(desk, "V1", name, on=DAY, score=40, organization="O1"),
    )
    assert at(engine, CENTRE, record) == [(name, 40)]
    assert MARK not in dump(engine)
    assert MARK in at(engine, SELF, personal.export_own)
    decided(engine, at(engine, CENTRE, lambda desk: personal.erase(desk, "V1")))
    assert at(engine, CENTRE, record) == [("", 40)]


def test_what_somebody_is_qualified_and_commended_for_goes_with_the_erasure(
    engine: sa.Engine, dump: Dump
) -> None:
    def enter(desk: Desk) -> None:
        volunteers.add_qualification(desk, "V1", f"{MARK}证", obtained_on=DAY, issuer=f"{MARK}院")
        volunteers.add_commendation(desk, "V1", f"{MARK}之星", on=DAY, granted_by="市文明办")

    def record(desk: Desk) -> list[tuple[str, str, str]]:
        return [(line.kind, line.name, line.granted_by) for line in statistics.activity_record(desk, "V1")]

    at(engine, CENTRE, enter)
    assert at(engine, CENTRE, record) == [("commendation", f"{MARK}之星", "市文明办")]
    with engine.connect() as connection:
        events = connection.execute(sa.select(event.c.type, event.c.payload).order_by(event.c.seq)).fetchall()
    assert [row.type for row in events][-2:] == ["volunteer.qualified", "volunteer.entry"]
    assert json.loads(events[-2].payload) == {"qualification": 1, "on": day_number(DAY)}
    assert MARK in at(engine, SELF, personal.export_own)
    decided(engine, at(engine, CENTRE, lambda desk: personal.erase(desk, "V1")))
    assert at(engine, CENTRE, record) == [("commendation", "", "市文明办")]
    assert at(engine, CENTRE, lambda desk: volunteers.qualifications(desk, "V1")) == ()
    assert MARK not in dump(engine)


def test_nothing_said_about_an_erased_person_is_kept(engine: sa.Engine) -> None:
    service(engine)
    case = at(engine, CENTRE, lambda desk: personal.erase(desk, "V1"))
    decided(engine, case)
    at(engine, SECOND, lambda desk: hours.reverse(desk, 1, reason=why("reverse")))
    with engine.connect() as connection:
        subjects = list(connection.execute(sa.select(vault.c.subject)).scalars())
        assert verify_store(connection).holds
    assert [each for each in subjects if each.startswith("volunteer:1#")] == []


def test_a_program_without_the_key_settles_what_has_expired_and_reads_no_reason(engine: sa.Engine) -> None:
    case = at(engine, CENTRE, lambda desk: volunteers.request_transfer(desk, "V1", "O2", reason="搬家"))
    late = dt.datetime(2027, 6, 1, 4, tzinfo=dt.UTC)
    bare = Kit.load(clock=fixed_clock(late))
    with bare.open(engine, CENTRE) as desk:
        seen = approvals.view(desk, case.id)
    assert seen.facts["reason"] == HIDDEN
    assert (seen.state, seen.closed_by) == ("granted", "deadline")


def test_without_a_key_nothing_is_said_about_a_person_and_a_text_never_names_another(
    engine: sa.Engine,
) -> None:
    bare = Kit.load(clock=KIT.clock)
    with pytest.raises(KeyProblem), bare.open(engine, CENTRE) as desk:
        volunteers.suspend(desk, "V1", reason="如此")
    at(engine, CENTRE, lambda desk: volunteers.suspend(desk, "V1", reason=why("suspend")))
    with pytest.raises(KeyProblem), bare.open(engine, CENTRE) as desk:
        organizations.propose_suspension(desk, "O1", reason="volunteer:1#period:1")
    with bare.open(engine, CENTRE) as desk:
        organizations.propose_suspension(desk, "O1", reason="如此")
