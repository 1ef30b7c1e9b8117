"""One row of a small table: its cells by field, and the numbers in it that name other things."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from volunteerkit.exchange.cells import Cell, IdShapes, clean, read_day, read_id, read_instant
from volunteerkit.exchange.layouts import state, word
from volunteerkit.store.desk import Desk
from volunteerkit.units import day_number

__all__ = ["Cells", "Numbers", "Ready", "registered"]


def __dir__() -> list[str]:
    return __all__


class Numbers:
    """The ids behind the numbers of one kind of thing, with the shapes those numbers have."""

    def __init__(self, desk: Desk, table: sa.Table, unknown: str, extra: Sequence[str] = ()) -> None:
        rows = desk.connection.execute(sa.select(table.c.number, table.c.id))
        self.ids: dict[str, int] = {number: id_ for number, id_ in rows}
        self.unknown = unknown
        self.shapes = IdShapes([*self.ids, *extra])

    def get(self, text: str) -> int:
        """Return the id for the number in ``text``; raises Cell."""
        number = read_id(text)
        if number not in self.ids:
            raise Cell("id_malformed" if not self.shapes.fits(number) else self.unknown)
        return self.ids[number]

    def maybe(self, text: str) -> int | None:
        """Return the id, or None for an empty cell."""
        return self.get(text) if text.strip() else None


@attrs.define
class Cells:
    """A row's cells by field; remembers which field is being read, for the quarantine."""

    fields: tuple[str, ...]
    cells: Sequence[str]
    field: str = ""

    def __getitem__(self, field: str) -> str:
        self.field = field
        position = self.fields.index(field)
        return self.cells[position] if position < len(self.cells) else ""

    def name(self, field: str, code: str = "name_missing", most: int = 200) -> str:
        """Return a name: cleaned, not empty, printable, at most ``most`` characters; raises Cell.

        A line break inside a cell, as spreadsheets allow, is a space.
        """
        text = re.sub(r"[\t\r\n]+", " ", clean(self[field], fold=False))
        if not text:
            raise Cell(code)
        if len(text) > most or any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
            raise Cell("text_not_allowed")
        return text

    def text(self, field: str, most: int = 200) -> str:
        """Return a free text, possibly empty; raises Cell for control characters or too long a text."""
        return self.name(field, most=most) if self[field].strip() else ""

    def day(self, field: str) -> int | None:
        """Return a day number, or None for an empty cell."""
        text = self[field]
        return read_day(text) if text.strip() else None

    def word(self, field: str, default: str) -> str:
        """Return a word of the field's vocabulary, ``default`` for an empty cell."""
        text = self[field]
        return word(field, text) if text.strip() else default

    def state(self, entity: str, default: str) -> str:
        """Return the row's status in its table, ``default`` for an empty cell; raises Cell."""
        text = self["status"]
        return state(entity, text) if text.strip() else default


Ready = tuple[str, dict[str, Any], bytes]
"""A row ready to be stored: its number, its column values, its digest."""


def registered(row: Cells, zone: ZoneInfo) -> int | None:
    """Return the day of registration in the city's zone, None for an empty cell."""
    text = row["registered_at"]
    return day_number(read_instant(text, (), zone).astimezone(zone).date()) if text.strip() else None
