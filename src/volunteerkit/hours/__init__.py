"""Hours: claims, confirmation, corrections, statements."""

from volunteerkit.hours import bank
from volunteerkit.hours.actions import record, record_many
from volunteerkit.hours.attending import Claimed, claim_attendance, unmatched_attendance
from volunteerkit.hours.budget import raise_budget
from volunteerkit.hours.checking import recording_due
from volunteerkit.hours.correcting import adjust, move, restore, reverse
from volunteerkit.hours.deciding import confirm, reject
from volunteerkit.hours.disputes import appeal, dispute
from volunteerkit.hours.exporting import export_ledger
from volunteerkit.hours.groups import GroupEntry, decide_group, enter_group, group_entries
from volunteerkit.hours.inspecting import Doubt, inspect
from volunteerkit.hours.model import Claim, Overlap, Recorded
from volunteerkit.hours.pending import PendingRecord, list_pending
from volunteerkit.hours.periods import Period, close_period, periods, reopen_period
from volunteerkit.hours.served import ServedPair, attendance_of
from volunteerkit.hours.statement import Statement, StatementLine, statement
from volunteerkit.hours.verifying import Verification, rebuild, verify_store

__all__ = [
    "Claim",
    "Claimed",
    "Doubt",
    "GroupEntry",
    "Overlap",
    "PendingRecord",
    "Period",
    "Recorded",
    "ServedPair",
    "Statement",
    "StatementLine",
    "Verification",
    "adjust",
    "appeal",
    "attendance_of",
    "bank",
    "claim_attendance",
    "close_period",
    "confirm",
    "decide_group",
    "dispute",
    "enter_group",
    "export_ledger",
    "group_entries",
    "inspect",
    "list_pending",
    "move",
    "periods",
    "raise_budget",
    "rebuild",
    "record",
    "record_many",
    "recording_due",
    "reject",
    "reopen_period",
    "restore",
    "reverse",
    "statement",
    "unmatched_attendance",
    "verify_store",
]


def __dir__() -> list[str]:
    return __all__
