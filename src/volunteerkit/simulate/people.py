"""Volunteers of a made-up city: who they are and how much they serve."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs
import numpy as np

from volunteerkit.simulate.dice import Dice, lognormal_table
from volunteerkit.simulate.numbers import phone_numbers, resident_numbers
from volunteerkit.simulate.places import DISTRICTS, Places
from volunteerkit.units import day_number, day_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from volunteerkit.simulate.dice import Whole

__all__ = ["People", "draw_people", "volunteer_rows"]

_NEVER_ACTIVE = 380  # of a thousand: Ningbo 2023, 62.59 % active
_FEMALE = 512  # of a thousand: Ningbo 2023
# First and last age, share in a hundred, hours beside an average person's in a hundred: 57 % are under 35
# (Shenzhen 2022); people of 60 and more give 2.8 times the mean (Korea 2010).
_AGES = (
    (14, 17, 6, 80), (18, 24, 27, 80), (25, 34, 24, 70), (35, 44, 15, 80),
    (45, 54, 10, 110), (55, 59, 6, 150), (60, 69, 8, 330), (70, 82, 4, 330),
)  # fmt: skip
# Yearly hours of the active are log-normal with sigma 1.45 (Canada 2010, USA 2002); age brings a part of it.
_SIGMA_BESIDE_AGE = 1400
_OPENED_ON = dt.date(2014, 9, 1)
_SURNAMES = (
    *"李王张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕",
    "欧阳", "上官", "司马", "诸葛", "夏侯", "皇甫",
)  # fmt: skip
_GIVEN = (
    *"伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅春建",
    *"国文志海燕晓婷雪琴云安宁禾澄朗沐岚乔昕柏舟予知行若川清源田峰",
)
_RARE_GIVEN = ("喆", "堃", "犇", "䶮", "㛃", "𬱖", "𠮷", "鑫淼")
_LONG_NAMES = ("阿依古丽·买买提", "吐尔逊·艾力", "迪丽娜尔·阿不都", "扎西·多吉", "卓玛·央金")
_FULL_WIDTH = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
_IDENTITY_DIRT = (  # kind, people in ten thousand
    ("duplicate_identity", 20), ("bad_check_character", 15), ("old_15_digit_id", 10), ("full_width_id", 10),
    ("spaces_around_id", 10), ("sex_disagrees_with_id", 10), ("missing_id", 10),
)  # fmt: skip


def __dir__() -> list[str]:
    return __all__


@attrs.frozen(eq=False)
class People:
    """Columns, one place for each volunteer; days count from 1970-01-01.

    ``effort`` is 0 for those who never serve, else a person's wish to serve (a median person has 100,000).
    """

    registered_on: Whole
    born_on: Whole
    female: npt.NDArray[np.bool_]
    organization: Whole
    team: Whole
    effort: Whole


def draw_people(dice: Dice, places: Places, count: int, first_day: int, last_day: int) -> People:
    """Draw ``count`` people, two thirds of them registered before ``first_day``."""
    opened = day_number(_OPENED_ON)
    before = dice.chance(650, count) & (first_day > opened)
    long_ago = first_day - 1 - dice.below(max(1, first_day - opened), count)
    registered_on = np.where(before, long_ago, first_day + dice.below(last_day - first_day + 1, count))
    group = dice.pick([share for _, _, share, _ in _AGES], count)
    youngest, oldest = (np.array([row[place] for row in _AGES], dtype=np.int64)[group] for place in (0, 1))
    age = youngest + dice.below(oldest - youngest + 1, count)
    born_on = registered_on - age * 1461 // 4 - dice.below(365, count)
    organization = dice.pick(places.sizes, count)
    team = places.first_team[organization] + dice.below(places.team_counts[organization], count)
    table = lognormal_table(_SIGMA_BESIDE_AGE)
    of_age = np.array([factor for *_, factor in _AGES], dtype=np.int64)[group]
    effort = table[dice.below(len(table), count)] * of_age
    effort[dice.chance(_NEVER_ACTIVE, count)] = 0
    effort[0] = max(int(effort[0]), 1)  # the smallest city too has somebody who serves
    return People(registered_on, born_on, dice.chance(_FEMALE, count), organization, team, effort)


def _names(dice: Dice, count: int) -> list[str]:
    surname = dice.pick([1_000_000 // (place + 3) for place in range(len(_SURNAMES))], count).tolist()
    first, second = (dice.below(len(_GIVEN), count).tolist() for _ in range(2))
    kinds = dice.pick([3, 2, 845, 150], count).tolist()  # long, rare, two characters given, one
    names = []
    for place, kind in enumerate(kinds):
        if kind == 0:
            names.append(_LONG_NAMES[first[place] % len(_LONG_NAMES)])
        elif kind == 1:
            names.append(_SURNAMES[surname[place]] + _RARE_GIVEN[first[place] % len(_RARE_GIVEN)])
        else:
            given = _GIVEN[first[place]] + (_GIVEN[second[place]] if kind == 2 else "")
            names.append(_SURNAMES[surname[place]] + given)
    return names


def _spoil_identities(dice: Dice, columns: dict[str, list[str]]) -> list[tuple[str, int]]:
    """Spoil identity numbers in place as real registers do; return how many of each kind."""
    count, done = len(columns["resident_id"]), []
    queue = iter(dice.shuffled(count).tolist())
    numbers, names, births, sexes = (columns[name] for name in ("resident_id", "name", "birth_date", "sex"))
    for kind, share in _IDENTITY_DIRT:
        wanted = [next(queue) for _ in range(count * share // 10_000)]
        for place in wanted:
            number = numbers[place]
            if kind == "duplicate_identity":
                other = (place + 1) % count
                numbers[place], names[place], births[place], sexes[place] = (
                    numbers[other], names[other], births[other], sexes[other],
                )  # fmt: skip
            elif kind == "bad_check_character":
                numbers[place] = number[:-1] + ("1" if number[-1] == "0" else "0")
            elif kind == "old_15_digit_id":
                numbers[place] = number[:6] + number[8:17]
            elif kind == "full_width_id":
                numbers[place] = number.translate(_FULL_WIDTH)
            elif kind == "spaces_around_id":
                numbers[place] = f" {number.lower()}\t"
            elif kind == "sex_disagrees_with_id":
                sexes[place] = "M" if sexes[place] == "F" else "F"
            else:
                numbers[place] = ""
        done.append((kind, len(wanted)))
    return done


def volunteer_rows(dice: Dice, people: People) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the lines of volunteers.csv and how many identities were spoiled, by kind."""
    count = len(people.effort)
    born_on, registered_on = people.born_on.tolist(), people.registered_on.tolist()
    days = {day: str(day_of(day)) for day in {*born_on, *registered_on}}
    clock = (480 + dice.below(840, count)).tolist()
    idle = dice.pick([900, 50, 20, 10, 20], count)
    states = np.where(people.effort > 0, 0, idle).tolist()
    columns = {
        "name": _names(dice, count),
        "sex": np.where(people.female, "F", "M").tolist(),
        "birth_date": [days[day] for day in born_on],
        "resident_id": resident_numbers(dice, people.born_on, people.female),
    }
    spoiled = _spoil_identities(dice, columns)
    rows = zip(
        (f"V{place + 1:07d}" for place in range(count)),
        *columns.values(),
        phone_numbers(dice, count),
        (DISTRICTS[place % len(DISTRICTS)] for place in people.organization.tolist()),
        (f"O{place + 1:04d}" for place in people.organization.tolist()),
        (f"T{place + 1:05d}" for place in people.team.tolist()),
        (f"{days[day]} {at // 60:02d}:{at % 60:02d}" for day, at in zip(registered_on, clock, strict=True)),
        (("approved", "pending", "rejected", "suspended", "deregistered")[state] for state in states),
        strict=True,
    )
    return [",".join(row) for row in rows], spoiled
