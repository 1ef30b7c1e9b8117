"""Personal data: sealed under a key of each subject's own, found again by a keyed blind index.

A subject is an opaque text such as ``"volunteer:12"`` or ``"organization:3"``. The master key comes from
outside (a host's cipher, or a key file of mode 600 for the embedded default). Each subject's data are sealed
with a random key which is itself sealed with the master key, so that destroying one small value makes one
subject's data unreadable, and a new master key touches no data. Blind indices are HMACs under a key that
lies in the vault as well: equal values can be found, and without the master key nothing can be tried out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from volunteerkit.errors import IntegrityProblem, KeyProblem
from volunteerkit.privacy import checked, normal
from volunteerkit.store.cipher import Cipher
from volunteerkit.store.posting import insert_rows
from volunteerkit.store.schema import integer, meta, table

__all__ = [
    "CLOSED",
    "Sealing",
    "blind",
    "check_key",
    "closed",
    "find_subjects",
    "forget",
    "hold",
    "indexer",
    "indexer_if_any",
    "open_subject",
    "open_subjects",
    "put_retention",
    "release",
    "retention",
    "retention_of",
    "rewrap",
    "row_digest",
    "seal_subject",
    "seal_subjects",
    "vault",
]

_STEP: Final = 5000
_INDEX_KEY: Final = "key:index"
CLOSED: Final = ("restricted", "erased")
"""States of retention in which nothing is done with personal data but storing them, or none are left."""
_CHECKED: Final = ("name_part",)  # what is found by these is opened and looked at afterwards
_SHORT: Final = 8
_BELOW: Final = {"kept": ("kept",), "restricted": ("kept",), "erased": ("kept", "restricted")}

vault = table(
    "vault",
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
"""One row a subject: its data key under the master key, and its data under its data key."""

blind = table(
    "blind",
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    # a city has some seven rows a person: kept once instead of twice
    sqlite_with_rowid=False,
)
"""Keyed look-up of names, identity numbers and phones; two subjects may share a value (that is a doubt)."""

retention = table(
    "retention",
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", integer, nullable=False),
    sa.CheckConstraint("state IN ('kept', 'restricted', 'erased')", name="state"),
    owner=("subject",),
)
"""Subjects that are no longer simply registered, since which day (a day number).

