"""Personal data: sealed under a key of each person's own, found again by a keyed blind index.

The key comes from outside (a host's cipher, or a key file of mode 600 for the embedded default). Each
person's data are sealed with a random key which is itself sealed with the master key, so that destroying
one small value makes one person's data unreadable. Blind indices are HMACs: equal values can be found,
and without the key nothing can be tried out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import stat
from pathlib import Path
from typing import Any, Protocol

import attrs
import sqlalchemy as sa

from volunteerkit.errors import KeyProblem, MissingExtra
from volunteerkit.store.schema import integer, table

__all__ = ["Cipher", "KeyCipher", "blind", "open_sealed", "row_digest", "vault"]

_NONCE = 12

vault = table(
    "vault",
    sa.Column("volunteer_id", integer, primary_key=True, autoincrement=False),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)
"""One row a person: their data key under the master key, and their data under their data key."""

blind = table(
    "blind",
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("volunteer_id", integer, primary_key=True, autoincrement=False),
)
"""Keyed look-up of identity numbers and phones; two persons may share a value (that is a doubt)."""


def __dir__() -> list[str]:
    return __all__


class Cipher(Protocol):
    """What the library needs of a cipher; a host may hand in its own (a key service, SM4 …)."""

    @property
    def key_print(self) -> str:
        """A short public fingerprint of the key, to notice a wrong one."""

    def seal(self, subject: str, data: dict[str, Any]) -> tuple[bytes, bytes]:
        """Return (wrapped key, sealed data) for ``subject``, an opaque id that is bound into both."""

    def open(self, subject: str, wrapped_key: bytes, sealed: bytes) -> dict[str, Any]:
        """Return the data; raise KeyProblem when the key or the subject is not the one it was sealed with."""

    def index(self, kind: str, value: str) -> bytes:
        """Return the blind index of a normalised value."""


@attrs.frozen
class KeyCipher:
    """AES-256-GCM (from the package ``cryptography``) and HMAC-SHA-256 under one 32-byte master key.

    >>> cipher = KeyCipher(bytes(range(32)))
    >>> cipher
    KeyCipher(key_print='34929d3b')
    >>> cipher.open("volunteer:1", *cipher.seal("volunteer:1", {"phone": "12900000000"}))
    {'phone': '12900000000'}
    """

    _key: bytes = attrs.field(repr=False)
    key_print: str = attrs.field(init=False)
    _sealing: Any = attrs.field(init=False, repr=False, eq=False)
    _indexing: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if len(self._key) != 32:
            raise KeyProblem("key_unreadable", place="(key)")
        object.__setattr__(self, "key_print", self._derive("print").hex()[:8])
        object.__setattr__(self, "_indexing", self._derive("index"))
        object.__setattr__(self, "_sealing", _aes()(self._derive("seal")))

    def _derive(self, purpose: str) -> bytes:
        return hmac.digest(self._key, f"volunteerkit {purpose}".encode(), "sha256")

    def seal(self, subject: str, data: dict[str, Any]) -> tuple[bytes, bytes]:
        """Seal ``data`` for ``subject`` under a new random data key; see `Cipher.seal`."""
        bound = subject.encode()
        key, nonce = os.urandom(32), os.urandom(2 * _NONCE)
        text = json.dumps(data, ensure_ascii=False).encode()
        wrapped = nonce[:_NONCE] + self._sealing.encrypt(nonce[:_NONCE], key, bound)
        return wrapped, nonce[_NONCE:] + _aes()(key).encrypt(nonce[_NONCE:], text, bound)

    def open(self, subject: str, wrapped_key: bytes, sealed: bytes) -> dict[str, Any]:
        """Open what `seal` returned; raises KeyProblem for another key or another subject."""
        from cryptography.exceptions import InvalidTag

        bound = subject.encode()
        try:
            key = self._sealing.decrypt(wrapped_key[:_NONCE], wrapped_key[_NONCE:], bound)
            text = _aes()(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
        except InvalidTag:
            raise KeyProblem("key_wrong", expected="?", found=self.key_print) from None
        data: dict[str, Any] = json.loads(text)
        return data

    def index(self, kind: str, value: str) -> bytes:
        """Return the HMAC-SHA-256 (16 bytes) of ``value`` under the index key, apart for each ``kind``."""
        return hmac.digest(self._indexing, f"{kind}\x1f{value}".encode(), "sha256")[:16]

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, create: bool = False) -> KeyCipher:
        """Read the master key from a file of one line of 64 hexadecimal digits and mode 600.

        With ``create`` a missing file is made with a new random key. Raises KeyProblem when the file is
        missing, cannot be made, is unreadable, not a key, or readable by other users.
        """
        place = Path(path)
        try:
            if create and not place.exists():
                _write_key(place)
        except OSError:
            raise KeyProblem("key_not_written", place=str(place)) from None
        try:
            mode = stat.S_IMODE(place.stat().st_mode)
            text = place.read_text("ascii").strip()
        except FileNotFoundError:
            raise KeyProblem("key_file_missing", place=str(place)) from None
        except (OSError, UnicodeDecodeError):
            raise KeyProblem("key_unreadable", place=str(place)) from None
        if os.name == "posix" and mode & 0o077:
            raise KeyProblem("key_open_to_others", place=str(place), mode=f"{mode:o}")
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            raise KeyProblem("key_unreadable", place=str(place)) from None


def _write_key(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written aside and linked into place: a crash leaves no half key, and of two first runs one key wins.
    aside = place.with_name(f"{place.name}.{os.getpid()}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(os.urandom(32).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, place)
    except FileExistsError:
        pass
    except OSError:
        if not place.exists():
            os.replace(aside, place)
    finally:
        aside.unlink(missing_ok=True)


def _aes() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError:
        raise MissingExtra(package="cryptography", extra="secure") from None
    return AESGCM


def open_sealed(connection: sa.Connection, cipher: Cipher, volunteer_id: int) -> dict[str, Any]:
    """Return a volunteer's personal data; an empty dict when there are none (never given, or erased)."""
    row = connection.execute(
        sa.select(vault.c.wrapped_key, vault.c.sealed).where(vault.c.volunteer_id == volunteer_id)
    ).first()
    return cipher.open(f"volunteer:{volunteer_id}", row[0], row[1]) if row else {}


def row_digest(*fields: object) -> bytes:
    """Return a 16-byte digest of a row without personal data, to see whether an imported row changed."""
    return hashlib.blake2b("\x1f".join(map(str, fields)).encode(), digest_size=16).digest()
