"""Mistakes of the real world, put into about two of a hundred service records of a made-up city."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from volunteerkit.simulate.dice import Dice
from volunteerkit.units import day_of

if TYPE_CHECKING:
    from volunteerkit.simulate.sessions import Sessions

__all__ = ["FIELDS", "Table", "clock_text", "hours_cell", "spoil"]

FIELDS = (
    "volunteer_id", "project_id", "team_id", "service_date", "start_time", "end_time",
    "hours", "status", "source",
)  # fmt: skip
_FULL_WIDTH = str.maketrans("0123456789.-", "０１２３４５６７８９．－")
_EXCEL_EPOCH = dt.date(1899, 12, 30)


def __dir__() -> list[str]:
    return __all__


@attrs.frozen(eq=False)
class Table:
    """Cells by column name, and the minute each row was entered; mistakes are made in place.

    Minutes of entry count from 1970-01-01; nothing is entered after ``latest``.
    """

    cells: dict[str, list[str]]
    entered_at: list[int]
    latest: int

    def append_copy(self, row: int, delay: int, **changed: str) -> None:
        """Append ``row`` again, entered ``delay`` minutes later, with the ``changed`` cells."""
        self.entered_at.append(min(self.entered_at[row] + delay, self.latest))
        for name, column in self.cells.items():
            column.append(changed.get(name, column[row]))


def clock_text(minute: int) -> str:
    """Return a minute of the day as ``"HH:MM"``; 1440 is midnight again."""
    return f"{minute // 60 % 24:02d}:{minute % 60:02d}"


def hours_cell(minutes: int) -> str:
    """Return minutes as decimal hours the way spreadsheets show them: ``"2"``, ``"2.5"``."""
    hundredths = minutes * 100 // 60
    return f"{hundredths // 100}.{hundredths % 100:02d}".rstrip("0").rstrip(".")


@attrs.frozen(eq=False)
class _Spoiler:
    """What the mistakes are made from; ``last_day`` counts from 1970-01-01."""

    table: Table
    sessions: Sessions
    registered_on: list[int]
    last_day: int
    projects: int

    def day(self, row: int) -> dt.date:
        return day_of(int(self.sessions.day[row]))

    def change(self, name: str, row: int, cell: str) -> None:
        self.table.cells[name][row] = cell

    def wide(self, name: str, row: int) -> None:
        self.change(name, row, self.table.cells[name][row].translate(_FULL_WIDTH))

    def id_full_width(self, row: int, _: int) -> None:
        cell = self.table.cells["volunteer_id"][row]
        self.change("volunteer_id", row, "Ｖ" + cell[1:].translate(_FULL_WIDTH))

    def id_spaces_lower_case(self, row: int, _: int) -> None:
        self.change("volunteer_id", row, f" {self.table.cells['volunteer_id'][row].lower()} ")

    def date_other_format(self, row: int, turn: int) -> None:
        day = self.day(row)
        chinese = f"{day.year}年{day.month}月{day.day}日"
        forms = (f"{day.year}/{day.month}/{day.day}", chinese, f"{day:%Y%m%d}", f"{day:%Y.%m.%d}")
        self.change("service_date", row, forms[turn % len(forms)])

    def date_full_width(self, row: int, _: int) -> None:
        self.wide("service_date", row)

    def date_excel_serial(self, row: int, _: int) -> None:
        self.change("service_date", row, str((self.day(row) - _EXCEL_EPOCH).days))

    def hours_text(self, row: int, turn: int) -> None:
        hours, minutes = self.table.cells["hours"][row], int(self.sessions.minutes[row])
        forms = (hours.translate(_FULL_WIDTH), f"{hours}小时", f"{minutes}分钟", f"{hours}h")
        self.change("hours", row, forms[turn % len(forms)])

    def hours_exceed_clock(self, row: int, turn: int) -> None:
        self.change("hours", row, hours_cell(int(self.sessions.minutes[row]) + 60 * (1 + turn % 3)))

    def before_registration(self, row: int, turn: int) -> None:
        registered = self.registered_on[int(self.sessions.volunteer[row])]
        self.change("service_date", row, str(day_of(registered - 1 - turn % 60)))

    def date_in_future(self, row: int, turn: int) -> None:
        ahead = self.last_day + 200 + turn * 37 % 3000
        self.change("service_date", row, str(day_of(ahead)))

    def date_impossible(self, row: int, turn: int) -> None:
        forms = ("02-30", "13-01", "00-00", "06-31")
        self.change("service_date", row, f"{self.day(row).year}-{forms[turn % len(forms)]}")

    def volunteer_unknown(self, row: int, turn: int) -> None:
        self.change("volunteer_id", row, f"V9{turn * 7919 % 10**6:06d}")

    def id_malformed(self, row: int, turn: int) -> None:
        cell = self.table.cells["volunteer_id"][row]
        forms = (cell[:-2], cell.replace("0", "O"), "", f"{cell[1:]}?")
        self.change("volunteer_id", row, forms[turn % len(forms)])

    def project_unknown(self, row: int, turn: int) -> None:
        self.change("project_id", row, f"P9{turn * 37 % 1000:03d}")

    def hours_over_24(self, row: int, turn: int) -> None:
        self.change("hours", row, str(25 + turn % 75))

    def hours_zero_or_negative(self, row: int, turn: int) -> None:
        self.change("hours", row, ("0", "-2")[turn % 2])

    def exact_duplicate(self, row: int, turn: int) -> None:
        self.table.append_copy(row, 1 + turn * 41 % 5000)

    def overlap_same_volunteer(self, row: int, turn: int) -> None:
        start = int(self.sessions.start[row]) + 15
        other = (int(self.sessions.project[row]) + 1 + turn % 7) % self.projects
        self.again(row, 5, start, 60 * (1 + turn % 3), project_id=f"P{other + 1:04d}")

    def day_sum_over_24h(self, row: int, _: int) -> None:
        self.again(row, 10, 30, 840, source="manual")
        self.again(row, 10, 540, 840, source="manual")

    def again(self, row: int, delay: int, start: int, minutes: int, **changed: str) -> None:
        changed |= {"start_time": clock_text(start), "end_time": clock_text(start + minutes)}
        self.table.append_copy(row, delay, hours=hours_cell(minutes), **changed)


# Rows in ten thousand. The first eight kinds can be read with certainty and are credited, as are the last
# two; the others must be refused.
_KINDS: tuple[tuple[Callable[[_Spoiler, int, int], None], int], ...] = (
    (_Spoiler.id_full_width, 10),
    (_Spoiler.id_spaces_lower_case, 10),
    (_Spoiler.date_other_format, 45),
    (_Spoiler.date_full_width, 10),
    (_Spoiler.date_excel_serial, 5),
    (_Spoiler.hours_text, 20),
    (_Spoiler.hours_exceed_clock, 15),
    (_Spoiler.before_registration, 10),
    (_Spoiler.date_in_future, 8),
    (_Spoiler.date_impossible, 3),
    (_Spoiler.volunteer_unknown, 12),
    (_Spoiler.id_malformed, 8),
    (_Spoiler.project_unknown, 5),
    (_Spoiler.hours_over_24, 4),
    (_Spoiler.hours_zero_or_negative, 3),
    (_Spoiler.exact_duplicate, 20),
    (_Spoiler.overlap_same_volunteer, 20),
    (_Spoiler.day_sum_over_24h, 1),
)


def spoil(
    dice: Dice, table: Table, sessions: Sessions, registered_on: list[int], last_day: int, projects: int
) -> tuple[tuple[str, int], ...]:
    """Make every kind of mistake at least once, each in confirmed rows of its own; return the counts."""
    rows = len(table.entered_at)
    spoiler = _Spoiler(table, sessions, registered_on, last_day, projects)
    queue = iter([row for row in dice.shuffled(rows).tolist() if sessions.status[row] == 0])
    done = []
    for make, share in _KINDS:
        chosen = [row for row, _ in zip(queue, range(max(1, rows * share // 10_000)), strict=False)]
        for turn, row in enumerate(chosen):
            make(spoiler, row, turn)
        done.append((make.__name__, len(chosen)))
    return tuple(done)
