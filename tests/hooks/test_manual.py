"""A hook's docstring is its manual: it says what the hook is for, and its example is a plugin that runs."""

from __future__ import annotations

import inspect
import re
import runpy
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import volunteerkit
from volunteerkit import Kit, calling, hooks
from volunteerkit.errors import Refused
from volunteerkit.hooks import KINDS

ROOT = Path(__file__).resolve().parents[2]
_shared = runpy.run_path(str(Path(__file__).with_name("world.py")), run_name="world")
ASKED, AT_LOAD, world_in = (_shared[name] for name in ("ASKED", "AT_LOAD", "world_in"))
HOOKS = tuple(KINDS)
ANSWERS = {"contribute": "Iterable[", "review": "Iterable[Finding]", "choose": "| None", "react": "None"}


@pytest.mark.parametrize("hook", HOOKS)
def test_the_manual_is_whole(hook: str) -> None:
    said = inspect.getdoc(getattr(hooks, hook)) or ""
    first, _, rest = said.partition("\n")
    assert first.lower().startswith(f"{KINDS[hook]} ")
    assert first.endswith(".")
    assert len(rest.partition("Example::")[0].strip()) > 40 or "works as `vk_review" in first
    assert re.fullmatch(r"\d+\.\d+", calling.added_in(hook))
    now = tuple(map(int, volunteerkit.__version__.split(".")[:2]))
    assert tuple(map(int, calling.added_in(hook).split("."))) <= now
    assert ANSWERS[KINDS[hook]] in calling.answers(hook)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_manual_is_there_in_chinese(hook: str) -> None:
    said = tomllib.loads((ROOT / "docs" / "generate.toml").read_text("utf-8"))["hook"]
    assert re.search(r"[\u4e00-\u9fff]{10}", said[hook])
    assert set(said) == set(HOOKS)


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_is_a_plugin_that_is_asked(
    tmp_path: Path, small: Any, caplog: pytest.LogCaptureFixture, hook: str
) -> None:
    caplog.set_level("DEBUG", "volunteerkit.plugins")
    file = tmp_path / "city.py"
    file.write_text(calling.example(hook), "utf-8")
    kit = Kit.load(file)
    assert [name for name, bound in kit.hooks.items() if bound] == [hook]
    if hook not in AT_LOAD:
        with suppress(Refused):  # that is what some examples are for
            ASKED[hook](world_in(small).with_(file))
    assert f"city {hook} " in caplog.text
    assert "failed" not in caplog.text
