"""What ``plugin check`` is pointed at: an installed plugin, a file, or a folder with a package or rulebooks."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from volunteerkit.errors import InvalidValue, PluginError, place_of_failure
from volunteerkit.messages import phrase
from volunteerkit.plugins import find

__all__ = ["Target", "targets_of"]


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Target:
    """One plugin to be checked: what `Kit.load` takes, its name, and the folders its cases may stand in.

    ``spec`` finds it again from another process, None for an object that only this one has.
    """

    name: str
    asked: Any = attrs.field(repr=False)
    folders: tuple[Path, ...] = ()
    spec: str | None = None

    @property
    def cases(self) -> tuple[Path, ...]:
        """Its files of cases."""
        files = (file for folder in self.folders for file in sorted(folder.glob("*")))
        return tuple(dict.fromkeys(file for file in files if file.suffix in (".toml", ".json")))


def targets_of(asked: str | Path | ModuleType | object) -> tuple[Target, ...]:
    """Return the plugins meant by a name, a ``.py`` or ``.toml`` file, a folder, a module or an object.

    A folder is a package with a ``pyproject.toml``, whose plugins are those it declares, or holds rulebooks.
    Raises PluginError and InvalidValue.
    """
    if isinstance(asked, str | Path) and Path(asked).is_dir():
        return _of_folder(Path(asked))
    plugin = find(asked)
    spec = str(asked) if isinstance(asked, str | Path) else None
    place = getattr(plugin.body, "__file__", None) or (spec if spec and Path(spec).is_file() else None)
    wanted = Path(asked) if isinstance(asked, str | Path) and Path(asked).is_file() else asked
    return (Target(plugin.name, wanted, _folders(Path(place)) if place else (), spec),)


def _folders(file: Path) -> tuple[Path, ...]:
    """Return where the cases of a module or rulebook may stand: beside it, or beside its pyproject.toml."""
    project = next((each for each in file.resolve().parents[1:4] if (each / "pyproject.toml").exists()), None)
    wanted = [file.parent / "cases", *([project / "cases"] if project else [])]
    return tuple(each for each in wanted if each.is_dir())


def _of_folder(folder: Path) -> tuple[Target, ...]:
    declared = folder / "pyproject.toml"
    if not declared.exists():
        books = sorted(folder.glob("*.toml"))
        if not books:
            raise InvalidValue("plugin_folder_empty", place=str(folder))
        return tuple(target for book in books for target in targets_of(book))
    try:
        entries = tomllib.loads(declared.read_text("utf-8"))["project"]["entry-points"]["volunteerkit"]
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidValue("plugin_folder_empty", place=str(folder)) from None
    source = str((folder / "src" if (folder / "src").is_dir() else folder).resolve())
    if source not in sys.path:
        sys.path.insert(0, source)
    found = []
    for name, module in entries.items():
        try:
            body = importlib.import_module(module)
        except Exception as error:
            raise PluginError("plugin_import", plugin=name, problem=place_of_failure(error)) from error
        place = getattr(body, "__file__", None)
        if place is None or not Path(place).resolve().is_relative_to(Path(source)):
            problem = phrase("plugin_from_elsewhere")  # an installed copy would be checked instead
            raise PluginError("plugin_import", plugin=name, problem=problem)
        found.append(Target(name, body, _folders(Path(place)), f"{source}::{module}"))
    return tuple(found)
