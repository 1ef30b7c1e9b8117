"""The pytest plugin: fixtures for authors of plugins and portals. It is active wherever we are installed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from types import ModuleType

    from volunteerkit import Actor, Desk, Kit
    from volunteerkit.testing.city import SampleCity

__all__ = ["vk_city", "vk_desk"]


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


@pytest.fixture
def vk_city(vk_desk: Callable[[Kit, Actor], Desk]) -> Callable[..., SampleCity]:
    """A function that founds a sample city with the plugins you name; nothing is kept.

    Plugins are given as to `Kit.load`: names, paths, modules. ``now`` (an aware instant) is when it is.
    Needs the package ``cryptography``. Example: ``city = vk_city("xinyu")``, then
    ``number = city.volunteer("周小兰")``, ``city.serve(number, date(2026, 11, 8), 150)``, ``city.rated(number)``.
    """

    def found(*plugins: str | Path | ModuleType | object, now: dt.datetime | None = None) -> SampleCity:
        from volunteerkit import Actor, KeyCipher, Kit, organizations, projects
        from volunteerkit.clock import fixed_clock, system_clock
        from volunteerkit.testing.city import AREA, ORGANIZATION, PROJECT, SampleCity

        clock = system_clock if now is None else fixed_clock(now)
        kit = Kit.load(*plugins, clock=clock, cipher=KeyCipher(bytes(32)))
        desk = vk_desk(kit, Actor.of("centre-1", "centre"))
        organizations.register(desk, ORGANIZATION, name="渝水区志愿服务联合会", area=AREA)
        projects.register(desk, PROJECT, name="社区助老", organization=ORGANIZATION)
        return SampleCity(kit, desk.connection)

    return found
