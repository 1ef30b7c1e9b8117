"""The commands and their options; what they do stands in the modules beside this one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    Token,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)
from rich.text import Text

from volunteerkit import messages
from volunteerkit.cli import clerk, projects, recruiting
from volunteerkit.cli.attendance import attendance
from volunteerkit.cli.bank import bank
from volunteerkit.cli.common import command
from volunteerkit.cli.help import Pages, groups, told_of_flags
from volunteerkit.cli.hours import hours
from volunteerkit.cli.keys import key
from volunteerkit.cli.options import AsOf, Db, Json, Key, Place, Plugins, PluginsDir, Trace, read_whole
from volunteerkit.cli.options import both as _
from volunteerkit.cli.options import in_chinese as _in_chinese
from volunteerkit.cli.periods import period
from volunteerkit.cli.plugin import plugin as of_plugin
from volunteerkit.cli.rule import rule
from volunteerkit.cli.tables import console
from volunteerkit.cli.typed import shown
from volunteerkit.errors import did_you_mean
from volunteerkit.privacy import HIDDEN

__all__ = ["Place", "app"]


def _told(error: CycloptsError) -> Text:
    return Text(_said(error))  # what was typed is shown as it is, brackets too


def _said(error: CycloptsError) -> str:
    """Say what was not understood in the reader's language; the parser knows only English."""
    name = error.argument.name if error.argument else ""
    chain = tuple(error.command_chain or ())
    # where a person is described, a word may be their name or number, also where it does not belong
    private = (*chain, "")[0] in ("register", "find", "claim")
    usage = " ".join((command(), *chain))
    options = [option for each in _arguments(error) for option in each.names if option.startswith("--")]
    options += [name for name in error.app or app if name.startswith("--")]  # --help, --version
    given = [word.partition("=")[0] for word in error.unused_tokens or () if word.startswith("--")]
    match error:
        case MissingArgumentError(keyword=str(option)):
            return messages.text("command_value_missing", name=option, usage=usage)
        case MissingArgumentError():
            # an option that is misspelled is the reason why another one is missing
            if unknown := [word for word in given if word not in options]:
                return _unknown_option(unknown[0], options, usage)
            return messages.text("command_missing", name=name, usage=usage)
        case UnknownOptionError():
            return _unknown_option(error.token.keyword or error.token.value.partition("=")[0], options, usage)
        case UnknownCommandError() if error.unused_tokens:
            at = error.app or app
            word, known = error.unused_tokens[0], [each for each in at if not each.startswith("-")]
            if word.startswith("-"):
                return _unknown_option(word.partition("=")[0], options, usage)
            near = did_you_mean(word, known)
            return messages.text("command_unknown", name=word, near=near, known=", ".join(known))
        case UnusedCliTokensError() if error.unused_tokens:
            words = [HIDDEN if private else shown(word) for word in error.unused_tokens]
            return messages.text("command_extra", words=" ".join(words), usage=usage)
        case CoercionError(msg=None, token=Token(value=value)):
            if allowed := get_args(error.target_type):
                told = messages.text("invalid_value", name=name, value=value, allowed=", ".join(allowed))
                return f"{told}{did_you_mean(value, allowed)}"
            return messages.text(
                "command_value", name=name, value=HIDDEN if private else shown(value), usage=usage
            )
    return str(error.msg or error)


def _arguments(error: CycloptsError) -> Iterable[Any]:
    at = error.app
    return at.assemble_argument_collection() if at and at.default_command else ()


def _unknown_option(word: str, known: list[str], usage: str) -> str:
    return messages.text("command_option_unknown", name=word, near=did_you_mean(word, known), usage=usage)


app = App(
    name="volunteerkit",
    help=_("一座城市的志愿服务：导入记录，计算时长，评定星级，说明理由。",
           "A city's volunteer service: import records, credit hours, rate stars, give the reasons."),
    help_epilogue=_("从这里开始：volunteerkit demo --small", "Start here: volunteerkit demo --small"),
    version_flags=["--version"],
    error_formatter=_told,
    suppress_keyboard_interrupt=False,
    console=console(),
    error_console=console(stderr=True),
    help_formatter=Pages(),
    **groups(),
)  # fmt: skip
app.update(told_of_flags(clerk.commands))
app.update(told_of_flags(recruiting.commands))
app.update(told_of_flags(projects.commands))

