"""The options that several commands share, and the language of their help."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter, Token

from volunteerkit import messages
from volunteerkit.cli.common import both
from volunteerkit.errors import InvalidValue, did_you_mean
from volunteerkit.messages import language
from volunteerkit.units import day_of, fold

if TYPE_CHECKING:
    from volunteerkit.cli.common import City

__all__ = [
    "WRITTEN_IN",
    "After",
    "AsOf",
    "Db",
    "Json",
    "Key",
    "Limit",
    "Place",
    "Plugins",
    "PluginsDir",
    "Seat",
    "Trace",
    "Zone",
    "both",
    "in_chinese",
    "read_day",
    "read_whole",
    "read_zone",
]

WRITTEN_IN = language()
"""The language in which the help of the commands was written, when their modules were imported."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}[-/.年]")


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


def read_whole(_type: Any, tokens: Sequence[Token]) -> int:
    """Read a whole number; the parser itself would take 1.5 and round it."""
    from volunteerkit.cli.typed import shown

    name, value = tokens[0].keyword or "", fold(tokens[0].value).strip()
    if _WHOLE.fullmatch(value):
        return int(value)
    said = messages.text(
        "invalid_value", name=name, value=shown(value), allowed=messages.phrase("allowed_digits")
    )
    if name == "--known-at" and _DAY.match(value):
        said += messages.text("known_at_is_no_day")
    raise ValueError(said)


def _read_limit(type_: Any, tokens: Sequence[Token]) -> int:
    """Read how many are wanted on a page: at least one."""
    if (number := read_whole(type_, tokens)) > 0:
        return number
    raise ValueError(
        messages.text("invalid_value", name=tokens[0].keyword, value=number, allowed="1, 2, 3, …")
    )


def read_zone(_type: Any, tokens: Sequence[Token]) -> str:
    """Read a time zone's name; the nearest one is named for a slip."""
    from zoneinfo import available_timezones

    from volunteerkit.clock import zone_named

    name = tokens[0].value
    try:
        zone_named(name)
    except InvalidValue as error:
        told = messages.text("invalid_value", **error.values | {"name": tokens[0].keyword})
        raise ValueError(f"{told}{did_you_mean(name, sorted(available_timezones()))}") from None
    return name


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
PluginsDir = Annotated[
    Path | None,
    Parameter(name="--plugins-dir", show_default=False, help=both("文件夹，其中的每个插件文件、规则文件和包都加载",
                                      "a folder whose every plugin file, rulebook and package is loaded")),
]  # fmt: skip
Trace = Annotated[
    bool,
    Parameter(name="--trace", negative=(), show_default=False,
              help=both("在标准错误输出上说明哪个插件回答了什么、用了多久",
                        "tell on standard error which plugin answered what, and how long it took")),
]  # fmt: skip
Zone = Annotated[str, Parameter(converter=read_zone, help=both("城市所在时区", "the city's time zone"))]
AsOf = Annotated[
    dt.date | None,
    Parameter(converter=read_day, help=both("截至日期，默认今天", "as of this day, default today")),
]
Limit = Annotated[
    int, Parameter(converter=_read_limit, help=both("每页最多几条", "how many at most on a page"))
]
After = Annotated[
    int,
    Parameter(
        converter=read_whole,
        show_default=False,
        help=both("下一页：前一页最后一条的编号", "the next page: number of the last one of the page before"),
    ),
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
    plugins_dir: PluginsDir = None
    trace: Trace = False
    key_file: Key = None
    zone: Zone = "Asia/Shanghai"

    def open(self, *, create: bool = False) -> City:
        """Open the city; with ``create`` make its tables and its key if they are missing."""
        from volunteerkit.cli.common import open_city, trace_plugins

        if self.trace:
            trace_plugins()
        return open_city(self.db, key_file=self.key_file, plugin=self.plugin, plugins_dir=self.plugins_dir,
                         zone=self.zone, create=create)  # fmt: skip


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
        from volunteerkit.cli.typed import actor_of, check_scope

        city = self.open()
        actor = actor_of(city.actor.id if self.as_ is None else self.as_, self.role or ("centre",))
        held = [("volunteer", actor.volunteer), *((each.role, each.scope) for each in actor.grants)]
        if any(scope for _, scope in held):
            with city.kit.open(city.engine, city.actor, read_only=True) as desk:
                for role, scope in held:
                    check_scope(desk, role, scope)
        return attrs.evolve(city, actor=actor)

    def themselves(self, volunteer: str) -> City:
        """Open the city for the volunteer, who alone may do this, whoever types it in; ``--role`` goes before."""
        from volunteerkit.cli.typed import number_of

        role = self.role or (f"volunteer:{number_of('volunteer', volunteer)}",)
        return attrs.evolve(self, role=role).city()
