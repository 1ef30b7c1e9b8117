"""The commands and their options; what they do stands in the modules beside this one."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Group, Parameter

from volunteerkit.messages import language

__all__ = ["app"]

_zh = language() == "zh-CN"


def _(zh: str, en: str) -> str:
    return zh if _zh else en


app = App(
    name="volunteerkit",
    help=_("一座城市的志愿服务：导入记录，计算时长，评定星级，说明理由。",
           "A city's volunteer service: import records, credit hours, rate stars, give the reasons."),
    help_epilogue=_("从这里开始：volunteerkit demo --small", "Start here: volunteerkit demo --small"),
    version_flags=["--version"],
)  # fmt: skip

_work = Group(_("日常工作", "Daily work"), sort_key=1)
_look = Group(_("检查与了解", "Look and check"), sort_key=2)

Db = Annotated[
    str, Parameter(help=_("SQLite 文件，或 postgresql://… 地址", "an SQLite file, or postgresql://…"))
]
Key = Annotated[
    Path | None,
    Parameter(
        help=_(
            "密钥文件（默认在 SQLite 文件旁：数据库名.key）",
            "key file (default: beside the SQLite file, NAME.key)",
        )
    ),
]
Plugins = Annotated[
    tuple[str, ...],
    Parameter(name="--plugin", negative=(), help=_("插件名或 .toml/.py 文件，可多次给出（默认 xinyu）",
                                      "a plugin's name or a .toml/.py file, may be repeated (default xinyu)")),
]  # fmt: skip
Zone = Annotated[str, Parameter(help=_("城市所在时区", "the city's time zone"))]
AsOf = Annotated[dt.date | None, Parameter(help=_("截至日期，默认今天", "as of this day, default today"))]
Json = Annotated[
    bool, Parameter(name="--json", negative=(), help=_("只打印 JSON", "print JSON and nothing else"))
]
Credit = Annotated[
    str, Parameter(name="--rulebook", help=_("计时规则：plain 或 union", "credit rulebook: plain or union"))
]


@app.command(group=_work)
def demo(
    *,
    small: Annotated[
        bool, Parameter(negative=(), help=_("约十分之一大小的城市", "a city a tenth the size"))
    ] = False,
    db: Annotated[
        Path | None, Parameter(help=_("数据库文件（默认 demo.db）", "database file (default demo.db)"))
    ] = None,
    out: Annotated[Path, Parameter(help=_("报告文件", "the report"))] = Path("report.html"),
) -> None:
    """Make a fictitious city of Xinyu's size, import it, rate it, explain a star, write report.html."""
    from volunteerkit.cli.demo import run_demo

    run_demo(small=small, db=db or Path("demo-small.db" if small else "demo.db"), out=out)


@app.command(name="import", group=_work)
def import_(
    folder: Annotated[Path, Parameter(help=_("CSV 文件夹", "the folder of CSV files"))],
    /,
    *,
    db: Db,
    mapping: Annotated[
        Path | None, Parameter(help=_("外来格式的映射文件", "mapping file for a foreign layout"))
    ] = None,
    as_of: AsOf = None,
    key_file: Key = None,
    plugin: Plugins = (),
    zone: Zone = "Asia/Shanghai",
    json: Json = False,
) -> None:
    """Import volunteers, organizations, teams, projects and service records from a folder of CSV files."""
    from volunteerkit.cli.city import run_import

    run_import(folder, db, mapping, as_of, key_file, plugin, zone, json)


@app.command(group=_work)
def quarantine(
    *,
    db: Db,
    out: Annotated[Path | None, Parameter(help=_("另存为 CSV", "write a CSV file"))] = None,
    reason: Annotated[str | None, Parameter(help=_("只看这一原因", "this reason code only"))] = None,
    json: Json = False,
) -> None:
    """List refused rows of the last imports: file, row, column, value, reason, how to mend."""
    from volunteerkit.cli.city import run_quarantine

    run_quarantine(db, out, reason, json)


