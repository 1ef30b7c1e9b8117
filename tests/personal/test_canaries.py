"""Canaries: unlikely personal data, seeded once, then looked for wherever a city might let them slip."""

from __future__ import annotations

import datetime as dt
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
    volunteers,
)
from volunteerkit.hours import verify_store
from volunteerkit.privacy import found_by
from volunteerkit.statistics.city import city_figures
from volunteerkit.store.desk import Desk
from volunteerkit.store.vault import open_subject, seal_subject

NAME, IDENTITY, PHONE = "鑾鑭鑮", "360599199003150015", "12987654321"
ADDRESS = "江西省新余市渝水区鱻麤路77号"
CANARIES = (NAME, "鑭鑮", IDENTITY, "19900315", PHONE, "7654321", "鱻麤", "1990-03-15")
Dump = Callable[[sa.Engine], str]
KEY = KeyCipher(bytes(32))
DAY = dt.date(2026, 11, 24)
CENTRE, SECOND = Actor.of("centre-1", "centre"), Actor.of("centre-2", "centre")
ADMIN = Actor("admin-1", (Grant("organization_admin", "O1"),))
OTHER = Actor("admin-2", (Grant("organization_admin", "O2"),))
SELF = Actor("app-1", (Grant("volunteer"),), volunteer="V1")
KIT = Kit.load(cipher=KEY, clock=fixed_clock(dt.datetime(2026, 11, 24, 4, tzinfo=dt.UTC)))


def clean(text: str) -> None:
    assert [each for each in CANARIES if each in text] == []


def told(work: Callable[[], Any]) -> Any:
    """Run ``work``; nothing that an error carries, of itself, its causes or its notes, may tell a datum."""
    try:
        return work()
    except Exception as error:
        seen: BaseException | None = error
        while seen is not None:
            clean(repr(seen) + str(seen) + repr(seen.args) + repr(vars(seen)))
            for language in ("zh-CN", "en"):
                if hasattr(seen, "message"):
                    clean(seen.message(language))
            # what a log of the error shows: causes that are suppressed are not shown
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
        clean("".join(traceback.format_exception_only(error)))
        return None


def seed(desk: Desk) -> None:
    for number in ("O1", "O2"):
        organizations.register(desk, number, name=f"志愿者联合会{number}")
    organizations.edit(desk, "O2", contact=organizations.Contact(NAME, PHONE))
    projects.register(desk, "P1", name="助老", organization="O1")
    volunteers.admit(desk, name=NAME, organization="O1", number="V1", phone=PHONE, identity_number=IDENTITY)
    data = open_subject(desk.connection, KEY, "volunteer:1") | {"address": ADDRESS}
    seal_subject(desk.connection, KEY, "volunteer:1", data, found_by=found_by(data))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    made = volunteerkit.create_engine(database_url)
    KIT.migrate(made)
    with KIT.open(made, CENTRE) as desk:
        seed(desk)
    yield made
    made.dispose()


def applied(**more: Any) -> Application:
    return Application(**({"name": NAME, "organization": "O1", "phone": PHONE, "consent_on": DAY} | more))


def with_contact(*given: str) -> organizations.OrganizationForm:
    contact = organizations.Contact(*given)
    return organizations.OrganizationForm("助老分会", "branch", "渝水区", parent="O1", contact=contact)


