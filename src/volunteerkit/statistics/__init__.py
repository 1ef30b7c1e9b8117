"""Counts over the slices; reads only."""

from volunteerkit.statistics.city import CityFigures, city_figures

__all__ = ["CityFigures", "city_figures"]


def __dir__() -> list[str]:
    return __all__
