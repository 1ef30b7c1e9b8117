"""Assessment and stars."""

from volunteerkit.rating.actions import CityRating, Rated, decide_city, ladder_for, rate_city, rate_volunteer

__all__ = ["CityRating", "Rated", "decide_city", "ladder_for", "rate_city", "rate_volunteer"]


def __dir__() -> list[str]:
    return __all__
