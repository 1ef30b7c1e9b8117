"""The vault: subjects of any kind, their own keys, blind indices, rotation, and the way from version 1."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations, projects, volunteers
from volunteerkit.errors import IntegrityProblem, InvalidValue, KeyProblem, SchemaMismatch
from volunteerkit.hours import verify_store
from volunteerkit.privacy import found_by
from volunteerkit.store import get_meta, migrating
from volunteerkit.store.vault import (
    blind,
    find_subjects,
    forget,
    open_subject,
    rewrap,
    seal_subject,
    vault,
)
from volunteerkit.units import day_number
from volunteerkit.volunteers.reading import find

OLD, NEW = bytes(32), bytes(range(32))
CLERK = Actor.of("clerk-7", "centre")
DATA = {"name": "欧阳雪", "phone": "12900000078", "identity_number": "360599199003150015"}


@pytest.fixture
def engine(empty_database_url: str) -> Iterator[sa.Engine]:
    made = volunteerkit.create_engine(empty_database_url)
    yield made
    made.dispose()


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    Kit.load().migrate(engine)
    with engine.begin() as opened:
        yield opened


def seal(connection: sa.Connection, subject: str, data: dict[str, Any], key: bytes = OLD) -> None:
    seal_subject(connection, KeyCipher(key), subject, data, found_by=found_by(data))


def test_what_is_sealed_opens_is_found_and_is_forgotten_once(connection: sa.Connection) -> None:
    cipher = KeyCipher(OLD)
    seal(connection, "organization:3", DATA)
    assert open_subject(connection, cipher, "organization:3") == DATA
    assert open_subject(connection, cipher, "organization:4") == {}
    for kind, value in (
        ("phone", "１２９ 0000-0078"), ("identity_number", "360599199003150015"), ("name_part", "欧阳"),
        ("name_part", "雪"),
    ):  # fmt: skip
        assert find_subjects(connection, cipher, kind, value) == ("organization:3",), kind
    assert find_subjects(connection, cipher, "email", "12900000078") == ()
    assert forget(connection, "organization:3")
    assert not forget(connection, "organization:3")
    assert connection.execute(sa.select(sa.func.count()).select_from(blind)).scalar() == 0
    assert open_subject(connection, cipher, "organization:3") == {}


def test_editing_seals_anew_under_a_new_key(connection: sa.Connection) -> None:
    seal(connection, "volunteer:1", DATA)
    row = sa.select(vault.c.wrapped_key, vault.c.sealed).where(vault.c.subject == "volunteer:1")
    before = connection.execute(row).one()
    seal(connection, "volunteer:1", DATA | {"phone": "12900000079"})
    after = connection.execute(row).one()
    assert before[0] != after[0]
    with pytest.raises(KeyProblem):
        KeyCipher(OLD).open("volunteer:1", after[0], before[1])
    assert find_subjects(connection, KeyCipher(OLD), "phone", "12900000078") == ()
    assert find_subjects(connection, KeyCipher(OLD), "phone", "12900000079") == ("volunteer:1",)


def test_a_wrong_key_and_a_moved_row_are_told_apart(connection: sa.Connection) -> None:
    seal(connection, "volunteer:1", DATA)
    seal(connection, "volunteer:2", DATA)
    with pytest.raises(KeyProblem) as told:
        open_subject(connection, KeyCipher(NEW), "volunteer:1")
    assert told.value.values == {"expected": KeyCipher(OLD).key_print, "found": KeyCipher(NEW).key_print}
    with pytest.raises(KeyProblem):
        seal(connection, "volunteer:3", DATA, NEW)
    moved = sa.select(vault.c.sealed).where(vault.c.subject == "volunteer:2").scalar_subquery()
    connection.execute(sa.update(vault).where(vault.c.subject == "volunteer:1").values(sealed=moved))
    with pytest.raises(IntegrityProblem):
        open_subject(connection, KeyCipher(OLD), "volunteer:1")


def test_rotation_touches_no_data_and_then_the_old_key_opens_nothing(connection: sa.Connection) -> None:
    for number in range(5):
        seal(connection, f"volunteer:{number}", DATA)
    both = KeyCipher(NEW, OLD)
    seal(connection, "volunteer:5", DATA, OLD)
    seal_subject(connection, both, "volunteer:6", DATA, found_by=found_by(DATA))
    everything = sa.select(vault.c.subject, vault.c.sealed).order_by(vault.c.subject)
    indices = sa.select(blind).order_by(*blind.c)
    before = connection.execute(everything).fetchall(), connection.execute(indices).fetchall()
    assert rewrap(connection, both) == 8  # seven subjects and the key of the indices
    after = connection.execute(everything).fetchall(), connection.execute(indices).fetchall()
    assert before == after
    assert get_meta(connection, "key_print") == KeyCipher(NEW).key_print
    assert open_subject(connection, KeyCipher(NEW), "volunteer:3") == DATA
    assert len(find_subjects(connection, KeyCipher(NEW), "phone", "12900000078")) == 7
    for subject in ("volunteer:0", "volunteer:6"):
        with pytest.raises(KeyProblem):
            open_subject(connection, KeyCipher(OLD), subject)
    with pytest.raises(KeyProblem):
        rewrap(connection, KeyCipher(OLD))


@pytest.mark.parametrize(
    "data",
    [{"status": "approved"}, {"stars": 5}, {"face_template": "AAAA"}, {"name": "a\0b"}, {"name": "\ud800"},
     {"address": "x" * 100_000}, {"guardian": {"name": ["\ud800"]}}],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_without_being_repeated(
    connection: sa.Connection, data: dict[str, Any]
) -> None:
    with pytest.raises(InvalidValue) as told:
        seal_subject(connection, KeyCipher(OLD), "volunteer:1", data, found_by={})
    assert not {"a\0b", "\ud800", "AAAA", "status", "stars"} & {
        str(each) for each in told.value.values.values()
    }
    assert connection.execute(sa.select(sa.func.count()).select_from(vault)).scalar() == 0


def test_without_a_cipher_nobody_is_registered(connection: sa.Connection) -> None:
    desk = Kit.load().desk(connection, CLERK)
    organizations.register(desk, "O1", name="志愿者联合会")
    with pytest.raises(KeyProblem):
        volunteers.admit(desk, name="兰", organization="O1")


def test_nothing_lies_in_the_file_after_it_was_forgotten(sqlite_url: str) -> None:
    engine = volunteerkit.create_engine(sqlite_url)
    Kit.load().migrate(engine)
    with engine.begin() as connection:
        for number in range(50):
            seal(connection, f"volunteer:{number}", DATA)
        wrapped = connection.execute(
            sa.select(vault.c.wrapped_key).where(vault.c.subject == "volunteer:7")
        ).scalar()
    with engine.begin() as connection:
        forget(connection, "volunteer:7")
    with engine.connect() as connection:
        connection.connection.dbapi_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]
    engine.dispose()
    file = sqlite_url.removeprefix("sqlite:///")
    with open(file, "rb") as held:
        assert bytes(wrapped or b"") not in held.read()


def old_index(kind: str, value: str) -> bytes:
    """Return a blind index as version 1 made it."""
    key = hmac.digest(OLD, b"volunteerkit index", "sha256")
    return hmac.digest(key, f"{kind}\x1f{value}".encode(), "sha256")[:16]


V1 = {
    "sqlite": (
        "CREATE TABLE vk_vault (volunteer_id INTEGER NOT NULL, wrapped_key BLOB NOT NULL, sealed BLOB NOT NULL, "
        "CONSTRAINT pk_vk_vault PRIMARY KEY (volunteer_id)) STRICT",
        "CREATE TABLE vk_blind (kind TEXT NOT NULL, digest BLOB NOT NULL, volunteer_id INTEGER NOT NULL, "
        "CONSTRAINT pk_vk_blind PRIMARY KEY (kind, digest, volunteer_id)) STRICT",
    ),
    "postgresql": (
        "CREATE TABLE vk_vault (volunteer_id BIGINT NOT NULL, wrapped_key BYTEA NOT NULL, sealed BYTEA NOT NULL, "
        "CONSTRAINT pk_vk_vault PRIMARY KEY (volunteer_id))",
        "CREATE TABLE vk_blind (kind TEXT NOT NULL, digest BYTEA NOT NULL, volunteer_id BIGINT NOT NULL, "
        "CONSTRAINT pk_vk_blind PRIMARY KEY (kind, digest, volunteer_id))",
    ),
}
LATER = (
    "vk_grant", "vk_alias", "vk_membership",
    "vk_volunteer_period", "vk_qualification", "vk_volunteer_tag", "vk_acknowledgement", "vk_record_entry",
    "vk_volunteer_link",
)  # fmt: skip


def version_1(engine: sa.Engine) -> int:
    """Make a database as version 1 left it, with two volunteers, one of them in a team; return how many events it has."""
    engine = volunteerkit.create_engine(engine.url)  # an engine remembers the version that it saw
    kit = Kit.load(cipher=KeyCipher(OLD))
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="志愿者联合会")
        volunteers.admit(
            desk, name="欧阳雪", organization="O1", phone="12900000078", identity_number="360599199003150015"
        )
        organizations.register(desk, "O2", name="红十字会")
        volunteers.admit(desk, name="王小明", organization="O2", number="V2")
        for n in range(1, 5):
            projects.register(desk, f"P{n}", name="敬老", organization="O1")
        data = open_subject(desk.connection, KeyCipher(OLD), "volunteer:1")
        sealed = KeyCipher(OLD).seal("volunteer:1", data)
        for name in ("vk_vault", "vk_blind", *LATER):
            desk.connection.exec_driver_sql(f"DROP TABLE {name}")
        for ddl in V1[engine.dialect.name]:
            desk.connection.exec_driver_sql(ddl)
        for statement in (
            "ALTER TABLE vk_volunteer ADD COLUMN team_id BIGINT REFERENCES vk_team (id)",
            "INSERT INTO vk_team (id, number, name, organization_id, status) VALUES (3, 'T3', 'x', 1, 'approved')",
            "UPDATE vk_volunteer SET team_id = 3, registered_on = 20000 WHERE id = 2",
            "ALTER TABLE vk_project ADD COLUMN brand TEXT NOT NULL DEFAULT ''",
            *(
                f"UPDATE vk_project SET brand = '{brand}' WHERE number = 'P{n}'"
                for n, brand in enumerate(("春风", "", "暖阳", "春风"), 1)
            ),
        ):
            words = {"sqlite": ("BIGINT", "INTEGER")}.get(engine.dialect.name, ("", ""))
            desk.connection.exec_driver_sql(statement.replace(*words))
        old = sa.table("vk_vault", *map(sa.column, ("volunteer_id", "wrapped_key", "sealed")))
        desk.connection.execute(
            sa.insert(old).values(volunteer_id=1, wrapped_key=sealed[0], sealed=sealed[1])
        )
        index = sa.table("vk_blind", *map(sa.column, ("kind", "digest", "volunteer_id")))
        for kind, value in (("phone", "12900000078"), ("identity_number", "360599199003150015")):
            digest = old_index(kind, value)
            desk.connection.execute(sa.insert(index).values(kind=kind, digest=digest, volunteer_id=1))
        desk.connection.exec_driver_sql("UPDATE vk_meta SET value = '1' WHERE name = 'schema_version'")
        events = len(desk.connection.exec_driver_sql("SELECT seq FROM vk_event").fetchall())
    engine.dispose()
    return events


def as_it_stands(engine: sa.Engine) -> tuple[Any, ...]:
    with engine.connect() as connection:
        tables = sorted(sa.inspect(connection).get_table_names())
        rows = [
            sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}").fetchall()))
            for name in tables
        ]
    return tables, rows


def test_a_database_of_version_1_is_brought_up_to_date(engine: sa.Engine) -> None:
    events = version_1(engine)
    stands = as_it_stands(engine)
    with pytest.raises(SchemaMismatch), Kit.load().open(engine, CLERK):
        pass
    for kit in (Kit.load(), Kit.load(cipher=KeyCipher(NEW))):
        with pytest.raises(KeyProblem):
            kit.migrate(engine)
        assert as_it_stands(engine) == stands
    kit = Kit.load(cipher=KeyCipher(OLD))
    kit.migrate(engine)
    kit.migrate(engine)
    with kit.open(engine, CLERK, read_only=True) as desk:
        for kind, value in (
            ("phone", "12900000078"),
            ("name_part", "欧阳"),
            ("identity_number", DATA["identity_number"]),
        ):
            assert find_subjects(desk.connection, KeyCipher(OLD), kind, value) == ("volunteer:1",)
        assert open_subject(desk.connection, KeyCipher(OLD), "volunteer:1")["name"] == "欧阳雪"
        assert verify_store(desk.connection).holds
        assert len(desk.connection.exec_driver_sql("SELECT seq FROM vk_event").fetchall()) == events
        tables = set(sa.inspect(desk.connection).get_table_names())
        belonging = desk.connection.exec_driver_sql(
            "SELECT id, volunteer_id, organization_id, team_id, role, since, until FROM vk_membership ORDER BY id"
        ).fetchall()
        today = day_number(desk.today)
        assert [tuple(row) for row in belonging] == [
            (1, 1, 1, None, "managing", today, None),
            (2, 2, 2, None, "managing", 20000, None),
            (3, 2, None, 3, "member", 20000, None),
        ]
        found = find(desk, "V2")
        assert found is not None
        assert (found.organization, found.place.teams, found.place.organizations) == (
            "O2",
            ("T3",),
            ("O2", "O1"),
        )
        under = desk.connection.exec_driver_sql(
            "SELECT p.number, b.number, b.name FROM vk_project p LEFT JOIN vk_brand b ON b.id = p.brand_id ORDER BY p.id"
        ).fetchall()
        assert [tuple(row) for row in under] == [
            ("P1", "B0000001", "春风"), ("P2", None, None), ("P3", "B0000002", "暖阳"), ("P4", "B0000001", "春风"),
        ]  # fmt: skip
        assert "brand" not in {each["name"] for each in sa.inspect(desk.connection).get_columns("vk_project")}
    with kit.open(engine, CLERK) as desk:  # and the next volunteer has somewhere to belong
        volunteers.admit(desk, name="李", organization="O2", number="V9")
    assert set(LATER) <= tables
    assert "vk_vault_1" not in tables


@pytest.mark.parametrize("step", ["_complete", "_belonging", "open_subjects", "seal_subjects"])
def test_an_interrupted_step_leaves_version_1(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    version_1(engine)
    stands = as_it_stands(engine)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(migrating, step, killed)
    with pytest.raises(KeyboardInterrupt):
        Kit.load(cipher=KeyCipher(OLD)).migrate(engine)
    monkeypatch.undo()
    assert as_it_stands(engine) == stands
    Kit.load(cipher=KeyCipher(OLD)).migrate(engine)


def test_a_column_that_came_later_is_added(engine: sa.Engine) -> None:
    version_1(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE vk_volunteer DROP COLUMN row_digest")
    Kit.load(cipher=KeyCipher(OLD)).migrate(engine)
    with engine.connect() as connection:
        assert "row_digest" in {each["name"] for each in sa.inspect(connection).get_columns("vk_volunteer")}


def test_another_cipher_than_ours_may_be_handed_in(connection: sa.Connection) -> None:
    class Service:
        """A key service's cipher, by the protocol only."""

        key_print, older = "service-1", ()

        def seal(self, subject: str, data: dict[str, Any]) -> tuple[bytes, bytes]:
            import json

            return b"1", AESGCM(NEW).encrypt(bytes(12), json.dumps(data).encode(), subject.encode())

        def open(self, subject: str, wrapped_key: bytes, sealed: bytes) -> dict[str, Any]:
            import json

            found: dict[str, Any] = json.loads(
                AESGCM(NEW).decrypt(bytes(12), bytes(sealed), subject.encode())
            )
            return found

        def rewrap(self, subject: str, wrapped_key: bytes) -> bytes:
            return b"2"

    seal_subject(connection, Service(), "recipient:9", DATA, found_by=found_by(DATA))
    assert open_subject(connection, Service(), "recipient:9") == DATA
    assert rewrap(connection, Service()) == 2
