"""A PostgreSQL server of our own: made in a temporary folder, never run as root, gone when we are."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

USER, PASSWORD = "tester", "city"


@attrs.frozen
class Server:
    """A running server: its port on this machine, its folder, process and log."""

    port: int
    folder: Path
    pid: int
    log: Path

    def url(self, database: str) -> str:
        """Return the address of ``database`` for SQLAlchemy with psycopg."""
        return f"postgresql+psycopg://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"


def binaries() -> Path | None:
    """Return the folder of the newest server binaries, None when there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).resolve().parent if on_path else None


def _account() -> pwd.struct_passwd | None:
    """Return whom the server runs as when we are root: it refuses root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def running(bin_: Path) -> Iterator[Server]:
    """Start a server, yield it, stop it and remove its folder, whatever happens."""
    folder = Path(tempfile.mkdtemp(prefix="vkpg-", dir="/tmp" if Path("/tmp").is_dir() else None))
    account = _account()
    owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    process: subprocess.Popen[bytes] | None = None
    try:
        (folder / "password").write_text(PASSWORD, "utf-8")
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account.pw_uid, account.pw_gid)
        initdb = [bin_ / "initdb", "-D", folder / "data", "-U", USER, f"--pwfile={folder / 'password'}"]
        options = ["-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync"]
        subprocess.run([*initdb, *options], check=True, capture_output=True, cwd=folder, **owner)
        port, log = _free_port(), folder / "log"
        start = [bin_ / "postgres", "-D", folder / "data", "-k", folder, "-h", "127.0.0.1", "-p", str(port)]
        # a test's database need not survive a power cut
        options = ["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*_dies_with_us(), *start, *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                start_new_session=True,
                **owner,
            )
        _wait(bin_, process, port, log)
        yield Server(port, folder, process.pid, log)
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _dies_with_us() -> list[str]:
    """Linux stops the server even when we are killed; elsewhere only a proper end does."""
    tool = shutil.which("setpriv") if sys.platform == "linux" else None
    return [tool, "--pdeathsig", "QUIT"] if tool else []


def _wait(bin_: Path, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + 60
    ready = [bin_ / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "-d", "postgres"]
    while subprocess.run(ready, check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text('utf-8', 'replace')}")
        time.sleep(0.02)
