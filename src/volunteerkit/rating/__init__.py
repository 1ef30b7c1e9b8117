"""Assessment and stars, of volunteers and of organizations."""

from volunteerkit.rating.actions import CityRating, Rated, decide_city, ladder_for, rate_city, rate_volunteer
from volunteerkit.rating.groups import (
    Evaluation,
    RatedOrganization,
    evaluate_organization,
    evaluations,
    rate_organization,
)

__all__ = [
    "CityRating",
    "Evaluation",
    "Rated",
    "RatedOrganization",
    "decide_city",
    "evaluate_organization",
    "evaluations",
    "ladder_for",
    "rate_city",
    "rate_organization",
    "rate_volunteer",
]


def __dir__() -> list[str]:
    return __all__
