"""Write the generated pages of the reference: ``.venv/bin/python docs/generate.py``. A test holds them fresh."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import attrs

from volunteerkit import Kit, calling, errors, hooks
from volunteerkit.messages import LANGUAGES
from volunteerkit.policy import MinorLimit, Policy
from volunteerkit.projects.moves import PARTICIPATION_MOVES, PROJECT_MOVES
from volunteerkit.projects.participating import AGAIN, OUTCOMES

DOCS = Path(__file__).parent
WORDS = tomllib.loads(DOCS.joinpath("generate.toml").read_text("utf-8"))
TREES = {"zh-CN": "zh", "en": "en"}
CREDITED = {
    "not_selected",
    "minutes_counted_before",
    "clock_shorter",
    "transform",
    "window",
    "coefficient",
    "day_limit",
    "limit",
    "limit_refused",
    "count_limit",
    "route",
    "day_percent",
}
NOT_ERRORS = re.compile(r"explain_|say_|kind_|length|word_")
HELP = """
import io, json
from rich.console import Console
from volunteerkit.cli.app import app

def text(*words):
    console = Console(file=io.StringIO(), width=100)
    app.help_print(words, console=console)
    return "\\n".join(line.rstrip() for line in console.file.getvalue().splitlines())

def below(at, *words):
    for name in at:
        if not name.startswith("-"):
            yield [*words, name]
            yield from below(at[name], *words, name)

print(json.dumps([([], text()), *((words, text(*words)) for words in below(app))]))
"""


def catalogue(area: str) -> Mapping[str, Mapping[str, str]]:
    """Return the texts of one area: code -> language -> text."""
    return tomllib.loads(files("volunteerkit.messages").joinpath(f"{area}.toml").read_text("utf-8"))


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; placeholders stand as {name}, whatever their conversion."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(list(heads))]
    for row in rows:
        cells = (re.sub(r"!r}", "}", cell).replace("|", "\\|").replace("<", "&lt;") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def codes(texts: Mapping[str, Mapping[str, str]]) -> str:
    """Return a table of codes with their text in both languages."""
    rows = ((f"`{code}`", *(each[name] for name in LANGUAGES)) for code, each in texts.items())
    return table(("code", "中文", "English"), rows)


def commands(language: str) -> Iterator[str]:
    """Yield every command's own help, as a block that the tests run."""
    env = os.environ | {"VOLUNTEERKIT_LANG": language, "PYTHONUTF8": "1"}
    done = subprocess.run(
        [sys.executable, "-c", HELP], env=env, check=True, capture_output=True, encoding="utf-8"
    )
    for words, text in json.loads(done.stdout):
        yield f"## {' '.join(words)}" if words else ""
        yield f"```console\n$ {' '.join(['volunteerkit', *words, '--help'])}\n{text}\n```"


def hook_pages(language: str) -> Iterator[str]:
    """Yield every hook with its signature, kind and meaning."""
    for name, kind in hooks.KINDS.items():
        function = getattr(hooks, name)
        said = (inspect.getdoc(function) or "").partition("Example::")[0].strip().replace("``", "`")
        yield f"## {name}"
        yield f"```text\n{calling.signature(name)}\n```"
        yield f"{WORDS['kind'][language]}**{kind}**"
        yield said if language == "en" else WORDS["hook"][name]
        # two empty lines, as the formatter of these pages wants them
        example = calling.example(name).replace("\n\n@hookimpl", "\n\n\n@hookimpl")
        yield f"```python\n{example}```"
        yield WORDS["added"][language].format(version=calling.added_in(name))


def error_pages(language: str) -> Iterator[str]:
    """Yield the tree of errors, then every code by area."""
    core = {code: each for code, each in catalogue("core").items() if not NOT_ERRORS.match(code)}
    plugins, rules = catalogue("plugins"), catalogue("rules")
    found = {name: getattr(errors, name) for name in errors.__all__}
    yield table(WORDS["class"][language], (
        (f"`{name}`", f"`{each.default_code}`", ", ".join(f"`{base.__name__}`" for base in each.__bases__))
        for name, each in found.items() if isinstance(each, type) and issubclass(each, errors.VolunteerkitError)
    ))  # fmt: skip
    areas = {
        "core": core,
        "approvals": catalogue("approvals"),
        "volunteers": catalogue("volunteers"),
        "organizations": catalogue("organizations"),
        "bank": catalogue("bank"),
        "recruiting": {
            code: each for code, each in catalogue("recruiting").items() if not NOT_ERRORS.match(code)
        },
        "attendance": catalogue("attendance"),
        "projects": catalogue("projects"),
        "personal": catalogue("personal"),
        "hours": catalogue("hours"),
        "exchange": catalogue("exchange"),
        "plugins": {code: each for code, each in plugins.items() if code.startswith("plugin_")},
        "findings": {code: each for code, each in plugins.items() if not code.startswith("plugin_")},
        "rules": {
            code: each for code, each in rules.items() if code not in CREDITED and not NOT_ERRORS.match(code)
        },
        "rating": {code: each for code, each in catalogue("rating").items() if not NOT_ERRORS.match(code)},
    }
    for area, texts in areas.items():
        yield f"## {WORDS['area'][area][language]}"
        yield codes(texts)


def reason_pages(language: str) -> Iterator[str]:
    """Yield what an import refuses, leaves out and flags, and why credited minutes differ."""
    reasons = catalogue("reasons")
    areas = {
        "reasons": {code: each for code, each in reasons.items() if not code.startswith("skipped_")},
        "skipped": {code: each for code, each in reasons.items() if code.startswith("skipped_")},
        "flags": catalogue("flags"),
        "credited": {code: each for code, each in catalogue("rules").items() if code in CREDITED},
    }
    for area, texts in areas.items():
        yield f"## {WORDS['area'][area][language]}"
        yield WORDS["about"][area][language]
        yield codes(texts)


