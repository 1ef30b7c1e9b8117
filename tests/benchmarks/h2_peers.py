"""H2: what a volunteer's day costs on SQLite (WAL, NORMAL): attending, recording and a statement, every check on.

The public verbs stand beside objects of SQLAlchemy's ORM on the same tables, which do the reads, the checks and the
writes of a system without chained hashes, held records, closed periods, budgets or a rule of credit. Joining a shift
is in ``h2_joining``. Best processor time of the rounds, which are interleaved; wall time goes to stderr.

    python tests/benchmarks/h2_peers.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import h2_joining as joining
import sqlalchemy as sa
from sqlalchemy.orm import Mapped, Session, mapped_column

import volunteerkit
from volunteerkit import Actor, Claim, Grant, Kit, fixed_clock, hours, projects
from volunteerkit.ledger import honour_account, issuer_account

Base, Audit, Participation, Project, Shift, Volunteer = (
    joining.Base, joining.Audit, joining.Participation, joining.Project, joining.Shift, joining.Volunteer,
)  # fmt: skip
ZONE = ZoneInfo("Asia/Shanghai")
MINUTE, LENGTH, ENTRIES = 60_000_000, 240, 10
LEADER = Actor("admin-1", (Grant("organization_admin", "O1"),))
SECOND = Actor("admin-2", (Grant("organization_admin", "O1"),))
Step = Callable[[int], int]
"""Does one piece of work for the volunteer of this number, and returns minutes."""


def instant(microseconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(microseconds // 1_000_000, dt.UTC)


def shift_of(who: int) -> int:
    return (who - 1) % joining.SHIFTS + 1


def fill(path: Path) -> sa.Engine:
    """Write the city of ``h2_joining`` with everybody accepted for a shift, and a project without shifts."""
    engine = joining.fill(path)
    tables, people = volunteerkit.metadata.tables, range(1, joining.VOLUNTEERS + 1)
    with engine.begin() as connection:
        connection.execute(
            sa.insert(tables["vk_project"]).values(
                id=2, number="P2", name="宣传", organization_id=1, status="approved"
            )
        )
        accounts = [honour_account(each) for each in people] + [issuer_account(1), issuer_account(2)]
        connection.execute(
            sa.insert(tables["vk_account"]), [{"id": each, "posted_minutes": 0, "pending_minutes": 0} for each in accounts]
        )  # fmt: skip
        connection.execute(sa.insert(tables["vk_participation"]), [
            {"id": each, "shift_id": shift_of(each), "volunteer_id": each, "state": "accepted", "rank": each,
             "applied_at": 0, "changed_at": 0, "changed_by": "admin-1"} for each in people
        ])  # fmt: skip
    return engine


def ours(path: Path) -> dict[str, Step]:
    """Return the work done by the public verbs, a transaction each."""
    engine, kit = fill(path), Kit.load(clock=fixed_clock(joining.NOW))
    connection = engine.connect()

    def do(now: dt.datetime, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with connection.begin():
            return verb(kit.desk(connection, actor, now=now), *given, **named)

    def attend(who: int) -> int:
        shift = shift_of(who)
        begin = instant(joining.begin(shift))
        end = begin + dt.timedelta(minutes=LENGTH)
        do(begin, LEADER, projects.attendance.check_in, shift, f"V{who}")
        pair = do(end, LEADER, projects.attendance.check_out, shift, f"V{who}").attendance_id
        return int(do(end, LEADER, hours.claim_attendance, shift, only=[pair])[0].minutes)

    def record(who: int) -> int:
        begin = instant(joining.begin(shift_of(who))).astimezone(ZONE)
        end = begin + dt.timedelta(minutes=LENGTH)
        claim = Claim(f"V{who}", "P1", begin.date(), LENGTH, begin.time(), end.time(), method="manual")
        done = do(end, LEADER, hours.record, claim, key=f"k{who}")
        return int(do(end, SECOND, hours.confirm, done.record_id).minutes)

    def statement(who: int) -> int:
        me = Actor(f"me-{who}", (Grant("volunteer"),), volunteer=f"V{who}")
        found = do(instant(joining.START) + dt.timedelta(40), me, hours.statement, f"V{who}")
        assert len(found.lines) == ENTRIES
        return int(found.confirmed_minutes)

    later = instant(joining.START) + dt.timedelta(ENTRIES + 1)
    for who in people_with_entries():
        for day in range(ENTRIES):
            claim = Claim(f"V{who}", "P2", later.date() - dt.timedelta(day + 1), 600, method="manual")
            done = do(later, LEADER, hours.record, claim)
            do(later, SECOND, hours.confirm, done.record_id)
    return {"attend": attend, "record": record, "statement": statement}


def people_with_entries() -> range:
    return range(joining.VOLUNTEERS - 19, joining.VOLUNTEERS + 1)


class Account(Base):
    __tablename__ = "vk_account"
    id: Mapped[int] = mapped_column(primary_key=True)
    posted_minutes: Mapped[int]
    pending_minutes: Mapped[int]


class Record(Base):
    __tablename__ = "vk_service_record"
    id: Mapped[int] = mapped_column(primary_key=True)
    volunteer_id: Mapped[int]
    project_id: Mapped[int]
    organization_id: Mapped[int]
    served_on: Mapped[int]
    start_minute: Mapped[int]
    clock_minutes: Mapped[int]
    claimed_minutes: Mapped[int]
    confirmed_minutes: Mapped[int]
    state: Mapped[str]
    method: Mapped[str]
    recorded_by: Mapped[str]
    kind: Mapped[str]


class Transfer(Base):
    __tablename__ = "vk_transfer"
    seq: Mapped[int] = mapped_column(primary_key=True)
    record_id: Mapped[int]
    debit_id: Mapped[int]
    credit_id: Mapped[int]
    minutes: Mapped[int]
    code: Mapped[str]
    refers_to: Mapped[int | None]
    effective_on: Mapped[int]
    recorded_at: Mapped[int]
    actor_id: Mapped[str]
    hash: Mapped[bytes]


class Attendance(Base):
    __tablename__ = "vk_attendance"
    id: Mapped[int] = mapped_column(primary_key=True)
    participation_id: Mapped[int]
    volunteer_id: Mapped[int]
    shift_id: Mapped[int]
    served_on: Mapped[int]
    in_at: Mapped[int]
    out_at: Mapped[int | None]
    in_method: Mapped[str]
    out_method: Mapped[str | None]
    in_received_at: Mapped[int]
    out_received_at: Mapped[int | None]
    in_by: Mapped[str]
    out_by: Mapped[str | None]
    record_id: Mapped[int | None]


def audit(session: Session, action: str, about: int) -> None:
    session.add(Audit(at=0, actor="admin-1", action=action, payload=json.dumps({"id": about})))
    session.flush()


def move(
    session: Session, record: Record, code: str, refers_to: int | None, *, posted: int, pending: int
) -> Transfer:
    """Write a transfer and both balances."""
    debit, credit = issuer_account(record.project_id), honour_account(record.volunteer_id)
    moved = Transfer(record_id=record.id, debit_id=debit, credit_id=credit, minutes=record.claimed_minutes, code=code,
                     refers_to=refers_to, effective_on=record.served_on, recorded_at=0, actor_id="admin-1", hash=b"")  # fmt: skip
    session.add(moved)
    for id_, sign in ((credit, 1), (debit, -1)):
        account = session.get_one(Account, id_)
        account.posted_minutes += sign * posted
        account.pending_minutes += sign * pending
    session.flush()
    return moved


def keep(
    session: Session, person: Volunteer, project: Project, day: int, start: int, minutes: int, method: str
) -> Record:
    """Write a record after looking for others around it."""
    others = sa.select(Record).where(
        Record.volunteer_id == person.id, Record.served_on.between(day - 1, day + 1), Record.state.in_(("pending", "confirmed"))
    )  # fmt: skip
    near = session.scalars(others).all()
    assert not any(each.served_on == day and each.start_minute < start + minutes and start < each.start_minute + each.clock_minutes
                   for each in near)  # fmt: skip
    kept = Record(volunteer_id=person.id, project_id=project.id, organization_id=project.organization_id, served_on=day,
                  start_minute=start, clock_minutes=minutes, claimed_minutes=minutes, confirmed_minutes=0, state="pending",
                  method=method, recorded_by="admin-1", kind="service")  # fmt: skip
    session.add(kept)
    session.flush()
    move(session, kept, "RECORD", None, posted=0, pending=minutes)
    audit(session, "hours.recorded", kept.id)
    return kept


def when(at: int) -> tuple[int, int]:
    """Return the day and the minute of the day in the city."""
    local = at // MINUTE + 8 * 60
    return local // 1440, local % 1440


def sqlalchemy_orm(path: Path) -> dict[str, Step]:
    """Return the work done with objects of SQLAlchemy's ORM, a session a transaction."""
    engine = fill(path)
    Audit.__table__.create(engine)  # type: ignore[attr-defined]

    def parties(session: Session, who: int, shift_id: int) -> tuple[Any, ...]:
        shift = session.get_one(Shift, shift_id)
        project = session.get_one(Project, shift.project_id)
        person = session.scalars(sa.select(Volunteer).where(Volunteer.number == f"V{who}")).one()
        mine = sa.select(Participation).where(
            Participation.shift_id == shift_id, Participation.volunteer_id == person.id
        )
        taken = session.scalars(mine).one()
        assert (project.status, person.status, taken.state) == ("published", "approved", "accepted")
        return shift, project, person, taken

    def pairs(session: Session, shift_id: int, volunteer_id: int) -> list[Attendance]:
        return list(
            session.scalars(
                sa.select(Attendance).where(
                    Attendance.shift_id == shift_id, Attendance.volunteer_id == volunteer_id
                )
            )
        )

    def attend(who: int) -> int:
        with Session(engine) as session:
            shift, _, person, taken = parties(session, who, shift_of(who))
            assert not pairs(session, shift.id, person.id)
            pair = Attendance(participation_id=taken.id, volunteer_id=person.id, shift_id=shift.id, served_on=when(shift.starts_at)[0],
                              in_at=shift.starts_at, in_method="leader", in_received_at=shift.starts_at, in_by="admin-1")  # fmt: skip
            session.add(pair)
            session.flush()
            audit(session, "attendance.in", pair.id)
            session.commit()
        with Session(engine) as session:
            shift, _, person, taken = parties(session, who, shift_of(who))
            (pair,) = pairs(session, shift.id, person.id)
            assert pair.out_at is None
            pair.out_at, pair.out_method, pair.out_by = shift.ends_at, "leader", "admin-1"
            audit(session, "attendance.out", pair.id)
            session.commit()
        with Session(engine) as session:
            shift, project, person, taken = parties(session, who, shift_of(who))
            (pair,) = pairs(session, shift.id, person.id)
            assert pair.out_at is not None
            assert pair.record_id is None
            minutes = (min(pair.out_at, shift.ends_at) - max(pair.in_at, shift.starts_at)) // MINUTE
            kept = keep(session, person, project, *when(pair.in_at), minutes, "checkin")
            pair.record_id, taken.state = kept.id, "completed"
            session.commit()
        return minutes

    def record(who: int) -> int:
        with Session(engine) as session:
            shift, project, person, _ = parties(session, who, shift_of(who))
            day, start = when(shift.starts_at)
            kept = keep(session, person, project, day, start, LENGTH, "manual").id
            session.commit()
        with Session(engine) as session:
            row = session.get_one(Record, kept)
            last = (
                sa.select(Transfer).where(Transfer.record_id == kept).order_by(Transfer.seq.desc()).limit(1)
            )
            before = session.scalars(last).one()
            assert row.state == "pending"
            row.state, row.confirmed_minutes = "confirmed", row.claimed_minutes
            minutes = row.claimed_minutes
            move(session, row, "CONFIRM", before.seq, posted=minutes, pending=-minutes)
            audit(session, "hours.confirmed", kept)
            session.commit()
        return minutes

    def statement(who: int) -> int:
        with Session(engine) as session:
            person = session.scalars(sa.select(Volunteer).where(Volunteer.number == f"V{who}")).one()
            query = (
                sa.select(Transfer, Record, Project).join(Record, Record.id == Transfer.record_id)
                .join(Project, Project.id == Record.project_id)
                .where(Record.volunteer_id == person.id, Transfer.code == "CONFIRM").order_by(Record.served_on)
            )  # fmt: skip
            lines = [
                (
                    row.id,
                    row.served_on,
                    project.number,
                    moved.minutes,
                    "capped" if moved.minutes > 480 else "",
                )
                for moved, row, project in session.execute(query)
            ]
        assert len(lines) == ENTRIES
        return sum(line[3] for line in lines)

    with Session(engine) as session:
        other = session.get_one(Project, 2)
        for who in people_with_entries():
            for day in range(ENTRIES):
                kept = keep(session, session.get_one(Volunteer, who), other, 20_000 + day, -1, 600, "manual")
                move(session, kept, "CONFIRM", kept.id * 2 - 1, posted=600, pending=-600)
        session.commit()
    return {"attend": attend, "record": record, "statement": statement}


