"""The commands ``plugin new`` and ``plugin check``: a city's own package of rules, made and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from volunteerkit import messages
from volunteerkit.cli.common import both, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, in_chinese

__all__ = ["plugin"]


def __dir__() -> list[str]:
    return __all__


plugin = App(
    name="plugin",
    help=both(
        "插件：新建一个（plugin new），用各项定律检查（plugin check）。",
        "Plugins: make one (plugin new), check one by its laws (plugin check).",
    ),
    **groups(),
)


@plugin.command(help=in_chinese("新建一个插件的文件夹：规则、案例、审查、测试、说明。已有的文件一概不动。"))
def new(
    name: Annotated[
        str,
        Parameter(
            name=both("名称", "NAME"),
            help=both("插件名：小写字母、数字、下划线", "its name: small letters, digits, underscores"),
        ),
    ],
    /,
    *,
    dir_: Annotated[
        Path, Parameter(name="--dir", help=both("放在哪个文件夹里", "the folder it is put into"))
    ] = Path(),
    json: Json = False,
) -> None:
    """Make a plugin's folder: a rulebook, cases, a review, tests, a README. Nothing there is overwritten."""
    from volunteerkit.cli.scaffolding import new_plugin

    place = new_plugin(name, dir_)
    if json:
        print_json({"name": name, "folder": str(place)})
        return
    print(messages.text("plugin_made", place=str(place)))
    print(f"  pip install -e '{place}'\n  volunteerkit plugin check {name}")
    print(messages.text("plugin_made_next", place=str(place / "src" / f"volunteerkit_{name}")))
