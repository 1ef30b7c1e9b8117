"""Hours: claims, confirmation, corrections, statements."""

from volunteerkit.hours import bank
from volunteerkit.hours.actions import confirm, record, record_many, reject, restore, reverse
from volunteerkit.hours.attending import Claimed, claim_attendance, unmatched_attendance
from volunteerkit.hours.model import Claim, Overlap, Recorded
from volunteerkit.hours.pending import PendingRecord, list_pending
from volunteerkit.hours.statement import Statement, StatementLine, statement
from volunteerkit.hours.verifying import Verification, rebuild, verify_store

__all__ = [
    "Claim",
    "Claimed",
    "Overlap",
    "PendingRecord",
    "Recorded",
    "Statement",
    "StatementLine",
    "Verification",
    "bank",
    "claim_attendance",
    "confirm",
    "list_pending",
    "rebuild",
    "record",
    "record_many",
    "reject",
    "restore",
    "reverse",
    "statement",
    "unmatched_attendance",
    "verify_store",
]


def __dir__() -> list[str]:
    return __all__
