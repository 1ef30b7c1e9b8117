"""Organizations, teams and projects of a made-up city, as rows of text for their files."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import attrs
import numpy as np

from volunteerkit.simulate.dice import Dice
from volunteerkit.simulate.numbers import organization_code

if TYPE_CHECKING:
    from volunteerkit.simulate.dice import Whole

__all__ = ["DISTRICTS", "Places", "make_places"]

DISTRICTS = ("渝水区", "分宜县", "仙女湖区", "高新区")
_OPENED_ON = dt.date(2014, 9, 1)
_WORDS = (
    "晨曦", "春风", "暖阳", "同心", "微光", "仙女湖", "抱石", "夏布",
    "钢城", "袁河", "孔目江", "蒙山", "百合", "映山红", "银杏", "青松",
    "向日葵", "萤火", "彩虹", "和风", "星火", "邻里", "友爱", "守望",
    "清泉", "橘乡", "毓秀", "天工", "白鹭", "红枫", "蒲公英", "长林",
    "北湖", "赣鄱", "初心", "牵手", "及时雨", "老槐树", "石榴籽", "满天星",
)  # fmt: skip
_KINDS = (  # type, ending of the name, kind of code, weight in a hundred
    ("机关", "机关志愿服务分队", "11", 14),
    ("事业单位", "文化场馆志愿服务队", "12", 14),
    ("社会团体", "志愿者协会", "51", 22),
    ("民办非企业单位", "公益服务中心", "52", 10),
    ("企业", "职工志愿服务队", "91", 10),
    ("学校", "青年志愿者协会", "12", 8),
    ("社区", "社区志愿服务站", "", 12),
    ("未登记团体", "爱心小组", "", 10),
)
_CATEGORIES = (
    "社区服务", "文明交通", "环境保护", "助老助残", "关爱儿童",
    "义诊", "文明旅游", "应急救援", "无偿献血宣传", "文化体育",
)  # fmt: skip
_HOSTS = 20  # the first organizations stand above the others


def __dir__() -> list[str]:
    return __all__


@attrs.frozen
class Places:
    """Rows of three files, and what the people need to know of them.

    ``sizes`` weighs the organizations; ``first_team`` and ``team_counts`` say which teams are whose;
    projects from ``branded_from`` on are open to the whole city.
    """

    organizations: list[str]
    teams: list[str]
    projects: list[str]
    sizes: Whole
    first_team: Whole
    team_counts: Whole
    branded_from: int


def _name(number: int) -> tuple[str, str]:
    """Return the district and the word of the ``number``-th name: all pairs come before one is repeated."""
    pair = number * 67 % (len(DISTRICTS) * len(_WORDS))
    again = number // (len(DISTRICTS) * len(_WORDS))
    word = _WORDS[pair // len(DISTRICTS)]
    return DISTRICTS[pair % len(DISTRICTS)], f"{word}第{again + 1}" if again else word


def make_places(dice: Dice, organizations: int, projects: int) -> Places:
    """Make the rows; identity of every place is invented and its name says so: （虚构）."""
    kinds = dice.pick([weight for *_, weight in _KINDS], organizations)
    counts = 1 + dice.pick([22, 33, 25, 12, 6, 2], organizations)
    registered = dice.below(400, organizations).tolist()
    parents = dice.below(min(_HOSTS, organizations), organizations).tolist()
    incubated = dice.chance(30, organizations).tolist()
    rows: list[str] = []
    teams: list[str] = []
    for place, kind in enumerate(kinds.tolist()):
        type_, ending, code_kind, _ = _KINDS[kind]
        district, word = _name(place)
        name, id_ = f"{district}{word}{ending}", f"O{place + 1:04d}"
        code = organization_code(code_kind, place + 1) if code_kind else ""
        parent = f"O{parents[place] + 1:04d}" if place >= _HOSTS else ""
        day = _OPENED_ON + dt.timedelta(days=registered[place])
        hosted = "yes" if incubated[place] else "no"
        rows.append(f"{id_},{name}（虚构）,{type_},{code},{parent},{day},active,{hosted}")
        for number in range(int(counts[place])):
            teams.append(f"T{len(teams) + 1:05d},{name}第{number + 1}服务队（虚构）,{id_},approved")
    sizes = np.array([1_000_000 // (40 + 10 * place) for place in range(organizations)], dtype=np.int64)
    first_team = np.cumsum(counts) - counts
    return Places(rows, teams, _project_rows(dice, organizations, projects), sizes, first_team, counts,
                  min(organizations, projects))  # fmt: skip


def _project_rows(dice: Dice, organizations: int, projects: int) -> list[str]:
    """One lasting project for each organization, the rest brands that take people from everywhere."""
    categories = dice.below(len(_CATEGORIES), projects).tolist()
    owners = dice.below(organizations, projects).tolist()
    targets = dice.pick([10, 20, 25, 25, 15, 5], projects).tolist()
    rows = []
    for place in range(projects):
        category = _CATEGORIES[categories[place]]
        district, word = _name(place)
        owner = place if place < organizations else owners[place]
        brand = "" if place < organizations else f"{word}{category}"
        rows.append(
            f"P{place + 1:04d},{district}{word}{category}行动（虚构）,{brand},{category},O{owner + 1:04d},"
            f"{_OPENED_ON},,{(10, 20, 30, 50, 100, 200)[targets[place]]},approved"
        )
    return rows
