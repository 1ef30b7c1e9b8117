"""The fixtures that other tests stand on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa


def test_a_database_is_fresh_and_speaks_chinese(empty_database_url: str) -> None:
    engine = sa.create_engine(empty_database_url)
    with engine.begin() as connection:
        assert sa.inspect(connection).get_table_names() == []
        connection.execute(sa.text("CREATE TABLE 人 (名 TEXT)"))
        connection.execute(sa.text("INSERT INTO 人 VALUES ('𠮷田㛃')"))
        assert connection.execute(sa.text("SELECT 名 FROM 人 WHERE 名 LIKE '%㛃'")).scalar() == "𠮷田㛃"
    engine.dispose()


def test_the_server_knows_letters_beyond_ascii(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.connect() as connection:
        encoding = connection.execute(sa.text("SHOW server_encoding")).scalar()
        lowered = connection.execute(sa.text("SELECT lower('ÀÉ')")).scalar()
    engine.dispose()
    assert (encoding, lowered) == ("UTF8", "àé")


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for the owner of a process")
def test_the_server_does_not_run_as_root(postgresql_server: Any) -> None:
    assert Path(f"/proc/{postgresql_server.pid}").stat().st_uid != 0


def test_a_wrong_password_is_refused(postgresql_server: Any) -> None:
    engine = sa.create_engine(postgresql_server.url("postgres").replace(":city@", ":wrong@"))
    with pytest.raises(sa.exc.OperationalError, match="password"):
        engine.connect()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a killed run leaves its server behind")
def test_a_killed_run_leaves_no_server(postgresql_server: Any) -> None:
    # a child starts a second server and is killed before it can stop it
    helper = Path(__file__).with_name("postgresql.py")
    code = (
        "import runpy, os, signal\n"
        f"p = runpy.run_path({str(helper)!r}, run_name='helper')\n"
        "with p['running'](p['binaries']()) as server:\n"
        "    print(server.pid, server.folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    made = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, encoding="utf-8")
    pid, folder = made.stdout.split()
    wait = ["tail", f"--pid={pid}", "-f", os.devnull]
    assert subprocess.run(wait, check=False, timeout=30).returncode == 0
    assert not Path(f"/proc/{pid}").exists()
    subprocess.run(["rm", "-r", folder], check=True)


def test_a_snapshot_that_differs_fails(
    snapshot: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(snapshot.__globals__, "SNAPSHOTS", tmp_path)  # type: ignore[attr-defined]
    monkeypatch.delenv("VOLUNTEERKIT_SNAPSHOTS", raising=False)
    (tmp_path / "greeting.txt").write_text("你好", "utf-8")
    snapshot("greeting.txt", "你好")
    with pytest.raises(AssertionError):
        snapshot("greeting.txt", "您好")
    with pytest.raises(AssertionError, match="no snapshot"):
        snapshot("absent.txt", "")