def rulebook_pages(language: str) -> Iterator[str]:
    """Yield the rulebooks that ship, with their versions and their files."""
    kit = Kit.load("xinyu")
    sources = {
        "plain": files("volunteerkit.rules").joinpath("plain.toml"),
        "union": files("volunteerkit.rules").joinpath("union.toml"),
        "xinyu.star": files("volunteerkit_xinyu").joinpath("star.toml"),
    }
    for name, source in sources.items():
        book = kit.rulebooks[name]
        yield f"## {name}"
        yield WORDS["rulebook"][name][language]
        yield table(WORDS["version"][language], (
            (str(version.effective_from), f"`{version.digest}`", version.citation) for version in book.versions
        ))  # fmt: skip
        yield f"```toml\n{source.read_text('utf-8').strip()}\n```"


def diagram(moves: Iterable[tuple[str, str, str]], groups: Mapping[str, tuple[str, ...]]) -> str:
    """Return moves as a diagram; where all states of a group move alike the group does, and no state to itself."""
    drawn, lines = set(moves), []
    for name, states in groups.items():
        lines += [f"    state {name} {{", *(f"        {each}" for each in states), "    }"]
        for _, verb, after in sorted({each for each in drawn if each[0] in states}):
            alike = {(each, verb, after) for each in states if each != after}
            if alike <= drawn:
                within = {(name, verb, after)} if after not in states else set()
                drawn = drawn - alike | within
    arrows: dict[tuple[str, str], list[str]] = {}
    for before, verb, after in sorted(drawn):
        arrows.setdefault((before or "[*]", after), []).append(verb)
    lines += [f"    {before} --> {after}: {', '.join(verbs)}" for (before, after), verbs in arrows.items()]
    return "```mermaid\nstateDiagram-v2\n" + "\n".join(lines) + "\n```"


DIAGRAMS = {
    "project": diagram(PROJECT_MOVES, {}),
    "participation": diagram(PARTICIPATION_MOVES, {"again": AGAIN, "outcome": OUTCOMES}),
}


def state_pages(language: str) -> Iterator[str]:
    """Yield every state of projects, participations, records and redemptions with its word, and how they are moved."""
    areas = {"project": "projects", "participation": "recruiting", "record": "office", "redemption": "office"}
    for name, area in areas.items():
        begins, texts = f"word_{name}_state_", catalogue(area)
        yield f"## {WORDS['states'][name][language]}"
        yield codes({
            key.removeprefix(begins): each for key, each in texts.items() if key.startswith(begins)
        })  # fmt: skip
        if name in DIAGRAMS:
            yield DIAGRAMS[name]
            yield WORDS["moves"][name][language]


UNITS = (
    "minutes",
    "minute",
    "hours",
    "days",
    "months",
    "metres",
    "seconds",
    "percent",
    "km_per_hour",
    "age",
    "year",
)


def unit_of(name: str) -> str:
    """Return the unit that a key's name says: its last words, or what stands before ``at`` and ``per``."""
    said = name.removesuffix("_at").replace("minutes_per_year", "minutes")
    return next((each for each in UNITS if said.endswith(each)), "")


def settings(of: type[Any], language: str) -> str:
    """Return a table of the keys of a policy, or of a limit for minors: default, unit, what is allowed, meaning."""
    kind, rows = WORDS["policy"], []
    for field in attrs.fields(of):
        default = field.default.factory() if isinstance(field.default, attrs.Factory) else field.default
        if field.name == "minors":
            shown = kind["below"][language]
        elif default in (None, attrs.NOTHING):
            shown = kind["none"][language] if default is None else ""
        else:
            shown = f"`{default if isinstance(default, dt.date) else json.dumps(default)}`"
        whole = {"below_age": 14, "day_minutes": 60} if of is MinorLimit else {}
        try:
            of(**whole | {field.name: object()})
            allowed = ""
        except errors.InvalidValue as refused:
            allowed = str(refused.values["allowed"])
        allowed = kind["allowed"].get(field.name, allowed)
        unit = "minute" if field.name in ("not_before", "not_after") else unit_of(field.name)
        rows.append((f"`{field.name}`", shown, kind["unit"][unit][language] if unit else "", allowed,
                     kind[of.__name__][field.name][language]))  # fmt: skip
    return table(kind["heads"][language], rows)


def policy_pages(language: str) -> Iterator[str]:
    """Yield every key of a city's policy."""
    yield settings(Policy, language)
    yield f"## {WORDS['policy']['minors'][language]}"
    yield settings(MinorLimit, language)
    limits = (attrs.asdict(each) for each in Policy().minors)
    lines = (
        "[[minors]]\n" + "\n".join(f"{name} = {value}" for name, value in each.items()) for each in limits
    )
    yield "```toml\n" + "\n\n".join(lines) + "\n```"


PAGES = {
    "commands": commands, "hooks": hook_pages, "errors": error_pages, "reasons": reason_pages,
    "rulebooks": rulebook_pages, "states": state_pages, "policy": policy_pages,
}  # fmt: skip


def pages() -> dict[Path, str]:
    """Return every generated page: path -> text."""
    made = {}
    for name, parts in PAGES.items():
        for language, tree in TREES.items():
            text = "\n\n".join(
                part for part in (WORDS["top"][name][language].strip(), *parts(language)) if part
            )
            made[DOCS / tree / "reference" / f"{name}.md"] = text + "\n"
    return made


if __name__ == "__main__":
    for path, text in pages().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8", newline="\n")
