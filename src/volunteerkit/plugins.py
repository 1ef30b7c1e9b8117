"""Loading plugins: named by the portal, checked one by one, bound once, never dependent on order."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from volunteerkit import hooks, messages
from volunteerkit.calling import FAILURES, implementations
from volunteerkit.errors import PluginConflict, PluginError, did_you_mean, place_of_failure
from volunteerkit.hooks import Bound
from volunteerkit.rules.expression import LARGEST, RuleFunction

__all__ = [
    "Plugin",
    "bind",
    "catalogue",
    "contributed",
    "find",
    "guarded",
    "in_folder",
    "installed",
    "own_tables",
    "wrong_value",
]

_GROUP = "volunteerkit"
_ENDINGS = (".py", ".toml")


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
    """Return the plugin for an installed name, a path, a module or an object.

    A path leads to a ``.py`` file, to a folder that is a package, or to a ``.toml`` file, which is a rulebook
    and needs no code; a text with a ``/`` or such an ending is a path. Raises PluginError naming the plugin.
    """
    if isinstance(asked, Path) or (isinstance(asked, str) and (asked.endswith(_ENDINGS) or "/" in asked)):
        return _from_path(Path(asked))
    if isinstance(asked, str):
        return _from_name(asked)
    name = getattr(asked, "__name__", None) or type(asked).__name__
    origin = getattr(asked, "__file__", None) or "object"
    return Plugin(str(name).rpartition(".")[2], Path(str(origin)).name, asked)


def in_folder(folder: Path | str) -> tuple[Path, ...]:
    """Return what a folder of plugins holds: every ``.py`` and ``.toml`` file and every package, by name.

    Names that begin with a dot or ``_`` are passed over. Raises PluginError for what is no folder, or has no plugin.
    """
    place = Path(folder)
    if not place.is_dir():
        raise PluginError("plugin_folder", plugin=place.name, problem=messages.phrase("plugin_no_folder"))
    found = sorted(
        each
        for each in place.iterdir()
        if not each.name.startswith((".", "_"))
        and (each.suffix in _ENDINGS if each.is_file() else (each / "__init__.py").is_file())
    )
    if not found:
        raise PluginError("plugin_folder", plugin=place.name, problem=messages.phrase("plugin_nothing"))
    return tuple(found)


def _from_name(name: str) -> Plugin:
    known = installed()
    if name not in known:
        raise PluginError(
            "plugin_unknown", plugin=name, known=", ".join(known) or "-", near=did_you_mean(name, known)
        )
    try:
        return Plugin(name, known[name], importlib.import_module(known[name]))
    except FAILURES as error:
        raise PluginError("plugin_import", plugin=name, problem=place_of_failure(error)) from error


def _from_path(path: Path) -> Plugin:
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file():
        missing = "plugin_no_package" if path.is_dir() else "plugin_no_file"
        raise PluginError("plugin_import", plugin=path.name, problem=messages.phrase(missing))
    if file.suffix == ".toml":
        return Plugin(path.stem, path.name, _Rulebooks(path))
    name = f"volunteerkit_plugin_{path.stem}"
    inside = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=inside)
    if spec is None or spec.loader is None:
        raise PluginError("plugin_import", plugin=path.name, problem=messages.phrase("plugin_no_python"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except FAILURES as error:
        for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[each]
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
    """Check every plugin and return its implementations by hook, sorted by the plugins' names.

    Raises PluginError as `calling.implementations` does, PluginConflict for two plugins of one name.
    """
    named: dict[str, Plugin] = {}
    bound: dict[str, list[tuple[str, Callable[..., Any]]]] = {hook: [] for hook in hooks.KINDS}
    for plugin in sorted(plugins, key=lambda plugin: plugin.name):
        if plugin.name in named:
            raise PluginConflict(what=plugin.name, first=named[plugin.name].origin, second=plugin.origin)
        named[plugin.name] = plugin
        for hook, implementation in implementations(plugin.name, plugin.body).items():
            bound[hook].append((plugin.name, implementation))
    return {hook: tuple(found) for hook, found in bound.items()}


def contributed(bound: Bound, hook: str) -> list[tuple[str, Any]]:
    """Return [(plugin, value), …] that plugins contribute; a failing plugin is named by a PluginError."""
    return [(plugin, value) for plugin, answer in bound.get(hook, ()) for value in answer()]


def catalogue(given: Iterable[tuple[str, Any]]) -> dict[str, Mapping[str, str]]:
    """Return the texts that plugins contribute, code -> language -> text.

    Raises PluginError for what is no catalogue, or lacks a language, PluginConflict for a code that is taken.
    """
    owners, found = dict.fromkeys(messages.catalogue(), "volunteerkit"), dict[str, Mapping[str, str]]()
    for plugin, value in given:
        for code, texts in _read_texts(plugin, value).items():
            if (
                not isinstance(code, str)
                or not isinstance(texts, Mapping)
                or set(texts) != set(messages.LANGUAGES)
                or not all(isinstance(each, str) and each.strip() for each in texts.values())
            ):
                raise PluginError("plugin_texts", plugin=plugin, what=code if isinstance(code, str) else "?",
                                  known=", ".join(messages.LANGUAGES))  # fmt: skip
            if code in owners:
                raise PluginConflict(what=code, first=owners[code], second=plugin)
            owners[code], found[code] = plugin, dict(texts)
    return found


def _read_texts(plugin: str, value: object) -> Mapping[Any, Any]:
    if isinstance(value, Path):
        try:
            return tomllib.loads(value.read_text("utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problem = f"{type(error).__name__}, {value.name}"
            raise PluginError(plugin=plugin, hook="vk_messages", problem=problem) from error
    if not isinstance(value, Mapping):
        raise wrong_value(plugin, "catalogue", value)
    return value


def own_tables(given: Iterable[tuple[str, Any]]) -> tuple[Any, ...]:
    """Return the tables that plugins contribute; raises PluginError, and PluginConflict for a name of two."""
    from sqlalchemy import Table

    found, owners = dict[str, Any](), dict[str, str]()
    for plugin, table in given:
        if not isinstance(table, Table):
            raise wrong_value(plugin, "table", table)
        if table.name.startswith("vk_"):
            raise PluginError("plugin_table", plugin=plugin, what=table.name)
        if table.name in owners:
            raise PluginConflict(what=table.name, first=owners[table.name], second=plugin)
        found[table.name], owners[table.name] = table, plugin
    return tuple(found.values())


def guarded(plugin: str, function: RuleFunction) -> RuleFunction:
    """Return ``function`` so that a failure or an answer of another type than it ``gives`` names the plugin."""

    def guard(call: Callable[..., Any], fits: Callable[[Any, tuple[Any, ...]], bool]) -> Callable[..., Any]:
        @wraps(call)
        def run(*arguments: Any) -> Any:
            try:
                answer = call(*arguments)
            except FAILURES as error:
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
