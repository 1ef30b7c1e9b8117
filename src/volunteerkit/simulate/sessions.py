"""Sessions of service of a made-up city: when each volunteer serves, where, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from volunteerkit.errors import InvalidValue
from volunteerkit.simulate.dice import Dice
from volunteerkit.simulate.people import People
from volunteerkit.simulate.places import Places
from volunteerkit.units import day_of

if TYPE_CHECKING:
    from volunteerkit.simulate.dice import Whole

__all__ = ["Sessions", "draw_sessions"]

# March is the month of Lei Feng, 5 December the volunteers' day; sizes are assumptions of calibration.json.
_MONTHS = (75, 65, 190, 100, 105, 95, 105, 90, 110, 100, 95, 120)
_WEEKDAYS = (8, 8, 8, 8, 9, 16, 14)
# Minutes and weight in a thousand: quartiles 2, 3 and 4 h (Korea 1365), mean about 3.1 h (Ningbo 2022).
_LENGTHS = (
    (30, 12), (60, 75), (90, 50), (120, 243), (150, 60), (180, 205), (210, 35),
    (240, 160), (300, 70), (360, 45), (420, 10), (480, 30), (540, 2), (600, 3),
)  # fmt: skip
_STARTS = (420, 480, 510, 540, 570, 600, 780, 810, 840, 870, 900, 1080, 1110, 1140)
_SLOTS = (480, 810, 1110)  # morning, afternoon, evening of people who serve several times a day
_SLOT_MINUTES = 240
_PER_DAY = len(_SLOTS)
_STATUS = (94, 3, 2, 1)
_SOURCE = (70, 20, 10)
_ONE = 1 << 24


def __dir__() -> list[str]:
    return __all__


@attrs.frozen(eq=False)
class Sessions:
    """Columns, one place for each session; days from 1970-01-01, minutes of the day, lengths in minutes.

    ``status`` and ``source`` are positions in the words of `population`; ``entered_at`` counts minutes
    from 1970-01-01 in the city's time.
    """

    volunteer: Whole
    project: Whole
    day: Whole
    start: Whole
    minutes: Whole
    status: Whole
    source: Whole
    entered_at: Whole


def _counts(dice: Dice, effort: Whole, wanted: int, most: int) -> Whole:
    """Return how often each person serves: in proportion to effort, at least once, ``wanted`` together.

    Raises InvalidValue if these people cannot serve so often.
    """
    active = effort > 0
    rounding = dice.below(_ONE, len(effort))

    def counted(scale: int) -> Whole:
        each: Whole = np.where(active, np.clip((effort * scale + rounding) // _ONE, 1, most), 0)
        return each

    low, high = 0, 1 << 30
    if int(counted(high).sum()) < wanted:
        raise InvalidValue(name="records", value=wanted, allowed=f"<= {int(active.sum()) * most}")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if int(counted(middle).sum()) < wanted else (low, middle)
    return counted(high)


def _days(
    dice: Dice, people: People, counts: Whole, first_day: int, last_day: int
) -> tuple[Whole, Whole, Whole]:
    """Return each person's first day, and volunteer and day of every session in order of both."""
    people_count = len(counts)
    need = np.minimum(counts * 10 // 13 + 1, last_day + 1 - first_day)
    begin = np.maximum(people.registered_on + dice.below(30, people_count), first_day)
    start = np.minimum(begin, last_day + 1 - need)
    stays = dice.chance(550, people_count)
    leaves = start + need - 1 + dice.below(last_day + 1 - first_day, people_count)
    end = np.where(stays, last_day, np.minimum(last_day, leaves))
    weights = [0]
    for number in range(first_day, last_day + 1):
        date = day_of(number)
        weights.append(weights[-1] + _MONTHS[date.month - 1] * _WEEKDAYS[date.weekday()])
    edges = np.array(weights, dtype=np.int64)
    volunteer = np.repeat(np.arange(people_count, dtype=np.int64), counts)
    low, high = edges[start - first_day][volunteer], edges[end - first_day + 1][volunteer]
    day = first_day + np.searchsorted(edges, low + dice.below(high - low, len(volunteer)), side="right") - 1
    return start, volunteer, day[np.argsort(volunteer * 100_000 + day, kind="stable")]


def _within_day(volunteer: Whole, day: Whole) -> tuple[Whole, Whole]:
    """Return each session's rank within its person's day, and how many the day has."""
    key = volunteer * 100_000 + day
    new = np.r_[True, key[1:] != key[:-1]]
    places = np.arange(len(key), dtype=np.int64)
    group = np.cumsum(new) - 1
    return places - np.maximum.accumulate(np.where(new, places, 0)), np.bincount(group)[group]


def draw_sessions(
    dice: Dice, people: People, places: Places, projects: int, wanted: int, first_day: int, last_day: int
) -> tuple[People, Sessions]:
    """Draw ``wanted`` sessions or a few more, and the people with them: who serves much came early enough.

    Raises InvalidValue if so few people cannot serve so often.
    """
    most, target = max(1, (last_day + 1 - first_day) * 13 // 10), wanted
    while True:
        counts = _counts(dice, people.effort, target, most)
        begin, volunteer, day = _days(dice, people, counts, first_day, last_day)
        rank, size = _within_day(volunteer, day)
        keep = rank < _PER_DAY
        if int(keep.sum()) >= wanted:
            break
        target += (wanted - int(keep.sum())) * 5 // 4 + 1
    earlier = np.where(counts > 0, np.maximum(0, people.registered_on - begin), 0)
    people = attrs.evolve(
        people, registered_on=people.registered_on - earlier, born_on=people.born_on - earlier
    )
    volunteer, day, rank, several = volunteer[keep], day[keep], rank[keep], size[keep] > 1
    count = len(volunteer)
    lengths, weights = (np.array(column, dtype=np.int64) for column in zip(*_LENGTHS, strict=True))
    minutes = lengths[dice.pick(weights, count)]
    minutes = np.where(several, np.minimum(minutes, _SLOT_MINUTES), minutes)
    start = np.minimum(np.array(_STARTS, dtype=np.int64)[dice.below(len(_STARTS), count)], 1380 - minutes)
    start = np.where(several, np.array(_SLOTS, dtype=np.int64)[rank], start)
    night = ~several & (day < last_day) & dice.chance(2, count)
    start, minutes = np.where(night, 1320, start), np.where(night, 240, minutes)
    home = dice.chance(700, count) | (projects <= places.branded_from)
    branded = places.branded_from + dice.below(max(1, projects - places.branded_from), count)
    project = np.where(home, people.organization[volunteer] % projects, branded)
    status, source = dice.pick(_STATUS, count), dice.pick(_SOURCE, count)
    late = np.minimum(np.where(source == 0, 0, dice.below(45, count)), last_day - day)
    ended = start + minutes
    clock = np.where(night, ended, np.minimum(1439, ended + dice.below(30, count)))
    entered_at = np.minimum((day + late) * 1440 + clock, last_day * 1440 + 1439)
    return people, Sessions(volunteer, project, day, start, minutes, status, source, entered_at)
