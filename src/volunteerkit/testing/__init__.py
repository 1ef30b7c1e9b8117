"""Helps for authors of plugins and portals who test against volunteerkit.

The fixtures ``vk_desk`` and ``vk_city`` need pytest; `check_plugin`, `laws` and `strategies` need hypothesis:
``pip install 'volunteerkit[testing]'`` brings both.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from volunteerkit.testing.city import SampleCity

if TYPE_CHECKING:
    from volunteerkit.testing import laws, strategies
    from volunteerkit.testing.checking import LawResult, PluginReport, check_plugin, check_target
    from volunteerkit.testing.targets import targets_of

__all__ = [
    "LawResult",
    "PluginReport",
    "SampleCity",
    "check_plugin",
    "check_target",
    "laws",
    "strategies",
    "targets_of",
]

_IN = {
    "LawResult": "checking",
    "PluginReport": "checking",
    "check_plugin": "checking",
    "check_target": "checking",
    "targets_of": "targets",
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import what needs hypothesis only when it is asked for: the fixtures do without."""
    if name in ("laws", "strategies"):
        return import_module(f"volunteerkit.testing.{name}")
    if name in _IN:
        return getattr(import_module(f"volunteerkit.testing.{_IN[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
