"""Real regimes of volunteer hours, grades and awards: every ``.toml`` file beside this module is one rulebook."""

from collections.abc import Iterable
from pathlib import Path

from volunteerkit import hookimpl


@hookimpl
def vk_rulebooks() -> Iterable[Path]:
    """Contribute every regime; a portal takes one by its name, such as ``rulebook="kr_1365_hours"``."""
    return sorted(Path(__file__).parent.glob("*.toml"))
