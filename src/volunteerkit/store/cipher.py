"""What seals and opens: the protocol a host may fulfil, and the embedded default with its key file."""

from __future__ import annotations

import hmac
import json
import os
import stat
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from volunteerkit.errors import KeyProblem, MissingExtra

__all__ = ["Cipher", "KeyCipher", "add_key", "drop_older"]

_NONCE: Final = 12


def __dir__() -> list[str]:
    return __all__


class Cipher(Protocol):
    """What the library needs of a cipher; a host may hand in its own (a key service, SM4 …)."""

    @property
    def key_print(self) -> str:
        """A short public fingerprint of the master key that seals, to notice a wrong one."""

    @property
    def older(self) -> tuple[str, ...]:
        """Fingerprints of earlier master keys that still open but no longer seal."""

    def seal(self, subject: str, data: dict[str, Any]) -> tuple[bytes, bytes]:
        """Return (wrapped key, sealed data) for ``subject``, an opaque id that is bound into both."""

    def open(self, subject: str, wrapped_key: bytes, sealed: bytes) -> dict[str, Any]:
        """Return the data; raise KeyProblem when the key or the subject is not the one it was sealed with."""

    def rewrap(self, subject: str, wrapped_key: bytes) -> bytes:
        """Return the same data key sealed under the master key that seals now; raises KeyProblem."""


@attrs.frozen(init=False)
class KeyCipher:
    """AES-256-GCM (from the package ``cryptography``) under a 32-byte master key.

    Earlier master keys may follow the first one: they open what they sealed, and seal nothing more.

    >>> cipher = KeyCipher(bytes(range(32)))
    >>> cipher
    KeyCipher(key_print='34929d3b', older=())
    >>> cipher.open("volunteer:1", *cipher.seal("volunteer:1", {"phone": "12900000000"}))
    {'phone': '12900000000'}
    >>> KeyCipher(bytes(32), bytes(range(32))).older
    ('34929d3b',)
    """

    key_print: str
    older: tuple[str, ...]
    _sealing: tuple[Any, ...] = attrs.field(repr=False, eq=False)

    def __init__(self, key: bytes, *older: bytes) -> None:
        if any(len(each) != 32 for each in (key, *older)):
            raise KeyProblem("key_unreadable", place="(key)")
        prints = [_derive(each, "print").hex()[:8] for each in (key, *older)]
        sealing = tuple(_aes()(_derive(each, "seal")) for each in (key, *older))
        self.__attrs_init__(prints[0], tuple(prints[1:]), sealing)

    def seal(self, subject: str, data: dict[str, Any]) -> tuple[bytes, bytes]:
        """Seal ``data`` for ``subject`` under a new random data key; see `Cipher.seal`."""
        bound = subject.encode()
        key, nonce = os.urandom(32), os.urandom(2 * _NONCE)
        text = json.dumps(data, ensure_ascii=False).encode()
        wrapped = nonce[:_NONCE] + self._sealing[0].encrypt(nonce[:_NONCE], key, bound)
        return wrapped, nonce[_NONCE:] + _aes()(key).encrypt(nonce[_NONCE:], text, bound)

    def open(self, subject: str, wrapped_key: bytes, sealed: bytes) -> dict[str, Any]:
        """Open what `seal` returned; raises KeyProblem for another key or another subject."""
        from cryptography.exceptions import InvalidTag

        key = self._unwrap(subject, wrapped_key)
        try:
            text = _aes()(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], subject.encode())
        except InvalidTag:
            raise KeyProblem("key_wrong", expected="?", found=self.key_print) from None
        data: dict[str, Any] = json.loads(text)
        return data

    def rewrap(self, subject: str, wrapped_key: bytes) -> bytes:
        """Return the data key sealed anew under the first master key; raises KeyProblem."""
        key, nonce = self._unwrap(subject, wrapped_key), os.urandom(_NONCE)
        return nonce + bytes(self._sealing[0].encrypt(nonce, key, subject.encode()))

    def newest(self) -> KeyCipher:
        """Return a cipher of the first key alone, which opens nothing that an older one sealed."""
        alone = object.__new__(KeyCipher)
        alone.__attrs_init__(self.key_print, (), self._sealing[:1])
        return alone

    def _unwrap(self, subject: str, wrapped_key: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        for sealing in self._sealing:
            try:
                key = sealing.decrypt(wrapped_key[:_NONCE], wrapped_key[_NONCE:], subject.encode())
            except InvalidTag:
                continue
            return bytes(key)
        raise KeyProblem("key_wrong", expected="?", found=self.key_print)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], *, create: bool = False) -> KeyCipher:
        """Read the master key from a file of mode 600: one line of 64 hexadecimal digits.

        Earlier master keys may follow, one a line: they open and no longer seal. With ``create`` a missing
        file is made with a new random key. Raises KeyProblem when the file is missing, cannot be made, is
        unreadable, not a key, or readable by other users.
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
            first, *older = map(bytes.fromhex, text.split())
            return cls(first, *older)
        except (TypeError, ValueError):
            raise KeyProblem("key_unreadable", place=str(place)) from None


def add_key(path: str | os.PathLike[str]) -> None:
    """Put a new random key first in a key file; the present ones stay behind it, to open what they sealed.

    A file that holds an older key already has its new one: it stays as it is. Raises KeyProblem.
    """
    place = Path(path)
    if not KeyCipher.from_file(place).older:
        _replace(place, [os.urandom(32).hex(), *place.read_text("ascii").split()])


def drop_older(path: str | os.PathLike[str]) -> list[Path]:
    """Leave only the first key in a key file; return where each older one is kept now, for older backups.

    Those files lie beside it, named after the key's fingerprint, of mode 600. Raises KeyProblem.
    """
    place = Path(path)
    first, *older = place.read_text("ascii").split()
    kept = [place.with_name(f"{place.name}.{each}") for each in KeyCipher.from_file(place).older]
    for apart, key in zip(kept, older, strict=True):
        _replace(apart, [key])
    if older:
        _replace(place, [first])
    return kept


def _replace(place: Path, keys: list[str]) -> None:
    try:
        os.replace(_written_aside(place, keys), place)
        if os.name == "posix":  # the new name must outlast a power cut before anything is sealed with it
            folder = os.open(place.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError:
        raise KeyProblem("key_not_written", place=str(place)) from None


def _written_aside(place: Path, keys: list[str]) -> Path:
    aside = place.with_name(f"{place.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)  # of a process that was killed
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return aside


def _write_key(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Written aside and linked into place: a crash leaves no half key, and of two first runs one key wins.
    aside = _written_aside(place, [os.urandom(32).hex()])
    try:
        os.link(aside, place)
    except FileExistsError:
        pass
    except OSError:
        if not place.exists():
            os.replace(aside, place)
    finally:
        aside.unlink(missing_ok=True)


def _derive(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"volunteerkit {purpose}".encode(), "sha256")


@cache
def _aes() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError:
        raise MissingExtra(package="cryptography", extra="secure") from None
    return AESGCM
