"""The command ``rule``: a regime's cases run against its rulebooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from volunteerkit.cli.common import both, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import AsOf, Json, Limit, Place, in_chinese
from volunteerkit.cli.tables import print_table
from volunteerkit.errors import InvalidValue

if TYPE_CHECKING:
    from volunteerkit.rules import Rulebook
    from volunteerkit.rules.cases import Result

__all__ = ["rule", "rulebooks_of", "run_cases_in"]


def __dir__() -> list[str]:
    return __all__


RuleFile = Annotated[
    Path, Parameter(name=both("规则文件", "FILE"), help=both("规则文件（.toml）", "the rulebook (.toml)"))
]

rule = App(
    name="rule",
    help=both(
        "规则：检查、说明、比较，用案例核对，在本市数据上试行。",
        "Rules: check, explain and compare them, run cases against them, try them on the city.",
    ),
    **groups(),
)


@rule.command(help=in_chinese("用文件夹里的案例（JSON 或 TOML）逐条核对规则；有一条不符，退出码为 1。"))
def cases(
    folder: Annotated[
        Path,
        Parameter(name=both("文件夹", "FOLDER"), help=both("案例文件夹", "the folder of files with cases")),
    ],
    /,
    *,
    plugin: Annotated[
        tuple[str, ...],
        Parameter(
            name="--plugin",
            negative=(),
            show_default=False,
            help=both(
                "带规则的插件名、.toml 规则文件或放规则的文件夹，可多次给出（默认所有已安装的插件）",
                "a plugin with rulebooks, a .toml rulebook or a folder of them, may be repeated (default all installed plugins)",
            ),
        ),
    ] = (),
    json: Json = False,
) -> None:
    """Run the cases in a folder (JSON or TOML) against the rulebooks; exit code 1 when one comes out otherwise."""
    run_cases_in(folder, plugin, json)


@rule.command(
    name="try",
    help=in_chinese("在本市数据上试行一份规则：与现行规则比，谁会上升、谁会下降，为什么。不写入任何内容。"),
)
def try_(
    file: RuleFile,
    /,
    *,
    place: Place,
    rulebook: Annotated[
        str, Parameter(help=both("计时规则：plain 或 union", "credit rulebook: plain or union"))
    ] = "union",
    as_of: AsOf = None,
    limit: Limit = 20,
    json: Json = False,
) -> None:
    """Try a rulebook on the city: who would rise and fall against the rule in force, and why. Nothing is written."""
    from volunteerkit.cli.trying import run_try

    run_try(file, place.open(), rulebook, as_of, limit, json)


Books = Annotated[
    tuple[str, ...],
    Parameter(
        name="--plugin", negative=(), show_default=False,
        help=both("带事实、函数或规则的插件，可多次给出", "a plugin with facts, functions or rulebooks, may be repeated"),
    ),
]  # fmt: skip
Named = Annotated[
    str,
    Parameter(
        name=both("规则", "RULE"),
        help=both("规则文件，或规则的编号", "a rulebook's file, or its id"),
    ),
]
_DATED = both(
    "规则文件或编号，可加 @日期 取当日的版本", "a file or an id, perhaps with @DATE for the version of a day"
)
Old = Annotated[str, Parameter(name=both("旧规则", "OLD"), help=_DATED)]
New = Annotated[str, Parameter(name=both("新规则", "NEW"), help=_DATED)]


@rule.command(help=in_chinese("读一份规则：写得对就给出摘要和它提到的事实，否则列出全部问题和位置。"))
def check(file: Named, /, *, plugin: Books = (), json: Json = False) -> None:
    """Read a rulebook: says that it is right, with digest and what it mentions, or all problems with their paths."""
    from volunteerkit.cli.ruling import run_check

    run_check(file, plugin, json)


@rule.command(help=in_chinese("用句子说出一份规则：条件、期间、计入的次序、等级、程序和依据。"))
def explain(
    file: Named,
    /,
    *,
    lang: Annotated[
        str | None, Parameter(help=both("zh-CN 或 en，默认两种都印", "zh-CN or en, both by default"))
    ] = None,
    plugin: Books = (),
) -> None:
    """Say a rulebook in sentences: conditions, windows, crediting in its order, grades, procedure and sources."""
    from volunteerkit.cli.ruling import run_explain_rule

    run_explain_rule(file, plugin, lang)


@rule.command(help=in_chinese("用句子说出两份规则（或同一规则的两个版本）有哪些不同。"))
def diff(old: Old, new: New, /, *, plugin: Books = (), json: Json = False) -> None:
    """Say in sentences what differs between two rulebooks, or two versions of one."""
    from volunteerkit.cli.ruling import run_diff

    run_diff(old, new, plugin, json)


def run_cases_in(folder: Path, plugin: tuple[str, ...], json: bool) -> None:
    """Run every file of cases, print the figures of each regime and what came out otherwise."""
    from volunteerkit.plugins import installed
    from volunteerkit.rules.cases import read_cases, run_cases

    found = sorted(each for each in folder.glob("*") if each.suffix in (".json", ".toml"))
    beside = [each for each in found if _is_rulebook(each)]
    files = [each for each in found if each not in beside]
    if not files:
        raise InvalidValue("cases_none", place=folder.name)
    names = [*(plugin or installed()), *map(str, beside)]
    books = [book for name in names for book in rulebooks_of(name)]
    results = [run_cases(read_cases(file), books) for file in files]
    if json:
        print_json([result.as_dict() for result in results])
    else:
        heads = (
            both("办法", "regime"),
            both("相符", "passed"),
            both("不符", "failed"),
            both("Python 行数", "lines of Python"),
        )
        print_table(heads, (tuple(result.as_dict().values()) for result in results), right=(1, 2, 3))
        for result in results:
            print("".join(f"{line}\n" for line in _told(result)), end="")
    if any(result.failed for result in results):
        sys.exit(1)


def _is_rulebook(place: Path) -> bool:
    """Tell a rulebook that stands beside its cases from a file of cases."""
    import tomllib

    if place.suffix != ".toml":
        return False
    try:
        return "version" in tomllib.loads(place.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False  # whoever reads it as cases says what is wrong


def rulebooks_of(name: str) -> Iterator[Rulebook]:
    """Yield what one plugin brings; each is loaded by itself, since two may answer one question."""
    from volunteerkit.kit import Kit
    from volunteerkit.rules import builtin_rulebooks

    if Path(name).is_dir():
        for place in sorted(each for each in Path(name).glob("*.toml") if _is_rulebook(each)):
            yield from rulebooks_of(str(place))
        return
    shipped = {book.id for book in builtin_rulebooks()}
    kit = Kit.load(Path(name) if name.endswith((".py", ".toml")) else name)
    yield from (book for book in kit.rulebooks.values() if book.id not in shipped)


def _told(result: Result) -> Iterator[str]:
    told = set()
    for failure in result.failed:
        if failure.error is not None:
            if str(failure.error) in told:  # such as a rulebook that is not there: once for all cases
                continue
            told.add(str(failure.error))
        yield f"{result.regime}: {failure.why}"
        if failure.error is not None:
            yield f"  {failure.error}"
        for name, expected, found in failure.differences:
            yield both(
                f"  {name}：应为 {expected}，得到 {found}", f"  {name}: {expected} expected, {found} found"
            )
