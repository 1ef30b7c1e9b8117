"""Bad plugins, each in every hook: what happens is fixed by the hook's kind, and a new hook is tried by itself."""

# ruff: noqa: PLW0108 - a plain function that answers with a generator is another animal than a generator function
from __future__ import annotations

import logging
import runpy
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest

from volunteerkit import Finding, Kit, calling, hookimpl
from volunteerkit.errors import NotPermitted, PluginError, VolunteerkitError
from volunteerkit.hooks import KINDS

_shared = runpy.run_path(str(Path(__file__).with_name("world.py")), run_name="world")
ASKED, AT_LOAD, plugin, world_in = (_shared[name] for name in ("ASKED", "AT_LOAD", "plugin", "world_in"))
HOOKS = tuple(KINDS)
SECRET = "身份证 360599199005011234 欧阳兰"


@pytest.fixture(scope="module")
def city() -> Iterator[Any]:
    """A city that the bad plugins of this module leave as it is."""
    import volunteerkit
    from volunteerkit import KeyCipher

    made = runpy.run_path(str(Path(__file__).parents[1] / "conftest.py"), run_name="conftest")
    engine = volunteerkit.create_engine("sqlite://")
    kit = Kit.load(cipher=KeyCipher(bytes(32)))
    kit.migrate(engine)
    yield world_in(made["City"](kit, engine))
    engine.dispose()


def raises(error: BaseException) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def breaks_off() -> Iterator[Any]:
    yield from ()
    raise ValueError(SECRET)


class BreaksOff:
    def __iter__(self) -> Iterator[Any]:
        return breaks_off()


def endless() -> Iterator[Any]:
    while True:
        yield Finding("bad.again", severity="warn")


async def later() -> None:
    """Never run."""


def deep() -> Any:
    return deep()


class Twisted(Exception):
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


RAISING = {
    "error": raises(RuntimeError(SECRET)),
    "exit": raises(SystemExit(SECRET)),
    "generator_exit": raises(GeneratorExit()),
    "memory": raises(MemoryError()),
    "recursion": deep,
    "twisted": raises(Twisted()),
    "stop": raises(StopIteration(SECRET)),
}
MANY = {
    "number": lambda: 42,
    "text": lambda: SECRET,
    "bytes": lambda: b"no",
    "mapping": lambda: {"a": 1},
    "single": lambda: Finding("bad.one"),
    "objects": lambda: [object()],
    "nothing_inside": lambda: [None],
    "texts": lambda: ["no", SECRET],
    "endless": lambda: endless(),
    "breaks_off": lambda: breaks_off(),
    "iterable": lambda: BreaksOff(),
    "coroutine": lambda: later(),
}
FINDINGS = {
    "code": lambda: [Finding(42)],  # type: ignore[arg-type]
    "empty_code": lambda: [Finding("")],
    "values": lambda: [Finding("bad.x", {"who": object()})],
    "keys": lambda: [Finding("bad.x", {1: 1})],  # type: ignore[dict-item]
    "reserved": lambda: [Finding("bad.x", {"in_": "en"})],
    "texts_of_numbers": lambda: [Finding("bad.x", texts={"en": 5})],  # type: ignore[dict-item]
}
ONE = {
    "number": lambda: 42,
    "object": lambda: object(),
    "bytes": lambda: b"no",
    "coroutine": lambda: later(),
    "generator": lambda: breaks_off(),
    "texts": lambda: [SECRET],
}
NOT_RUN = {"coroutine": lambda: later(), "generator": lambda: breaks_off()}
LYING: dict[str, dict[str, Callable[[], Any]]] = {
    "contribute": MANY,
    "review": {name: each for name, each in MANY.items() if name != "endless"} | FINDINGS,
    "choose": ONE,
    "react": NOT_RUN,
}
ZOO = [
    pytest.param(hook, animal, id=f"{hook}-{name}")
    for hook, kind in KINDS.items()
    for name, animal in (RAISING | LYING[kind]).items()
]


def test_every_hook_is_asked_somewhere() -> None:
    assert {*ASKED, *AT_LOAD} == set(HOOKS)
    assert not {*ASKED} & {*AT_LOAD}


def bad(hook: str, answer: Callable[[], Any]) -> Any:
    return plugin("坏插件", **{hook: answer})


def asked(world: Any, hook: str, *plugins: Any) -> Any:
    """Let the library ask the hook."""
    return Kit.load(*plugins) if hook in AT_LOAD else ASKED[hook](world.with_(*plugins))


