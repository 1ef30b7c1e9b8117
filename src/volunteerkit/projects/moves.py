"""How projects and participations go from one state to another: the reference draws its diagrams from these.

A move is (before, verb, after), before is empty where something begins. The verbs decide for themselves; tests try
every verb in every state and hold these values to what they do.
"""

from __future__ import annotations

from typing import Final

from volunteerkit.projects.model import ACTIVE
from volunteerkit.projects.participating import AGAIN, OUTCOMES

__all__ = ["PARTICIPATION_MOVES", "PROJECT_MOVES"]


def __dir__() -> list[str]:
    return __all__


PROJECT_MOVES: Final = (
    ("", "apply", "pending"),
    ("", "register", "approved"),
    ("pending", "approve", "approved"),
    ("pending", "refuse", "refused"),
    ("pending", "withdraw", "withdrawn"),
    ("approved", "publish", "published"),
    *((each, "report", "closing") for each in ("approved", "published")),
    ("closing", "approve", "closed"),
    *(("closing", verb, each) for verb in ("refuse", "withdraw") for each in ("approved", "published")),
    *((each, "cancel", "cancelled") for each in ("approved", "published")),
    *((each, "archive", "archived") for each in ("closed", "cancelled", "refused", "withdrawn")),
)
"""Moves of a project. As approved only what was entered afterwards or registered is reported on, and goes back there.

Any of them is deleted while nobody has hours in it, and is there for nobody then."""

PARTICIPATION_MOVES: Final = (
    *(("", "join", each) for each in ACTIVE),
    ("", "invite", "invited"),
    *((before, "join", after) for before in AGAIN for after in ACTIVE if (before, after) not in (
        ("refused", "accepted"), ("refused", "waiting"))),
    *((each, "invite", "invited") for each in AGAIN),
    *(("invited", verb, after) for verb in ("join", "answer") for after in ("accepted", "waiting")),
    ("invited", "answer", "withdrawn"),
    *((each, "refuse", "refused") for each in ("invited", "applied", "waiting")),
    *((each, "withdraw", "withdrawn") for each in ACTIVE),
    ("applied", "accept", "accepted"),
    ("applied", "accept", "waiting"),
    ("waiting", "accept", "accepted"),
    ("waiting", "promote", "accepted"),
    ("accepted", "remove", "refused"),
    *((each, "cancel", "cancelled") for each in ("invited", *ACTIVE)),
    *((before, "mark", after) for before in ("accepted", *OUTCOMES) for after in OUTCOMES if before != after),
    ("accepted", "confirm", "completed"),
    *((each, "unmark", "accepted") for each in OUTCOMES),
)  # fmt: skip
"""Moves of a participation. ``promote`` gives a free place to the first who waits, ``cancel`` is the activity's end
or the person's absence, ``confirm`` that of the hours of their check-in (`hours.confirm`)."""
