"""Loading plugins: named by the portal, checked one by one, bound once, never dependent on order."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pluggy

from volunteerkit import hooks
from volunteerkit.errors import PluginConflict, PluginError, VolunteerkitError, did_you_mean, place_of_failure
from volunteerkit.rules.expression import LARGEST, RuleFunction

__all__ = ["Bound", "Plugin", "bind", "chosen", "contributed", "find", "guarded", "installed", "wrong_value"]

_GROUP = "volunteerkit"

Bound = Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]]
"""Hook name -> ((plugin name, implementation), …), sorted by plugin name."""


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Plugin:
    """A plugin that was asked for: its name, where it came from, and the module or object itself."""

    name: str
    origin: str
    body: Any = attrs.field(repr=False)


def installed() -> dict[str, str]:
    """Return the installed plugins, name -> module; none of them is active by being installed."""
    from importlib.metadata import entry_points

    return {entry.name: entry.value for entry in sorted(entry_points(group=_GROUP), key=lambda e: e.name)}


def find(asked: str | Path | ModuleType | object) -> Plugin:
    """Return the plugin for an installed name, a path to a ``.py`` or ``.toml`` file, a module or an object.

    A ``.toml`` file is a rulebook and needs no code. Raises PluginError naming the plugin.
    """
    if isinstance(asked, Path) or (isinstance(asked, str) and asked.endswith((".py", ".toml"))):
        return _from_file(Path(asked))
    if isinstance(asked, str):
        return _from_name(asked)
    name = getattr(asked, "__name__", None) or type(asked).__name__
    origin = getattr(asked, "__file__", None) or "object"
    return Plugin(str(name).rpartition(".")[2], Path(str(origin)).name, asked)


def _from_name(name: str) -> Plugin:
    known = installed()
    if name not in known:
        raise PluginError(
            "plugin_unknown", plugin=name, known=", ".join(known) or "-", near=did_you_mean(name, known)
        )
    try:
        return Plugin(name, known[name], importlib.import_module(known[name]))
    except Exception as error:
        raise PluginError("plugin_import", plugin=name, problem=place_of_failure(error)) from error


def _from_file(path: Path) -> Plugin:
    if not path.is_file():
        raise PluginError("plugin_import", plugin=path.name, problem=f"{path.name} is not a file")
    if path.suffix == ".toml":
        return Plugin(path.stem, path.name, _Rulebooks(path))
    spec = importlib.util.spec_from_file_location(f"volunteerkit_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise PluginError("plugin_import", plugin=path.name, problem="not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        raise PluginError("plugin_import", plugin=path.name, problem=place_of_failure(error)) from error
    return Plugin(path.stem, path.name, module)


class _Rulebooks:
    """A plugin that is nothing but a rulebook file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @hooks.hookimpl
    def vk_rulebooks(self) -> Iterable[Any]:
        return [self._path]


def bind(plugins: Iterable[Plugin]) -> Bound:
    """Check every plugin and return its implementations by hook.

    Raises PluginError for a misspelt hook (with the nearest name), a missing `hookimpl`, a wrong argument,
    a wrapper or a wish to be first or last, and one without any hook; PluginConflict for two plugins of one name.
    """
    manager = pluggy.PluginManager("volunteerkit")
    manager.add_hookspecs(hooks)
    named: dict[str, Plugin] = {}
    for plugin in plugins:
        if plugin.name in named:
            raise PluginConflict(what=plugin.name, first=named[plugin.name].origin, second=plugin.origin)
        named[plugin.name] = plugin
        if not _implements_one(plugin):
            raise PluginError("plugin_empty", plugin=plugin.name)
        try:
            manager.register(plugin.body, name=plugin.name)
        except pluggy.PluginValidationError as error:
            raise PluginError("plugin_arguments", plugin=plugin.name, problem=_first_line(error)) from error
        except ValueError as error:
            raise PluginError("plugin_import", plugin=plugin.name, problem=str(error)) from error
    bound: dict[str, tuple[tuple[str, Callable[..., Any]], ...]] = {}
    for hook in hooks.KINDS:
        implementations = getattr(manager.hook, hook).get_hookimpls()
        for each in implementations:
            if each.hookwrapper or each.wrapper or each.tryfirst or each.trylast:
                raise PluginError("plugin_order", plugin=each.plugin_name, hook=hook)
        bound[hook] = tuple(
            sorted(((each.plugin_name, _only_named(each.function, each.argnames)) for each in implementations),
                   key=lambda pair: pair[0])
        )  # fmt: skip
    return bound


