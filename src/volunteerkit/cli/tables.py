"""Printing tables: as wide as the terminal, line by line where it is too narrow for columns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from volunteerkit.cli.common import both

__all__ = ["console", "print_table"]

_LEAST_COLUMNS = 20
_USUAL_COLUMNS = 80


def __dir__() -> list[str]:
    return __all__


def console(*, stderr: bool = False) -> Console:
    """Return the terminal; what says that it has no width, or next to none, is not believed."""
    found = Console(stderr=stderr)
    if found.width >= _LEAST_COLUMNS:
        return found
    return Console(stderr=stderr, width=_LEAST_COLUMNS if found.width > 0 else _USUAL_COLUMNS)


def print_table(
    heads: Sequence[str], rows: Iterable[Iterable[object]], title: str = "", right: Collection[int] = ()
) -> None:
    """Print rows under their heads; the columns numbered in ``right`` (from 0) are numbers.

    What people wrote is shown as it is, brackets too, and in full: a long cell goes on in the next line.
    """
    out = console()
    shown = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if out.width < 9 * len(heads) + 8:
        if title:
            out.print(Text(title))
        for row in shown:
            for head, cell in zip(heads, row, strict=True):
                if cell:
                    out.print(Text(f"{head}{both('：', ': ')}{cell}" if head else cell, overflow="fold"))
            out.print()
        return
    table = Table(title=title or None, title_justify="left")
    for place, head in enumerate(heads):
        table.add_column(
            head, justify="right" if place in right else "left", overflow="fold", no_wrap=place in right
        )
    for row in shown:
        table.add_row(*map(Text, row))
    out.print(table)
