"""The options that several commands share, and the language of their help."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter, Token

from volunteerkit import messages
from volunteerkit.cli.common import both
from volunteerkit.messages import language
from volunteerkit.units import day_of

if TYPE_CHECKING:
    from volunteerkit.cli.common import City

__all__ = ["AsOf", "Db", "Json", "Key", "Place", "Plugins", "Seat", "Zone", "both", "in_chinese", "read_day"]


def __dir__() -> list[str]:
    return __all__


def in_chinese(zh: str) -> str | None:
    """Return a command's help in Chinese; in English its docstring is the help."""
    return zh if language() == "zh-CN" else None


def read_day(_type: Any, tokens: Sequence[Token]) -> dt.date:
    """Read a day in every form in which the importer reads one."""
    from volunteerkit.exchange import cells

    try:
        return day_of(cells.read_day(tokens[0].value))
    except cells.Cell:
        allowed = messages.phrase("allowed_day")
        raise ValueError(
            messages.text("invalid_value", name=tokens[0].keyword, value=tokens[0].value, allowed=allowed)
        ) from None


Db = Annotated[
    str, Parameter(help=both("SQLite 文件，或 postgresql://… 地址", "an SQLite file, or postgresql://…"))
]
Key = Annotated[
    Path | None,
    Parameter(
        help=both(
            "密钥文件（默认在 SQLite 文件旁：数据库名.key）",
            "key file (default: beside the SQLite file, NAME.key)",
        )
    ),
]
Plugins = Annotated[
    tuple[str, ...],
    Parameter(name="--plugin", negative=(), show_default=False, help=both("插件名或 .toml/.py 文件，可多次给出（默认 xinyu）",
                                      "a plugin's name or a .toml/.py file, may be repeated (default xinyu)")),
]  # fmt: skip
Zone = Annotated[str, Parameter(help=both("城市所在时区", "the city's time zone"))]
AsOf = Annotated[
    dt.date | None,
    Parameter(converter=read_day, help=both("截至日期，默认今天", "as of this day, default today")),
]
Json = Annotated[
    bool,
    Parameter(
        name="--json",
        negative=(),
        show_default=False,
        help=both("只打印 JSON", "print JSON and nothing else"),
    ),
]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Place:
    """The options that say which city is meant and how it is opened."""

    db: Db
    plugin: Plugins = ()
    key_file: Key = None
    zone: Zone = "Asia/Shanghai"

    def open(self, *, create: bool = False) -> City:
        """Open the city; with ``create`` make its tables and its key if they are missing."""
        from volunteerkit.cli.common import open_city

        return open_city(self.db, key_file=self.key_file, plugin=self.plugin, zone=self.zone, create=create)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Seat(Place):
    """The options that say which city is meant and who acts: two clerks can work at one terminal."""

    as_: Annotated[
        str | None,
        Parameter(
            name="--as", help=both("操作者编号（默认为终端用户）", "who acts (default: the terminal's user)")
        ),
    ] = None
    role: Annotated[
        tuple[str, ...],
        Parameter(
            name="--role", negative=(), show_default=False,
            help=both("角色[:范围]，如 organization_admin:O0001，可多次给出（默认 centre）",
                      "ROLE[:SCOPE], such as organization_admin:O0001, may be repeated (default centre)"),
        ),
    ] = ()  # fmt: skip

    def city(self) -> City:
        """Open the city for whoever acts."""
        from volunteerkit.cli.typed import actor_of

        city = self.open()
        return attrs.evolve(city, actor=actor_of(self.as_ or city.actor.id, self.role or ("centre",)))