``kept``: gone, and kept as long as the retention rules say. ``restricted``: nothing is done with the data but
storing them. ``erased``: there are none any more.
"""

sa.Index("ix_vk_blind_subject", blind.c.subject)

Sealing = tuple[str, dict[str, Any], Mapping[str, Iterable[str]]]
"""What is sealed: a subject, its data, and the values it is found by, by kind."""


def __dir__() -> list[str]:
    return __all__


def check_key(connection: sa.Connection, cipher: Cipher) -> None:
    """See that ``cipher`` is the one this database is sealed with; the first one is from then on.

    Raises KeyProblem for a wrong key.
    """
    expected = _expected(connection)
    if expected is None:
        connection.execute(sa.insert(meta).values(name="key_print", value=cipher.key_print))
    elif expected not in (cipher.key_print, *cipher.older):
        raise KeyProblem("key_wrong", expected=expected, found=cipher.key_print)


def _expected(connection: sa.Connection) -> str | None:
    return connection.execute(sa.select(meta.c.value).where(meta.c.name == "key_print")).scalar()


def seal_subject(
    connection: sa.Connection,
    cipher: Cipher,
    subject: str,
    data: dict[str, Any],
    *,
    found_by: Mapping[str, Iterable[str]],
) -> None:
    """Seal ``data`` for ``subject`` under a new key in the place of what was there before.

    ``data`` is ``{field: value}`` of JSON values, the fields those of ``privacy.toml``. ``found_by`` maps a
    kind of look-up to the values the subject is found by: usually ``privacy.found_by(data)``. Raises
    InvalidValue for an unknown field or a text that cannot be kept, KeyProblem for a wrong key.
    """
    seal_subjects(connection, cipher, [(subject, data, found_by)])


def seal_subjects(connection: sa.Connection, cipher: Cipher, many: Sequence[Sealing]) -> None:
    """Seal many subjects at once; see `seal_subject`."""
    for subject, data, _ in many:
        checked(data)
        if subject == _INDEX_KEY:
            raise IntegrityProblem(what=subject)
    index = indexer(connection, cipher)
    _clear(connection, [subject for subject, _, _ in many])
    rows = [(subject, *cipher.seal(subject, data)) for subject, data, _ in many]
    digests = sorted(
        {(kind, index(kind, each), subject) for subject, _, by in many for kind in by for each in by[kind]}
    )
    insert_rows(connection, "vk_vault", ("subject", "wrapped_key", "sealed"), rows)
    insert_rows(connection, "vk_blind", ("kind", "digest", "subject"), digests)


def _clear(connection: sa.Connection, subjects: Sequence[str]) -> None:
    for start in range(0, len(subjects), _STEP):
        some = subjects[start : start + _STEP]
        for owned in (vault, blind):
            connection.execute(sa.delete(owned).where(owned.c.subject.in_(some)))


def indexer(connection: sa.Connection, cipher: Cipher) -> Callable[[str, str], bytes]:
    """Return the function (kind, value) -> digest that makes blind indices in this database.

    The first call in a database makes the index key. Values must be normal: see `privacy.normal`.
    """
    key = _index_key(connection, cipher)
    if key is None:
        check_key(connection, cipher)
        key = os.urandom(32)
        row = (_INDEX_KEY, *cipher.seal(_INDEX_KEY, {"key": key.hex()}))
        insert_rows(connection, "vk_vault", ("subject", "wrapped_key", "sealed"), [row])
    return _indexing(key)


def indexer_if_any(connection: sa.Connection, cipher: Cipher) -> Callable[[str, str], bytes] | None:
    """Return what `indexer` returns, without writing: None in a database that holds no subject yet."""
    key = _index_key(connection, cipher)
    return _indexing(key) if key else None


def _index_key(connection: sa.Connection, cipher: Cipher) -> bytes | None:
    held = open_subject(connection, cipher, _INDEX_KEY)
    return bytes.fromhex(held["key"]) if held else None


def _indexing(key: bytes) -> Callable[[str, str], bytes]:
    # names share few characters, so a whole city asks for the same digests again and again
    @cache
    def digest(kind: str, value: str) -> bytes:
        length = _SHORT if kind in _CHECKED else 2 * _SHORT
        return hmac.digest(key, f"{kind}\x1f{value}".encode(), "sha256")[:length]

    return digest


def open_subject(connection: sa.Connection, cipher: Cipher, subject: str) -> dict[str, Any]:
    """Return a subject's personal data; an empty dict when there are none (never given, or erased).

    Raises KeyProblem for a wrong key, IntegrityProblem when the key is right and the row does not open.
    """
    return open_subjects(connection, cipher, [subject]).get(subject, {})


def open_subjects(
    connection: sa.Connection, cipher: Cipher, subjects: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return the personal data of many subjects; those without any are left out. See `open_subject`."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(subjects), _STEP):
        some = subjects[start : start + _STEP]
        for row in connection.execute(sa.select(vault).where(vault.c.subject.in_(some))):
            try:
                found[row.subject] = cipher.open(row.subject, row.wrapped_key, row.sealed)
            except KeyProblem:
                raise _not_opened(connection, cipher, row.subject) from None
    return found


def _not_opened(connection: sa.Connection, cipher: Cipher, subject: str) -> KeyProblem | IntegrityProblem:
    expected = _expected(connection)
    if expected in (None, cipher.key_print):
        return IntegrityProblem(what=f"vk_vault {subject}")
    return KeyProblem("key_wrong", expected=expected, found=cipher.key_print)


def find_subjects(connection: sa.Connection, cipher: Cipher, kind: str, value: str) -> tuple[str, ...]:
    """Return the subjects found by ``value`` under ``kind``, in the order of their texts.

    >>> from volunteerkit import KeyCipher, Kit, create_engine
    >>> engine, cipher = create_engine("sqlite://"), KeyCipher(bytes(32))
    >>> Kit.load().migrate(engine)
    >>> with engine.begin() as connection:
    ...     seal_subject(connection, cipher, "organization:3", {"phone": "12900000000"},
    ...                  found_by={"phone": ["12900000000"]})
    ...     find_subjects(connection, cipher, "phone", "129 0000 0000")
    ('organization:3',)
    >>> engine.dispose()
    """
    index = indexer_if_any(connection, cipher)
    if index is None:
        return ()
    digest = index(kind, normal(kind, value))
    same = sa.select(blind.c.subject).where(blind.c.kind == kind, blind.c.digest == digest)
    return tuple(connection.execute(same.order_by(blind.c.subject)).scalars())


def forget(connection: sa.Connection, subject: str) -> bool:
    """Destroy a subject's data, their key and what they were found by; return whether there was anything.

    What was said about them in free words (`store.texts`) goes too. Backups made before still hold them; on
    SQLite so does the log of writes until it is emptied.
    """
    if subject == _INDEX_KEY:
        raise IntegrityProblem(what=subject)
    there = sa.select(vault.c.subject).where(vault.c.subject == subject)
    held = connection.execute(there).first() is not None
    _clear(connection, [subject])
    connection.execute(sa.delete(vault).where(vault.c.subject.startswith(f"{subject}#", autoescape=True)))
    return held


def retention_of(connection: sa.Connection, subject: str) -> tuple[str, int | None]:
    """Return (state, since which day number): ``"registered"`` and None when nothing else is noted."""
    query = sa.select(retention.c.state, retention.c.since).where(retention.c.subject == subject)
    row = connection.execute(query).first()
    return (row[0], row[1]) if row else ("registered", None)


def closed(connection: sa.Connection, subjects: Sequence[str], *states: str) -> set[str]:
    """Return which of ``subjects`` are ``restricted`` or ``erased`` (or in one of the ``states`` named)."""
    found: set[str] = set()
    for start in range(0, len(subjects), _STEP):
        some = retention.c.subject.in_(subjects[start : start + _STEP])
        query = sa.select(retention.c.subject).where(some, retention.c.state.in_(states or CLOSED))
        found.update(connection.execute(query).scalars())
    return found


def put_retention(connection: sa.Connection, subject: str, state: str, since: int) -> None:
    """Note that ``subject`` is ``kept``, ``restricted`` or ``erased`` since a day number.

    It only goes up: who asked for erasure and then leaves stays restricted since the day of the request.
    Only ``kept`` is noted anew, for somebody who left a second time. `release` goes down.
    """
    mine = retention.c.subject == subject
    below = retention.c.state.in_(_BELOW[state])
    changed = sa.update(retention).where(mine, below).values(state=state, since=since)
    if connection.execute(changed).rowcount:
        return
    if connection.execute(sa.select(retention.c.subject).where(mine)).first() is None:
        connection.execute(sa.insert(retention).values(subject=subject, state=state, since=since))


def release(connection: sa.Connection, subject: str, state: str) -> bool:
    """End that ``subject`` is ``kept`` (came back) or ``restricted`` (withdrew the request); tell whether it was.

    Another state than the one named stays, and nothing ends ``erased``: there is nothing to come back to.
    """
    ended = sa.delete(retention).where(
        retention.c.subject == subject, retention.c.state == state, retention.c.state != "erased"
    )
    return connection.execute(ended).rowcount > 0


def hold(connection: sa.Connection) -> None:
    """Let nobody else seal anything, nor change keys, until this transaction ends."""
    # On SQLite a transaction that may write holds the file already. A row sealed meanwhile would be missed.
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {vault.name} IN SHARE ROW EXCLUSIVE MODE")


def rewrap(connection: sa.Connection, cipher: Cipher) -> int:
    """Seal every data key anew under the master key that seals now; return how many. No data are touched.

    Afterwards the older master keys open nothing any more and may be destroyed. Raises KeyProblem when a
    subject opens under none of the cipher's keys; then nothing was changed.
    """
    hold(connection)
    check_key(connection, cipher)
    keys = connection.execute(sa.select(vault.c.subject, vault.c.wrapped_key)).fetchall()
    named = sa.update(vault).where(vault.c.subject == sa.bindparam("whose"))
    anew = named.values(wrapped_key=sa.bindparam("anew"))
    rows = [{"whose": row[0], "anew": cipher.rewrap(row[0], row[1])} for row in keys]
    for start in range(0, len(rows), _STEP):
        connection.execute(anew, rows[start : start + _STEP])
    connection.execute(sa.update(meta).where(meta.c.name == "key_print").values(value=cipher.key_print))
    return len(rows)


def row_digest(*fields: object) -> bytes:
    """Return a 16-byte digest of a row without personal data, to see whether an imported row changed."""
    return hashlib.blake2b("\x1f".join(map(str, fields)).encode(), digest_size=16).digest()
