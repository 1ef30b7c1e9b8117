"""A small city, and for every hook something that makes the library ask it: a new hook needs its entry here."""

from __future__ import annotations

import datetime as dt
import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import attrs

from volunteerkit import (
    Actor,
    Application,
    Claim,
    Grant,
    Kit,
    Rulebook,
    hookimpl,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)
from volunteerkit.hooks import KINDS
from volunteerkit.organizations import OrganizationForm, TeamForm, teams
from volunteerkit.projects import participants, recruiting
from volunteerkit.store.schema import metadata

_planned = runpy.run_path(str(Path(__file__).parents[1] / "projects" / "conftest.py"), run_name="planned")
DAY, CENTRE, ADMIN = (_planned[name] for name in ("DAY", "CENTRE", "ADMIN"))

AT_LOAD: Final = tuple(
    hook
    for hook, kind in KINDS.items()
    if (kind == "contribute" and hook != "vk_records")
    or hook in ("vk_choose_calendar", "vk_choose_lead", "vk_choose_policy")
)
"""The hooks that are asked once, in `Kit.load`."""


@attrs.frozen
class World:
    """The city and a shift of its published project P0000001, for which V1 has applied."""

    one: Any
    shift: int

    def with_(self, *plugins: Any) -> World:
        """Return the same city under a kit with other plugins."""
        kit = attrs.evolve(self.one.city.kit, hooks=Kit.load(*plugins).hooks)
        return attrs.evolve(self, one=attrs.evolve(self.one, city=attrs.evolve(self.one.city, kit=kit)))

    def at(self, actor: Actor, verb: Callable[..., Any], *given: Any, **named: Any) -> Any:
        return self.one.at(actor, verb, *given, **named)

    def deliver(self) -> int:
        return int(self.one.city.kit.deliver(self.one.city.engine))

    def stored(self) -> dict[str, list[Any]]:
        """Return every row of every table."""
        with self.one.city.engine.connect() as connection:
            return {
                name: sorted(map(repr, connection.execute(table.select())))
                for name, table in metadata.tables.items()
            }


def world_in(city: Any) -> World:
    one = _planned["_organized"](city)
    number = one.published(shifts=(one.span(8, "09:00", 2),), acceptance="reviewed")
    shift = one.at(CENTRE, projects.view, number).shifts[0].id
    one.join(shift, "V1", state="applied")
    one.at(CENTRE, projects.register, "P9", name="宣传", organization="O1")
    return World(one, shift)


def plugin(name: str, **functions: Callable[..., Any]) -> Any:
    """Return a plugin of that name whose hooks are these functions."""
    return SimpleNamespace(__name__=name, **{hook: hookimpl(each) for hook, each in functions.items()})


def _me(number: str) -> Actor:
    return Actor(f"me-{number}", (Grant("volunteer"),), volunteer=number)


_FORM = OrganizationForm("仙女湖志愿服务队", "registered", "渝水区", "52360599MA000004XR")
_APPLICATION = Application("欧阳兰", "O1", born_on=dt.date(1990, 5, 1), consent_on=DAY)

_BLOOD = """
id = "city.blood"
decides = "star"
[[version]]
effective_from = 2020-01-01
citation = "示例"
measure.blood = { sum = "quantity", where = "kind == 'whole_blood'" }
step = [{ award = 1, when = "blood >= 400" }]
"""


def _rated(world: World) -> Any:
    kit = attrs.evolve(
        world.one.city.kit, rulebooks={**world.one.city.kit.rulebooks, "city.blood": Rulebook.loads(_BLOOD)}
    )
    city = attrs.evolve(world.one.city, kit=kit)
    return attrs.evolve(world.one, city=city).at(CENTRE, rating.rate_volunteer, "V1")


ASKED: Final[dict[str, Callable[[World], Any]]] = {
    "vk_review_access": lambda world: world.at(CENTRE, organizations.register, "O9", name="新队"),
    "vk_review_hours": lambda world: world.at(
        CENTRE, hours.record, Claim("V1", "P9", DAY - dt.timedelta(2), 60)
    ),
    "vk_review_registration": lambda world: world.at(CENTRE, volunteers.register, _APPLICATION, number="V9"),
    "vk_review_transfer": lambda world: world.at(_me("V1"), volunteers.request_transfer, "V1", "O2"),
    "vk_review_organization": lambda world: world.at(CENTRE, organizations.apply, _FORM),
    "vk_review_team": lambda world: world.at(ADMIN, teams.apply, TeamForm("护河队", organization="O1")),
    "vk_review_project": lambda world: world.at(ADMIN, projects.apply, world.one.form()),
    "vk_review_participation": lambda world: world.at(_me("V2"), recruiting.join, world.shift, "V2"),
    "vk_choose_matching": lambda world: world.at(ADMIN, participants.candidates, world.shift),
    "vk_choose_volunteer_number": lambda world: world.at(
        CENTRE, volunteers.admit, name="司马青", organization="O1"
    ),
    "vk_choose_number": lambda world: world.at(ADMIN, projects.apply, world.one.form()),
    "vk_choose_rendering": lambda world: world.one.city.kit.render(
        world.at(CENTRE, hours.statement, "V1"), "zh-CN"
    ),
    "vk_records": _rated,
    "vk_react": lambda world: world.deliver(),
}
"""What makes the library ask a hook that is asked after the kit was loaded."""
