"""Events: what happened, who did it, in which order. One append-only chain serves audit and delivery.

A successful command writes one event in its own transaction; react hooks get it afterwards. The payload
holds opaque ids, codes and numbers only, never a personal datum.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

import attrs

__all__ = ["EVENT_TYPES", "Event"]

EVENT_TYPES: Final = {
    "hours.recorded": "minutes were claimed and wait for confirmation",
    "hours.confirmed": "a claim was confirmed",
    "hours.rejected": "a claim was rejected",
    "hours.reversed": "confirmed minutes were taken back",
    "hours.restored": "a reversal was taken back",
    "import.loaded": "a file was imported",
    "volunteer.registered": "a volunteer was registered",
    "organization.registered": "an organization was registered",
    "project.registered": "a project was registered",
    "rating.decided": "grades were decided for volunteers",
    "store.rebuilt": "balances were computed anew from the transfers",
    "unit.run": "a portal's unit of work was done once under its key",
}
"""Every type of event with its meaning; an unknown type is refused when it is written."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Event:
    """One thing that happened.

    ``seq`` is gap-free; ``at`` is an aware instant; ``subject`` is an opaque id such as ``"record:12"``;
    ``payload`` holds ids, codes and whole numbers. Deliveries may repeat: use ``seq`` as the key.
    """

    seq: int
    type: str
    at: dt.datetime
    actor_id: str
    subject: str
    payload: dict[str, Any] = attrs.field(hash=False)
