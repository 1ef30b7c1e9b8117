"""The time bank (credit ledger): credited minutes as a balance that can be held, redeemed, given, and expires."""

from volunteerkit.hours.bank.actions import (
    balance,
    cancel,
    give,
    hold,
    lines,
    propose_refund,
    redeem,
    redemptions,
    settle,
    settle_city,
)
from volunteerkit.hours.bank.model import Balance, BankLine, Redemption
from volunteerkit.hours.bank.verifying import verify_bank

__all__ = [
    "Balance",
    "BankLine",
    "Redemption",
    "balance",
    "cancel",
    "give",
    "hold",
    "lines",
    "propose_refund",
    "redeem",
    "redemptions",
    "settle",
    "settle_city",
    "verify_bank",
]


def __dir__() -> list[str]:
    return __all__
