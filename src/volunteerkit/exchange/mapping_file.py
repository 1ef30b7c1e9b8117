"""The file that describes a foreign layout: read strictly, every problem told with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from volunteerkit.clock import zone_named
from volunteerkit.errors import ImportRefused, InvalidValue, did_you_mean, nearest
from volunteerkit.exchange.layouts import ENTITIES, REQUIRED
from volunteerkit.ledger import DAY_MINUTES
from volunteerkit.messages import Phrase, phrase

__all__ = ["SESSION", "Column", "FileMapping", "Mapping", "read_mapping"]

SESSION: Final = ("checked_in_at", "checked_out_at", "received_at")
"""Fields of service records beside the table's own: instants that become day, times and hours."""

_Problem = tuple[tuple[str | int, ...], Phrase]
"""Where in the file, as keys and positions, and what is wrong there."""

# what strptime knows
_FORMAT: Final = re.compile(r"epoch|(?=.*%)(?:[^%]|%[aAwdbBmyYHIMSpfzZjUWcxXGuV%])+")
_KINDS: Final = {
    "str": "mapping_text",
    "int": "mapping_number",
    "bool": "mapping_bool",
    "list": "mapping_list",
}


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Column:
    """Where a field's text comes from: a column, several joined, the first that is filled, or a constant."""

    column: str = ""
    join: tuple[str, ...] = ()
    first_of: tuple[str, ...] = ()
    constant: str = ""
    default: str = ""
    formats: tuple[str, ...] = ()
    words: dict[str, str] = attrs.field(factory=dict, hash=False)


@attrs.frozen
class FileMapping:
    """One table in one file.

    Rows where a column of ``skip_empty`` is empty are left out and counted; with ``distinct`` only the
    first row of every id is taken. Sessions without a check-out, or longer than ``close_after_minutes``,
    are closed there and wait as pending.
    """

    name: str
    entity: str
    columns: dict[str, Column] = attrs.field(hash=False)
    skip_empty: tuple[str, ...] = ()
    distinct: bool = False
    rounding: Literal["up", "down"] = "up"
    close_after_minutes: int = 720
    clock_tolerance_seconds: int = 60


@attrs.frozen
class Mapping:
    """A foreign layout: the source's name, the zone of its place, its files in the order they are loaded."""

    source: str
    zone: str
    file: tuple[FileMapping, ...]


def read_mapping(path: Path) -> Mapping:
    """Read a mapping file strictly; raises ImportRefused naming every problem with its line and path."""
    try:
        text = path.read_text("utf-8-sig")
    except OSError:
        raise ImportRefused("mapping_missing", file=path.name) from None
    except UnicodeDecodeError:
        raise ImportRefused("mapping_invalid", file=path.name, problems=phrase("rulebook_not_utf8")) from None
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line ([0-9]+), column ([0-9]+)", str(error))
        line, column = place.groups() if place else (text.count("\n") + 1, 1)
        problem = phrase("mapping_not_toml", line=line, column=column)
        raise ImportRefused("mapping_invalid", file=path.name, problems=problem) from None
    made = _structured(data)
    problems = tuple(_wrong(made)) if isinstance(made, Mapping) else made
    if problems:
        told = tuple(_told(text, where, what) for where, what in problems)
        raise ImportRefused("mapping_invalid", file=path.name, problems=told)
    assert isinstance(made, Mapping)
    return made


def _structured(data: dict[str, Any]) -> Mapping | tuple[_Problem, ...]:
    """Return the mapping, or what has a wrong name or type in it."""
    import cattrs
    from cattrs.errors import BaseValidationError

    files = data.get("file", [])
    if not isinstance(files, list) or not all(isinstance(each, dict) for each in files):
        return ((("file",), phrase("mapping_files")),)
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, _exactly)
    # A list is a list: a text is not taken for the list of its letters.
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[str, ...],
        lambda value, _: tuple(_exactly(part, str) for part in _exactly(value, list)),
    )
    columns = converter.get_structure_hook(Column)
    converter.register_structure_hook(
        Column, lambda value, kind: Column(value) if isinstance(value, str) else columns(value, kind)
    )
    try:
        return converter.structure(data, Mapping)
    except BaseValidationError as error:
        return tuple(_problems(error, ()))


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value


