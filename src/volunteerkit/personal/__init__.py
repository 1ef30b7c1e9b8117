"""Personal data in use: shown as far as somebody may see, found, unmasked, exported, erased."""

from volunteerkit.personal.erasing import (
    ERASURE,
    due_for_erasure,
    erase,
    request_erasure,
    withdraw_erasure_request,
)
from volunteerkit.personal.exporting import export_own
from volunteerkit.personal.finding import find
from volunteerkit.personal.model import Due, Found, Profile
from volunteerkit.personal.viewing import profile, unmask

__all__ = [
    "ERASURE",
    "Due",
    "Found",
    "Profile",
    "due_for_erasure",
    "erase",
    "export_own",
    "find",
    "profile",
    "request_erasure",
    "unmask",
    "withdraw_erasure_request",
]


def __dir__() -> list[str]:
    return __all__
