"""Help pages in the reader's language: the parser's own words are English, and its panels need room."""

from __future__ import annotations

from typing import Any

import attrs
from cyclopts import App, Group
from cyclopts.help import DefaultFormatter, HelpEntry, HelpPanel, InlineText, PlainFormatter
from rich.console import Console, ConsoleOptions
from rich.text import Text

from volunteerkit.cli.common import both

__all__ = ["Pages", "groups", "told_of_flags"]

_PANELS_NEED_COLUMNS = 50
_WORDS = {"COMMAND": "命令", "[OPTIONS]": "[选项]", "[ARGS]": "[参数]", "STR": "文字", "STR...": "文字…", "PATH": "文件",
          "DATE": "日期", "INT": "整数"}  # fmt: skip
"""The words by which the parser says what is to be typed."""


def __dir__() -> list[str]:
    return __all__


def groups() -> dict[str, Any]:
    """Return the headings of a help page that the parser sets by itself."""
    return {
        "group_arguments": Group.create_default_arguments(both("参数", "Arguments")),
        "group_parameters": Group.create_default_parameters(both("选项", "Options")),
        "group_commands": Group.create_default_commands(both("其他", "Other")),
    }


def told_of_flags(app: App) -> App:
    """Say what ``--help`` and ``--version`` do, and return the app."""
    app["--help"].help = both("显示这一页。", "Show this page.")
    app["--version"].help = both("显示版本号。", "Show the version.")
    return app


def _own(word: str) -> str:
    return both(_WORDS.get(word, word), word)


def _notes(entry: HelpEntry) -> Text:
    notes = []
    if entry.choices:
        notes.append(both("可选：", "one of: ") + ", ".join(entry.choices))
    if entry.default is not None:
        notes.append(both("默认：", "default: ") + entry.default)
    if entry.required:
        notes.append(both("必填", "required"))
    return Text(" ".join(f"[{note}]" for note in notes), style="dim")


def _own_words(entry: HelpEntry) -> HelpEntry:
    """Return the entry with its notes in the reader's language."""
    said = entry.description
    if not isinstance(said, InlineText):
        said = InlineText(Text("" if said is None else str(said)))
    if notes := _notes(entry):
        said.append(notes)
    metavar = entry.metavar and _own(entry.metavar)
    return attrs.evolve(entry, description=said, metavar=metavar, choices=None, default=None, required=False)


@attrs.frozen
class Pages:
    """Writes a help page: in panels, or in plain lines where the terminal is narrow."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Write one panel."""
        formatter: Any = PlainFormatter() if console.width < _PANELS_NEED_COLUMNS else DefaultFormatter()
        formatter(console, options, attrs.evolve(panel, entries=[_own_words(each) for each in panel.entries]))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Write the line that shows how a command is typed."""
        if usage:
            typed = " ".join(map(_own, str(usage).split()))
            console.print(Text(f"{both('用法：', 'Usage: ')}{typed}\n", style="bold"))

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Write what the command does."""
        if description:
            console.print(description)
