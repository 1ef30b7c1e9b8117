"""Foreign layouts: a TOML file says which column is which, and how check-ins become hours.

Every ``[[file]]`` reads one table out of one CSV file; several may read the same file, so that a lone file
of sessions also yields its organization, projects and volunteers (``distinct = true``).
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import attrs

from volunteerkit.clock import zone_named
from volunteerkit.errors import ImportRefused, did_you_mean, nearest
from volunteerkit.exchange import decoding
from volunteerkit.exchange.cells import Cell, clean, read_day, read_instant
from volunteerkit.exchange.layouts import ENTITIES, REQUIRED, in_minutes, is_title
from volunteerkit.exchange.reading import Plan, Source
from volunteerkit.messages import Phrase, phrase
from volunteerkit.units import day_of

__all__ = ["Column", "FileMapping", "Mapping", "plan_mapped", "read_mapping"]

_SESSION = ("checked_in_at", "checked_out_at", "received_at")
_DAYS = frozenset({"service_date", "birth_date", "start_date", "end_date"})
_MINUTE = dt.timedelta(minutes=1)


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
    """Read a mapping file strictly; raises ImportRefused naming every problem with its path."""
    import cattrs
    from cattrs.errors import BaseValidationError

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
        made = converter.structure(tomllib.loads(path.read_text("utf-8-sig")), Mapping)
    except OSError:
        raise ImportRefused("mapping_missing", file=path.name) from None
    except (BaseValidationError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ImportRefused(
            "mapping_invalid", file=path.name, problems=tuple(_problems(error, "$"))
        ) from None
    for file in made.file:
        if file.entity not in ENTITIES:
            raise ImportRefused("mapping_entity", entity=file.entity, known=", ".join(ENTITIES))
        fields = (*ENTITIES[file.entity], *(_SESSION if file.entity == "service_records" else ()))
        for field in file.columns:
            if field not in fields:
                raise ImportRefused("mapping_field", field=field, entity=file.entity, near=did_you_mean(field, fields),
                                    known=", ".join(fields))  # fmt: skip
        given = set(file.columns)
        made_here = {"service_date", "hours", "status"} if "checked_in_at" in given else set()
        if missing := [field for field in REQUIRED[file.entity] if field not in given | made_here]:
            raise ImportRefused("mapping_fields_missing", entity=file.entity, fields=", ".join(missing))
    return made


def _exactly(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__, type(value).__name__)
    return value


def _problems(error: BaseException, path: str) -> Iterator[Phrase]:
    """Yield what is wrong with a mapping, each with its path, as phrases."""
    from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

    def told(code: str, at: str = path, **values: object) -> Phrase:
        return phrase("mapping_problem", path=at, problem=phrase(code, **values))

    match error:
        case BaseValidationError():
            parts, others = error.group_exceptions()  # type: ignore[attr-defined]
            for part, note in parts:
                name = getattr(note, "name", None)
                yield from _problems(part, f"{path}.{name}" if name else f"{path}[{note.index}]")
            for other in others:
                yield from _problems(other, path)
        case ForbiddenExtraKeysError():
            known = [field.name for field in attrs.fields(error.cl)]
            for name in sorted(error.extra_fields):
                guess = nearest(name, known)
                code = "rulebook_unknown_key_near" if guess else "rulebook_unknown_key"
                yield told(code, name=name, known=", ".join(known), guess=guess)
        case KeyError():
            yield told("rulebook_missing_key", name=error.args[0])
        case tomllib.TOMLDecodeError():
            places = re.search(r"line ([0-9]+), column ([0-9]+)", str(error))
            yield told("mapping_not_toml", f"{places[1]}:{places[2]}" if places else "$")
        case UnicodeDecodeError():
            yield told("rulebook_not_utf8")
        case _:
            yield told("mapping_value")


def plan_mapped(folder: Path, path: Path) -> Plan:
    """Return the plan for a folder in a foreign layout; raises ImportRefused."""
    mapping = read_mapping(path)
    zone = zone_named(mapping.zone)
    return Plan(mapping.source, tuple(_source(folder, mapping, file, zone) for file in mapping.file))


def _source(folder: Path, mapping: Mapping, file: FileMapping, zone: ZoneInfo) -> Source:
    path = folder / file.name
    if not path.is_file():
        raise ImportRefused("mapping_file_missing", file=file.name, folder=folder.name)
    header, named = decoding.header(path)
    titles = [clean(title) for title in header]

    mapped = {
        title for column in file.columns.values() for title in (column.column, *column.join, *column.first_of)
    }

    def tellable(title: str) -> bool:
        # Without a header the titles are somebody's data.
        return title in mapped or is_title(title)

    def position(title: str) -> int:
        # A title that stands twice means its first column.
        if title not in titles:
            raise ImportRefused(
                "mapping_column_missing",
                column=title,
                file=file.name,
                near=did_you_mean(title, [each for each in titles if tellable(each)]),
                known=", ".join(each if tellable(each) else f"#{at}" for at, each in enumerate(titles, 1)),
            )
        return titles.index(title)

    getters = {field: _getter(column, position, field) for field, column in file.columns.items()}
    required = [(title, position(title)) for title in file.skip_empty]
    fields = tuple(ENTITIES[file.entity])
    shown = {field: _title(column) for field, column in file.columns.items()}
    seen: set[str] = set()

    def cells(row: Sequence[str]) -> Sequence[str]:
        for title, at in required:
            if not row[at].strip():
                raise Cell("skipped_empty", column=title, skipped=True)
        if file.distinct:
            key = getters[fields[0]](row)
            if key in seen:
                raise Cell("skipped_seen", column=shown.get(fields[0], ""), skipped=True)
            seen.add(key)
        if "checked_in_at" in getters:
            return _session(file, getters, row, fields, zone)
        return [getters[field](row) if field in getters else "" for field in fields]

    return Source(mapping.source, path, file.entity, fields, shown, len(header), named, cells, seen.clear)


def _title(column: Column) -> str:
    return column.column or "+".join(column.join or column.first_of)


_Getter = Callable[[Sequence[str]], str]


def _getter(column: Column, position: Callable[[str], int], field: str) -> _Getter:
    one, title = position(column.column) if column.column else -1, _title(column)
    joined, first = [position(title) for title in column.join], [position(title) for title in column.first_of]

    def get(row: Sequence[str]) -> str:
        if one >= 0:
            text = row[one]
        elif joined:
            text = " ".join(row[at].strip() for at in joined if row[at].strip())
        elif first:
            text = next((row[at] for at in first if row[at].strip()), "")
        else:
            text = column.constant
        text = text.strip() or column.default
        if text in column.words:
            return column.words[text]
        if field == "hours":
            return in_minutes(column.column, text)
        if not column.formats or not text:
            return text
        try:
            if field in _DAYS:
                return day_of(read_day(text, column.formats)).isoformat()
            if field == "registered_at":
                return read_instant(text, column.formats, ZoneInfo("UTC")).strftime("%Y-%m-%d %H:%M")
        except Cell as problem:
            raise Cell(problem.reason, field=field, column=title, shown=text) from None
        return text

    return get


def _session(
    file: FileMapping,
    getters: dict[str, _Getter],
    row: Sequence[str],
    fields: tuple[str, ...],
    zone: ZoneInfo,
) -> list[str]:
    """Turn a check-in and a check-out into day, start, end and minutes; lengths are taken in UTC."""

    def instant(field: str) -> dt.datetime | None:
        text = getters[field](row) if field in getters else ""
        try:
            return read_instant(text, file.columns[field].formats, zone).astimezone(dt.UTC) if text else None
        except Cell as problem:
            raise Cell(problem.reason, column=file.columns[field].column, shown=text) from None

    start, end, received = instant("checked_in_at"), instant("checked_out_at"), instant("received_at")
    if start is None:
        raise Cell("check_in_missing", column=file.columns["checked_in_at"].column)
    flags = []
    limit = start + file.close_after_minutes * _MINUTE
    state = getters["status"](row) if "status" in getters else "confirmed"
    if end is None or end > limit:
        end, state = limit, "pending"
        flags.append("check_out_forgotten")
    elif end < start:
        raise Cell("ends_before_start", column=file.columns["checked_out_at"].column, shown=end.isoformat())
    elif received is not None and received < end - dt.timedelta(seconds=file.clock_tolerance_seconds):
        flags.append("clock_fast")
    begin = start.replace(second=0, microsecond=0)
    minutes = -((begin - end) // _MINUTE) if file.rounding == "up" else (end - start) // _MINUTE
    finish = begin + max(minutes, 1) * _MINUTE
    local, until = begin.astimezone(zone), finish.astimezone(zone)
    found = {
        "service_date": local.date().isoformat(), "start_time": local.strftime("%H:%M"),
        "end_time": until.strftime("%H:%M"), "hours": f"{max(minutes, 1) if file.rounding == 'up' else minutes}分钟",
        "status": state,
    }  # fmt: skip
    texts = [
        found[field] if field in found else getters[field](row) if field in getters else ""
        for field in fields
    ]
    # Sessions of seconds fall into the same minute without being repeats: their exact times tell them apart.
    return [*texts, " ".join(flags), f"{start.isoformat()} {end.isoformat()}"]
