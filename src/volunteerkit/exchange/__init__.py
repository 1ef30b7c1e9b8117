"""Import and export: folders of CSV files in, with every refused row accounted for."""

from volunteerkit.exchange.batches import FileReport, ImportReport
from volunteerkit.exchange.loading import load_file
from volunteerkit.exchange.quarantining import (
    FlaggedRow,
    RefusedRow,
    count_flagged,
    flagged_rows,
    note_refusal,
    refused_rows,
)
from volunteerkit.exchange.reading import Plan, Source, plan_directory

__all__ = [
    "FileReport",
    "FlaggedRow",
    "ImportReport",
    "Plan",
    "RefusedRow",
    "Source",
    "count_flagged",
    "flagged_rows",
    "load_file",
    "note_refusal",
    "plan_directory",
    "refused_rows",
]


def __dir__() -> list[str]:
    return __all__
