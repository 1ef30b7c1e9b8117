"""volunteerkit: a city's volunteer service as a library, with plugin hooks.

Public names are loaded when they are first used, so importing the package loads no database and no
data-frame engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volunteerkit.access import Actor, Grant, Place
    from volunteerkit.clock import Calendar, fixed_clock, new_id
    from volunteerkit.errors import Finding, NotFound, NotPermitted, Refused, VolunteerkitError
    from volunteerkit.events import Event
    from volunteerkit.hooks import hookimpl
    from volunteerkit.hours.model import Claim
    from volunteerkit.kit import Kit
    from volunteerkit.policy import Policy
    from volunteerkit.rules import Fact, Rulebook, RuleFunction
    from volunteerkit.store.cipher import KeyCipher
    from volunteerkit.store.desk import Desk
    from volunteerkit.store.engine import create_engine
    from volunteerkit.store.schema import metadata
    from volunteerkit.volunteers.model import Application
    from volunteerkit.workflow import Office, Route, Step

__all__ = [
    "Actor",
    "Application",
    "Calendar",
    "Claim",
    "Desk",
    "Event",
    "Fact",
    "Finding",
    "Grant",
    "KeyCipher",
    "Kit",
    "NotFound",
    "NotPermitted",
    "Office",
    "Place",
    "Policy",
    "Refused",
    "Route",
    "RuleFunction",
    "Rulebook",
    "Step",
    "VolunteerkitError",
    "approvals",
    "create_engine",
    "fixed_clock",
    "hookimpl",
    "hours",
    "metadata",
    "new_id",
    "organizations",
    "personal",
    "projects",
    "rating",
    "statistics",
    "volunteers",
]

_PLACES = {
    "Place": "access", "Policy": "policy", "Calendar": "clock", "Application": "volunteers.model", "Office": "workflow",
    "Route": "workflow", "Step": "workflow",
    "Actor": "access", "Grant": "access", "fixed_clock": "clock", "new_id": "clock", "Finding": "errors",
    "NotFound": "errors", "NotPermitted": "errors", "Refused": "errors", "VolunteerkitError": "errors", "Event": "events", "hookimpl": "hooks",
    "Claim": "hours.model", "Kit": "kit", "Fact": "rules", "Rulebook": "rules", "RuleFunction": "rules",
    "Desk": "store.desk", "create_engine": "store.engine", "metadata": "store.schema", "KeyCipher": "store.cipher",
}  # fmt: skip
_VERBS = {"approvals", "hours", "organizations", "personal", "projects", "rating", "statistics", "volunteers"}

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"volunteerkit.{_PLACES[name]}"), name)
    if name in _VERBS:
        return import_module(f"volunteerkit.{name}")
    raise AttributeError(f"module 'volunteerkit' has no attribute {name!r}")