VERBS: dict[str, Callable[[Desk], Any]] = {
    "profile": lambda desk: personal.profile(desk, "V1"),
    "foreign": lambda desk: personal.profile(desk, "V9"),
    "unmask": lambda desk: personal.unmask(desk, "V1", "phone", purpose="contact") and None,
    "unmask without purpose": lambda desk: personal.unmask(desk, "V1", "phone") and None,
    "unmask for a sentence": lambda desk: personal.unmask(desk, "V1", "phone", purpose=f"找{NAME}"),
    "unmask a value": lambda desk: personal.unmask(desk, "V1", PHONE, purpose="contact"),
    "find": lambda desk: personal.find(desk, NAME),
    "find wrongly": lambda desk: personal.find(desk, NAME, limit=0),
    "find NUL": lambda desk: personal.find(desk, f"{NAME}\0"),
    "apply": lambda desk: volunteers.register(desk, applied()),
    "apply under a known identity": lambda desk: volunteers.register(desk, applied(identity_number=IDENTITY)),
    "apply twice": lambda desk: volunteers.register(desk, applied(), number="V1"),
    "apply badly": lambda desk: volunteers.register(desk, applied(name=f"{NAME}\0")),
    "apply with a bad identity": lambda desk: volunteers.register(
        desk, applied(identity_number=IDENTITY[:-1])
    ),
    "apply with a bad phone": lambda desk: volunteers.register(desk, applied(phone=f"{PHONE}\ud800")),
    "apply with a bad address": lambda desk: volunteers.register(desk, applied(address=f"{NAME}\0")),
    "apply with a bad guardian": lambda desk: volunteers.register(
        desk, applied(guardian=volunteers.Guardian(f"{NAME}\0", PHONE))
    ),
    "check": lambda desk: volunteers.check_registration(desk, applied(identity_number=IDENTITY)),
    "claim": lambda desk: volunteers.claim(desk, identity_number=IDENTITY, name=NAME, phone=PHONE),
    "register twice": lambda desk: volunteers.admit(desk, name=NAME, organization="O1", number="V1"),
    "register badly": lambda desk: volunteers.admit(desk, name=f"{NAME}\0", organization="O1"),
    "register a bad identity": lambda desk: volunteers.admit(
        desk, name=NAME, organization="O1", identity_number=IDENTITY[:-1]
    ),
    "register a bad phone": lambda desk: volunteers.admit(
        desk, name=NAME, organization="O1", phone=f"{PHONE}\ud800"
    ),
    "seal an unknown field": lambda desk: seal_subject(
        desk.connection, KEY, "a:1", {NAME: PHONE}, found_by={}
    ),
    "seal too much": lambda desk: seal_subject(
        desk.connection, KEY, "a:1", {"name": NAME * 9999}, found_by={}
    ),
    "wrong key": lambda desk: open_subject(desk.connection, KeyCipher(bytes(range(32))), "volunteer:1"),
    "organization with a contact": lambda desk: organizations.apply(desk, with_contact(NAME, PHONE)),
    "organization with a bad contact": lambda desk: organizations.apply(
        desk, with_contact(f"{NAME}\0", PHONE)
    ),
    "organization with a bad phone": lambda desk: organizations.apply(
        desk, with_contact(NAME, f"{PHONE}{NAME}")
    ),
    "organization with a bad address": lambda desk: organizations.apply(
        desk, with_contact(NAME, PHONE, PHONE)
    ),
    "change a contact": lambda desk: organizations.edit(
        desk, "O1", contact=organizations.Contact(NAME, PHONE)
    ),
    "contact": lambda desk: organizations.contact(desk, "O2"),
    "unmask a contact": lambda desk: (
        organizations.unmask_contact(desk, "O2", "name", purpose="contact") and None
    ),
    "unmask a contact wrongly": lambda desk: organizations.unmask_contact(desk, "O2", PHONE, purpose=NAME),
    "due": personal.due_for_erasure,
    "figures": city_figures,
    "request": personal.request_erasure,
    "driver": lambda desk: desk.connection.execute(sa.text("SELECT :name FROM nowhere"), {"name": NAME}),
    "unique": lambda desk: desk.connection.execute(
        sa.text("INSERT INTO vk_volunteer_tag (volunteer_id, kind, value) VALUES (9, 'skill', :name)"),
        {"name": PHONE},
    ),
}