_work = Group(_("日常工作", "Daily work"), sort_key=1)
_look = Group(_("检查与了解", "Look and check"), sort_key=2)
key.group = rule.group = of_plugin.group = _look
app.command(key)
hours.group = period.group = bank.group = clerk.office
for each in (hours, period, bank):
    app.command(each)
app.command(rule)
app.command(of_plugin)
attendance.group = _work
app.command(attendance)

Question = Annotated[
    str,
    Parameter(help=_("等级规则回答的问题，如 star", "the question that a ladder answers, such as star")),
]
Credit = Annotated[
    str, Parameter(name="--rulebook", help=_("计时规则：plain 或 union", "credit rulebook: plain or union"))
]


@app.command(
    group=_work, help=_in_chinese("生成一座新余规模的虚构城市，导入、评星、说明一颗星，并写出 report.html。")
)
def demo(
    *,
    small: Annotated[
        bool, Parameter(negative=(), help=_("约十分之一大小的城市", "a city a tenth the size"))
    ] = False,
    db: Annotated[
        Path | None, Parameter(help=_("数据库文件（默认 demo.db）", "database file (default demo.db)"))
    ] = None,
    out: Annotated[
        Path, Parameter(help=_("报告文件，或放报告的文件夹", "the report, or the folder for it"))
    ] = Path("report.html"),
) -> None:
    """Make a fictitious city of Xinyu's size, import it, rate it, explain a star, write report.html."""
    from volunteerkit.cli.demo import run_demo

    run_demo(small=small, db=db or Path("demo-small.db" if small else "demo.db"), out=out)


@app.command(
    name="import", group=_work, help=_in_chinese("从 CSV 文件夹导入志愿者、组织、服务队、项目和服务记录。")
)
def import_(
    folder: Annotated[
        Path, Parameter(name=_("文件夹", "FOLDER"), help=_("CSV 文件夹", "the folder of CSV files"))
    ],
    /,
    *,
    place: Place,
    mapping: Annotated[
        Path | None, Parameter(help=_("外来格式的映射文件", "mapping file for a foreign layout"))
    ] = None,
    as_of: AsOf = None,
    strict: Annotated[
        bool,
        Parameter(negative=(), help=_("有一行被拒绝就一行也不导入", "import nothing if one row is refused")),
    ] = False,
    json: Json = False,
) -> None:
    """Import volunteers, organizations, teams, projects and service records from a folder of CSV files."""
    from volunteerkit.cli.city import run_import

    run_import(folder, place, mapping, as_of, strict, json)


@app.command(group=_work, help=_in_chinese("列出最近导入时拒绝的行：文件、行、列、值、原因、如何修正。"))
def quarantine(
    *,
    db: Db,
    out: Annotated[Path | None, Parameter(help=_("另存为 CSV", "write a CSV file"))] = None,
    reason: Annotated[str | None, Parameter(help=_("只看这一原因", "this reason code only"))] = None,
    flagged: Annotated[
        bool,
        Parameter(
            negative=(),
            help=_("改为列出存疑的记录、志愿者、组织和服务队", "what is flagged, not what is refused"),
        ),
    ] = False,
    page: Annotated[int, Parameter(help=_("第几页，每页 200 行", "which page of 200 rows"))] = 1,
    json: Json = False,
) -> None:
    """List refused rows of the last imports: file, row, column, value, reason, how to mend."""
    from volunteerkit.cli.city import run_quarantine

    run_quarantine(db, out, reason, flagged, page, json)


@app.command(group=_work, help=_in_chinese("为全市志愿者评星，打印各星级人数。"))
def rate(
    *,
    place: Place,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    decide: Annotated[
        bool, Parameter(negative=(), help=_("把变化的星级写成决定", "keep changed grades as decisions"))
    ] = False,
    decides: Question = "star",
    json: Json = False,
) -> None:
    """Rate every volunteer of the city and print how many hold each star."""
    from volunteerkit.cli.city import run_rate

    run_rate(place.open(), rulebook, as_of, decide, json, decides)


