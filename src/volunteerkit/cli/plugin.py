"""The commands ``plugin new`` and ``plugin check``: a city's own package of rules, made and checked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from volunteerkit import messages
from volunteerkit.cli.common import both, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, in_chinese, read_whole

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


@plugin.command(
    help=in_chinese(
        "用各项定律检查插件，例子取在每条规则的界限上下；有一项不符，给出最小的反例，退出码为 1。"
    )
)
def check(
    what: Annotated[
        str,
        Parameter(
            name=both("插件", "PLUGIN"),
            help=both(
                "已安装的插件名、.toml 或 .py 文件、插件的文件夹",
                "an installed plugin's name, a .toml or .py file, a plugin's folder",
            ),
        ),
    ],
    /,
    *,
    examples: Annotated[
        int,
        Parameter(
            converter=read_whole,
            help=both("每个版本试多少个例子", "how many examples are tried for each version"),
        ),
    ] = 100,
    seed: Annotated[
        int,
        Parameter(
            converter=read_whole,
            help=both("例子的种子：同一种子给出同样的例子", "the seed: the same one makes the same examples"),
        ),
    ] = 0,
    cases: Annotated[
        Path | None,
        Parameter(
            help=both(
                "案例文件夹（默认为插件自带的 cases）", "the folder of cases (default: the plugin's own)"
            )
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check a plugin by its laws, on examples at the edges of its rules; exit code 1 and a small counter-example if one breaks."""
    from volunteerkit.testing import check_target, targets_of

    reports = [
        check_target(target, examples=examples, seed=seed, cases=cases)
        for target in targets_of(Path(what) if what.endswith((".py", ".toml")) else what)
    ]
    if json:
        print_json([report.as_dict() for report in reports])
    else:
        print("\n".join(str(report) for report in reports))
    if not all(report.holds for report in reports):
        sys.exit(1)
