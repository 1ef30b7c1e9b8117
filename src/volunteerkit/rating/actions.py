"""The verbs of rating: one volunteer with reasons, the whole city at once, and decisions that are kept."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs
import sqlalchemy as sa

from volunteerkit.errors import NotFound
from volunteerkit.hours.reading import cluster_rows, packed_columns
from volunteerkit.organizations.tables import organization
from volunteerkit.projects.tables import project
from volunteerkit.rating.tables import decision
from volunteerkit.rules import Assessment, Credited, Record, Rulebook, assess, credit
from volunteerkit.store.desk import Desk
from volunteerkit.store.posting import driver, insert_rows, take_numbers, write_event
from volunteerkit.store.schema import head
from volunteerkit.units import day_number
from volunteerkit.volunteers.tables import volunteer

__all__ = ["CityRating", "Rated", "decide_city", "rate_city", "rate_volunteer"]


def __dir__() -> list[str]:
    return __all__