GOALS = {
    "attend": ("H2.6 check-in, check-out, claim", 2.9),
    "record": ("H2.7 record and confirm", 2.9),
    "statement": ("H2.8 statement of ten entries", 1.5),
}
"""Name, and what the three take at most in milliseconds here: a fifth of another system's figures."""


def run(quick: bool) -> list[dict[str, Any]]:
    """Return a row for each piece of work."""
    count, rounds = (15, 2) if quick else (40, 8)
    makers = {"ours": ours, "SQLAlchemy ORM": sqlalchemy_orm}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = {name: make(Path(folder) / f"{i}.db") for i, (name, make) in enumerate(makers.items())}
        for what, (title, goal_ms) in GOALS.items():
            best, wall, answers = (
                dict.fromkeys(makers, 1e9),
                dict.fromkeys(makers, 1e9),
                dict.fromkeys(makers, 0),
            )
            first = 1 if what == "attend" else joining.SHIFTS + 1
            for turn in range(rounds):
                people = range(first + turn * count, first + (turn + 1) * count)
                some = [*people_with_entries()] * 2 if what == "statement" else [*people]
                for name in makers:
                    start, cpu = time.perf_counter(), time.process_time()
                    answers[name] += sum(map(work[name][what], some))
                    best[name] = min(best[name], (time.process_time() - cpu) / len(some))
                    wall[name] = min(wall[name], (time.perf_counter() - start) / len(some))
            mine, theirs = best["ours"], best["SQLAlchemy ORM"]
            print(
                title,
                {name: f"{best[name] * 1e3:.2f} ms, wall {wall[name] * 1e3:.2f} ms" for name in makers},
                file=sys.stderr,
            )
            rows.append({"name": f"{title}, goal <= {goal_ms} ms", "ours_s": mine, "contender": "SQLAlchemy ORM", "contender_s": theirs,
                         "ratio": mine / theirs, "same_answer": answers["ours"] == answers["SQLAlchemy ORM"]})  # fmt: skip
    return rows


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
