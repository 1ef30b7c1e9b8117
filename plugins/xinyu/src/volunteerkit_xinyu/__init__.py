"""Xinyu's rules: its star ladder."""

from collections.abc import Iterable
from pathlib import Path

from volunteerkit import Rulebook, hookimpl


@hookimpl
def vk_rulebooks() -> Iterable[Rulebook]:
    """Contribute the ladder that stands in ``star.toml``."""
    yield Rulebook.read(Path(__file__).with_name("star.toml"))
