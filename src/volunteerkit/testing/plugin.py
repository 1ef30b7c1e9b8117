"""The pytest plugin: fixtures for authors of plugins and portals. It is active wherever we are installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from volunteerkit import Actor, Desk, Kit

__all__ = ["vk_desk"]


def __dir__() -> list[str]:
    return __all__


@pytest.fixture
def vk_desk(tmp_path: Path) -> Iterator[Callable[[Kit, Actor], Desk]]:
    """A function that opens a desk of a kit for an actor, in a fresh city; nothing is kept.

    Every desk of one test sits in the same SQLite file and the same transaction, so that a clerk confirms
    what another clerk recorded. Example: ``desk = vk_desk(Kit.load("xinyu"), Actor.of("clerk-7", "centre"))``
    """
    with ExitStack() as stack:
        opened: list[Desk] = []

        def desk(kit: Kit, actor: Actor) -> Desk:
            if not opened:
                from volunteerkit import create_engine

                engine = create_engine(f"sqlite:///{tmp_path / 'volunteerkit.db'}")
                stack.callback(engine.dispose)
                kit.migrate(engine)
                connection = stack.enter_context(engine.connect())
                stack.callback(connection.begin().rollback)
                opened.append(kit.desk(connection, actor))
            opened.append(kit.desk(opened[0].connection, actor))
            return opened[-1]

        yield desk
