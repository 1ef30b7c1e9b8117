"""From bytes to rows: the encoding is found without being told, rows stream, memory stays bounded."""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

from volunteerkit.errors import ImportRefused
from volunteerkit.messages import phrase

__all__ = ["file_name", "find_delimiter", "find_encoding", "header", "rows"]

_STEP = 1 << 20
_SEP = re.compile(r"\ufeff?\"?sep=(.)\"?\s*$", re.IGNORECASE)
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def __dir__() -> list[str]:
    return __all__


def file_name(path: Path) -> str:
    """Return a file's name; one packed on a Chinese Windows keeps its GBK bytes, which no database takes."""
    raw = os.fsencode(path.name)
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8 if all of it is, else GB18030 (holds GBK).

    Raises ImportRefused with the line and the offset of the first byte that fits neither, and for what is
    no text: a workbook, a web page, other binary content, a folder, a file that may not be read.
    """
    if not path.is_file():
        raise ImportRefused("file_not_regular", file=file_name(path))
    with path.open("rb") as file:
        start = file.read(4096)
    known: tuple[str, ...] = tuple(name for mark, name in _MARKS if start.startswith(mark))
    known = known or _unmarked_utf_16(start)
    if what := not known and _no_text(start):
        raise ImportRefused("file_no_text", file=file_name(path), what=phrase(what))
    failed = 0
    for name in known or ("utf-8", "gb18030"):
        offset = _first_failure(path, name.removesuffix("-sig"))  # the mark counts in an offset
        if offset is None:
            return name
        failed = max(failed, offset)
    raise _unknown(path, failed)


def _unmarked_utf_16(start: bytes) -> tuple[str, ...]:
    """Signs such as the comma have a zero byte in UTF-16, always on the same side."""
    first, second = start[::2].count(0), start[1::2].count(0)
    most = max(first, second)
    if most < 4 or most * 20 < len(start) or min(first, second) or not start.strip(b"\0"):
        return ()
    return ("utf-16-be",) if first else ("utf-16-le",)


def _no_text(start: bytes) -> str:
    """Return the code of what the content is when it is no text."""
    if start.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return "content_workbook"
    if start.lstrip()[:5].lower() in (b"<html", b"<!doc", b"<?xml", b"<tabl"):
        return "content_page"
    odd = sum(byte < 32 and byte not in b"\0\t\r\n\f" for byte in start)
    return "content_binary" if odd * 50 > len(start) or start.startswith((b"%PDF", b"\x89PNG")) else ""


def _unknown(path: Path, offset: int) -> ImportRefused:
    with path.open("rb") as file:
        line = file.read(offset).count(b"\n") + 1
    return ImportRefused("encoding_unknown", file=file_name(path), line=line, offset=offset)


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
    for a file with nothing in it, and for one that cannot be read.
    """
    number = 0
    try:
        encoding = find_encoding(path)
        with path.open(encoding=encoding, newline="") as file:
            first = next((line for line in file if line.strip()), "")
            if not first.strip("\0\ufeff \t\r\n"):
                raise ImportRefused("file_empty", file=file_name(path))
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
        raise ImportRefused("csv_broken", file=file_name(path), row=number + 1) from None
    except OSError:
        raise ImportRefused("file_unreadable", file=file_name(path)) from None
