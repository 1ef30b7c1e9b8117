"""Foreign layouts: a TOML file says which column is which, and how check-ins become hours.

Every ``[[file]]`` reads one table out of one CSV file; several may read the same file, so that a lone file
of sessions also yields its organization, projects and volunteers (``distinct = true``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from volunteerkit.clock import zone_named
from volunteerkit.errors import ImportRefused, did_you_mean
from volunteerkit.exchange import decoding
from volunteerkit.exchange.cells import Cell, clean, read_day, read_instant
from volunteerkit.exchange.layouts import ENTITIES, is_title
from volunteerkit.exchange.mapping_file import Column, FileMapping, Mapping, read_mapping
from volunteerkit.exchange.reading import Plan, Source, csv_files
from volunteerkit.messages import phrase
from volunteerkit.privacy import hide
from volunteerkit.units import day_of

__all__ = ["plan_mapped"]

_DAYS = frozenset({"service_date", "birth_date", "start_date", "end_date"})
_DIGITS = re.compile("[0-9]{4}")
_MINUTE = dt.timedelta(minutes=1)


def __dir__() -> list[str]:
    return __all__


def plan_mapped(folder: Path, path: Path) -> Plan:
    """Return the plan for a folder in a foreign layout; raises ImportRefused."""
    mapping = read_mapping(path)
    zone = zone_named(mapping.zone)
    return Plan(mapping.source, tuple(_source(folder, mapping, file, zone) for file in mapping.file))


def _source(folder: Path, mapping: Mapping, file: FileMapping, zone: ZoneInfo) -> Source:
    path = folder / file.name
    if not path.is_file():
        near = did_you_mean(file.name, [each.name for each in csv_files(folder)])
        raise ImportRefused("mapping_file_missing", file=file.name, folder=folder.name, near=near)
    header, named = decoding.header(path)
    titles = [clean(title) for title in header]

    def position(title: str) -> int:
        # A title that stands twice means its first column.
        if title not in titles:
            raise _column_missing(file, title, titles)
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


def _column_missing(file: FileMapping, title: str, titles: list[str]) -> ImportRefused:
    mapped = {name for each in file.columns.values() for name in (each.column, *each.join, *each.first_of)}
    # Without a header the titles are somebody's data; with one of the mapping's titles there is a header.
    header = not mapped.isdisjoint(titles)

    def tellable(each: str) -> bool:
        return (
            each in mapped or is_title(each) or (header and hide(each) == each and not _DIGITS.search(each))
        )

    known = [each if tellable(each) else f"#{at}" for at, each in enumerate(titles, 1)]
    hidden = phrase("columns_by_number") if not all(map(tellable, titles)) else ""
    near = did_you_mean(title, [each for each in titles if tellable(each)])
    return ImportRefused("mapping_column_missing", column=title, file=file.name, near=near, known=", ".join(known),
                         hidden=hidden)  # fmt: skip


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
            raise Cell(problem.reason, column=_title(file.columns[field]), shown=text) from None

    start, end, received = instant("checked_in_at"), instant("checked_out_at"), instant("received_at")
    if start is None:
        raise Cell("check_in_missing", column=_title(file.columns["checked_in_at"]))
    flags = []
    limit = start + file.close_after_minutes * _MINUTE
    state = getters["status"](row) if "status" in getters else "confirmed"
    if end is None or end > limit:
        end, state = limit, "pending"
        flags.append("check_out_forgotten")
    elif end < start:
        local_end = f"{end.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        raise Cell("ends_before_start", column=_title(file.columns["checked_out_at"]), shown=local_end)
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