def tell_nothing(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """No text of a plugin's error reaches a log, a message or a traceback."""
    said = ["".join(traceback.format_exception(error)), caplog.text]
    if isinstance(error, VolunteerkitError):
        said += [error.message("zh-CN"), error.message("en"), repr(error)]
    assert not any(SECRET in each for each in said)


@pytest.mark.parametrize(("hook", "animal"), ZOO)
def test_a_bad_plugin_is_named_and_does_no_harm(
    city: Any, caplog: pytest.LogCaptureFixture, hook: str, animal: Callable[[], Any]
) -> None:
    caplog.set_level(logging.INFO, "volunteerkit")
    if KINDS[hook] == "react":
        seen: list[int] = []
        good = plugin("好插件", vk_react=lambda event: seen.append(event.seq))
        world = city.with_(bad(hook, animal), good)
        with world.one.city.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM vk_delivery")
        assert world.deliver() == len(seen) > 3
        assert world.with_(plugin("坏插件", vk_react=lambda event: None)).deliver() == len(seen)
        assert "坏插件 failed in vk_react" in caplog.text
        return
    before = city.stored()
    with pytest.raises((PluginError, NotPermitted)) as caught:
        asked(city, hook, bad(hook, animal))
    assert city.stored() == before
    for language in ("zh-CN", "en"):
        assert "坏插件" in caught.value.message(language)
        assert not caught.value.message(language).startswith(caught.value.code)
    if isinstance(caught.value, NotPermitted):
        assert (hook, caught.value.code) == ("vk_review_access", "vetoed")
    if KINDS[hook] == "review":
        assert f"坏插件 failed in {hook}" in caplog.text
    tell_nothing(caught.value, caplog)


@pytest.mark.parametrize("hook", [hook for hook, kind in KINDS.items() if kind == "review"])
def test_a_review_without_an_end_is_stopped(city: Any, monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    monkeypatch.setattr(calling, "ANSWERS_MAX", 7)
    before = city.stored()
    with pytest.raises((PluginError, NotPermitted)):
        asked(city, hook, bad(hook, lambda: endless()))
    assert city.stored() == before


@pytest.mark.parametrize("hook", HOOKS)
def test_what_stops_the_program_passes_through(city: Any, hook: str) -> None:
    def stops() -> Any:
        raise KeyboardInterrupt

    with city.one.city.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM vk_delivery")
    before = city.stored()
    with pytest.raises(KeyboardInterrupt):
        asked(city, hook, bad(hook, stops))
    assert city.stored() == before
    assert calling._answering.get() is None


@pytest.mark.parametrize("hook", HOOKS)
def test_a_slow_answer_is_told_and_counts(
    small: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, hook: str
) -> None:
    monkeypatch.setattr(calling, "SLOW_SECONDS", 0.0)
    caplog.set_level(logging.DEBUG, "volunteerkit.plugins")
    asked(world_in(small), hook, plugin("慢插件", **{hook: lambda: None}))
    told = [each for each in caplog.records if hook in each.getMessage()]
    levels = {each.levelname for each in told}
    assert levels == ({"DEBUG"} if KINDS[hook] == "react" else {"DEBUG", "WARNING"})
    assert all("慢插件" in each.getMessage() for each in told)
    assert any(" ms: -" in each.getMessage() for each in told)


@pytest.mark.parametrize("way", ["migrate", "deliver", "desk"])
def test_there_is_no_other_way_to_the_database_while_answering(small: Any, way: str) -> None:
    world = world_in(small)
    kit, engine = world.one.city.kit, world.one.city.engine
    reacting = world.with_(plugin("好插件", vk_react=lambda: None)).one.city.kit

    def desk() -> None:
        with engine.connect() as connection:
            kit.desk(connection, _shared["CENTRE"])

    ways = {"migrate": lambda: kit.migrate(engine), "deliver": lambda: reacting.deliver(engine), "desk": desk}
    with pytest.raises(PluginError) as caught:
        asked(world, "vk_review_project", bad("vk_review_project", ways[way]))
    assert caught.value.code == "plugin_reentered"


@pytest.mark.parametrize("hook", HOOKS)
def test_only_who_reacts_may_open_the_database(small: Any, hook: str) -> None:
    world = world_in(small)
    opened: list[int] = []

    def enters() -> Any:
        with world.one.city.kit.open(world.one.city.engine, _shared["CENTRE"], read_only=True) as desk:
            opened.append(desk.connection.exec_driver_sql("SELECT 1").scalar_one())

    if KINDS[hook] == "react":
        assert asked(world, hook, bad(hook, enters)) == len(opened) > 3
        return
    before = world.stored()
    with pytest.raises((PluginError, NotPermitted)) as caught:
        asked(world, hook, bad(hook, enters))
    assert (opened, world.stored()) == ([], before)
    assert caught.value.code in ("plugin_reentered", "vetoed")
    with world.one.city.kit.open(world.one.city.engine, _shared["CENTRE"]):
        pass  # the city is as open as before


def changeable(value: Any, path: str) -> Iterator[str]:
    """Yield where a value given to a plugin could be changed for whoever gets it next."""
    if isinstance(value, list | dict | set | bytearray):
        yield path
    elif isinstance(value, MappingProxyType | tuple | frozenset):
        parts = value.items() if isinstance(value, Mapping) else value
        for part in parts:
            yield from changeable(part, f"{path}[]")
    elif attrs.has(type(value)):
        if (
            not hasattr(type(value), "__attrs_props__")
            and not type(value).__setattr__ is not object.__setattr__
        ):
            yield path
        for each in attrs.fields(type(value)):
            yield from changeable(getattr(value, each.name), f"{path}.{each.name}")


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if hook not in AT_LOAD])
def test_nothing_that_a_plugin_gets_can_be_changed(small: Any, hook: str) -> None:
    given: list[dict[str, Any]] = []
    names = calling.arguments(hook)
    call: dict[str, Any] = {}
    exec(f"def answer({', '.join(names)}):\n    given.append(dict({', '.join(f'{n}={n}' for n in names)}))",
         {"given": given}, call)  # fmt: skip
    asked(world_in(small), hook, plugin("好插件", **{hook: call["answer"]}))
    assert given
    found = {where for each in given for name, value in each.items() for where in changeable(value, name)}
    assert found == ({"event.payload"} if hook == "vk_react" else set())


