"""Recompute the time bank from its transfers: the chain, every account, lot and redemption; mend the roll-ups."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import sqlalchemy as sa

from volunteerkit.hours.bank.ledger import moved
from volunteerkit.hours.bank.model import (
    CANCEL,
    DEPOSIT,
    EXPIRE,
    GIFT,
    HOLD,
    REDEEM,
    REFUND,
    TAKE_BACK,
    redeemed_account,
    volunteer_of,
)
from volunteerkit.ledger import GENESIS, chained
from volunteerkit.store.engine import storage_errors
from volunteerkit.store.posting import Execute, driver

__all__ = ["COLUMNS", "LOTS", "TRANSFERS", "rebuild_bank", "verify_bank"]

COLUMNS: Final = (
    "seq", "debit_id", "credit_id", "minutes", "code", "refers_to", "lot_id", "record_id", "redemption_id",
    "effective_on", "recorded_at", "actor_id", "reason",
)  # fmt: skip
"""What a transfer's hash covers, in this order; then the days of the lot that it makes."""

LOTS: Final = (DEPOSIT, GIFT)
"""Codes of transfers that make a lot."""

TRANSFERS: Final = (
    f"SELECT {', '.join(f't.{name}' for name in COLUMNS)}, t.hash, l.earned_on, l.expires_on FROM vk_credit_transfer t "
    f"LEFT JOIN vk_credit_lot l ON l.id = t.seq AND t.code IN ('{DEPOSIT}', '{GIFT}') WHERE t.seq > ? ORDER BY t.seq LIMIT ?"
)
_STEP: Final = 20_000
_NAMED = "SELECT seq, payload FROM vk_event WHERE substr(type, 1, 7) = 'credit.' ORDER BY seq"
_ACCOUNTS = "SELECT id, volunteer_id, posted_minutes, held_minutes FROM vk_credit_account"
_LOTS = "SELECT id, volunteer_id, minutes, left_minutes + repaid_minutes FROM vk_credit_lot"
_REDEMPTIONS = "SELECT id, organization_id, minutes, state FROM vk_redemption"
_STATES: Final = {
    HOLD: ("held",),
    REDEEM: ("redeemed",),
    CANCEL: ("cancelled", "lapsed"),
    REFUND: ("refunded",),
}
_NEW = "INSERT INTO vk_credit_account (id, volunteer_id, posted_minutes, held_minutes) VALUES (?, ?, ?, ?)"
_MENDED = "UPDATE vk_credit_account SET volunteer_id = ?, posted_minutes = ?, held_minutes = ? WHERE id = ?"
_LOT = (
    "UPDATE vk_credit_lot SET left_minutes = ? - CASE WHEN repaid_minutes < ? THEN repaid_minutes ELSE ? END, "
    "repaid_minutes = CASE WHEN repaid_minutes < ? THEN repaid_minutes ELSE ? END WHERE id = ?"
)

_Check = tuple[str, str, str]


def __dir__() -> list[str]:
    return __all__


@attrs.define
class _True:
    """What the transfers say: sums by account, minutes left by lot, where each redemption stands."""

    accounts: dict[int, list[int]] = attrs.field(factory=dict)
    lots: dict[int, list[int | None]] = attrs.field(factory=dict)
    redemptions: dict[int, tuple[int, int, str]] = attrs.field(factory=dict)
    last: tuple[int, bytes] = (0, GENESIS)

    def add(self, row: Any) -> None:
        seq, debit, credit, minutes, code, _, lot, _, redemption = row[:9]
        posted, held, gained = moved(code, minutes)
        for account, more in ((debit, (posted, held)), (credit, (gained, 0))):
            sums = self.accounts.setdefault(account, [0, 0])
            sums[0] += more[0]
            sums[1] += more[1]
        if code in LOTS:
            self.lots[seq] = [volunteer_of(credit), minutes, minutes]
        if lot is not None and code in (HOLD, TAKE_BACK, GIFT, EXPIRE, CANCEL, REFUND):
            left = self.lots.setdefault(lot, [None, 0, 0])
            left[2] = (left[2] or 0) + (minutes if code in (CANCEL, REFUND) else -minutes)
        if redemption is not None:
            there = self.redemptions.get(redemption, (0, 0, ""))
            more_held = minutes if code == HOLD else 0
            account = debit if code == REFUND else credit
            self.redemptions[redemption] = (account, there[1] + more_held, code)


def _rows(execute: Execute) -> Iterator[Any]:
    last = 0
    while some := execute(TRANSFERS, (last, _STEP)).fetchall():
        yield from some
        last = some[-1][0]


