"""Counts and records over the slices; reads only."""

from volunteerkit.statistics.city import CityFigures, city_figures
from volunteerkit.statistics.person import Activity, activity_record

__all__ = ["Activity", "CityFigures", "activity_record", "city_figures"]


def __dir__() -> list[str]:
    return __all__
