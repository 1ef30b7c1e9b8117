"""Assessment and stars, of volunteers and of organizations."""

from volunteerkit.rating.actions import CityRating, Rated, ladder_for, rate_city, rate_volunteer
from volunteerkit.rating.deciding import Fallen, Reversal, decide_city, fallen
from volunteerkit.rating.groups import (
    Evaluation,
    RatedOrganization,
    evaluate_organization,
    evaluations,
    rate_organization,
)
from volunteerkit.rating.model import Standing
from volunteerkit.rating.trying import Count, Move, Trial, try_rule

__all__ = [
    "CityRating",
    "Count",
    "Evaluation",
    "Fallen",
    "Move",
    "Rated",
    "RatedOrganization",
    "Reversal",
    "Standing",
    "Trial",
    "decide_city",
    "evaluate_organization",
    "evaluations",
    "fallen",
    "ladder_for",
    "rate_city",
    "rate_organization",
    "rate_volunteer",
    "try_rule",
]


def __dir__() -> list[str]:
    return __all__