def test_an_events_payload_is_each_plugins_own(small: Any) -> None:
    seen: dict[int, dict[str, Any]] = {}
    world = world_in(small).with_(
        plugin("甲", vk_react=lambda event: event.payload.clear()),
        plugin("乙", vk_react=lambda event: seen.update({event.seq: dict(event.payload)})),
        plugin("丙", vk_react=lambda event: event.payload.clear()),
    )
    before = world.stored()["vk_event"]
    world.deliver()
    assert any(seen.values())
    assert world.stored()["vk_event"] == before


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("option", ["tryfirst", "trylast", "wrapper", "hookwrapper"])
def test_no_plugin_comes_first_or_last(hook: str, option: str) -> None:
    def answer() -> Any:
        return None

    marked = hookimpl(**{option: True})(answer)
    body = plugin("坏插件", **{hook: lambda: None})
    setattr(body, hook, marked)
    with pytest.raises(PluginError) as caught:
        Kit.load(body)
    assert (caught.value.code, caught.value.values["hook"]) == ("plugin_order", hook)


async def asynchronous() -> None:
    """Never run."""


async def asynchronous_many() -> Any:
    yield Finding("bad.late")


NEVER_RUN = [
    pytest.param(hook, late, id=f"{hook}-{late.__name__}")
    for hook in HOOKS
    for late in (asynchronous, asynchronous_many, *([endless] if KINDS[hook] in ("choose", "react") else ()))
]


@pytest.mark.parametrize(("hook", "late"), NEVER_RUN)
def test_what_would_never_run_is_refused_when_it_is_loaded(hook: str, late: Any) -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(bad(hook, late))
    assert (caught.value.code, caught.value.values["hook"]) == ("plugin_not_plain", hook)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_misspelling_is_told_with_the_right_name(hook: str) -> None:
    with pytest.raises(PluginError) as caught:
        Kit.load(bad(hook[:-2] + hook[-1], lambda: None))
    assert caught.value.code == "plugin_hook_unknown"
    assert caught.value.values["near"].values["guess"] == hook


@pytest.mark.parametrize("hook", [hook for hook in HOOKS if calling.arguments(hook)])
def test_a_misspelt_argument_is_told_with_the_right_one(hook: str) -> None:
    right = calling.arguments(hook)[0]
    for signature in (f"{right}s", f"{right}s=None", f"*, {right}s"):
        call: dict[str, Any] = {}
        exec(f"def answer({signature}): pass", call)
        with pytest.raises(PluginError) as caught:
            Kit.load(bad(hook, call["answer"]))
        assert (caught.value.code, caught.value.values["argument"]) == ("plugin_arguments", f"{right}s")
        assert caught.value.values["near"].values["guess"] == right
        for language in ("zh-CN", "en"):
            told = caught.value.message(language)
            assert all(each in told for each in ("坏插件", hook, right, f"{right}s")), told


@pytest.mark.parametrize("signature", ["*given", "**given", "event, /"])
def test_arguments_go_by_name(signature: str) -> None:
    call: dict[str, Any] = {}
    exec(f"def answer({signature}): pass", call)
    with pytest.raises(PluginError) as caught:
        Kit.load(bad("vk_react", call["answer"]))
    assert caught.value.code == "plugin_arguments"


def test_an_argument_with_a_default_is_handed_over(small: Any) -> None:
    seen: list[Any] = []
    world_in(small).with_(plugin("好插件", vk_react=lambda event=None: seen.append(event))).deliver()
    assert seen
    assert None not in seen
