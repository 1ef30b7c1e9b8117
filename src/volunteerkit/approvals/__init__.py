"""Approvals: cases on their way through the offices, decided once, with reasons."""

from volunteerkit.approvals import grants
from volunteerkit.approvals.actions import (
    answer_objection,
    decide,
    decisions,
    object_to,
    objections,
    pending,
    recuse,
    sweep,
    view,
    withdraw,
)
from volunteerkit.approvals.model import Case, Decision, Objection, StoredGrant, Workflow

__all__ = [
    "Case",
    "Decision",
    "Objection",
    "StoredGrant",
    "Workflow",
    "answer_objection",
    "decide",
    "decisions",
    "grants",
    "object_to",
    "objections",
    "pending",
    "recuse",
    "sweep",
    "view",
    "withdraw",
]


def __dir__() -> list[str]:
    return __all__
