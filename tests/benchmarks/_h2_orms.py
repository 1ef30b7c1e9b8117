"""The contenders of H2 that map rows to objects, on the tables and the stream of ``h2_posting``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import volunteerkit

KINDS = {int: sa.Integer, str: sa.Text}


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "account"
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]


class Record(Base):
    __tablename__ = "record"
    id: Mapped[int] = mapped_column(primary_key=True)
    volunteer: Mapped[int]
    project: Mapped[int]
    day: Mapped[int]
    start: Mapped[int]
    minutes: Mapped[int]
    state: Mapped[int]


class Transfer(Base):
    __tablename__ = "transfer"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str]
    at: Mapped[int]
    record: Mapped[int | None]


class Leg(Base):
    __tablename__ = "leg"
    id: Mapped[int] = mapped_column(primary_key=True)
    transfer: Mapped[int]
    account: Mapped[int]
    amount: Mapped[int]


class Audit(Base):
    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    ref: Mapped[int]
    payload: Mapped[str]


def _posting() -> Any:
    """Return the running benchmark: its tables and its error, not a second copy of them."""
    return sys.modules.get("h2_posting") or sys.modules["__main__"]


def sqlalchemy_orm(path: Path) -> Callable[..., Any]:
    """Post with objects of SQLAlchemy's ORM, a session a transaction."""
    common = _posting()
    common.raw(path)
    engine = volunteerkit.create_engine(f"sqlite:///{path}", synchronous="NORMAL")
    held: list[Session] = []

    def post(posting: Any) -> bool:
        key, who, project, day, start, minutes = posting
        session = held[0]
        if session.scalars(sa.select(Transfer).where(Transfer.key == key)).first():
            return False
        other = sa.select(Record).where(Record.volunteer == who, Record.day == day, Record.start < start + minutes,
                                        Record.start + Record.minutes > start).limit(1)  # fmt: skip
        if session.scalars(other).first():
            raise common.Overlapping
        record = Record(volunteer=who, project=project, day=day, start=start, minutes=minutes, state=0)
        session.add(record)
        session.flush()
        transfer = Transfer(key=key, at=day, record=record.id)
        session.add(transfer)
        session.flush()
        issuer = common.VOLUNTEERS + project
        for account, amount in ((who, minutes), (issuer, -minutes)):
            session.add(Leg(transfer=transfer.id, account=account, amount=amount))
            session.get_one(Account, account).balance += amount
        payload = json.dumps({"minutes": minutes})
        session.add(Audit(at=day, actor="clerk", action="hours.recorded", ref=record.id, payload=payload))
        session.flush()
        return True

    def commit() -> None:
        with held.pop() as session:
            session.commit()

    return common.in_batches(post, lambda: held.append(Session(engine)), commit)  # type: ignore[no-any-return]


def django_orm(path: Path) -> Callable[..., Any]:
    """Post with Django's models, an ``atomic`` block a transaction."""
    import django
    from django.conf import settings

    common = _posting()
    common.raw(path)
    if not settings.configured:
        begun = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=NORMAL"}
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": begun}
        settings.configure(DATABASES={"default": database}, INSTALLED_APPS=[], USE_TZ=True)
        django.setup()
    from django.db import models, transaction

    def model(name: str, **fields: Any) -> Any:
        meta = type("Meta", (), {"app_label": "bench", "db_table": name.lower(), "managed": False})
        return type(name, (models.Model,), {"__module__": __name__, "Meta": meta, **fields})

    def number(**options: Any) -> Any:
        return models.IntegerField(**options)

    account = model("Account", id=number(primary_key=True), balance=number())
    names = ("volunteer", "project", "day", "start", "minutes", "state")
    record = model("Record", id=models.AutoField(primary_key=True), **{name: number() for name in names})
    transfer = model("Transfer", id=models.AutoField(primary_key=True), key=models.TextField(unique=True),
                     at=number(), record=number(null=True))  # fmt: skip
    leg = model(
        "Leg", id=models.AutoField(primary_key=True), transfer=number(), account=number(), amount=number()
    )
    audit = model("Audit", id=models.AutoField(primary_key=True), at=number(), actor=models.TextField(),
                  action=models.TextField(), ref=number(), payload=models.TextField())  # fmt: skip

    def post(posting: Any) -> bool:
        key, who, project, day, start, minutes = posting
        made, new = transfer.objects.get_or_create(key=key, defaults={"at": day})
        if not new:
            return False
        clock = models.F("start") + models.F("minutes")
        others = record.objects.annotate(end=clock).filter(volunteer=who, day=day, start__lt=start + minutes)
        if others.filter(end__gt=start).exists():
            raise common.Overlapping
        kept = record.objects.create(
            volunteer=who, project=project, day=day, start=start, minutes=minutes, state=0
        )
        made.record = kept.id
        made.save(update_fields=["record"])
        for holder, amount in ((who, minutes), (common.VOLUNTEERS + project, -minutes)):
            leg.objects.create(transfer=made.id, account=holder, amount=amount)
            account.objects.filter(id=holder).update(balance=models.F("balance") + amount)
        audit.objects.create(at=day, actor="clerk", action="hours.recorded", ref=kept.id,
                             payload=json.dumps({"minutes": minutes}))  # fmt: skip
        return True

    def batch(postings: list[Any]) -> Any:
        def saved(posting: Any) -> bool:
            with transaction.atomic():
                return post(posting)

        return common.in_batches(saved, lambda: None, lambda: None)(postings)

    return batch
