"""From bytes to rows: the encoding is found without being told, rows stream, memory stays bounded."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path

from volunteerkit.errors import ImportRefused

__all__ = ["find_delimiter", "find_encoding", "header", "rows"]

_STEP = 1 << 20
_SEP = re.compile(r"\ufeff?\"?sep=(.)\"?\s*$", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def __dir__() -> list[str]:
    return __all__


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8 if all of it is, else GB18030 (holds GBK).

    Raises ImportRefused with the line and the offset of the first byte that fits neither.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        raise ImportRefused("file_unreadable", file=path.name) from None
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    failed = 0
    for name in ("utf-8", "gb18030"):
        offset = _first_failure(path, name)
        if offset is None:
            return name
        failed = max(failed, offset)
    raise _unknown(path, failed)


def _unknown(path: Path, offset: int) -> ImportRefused:
    with path.open("rb") as file:
        line = file.read(offset).count(b"\n") + 1
    return ImportRefused("encoding_unknown", file=path.name, line=line, offset=offset)


def _first_failure(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_STEP):
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                return done - pending + error.start
            done += len(block)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return done
    return None


def find_delimiter(header: str) -> str:
    """Return the delimiter of a header line: comma, semicolon, tab or bar, whichever stands there most.

    Excel's first line ``sep=;`` says it outright.
    """
    if found := _SEP.match(header):
        return found[1]
    return max((",", ";", "\t", "|"), key=header.count)


def header(path: Path) -> tuple[list[str], int]:
    """Return the titles of a file and how many there are up to the last that is not blank; raises ImportRefused."""
    _, titles = next(rows(path), (0, [""]))
    return titles, max((place for place, title in enumerate(titles, 1) if title.strip()), default=0)


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number as a spreadsheet shows it, cells); the header comes first, blank rows are left out.

    Raises ImportRefused naming the row for a quote that is never closed or a cell beyond 131,072 characters,
    and for a file with nothing in it.
    """
    encoding = find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        number = 0
        try:
            first = next((line for line in file if line.strip()), "")
            if not first.strip("\0\ufeff \t\r\n"):
                raise ImportRefused("file_empty", file=path.name)
            file.seek(0)
            reader = csv.reader(file, delimiter=find_delimiter(first), strict=True)
            if _SEP.match(first):
                number += next(place for place, cells in enumerate(reader, 1) if cells)
            for cells in reader:
                number += 1
                # Most rows begin with their id, so the second look is rare.
                if cells and (cells[0] or any(cells)):
                    yield number, cells
        except csv.Error:
            raise ImportRefused("csv_broken", file=path.name, row=number + 1) from None
        except UnicodeDecodeError as error:
            raise _unknown(path, error.start) from None