def _first_line(error: Exception) -> str:
    return next(
        (line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__
    ).strip()


def _only_named(function: Callable[..., Any], names: Iterable[str]) -> Callable[..., Any]:
    wanted = tuple(names)
    return lambda **values: function(**{name: values[name] for name in wanted})


def _implements_one(plugin: Plugin) -> bool:
    """Tell whether there is a hook at all; raise PluginError for one that is misspelt or not marked.

    Pluggy takes all of that in silence; a city would only notice when its rule is not applied.
    """
    found = False
    for name, member in inspect.getmembers(plugin.body, callable):
        marked = getattr(member, "volunteerkit_impl", None) is not None
        if marked and name not in hooks.KINDS:
            raise PluginError("plugin_hook_unknown", plugin=plugin.name, hook=name,
                              known=", ".join(hooks.KINDS), near=did_you_mean(name, hooks.KINDS))  # fmt: skip
        if not marked and name.startswith("vk_") and not isinstance(member, ModuleType):
            raise PluginError("plugin_mark_missing", plugin=plugin.name, hook=name)
        found |= marked
    return found


def contributed(bound: Bound, hook: str) -> list[tuple[str, Any]]:
    """Return [(plugin, value), …] that plugins contribute; a failing plugin is named by a PluginError."""
    values = []
    for plugin, implementation in bound.get(hook, ()):
        try:
            values += [(plugin, value) for value in implementation() or ()]
        except VolunteerkitError as error:
            error.add_note(f"plugin {plugin}, hook {hook}")
            raise
        except Exception as error:
            raise PluginError(plugin=plugin, hook=hook, problem=place_of_failure(error)) from error
    return values


def chosen(bound: Bound, hook: str) -> tuple[str, Any] | None:
    """Return (plugin, answer) of the one plugin that answers a choose hook when the kit is loaded, or None.

    Raises PluginConflict for two answers, PluginError for a plugin that fails.
    """
    answers = []
    for plugin, implementation in bound.get(hook, ()):
        try:
            answer = implementation()
        except Exception as error:
            raise PluginError(plugin=plugin, hook=hook, problem=place_of_failure(error)) from error
        if answer is not None:
            answers.append((plugin, answer))
    if len(answers) > 1:
        raise PluginConflict(what=hook, first=answers[0][0], second=answers[1][0])
    return answers[0] if answers else None


def guarded(plugin: str, function: RuleFunction) -> RuleFunction:
    """Return ``function`` so that a failure or an answer of another type than it ``gives`` names the plugin."""

    def guard(call: Callable[..., Any], fits: Callable[[Any, tuple[Any, ...]], bool]) -> Callable[..., Any]:
        @wraps(call)
        def run(*arguments: Any) -> Any:
            try:
                answer = call(*arguments)
            except Exception as error:
                raise PluginError(
                    plugin=plugin, hook=function.name, problem=place_of_failure(error)
                ) from error
            if not fits(answer, arguments):
                raise PluginError(plugin=plugin, hook=function.name, problem=type(answer).__name__)
            return answer

        return run

    kind = bool if function.gives == "bool" else int

    def one_fits(answer: Any, arguments: tuple[Any, ...]) -> bool:
        if not all(isinstance(argument, int) for argument in arguments):
            return True  # a database's columns, whose answer is one too
        return type(answer) is kind and abs(answer) <= LARGEST

    def many_fits(answer: Any, columns: tuple[Any, ...]) -> bool:
        length = max((getattr(column, "size", 1) for column in columns), default=1)
        dtype = getattr(answer, "dtype", None)
        return dtype is not None and dtype.kind in ("b" if kind is bool else "iu") and answer.size == length

    many = None if function.many is None else guard(function.many, many_fits)
    return attrs.evolve(function, one=guard(function.one, one_fits), many=many)


def wrong_value(plugin: str, what: str, value: object) -> PluginError:
    """Return the error for a contribution of the wrong type."""
    return PluginError("plugin_value", plugin=plugin, what=what, found=type(value).__name__)
