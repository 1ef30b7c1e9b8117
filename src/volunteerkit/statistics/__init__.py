"""Counts and records over the slices; reads only."""

from volunteerkit.statistics.brand import BrandPage, brand_page
from volunteerkit.statistics.city import CityFigures, city_figures
from volunteerkit.statistics.person import Activity, activity_record

__all__ = ["Activity", "BrandPage", "CityFigures", "activity_record", "brand_page", "city_figures"]


def __dir__() -> list[str]:
    return __all__
