"""What ``plugin new`` writes: a package for a city's rules, from the files in ``template`` beside this module."""

from __future__ import annotations

import keyword
import re
import shutil
import tempfile
from collections.abc import Container
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import count
from pathlib import Path
from typing import Final

from volunteerkit.errors import InvalidValue, StorageError, cause_of
from volunteerkit.messages import phrase
from volunteerkit.plugins import installed
from volunteerkit.rules import builtin_rulebooks
from volunteerkit.units import fold

__all__ = ["legal_name", "new_plugin"]

LONGEST: Final = 40

_NAME: Final = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST - 1}}}")
_RESERVED: Final = {"volunteerkit", "test", "tests", "regime", "case", "cases", "con", "prn", "aux", "nul"}


def __dir__() -> list[str]:
    return __all__


def new_plugin(name: str, folder: Path) -> Path:
    """Write a package for the plugin ``name`` into a new folder of ``folder`` and return where it is.

    Raises InvalidValue for a name that cannot be one, with the nearest that can, and StorageError where the
    folder is taken or cannot be written; then nothing was written.
    """
    check_name(name)
    if not folder.is_dir():
        raise StorageError("plugin_folder_missing", place=str(folder))
    place = folder / f"volunteerkit-{name.replace('_', '-')}"
    if place.exists() or place.is_symlink():
        raise StorageError("plugin_folder_taken", place=str(place))
    try:
        made = Path(tempfile.mkdtemp(dir=folder, prefix=".volunteerkit-"))
        try:
            made.chmod(0o755)  # it begins as one that nobody else may read
            _write(files("volunteerkit.cli").joinpath("template"), made, name)
            made.rename(place)
        except OSError:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError("file_failed", place=str(place), cause=cause_of(error)) from None
    return place


def _write(template: Traversable, place: Path, name: str) -> None:
    """Write one folder of the template; names and texts stand in it between signs of at."""
    for each in template.iterdir():
        if each.name == "__pycache__":
            continue
        # a template is no module of ours: what is to be Python ends in .txt as long as it lies here
        target = place / each.name.removesuffix(".txt").replace("NAME", name)
        if each.is_dir():
            target.mkdir()
            _write(each, target, name)
        else:
            text = each.read_text("utf-8").replace("@NAME@", name).replace("@DIST@", name.replace("_", "-"))
            target.write_text(text, "utf-8", newline="\n")


def check_name(name: str) -> None:
    """Refuse what cannot be a plugin's name, with the nearest name that can.

    >>> check_name("yushui")
    >>> check_name("Yushui-2026")
    Traceback (most recent call last):
    volunteerkit.errors.InvalidValue: ...
    """
    taken = _taken()
    guess = legal_name(name, taken)
    if not _NAME.fullmatch(name):
        raise InvalidValue("plugin_name", name=_shown(name), guess=guess, most=LONGEST)
    if name in taken:
        raise InvalidValue("plugin_name_taken", name=name, by=taken[name], guess=guess)


def _taken() -> dict[str, object]:
    """Return names that mean something already, and what they mean."""
    books = {book.id: phrase("plugin_name_rulebook") for book in builtin_rulebooks()}
    words = {*keyword.kwlist, *keyword.softkwlist, *_RESERVED}
    plugins = dict.fromkeys(installed(), phrase("plugin_name_installed"))
    return {**dict.fromkeys((word.lower() for word in words), phrase("plugin_name_word")), **books, **plugins}


def legal_name(name: str, taken: Container[str] = ()) -> str:
    """Return the nearest name that a plugin may have.

    >>> legal_name("Yushui-2026"), legal_name("2026 渝水"), legal_name("plain", ["plain"])
    ('yushui_2026', 'city_2026', 'plain_city')
    """
    found = re.sub(r"[^a-z0-9]+", "_", fold(name).lower()).strip("_") or "my_city"
    found = f"city_{found}" if found[0].isdigit() else found
    found = found[:LONGEST].rstrip("_")
    if found not in taken:
        return found
    free = (f"{found[: LONGEST - 8]}_city{'' if n == 1 else f'_{n}'}" for n in count(1))
    return next(each for each in free if each not in taken)


def _shown(name: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in name[:60])