@app.command(group=_work, help=_in_chinese("用树形说明一名志愿者的星级，以及离下一级还差什么。"))
def explain(
    volunteer: clerk.Volunteer,
    /,
    *,
    place: Place,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    decides: Question = "star",
    json: Json = False,
) -> None:
    """Explain one volunteer's star as a tree, with what is missing for the next one."""
    from volunteerkit.cli.city import run_explain

    run_explain(volunteer, place.open(), rulebook, as_of, json, decides)


@app.command(group=_work, help=_in_chinese("打印志愿者任一天、任一时刻所知的对账单：申报与计入并列。"))
def statement(
    volunteer: clerk.Volunteer,
    /,
    *,
    place: Place,
    rulebook: Credit = "union",
    as_of: AsOf = None,
    known_at: Annotated[
        int | None,
        Parameter(
            converter=read_whole,
            help=_(
                "按当时所知：账本序号（账单标题中有）",
                "as known at this seq of the ledger (a statement's title names its seq)",
            ),
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print a volunteer's statement of any day, as known at any moment: raw and credited side by side."""
    from volunteerkit.cli.city import run_statement

    run_statement(volunteer, place.open(), rulebook, as_of, known_at, json)


@app.command(
    group=_work,
    help=_in_chinese(
        "每名志愿者导出一行：申报分钟、计入分钟、记录数、星级；或每个品牌一行；或整本账，供他处核对。"
    ),
)
def export(
    what: Annotated[
        Literal["hours", "brands", "ledger"],
        Parameter(name=_("内容", "WHAT"), help=_("导出内容", "what to export")),
    ],
    /,
    *,
    place: Place,
    out: Annotated[
        Path, Parameter(help=_("CSV 文件；账本为每行一个 JSON", "the CSV file; a ledger is lines of JSON"))
    ],
    rulebook: Credit = "union",
    as_of: AsOf = None,
) -> None:
    """Export a row a volunteer: claimed and credited minutes, records, grade; or a row a brand; or the whole ledger."""
    from volunteerkit.cli.city import run_export, run_export_brands, run_export_ledger

    if what == "brands":
        run_export_brands(place, out)
        return
    if what == "ledger":
        run_export_ledger(place, out)
        return
    run_export(place, out, rulebook, as_of)


@app.command(group=_look, help=_in_chinese("重新计算所有余额和整条链，指出第一处不一致。"))
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
    head: Annotated[
        str | None,
        Parameter(
            help=_(
                "与以前公布的链头（verify 打印的 序号:摘要）比对",
                "compare with a head that was published before (SEQ:DIGEST, as verify prints it)",
            )
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Recompute every balance and the whole chain; name the first divergence."""
    from volunteerkit.cli.inspect import run_verify

    run_verify(db, rebuild, head, json)


@app.command(group=_look, help=_in_chinese("列出已安装的插件及其内容，以及不能使用的插件和原因。"))
def plugins(
    *, plugin: Plugins = (), plugins_dir: PluginsDir = None, trace: Trace = False, json: Json = False
) -> None:
    """List installed plugins, what the active ones contribute, and which cannot be used and why."""
    from volunteerkit.cli.common import trace_plugins
    from volunteerkit.cli.inspect import run_plugins

    if trace:
        trace_plugins()
    run_plugins(plugin, plugins_dir, json)


@app.command(
    group=_look, help=_in_chinese("列出所有钩子：种类、参数、由谁实现；给出名字则显示这个钩子的手册和示例。")
)
def hooks(
    name: Annotated[
        str | None, Parameter(help=_("只看这个钩子的手册和示例", "the manual of this hook, with its example"))
    ] = None,
    /,
    *,
    plugin: Plugins = (),
    plugins_dir: PluginsDir = None,
    json: Json = False,
) -> None:
    """List every hook: its kind, its signature, who implements it; with a name, its manual and example."""
    from volunteerkit.cli.inspect import run_hooks

    run_hooks(name, plugin, plugins_dir, json)


@app.command(group=_look, help=_in_chinese("检查 Python、附加包、数据库、密钥和插件，并说明如何补齐。"))
def doctor(*, db: Annotated[str | None, Parameter(help=_("也检查这个数据库", "check this database too"))] = None,
           key_file: Key = None, json: Json = False) -> None:  # fmt: skip
    """Check Python, extras, database, key and plugins, and say how to mend what is missing."""
    from volunteerkit.cli.inspect import run_doctor

    run_doctor(db, key_file, json)
