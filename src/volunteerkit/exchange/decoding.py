"""From bytes to rows: the encoding is found without being told, rows stream, memory stays bounded."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from pathlib import Path

from volunteerkit.errors import ImportRefused

__all__ = ["find_delimiter", "find_encoding", "rows"]

_STEP = 1 << 20
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def __dir__() -> list[str]:
    return __all__


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8 if all of it is, else GB18030 (holds GBK).

    Raises ImportRefused with the offset of the first byte that fits neither.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as error:
        raise ImportRefused("file_unreadable", file=path.name, problem=type(error).__name__) from None
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    failed = 0
    for name in ("utf-8", "gb18030"):
        offset = _first_failure(path, name)
        if offset is None:
            return name
        failed = max(failed, offset)
    raise ImportRefused("encoding_unknown", file=path.name, offset=failed)


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
    """Return the delimiter of a header line: comma, semicolon or tab, whichever stands there most."""
    return max((",", ";", "\t"), key=header.count)


def rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (row number as a spreadsheet shows it, cells); the header is row 1, blank rows are left out.

    Raises ImportRefused naming the row for a quote that is never closed or a cell beyond 131,072 characters.
    """
    encoding = find_encoding(path)
    with path.open(encoding=encoding, newline="") as file:
        try:
            delimiter = find_delimiter(file.readline(_STEP))
        except UnicodeDecodeError as error:
            raise ImportRefused("encoding_unknown", file=path.name, offset=error.start) from None
        file.seek(0)
        number = 0
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            for cells in reader:
                number += 1
                if cells:
                    yield number, cells
        except csv.Error as error:
            raise ImportRefused("csv_broken", file=path.name, row=number + 1, problem=str(error)) from None
        except UnicodeDecodeError as error:
            raise ImportRefused("encoding_unknown", file=path.name, offset=error.start) from None
