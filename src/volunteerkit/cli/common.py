"""What every command shares: opening a city's database with its kit and key, and printing."""

from __future__ import annotations

import getpass
import hashlib
import json
import logging
import os
import shlex
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from volunteerkit import messages
from volunteerkit.access import Actor
from volunteerkit.errors import KeyProblem, StorageError, StorageUnavailable
from volunteerkit.messages import language

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import URL

    from volunteerkit.kit import Kit

__all__ = [
    "City",
    "both",
    "check_out",
    "close_databases",
    "command",
    "find_key_file",
    "open_city",
    "print_json",
    "told_page",
    "url_of",
    "word",
]

PLUGINS_VARIABLE = "VOLUNTEERKIT_PLUGINS"
_OPENED: list[sa.Engine] = []
KEY_VARIABLE = "VOLUNTEERKIT_KEY_FILE"


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class City:
    """A kit, an engine and the actor who works at this terminal."""

    kit: Kit
    engine: sa.Engine
    actor: Actor


def both(zh: str, en: str) -> str:
    """Return the text in the reader's language."""
    return zh if language() == "zh-CN" else en


def word(area: str, code: str) -> str:
    """Return the word for a code in the reader's language, the code itself when there is none."""
    key = f"word_{area}_{code}"
    return messages.text(key) if key in messages.catalogue() else code


def close_databases() -> None:
    """Close the connections of every database that the command opened."""
    while _OPENED:
        _OPENED.pop().dispose()


def command() -> str:
    """Return what to type for this command: its name where the shell finds it, else the way it was started."""
    found, started = shutil.which("volunteerkit"), Path(sys.argv[0])
    if (found and Path(found).resolve() == started.resolve()) or not started.is_file():
        return "volunteerkit"
    if started.name == "__main__.py":
        return "python -m volunteerkit"
    return shlex.quote(os.path.relpath(started))


def print_json(value: Any) -> None:
    """Print a value as JSON on one line, Chinese as it is."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def told_page(count: int, last: int) -> None:
    """Say on stderr that there is another page, and how to come to it."""
    print(
        both(f"列出了 {count} 条，后面还有：--after {last}", f"{count} are listed, and there are more: --after {last}"),
        file=sys.stderr,
    )  # fmt: skip


def url_of(db: str) -> URL:
    """Return the address for ``--db``: an address as it is, anything else is an SQLite file's path.

    Raises StorageUnavailable for an address that cannot be read.
    """
    from sqlalchemy.engine import URL

    from volunteerkit.store.engine import address_of

    return address_of(db) if "://" in db else URL.create("sqlite", database=db)


def find_key_file(db: str, key_file: Path | None) -> Path:
    """Return where the key is kept: as told, else beside an SQLite file, else in the user's own data folder."""
    if key_file is not None:
        return key_file
    if os.environ.get(KEY_VARIABLE):
        return Path(os.environ[KEY_VARIABLE])
    address = url_of(db)
    if address.get_backend_name() == "sqlite":
        return Path(f"{address.database}.key")
    place = f"{address.host}:{address.port or 5432}/{address.database}"
    name = f"{address.database}-{hashlib.sha256(place.encode()).hexdigest()[:8]}.key"
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "volunteerkit" / name


def check_out(out: Path, db: str, key_file: Path | None, begins: bytes) -> None:
    """See, before any work is done, that ``out`` may be written: raises StorageError.

    It may not lie where the database or a key lies, by whatever way it is named; and what is there already
    must be a file that ``begins`` as the one to be written does, or is empty.
    """
    held = {find_key_file(db, key_file), find_key_file(db, None)}
    address = url_of(db)
    if address.get_backend_name() == "sqlite":
        file = address.database
        held |= {Path(f"{file}{end}") for end in ("", "-wal", "-shm", "-journal", ".key")}
    if any(out.resolve() == each.resolve() or _same(out, each) for each in held):
        raise StorageError("out_in_the_way", place=str(out))
    try:
        if out.exists():
            if not out.is_file():
                raise StorageError("out_is_folder" if out.is_dir() else "out_in_the_way", place=str(out))
            with out.open("rb") as there:
                head = there.read(len(begins))
            if head and head != begins:
                raise StorageError("out_in_the_way", place=str(out))
        if not os.access(out.parent, os.W_OK | os.X_OK):
            raise StorageError("file_not_written", place=str(out))
    except OSError:
        raise StorageError("file_not_written", place=str(out)) from None


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)  # a hard link, or a file system that takes A for a
    except OSError:
        return False


