"""What every command shares: opening a city's database with its kit and key, and printing."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from volunteerkit.access import Actor
from volunteerkit.errors import KeyProblem, StorageUnavailable
from volunteerkit.messages import language

if TYPE_CHECKING:
    import sqlalchemy as sa

    from volunteerkit.kit import Kit

__all__ = ["City", "both", "command", "find_key_file", "open_city", "print_json", "url_of"]

PLUGINS_VARIABLE = "VOLUNTEERKIT_PLUGINS"
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


def command() -> str:
    """Return what to type for this command: its name where the shell finds it, else the way it was started."""
    found, started = shutil.which("volunteerkit"), Path(sys.argv[0])
    if (found and Path(found).resolve() == started.resolve()) or not started.is_file():
        return "volunteerkit"
    return shlex.quote(os.path.relpath(started))


def print_json(value: Any) -> None:
    """Print a value as JSON on one line, Chinese as it is."""
    print(json.dumps(value, ensure_ascii=False, default=str))


def url_of(db: str) -> str:
    """Return the address for ``--db``: an address as it is, anything else is an SQLite file's path."""
    return db if "://" in db else f"sqlite:///{db}"


def find_key_file(db: str, key_file: Path | None) -> Path:
    """Return where the key is kept: as told, else beside an SQLite file, else in the user's own data folder."""
    if key_file is not None:
        return key_file
    if os.environ.get(KEY_VARIABLE):
        return Path(os.environ[KEY_VARIABLE])
    from sqlalchemy.engine import make_url

    address = make_url(url_of(db))
    if address.get_backend_name() == "sqlite":
        return Path(f"{address.database}.key")
    place = f"{address.host}:{address.port or 5432}/{address.database}"
    name = f"{address.database}-{hashlib.sha256(place.encode()).hexdigest()[:8]}.key"
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return home / "volunteerkit" / name


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


def open_city(
    db: str,
    *,
    key_file: Path | None = None,
    plugin: tuple[str, ...] = (),
    zone: str = "Asia/Shanghai",
    create: bool = False,
) -> City:
    """Open the database ``db`` with its kit; with ``create`` make the tables and the key if missing.

    Raises StorageError and its kin, KeyProblem, PluginError.
    """
    import volunteerkit
    from volunteerkit import store
    from volunteerkit.kit import Kit
    from volunteerkit.store.engine import place_of, storage_errors

    names = plugin or tuple(os.environ.get(PLUGINS_VARIABLE, "xinyu").split())
    engine = volunteerkit.create_engine(url_of(db))
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    if engine.dialect.name == "sqlite" and path in (None, "", ":memory:"):
        raise StorageUnavailable("storage_not_kept", place=db)
    new = path is not None and not Path(path).exists()
    if path and new and not create:
        raise StorageUnavailable("storage_missing", place=path)
    if path and not Path(path).parent.is_dir():
        raise StorageUnavailable(place=path)
    kit = Kit.load(*(Path(name) if name.endswith((".py", ".toml")) else name for name in names), zone=zone)
    # The key comes first: a wrong one must not leave an empty database behind.
    cipher = _cipher(db, key_file, create=new)
    if create:
        # an older database with personal data is brought up to date by its key only
        attrs.evolve(kit, cipher=_cipher(db, key_file, create=False)).migrate(engine)
    with storage_errors(place_of(engine.url)), engine.connect() as connection, connection.begin():
        store.check_schema(connection)
        sealed = store.get_meta(connection, "key_print")
    if cipher is None and create:
        if sealed is not None:
            raise KeyProblem("key_file_missing", place=str(find_key_file(db, key_file)))
        cipher = _cipher(db, key_file, create=True)
    if cipher is not None and sealed is not None and sealed not in (cipher.key_print, *cipher.older):
        raise KeyProblem("key_wrong", expected=sealed, found=cipher.key_print)
    return City(attrs.evolve(kit, cipher=cipher), engine, Actor.of(f"cli:{_user()}", "centre"))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"
