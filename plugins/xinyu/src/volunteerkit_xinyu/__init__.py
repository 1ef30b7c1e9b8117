"""Xinyu's rules: its star ladder and its working days."""

from collections.abc import Iterable
from pathlib import Path

from volunteerkit import Rulebook, hookimpl
from volunteerkit.clock import Calendar


@hookimpl
def vk_rulebooks() -> Iterable[Rulebook]:
    """Contribute the ladder that stands in ``star.toml``."""
    yield Rulebook.read(Path(__file__).with_name("star.toml"))


@hookimpl
def vk_choose_calendar() -> Calendar:
    """Count terms and public notices by the working days that stand in ``calendar.toml``."""
    return Calendar.read(Path(__file__).with_name("calendar.toml"))
