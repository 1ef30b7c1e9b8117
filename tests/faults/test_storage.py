"""Faults a city meets: each is a typed error with a way out, and nothing is half written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations
from volunteerkit.errors import (
    ImportRefused,
    KeyProblem,
    SchemaMismatch,
    StorageError,
    StorageFull,
)
from volunteerkit.hours import verify_store

SAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "synthetic_sample"
CLERK = Actor.of("clerk-7", "centre")


def kit(key: bytes = bytes(32)) -> Kit:
    return Kit.load("xinyu", cipher=KeyCipher(key))


def refused(code: str, url: str, *, migrate: bool = True) -> StorageError:
    engine = volunteerkit.create_engine(url)

    def opened() -> None:
        if migrate:
            kit().migrate(engine)
        with kit().open(engine, CLERK):
            pass

    with pytest.raises(StorageError) as told:
        opened()
    engine.dispose()
    assert told.value.code == code
    assert "SELECT" not in str(told.value)
    return told.value


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("尊敬的志愿者：" * 1000, "utf-8")
    before = path.read_bytes()
    refused("storage_not_a_database", f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    refused("storage_unavailable", f"sqlite:///{tmp_path / 'nowhere' / 'city.db'}")


def test_an_empty_database_says_what_to_do_first(empty_database_url: str) -> None:
    refused("storage_empty", empty_database_url, migrate=False)


def test_a_newer_schema_is_not_touched(empty_database_url: str) -> None:
    engine = volunteerkit.create_engine(empty_database_url)
    kit().migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE vk_meta SET value = '99' WHERE name = 'schema_version'")
    engine.dispose()
    for migrate in (True, False):
        assert isinstance(refused("schema_newer", empty_database_url, migrate=migrate), SchemaMismatch)


def test_a_wrong_password_and_a_missing_server(empty_postgresql_url: str) -> None:
    address = sa.make_url(empty_postgresql_url)
    wrong = address.set(password="secret-canary").render_as_string(hide_password=False)
    assert "secret-canary" not in str(refused("storage_password", wrong))
    refused("storage_unavailable", address.set(port=1).render_as_string(hide_password=False))
    refused("storage_unavailable", address.set(database="nowhere").render_as_string(hide_password=False))


def test_a_full_disk_leaves_whole_files_and_can_go_on(sqlite_url: str) -> None:
    engine = volunteerkit.create_engine(sqlite_url)
    kit().migrate(engine)

    def limit(connection: object, _: object) -> None:
        connection.execute("PRAGMA max_page_count = 400")  # type: ignore[attr-defined]

    sa.event.listen(engine, "connect", limit)
    engine.dispose()
    with pytest.raises(StorageFull):
        kit().import_directory(engine, CLERK, SAMPLE)
    sa.event.remove(engine, "connect", limit)
    engine.dispose()
    with kit().open(engine, CLERK, read_only=True) as desk:
        assert verify_store(desk.connection).holds
    assert kit().import_directory(engine, CLERK, SAMPLE).files[-1].read == 11079
    engine.dispose()


def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    path = tmp_path / "city.db"
    engine = volunteerkit.create_engine(f"sqlite:///{path}")
    kit().migrate(engine)
    engine.dispose()
    engine = volunteerkit.create_engine(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(StorageError) as told, kit().open(engine, CLERK) as desk:
        desk.connection.exec_driver_sql("INSERT INTO vk_meta VALUES ('a', 'b')")
    engine.dispose()
    assert told.value.code == "storage_read_only"


def test_another_key_than_the_databases_is_refused(sqlite_url: str) -> None:
    engine = volunteerkit.create_engine(sqlite_url)
    kit().migrate(engine)
    kit().import_directory(engine, CLERK, SAMPLE)
    with pytest.raises(KeyProblem) as told:
        kit(bytes(31) + b"x").import_directory(engine, CLERK, SAMPLE)
    assert told.value.code == "key_wrong"
    with pytest.raises(KeyProblem) as missing:
        Kit.load().import_directory(engine, CLERK, SAMPLE)
    assert missing.value.code == "key_missing"
    engine.dispose()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"volunteer_id,project_id\nV1,P1\n", "file_columns_missing"),
        (b"\xff\xfe\x00\xd8", "encoding_unknown"),
        (b"\x81\x00\xff\xff", "encoding_unknown"),
        (b'volunteer_id,project_id,service_date,hours,status\nV1,"P1,2020-01-01,1,confirmed\n', "csv_broken"),
    ],
)
def test_hostile_files_are_refused_whole(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "service_records.csv").write_bytes(content)
    engine = volunteerkit.create_engine("sqlite://")
    kit().migrate(engine)
    with pytest.raises(ImportRefused) as told:
        kit().import_directory(engine, CLERK, tmp_path)
    engine.dispose()
    assert told.value.code == code


WORK = """
import sys
from pathlib import Path
import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations
engine = volunteerkit.create_engine(sys.argv[1])
kit = Kit.load("xinyu", cipher=KeyCipher(bytes(32)))
print("ready", flush=True)
kit.import_directory(engine, Actor.of("clerk-7", "centre"), Path(sys.argv[2]))
"""


def killed_imports(url: str, times: int) -> None:
    """Kill an import at moments spread over its length; after each, whole files or nothing; then finish it."""
    engine = volunteerkit.create_engine(url)
    kit().migrate(engine)
    for attempt in range(times):
        process = subprocess.Popen([sys.executable, "-c", WORK, url, SAMPLE], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(1.6 * attempt / times)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        with kit().open(engine, CLERK, read_only=True) as desk:
            assert verify_store(desk.connection).holds
            for table, rows in (
                ("team", 1484),
                ("volunteer", 346),
                ("vault", 347),
                ("service_record", 10991),
            ):
                found = desk.connection.exec_driver_sql(f"SELECT count(*) FROM vk_{table}").scalar()
                assert found in (0, rows), table
    report = kit().import_directory(engine, CLERK, SAMPLE)
    assert report.files[-1].credited == 10347
    with kit().open(engine, CLERK, read_only=True) as desk:
        assert desk.connection.exec_driver_sql("SELECT count(*) FROM vk_service_record").scalar() == 10991
        assert verify_store(desk.connection).holds
    engine.dispose()


def test_an_import_killed_at_any_moment_is_completed_by_the_next(empty_database_url: str) -> None:
    killed_imports(empty_database_url, 2)


@pytest.mark.campaign
def test_an_import_killed_fifty_times(empty_database_url: str) -> None:
    killed_imports(empty_database_url, 50)


@pytest.mark.parametrize("url", ["mysql://ann:secret-canary@host/city", "oracle://host/city"])
def test_another_kind_of_database_is_named_as_such(url: str) -> None:
    with pytest.raises(StorageError) as told:
        volunteerkit.create_engine(url)
    assert told.value.code == "storage_unsupported"
    assert "secret-canary" not in str(told.value)


def test_a_second_desk_in_memory_is_refused_and_spoils_nothing() -> None:
    kit, centre = Kit.load(), Actor.of("centre-1", "centre")
    engine = volunteerkit.create_engine("sqlite://")
    kit.migrate(engine)
    with kit.open(engine, centre) as desk:
        organizations.register(desk, "O1", name="联合会")
        with pytest.raises(StorageError), kit.open(engine, centre) as second:
            organizations.register(second, "O2", name="红十字会")
    with kit.open(engine, centre) as desk:
        assert [each.number for each in organizations.list_organizations(desk)] == ["O1"]
    engine.dispose()
