"""H2: one volunteer joins one shift on SQLite (WAL, NORMAL): the public verb beside hand-written layers.

Every contender does the work of one transaction: read shift, project and position; the person, their standing,
periods and missed shifts; a participation that is there already; other commitments around it; a required skill;
one guarded UPDATE for the place; the participation; an audit row. Ours has a chained hash, the check of rights,
the age and the law for minors more. Some are refused for a conflict, a day too long or a full
shift, and everybody must refuse the same ones. Processor time a joining, best of the rounds, which are interleaved.

    python tests/benchmarks/h2_joining.py [--quick]
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import volunteerkit
from volunteerkit import Actor, Grant, Kit, Refused, fixed_clock
from volunteerkit.projects import recruiting
from volunteerkit.units import day_number

VOLUNTEERS, SHIFTS, CAPACITY = 1_000, 400, 6
NOW = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
HOUR = 3_600_000_000
START = int(NOW.timestamp()) * 1_000_000 + 24 * HOUR
Joining = tuple[int, int]  # volunteer, shift
Batch = Callable[[list[Joining]], Counter[str]]


def joinings(seed: int) -> Iterator[Joining]:
    """Endless stream of volunteers and shifts; each pair once or twice."""
    draw = random.Random(seed)
    while True:
        yield draw.randrange(1, VOLUNTEERS + 1), draw.randrange(1, SHIFTS + 1)


def fill(path: Path) -> sa.Engine:
    """Write a city with shifts of four hours, five a day; an application asks for a skill that everybody has."""
    engine = volunteerkit.create_engine(f"sqlite:///{path}", synchronous="NORMAL")
    Kit.load(clock=fixed_clock(NOW)).migrate(engine)
    tables = volunteerkit.metadata.tables
    today = day_number(NOW.date())
    with engine.begin() as connection:
        connection.execute(
            sa.insert(tables["vk_organization"]).values(id=1, number="O1", name="联合会", status="active")
        )
        connection.execute(
            sa.insert(tables["vk_project"]).values(
                id=1, number="P1", name="敬老", organization_id=1, status="published", waiting_list=0
            )
        )
        connection.execute(
            sa.insert(tables["vk_position"]).values(
                id=1, project_id=1, name="翻译", age_from=18, skill="手语"
            )
        )
        people = [{"id": i, "number": f"V{i}", "organization_id": 1, "status": "approved", "registered_on": 0, "adult_on": today - 900}
                  for i in range(1, VOLUNTEERS + 1)]  # fmt: skip
        connection.execute(sa.insert(tables["vk_volunteer"]), people)
        connection.execute(
            sa.insert(tables["vk_volunteer_tag"]),
            [{"volunteer_id": each["id"], "kind": "skill", "value": "手语"} for each in people],
        )
        shifts = [{"id": i, "project_id": 1, "position_id": 1, "starts_at": begin(i), "ends_at": begin(i) + 4 * HOUR, "capacity": CAPACITY}
                  for i in range(1, SHIFTS + 1)]  # fmt: skip
        connection.execute(sa.insert(tables["vk_shift"]), shifts)
    return engine


def begin(shift: int) -> int:
    day, slot = divmod(shift, 20)
    return START + day * 24 * HOUR + slot % 5 * 3 * HOUR


def ours(path: Path) -> Batch:
    """Join with the public verb."""
    engine = fill(path)
    kit = Kit.load(clock=fixed_clock(NOW))
    connection = engine.connect()
    actors = {n: Actor(f"me-{n}", (Grant("volunteer"),), volunteer=f"V{n}") for n in range(1, VOLUNTEERS + 1)}

    def batch(some: list[Joining]) -> Counter[str]:
        found: Counter[str] = Counter()
        for who, shift in some:
            with connection.begin():
                desk = kit.desk(connection, actors[who])
                try:
                    found[recruiting.join(desk, shift, f"V{who}").state] += 1
                except Refused as refused:
                    found[sorted(each.code for each in refused.findings)[0]] += 1
        return found

    return batch


class Base(DeclarativeBase):
    """What is mapped."""


class Project(Base):
    __tablename__ = "vk_project"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    status: Mapped[str]
    organization_id: Mapped[int]
    apply_from: Mapped[int | None]
    apply_until: Mapped[int | None]


class Position(Base):
    __tablename__ = "vk_position"
    id: Mapped[int] = mapped_column(primary_key=True)
    skill: Mapped[str | None]


class Shift(Base):
    __tablename__ = "vk_shift"
    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int]
    position_id: Mapped[int | None]
    starts_at: Mapped[int]
    ends_at: Mapped[int]
    capacity: Mapped[int | None]
    taken: Mapped[int]
    cancelled_at: Mapped[int | None]


class Volunteer(Base):
    __tablename__ = "vk_volunteer"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str]
    status: Mapped[str]


class Tag(Base):
    __tablename__ = "vk_volunteer_tag"
    volunteer_id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(primary_key=True)


class Period(Base):
    __tablename__ = "vk_volunteer_period"
    id: Mapped[int] = mapped_column(primary_key=True)
    volunteer_id: Mapped[int]
    kind: Mapped[str]
    since: Mapped[int]
    until: Mapped[int | None]


class Participation(Base):
    __tablename__ = "vk_participation"
    id: Mapped[int] = mapped_column(primary_key=True)
    shift_id: Mapped[int]
    volunteer_id: Mapped[int]
    state: Mapped[str]
    rank: Mapped[int]
    applied_at: Mapped[int]
    changed_at: Mapped[int]
    changed_by: Mapped[str]


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    payload: Mapped[str]


def sqlalchemy_orm(path: Path) -> Batch:
    """Join with objects of SQLAlchemy's ORM, a session a transaction."""
    engine = fill(path)
    Audit.__table__.create(engine)  # type: ignore[attr-defined]
    at = int(NOW.timestamp()) * 1_000_000

    def one(session: Session, who: int, shift_id: int) -> str:
        shift = session.get_one(Shift, shift_id)
        project, position = (
            session.get_one(Project, shift.project_id),
            session.get_one(Position, shift.position_id),
        )
        person = session.scalars(sa.select(Volunteer).where(Volunteer.number == f"V{who}")).one()
        assert project.status == "published"
        assert person.status == "approved"
        mine = sa.select(Participation).where(
            Participation.shift_id == shift.id, Participation.volunteer_id == person.id
        )
        if session.scalars(mine).first():
            return "already_joined"
        assert not session.scalars(sa.select(Period).where(Period.volunteer_id == person.id)).all()
        missed = sa.select(sa.func.count()).select_from(Participation).where(
            Participation.volunteer_id == person.id, Participation.state == "missed")  # fmt: skip
        assert session.scalar(missed) == 0
        wanted = sa.select(Tag).where(
            Tag.volunteer_id == person.id, Tag.kind == "skill", Tag.value == position.skill
        )
        assert session.scalars(wanted).first()
        around = (
            sa.select(Shift)
            .join(Participation, Participation.shift_id == Shift.id)
            .where(Participation.volunteer_id == person.id, Participation.state == "accepted",
                   Shift.ends_at >= shift.starts_at - 24 * HOUR, Shift.starts_at <= shift.ends_at + 24 * HOUR)
        )  # fmt: skip
        # the same answer: overlaps, and twelve hours in a block
        first, last, others = shift.starts_at, shift.ends_at, list(session.scalars(around))
        clash = any(each.starts_at < last and each.ends_at > first for each in others)
        full = shift.capacity is not None and shift.taken >= shift.capacity
        for _ in others:
            for each in others:
                if each.starts_at <= last and each.ends_at >= first:
                    first, last = min(first, each.starts_at), max(last, each.ends_at)
        long = last - first > 12 * HOUR
        if clash or long or full:
            return "consecutive_too_long" if long else "shift_conflict" if clash else "shift_full"
        guarded = sa.update(Shift).where(
            Shift.id == shift.id, Shift.taken < Shift.capacity, Shift.cancelled_at.is_(None)
        )
        if (
            session.execute(
                guarded.values(taken=Shift.taken + 1), execution_options={"synchronize_session": False}
            ).rowcount
            != 1
        ):  # type: ignore[attr-defined]
            return "shift_full"
        id_ = (session.scalar(sa.select(sa.func.max(Participation.id))) or 0) + 1
        row = Participation(id=id_, shift_id=shift.id, volunteer_id=person.id, state="accepted", rank=id_, applied_at=at,
                            changed_at=at, changed_by=f"me-{who}")  # fmt: skip
        session.add(row)
        session.add(Audit(at=at, actor=f"me-{who}", action="joined", payload=json.dumps({"shift": shift.id})))
        session.flush()
        return "accepted"

    def batch(some: list[Joining]) -> Counter[str]:
        found: Counter[str] = Counter()
        for who, shift in some:
            with Session(engine) as session:
                found[one(session, who, shift)] += 1
                session.commit()
        return found

    return batch