def _chain(execute: Execute, progress: Callable[[int], None]) -> tuple[_True, _Check]:
    """Return what follows from the transfers, and the first of them whose hash, number or event is another one."""
    true, count, end = _True(), 0, len(COLUMNS)
    named = {}
    for event, payload in execute(_NAMED, ()).fetchall():
        told = json.loads(payload)
        named[told["credit_seq"]] = (event, told["credit_hash"])
    named.pop(0, None)
    final = 0
    for row in _rows(execute):
        count += 1
        if row[0] != count:
            return true, (f"credit transfer {count}", f"seq {row[0]}", f"seq {count}")
        terms = row[end + 1 :] if row[4] in LOTS else ()
        made = chained(true.last[1], *row[:end], *terms)
        if bytes(row[end]) != made:
            return true, (f"credit transfer {count}", bytes(row[end]).hex(), made.hex())
        event, told = named.pop(count, (0, made.hex()))
        if told != made.hex():
            return true, (f"event {event}: credit transfer {count}", made.hex(), told)
        true.last = (count, made)
        true.add(row)
        progress(count)
        final = event
    if named:
        seq = min(named)
        return true, (f"credit transfer {seq}", "no such transfer", f"named by event {named[seq][0]}")
    if count and not final:
        return true, (f"credit transfer {count}", "no event names it", "named by an event")
    return true, ("", "", "")


def _told(value: object) -> str:
    return "none" if value is None else str(value)


def _differing(execute: Execute, true: _True) -> Iterator[tuple[str, int, Any, Any]]:
    """Yield (kind, id, stored, expected) of every account, lot and redemption that differs, by kind and id."""
    accounts = {row[0]: tuple(row[1:]) for row in execute(_ACCOUNTS, ()).fetchall()}
    right = {id_: (volunteer_of(id_), *sums) for id_, sums in true.accounts.items()}
    yield from _compared("account", accounts, right)
    lots = {row[0]: tuple(row[1:]) for row in execute(_LOTS, ()).fetchall()}
    yield from _compared("lot", lots, {id_: tuple(lot) for id_, lot in true.lots.items()})
    for id_, organization, minutes, state in sorted(map(tuple, execute(_REDEMPTIONS, ()).fetchall())):
        account, held, code = true.redemptions.pop(id_, (0, 0, ""))
        if (account, held) != (redeemed_account(organization), minutes) or state not in _STATES.get(code, ()):
            yield "redemption", id_, (redeemed_account(organization), minutes, state), (account, held, code)
    for id_ in sorted(true.redemptions):
        yield "redemption", id_, None, true.redemptions[id_]


def _compared(
    kind: str, stored: dict[int, Any], expected: dict[int, Any]
) -> Iterator[tuple[str, int, Any, Any]]:
    for id_ in sorted({*stored, *expected}):
        if stored.get(id_) != expected.get(id_):
            yield kind, id_, stored.get(id_), expected.get(id_)


@storage_errors("database")
def verify_bank(connection: sa.Connection, progress: Callable[[int], None] = lambda _: None) -> _Check:
    """Recompute the chain, every account, lot and redemption; return (where, stored, expected), empty if all agree.

    The events of the time bank name the transfer that was last then, so that a chain cut short or written anew
    does not agree with theirs.
    """
    execute = driver(connection)
    true, found = _chain(execute, progress)
    if found[0]:
        return found
    for kind, id_, stored, expected in _differing(execute, true):
        return f"credit {kind} {id_}", _told(stored), _told(expected)
    total = sum(sums[0] for sums in true.accounts.values())
    return ("credit ledger", str(total), "0") if total else ("", "", "")


def rebuild_bank(execute: Execute) -> tuple[str, int]:
    """Compute accounts and what is left of lots anew; return where the chain diverges ("" as a rule) and how many were wrong.

    What is left of a lot counts again as free where it did not make good what was missing.
    """
    true, (where, _, _) = _chain(execute, lambda _: None)
    if where:
        return where, 0
    mended = 0
    for kind, id_, stored, right in list(_differing(execute, true)):
        if kind == "account" and right is None:
            execute("DELETE FROM vk_credit_account WHERE id = ?", (id_,))
        elif kind == "account" and stored is None:
            execute(_NEW, (id_, *right))
        elif kind == "account":
            execute(_MENDED, (*right, id_))
        elif kind == "lot" and stored is not None and right is not None and stored[:2] == right[:2]:
            execute(_LOT, (*[right[2]] * 5, id_))
        else:
            continue
        mended += 1
    return "", mended
