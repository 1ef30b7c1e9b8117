"""volunteerkit: a city's volunteer service as a library, with plugin hooks.

Public names are loaded when they are first used, so importing the package loads no database and no
data-frame engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volunteerkit.access import Actor, Grant
    from volunteerkit.clock import fixed_clock, new_id
    from volunteerkit.errors import Finding, Refused, VolunteerkitError
    from volunteerkit.events import Event
    from volunteerkit.hooks import hookimpl
    from volunteerkit.hours.model import Claim
    from volunteerkit.kit import Kit
    from volunteerkit.rules import Fact, Rulebook, RuleFunction
    from volunteerkit.store.cipher import KeyCipher
    from volunteerkit.store.desk import Desk
    from volunteerkit.store.engine import create_engine
    from volunteerkit.store.schema import metadata

__all__ = [
    "Actor",
    "Claim",
    "Desk",
    "Event",
    "Fact",
    "Finding",
    "Grant",
    "KeyCipher",
    "Kit",
    "Refused",
    "RuleFunction",
    "Rulebook",
    "VolunteerkitError",
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
    "volunteers",
]

_PLACES = {
    "Actor": "access", "Grant": "access", "fixed_clock": "clock", "new_id": "clock", "Finding": "errors",
    "Refused": "errors", "VolunteerkitError": "errors", "Event": "events", "hookimpl": "hooks",
    "Claim": "hours.model", "Kit": "kit", "Fact": "rules", "Rulebook": "rules", "RuleFunction": "rules",
    "Desk": "store.desk", "create_engine": "store.engine", "metadata": "store.schema", "KeyCipher": "store.cipher",
}  # fmt: skip
_VERBS = {"hours", "organizations", "personal", "projects", "rating", "volunteers"}

__version__ = "0.1.0"


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"volunteerkit.{_PLACES[name]}"), name)
    if name in _VERBS:
        return import_module(f"volunteerkit.{name}")
    raise AttributeError(f"module 'volunteerkit' has no attribute {name!r}")
