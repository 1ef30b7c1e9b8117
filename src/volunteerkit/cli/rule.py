"""The command ``rule``: a regime's cases run against its rulebooks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from volunteerkit.cli.common import both, print_json
from volunteerkit.cli.help import groups
from volunteerkit.cli.options import Json, in_chinese
from volunteerkit.cli.tables import print_table
from volunteerkit.errors import InvalidValue

if TYPE_CHECKING:
    from volunteerkit.rules import Rulebook
    from volunteerkit.rules.cases import Result

__all__ = ["rule", "run_cases_in"]


def __dir__() -> list[str]:
    return __all__


rule = App(
    name="rule",
    help=both("规则：用案例核对（rule cases）。", "Rules: check them by cases (rule cases)."),
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
    books = [book for name in names for book in _rulebooks(name)]
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


def _rulebooks(name: str) -> Iterator[Rulebook]:
    """Yield what one plugin brings; each is loaded by itself, since two may answer one question."""
    from volunteerkit.kit import Kit
    from volunteerkit.rules import builtin_rulebooks

    if Path(name).is_dir():
        for place in sorted(each for each in Path(name).glob("*.toml") if _is_rulebook(each)):
            yield from _rulebooks(str(place))
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
