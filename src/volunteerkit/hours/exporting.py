"""The whole ledger as lines of JSON, for whoever checks it without this library.

Ids, codes and whole numbers only: what is said in free words stays sealed, its address is what the hash covers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from volunteerkit.hours.bank import verifying as bank
from volunteerkit.hours.tables import FIXED, covered
from volunteerkit.ledger import GENESIS, OPENING_CODES
from volunteerkit.store.desk import Desk
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import Execute, driver

__all__ = ["export_ledger"]

_STEP: Final = 10_000
_TRANSFER: Final = (
    "seq", "record_id", "debit_id", "credit_id", "minutes", "code", "refers_to", "effective_on", "recorded_at",
    "actor_id", "reason",
)  # fmt: skip
_EVENT: Final = (
    "seq", "type", "recorded_at", "actor_id", "subject", "key", "request_hash", "payload", "transfer_seq", "transfer_hash",
)  # fmt: skip
_TRANSFERS: Final = (
    f"SELECT {', '.join(f't.{name}' for name in _TRANSFER)}, t.journal, t.hash, {', '.join(f'r.{name}' for name in FIXED)} "
    "FROM vk_transfer t JOIN vk_service_record r ON r.id = t.record_id WHERE t.seq > ? ORDER BY t.seq LIMIT ?"
)
_EVENTS: Final = f"SELECT {', '.join(_EVENT)}, hash FROM vk_event WHERE seq > ? ORDER BY seq LIMIT ?"
_ACCOUNTS: Final = (
    "SELECT id, posted_minutes, pending_minutes FROM vk_account WHERE id > ? ORDER BY id LIMIT ?"
)
_RECORDS: Final = (
    "SELECT r.id, r.volunteer_id, r.state, r.claimed_minutes, r.confirmed_minutes FROM vk_service_record r "
    "WHERE r.id > ? AND EXISTS (SELECT 1 FROM vk_transfer t WHERE t.record_id = r.id) ORDER BY r.id LIMIT ?"
)
_CREDIT_ACCOUNTS: Final = (
    "SELECT id, posted_minutes, held_minutes FROM vk_credit_account WHERE id > ? ORDER BY id LIMIT ?"
)
_CREDIT_LOTS: Final = (
    "SELECT id, left_minutes, repaid_minutes FROM vk_credit_lot WHERE id > ? ORDER BY id LIMIT ?"
)
_HEAD: Final = "SELECT transfer_seq, transfer_hash, event_seq, event_hash FROM vk_head"
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def __dir__() -> list[str]:
    return __all__


@storage_errors("database")
def export_ledger(desk: Desk) -> Iterator[str]:
    """Return every transfer, event, balance and record that moved minutes as lines of JSON, and the head as the last.

    The time bank's transfers stand before the events that name them, its accounts and lots after the records.

    The same commands give the same lines on every database. ``fixed`` of a record's first transfer are the record's
    own fields that its hash covers. ``verify_export.py`` checks them with nothing but Python itself; the lines are
    read while they are taken, so the desk's transaction must be open until then. Raises NotPermitted.
    """
    desk.permit("store.verify")
    return _lines(driver(desk.connection))


def _lines(execute: Execute) -> Iterator[str]:
    with storage_errors("database"):  # again: they are read after the verb has returned
        yield from _written(execute)


def _written(execute: Execute) -> Iterator[str]:
    last = len(_TRANSFER)
    for row in _rows(execute, _TRANSFERS):
        line = dict(zip(_TRANSFER, row, strict=False)) | {
            "kind": "transfer",
            "hash": bytes(row[last + 1]).hex(),
        }
        if row[last] is not None:
            line["journal"] = row[last]
        if line["code"] in OPENING_CODES:
            line["fixed"] = covered(tuple(row[last + 2 :]))
        yield _json(line)
    credits, credit_hash, last = 0, GENESIS, len(bank.COLUMNS)
    for row in _rows(execute, bank.TRANSFERS):
        credits, credit_hash = row[0], bytes(row[last])
        line = dict(zip(bank.COLUMNS, row, strict=False)) | {"kind": "credit", "hash": credit_hash.hex()}
        yield _json(line | ({"terms": tuple(row[last + 1 :])} if line["code"] in bank.LOTS else {}))
    for row in _rows(execute, _EVENTS):
        yield _json({"kind": "event"} | {
            name: bytes(value).hex() if isinstance(value, bytes | memoryview) else value
            for name, value in zip((*_EVENT, "hash"), row, strict=True)
        })  # fmt: skip
    for row in _rows(execute, _ACCOUNTS):
        yield _json({"kind": "account", "id": row[0], "posted": row[1], "pending": row[2]})
    for row in _rows(execute, _RECORDS):
        names = ("id", "volunteer_id", "state", "claimed", "confirmed")
        yield _json({"kind": "record"} | dict(zip(names, row, strict=True)))
    for row in _rows(execute, _CREDIT_ACCOUNTS):
        yield _json({"kind": "credit_account", "id": row[0], "posted": row[1], "held": row[2]})
    for row in _rows(execute, _CREDIT_LOTS):
        yield _json({"kind": "credit_lot", "id": row[0], "left": row[1], "repaid": row[2]})
    transfers, transfer_hash, events, event_hash = execute(_HEAD, ()).fetchone()
    yield _json({
        "kind": "head", "transfers": transfers, "transfer_hash": bytes(transfer_hash).hex(),
        "events": events, "event_hash": bytes(event_hash).hex(), "credits": credits, "credit_hash": credit_hash.hex(),
    })  # fmt: skip


def _rows(execute: Execute, query: str) -> Iterator[Any]:
    last = -1  # the bank's own account is number 0
    while some := execute(query, (last, _STEP)).fetchall():
        yield from some
        last = some[-1][0]