def run(quick: bool) -> list[dict[str, Any]]:
    """Return the row for one joining a transaction."""
    count, rounds = (150, 2) if quick else (500, 6)
    with tempfile.TemporaryDirectory() as folder:
        makers: dict[str, Callable[[Path], Batch]] = {"ours": ours, "SQLAlchemy ORM": sqlalchemy_orm}
        join = {name: make(Path(folder) / f"{i}.db") for i, (name, make) in enumerate(makers.items())}
        best, answers = dict.fromkeys(makers, 1e9), {name: Counter[str]() for name in makers}
        stream = joinings(7)
        for _ in range(rounds):
            some = [next(stream) for _ in range(count)]
            for name, one in join.items():
                start = time.process_time()
                answers[name] += one(some)
                best[name] = min(best[name], (time.process_time() - start) / count)
    mine, theirs = best["ours"], best["SQLAlchemy ORM"]
    print(dict(answers["ours"]), file=sys.stderr)
    return [{"name": "H2.3 joining, goal <= 0.2", "ours_s": mine, "contender": "SQLAlchemy ORM", "contender_s": theirs,
             "ratio": mine / theirs, "same_answer": answers["ours"] == answers["SQLAlchemy ORM"]}]  # fmt: skip


if __name__ == "__main__":
    for row in run("--quick" in sys.argv):
        print(row)
