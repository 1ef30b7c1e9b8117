"""A plugin fails at a call of a verb (A4): nothing of it is written, whose fault it was is told, and the desk goes on."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from volunteerkit import Kit, hookimpl
from volunteerkit.calling import implementations
from volunteerkit.errors import NotFound, NotPermitted, PluginError
from volunteerkit.hooks import KINDS
from volunteerkit.store.desk import Desk

_audit = runpy.run_path(
    str(Path(__file__).resolve().parents[1] / "access" / "test_audit.py"), run_name="audit"
)
VERBS, UNTRIED, BEFORE, INSTEAD = (_audit[name] for name in ("VERBS", "UNTRIED", "BEFORE", "INSTEAD"))
city = _audit["city"]
AT_LOADING = {"vk_choose_calendar", "vk_choose_lead", "vk_choose_policy"}
ASKED = {name for name, kind in KINDS.items() if kind in ("review", "choose")} - AT_LOADING
"""The hooks that are asked at a desk; the others when the kit is loaded, or after the commit."""


class Failing:
    """A plugin with every hook that is asked at a desk; its n-th call fails, from the first one on with 0."""

    def __init__(self, fails_at: int | None) -> None:
        self.fails_at, self.asked = fails_at, list[str]()

    def hooks(self) -> dict[str, tuple[tuple[str, Callable[..., Any]], ...]]:
        body = SimpleNamespace(**{name: self.called(name) for name in sorted(ASKED)})
        return {name: (("failing", call),) for name, call in implementations("failing", body).items()}

    def called(self, name: str) -> Callable[..., Any]:
        @hookimpl
        def answer() -> None:
            self.asked.append(name)
            if len(self.asked) == self.fails_at:
                raise ZeroDivisionError("欧阳雪")

        return answer


def prepared(city: tuple[Kit, sa.Engine], name: str, desk: Desk) -> None:
    if name in BEFORE:
        BEFORE[name](city[0].desk(desk.connection, _audit["SECOND"]), city[0])
        desk.look_again()


def tried(city: tuple[Kit, sa.Engine], name: str, actor: Any, fails_at: int | None) -> list[str]:
    """Do a verb with a plugin that fails, and again without it; return which hooks were asked."""
    with _audit["trying"](city, actor) as desk:
        prepared(city, name, desk)
        plugin, before = Failing(fails_at), _audit["tables"](desk.connection)
        with_plugin = attrs.evolve(desk, hooks=plugin.hooks())
        call, known = INSTEAD.get(name, VERBS[name].call), VERBS[name].known
        if fails_at is None:
            call(with_plugin, known)
            return plugin.asked
        hook = named = ""
        try:
            call(with_plugin, known)
        except PluginError as error:
            hook, named = error.values["hook"], error.values["plugin"]
        except (NotPermitted, NotFound) as error:
            hook, named = "vk_review_access", error.values.get("plugin", "failing")
        else:
            # a list leaves out what it cannot show, and whoever waits goes on waiting
            assert plugin.asked[fails_at - 1] in ("vk_review_access", "vk_review_participation"), name
            return plugin.asked
        assert (named, hook) == ("failing", plugin.asked[fails_at - 1])
        assert _audit["tables"](desk.connection) == before
        call(attrs.evolve(desk, hooks=Failing(None).hooks()), known)
        return plugin.asked


@pytest.mark.parametrize("name", sorted(set(VERBS) - UNTRIED))
def test_a_plugin_that_fails_at_any_call_leaves_nothing(name: str, city: tuple[Kit, sa.Engine]) -> None:
    with _audit["done"](city, name) as found:
        assert found is not None
        actor = found[0]
    asked = tried(city, name, actor, None)
    for n in range(1, len(asked) + 1):
        tried(city, name, actor, n)
