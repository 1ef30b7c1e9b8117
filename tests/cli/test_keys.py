"""A new master key, also when the power goes in the middle of it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import volunteerkit
from volunteerkit import Actor, KeyCipher, Kit, organizations, volunteers
from volunteerkit.cli.common import open_city
from volunteerkit.errors import KeyProblem
from volunteerkit.hours import verify_store
from volunteerkit.store import get_meta
from volunteerkit.store.cipher import add_key, drop_older
from volunteerkit.store.vault import open_subject, vault

CLERK = Actor.of("clerk-7", "centre")
PEOPLE = 30

# Runs the command and is killed (as by a power cut) at the nth call of a function.
KILLED = """
import os, signal, sys
from volunteerkit.store import cipher, vault
place, name, nth = sys.argv[1], sys.argv[2], int(sys.argv[3])
holder = {"os": os, "cipher": cipher, "vault": vault, "KeyCipher": cipher.KeyCipher}[place]
inner, calls = getattr(holder, name), [0]
def outer(*given, **named):
    calls[0] += 1
    if calls[0] == nth:
        os.kill(os.getpid(), signal.SIGKILL)
    return inner(*given, **named)
setattr(holder, name, outer)
sys.argv = ["volunteerkit", *sys.argv[4:]]
from volunteerkit.cli import main
main()
"""


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[tuple[str, Path, sa.Engine]]:
    key = tmp_path / "市.key"
    engine = volunteerkit.create_engine(database_url)
    kit = Kit.load(cipher=KeyCipher.from_file(key, create=True))
    kit.migrate(engine)
    with kit.open(engine, CLERK) as desk:
        organizations.register(desk, "O1", name="志愿者联合会")
        for serial in range(1, PEOPLE + 1):
            volunteers.admit(desk, name=f"欧阳雪{serial}", organization="O1", number=f"V{serial}")
        volunteers.suspend(desk, "V1", reason="无故缺席")
    yield database_url, key, engine
    engine.dispose()


def rotate(url: str, key: Path, *killed: str) -> subprocess.CompletedProcess[str]:
    script = KILLED if killed else "from volunteerkit.cli import main; main()"
    words = ["key", "rotate", "--db", url, "--key-file", str(key), "--json"]
    return subprocess.run(
        [sys.executable, "-c", script, *killed, *words], env=os.environ | {"VOLUNTEERKIT_LANG": "en"},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip


def names(engine: sa.Engine, cipher: KeyCipher) -> list[str]:
    with engine.connect() as connection:
        found = [open_subject(connection, cipher, f"volunteer:{id_}")["name"] for id_ in range(1, PEOPLE + 1)]
        assert open_subject(connection, cipher, "volunteer:1#period:1") == {"reason": "无故缺席"}
    return found


def all_there(url: str, key: Path, engine: sa.Engine) -> None:
    assert names(engine, KeyCipher.from_file(key)) == [f"欧阳雪{serial}" for serial in range(1, PEOPLE + 1)]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    opened = open_city(url, key_file=key)
    with opened.kit.open(opened.engine, CLERK) as desk:  # in use as ever
        assert volunteers.admit(desk, name="兰兰", organization="O1")
        assert verify_store(desk.connection).holds
        desk.connection.rollback()
    opened.engine.dispose()


def test_a_new_key_opens_everything_and_the_old_one_nothing(city: tuple[str, Path, sa.Engine]) -> None:
    url, key, engine = city
    old, text = KeyCipher.from_file(key), key.read_text("ascii")
    done = rotate(url, key)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    new = KeyCipher.from_file(key)
    assert (told["key"], told["keys"]) == (new.key_print, PEOPLE + 2)  # a reason, and the key of the indices
    assert (new.older, len(key.read_text("ascii").split())) == ((), 1)
    all_there(url, key, engine)
    with pytest.raises(KeyProblem):
        names(engine, old)
    with engine.connect() as connection:
        assert get_meta(connection, "key_print") == new.key_print
        noted = connection.exec_driver_sql("SELECT actor_id, payload FROM vk_event ORDER BY seq DESC").first()
    assert noted is not None
    assert json.loads(noted[1]) == {"key": new.key_print, "keys": PEOPLE + 2}
    kept = Path(told["kept"][0])
    assert kept == key.with_name(f"{key.name}.{old.key_print}")  # for the backups made before
    assert (kept.read_text("ascii"), stat.S_IMODE(kept.stat().st_mode)) == (text, 0o600)
    assert all(
        each not in done.stdout + done.stderr for each in (*text.split(), *key.read_text("ascii").split())
    )


@pytest.mark.parametrize(
    ("place", "name", "nth"),
    [
        ("os", "replace", 1),  # before the new key is written
        ("vault", "hold", 2),  # when it is written, and nothing is sealed with it
        ("KeyCipher", "rewrap", 12),  # in the middle of the keys of persons
        ("KeyCipher", "rewrap", PEOPLE + 8),  # when everything is sealed anew, and looked at again
        ("os", "replace", 2),  # before the old key is put aside
        ("os", "replace", 3),  # before the old key leaves the file
    ],
)
def test_a_power_cut_at_any_moment_loses_nothing_and_the_next_run_ends_it(
    city: tuple[str, Path, sa.Engine], place: str, name: str, nth: int
) -> None:
    url, key, engine = city
    old = KeyCipher.from_file(key)
    assert rotate(url, key, place, name, str(nth)).returncode == -signal.SIGKILL
    all_there(url, key, engine)
    begun = KeyCipher.from_file(key)
    done = rotate(url, key)
    assert done.returncode == 0, done.stderr
    new = KeyCipher.from_file(key)
    assert new.older == ()
    assert (new.key_print == begun.key_print) == (begun.older != ())  # a rotation that was begun is ended
    all_there(url, key, engine)
    with pytest.raises(KeyProblem):
        names(engine, old)


def test_two_rotations_at_once_end_with_a_key_that_opens_everything(
    city: tuple[str, Path, sa.Engine],
) -> None:
    url, key, engine = city
    words = [sys.executable, "-c", "from volunteerkit.cli import main; main()"]
    options = ["key", "rotate", "--db", url, "--key-file", str(key)]
    running = [subprocess.Popen([*words, *options], stdout=-3, stderr=-3) for _ in range(3)]
    assert 0 in {each.wait(120) for each in running}
    rotate(url, key)
    all_there(url, key, engine)


def test_what_an_old_program_seals_meanwhile_is_not_lost(city: tuple[str, Path, sa.Engine]) -> None:
    url, key, engine = city
    old = KeyCipher.from_file(key)
    add_key(key)
    Kit.load(cipher=KeyCipher.from_file(key)).rewrap(engine, CLERK)
    with (
        engine.begin() as connection
    ):  # a program that looked at its key before the change, and sealed after it
        wrapped, sealed = old.seal("volunteer:1", {"name": "欧阳雪1"})
        mine = sa.update(vault).where(vault.c.subject == "volunteer:1")
        connection.execute(mine.values(wrapped_key=wrapped, sealed=sealed))
    assert rotate(url, key).returncode == 0
    all_there(url, key, engine)


def test_without_the_key_nothing_is_changed(city: tuple[str, Path, sa.Engine], tmp_path: Path) -> None:
    url, key, engine = city
    text = key.read_text("ascii")
    missing = rotate(url, tmp_path / "nowhere.key")
    other = tmp_path / "other.key"
    KeyCipher.from_file(other, create=True)
    wrong = rotate(url, other)
    assert (missing.returncode, wrong.returncode) == (1, 1)
    assert "key_file_missing" in missing.stderr
    assert "key_wrong" in wrong.stderr
    assert (key.read_text("ascii"), KeyCipher.from_file(other).older) == (text, ())
    all_there(url, key, engine)


def test_a_key_file_is_changed_whole(tmp_path: Path) -> None:
    place = tmp_path / "key"
    first = KeyCipher.from_file(place, create=True).key_print
    add_key(place)
    add_key(place)  # the file holds a new key already
    both = KeyCipher.from_file(place)
    assert both.older == (first,)
    (kept,) = drop_older(place)
    assert (KeyCipher.from_file(place).key_print, KeyCipher.from_file(kept).key_print) == (
        both.key_print,
        first,
    )
    assert drop_older(place) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", f"key.{first}"]
