"""The code on the leader's screen: signed, for one shift and purpose, good for some seconds.

A code is an HMAC over shift, purpose and time step. Its key is the city's index key, which lies in the vault
sealed under the host's key: a code outlives no step, is stored nowhere, and a new master key changes nothing.
"""

from __future__ import annotations

import base64
import hmac
import io
import re
from typing import Any, Final

from volunteerkit.errors import Finding, InvalidValue, KeyProblem, MissingExtra, Refused
from volunteerkit.projects.eligibility import suspended
from volunteerkit.projects.presence import place_of_shift
from volunteerkit.store.desk import Desk, microseconds
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.vault import indexer_if_any

__all__ = ["code_qr", "shift_code", "shift_code_svg", "shift_of_code"]

PURPOSES: Final = ("in", "out")
_FORM: Final = re.compile(r"([1-9][0-9]{0,17})-(in|out)-([0-9a-f]{1,15})-([a-z2-7]{26})", re.ASCII)


def __dir__() -> list[str]:
    return __all__


def derived_key(desk: Desk, kind: str, value: str) -> bytes:
    """Return 16 bytes that only the city's key gives for ``kind`` and ``value``; nothing is written.

    Raises KeyProblem without a cipher, and in a city where nobody is registered yet.
    """
    index = indexer_if_any(desk.connection, desk.needed_cipher())
    if index is None:
        raise KeyProblem("key_unused")
    return index(kind, value)


def _step(desk: Desk) -> int:
    return microseconds(desk.now) // (desk.policy.code_seconds * 1_000_000)


def _signature(desk: Desk, shift_id: int, purpose: str, step: int) -> str:
    signed = derived_key(desk, "shift_code", f"{shift_id}-{purpose}-{step}")
    return base64.b32encode(signed).decode().rstrip("=").lower()


def checked_purpose(purpose: str) -> str:
    """Return ``purpose`` if it is ``"in"`` or ``"out"``; raises InvalidValue."""
    if type(purpose) is not str or purpose not in PURPOSES:
        shown = purpose if type(purpose) is str and len(purpose) < 20 else type(purpose).__name__
        raise InvalidValue(name="purpose", value=shown, allowed=", ".join(PURPOSES))
    return purpose


@storage_errors("database")
def shift_code(desk: Desk, shift_id: int, purpose: str = "in") -> str:
    """Return the code that the leader's screen shows now, for checking ``"in"`` or ``"out"``.

    Show a new one every ``Policy.code_seconds`` seconds; a code is good for its own step and the next one, so
    that who scans at the last moment is not too late. Only who leads the shift gets it. Raises NotFound (also
    for a foreign shift), NotPermitted, InvalidValue, KeyProblem, and Refused for checking in while the organizer
    is suspended; who is there still checks out.
    """
    checked_purpose(purpose)
    place = place_of_shift(desk, shift_id)
    desk.permit_on("project.check_in", "shift", shift_id, place)
    assert place is not None
    if purpose == "in" and (found := suspended(desk, place)):
        raise Refused(*found)
    step = _step(desk)
    return f"{shift_id}-{purpose}-{step:x}-{_signature(desk, shift_id, purpose, step)}"


def shift_code_svg(desk: Desk, shift_id: int, purpose: str = "in") -> str:
    """Return the code of `shift_code` as a QR code, an SVG text to put into a page.

    Raises MissingExtra without the extra ``qr``, and what `shift_code` raises.
    """
    held = io.BytesIO()
    code_qr(shift_code(desk, shift_id, purpose)).save(held, kind="svg", scale=6, xmldecl=False)
    return held.getvalue().decode()


def code_qr(code: str) -> Any:
    """Return the QR code (of segno) for a code. Raises MissingExtra without the extra ``qr``."""
    try:
        import segno
    except ModuleNotFoundError:
        raise MissingExtra(package="segno", extra="qr") from None
    return segno.make(code, micro=False)


def shift_of_code(code: str) -> int:
    """Return the id of the shift that a scanned code is for; it is not verified. Raises Refused for no code.

    >>> shift_of_code("7-in-3a-" + "a" * 26)
    7
    """
    match = _FORM.fullmatch(code) if type(code) is str and len(code) < 100 else None
    if match is None:
        raise Refused(Finding("no_code"))
    return int(match[1])


def check_code(desk: Desk, shift_id: int, purpose: str, code: str) -> None:
    """See that ``code`` was shown for this shift and purpose a moment ago.

    Raises Refused with what is wrong with it; only of a code that is ours is more told than that it is not.
    """
    match = _FORM.fullmatch(code) if type(code) is str and len(code) < 100 else None
    if match is None:
        raise Refused(Finding("code_wrong", {"shift": shift_id}))
    step = int(match[3], 16)
    if not hmac.compare_digest(_signature(desk, int(match[1]), match[2], step), match[4]):
        raise Refused(Finding("code_wrong", {"shift": shift_id}))
    if int(match[1]) != shift_id:
        raise Refused(Finding("code_other_shift", {"shift": shift_id, "other": int(match[1])}))
    if match[2] != purpose:
        raise Refused(Finding(f"code_for_{match[2]}", {"shift": shift_id}))
    if not 0 <= _step(desk) - step <= 1:
        raise Refused(Finding("code_expired", {"shift": shift_id, "seconds": desk.policy.code_seconds}))
