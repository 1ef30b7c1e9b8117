"""From a directory to its files, and from a file to the loader that knows its kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from volunteerkit.exchange.batches import FileReport
from volunteerkit.exchange.entities import load_entities
from volunteerkit.exchange.reading import Plan, Source
from volunteerkit.exchange.records import load_records
from volunteerkit.store.desk import Desk
from volunteerkit.units import of_type, plain_day

__all__ = ["load_file"]


def __dir__() -> list[str]:
    return __all__


def load_file(
    desk: Desk,
    plan: Plan,
    file: Source,
    *,
    as_of: dt.date | None = None,
    progress: Callable[[str, int], None] | None = None,
) -> FileReport:
    """Load one file of ``plan`` into the desk's transaction and return the counts.

    Rows that cannot be read with certainty are refused one by one, with a reason, and do not stop the
    others. Nothing is written when the same file came before and nothing is new. Raises NotPermitted,
    KeyProblem (volunteers without the database's key), ImportRefused (a file that is no such table).
    """
    desk.permit("import.load")
    of_type("plan", plan, Plan)
    of_type("file", file, Source)
    day = desk.today if as_of is None else plain_day("as_of", as_of)

    def told(rows: int) -> None:
        if progress is not None:
            progress(file.file, rows)

    if file.entity == "service_records":
        return load_records(desk, file, day, told)
    return load_entities(desk, file, told)