@pytest.mark.parametrize("actor", [CENTRE, ADMIN, OTHER, SELF], ids=lambda actor: actor.id)
def test_no_verb_and_no_error_tells_a_datum(
    engine: sa.Engine, actor: Actor, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for name, verb in VERBS.items():

        def run(verb: Callable[[Desk], Any] = verb) -> Any:
            with KIT.open(engine, actor) as desk:
                clean(repr(desk) + repr(KIT))
                return verb(desk)

        clean(f"{name} {told(run)!r}")
    # SQLAlchemy's own log shows parameters when a host asks it to: ours are sealed before they get there
    clean("".join(record.getMessage() for record in caplog.records if "sqlalchemy" not in record.name))
    clean("".join(capsys.readouterr()))


def test_no_table_and_no_file_holds_a_datum(engine: sa.Engine, dump: Dump, database_url: str) -> None:
    with KIT.open(engine, CENTRE) as desk:
        personal.unmask(desk, "V1", "identity_number", purpose="verification")
        waiting = hours.record(desk, Claim("V1", "P1", dt.date(2026, 11, 8), 150))
    with KIT.open(engine, SECOND) as desk:
        hours.confirm(desk, waiting.record_id)
    clean(dump(engine))
    if engine.dialect.name == "sqlite":
        place = Path(database_url.removeprefix("sqlite:///"))
        held = b"".join(path.read_bytes() for path in place.parent.glob(f"{place.name}*"))
        assert [each for each in CANARIES if each.encode() in held] == []


def test_a_quarantine_and_a_report_hold_masks(engine: sa.Engine, dump: Dump, tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_text(
        "volunteer_id,name,sex,birth_date,resident_id,phone,district,org_id,team_id,registered_at,status\n"
        f"V7,{NAME},F,1990-03-15,{IDENTITY},{PHONE},渝水区,O9,,2026-01-01 00:00,approved\n"
        f"V8,{NAME},{NAME},1990-03-15,{IDENTITY},{PHONE},渝水区,O1,,2026-01-01 00:00,approved\n"
        f"V9,{NAME},F,{IDENTITY},{IDENTITY},{PHONE},渝水区,O1,,2026-01-01 00:00,approved\n", "utf-8",
    )  # fmt: skip
    report = KIT.import_directory(engine, CENTRE, tmp_path)
    clean(repr(report))
    clean(dump(engine))


def test_after_erasure_nothing_opens(engine: sa.Engine, dump: Dump) -> None:
    with KIT.open(engine, SELF) as desk:
        copy = personal.export_own(desk)
    assert NAME in copy  # their own copy is what they asked for
    with KIT.open(engine, CENTRE) as desk:
        case = personal.erase(desk, "V1")
        organizations.edit(desk, "O2", contact=organizations.Contact())  # the same person, another subject
    assert case is not None
    with KIT.open(engine, SECOND) as desk:
        approvals.decide(desk, case.id, "approve")
    clean(dump(engine))
    with KIT.open(engine, CENTRE) as desk:
        rows = desk.connection.exec_driver_sql("SELECT subject, wrapped_key, sealed FROM vk_vault").fetchall()
        opened = [KEY.open(subject, bytes(key), bytes(sealed)) for subject, key, sealed in rows]
        clean(json.dumps(opened, ensure_ascii=False))
        assert [row[0] for row in rows] == ["key:index"]
        assert verify_store(desk.connection).holds
        assert personal.find(desk, NAME) == ()
    with KIT.open(engine, SELF) as desk:
        clean(personal.export_own(desk))


def test_no_file_brings_an_erased_person_back(engine: sa.Engine, dump: Dump, tmp_path: Path) -> None:
    (tmp_path / "volunteers.csv").write_text(
        "volunteer_id,name,sex,birth_date,resident_id,phone,district,org_id,team_id,registered_at,status\n"
        f"V1,{NAME},F,1990-03-15,{IDENTITY},{PHONE},渝水区,O1,,2026-01-01 00:00,approved\n", "utf-8",
    )  # fmt: skip
    with KIT.open(engine, SELF) as desk:
        personal.request_erasure(desk)
    report = KIT.import_directory(engine, CENTRE, tmp_path)
    assert "person_restricted" in str(report)
    with KIT.open(engine, CENTRE) as desk:
        case = personal.erase(desk, "V1")
    assert case is not None
    with KIT.open(engine, SECOND) as desk:
        approvals.decide(desk, case.id, "approve")
    KIT.import_directory(engine, CENTRE, tmp_path)
    clean(dump(engine))
