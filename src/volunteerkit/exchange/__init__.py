"""Import and export: folders of CSV files in, with every refused row accounted for."""

from volunteerkit.exchange.batches import FileReport, ImportReport
from volunteerkit.exchange.loading import load_file
from volunteerkit.exchange.reading import Plan, Source, plan_directory

__all__ = ["FileReport", "ImportReport", "Plan", "Source", "load_file", "plan_directory"]


def __dir__() -> list[str]:
    return __all__
