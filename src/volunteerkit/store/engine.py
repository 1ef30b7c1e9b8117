"""Engine set-up, and the one place where a driver's error becomes one of ours."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import ContextDecorator, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from volunteerkit.errors import (
    IntegrityProblem,
    InvalidValue,
    MissingExtra,
    RetryableConflict,
    StorageError,
    StorageFull,
    StorageReadOnly,
    StorageUnavailable,
    VolunteerkitError,
)
from volunteerkit.messages import Phrase, phrase

__all__ = [
    "address_of",
    "create_engine",
    "in_haste",
    "only_reads",
    "place_of",
    "reading",
    "self_check",
    "storage_errors",
    "why_not_opened",
]

_READ, _HASTE = "volunteerkit_read", "volunteerkit_haste"


def __dir__() -> list[str]:
    return __all__


def address_of(url: str | URL) -> URL:
    """Return the parts of an address; ``postgres://`` is ``postgresql://``. Raises StorageUnavailable.

    >>> address_of("postgres://localhost/city").get_backend_name()
    'postgresql'
    """
    try:
        address = make_url(url)
        if "@" in (address.host or ""):  # it belongs to a password, and is written %40 there
            raise ValueError
    except (sa.exc.ArgumentError, ValueError):
        place = re.sub(r"(://[^:/@]*):.*@", r"\1:***@", str(url))
        raise StorageUnavailable("storage_address", place=place) from None
    if address.drivername == "postgres":
        return address.set(drivername="postgresql")
    return address


def create_engine(
    url: str | URL, *, synchronous: str = "FULL", busy_seconds: int = 10, borrowed: Callable[[], Any] | None = None
) -> sa.Engine:  # fmt: skip
    """Return an engine that keeps the library's promises, for ``sqlite:///…`` or ``postgresql://…``.

    On SQLite: WAL, foreign keys enforced, writing units begin with BEGIN IMMEDIATE so that two writers
    queue instead of failing half-way, and ``synchronous`` FULL or NORMAL. A writer waits ``busy_seconds``
    for another one.

    ``borrowed`` is for a portal whose database layer is not SQLAlchemy, such as Django: a function that returns
    the driver's connection (sqlite3 or psycopg 3) on which the portal has begun its transaction. Nothing is set
    up, begun, committed, taken back or closed there; each desk checks that it keeps the promises.

    Raises StorageUnavailable for an address that is not one, MissingExtra when the PostgreSQL driver is not
    installed.

    >>> create_engine("sqlite://").dialect.name
    'sqlite'
    """
    address = address_of(url)
    kind = address.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise StorageUnavailable("storage_unsupported", kind=kind)
    if kind == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    try:
        if borrowed is not None:
            # hstore would be looked up on a connection that is the driver's own type
            more: dict[str, Any] = {"use_native_hstore": False} if kind == "postgresql" else {}
            return sa.create_engine(
                address, creator=lambda: _Borrowed(borrowed), poolclass=sa.NullPool, **more
            )
        if address.get_backend_name() == "sqlite" and address.database in (None, "", ":memory:"):
            # its one connection goes to everybody: who is refused it must not roll back what another is doing
            engine = sa.create_engine(address, poolclass=sa.StaticPool, pool_reset_on_return=None)
        elif kind == "postgresql":
            engine = sa.create_engine(address.update_query_dict({"options": _options(address)}))
        else:
            engine = sa.create_engine(address)
    except ModuleNotFoundError:
        raise MissingExtra(package="psycopg", extra="postgresql") from None
    except sa.exc.NoSuchModuleError:
        raise StorageUnavailable("storage_address", place=place_of(address)) from None
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine, synchronous, busy_seconds)
    else:
        sa.event.listen(engine, "begin", _begin_postgresql)
    return engine


class _Borrowed:
    """A portal's own driver connection, as SQLAlchemy sees it: to begin, end and close it is the portal's affair."""

    def __init__(self, borrowed: Callable[[], Any]) -> None:
        self._raw = borrowed()
        if self._raw is None:
            raise InvalidValue(name="borrowed", value=None, allowed=phrase("allowed_open_connection"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def commit(self) -> None:
        """Leave it to the portal."""

    rollback = close = commit


def _options(address: URL) -> str:
    """Return what the address hands to the server already, and that every statement is planned for its values.

    A plan for any values goes wrong where they matter: a common surname in one organization of a city took
    220 ms from the sixth time on, and 20 ms planned anew.
    """
    given = address.query.get("options", ())
    return " ".join(
        [*((given,) if isinstance(given, str) else given), "-c plan_cache_mode=force_custom_plan"]
    )


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(_HASTE, False):
        raw: Any = connection.connection.dbapi_connection
        raw.execute("SET LOCAL lock_timeout = '1ms'")  # 0 would be for ever


def _set_up_sqlite(engine: sa.Engine, synchronous: str, busy_seconds: int) -> None:
    def connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {busy_seconds * 1000}")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_READONLY"):  # to be read it may stay as it is
                raise
        for pragma in (
            f"synchronous = {synchronous}",
            "foreign_keys = ON",
            "recursive_triggers = ON",
            "cache_size = -65536",
            # what was erased does not linger in free pages
            "secure_delete = ON",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    place = place_of(engine.url)

    def begin(connection: sa.Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        haste = connection.get_execution_options().get(_HASTE, False)
        # On the driver itself: every posting begins here, and Core would take as long as the whole verb.
        try:
            if haste:
                raw.execute("PRAGMA busy_timeout = 0")
            raw.execute("BEGIN" if only_reads(connection) else "BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise _from_sqlite(error, place) from None
        finally:
            if haste:
                raw.execute(f"PRAGMA busy_timeout = {busy_seconds * 1000}")

    sa.event.listen(engine, "do_connect", _opened)
    sa.event.listen(engine, "connect", connect)
    sa.event.listen(engine, "begin", begin)


def _opened(dialect: Any, _: object, arguments: Any, options: Any) -> Any:
    """Open a file; one in a folder that may not be written is read as it stands.

    SQLite asks for two files beside a database with a log of writes, even to read it. Where it may not make
    them and there is no log, nobody is writing, so the file alone is the whole database.
    """
    connection = dialect.connect(*arguments, **options)
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1")
    except sqlite3.Error as error:  # any other one comes again when the connection is set up
        if error.sqlite_errorname == "SQLITE_READONLY_DIRECTORY" and not options.get("uri"):
            connection.close()
            place = f"{Path(arguments[0]).absolute().as_uri()}?immutable=1"
            return dialect.connect(place, **options | {"uri": True})
    return connection


def reading(connection: sa.Connection) -> sa.Connection:
    """Mark ``connection`` as one that only reads: on SQLite it then waits for no writer."""
    return connection.execution_options(**{_READ: True})


def in_haste(connection: sa.Connection) -> sa.Connection:
    """Mark ``connection`` as one that waits for no writer: StorageUnavailable is raised when there is one."""
    return connection.execution_options(**{_HASTE: True})


def only_reads(connection: sa.Connection) -> bool:
    """Tell whether ``connection`` was marked by `reading`: what is written on it is rolled back."""
    return bool(connection.get_execution_options().get(_READ, False))


def place_of(url: str | URL) -> str:
    """Return an address without its password, for people.

    >>> place_of("postgresql://ann:secret@localhost/city")
    'postgresql://ann:***@localhost/city'
    >>> place_of("postgresql://localhost/city?options=-c+plan_cache_mode%3Dforce_custom_plan")
    'postgresql://localhost/city'
    """
    address = address_of(url)
    if address.get_backend_name() == "sqlite":
        return address.database or ":memory:"
    address = address.difference_update_query(["options"])  # `create_engine` adds its own
    return address.render_as_string(hide_password=True).replace("postgresql+psycopg", "postgresql")


class storage_errors(ContextDecorator):
    """Turn every driver's error inside the block into one of the library's, without SQL text or values.

    A verb that does not know where its database lies says "database"; the block around it knows. An address stands
    for its place without the password.
    """

    def __init__(self, place: str | URL) -> None:
        self.place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: object) -> None:
        if error is None:  # the way of every posting
            return
        place = self.place if isinstance(self.place, str) else place_of(self.place)
        if isinstance(error, StorageError):
            if error.values.get("place") == "database":
                if error.code == "storage_read_only":
                    raise _read_only(place) from None
                error.values["place"] = place
        elif isinstance(error, sa.exc.DBAPIError):
            raise _translated(error.orig or error, place) from None
        elif isinstance(error, sa.exc.SQLAlchemyError):
            raise StorageError(kind=type(error).__name__) from None
        elif isinstance(error, sqlite3.Error) or _is_psycopg(error):
            raise _translated(error, place) from None


def _is_psycopg(error: BaseException) -> bool:
    return isinstance(error, Exception) and type(error).__module__.startswith("psycopg")


def _translated(error: BaseException, place: str) -> VolunteerkitError:
    if isinstance(error, sqlite3.Error):
        return _from_sqlite(error, place)
    return _from_postgresql(error, place)


def _from_sqlite(error: sqlite3.Error, place: str) -> VolunteerkitError:
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    match name.split("_")[1:2]:
        case ["FULL"]:
            return StorageFull()
        case ["READONLY"] | ["PERM"] | ["AUTH"]:
            return _read_only(place)
        case ["CANTOPEN"]:
            return StorageUnavailable(place=place, cause=why_not_opened(place))
        case ["NOTADB"]:
            return StorageUnavailable("storage_not_a_database", place=place)
        case ["BUSY"] | ["LOCKED"]:
            return StorageUnavailable("storage_locked", place=place)
        case ["CORRUPT"]:
            return IntegrityProblem("storage_corrupt", place=place)
        case ["CONSTRAINT"] if name.endswith(("UNIQUE", "PRIMARYKEY")):
            return RetryableConflict()
        case ["CONSTRAINT"]:
            return IntegrityProblem(what=name)
    return StorageError(kind=name)


def _read_only(place: str) -> StorageReadOnly:
    """Return the error for a database that cannot be written, naming the files beside it that are the cause.

    SQLite gives its log of writes and the log's index the mode of the database, and they keep it when the
    database's own is changed.
    """
    able = {"effective_ids": True} if os.access in os.supports_effective_ids else {}
    beside = [f"{place}{end}" for end in ("-wal", "-shm")]
    closed = [each for each in beside if os.path.exists(each) and not os.access(each, os.W_OK, **able)]
    if closed:
        return StorageReadOnly("storage_beside_read_only", place=place, files=", ".join(closed))
    return StorageReadOnly(place=place)


def why_not_opened(place: str) -> Phrase:
    """Return why an SQLite file cannot be opened, naming the first folder of its path that is missing.

    >>> str(why_not_opened("nowhere/at/all/city.db"))
    'there is no folder nowhere. Make it first, or mend the path.'
    """
    path = Path(place)
    with suppress(OSError):  # what may not even be looked at is not explained
        missing = [folder for folder in path.parents if not folder.exists()]
        if missing:
            return phrase("cause_folder_missing", folder=missing[-1])
        if path.is_dir():
            return phrase("cause_is_folder")
        if Path(f"{place}-wal").exists():
            return phrase("cause_log", place=place)
        return phrase("cause_file_rights")
    return phrase("cause_check")


_CAUSES = (
    (("resolve host", "translate host name"), "cause_no_host"),
    (("Connection refused", "No such file or directory"), "cause_not_listening"),
    (("timeout", "timed out"), "cause_no_answer"),
)


def _why_not_reached(error: BaseException, state: str) -> Phrase:
    """Return the cause; the driver tells it only in a sentence, which may hold more than the cause."""
    said = str(error)
    if state == "3D000" or re.search(r'database ".*" does not exist', said):
        return phrase("cause_no_database")
    causes = (code for words, code in _CAUSES if any(word in said for word in words))
    return phrase(next(causes, "cause_check"))


def _from_postgresql(error: BaseException, place: str) -> VolunteerkitError:
    state: str = getattr(error, "sqlstate", None) or ""
    if state.startswith("28"):
        return StorageUnavailable("storage_password", place=place)
    if state in {"40001", "40P01", "23505"}:
        return RetryableConflict()
    if state in {"53100", "53200"}:
        return StorageFull()
    if state in {"25006", "42501"}:
        return StorageReadOnly(place=place)
    if state.startswith("23"):
        return IntegrityProblem(what=type(error).__name__)
    if state == "55P03":
        return StorageUnavailable("storage_locked", place=place)
    if type(error).__name__ == "DataError":
        return StorageError(kind="DataError")
    if not state and "password" in str(error):
        return StorageUnavailable("storage_password", place=place)
    kinds = {each.__name__ for each in type(error).__mro__}
    if not state and not kinds & {"OperationalError", "InterfaceError"}:  # refused before it was sent
        return StorageError(kind=type(error).__name__)
    if not state or state.startswith(("08", "3D", "57P")):
        return StorageUnavailable(place=place, cause=_why_not_reached(error, state))
    return StorageError(kind=f"{type(error).__name__} {state}")


def self_check(connection: sa.Connection) -> None:
    """Raise IntegrityProblem if this open transaction would break a promise; cheap, done for every desk."""
    if connection.dialect.name == "sqlite":
        if sqlite3.sqlite_version_info < (3, 37):
            raise IntegrityProblem("engine_unfit", what=f"SQLite {sqlite3.sqlite_version} < 3.37")
        raw: Any = connection.connection.dbapi_connection
        if raw.isolation_level is not None:
            raise IntegrityProblem("engine_unfit", what="driver transaction control is on")
        if not raw.in_transaction:
            raise IntegrityProblem("engine_unfit", what="no transaction is begun")
        if not raw.execute("PRAGMA foreign_keys").fetchone()[0]:
            raise IntegrityProblem("engine_unfit", what="PRAGMA foreign_keys is off")
    elif connection.dialect.name != "postgresql":
        raise IntegrityProblem("engine_unfit", what=f"database {connection.dialect.name} is not supported")
    elif connection.dialect.driver != "psycopg":
        what = f"driver {connection.dialect.driver} is not supported"
        raise IntegrityProblem("engine_unfit", what=what)
    elif connection.connection.dbapi_connection.autocommit:  # type: ignore[union-attr]
        raise IntegrityProblem("engine_unfit", what="isolation level AUTOCOMMIT would keep half a command")
