"""Approvals: cases on their way through the offices, decided once, with reasons."""

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
from volunteerkit.approvals.model import Case, Decision, Objection, Workflow

__all__ = [
    "Case",
    "Decision",
    "Objection",
    "Workflow",
    "answer_objection",
    "decide",
    "decisions",
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
