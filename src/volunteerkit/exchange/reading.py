"""From a folder to the files in it, and from a file to rows of cells in one fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import attrs

from volunteerkit.errors import ImportRefused
from volunteerkit.exchange import decoding
from volunteerkit.exchange.cells import Cell
from volunteerkit.exchange.layouts import (
    ENTITIES,
    Recognised,
    recognise,
    table_named,
    titles_for,
    unplaced_titles,
)
from volunteerkit.messages import Phrase, phrase

__all__ = ["LeftOut", "Plan", "Source", "csv_files", "plan_directory"]


def __dir__() -> list[str]:
    return __all__


Cells = Callable[[Sequence[str]], Sequence[str]]


@attrs.frozen
class Source:
    """A file with a table of one kind.

    ``fields`` is the order in which `rows` gives cells; ``titles`` are the file's own headers by field;
    ``width`` is the columns of the header, ``named`` those up to the last one with a title;
    ``name`` is the source system, under whose name record ids are unique.
    """

    name: str
    path: Path
    entity: str
    fields: tuple[str, ...]
    titles: dict[str, str] = attrs.field(repr=False)
    width: int
    named: int
    cells: Cells = attrs.field(repr=False)
    fresh: Callable[[], None] = attrs.field(default=lambda: None, repr=False)

    @property
    def file(self) -> str:
        """The file's name as it is told and kept."""
        return decoding.file_name(self.path)

    def header(self, field: str) -> str:
        """Return what the file calls ``field``."""
        return self.titles.get(field, field)

    def rows(self) -> Iterator[tuple[int, Sequence[str] | Cell]]:
        """Yield (row number, cells in the order of ``fields``), or the Cell that says why a row is refused."""
        width, cells = self.width, self.cells
        self.fresh()
        rows = decoding.rows(self.path)
        next(rows, None)
        for number, row in rows:
            if len(row) != width:
                if len(row) < self.named or any(row[width:]):
                    yield number, Cell("columns_mismatch", shown=f"{len(row)} ≠ {width}")
                    continue
                # Spreadsheets add empty cells at the end of a row, or leave them out.
                row = [*row, *[""] * width][:width]
            try:
                yield number, cells(row)
            except Cell as refused:
                yield number, refused


@attrs.frozen
class LeftOut:
    """A file that nothing is read of, and ``why``, a sentence in the reader's language."""

    file: str
    why: Phrase


@attrs.frozen
class Plan:
    """The files of a folder in the order in which they are loaded, and those that are none of the tables."""

    source: str
    files: tuple[Source, ...]
    left_out: tuple[LeftOut, ...] = ()


def _in_order(positions: Sequence[int | None], width: int) -> Cells:
    if list(positions) == list(range(width)):
        return lambda row: row
    if None not in positions:
        chosen: Any = itemgetter(*positions)
        return chosen  # type: ignore[no-any-return]
    return lambda row: [row[position] if position is not None else "" for position in positions]


def plan_directory(folder: Path, mapping: Path | None = None, source: str = "city") -> Plan:
    """Find the tables in a folder of CSV files, by name or by header; other files are left alone, and told.

    With ``mapping`` the folder has a foreign layout that the mapping file describes. Raises ImportRefused
    when there is no such folder, no table in it, or a table lacks a required column.
    """
    paths = csv_files(folder)
    if mapping is not None:
        from volunteerkit.exchange.mapping import plan_mapped

        return plan_mapped(folder, mapping)
    found: dict[str, Source] = {}
    left_out = [LeftOut(book, phrase("left_out_workbook")) for book in _workbooks(folder)]
    for path in paths:
        header, named = decoding.header(path)
        stem = Path(decoding.file_name(path)).stem
        placed = recognise(header, stem)
        if not table_named(stem) and (placed.missing or len(placed.unplaced) > len(placed.columns)):
            left_out.append(LeftOut(decoding.file_name(path), _why_left_out(header, placed)))
            continue
        if placed.missing:
            raise _columns_missing(path, header, placed)
        if placed.twice:
            raise ImportRefused(
                "column_twice", file=decoding.file_name(path), columns=", ".join(placed.twice)
            )
        if placed.entity in found:
            raise ImportRefused(
                "table_twice", entity=placed.entity, first=found[placed.entity].path.name, second=path.name
            )
        fields = tuple(ENTITIES[placed.entity])
        positions = [placed.columns.get(field) for field in fields]
        titles = {field: header[position] for field, position in placed.columns.items()}
        cells = _in_order(positions, len(header))
        found[placed.entity] = Source(source, path, placed.entity, fields, titles, len(header), named, cells)
    if not found:
        raise _no_table(folder, paths)
    return Plan(source, tuple(found[entity] for entity in ENTITIES if entity in found), tuple(left_out))


def csv_files(folder: Path) -> list[Path]:
    """Return the CSV files of a folder in order, but for the truth files of a made city; raises ImportRefused."""
    try:
        if not folder.is_dir():
            raise ImportRefused("folder_is_file" if folder.exists() else "folder_missing", folder=folder.name)
        paths = sorted(folder.iterdir())
    except (OSError, ValueError):
        raise ImportRefused("folder_unreadable", folder=folder.name) from None
    return [path for path in paths if path.suffix.lower() == ".csv" and not path.name.startswith("truth_")]


def _columns_missing(path: Path, header: list[str], placed: Recognised) -> ImportRefused:
    if not placed.columns:
        titles = titles_for(placed.entity, ENTITIES[placed.entity], header)
        return ImportRefused(
            "header_missing", file=decoding.file_name(path), width=len(header), titles=titles
        )
    return ImportRefused("file_columns_missing", file=decoding.file_name(path), width=len(header),
                         columns=titles_for(placed.entity, placed.missing, header),
                         unplaced=unplaced_titles(header, placed.unplaced))  # fmt: skip


def _why_left_out(header: list[str], placed: Recognised) -> Phrase:
    """Return what a file lacks to be the table it comes nearest to."""
    if not placed.columns:
        return phrase("left_out_no_title")
    if not placed.missing:
        return phrase("left_out_few_titles", entity=placed.entity)
    return phrase("left_out_columns", entity=placed.entity,
                  columns=titles_for(placed.entity, placed.missing, header))  # fmt: skip


def _workbooks(folder: Path) -> list[str]:
    return [
        decoding.file_name(path) for path in sorted(folder.iterdir()) if path.suffix.lower() in _WORKBOOKS
    ]


def _no_table(folder: Path, paths: Sequence[Path]) -> ImportRefused:
    books = _workbooks(folder)
    near: Phrase | str = ""
    if paths:
        near = phrase("no_header_known", files=", ".join(path.name for path in paths))
    elif books:
        near = phrase("workbooks_there", files=", ".join(books))
    expected = ", ".join(f"{entity}.csv" for entity in ENTITIES)
    return ImportRefused("no_table", folder=folder.resolve().name, expected=expected, near=near)


_WORKBOOKS: Final = (".xlsx", ".xls", ".xlsm", ".et", ".ods", ".numbers")
