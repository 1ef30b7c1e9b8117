"""The facts and parameters a rulebook's file declares itself: ``[fact.NAME]`` and ``[parameter]``."""

from __future__ import annotations

import datetime as dt
import keyword
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Protocol

from volunteerkit.messages import LANGUAGES
from volunteerkit.rules.expression import LARGEST, Fact, FactType
from volunteerkit.rules.facts import FACTS, IN_PARTS
from volunteerkit.rules.functions import BUILT_IN
from volunteerkit.units import day_number

__all__ = ["UNITS", "declared_facts", "new_name"]

FACTS_MAX: Final = 200

_FACT: Final = {"type": str, **dict.fromkeys(LANGUAGES, str), "unit": str, "default": object}
UNITS: Final = ("minutes", "days", "times")
_PYTHON: Final[dict[FactType, type]] = {"int": int, "bool": bool, "word": str, "date": dt.date, "words": list}


def __dir__() -> list[str]:
    return __all__


class Reader(Protocol):
    """What gathers problems with their paths; see `reading`."""

    declared: dict[str, Fact]

    def problem(self, path: str, code: str, **values: Any) -> None:
        """Note a problem."""

    def misspelt(self, path: str, code: str, name: str, known: list[str]) -> None:
        """Note a word that is not known, with the nearest one."""

    def table(
        self, data: Any, allowed: Mapping[str, type], path: str, needed: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return the entries that are known and of the right type."""


def declared_facts(reader: Reader, top: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Return what ``[fact.NAME]`` and ``[parameter]`` of the file declare; problems go to ``reader``.

    A parameter is a fact with a value that the caller may replace; its type is the value's.
    """
    facts, parameters = top.get("fact", {}), top.get("parameter", {})
    if len(facts) + len(parameters) > FACTS_MAX:
        reader.problem("$.fact", "rulebook_too_many", count=len(facts) + len(parameters), limit=FACTS_MAX)
        return ()
    found = [_fact(reader, name, data, f"$.fact.{name}") for name, data in facts.items()]
    for name, value in parameters.items():
        path = f"$.parameter.{name}"
        if name in facts:
            reader.problem(path, "rulebook_fact_taken", name=name)
            continue
        type_ = next((each for each, python in _PYTHON.items() if type(value) is python), None)
        if type_ is None or not _fits(value):
            reader.problem(path, "rulebook_parameter", name=name, limit=LARGEST)
        elif new_name(reader, name, path):
            found.append(Fact(name, type_, name, name, default=_default(value)))
    return tuple(fact for fact in found if fact is not None)


def _fact(reader: Reader, name: str, data: Any, path: str) -> Fact | None:
    named = new_name(reader, name, path)
    default = data.get("default") if isinstance(data, dict) else None
    rest = {key: value for key, value in data.items() if key != "default"} if isinstance(data, dict) else data
    got = reader.table(rest, _FACT, path, ("type", *LANGUAGES))
    type_, unit = got.get("type"), got.get("unit", "")
    if "type" in got and type_ not in _PYTHON:
        reader.misspelt(f"{path}.type", "rulebook_choice", str(type_), list(_PYTHON))
        return None
    if unit and unit not in UNITS:
        reader.misspelt(f"{path}.unit", "rulebook_choice", unit, list(UNITS))
    if not named or type_ is None or any(language not in got for language in LANGUAGES):
        return None
    if default is not None and (type(default) is not _PYTHON[type_] or not _fits(default)):
        reader.problem(f"{path}.default", "rulebook_default", wanted=type_, limit=LARGEST)
    return Fact(name, type_, got["zh-CN"], got["en"], unit, _default(default))


def new_name(reader: Reader, name: str, path: str) -> bool:
    """Tell whether rules can use this name for a new fact; note it otherwise."""
    plain = name.isidentifier() and not keyword.iskeyword(name)
    if not plain or unicodedata.normalize("NFKC", name) != name:  # as Python reads names
        reader.problem(path, "rulebook_fact_name", name=name)
    elif name in FACTS or name in IN_PARTS or name in reader.declared or name in {*BUILT_IN, "date"}:
        reader.problem(path, "rulebook_fact_taken", name=name)
    else:
        return True
    return False


def _fits(value: Any) -> bool:
    if isinstance(value, list):
        return all(type(each) is str for each in value)
    return not isinstance(value, int) or abs(value) <= LARGEST


def _default(value: Any) -> int | bool | str | tuple[str, ...] | None:
    if isinstance(value, list):
        return tuple(value)
    return day_number(value) if isinstance(value, dt.date) else value
