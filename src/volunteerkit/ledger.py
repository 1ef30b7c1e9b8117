"""Double entry in whole minutes: accounts, transfers, and the hash that chains them.

One transfer moves minutes from one account to another, so debits equal credits by construction (L1). A
transfer is never changed: a claim is recorded as pending, then confirmed or rejected, and what was wrong
is reversed, adjusted or moved, each by a new transfer (L2, L3, L8). Nothing here touches a database.
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs

__all__ = [
    "ADJUST",
    "CONFIRM",
    "DAY_MINUTES",
    "GENESIS",
    "IMPORT",
    "MOVE",
    "OPENING_CODES",
    "POSTING_CODES",
    "RECORD",
    "REJECT",
    "RESOLVING_CODES",
    "REVERSE",
    "Transfer",
    "chained",
    "honour_account",
    "issuer_account",
]

RECORD: Final = "RECORD"
CONFIRM: Final = "CONFIRM"
REJECT: Final = "REJECT"
REVERSE: Final = "REVERSE"
IMPORT: Final = "IMPORT"

ADJUST: Final = "ADJUST"
MOVE: Final = "MOVE"

OPENING_CODES: Final = (RECORD, IMPORT, MOVE)
"""Codes that begin a record: the transfer's hash covers what is fixed of the record, too."""

POSTING_CODES: Final = (CONFIRM, IMPORT, REVERSE, ADJUST, MOVE)
"""Codes that move posted minutes; RECORD only moves pending ones."""

RESOLVING_CODES: Final = (CONFIRM, REJECT)
"""Codes that end a pending transfer; each pending transfer ends once (L8)."""

GENESIS: Final = bytes(32)
"""The hash before the first transfer and before the first event."""

DAY_MINUTES: Final = 1440

_HONOUR, _ISSUER, _KINDS = 1, 2, 16


def __dir__() -> list[str]:
    return __all__


def honour_account(volunteer_id: int) -> int:
    """Return the id of a volunteer's honour account, where confirmed minutes arrive and are never spent.

    Account ids follow from their holder's id, so nothing is looked up and two writers cannot make two.

    >>> honour_account(7)
    113
    """
    return volunteer_id * _KINDS + _HONOUR


def issuer_account(project_id: int) -> int:
    """Return the id of the account from which a project's minutes come.

    >>> issuer_account(7)
    114
    """
    return project_id * _KINDS + _ISSUER


@attrs.frozen
class Transfer:
    """Minutes moved from the account ``debit_id`` to the account ``credit_id``.

    ``seq`` is gap-free and says in which order transfers were recorded, ``effective_on`` (days since
    1970-01-01) for which day they count (L4); ``recorded_at`` is in microseconds since 1970 UTC;
    ``refers_to`` is the seq of the transfer that this one resolves or reverses; ``hash`` covers every
    other field and the hash before it; that of a record's first transfer covers what is fixed of the record.
    ``journal`` is the seq of the first of several transfers that were made as one, else None.
    """

    seq: int
    record_id: int
    debit_id: int
    credit_id: int
    minutes: int
    code: str
    refers_to: int | None
    effective_on: int
    recorded_at: int
    actor_id: str
    reason: str | None
    journal: int | None = None
    hash: bytes = attrs.field(default=b"", repr=False)


def chained(before: bytes, *fields: object) -> bytes:
    """Return the SHA-256 hash (32 bytes) over the hash ``before`` and the text of ``fields`` in order.

    The fields are joined with the unit separator, which no field may hold: texts are checked at the border.
    None is a byte that no text has, so that it never passes for the word.

    >>> chained(GENESIS, 1, "a") == chained(GENESIS, 1, "a")
    True
    >>> chained(GENESIS, None) == chained(GENESIS, "None")
    False
    """
    text = "\x1f".join(["\udcff" if field is None else str(field) for field in fields])
    return hashlib.sha256(before + text.encode(errors="surrogateescape")).digest()