def _problems(error: BaseException, path: tuple[str | int, ...]) -> Iterator[_Problem]:
    """Yield what has a wrong name or type in a mapping."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    match error:
        case BaseValidationError():
            parts, others = error.group_exceptions()  # type: ignore[attr-defined]
            for part, note in parts:
                yield from _problems(part, (*path, getattr(note, "name", None) or note.index))
            for other in others:
                yield from _problems(other, path)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            for name in sorted(error.extra_fields):
                guess = nearest(name, known)
                code = "rulebook_unknown_key_near" if guess else "rulebook_unknown_key"
                yield (*path, name), phrase(code, name=name, known=", ".join(known), guess=guess)
        case KeyError():
            yield path, phrase("rulebook_missing_key", name=error.args[0])
        case TypeError(args=(str(kind),)) if kind in _KINDS:
            yield path, phrase(_KINDS[kind])
        case _:
            yield path, phrase("mapping_rounding" if path[-1:] == ("rounding",) else "mapping_value")


def _wrong(made: Mapping) -> Iterator[_Problem]:
    """Yield what is well-formed and cannot be meant."""
    if not made.source.strip():
        yield ("source",), phrase("mapping_text")
    try:
        zone_named(made.zone)
    except InvalidValue as error:
        yield ("zone",), phrase(error.code, **error.values)
    if not made.file:
        yield ("file",), phrase("mapping_files")
    for number, file in enumerate(made.file):
        at = ("file", number)
        if file.entity not in ENTITIES:
            yield (*at, "entity"), phrase("mapping_entity", entity=file.entity, near=did_you_mean(file.entity, ENTITIES),
                                          known=", ".join(ENTITIES))  # fmt: skip
            continue
        for name, least in (("close_after_minutes", 1), ("clock_tolerance_seconds", 0)):
            if not least <= getattr(file, name) <= DAY_MINUTES:
                allowed = f"{least} … {DAY_MINUTES}"
                yield (
                    (*at, name),
                    phrase("invalid_value", name=name, value=getattr(file, name), allowed=allowed),
                )
        fields = (*ENTITIES[file.entity], *(SESSION if file.entity == "service_records" else ()))
        for field, column in file.columns.items():
            yield from _wrong_column((*at, "columns", field), file.entity, field, column, fields)
        made_here = {"service_date", "hours", "status"} if "checked_in_at" in file.columns else set()
        if missing := [field for field in REQUIRED[file.entity] if field not in {*file.columns, *made_here}]:
            yield (
                (*at, "columns"),
                phrase("mapping_fields_missing", entity=file.entity, fields=", ".join(missing)),
            )


def _wrong_column(
    at: tuple[str | int, ...], entity: str, field: str, column: Column, fields: Sequence[str]
) -> Iterator[_Problem]:
    if field not in fields:
        near = did_you_mean(field, fields)
        yield at, phrase("mapping_field", field=field, entity=entity, near=near, known=", ".join(fields))
    given = [name for name in ("column", "join", "first_of", "constant") if getattr(column, name)]
    # a constant may be empty: the field is left empty on purpose
    if len(given) > 1:
        yield at, phrase("mapping_one_source", given=", ".join(given))
    for form in column.formats:
        if not _FORMAT.fullmatch(form):
            yield (*at, "formats"), phrase("mapping_format", form=form)


def _told(text: str, where: Sequence[str | int], what: Phrase) -> Phrase:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return phrase("mapping_problem", line=_line(text, where), path=path.removeprefix("."), problem=what)


def _line(text: str, where: Sequence[str | int]) -> int:
    """Return the line on which the deepest part of ``where`` that can be found is set, from 1."""
    lines, found, last = text.splitlines(), 0, len(text.splitlines())
    for part in where:
        if isinstance(part, int):
            begins = [at for at, line in enumerate(lines) if re.match(r"\s*\[\[\s*file\s*\]\]", line)]
            if part < len(begins):
                found, last = begins[part], [*begins, len(lines)][part + 1]
            continue
        name = re.escape(part)
        key = re.compile(rf"""(?:^|[{{,.\[])\s*["']?{name}["']?\s*(?:=|\.|\])""")
        found = next((at for at in range(found, last) if key.search(lines[at])), found)
    return found + 1