@app.command(group=_work)
def rate(
    *,
    db: Db,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    decide: Annotated[
        bool, Parameter(negative=(), help=_("把变化的星级写成决定", "keep changed grades as decisions"))
    ] = False,
    plugin: Plugins = (),
    key_file: Key = None,
    zone: Zone = "Asia/Shanghai",
    json: Json = False,
) -> None:
    """Rate every volunteer of the city and print how many hold each star."""
    from volunteerkit.cli.city import run_rate

    run_rate(db, rulebook, as_of, decide, plugin, key_file, zone, json)


@app.command(group=_work)
def explain(
    volunteer: Annotated[str, Parameter(help=_("志愿者编号", "the volunteer's number"))],
    /,
    *,
    db: Db,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    plugin: Plugins = (),
    key_file: Key = None,
    zone: Zone = "Asia/Shanghai",
    json: Json = False,
) -> None:
    """Explain one volunteer's star as a tree, with what is missing for the next one."""
    from volunteerkit.cli.city import run_explain

    run_explain(volunteer, db, rulebook, as_of, plugin, key_file, zone, json)


@app.command(group=_work)
def statement(
    volunteer: Annotated[str, Parameter(help=_("志愿者编号", "the volunteer's number"))],
    /,
    *,
    db: Db,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    known_at: Annotated[
        int | None, Parameter(help=_("按当时所知：账本序号", "as known then: the ledger's seq"))
    ] = None,
    plugin: Plugins = (),
    key_file: Key = None,
    zone: Zone = "Asia/Shanghai",
    json: Json = False,
) -> None:
    """Print a volunteer's statement of any day, as known at any moment: raw and credited side by side."""
    from volunteerkit.cli.city import run_statement

    run_statement(volunteer, db, rulebook, as_of, known_at, plugin, key_file, zone, json)


@app.command(group=_work)
def export(
    what: Annotated[Literal["hours"], Parameter(help=_("导出内容", "what to export"))],
    /,
    *,
    db: Db,
    out: Annotated[Path, Parameter(help=_("CSV 文件", "the CSV file"))],
    rulebook: Credit = "union",
    as_of: AsOf = None,
    plugin: Plugins = (),
    key_file: Key = None,
    zone: Zone = "Asia/Shanghai",
) -> None:
    """Export one row a volunteer: claimed and credited minutes, records, grade."""
    from volunteerkit.cli.city import run_export

    assert what == "hours"
    run_export(db, out, rulebook, as_of, plugin, key_file, zone)


@app.command(group=_look)
def verify(
    *,
    db: Db,
    rebuild: Annotated[
        bool,
        Parameter(
            help=_("先按转账重新计算各账户余额", "compute the balances anew from the transfers first"),
            negative=(),
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Recompute every balance and the whole chain; name the first divergence."""
    from volunteerkit.cli.inspect import run_verify

    run_verify(db, rebuild, json)


@app.command(group=_look)
def plugins(*, plugin: Plugins = (), json: Json = False) -> None:
    """List installed plugins and what the active ones contribute."""
    from volunteerkit.cli.inspect import run_plugins

    run_plugins(plugin, json)


@app.command(group=_look)
def hooks(*, plugin: Plugins = (), json: Json = False) -> None:
    """List every hook: its kind, its arguments, when it is asked, who implements it."""
    from volunteerkit.cli.inspect import run_hooks

    run_hooks(plugin, json)


@app.command(group=_look)
def doctor(*, db: Annotated[str | None, Parameter(help=_("也检查这个数据库", "check this database too"))] = None,
           key_file: Key = None, json: Json = False) -> None:  # fmt: skip
    """Check Python, extras, database, key and plugins, and say how to mend what is missing."""
    from volunteerkit.cli.inspect import run_doctor

    run_doctor(db, key_file, json)
