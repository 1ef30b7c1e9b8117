"""What registering a thing of any kind shares: a fresh id, a free number, its account, its event."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, TypeGuard

import sqlalchemy as sa

from volunteerkit.errors import Finding, InvalidValue, NotFound, Refused
from volunteerkit.messages import phrase
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import driver, hold_head, take_numbers, write_event
from volunteerkit.store.schema import account
from volunteerkit.units import plain_text

__all__ = ["checked_text", "id_of", "next_id", "possible_id", "register_row"]


_REFUSED = ("Cc", "Cf", "Cs", "Zl", "Zp")


def __dir__() -> list[str]:
    return __all__


def checked_text(name: str, value: str, most: int = 200) -> str:
    """Return a text of 1 to ``most`` characters in NFC without spaces around it; raises InvalidValue.

    Control characters, surrogates, line separators and what turns or hides text (bidirectional controls,
    zero-width spaces) are refused; the joiners that some names need are not.
    """
    text = (
        unicodedata.normalize("NFC", value).strip() if type(value) is str and len(value) <= 9 * most else ""
    )
    if not text or len(text) > most or any(map(_refused, text)):
        # the value itself may be a person's name, so only its length is told
        raise InvalidValue(
            name=name,
            value=phrase("count_letters", count=len(text)),
            allowed=phrase("allowed_text", most=most),
        )
    return text


def possible_id(value: object) -> TypeGuard[int]:
    """Tell whether ``value`` can be a row's id at all; no driver would take another one.

    >>> [possible_id(value) for value in (1, 0, 2**63, True, "1")]
    [True, False, False, False, False]
    """
    return type(value) is int and 0 < value < 2**63


def _refused(letter: str) -> bool:
    return unicodedata.category(letter) in _REFUSED and letter not in "\u200c\u200d"


def id_of(desk: Desk, table: sa.Table, kind: str, number: str) -> int:
    """Return the id behind a number; raises NotFound, and InvalidValue for what is no number."""
    plain_text(kind, number)
    found: int | None = desk.connection.execute(
        sa.select(table.c.id).where(table.c.number == number)
    ).scalar()
    if found is None:
        raise NotFound(kind=kind, id=number)
    return found


def next_id(desk: Desk, table: sa.Table) -> int:
    """Return the id that the next row of ``table`` gets.

    Counted behind the head that every writer holds until its transaction ends: no two ever take the same one.
    """
    hold_head(desk)
    return (desk.connection.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0) + 1


def register_row(
    desk: Desk,
    table: sa.Table,
    type: str,
    number: str,
    values: dict[str, Any],
    holder: Callable[[int], int] | None = None,
) -> int:
    """Insert a row under a free ``number`` with its account (if it has one) and its event; return its id.

    Raises Refused when the number is taken.
    """
    connection = desk.connection
    if connection.execute(sa.select(table.c.id).where(table.c.number == number)).first() is not None:
        raise Refused(Finding("already_registered", {"number": number}))
    execute = driver(connection)
    numbers = take_numbers(execute)
    id_ = next_id(desk, table)
    connection.execute(sa.insert(table).values(id=id_, number=number, **values))
    if holder is not None:
        connection.execute(sa.insert(account).values(id=holder(id_), posted_minutes=0, pending_minutes=0))
    subject = f"{table.name.removeprefix('vk_')}:{id_}"
    write_event(execute, desk, numbers, bytes(numbers.transfer_hash), type, subject, {"number": number})
    return id_
