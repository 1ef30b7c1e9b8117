"""Values of brands and projects: what is applied for, and the words for where things stand."""

from __future__ import annotations

from typing import Final

__all__ = ["ACTIVE", "ATTENDED", "PARTICIPATION_STATES", "PROJECT_STATES", "STATEMENTS"]

STATEMENTS: Final = (
    "place",
    "content",
    "conditions",
    "risks",
    "protection",
    "insurance",
    "agreement",
    "training",
)
"""What the organizer states when it recruits, in words of its own.

The place, the content, the conditions for joining, the risks and the protection against them must be there
(Regulations on Volunteer Service, State Council Decree 685, art. 13); time and number are the project's own
columns. Insurance, a written agreement and training are named where a rule asks for them (art. 14, 16, 17).
"""

PROJECT_STATES: Final = (
    "pending",
    "refused",
    "withdrawn",
    "approved",
    "published",
    "closing",
    "closed",
    "cancelled",
    "archived",
)
"""From the application (pending) to the archive; an approved one is published before anybody joins, and its
completion report (closing) is reviewed before it is closed."""

PARTICIPATION_STATES: Final = (
    "invited",
    "applied",
    "waiting",
    "accepted",
    "refused",
    "withdrawn",
    "cancelled",
    "completed",
    "discharged",
    "excused",
    "missed",
)
"""Applied waits for a review, waiting for a place. Cancelled ended with the activity or the person's absence.

Afterwards: completed, discharged early (the part served counts), excused, or missed without a word.
"""

ACTIVE: Final = ("applied", "waiting", "accepted")
"""States in which somebody means to come; accepted ones take places."""

ATTENDED: Final = ("accepted", "completed", "discharged")
"""States whose attendance may become hours."""


def __dir__() -> list[str]:
    return __all__