def _cipher(db: str, key_file: Path | None, create: bool) -> Any:
    """Open the key; make one only for a database that has none yet."""
    from volunteerkit.store.cipher import KeyCipher

    place = find_key_file(db, key_file)
    if not place.exists() and not create:
        return None
    made = not place.exists()
    cipher = KeyCipher.from_file(place, create=create)
    if made:
        print(
            both(f"已新建密钥文件 {place}（权限 600）。请另行备份：没有它，个人信息无法读出。",
                 f"Made the key file {place} (mode 600). Back it up elsewhere: without it personal data cannot be read."),
            file=sys.stderr,
        )  # fmt: skip
    return cipher


def _check_file(db: str, path: str | None, create: bool) -> bool:
    """See that an SQLite file is there, or may be made, and is no other program's; tell whether it is new."""
    from volunteerkit.store.engine import storage_errors, why_not_opened

    if path in (None, "", ":memory:"):
        raise StorageUnavailable("storage_not_kept", place=db)
    assert path is not None
    if not Path(path).exists():
        if not Path(path).parent.is_dir():
            raise StorageUnavailable(place=path, cause=why_not_opened(path))
        if not create:
            raise StorageUnavailable("storage_missing", place=path)
        return True
    with storage_errors(path), closing(sqlite3.connect(path)) as connection:
        try:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        except sqlite3.OperationalError:
            found = []  # what cannot be read now is told when the database is opened
    if found and not any(name.startswith("vk_") for (name,) in found):
        raise StorageUnavailable("storage_foreign", place=path)
    return False


def open_city(
    db: str,
    *,
    key_file: Path | None = None,
    plugin: tuple[str, ...] = (),
    plugins_dir: Path | None = None,
    zone: str = "Asia/Shanghai",
    create: bool = False,
) -> City:
    """Open the database ``db`` with its kit; with ``create`` make the tables and the key if missing.

    Raises StorageError and its kin, KeyProblem, PluginError.
    """
    import volunteerkit
    from volunteerkit.kit import Kit
    from volunteerkit.store.engine import place_of

    usual = () if plugins_dir else tuple(os.environ.get(PLUGINS_VARIABLE, "xinyu").split())
    engine = volunteerkit.create_engine(url_of(db))
    _OPENED.append(engine)
    new = engine.dialect.name == "sqlite" and _check_file(db, engine.url.database, create)
    kit = Kit.load(*(plugin or usual), plugins_dir=plugins_dir, zone=zone)
    try:
        cipher = _key_of(engine, kit, db, key_file, new, create)
    except KeyProblem as error:
        place = str(find_key_file(db, key_file))
        error.add_note(messages.text("key_used", db=place_of(engine.url), place=place))
        raise
    return City(attrs.evolve(kit, cipher=cipher), engine, Actor.of(f"cli:{_user()}", "centre"))


def trace_plugins() -> None:
    """Print what the plugins answer, and how long it takes, on standard error."""
    log = logging.getLogger("volunteerkit.plugins")
    log.handlers[:] = [logging.StreamHandler()]
    log.setLevel(logging.DEBUG)


def _key_of(engine: sa.Engine, kit: Kit, db: str, key_file: Path | None, new: bool, create: bool) -> Any:
    """Return the cipher of the database, None for one that is read without it; make both with ``create``."""
    from volunteerkit import store
    from volunteerkit.store.engine import storage_errors

    # The key comes first: a wrong one must not leave an empty database behind.
    cipher = _cipher(db, key_file, create=new)
    if create:
        # an older database with personal data is brought up to date by its key only
        attrs.evolve(kit, cipher=cipher).migrate(engine)
    with storage_errors(engine.url), engine.connect() as connection, connection.begin():
        store.check_schema(connection)
        sealed = store.get_meta(connection, "key_print")
    if cipher is None and sealed is not None:
        place = str(find_key_file(db, key_file))
        if create or key_file is not None:  # who names a file means it
            raise KeyProblem("key_file_missing", place=place)
        print(messages.text("key_absent", place=place), file=sys.stderr)
    elif cipher is None and create:
        cipher = _cipher(db, key_file, create=True)
    if cipher is not None and sealed is not None and sealed not in (cipher.key_print, *cipher.older):
        raise KeyProblem("key_wrong", expected=sealed, found=cipher.key_print)
    return cipher


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
